//! SIGTERM ends the process in bounded time, whatever hangs.

use std::time::Duration;

use dmstream::clock::Stopwatch;
use dmstream::simulator::GraphFaults;
use tokio::net::TcpListener;

use crate::shop::{Instagram, Plan, Product, eventually, free_address, settings, write};

/// A Graph API that takes calls and never answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_graph_api_that_hangs() {
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (dir, address) = (tempfile::tempdir().unwrap(), free_address());
    let plan = Plan { broker: String::new(), faults: GraphFaults::NONE, company: "" };
    let text = settings(&plan, address, hole.local_addr().unwrap());
    let product = Product::start(&write(dir.path(), "0", &text), address);
    product.ready().await;
    let url = format!("http://{address}/webhooks/instagram");
    let instagram = Instagram::open(&url, 20, GraphFaults::NONE).await;
    somebody_writes(&product, &instagram).await;
    // Who writes is asked for: this call is under way until the end.
    let (call, _) =
        tokio::time::timeout(Duration::from_secs(30), hole.accept()).await.unwrap().unwrap();
    let since = Stopwatch::start();
    product.stop().await;
    assert!(since.elapsed() < Duration::from_secs(25), "{:?}", since.elapsed());
    drop(call);
}

/// Not about stopping, but a process to ask: huge pages are off (docs/benchmarks.md).
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_process_runs_without_huge_pages() {
    let (dir, address) = (tempfile::tempdir().unwrap(), free_address());
    let plan = Plan { broker: String::new(), faults: GraphFaults::NONE, company: "" };
    let product =
        Product::start(&write(dir.path(), "0", &settings(&plan, address, address)), address);
    product.ready().await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", product.pid())).unwrap();
    let says = status.lines().find_map(|line| line.strip_prefix("THP_enabled:"));
    assert_eq!(says.map(str::trim), Some("0"));
    product.stop().await;
}

async fn somebody_writes(product: &Product, instagram: &Instagram) {
    let said = instagram.somebody_writes();
    crate::shop::Doors::at(product.address).deliver(&[said]).await;
}

/// What nothing else bounds, the watchdog does: a stop that may take a second only, while a call hangs for ten.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_takes_too_long_is_cut_short_and_says_so() {
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (dir, address) = (tempfile::tempdir().unwrap(), free_address());
    let plan = Plan { broker: String::new(), faults: GraphFaults::NONE, company: "" };
    let text = settings(&plan, address, hole.local_addr().unwrap());
    let file = write(dir.path(), "0", &format!("stop_within_ms = 1000\n{text}"));
    let mut product = Product::start(&file, address);
    product.ready().await;
    let url = format!("http://{address}/webhooks/instagram");
    let instagram = Instagram::open(&url, 20, GraphFaults::NONE).await;
    somebody_writes(&product, &instagram).await;
    let (call, _) = hole.accept().await.unwrap();
    product.signal("TERM");
    let ended = eventually("it ends", async || product.ended()).await;
    assert_eq!(ended.code(), Some(3));
    let log = std::fs::read_to_string(file.with_extension("log")).unwrap();
    assert!(log.contains("ERROR") && log.contains("not everything stopped in time"), "{log}");
    drop(call);
    // Nothing was harmed.
    product.start_again();
    product.ready().await;
    product.signal("TERM");
    product.signal("TERM");
    let ended = eventually("the second signal ends it", async || product.ended()).await;
    assert!(matches!(ended.code(), Some(0 | 130)), "{ended}");
}
