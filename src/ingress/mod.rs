//! Webhooks in: Meta's handshake, and signed bodies to the log, byte for byte.
//!
//! Promise: 200 means that the broker has the bytes; whatever is not answered 200 may be sent again. What is signed is
//! kept, whatever it says; what is not signed leaves no trace but a count. An answer comes within [`Limits::answer_wait`].
//!
//! Not here: what a body means (`normalize`), how a record reaches a broker (`broker`; the app gives [`Append`]), the
//! timeout for a request's head and TLS, which belong to whoever serves the router.

mod door;
mod handshake;
mod metrics;
mod pulse;
mod receive;
mod secrets;
mod signature;
#[cfg(test)]
mod receive_test;

pub use door::{Append, Ingress, KeyOf, Limits};
pub use metrics::Metrics;
pub use pulse::Pulse;
pub use receive::router;
pub use secrets::{Error, Secrets, VerifyToken};
