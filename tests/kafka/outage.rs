//! The brokers are away: the process lives, says that it is not ready, and stops when told.
//!
//! It has a cluster of its own, by `scripts/kafka` and the broker's jars.

use std::process::Command;
use std::time::Duration;

use dmstream::clock::Stopwatch;
use dmstream::simulator::GraphFaults;

use crate::shop::{Doors, Plan, Shop, eventually};

/// A cluster of one broker; ends with this value.
struct Cluster {
    dir: tempfile::TempDir,
    bootstrap: String,
}

impl Cluster {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut start = Command::new("scripts/kafka");
        let started =
            start.arg("start").arg("--dir").arg(dir.path().join("kafka")).output().unwrap();
        let said = String::from_utf8_lossy(&started.stdout).into_owned();
        assert!(started.status.success(), "{said}{}", String::from_utf8_lossy(&started.stderr));
        let bootstrap = said.lines().find_map(|line| line.strip_prefix("bootstrap=")).unwrap();
        Self { bootstrap: bootstrap.to_owned(), dir }
    }

    fn run(&self, arguments: &[&str]) {
        let mut run = Command::new("scripts/kafka");
        run.args(arguments).arg("--dir").arg(self.dir.path().join("kafka"));
        assert!(run.output().unwrap().status.success(), "{arguments:?}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = Command::new("scripts/kafka");
        drop(stop.args(["stop", "--dir"]).arg(self.dir.path().join("kafka")).output());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_brokers_a_process_lives_is_not_ready_and_stops_when_told() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    let broker = format!(
        "kafka_bootstrap = \"{}\"\nkafka_replication = 1\nkafka_session_timeout_ms = 3000\n\
         kafka_transaction_timeout_ms = 5000\n",
        cluster.bootstrap
    );
    let mut shop = Shop::open(Plan { broker, faults: GraphFaults::NONE, company: "" }).await;
    let doors = Doors::at(shop.product.address);
    assert_eq!(doors.get("/livez").await.0, 200);
    let said = shop.instagram.somebody_writes();
    doors.deliver(&[said]).await;

    cluster.run(&["kill", "--broker", "1"]);
    let body = b"{}".to_vec();
    assert_eq!(doors.post_signed(body, "").await, 503, "it is not taken in");
    eventually("it is not ready", async || (doors.get("/readyz").await.0 == 503).then_some(()))
        .await;
    let away = Stopwatch::start();
    while away.elapsed() < Duration::from_secs(10) {
        assert_eq!(doors.get("/livez").await.0, 200, "an outage must not restart the fleet");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    shop.product.signal("TERM");
    let since = Stopwatch::start();
    let ended = eventually("it stops", async || shop.product.ended()).await;
    assert!(since.elapsed() < Duration::from_secs(45), "{:?}", since.elapsed());
    // In order, or cut short by its watchdog: either way it said so.
    assert!(matches!(ended.code(), Some(0 | 1 | 3)), "{ended}");
    println_of_a_test(&format!("stopped after {:?} with {ended}", since.elapsed()));

    cluster.run(&["revive", "--broker", "1"]);
    shop.product.start_again();
    shop.product.ready().await;
    shop.product.stop().await;
}

#[expect(clippy::print_stdout, reason = "how long it took is worth knowing")]
fn println_of_a_test(line: &str) {
    println!("{line}");
}
