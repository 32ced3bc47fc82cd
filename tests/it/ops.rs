//! What operators are given fits the program: alerts and dashboards ask for series that it registers, runbooks name commands
//! and settings that it has, and the containers are given files and names that exist.

mod dashboards;
mod deployment;
mod program;
mod promql;
mod registered;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use clap::Parser;
use dmstream::cli::Cli;
use serde::Deserialize;

use promql::{groupings, names_after, selectors};
use registered::{OF_THE_SCRAPE, Registered, whole};

/// What an alert must tell whoever it calls.
const RUNBOOK: [&str; 4] = ["do", "look_at", "means", "summary"];

#[derive(Debug, Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Alert>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Alert {
    alert: String,
    expr: String,
    #[serde(default, rename = "for")]
    _for: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct RulesTest {
    tests: Vec<World>,
}

#[derive(Debug, Deserialize)]
struct World {
    name: String,
    input_series: Vec<InputSeries>,
    promql_expr_test: Vec<Question>,
}

#[derive(Debug, Deserialize)]
struct InputSeries {
    series: String,
}

#[derive(Debug, Deserialize)]
struct Question {
    expr: String,
    exp_samples: Vec<serde_norway::Value>,
}

#[test]
fn alerts_ask_for_series_that_the_program_registers() {
    let registered = Registered::of_the_program();
    for alert in alerts() {
        let asked = selectors(&alert.expr);
        assert!(
            !asked.is_empty() || alert.expr.starts_with("up{"),
            "{}: asks nothing",
            alert.alert
        );
        fits(&registered, &alert.alert, &alert.expr);
        let kept = groupings(&alert.expr);
        for label in alert.annotations.values().flat_map(|text| names_after(text, "$labels.")) {
            let shown = if kept.is_empty() {
                registered.has_label(&asked, label)
            } else {
                kept.contains(label)
            };
            assert!(shown, "{}: no `{label}` is left to show", alert.alert);
        }
    }
}

#[test]
fn every_alert_says_how_urgent_it_is_and_what_to_do() {
    for alert in alerts() {
        let severity = alert.labels.get("severity").map(String::as_str);
        assert!(matches!(severity, Some("page" | "ticket")), "{}: {severity:?}", alert.alert);
        let told: Vec<&str> = alert.annotations.keys().map(String::as_str).collect();
        assert_eq!(told, RUNBOOK, "{}", alert.alert);
        for (about, text) in &alert.annotations {
            assert!(text.trim().len() > 20, "{}: {about} says nothing", alert.alert);
        }
    }
}

#[test]
fn runbooks_name_metrics_alerts_commands_and_settings_that_exist() {
    let (registered, alerts) = (Registered::of_the_program(), alerts());
    let mut commands = 0;
    for alert in &alerts {
        let text = alert.annotations.values().cloned().collect::<Vec<_>>().join("\n");
        for selector in selectors(&text) {
            let metric = whole(selector.metric);
            assert!(registered.metrics().contains(metric), "{}: {metric}", alert.alert);
        }
        for name in names_after(&text, "Dmstream") {
            let named = alerts.iter().any(|other| other.alert == format!("Dmstream{name}"));
            assert!(named, "{}: there is no alert Dmstream{name}", alert.alert);
        }
        for name in names_after(&text, "DMSTREAM_") {
            deployment::assert_known_setting(&format!("DMSTREAM_{name}"));
        }
        for command in text.split('`').filter(|quoted| quoted.starts_with("dmstream ")) {
            commands += 1;
            let parsed = Cli::try_parse_from(command.split_whitespace());
            assert!(parsed.is_ok(), "{}: `{command}` is no command", alert.alert);
        }
    }
    assert!(commands > 3, "only {commands} commands are named");
}

#[test]
fn every_alert_is_shown_firing_and_keeping_quiet() {
    let tests: RulesTest = yaml("ops/prometheus/rules_test.yml");
    for alert in alerts() {
        let asked = format!("alertname=\"{}\"", alert.alert);
        let questions = tests.tests.iter().flat_map(|world| &world.promql_expr_test);
        let answers: BTreeSet<bool> = questions
            .filter(|question| question.expr.contains(&asked))
            .map(|question| question.exp_samples.is_empty())
            .collect();
        assert_eq!(answers, BTreeSet::from([false, true]), "{}: fires, and does not", alert.alert);
    }
}

#[test]
fn the_worlds_of_the_rule_tests_are_made_of_series_that_the_program_registers() {
    let registered = Registered::of_the_program();
    let tests: RulesTest = yaml("ops/prometheus/rules_test.yml");
    for world in &tests.tests {
        for InputSeries { series } in &world.input_series {
            for selector in selectors(series) {
                let strangers = registered.strangers(&selector);
                assert!(strangers.is_empty(), "{}: {strangers:?}", world.name);
            }
        }
    }
}

#[test]
fn dashboards_ask_for_series_that_the_program_registers() {
    let registered = Registered::of_the_program();
    for (path, dashboard) in dashboards::all() {
        for (place, expr) in dashboards::queries(&path, &dashboard) {
            fits(&registered, &place, &expr);
        }
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let asked = selectors(target["expr"].as_str().unwrap());
                for label in names_after(target["legendFormat"].as_str().unwrap(), "{{") {
                    assert!(registered.has_label(&asked, label), "{path}: {panel:#}");
                }
            }
        }
    }
}

#[test]
fn everything_the_program_counts_is_on_a_dashboard() {
    let shown: Vec<(String, String)> = dashboards::all()
        .iter()
        .flat_map(|(path, dashboard)| dashboards::queries(path, dashboard))
        .collect();
    let shown: BTreeSet<&str> =
        shown.iter().flat_map(|(_, expr)| selectors(expr)).map(|s| whole(s.metric)).collect();
    assert_eq!(shown, Registered::of_the_program().metrics());
}

#[test]
fn every_panel_has_a_place_of_its_own_and_says_what_it_shows() {
    for (path, dashboard) in dashboards::all() {
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{path}: {title}: its id is taken");
            let edge = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            for x in edge("x")..edge("x") + edge("w") {
                for y in edge("y")..edge("y") + edge("h") {
                    assert!(x < 24 && taken.insert((x, y)), "{path}: {title}: no room for it");
                }
            }
            if panel["type"] != "row" {
                let described = panel["description"].as_str().is_some_and(|text| text.len() > 20);
                let asks = panel["targets"].as_array().is_some_and(|targets| !targets.is_empty());
                assert!(described && asks, "{path}: {title}");
            }
        }
    }
}

/// Names and values exist, labels to group by exist, and no bucket is named: Prometheus 3 writes bounds as floats, 2 does not.
#[track_caller]
fn fits(registered: &Registered, place: &str, expr: &str) {
    let asked = selectors(expr);
    for selector in &asked {
        let strangers = registered.strangers(selector);
        assert!(strangers.is_empty(), "{place}: {strangers:?}");
        let bucket = selector.matchers.iter().any(|(label, ..)| *label == "le");
        assert!(!bucket, "{place}: names a bucket");
    }
    for label in groupings(expr) {
        let known = registered.has_label(&asked, label) || OF_THE_SCRAPE.contains(&label);
        assert!(known, "{place}: no series has `{label}`");
    }
}

fn alerts() -> Vec<Alert> {
    let rules: Rules = yaml("ops/prometheus/rules.yml");
    let alerts: Vec<Alert> = rules.groups.into_iter().flat_map(|group| group.rules).collect();
    assert!(alerts.len() > 10, "only {} alerts", alerts.len());
    alerts
}

fn yaml<T: serde::de::DeserializeOwned>(path: &str) -> T {
    serde_norway::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}
