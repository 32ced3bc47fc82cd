//! The background write: committed changes go to disk behind the worker, coalesced, checkpoint last.
//!
//! One thread serves the partitions of one worker. Each partition has a [`Lane`], which its worker owns:
//! it submits to it and reads through it. A change is pending from its submission until the write that
//! holds it has returned, and a read looks at pending changes *before* it asks the store. So whoever finds
//! nothing pending finds it in the store, and a read never goes back (ST-2).
//!
//! A failure stays with its lane: from then on every call answers with the first error.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::checkpoint::Checkpoint;
use super::desk::{Desk, DeskState, Progress, held};
use super::error::Error;
use super::pending::Looked;
use super::run::Gathered;
use super::view::{KeyValue, RowChange, Store};

/// When the writer writes, and what may wait for it.
#[derive(Debug, Clone)]
pub struct WriterSettings {
    /// Pause between two writes: longer coalesces more, and leaves more to replay after a crash. Messages of many people touch as
    /// many leaves of a store, and a leaf is written as a whole; to replay a row takes a fraction of that.
    pub interval: Duration,
    /// Pending bytes of a lane that start a write before its time.
    pub write_bytes: u64,
    /// Pending bytes of a lane above which a submission waits. One submission may overshoot it.
    pub pending_bytes_max: u64,
    /// How long a submission waits for room before it fails as [`Error::Stalled`].
    pub submit_wait: Duration,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(8),
            write_bytes: 16 << 20,
            pending_bytes_max: 128 << 20,
            submit_wait: Duration::from_secs(10),
        }
    }
}

/// The writing thread of one worker. Ends when it is dropped, after a last write of what is pending.
pub struct StoreWriter {
    shared: Arc<Shared>,
}

/// One partition's way to its store, and back.
pub struct Lane {
    seat: Seat,
    store: Arc<Store>,
}

/// What the writer thread and the lanes share.
struct Shared {
    settings: WriterSettings,
    /// No thread writes: whoever needs room, or the end, writes by itself.
    by_hand: bool,
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    roster: Mutex<Roster>,
    wake: Condvar,
    /// Nothing is written before somebody is in a hurry.
    held_back: AtomicBool,
}

#[derive(Default)]
struct Roster {
    desks: Vec<Arc<Desk>>,
    hurry: bool,
    stop: bool,
}

/// A lane's place in the roster; leaving it gives the place up.
struct Seat {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
}

impl StoreWriter {
    /// Starts the thread. `clock` tells milliseconds, for [`Progress`] alone.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when no thread can be started.
    pub fn start(
        settings: WriterSettings,
        clock: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let shared = Shared::new(settings, false, clock);
        let for_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || for_thread.run())
            .map_err(|source| Error::Io { doing: "starting a thread", source })?;
        Ok(Self { shared })
    }

    /// A writer without a thread: it writes when told to, when a lane is full, and when one is drained.
    #[must_use]
    pub fn by_hand(
        settings: WriterSettings,
        clock: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        Self { shared: Shared::new(settings, true, clock) }
    }

    /// Writes what is pending, on this thread.
    pub fn write(&self) {
        self.shared.write();
    }

    /// Makes the thread write now.
    pub fn hurry(&self) {
        self.shared.hurry();
    }

    /// Has the thread leave the processor to others, while rows are replayed, until somebody is in a hurry; or go on. Whether it
    /// was held back before.
    pub fn hold_back(&self, held_back: bool) -> bool {
        self.shared.held_back.swap(held_back, Ordering::Relaxed)
    }

    /// Takes a partition's store in.
    #[must_use]
    pub fn lane(&self, store: Store) -> Lane {
        let store = Arc::new(store);
        let desk = Arc::new(Desk::over(Arc::clone(&store)));
        held(&self.shared.roster).desks.push(Arc::clone(&desk));
        Lane { seat: Seat { shared: Arc::clone(&self.shared), desk }, store }
    }

    /// Bytes that wait or are being written, in all lanes.
    #[must_use]
    pub fn pending_bytes(&self) -> u64 {
        let desks = held(&self.shared.roster).desks.clone();
        desks.iter().map(|desk| held(&desk.state).pending_bytes()).sum()
    }
}

impl Drop for StoreWriter {
    fn drop(&mut self) {
        held(&self.shared.roster).stop = true;
        self.shared.wake.notify_all();
    }
}

impl Lane {
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

    /// What is pending for a key.
    ///
    /// # Errors
    ///
    /// [`Error::WriterFailed`]: the store is lost.
    pub fn pending(&self, key: &[u8]) -> Result<Looked, Error> {
        let state = held(&self.seat.desk.state);
        state.sound()?;
        Ok(state.look(key))
    }

    /// A key's value, pending or stored.
    ///
    /// # Errors
    ///
    /// As [`Store::get`], and [`Error::WriterFailed`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.pending(key)? {
            Looked::Value(value) => Ok(Some(value)),
            Looked::Deleted => Ok(None),
            Looked::NotPending => self.store.get(key),
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
    pub fn stats(&self) -> Result<super::StoreStats, Error> {
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
        held(&self.shared.roster).desks.retain(|desk| !Arc::ptr_eq(desk, &self.desk));
        let store = held(&self.desk.state).store.take();
        drop(store);
    }
}

impl Shared {
    fn new(
        settings: WriterSettings,
        by_hand: bool,
        clock: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (clock, roster) = (Box::new(clock), Mutex::default());
        let (wake, held_back) = (Condvar::new(), AtomicBool::new(false));
        Arc::new(Self { settings, by_hand, clock, roster, wake, held_back })
    }

    /// Makes the thread write now.
    fn hurry(&self) {
        if self.by_hand {
            return self.write();
        }
        held(&self.roster).hurry = true;
        self.wake.notify_all();
    }

    /// Writes every lane.
    fn write(&self) {
        let desks = held(&self.roster).desks.clone();
        for desk in desks {
            desk.write(&*self.clock);
        }
    }

    /// The thread: pause, write every lane, again.
    fn run(&self) {
        loop {
            let idle = |roster: &mut Roster| !roster.hurry && !roster.stop;
            let (mut roster, _timeout) = self
                .wake
                .wait_timeout_while(held(&self.roster), self.settings.interval, idle)
                .unwrap_or_else(PoisonError::into_inner);
            let (hurry, stop) = (std::mem::take(&mut roster.hurry), roster.stop);
            let held_back = self.held_back.load(Ordering::Relaxed) && !hurry && !stop;
            drop(roster);
            if held_back {
                continue;
            }
            self.write();
            if stop {
                return;
            }
        }
    }
}

impl fmt::Debug for StoreWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreWriter")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("progress", &self.progress()).finish_non_exhaustive()
    }
}
