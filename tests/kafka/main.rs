//! The Kafka room against librdkafka's mock brokers (`traps`) and against a real Apache Kafka (all else).
//!
//! The real one is found by `DMSTREAM_TEST_KAFKA` (bootstrap servers); without it these tests fail and say so.
//! `scripts/kafka start` starts one. The mock proves nothing about exactly-once: it stores no offsets of a transaction
//! and hides no aborted record.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a broker that fails, fails the test")]
#![expect(clippy::indexing_slicing, reason = "as tests do")]

mod world;
mod traps;
mod exactly_once;
mod lanes;
mod kip848;
mod outage;
mod lag;
mod edges;
mod poison;
mod topics;
mod facts;
#[path = "../shop/mod.rs"]
mod shop;
mod story;
mod chaos_front;
mod chaos_fleet;
mod chaos_load;
mod chaos_clerk;
mod chaos;
mod chaos_gentle;
