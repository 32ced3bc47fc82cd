//! A real Prometheus takes our settings: it scrapes what the program shows, evaluates every rule without an error, fires for what
//! was planted and for nothing else, and has an answer for every panel.
//!
//! The server is found by `DMSTREAM_TEST_PROMETHEUS` (path of the program); without it this fails and says so.
//! `scripts/check-prometheus` finds one. Everything listens on the loopback interface and ends with the test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a server that fails, fails the test")]
#![expect(clippy::indexing_slicing, reason = "as tests do")]

#[path = "../it/ops/dashboards.rs"]
mod dashboards;
#[path = "../it/ops/program.rs"]
mod program;
mod server;

use axum::Router;
use axum::routing::get;
use serde_json::Value;
use tokio::net::TcpListener;

use server::Server;

/// What happened in the process that is scraped: an event that an alert fires for at once.
const PLANTED: &str = "bad_json";

#[tokio::test]
async fn a_real_prometheus_fires_for_what_is_planted_alone_and_answers_every_panel() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let page = program::page_after(|metrics| metrics.dead_letter(PLANTED));
    let kind = [("content-type", "text/plain; version=0.0.4; charset=utf-8")];
    let router = Router::new().route("/metrics", get(move || async move { (kind, page.clone()) }));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let server = Server::start(target).await;
    let is_up = |targets: &Value| targets["activeTargets"][0]["health"] == "up";
    server.until("targets", &[], is_up).await;
    let fires = |rules: &Value| states(rules).iter().any(|alert| alert.ends_with("firing"));
    let evaluated = |rules: &Value| all(rules).all(|rule| rule["health"] != "unknown");
    let rules = server.until("rules", &[], |rules| evaluated(rules) && fires(rules)).await;
    for rule in all(&rules) {
        assert_eq!(rule["health"], "ok", "{rule:#}");
    }
    assert_eq!(all(&rules).count(), alerts_written(), "rules that it knows");
    assert_eq!(states(&rules), [format!("DmstreamDeadLetters {PLANTED} firing")]);
    for (path, dashboard) in dashboards::all() {
        for (place, query) in dashboards::queries(&path, &dashboard) {
            let query = query.replace("$__rate_interval", "1m").replace("$stage", ".*");
            let shows = |answer: &Value| !answer["result"].as_array().unwrap().is_empty();
            let answer = server.until("query", &[("query", &query)], shows).await;
            assert!(shows(&answer), "{place}");
        }
    }
}

/// Every rule of every group.
fn all(rules: &Value) -> impl Iterator<Item = &Value> {
    let groups = rules["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap())
}

/// Each alert that is not at rest: name, reason, state.
fn states(rules: &Value) -> Vec<String> {
    let alerts = all(rules).flat_map(|rule| rule["alerts"].as_array().unwrap());
    alerts
        .map(|alert| (&alert["labels"], alert["state"].as_str().unwrap()))
        .map(|(labels, state)| {
            let label = |name: &str| labels[name].as_str().unwrap_or("-").to_owned();
            format!("{} {} {state}", label("alertname"), label("reason"))
        })
        .collect()
}

fn alerts_written() -> usize {
    let rules = std::fs::read_to_string("ops/prometheus/rules.yml").unwrap();
    rules.lines().filter(|line| line.trim_start().starts_with("- alert:")).count()
}
