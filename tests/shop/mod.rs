//! A shop for end-to-end tests: a real dmstream process, a simulated Instagram before it, agents behind it.
//!
//! Promise: the product is met through its public doors alone: signed webhooks, the desk API, the Graph API it calls, the
//! topics it writes, its command line. Both test binaries take this in, so one story is told on either broker.

mod product;
mod doors;
mod instagram;
mod agent;
mod audit;
mod open;
pub(crate) mod story;

use std::time::Duration;

use dmstream::clock::Stopwatch;

pub(crate) use agent::Agent;
pub(crate) use audit::Audit;
pub(crate) use doors::Doors;
pub(crate) use instagram::Instagram;
pub(crate) use open::{Plan, Shop, free_address, settings, write};
pub(crate) use product::{Product, command};

/// How long anything may take that a test waits for; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// What the product and the tests agree on.
pub(crate) mod secrets {
    pub(crate) const APP: &str = "an-app-secret";
    pub(crate) const VERIFY: &str = "a-verify-token";
    pub(crate) const ADMIN: &str = "an-admin-token";
    pub(crate) const GRAPH: &str = "a-graph-token";
}

/// The shop's account.
pub(crate) const ACCOUNT: &str = "17841400000000001";

/// Looks until there is something to see.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let watch = Stopwatch::start();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(watch.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
