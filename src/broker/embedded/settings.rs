//! How an embedded log is to behave.

use std::time::Duration;

use crate::clock::Clock;
use crate::domain::time::{DAY_MS, MINUTE_MS};

/// When a commit counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// After the disk says so: survives a loss of power.
    EveryCommit,
    /// After the system has it: survives the end of the process, not of the machine.
    LeftToSystem,
}

/// How an embedded log is to behave.
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// Partitions of topics that declare none of their own; absent: the catalogue's default. Fixed by the first opening.
    pub partitions: Option<u32>,
    /// When a commit counts as durable.
    pub sync: SyncPolicy,
    /// For retention, compaction and hand-overs.
    pub clock: Clock,
    /// Polls wait for a first record; off for whoever moves time by hand, and has one thread.
    pub waits: bool,
    /// How long a member may keep a lane that another one is waiting for.
    pub hand_over_patience: Duration,
    /// How long a tombstone is kept in a compacted topic that declares no time of its own.
    pub tombstones_kept: Duration,
    /// How often old records are looked for, and the journal is taken in.
    pub keep_every: Duration,
    /// A segment is closed when it holds so many bytes.
    pub segment_bytes_max: u64,
    /// The journal is taken in when it holds so many bytes; commits wait at four times that.
    pub journal_bytes_max: u64,
    /// Records of producers that may wait to be written.
    pub queue_records_max: usize,
    /// Bytes that may wait to be written.
    pub queue_bytes_max: usize,
    /// Bytes of outputs one transaction may hold.
    pub transaction_bytes_max: usize,
    /// Keys one step of compaction keeps in memory, at about 50 bytes each.
    pub compaction_keys_max: usize,
}

impl Default for EmbeddedSettings {
    fn default() -> Self {
        Self {
            partitions: None,
            sync: SyncPolicy::EveryCommit,
            clock: Clock::System,
            waits: true,
            hand_over_patience: Duration::from_secs(30),
            tombstones_kept: Duration::from_millis(DAY_MS),
            keep_every: Duration::from_millis(MINUTE_MS),
            segment_bytes_max: 16 << 20,
            journal_bytes_max: 32 << 20,
            queue_records_max: 65_536,
            queue_bytes_max: 64 << 20,
            transaction_bytes_max: 256 << 20,
            compaction_keys_max: 1 << 20,
        }
    }
}
