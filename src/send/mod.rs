//! Outbound parts of one account: each is put on the wire at most once, in order, no faster than allowed.
//!
//! Promise: a part whose call may have reached the platform is never called again; its echo settles it, and if none
//! comes the agent is told (R-142). There is no idempotency key on the other side, so: intent committed, then the call,
//! then its result. Whatever interrupts that order leaves `unknown`, never a second call.
//!
//! ```text
//! outbound.sends ─▶ edge ─▶ decide ─┬─▶ outbound.results
//!                    ▲              └─▶ call ─▶ Graph API
//!                    └───── completion ──┘
//! ```
//!
//! Not here: echoes and what an outcome means for an item (`conversation`), profiles (`profile`).

pub mod call;
mod decide;
pub mod edge;
mod error;
mod graph;
mod metrics;
mod row;
mod state;
#[cfg(test)]
mod call_test;
#[cfg(test)]
mod decide_test;
#[cfg(test)]
mod edge_test;
#[cfg(test)]
mod graph_test;
#[cfg(test)]
mod invariant_test;

pub use call::{Call, Caller, Completion, Token};
pub use edge::SendStage;
pub use error::{Class, Error, Remedy};
pub use metrics::Metrics;
pub use row::SendRow;
pub use state::{RATE_MAX, RATE_WINDOW_MS};
