//! The metrics page of a process, made by the functions that a running process calls.

use dmstream::clock::Clock;
use dmstream::metrics::{Metrics, StageName, page};
use dmstream::topics::Topic;
use prometheus::Registry;

/// The page of a process in which nothing has happened but what `count` counts.
pub(super) fn page_after(count: impl FnOnce(&Metrics)) -> String {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    dmstream::ingress::Metrics::register(&registry).unwrap();
    dmstream::send::Metrics::register(&registry).unwrap();
    let now_seconds = i64::try_from(Clock::System.now().as_ms() / 1_000).unwrap();
    // A family without series is not on the page, and these have none before a worker runs.
    for stage in StageName::ALL {
        metrics.records_skipped(stage, "duplicate", 1);
        let worker = format!("0-{}-0", stage.name());
        metrics.worker_alive(stage, &worker, now_seconds, 8);
        metrics.lag(stage, (Topic::EventsNormalized, 0), 0, 0.0);
        metrics.lanes_standing(stage, &worker, 0);
        metrics.restoring(stage, &worker, 0);
        metrics.state_bytes(stage, &worker, 0, 0);
    }
    count(&metrics);
    page(&registry).unwrap()
}
