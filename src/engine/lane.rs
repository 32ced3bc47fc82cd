//! One lane of a stage: its committed rows, and how they come back after a crash or a move.
//!
//! Truth is the changelog; the store is a view of it with a checkpoint. Restoring replays the changelog from the
//! checkpoint to its committed end. A store that cannot be trusted was set aside by `store`, and everything is replayed.

use std::time::Duration;

use crate::broker::{Broker, NextOffsets, PollBounds};
use crate::engine::context::{Committed, Rows};
use crate::engine::error::Error;
use crate::engine::stage::Row;
use crate::store::{Checkpoint, Opened, Place, RowChange, StoreWriter};
use crate::topics::Topic;

/// How much is replayed at a time: small enough for the writer's bound, large enough to batch.
const REPLAY: PollBounds =
    PollBounds { records_max: 10_000, bytes_max: 8 << 20, wait: Duration::from_millis(200) };

/// How long a lane's last rows may take to disk when the lane is given up.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// What restoring a lane took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Changelog records replayed.
    pub records: u64,
    /// The store was set aside as untrustworthy.
    pub quarantined: bool,
}

/// Opens the store of `lane` at `place` and brings it to the end of the changelog.
///
/// `now_ms` tells whether its checkpoint is too old. `alive` is called between batches, so that a long restore is seen to be alive.
///
/// # Errors
///
/// The broker's or the store's; nothing was changed but the disposable store.
pub fn restore<R: Row>(
    (broker, writer): (&Broker, &StoreWriter),
    (changelog, lane): (Topic, u32),
    (place, now_ms): (&Place, u64),
    mut alive: impl FnMut(u64),
) -> Result<(Rows<R>, Restored), Error> {
    let mut restored = Restored::default();
    let (store, from_offset) = match place.open(now_ms)? {
        Opened::Fresh(store) => (store, 0),
        Opened::Resumed(store, checkpoint) => (store, checkpoint.next_offset),
        Opened::Quarantined { store, reason, .. } => {
            tracing::warn!(lane, %reason, "store set aside; rebuilding it from the changelog");
            restored.quarantined = true;
            (store, 0)
        }
    };
    let desk = writer.lane(store);
    let mut reader = broker.reader(&NextOffsets::from([((changelog, lane), from_offset)]))?;
    loop {
        let batch = reader.poll(&REPLAY)?;
        let mut changes = Vec::with_capacity(batch.records.len());
        // What comes behind them is not older than they are.
        let as_of_ms = batch.records.last().map_or(now_ms, |record| record.timestamp.as_ms());
        for record in batch.records {
            restored.records += 1;
            let due_at_ms = match record.value.as_deref() {
                Some(bytes) => R::decode(bytes)?.due_at().map(|due| due.as_ms()),
                None => None,
            };
            let key = record.key.unwrap_or_default();
            changes.push(RowChange { key, value: record.value, due_at_ms });
        }
        let next = batch.next.get(&(changelog, lane)).copied().unwrap_or(from_offset);
        if !changes.is_empty() {
            desk.submit(changes, Checkpoint::at(next).as_of(as_of_ms))?;
        }
        alive(restored.records);
        if batch.at_end {
            return Ok((Rows::new(Committed::Lane(desk)), restored));
        }
    }
}

/// Writes what is pending and closes the store.
///
/// # Errors
///
/// The store's: harmless, the next owner replays more.
pub fn close<R>(rows: Rows<R>) -> Result<(), Error> {
    match rows.committed {
        Committed::Memory(_) => Ok(()),
        Committed::Lane(desk) => Ok(desk.close(CLOSE_WITHIN)?.close()?),
    }
}
