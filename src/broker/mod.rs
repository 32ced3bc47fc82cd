//! The log everything goes through: a closed choice of Kafka and Embedded, with the same semantics.
//!
//! Promise: what a session commits (outputs, changelog, offsets) becomes true together or not at all, and readers see
//! committed records only. No stage can tell which broker it runs on.
//!
//! A *lane* is one partition number of all of a stage's inputs: they are co-partitioned, and whoever owns lane N reads
//! partition N of each, and owns partition N of the stage's changelog.

pub mod kafka;
pub mod embedded;
pub mod partitioner;
pub mod record;
mod headers;
pub mod trace;
pub mod error;
pub mod types;
mod choice;

use std::time::Duration;

pub use choice::{Broker, Producer, Reader, Session};
pub use error::{Error, Remedy};
pub use types::{Change, Difference, ReadBatch, Shown, TopicChange, TopicDifference};

use crate::topics::Topic;

/// What a session is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSpec {
    /// Consumer group, one a stage.
    pub group: String,
    /// The member's stable name, the same after a restart: transactional id and static membership.
    pub member: String,
    /// Inputs, co-partitioned; the first leads: its partitions are shared out, the others follow.
    pub inputs: Vec<Topic>,
}

/// What bounds one poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollBounds {
    /// At most so many records.
    pub records_max: usize,
    /// At most so many bytes of keys and values, beyond the first record.
    pub bytes_max: usize,
    /// Wait so long for a first record.
    pub wait: Duration,
}

impl PollBounds {
    /// Takes the room that `records` need, which were read within these bounds; whether there is any left.
    pub fn takes(&mut self, records: &[record::Record]) -> bool {
        let bytes: usize = records.iter().map(record::Record::size).sum();
        self.records_max = self.records_max.saturating_sub(records.len());
        self.bytes_max = self.bytes_max.saturating_sub(bytes);
        self.records_max > 0 && self.bytes_max > 0
    }
}

/// What a poll brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled {
    /// Records in order per partition; `drained` when nothing more was there.
    Records {
        /// The records.
        records: Vec<record::Record>,
        /// The inputs had nothing more at hand.
        drained: bool,
    },
    /// These lanes are to be taken over: restore, then `Session::take`.
    Assigned(Vec<u32>),
    /// These lanes are to be given up: commit and close, then `Session::give_up`.
    Revoked(Vec<u32>),
    /// These lanes are gone already: drop what is uncommitted, then `Session::give_up`.
    Lost(Vec<u32>),
    /// Nothing within the wait.
    Idle,
}

/// Where a lane's input goes on: by topic and partition, the next offset to read.
pub type NextOffsets = std::collections::BTreeMap<(Topic, u32), u64>;

/// How many records of an input are committed and not yet processed, by topic and partition.
pub type Lag = std::collections::BTreeMap<(Topic, u32), u64>;
