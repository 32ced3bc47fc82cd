//! What the program may hold at most (I12): so little that a world reaches it, and what a judge may find held.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::worker::Limits;
use crate::store::WriterSettings;

use super::planted::Planted;

/// What a turn may hold; how long it lasts is no matter of the world's time.
pub(super) const LIMITS: Limits =
    Limits { uncommitted_bytes: 8 << 10, completions: 2, slice_records: 1, lasts: Duration::MAX };

/// Pending bytes of a lane above which a submission waits.
pub(super) const PENDING_BYTES_MAX: u64 = 4 << 10;

/// What workers are told, perhaps with a mistake.
pub(super) fn limits(planted: Option<Planted>) -> Limits {
    let plants = |mistake| planted == Some(mistake);
    Limits {
        uncommitted_bytes: without(plants(Planted::TurnUnbounded), LIMITS.uncommitted_bytes),
        completions: without(plants(Planted::AnswersUnbounded), LIMITS.completions),
        ..LIMITS
    }
}

/// What writers of stores are told, perhaps with a mistake.
pub(super) fn writer(planted: Option<Planted>) -> WriterSettings {
    let unbounded = planted == Some(Planted::StoreUnbounded);
    WriterSettings {
        pending_bytes_max: if unbounded { u64::MAX } else { PENDING_BYTES_MAX },
        write_bytes: u64::MAX,
        ..WriterSettings::default()
    }
}

const fn without(unbounded: bool, bound: usize) -> usize {
    if unbounded { usize::MAX } else { bound }
}

/// What lanes had pending when they came back: a replay has bounds of its own.
#[derive(Debug, Default)]
pub(super) struct Pending(BTreeMap<u32, u64>);

impl Pending {
    /// Looks at a lane that has `bytes` pending, of which one submission brought `one` at most.
    pub(super) fn look(&mut self, lane: u32, bytes: u64, one: u64) -> Result<(), String> {
        let replayed = *self.0.entry(lane).or_insert(bytes);
        let bound = PENDING_BYTES_MAX.saturating_add(one).max(replayed);
        if bytes <= bound {
            return Ok(());
        }
        Err(format!("lane {lane}: {bytes} bytes wait to be written, and {bound} may (I12)"))
    }

    /// Only these lanes are still there.
    pub(super) fn keep(&mut self, is_there: impl Fn(u32) -> bool) {
        self.0.retain(|lane, _| is_there(*lane));
    }
}
