//! The whole pipeline in one thread, by one seed: the real stages, worker, stores and embedded broker, time moved by hand,
//! and everything that can go wrong.
//!
//! ```text
//!   people ─▶ webhooks ─▶ log ─▶ worker ─▶ stage        what became true ─▶ judge: the pure stage again
//!   agents ─▶ commands ─▶  ▲       │ ▲                                    ─▶ heard: every topic as it must be
//!                          └─ session in which things go wrong            ─▶ books: taken once, shown once
//! ```
//!
//! Promise: the same seed gives the same run, to the last line of its log; what it finds is violated in the product, not in
//! the way it looked. Invariants I1 to I14: `docs/adr/0007-simulation.md`, which says what it cannot see, too.
//!
//! Not here: threads, sled, Kafka, HTTP. Those have tests of their own.

mod fault;
mod planted;
mod tape;
mod bounds;
mod judge;
mod bench;
mod heard;
mod faulty;
mod member;
mod fleet;
mod luck;
mod instagram;
mod directory;
mod agents;
mod universe;
mod closing;
mod many;

use std::panic::{self, AssertUnwindSafe};

use prometheus::Registry;

pub use fault::{Fault, Tally};
pub use many::{Judged, judge_many};
pub use planted::Planted;

use crate::broker;
use crate::domain::id::IdError;
use crate::metrics::Metrics;
use crate::send;

use universe::Universe;

/// Steps of a run before its faults end.
const STEPS: u64 = 420;

/// Why a run could not be made; no finding of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An id of the simulated world.
    #[error("the simulated world could not make an id")]
    Id(#[from] IdError),
    /// The embedded log.
    #[error(transparent)]
    Broker(#[from] broker::Error),
    /// A record of the simulated world.
    #[error("a simulated record does not serialise")]
    Serialize(#[from] serde_json::Error),
    /// The registry refused a metric: a mistake of ours.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// What runs share, because nothing depends on it.
#[derive(Debug, Clone)]
pub struct Parts {
    metrics: Metrics,
    sends: send::Metrics,
}

impl Parts {
    /// Metrics nobody looks at.
    ///
    /// # Errors
    ///
    /// [`Error::Metrics`], which does not happen in practice.
    pub fn new() -> Result<Self, Error> {
        let registry = Registry::new();
        let sends = send::Metrics::register(&registry)?;
        Ok(Self { metrics: Metrics::register(&registry)?, sends })
    }
}

/// What one seed came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is violated, if anything is.
    pub violated: Option<String>,
    /// It was a panic, not a finding of the judges.
    pub panicked: bool,
    /// What went wrong on purpose.
    pub tally: Tally,
    /// Records that became true, in all topics.
    pub records: u64,
    /// The log, where one was asked for.
    pub log: Vec<String>,
}

/// Runs one seed, perhaps with a mistake in it.
///
/// # Errors
///
/// [`Error`], when the run could not be made; what it finds stands in the verdict.
pub fn run(
    seed: u64,
    planted: Option<Planted>,
    logged: bool,
    parts: &Parts,
) -> Result<Verdict, Error> {
    let universe = Universe::new((seed, planted), logged, parts)?;
    let ended = panic::catch_unwind(AssertUnwindSafe(|| {
        universe.start(0);
        universe.open();
        for _ in 0..STEPS {
            if universe.is_over() {
                return;
            }
            universe.step();
        }
        if let Err(what) = universe.close() {
            universe.find(what);
        }
    }));
    let panicked = ended.is_err();
    if let Err(cause) = ended {
        let words = cause.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| cause.downcast_ref::<&str>().copied());
        universe.find(format!("panicked: {}", words.unwrap_or("no words")));
    }
    universe.dissolve();
    let verdict = Verdict {
        violated: universe.found.borrow().clone(),
        panicked,
        tally: universe.tally.borrow().clone(),
        records: universe.heard.borrow().records(),
        log: universe.take_log(),
    };
    Ok(verdict)
}
