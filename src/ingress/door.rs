//! What ingress is given: what it trusts, what bounds it, where it puts what it takes in.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::broker;
use crate::broker::record::Output;
use crate::clock::Clock;
use crate::ingress::metrics::Metrics;
use crate::ingress::pulse::Pulse;
use crate::ingress::secrets::{Secrets, VerifyToken};

/// Writes one record; `Ok` once the broker has it for good.
///
/// A function, not a producer: a door needs one verb of the broker, and the app, which alone knows which broker runs,
/// hands it that verb. Whoever drops the future does not wish to know any more; the record may still be written.
pub type Append =
    Arc<dyn Fn(Output) -> BoxFuture<'static, Result<(), broker::Error>> + Send + Sync>;

/// Finds the key of a body: the thread if it has one, else the account; `None` when it cannot tell.
///
/// Pure, quick, and never in doubt about keeping a body: no key is a fine answer.
pub type KeyOf = Arc<dyn Fn(&[u8]) -> Option<String> + Send + Sync>;

/// What bounds ingress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest body taken in. A record holds it together with key and headers, so it stays below what a topic takes.
    pub body_bytes_max: u32,
    /// Bodies being read or waiting for the broker, together. A body of unknown length counts as the largest.
    pub in_flight_bytes_max: u32,
    /// From a request's head to its answer, whatever happens. Meta waits 5 s. Source: Messenger Platform, Webhooks.
    pub answer_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // 1 MiB is what topics take (`topics.yaml`); 16 KiB of it for key, headers and the batch around them.
            body_bytes_max: (1 << 20) - (16 << 10),
            in_flight_bytes_max: 64 << 20,
            // Half a second of Meta's five for the way there and back.
            answer_wait: Duration::from_millis(4_500),
        }
    }
}

/// Ingress, with all it needs.
#[derive(Clone)]
pub struct Ingress {
    /// What bodies are signed with.
    pub secrets: Secrets,
    /// What the handshake must say.
    pub verify_token: VerifyToken,
    /// What bounds it.
    pub limits: Limits,
    /// Where bodies go.
    pub append: Append,
    /// Which key they go under.
    pub key_of: KeyOf,
    /// When it is.
    pub clock: Clock,
    /// What it counts.
    pub metrics: Metrics,
    /// How it goes.
    pub pulse: Arc<Pulse>,
}

impl fmt::Debug for Ingress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ingress")
            .field("secrets", &self.secrets)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
