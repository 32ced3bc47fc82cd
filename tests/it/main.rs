//! The one test binary for everything that needs no real Kafka; `mod` lines in reading order.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the tree has nothing to say")]
#![expect(clippy::indexing_slicing, reason = "as tests do")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at some topics and passes over the rest"
)]

mod tidy;
mod schemas;
mod ops;
mod round_trip;
mod rules;
