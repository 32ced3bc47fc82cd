//! One partition's way to its store: its worker submits to it and reads through it.
//!
//! A change is pending from its submission until the write that holds it has returned, and a read looks at pending changes
//! *before* it asks the store. So whoever finds nothing pending finds it in the store, and a read never goes back (ST-2).
//!
//! A failure stays with its lane: from then on every call answers with the first error. Not here: the thread that writes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::checkpoint::Checkpoint;
use super::desk::{Desk, DeskState, Progress, held};
use super::error::Error;
use super::pending::Looked;
use super::run::Gathered;
use super::view::{KeyValue, RowChange, Store, StoreStats};
use super::writer::Shared;

/// One partition's way to its store, and back.
pub struct Lane {
    seat: Seat,
    store: Arc<Store>,
}

/// A lane's place in the roster; leaving it gives the place up.
pub(super) struct Seat {
    pub(super) shared: Arc<Shared>,
    pub(super) desk: Arc<Desk>,
}

impl Lane {
    pub(super) const fn at(seat: Seat, store: Arc<Store>) -> Self {
        Self { seat, store }
    }

    /// Takes committed changes, newest last, and the checkpoint that speaks for them and all before them.
    ///
    /// They are read back at once. Waits for room when more than the bound is pending; an error means that
    /// nothing was taken, and [`Error::remedy`] says what to do.
    ///
    /// # Errors
    ///
    /// [`Error::Stalled`] without room in time, [`Error::CheckpointBackwards`], [`Error::WriterFailed`].
    pub fn submit(&self, changes: Vec<RowChange>, checkpoint: Checkpoint) -> Result<(), Error> {
        let shared = &self.seat.shared;
        let mut state = self.room_for(checkpoint)?;
        if changes.is_empty() && state.submitted == Some(checkpoint) {
            return Ok(());
        }
        state.submitted = Some(checkpoint);
        state.take_in(changes, checkpoint);
        state.queued_since_ms.get_or_insert_with(|| (shared.clock)());
        let early = state.queued_bytes() >= shared.settings.write_bytes;
        drop(state);
        if early {
            shared.hurry();
        }
        Ok(())
    }

    /// Takes replayed rows, and the checkpoint that speaks for them and all before them. They are read back at once, and
    /// nobody hurries to write them: whoever replays looks at what is pending, and waits.
    ///
    /// # Errors
    ///
    /// As [`Lane::submit`].
    pub fn load(&self, rows: Gathered, checkpoint: Checkpoint) -> Result<(), Error> {
        if rows.is_empty() {
            return self.submit(Vec::new(), checkpoint);
        }
        let run = rows.sorted(checkpoint);
        let mut state = self.room_for(checkpoint)?;
        state.submitted = Some(checkpoint);
        state.take_run(run);
        state.queued_since_ms.get_or_insert_with(|| (self.seat.shared.clock)());
        Ok(())
    }

    /// Waits for room, and sees that the checkpoint does not go back.
    fn room_for(&self, checkpoint: Checkpoint) -> Result<MutexGuard<'_, DeskState>, Error> {
        let shared = &self.seat.shared;
        let mut state = held(&self.seat.desk.state);
        if state.pending_bytes() > shared.settings.pending_bytes_max {
            drop(state);
            shared.hurry();
            let bound = shared.settings.pending_bytes_max;
            state =
                self.wait(shared.settings.submit_wait, |state| state.pending_bytes() <= bound)?;
        }
        state.sound()?;
        match state.submitted.filter(|before| before.next_offset > checkpoint.next_offset) {
            None => Ok(state),
            Some(before) => Err(Error::CheckpointBackwards {
                held: before.next_offset,
                given: checkpoint.next_offset,
            }),
        }
    }

    /// A key's value, pending or stored.
    ///
    /// # Errors
    ///
    /// As [`Store::get`], and [`Error::WriterFailed`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.read(key, <[u8]>::to_vec)
    }

    /// What `read` makes of a key's value, pending or stored, where it lies. It must not ask this lane.
    ///
    /// # Errors
    ///
    /// As [`Lane::get`].
    pub fn read<T>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Error> {
        let state = held(&self.seat.desk.state);
        state.sound()?;
        match state.look(key) {
            Looked::Value(value) => Ok(Some(read(value))),
            Looked::Deleted => Ok(None),
            Looked::NotPending => {
                drop(state);
                self.store.read(key, read)
            }
        }
    }

    /// Keys that begin with `prefix` and their values, pending or stored, in key order.
    ///
    /// # Errors
    ///
    /// As [`Lane::get`].
    pub fn scan_prefix(&self, prefix: &[u8], limit: usize) -> Result<Vec<KeyValue>, Error> {
        let state = held(&self.seat.desk.state);
        state.sound()?;
        let mut over: BTreeMap<&[u8], Option<&[u8]>> = BTreeMap::new();
        for layer in state.oldest_first() {
            over.extend(layer.under(prefix));
        }
        // Each pending key hides at most one stored row.
        let stored = self.store.scan_prefix(prefix, limit.saturating_add(over.len()))?;
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = stored.into_iter().collect();
        for (key, value) in over {
            match value {
                Some(value) => drop(merged.insert(key.to_vec(), value.to_vec())),
                None => drop(merged.remove(key)),
            }
        }
        Ok(merged.into_iter().take(limit).collect())
    }

    /// Timers due at or before `until_ms`, pending or stored, the earliest first.
    ///
    /// # Errors
    ///
    /// As [`Lane::get`].
    pub fn timers_due(&self, until_ms: u64, limit: usize) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        // Held throughout, so that no write ends between the two looks and shows a timer that has moved.
        let state = held(&self.seat.desk.state);
        state.sound()?;
        let mut due = state.timers_due(until_ms, limit);
        let mut page = self.store.timers_due(until_ms, limit)?;
        let mut stored = 0;
        while let Some((last_due, last_key)) = page.last().cloned() {
            let full = page.len() >= limit;
            let before = due.len();
            due.extend(page.into_iter().filter(|(_due, key)| !state.holds(key)));
            stored += due.len() - before;
            if !full || stored >= limit {
                break;
            }
            page = self.store.timers_after((last_due, &last_key), until_ms, limit)?;
        }
        due.sort();
        due.truncate(limit);
        Ok(due)
    }

    /// How far the writing is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        held(&self.seat.desk.state).progress()
    }

    /// Bytes of this lane that wait or are being written.
    #[must_use]
    pub fn pending_bytes(&self) -> u64 {
        held(&self.seat.desk.state).pending_bytes()
    }

    /// What the store on disk takes up.
    ///
    /// # Errors
    ///
    /// As [`Store::stats`].
    pub fn stats(&self) -> Result<StoreStats, Error> {
        self.store.stats()
    }

    /// Writes everything submitted, now.
    ///
    /// # Errors
    ///
    /// [`Error::Stalled`] when it takes longer than `limit`, [`Error::WriterFailed`].
    pub fn drain(&self, limit: Duration) -> Result<(), Error> {
        self.seat.shared.hurry();
        self.wait(limit, DeskState::is_drained).map(drop)
    }

    /// Drains, and gives the store back.
    ///
    /// # Errors
    ///
    /// As [`Lane::drain`]; the store is then left to the writer thread, its directory locked.
    pub fn close(self, limit: Duration) -> Result<Store, Error> {
        self.drain(limit)?;
        let Self { seat, store } = self;
        let pending_bytes = held(&seat.desk.state).pending_bytes();
        drop(seat);
        Arc::into_inner(store).ok_or(Error::Stalled { pending_bytes })
    }

    /// Forgets what waits to be written, and gives the store back as it is: whole up to its checkpoint. Whoever has it next
    /// replays the rest, which takes less time than writing it does.
    ///
    /// # Errors
    ///
    /// As [`Lane::close`], when a write under way does not end within `limit`.
    pub fn let_go(self, limit: Duration) -> Result<Store, Error> {
        held(&self.seat.desk.state).forget_queued();
        self.wait(limit, DeskState::is_drained).map(drop)?;
        self.close(limit)
    }

    /// Waits until `enough`, or the lane fails, or `limit` has passed.
    fn wait(
        &self,
        limit: Duration,
        enough: impl Fn(&DeskState) -> bool,
    ) -> Result<MutexGuard<'_, DeskState>, Error> {
        let desk = &self.seat.desk;
        let (state, timeout) = desk
            .changed
            .wait_timeout_while(held(&desk.state), limit, |state| {
                state.failed.is_none() && !enough(state)
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.sound()?;
        if timeout.timed_out() {
            return Err(Error::Stalled { pending_bytes: state.pending_bytes() });
        }
        Ok(state)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.forget(&self.desk);
        let store = held(&self.desk.state).store.take();
        drop(store);
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("progress", &self.progress()).finish_non_exhaustive()
    }
}
