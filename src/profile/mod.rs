//! Who is writing: asks Instagram for a person's profile whenever they write, and records what it says.
//!
//! Promise: no message ever waits for a profile, and none is lost for want of one; a person is asked for at most once in
//! 60 s, after a refusal once in 15 minutes (R-147); of two answers the one asked for later counts; a refusal is normal
//! (Instagram gives nothing before the person has written) and takes nothing away that was known.
//!
//! ```text
//! events.normalized ─▶ edge ─▶ decide ─┬─▶ customers
//!                       ▲              └─▶ call ─▶ Graph API
//!                       └───── completion ──┘
//! ```
//!
//! A repeated question does no harm, so whatever interrupts one is simply asked again. No name stands in this stage's
//! state, and no username anywhere (R-13).
//!
//! Not here: how names come into the views (`project`), what is sent to people (`send`).

mod call;
mod decide;
mod edge;
mod error;
mod graph;
mod row;
#[cfg(test)]
mod call_test;
#[cfg(test)]
mod decide_test;
#[cfg(test)]
mod edge_test;

pub use call::{Call, Caller, Completion};
pub use edge::{INPUTS, ProfileStage};
pub use error::{Error, Remedy};
pub use row::PersonRow;
