//! Runs a stage exactly once over a broker and a store.
//!
//! Promise: a turn's writes, outputs and offsets become true together, in one commit, or not at all.

pub mod stage;
pub mod context;
pub mod rehearsal;
