//! The Instagram Direct channel of a customer-service desk, as an exactly-once stream-processing pipeline.
//!
//! Promise: no message lost or shown twice, whatever crashes; nothing sent twice even when the answer is lost.

pub mod domain;
pub mod topics;
pub mod clock;
pub mod broker;
pub mod store;
pub mod engine;
pub mod simulator;
