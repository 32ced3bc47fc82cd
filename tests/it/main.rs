//! The one test binary for everything that needs no real Kafka; `mod` lines in reading order.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the tree has nothing to say")]
#![expect(clippy::indexing_slicing, reason = "as tests do")]

mod tidy;
mod schemas;
mod ops;
mod desk;
mod round_trip;
mod rules;
#[path = "../shop/mod.rs"]
mod shop;
mod story;
mod demo;
mod bad_input;
mod bad_calls;
mod bad_start;
mod stop;
