//! Runs a stage exactly once over a broker and a store.
//!
//! Promise: a turn's writes, outputs and offsets become true together, in one commit, or not at all. Nothing uncommitted
//! reaches the store; no action starts before what holds it is committed.

pub mod stage;
pub mod outputs;
pub mod context;
pub mod rehearsal;
pub mod turn;
pub mod watermark;
pub mod progress;
pub mod restore;
pub mod lane;
pub mod exchange;
pub mod worker;
mod error;

#[cfg(test)]
mod test_room;
#[cfg(test)]
mod restore_test;
#[cfg(test)]
mod worker_test;

pub use error::Error;
