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
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::checkpoint::Checkpoint;
use super::error::Error;
use super::pending::{Looked, Pending};
use super::view::{KeyValue, RowChange, Store};

/// When the writer writes, and what may wait for it.
#[derive(Debug, Clone)]
pub struct WriterSettings {
    /// Pause between two writes: longer coalesces more and leaves more to replay after a crash.
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
            interval: Duration::from_secs(2),
            write_bytes: 16 << 20,
            pending_bytes_max: 64 << 20,
            submit_wait: Duration::from_secs(10),
        }
    }
}

/// How far a lane's writing is. Times are in the milliseconds of the writer's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Keys that wait or are being written.
    pub pending_rows: usize,
    /// Their bytes.
    pub pending_bytes: u64,
    /// Since when something unwritten has been here.
    pub behind_since_ms: Option<u64>,
    /// When a write last succeeded.
    pub last_progress_ms: Option<u64>,
    /// The checkpoint of that write.
    pub checkpoint: Option<Checkpoint>,
}

impl Progress {
    /// Something has been unwritten for longer than `limit`.
    #[must_use]
    pub fn stands_still(&self, now_ms: u64, limit: Duration) -> bool {
        self.behind_since_ms
            .is_some_and(|since| u128::from(now_ms.saturating_sub(since)) > limit.as_millis())
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
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    roster: Mutex<Roster>,
    wake: Condvar,
}

#[derive(Default)]
struct Roster {
    desks: Vec<Arc<Desk>>,
    hurry: bool,
    stop: bool,
}

/// Where one lane's changes wait.
struct Desk {
    state: Mutex<DeskState>,
    changed: Condvar,
}

struct DeskState {
    /// `None` once the lane is gone.
    store: Option<Arc<Store>>,
    queued: Pending,
    writing: Option<Arc<Pending>>,
    queued_since_ms: Option<u64>,
    writing_since_ms: Option<u64>,
    last_progress_ms: Option<u64>,
    submitted: Option<Checkpoint>,
    written: Option<Checkpoint>,
    failed: Option<Arc<Error>>,
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
        let shared = Arc::new(Shared {
            settings,
            clock: Box::new(clock),
            roster: Mutex::default(),
            wake: Condvar::new(),
        });
        let for_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || for_thread.run())
            .map_err(|source| Error::Io { doing: "starting a thread", source })?;
        Ok(Self { shared })
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
        let mut state = held(&self.seat.desk.state);
        if state.pending_bytes() > shared.settings.pending_bytes_max {
            drop(state);
            shared.hurry();
            let bound = shared.settings.pending_bytes_max;
            state =
                self.wait(shared.settings.submit_wait, |state| state.pending_bytes() <= bound)?;
        }
        state.sound()?;
        if let Some(before) = state.submitted.filter(|b| b.next_offset > checkpoint.next_offset) {
            return Err(Error::CheckpointBackwards {
                held: before.next_offset,
                given: checkpoint.next_offset,
            });
        }
        if changes.is_empty() && state.submitted == Some(checkpoint) {
            return Ok(());
        }
        state.submitted = Some(checkpoint);
        state.queued.take_in(changes, checkpoint);
        state.queued_since_ms.get_or_insert_with(|| (shared.clock)());
        let early = state.queued.bytes() >= shared.settings.write_bytes;
        drop(state);
        if early {
            shared.hurry();
        }
        Ok(())
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
        let mut over: BTreeMap<&[u8], Option<&Vec<u8>>> = BTreeMap::new();
        for pending in state.oldest_first() {
            over.extend(pending.under(prefix).map(|(key, value)| (key.as_slice(), value)));
        }
        // Each pending key hides at most one stored row.
        let stored = self.store.scan_prefix(prefix, limit.saturating_add(over.len()))?;
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = stored.into_iter().collect();
        for (key, value) in over {
            match value {
                Some(value) => drop(merged.insert(key.to_vec(), value.clone())),
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
    /// Makes the thread write now.
    fn hurry(&self) {
        held(&self.roster).hurry = true;
        self.wake.notify_all();
    }

    /// The thread: pause, write every lane, again.
    fn run(&self) {
        loop {
            let idle = |roster: &mut Roster| !roster.hurry && !roster.stop;
            let (mut roster, _timeout) = self
                .wake
                .wait_timeout_while(held(&self.roster), self.settings.interval, idle)
                .unwrap_or_else(PoisonError::into_inner);
            roster.hurry = false;
            let (desks, stop) = (roster.desks.clone(), roster.stop);
            drop(roster);
            for desk in desks {
                desk.write(&*self.clock);
            }
            if stop {
                return;
            }
        }
    }
}

impl Desk {
    fn over(store: Arc<Store>) -> Self {
        let state = DeskState {
            store: Some(store),
            queued: Pending::default(),
            writing: None,
            queued_since_ms: None,
            writing_since_ms: None,
            last_progress_ms: None,
            submitted: None,
            written: None,
            failed: None,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Writes what is queued. The state is not locked meanwhile: submissions queue up behind.
    fn write(&self, clock: &dyn Fn() -> u64) {
        let Some((store, pending, checkpoint)) = held(&self.state).begin() else { return };
        let outcome = store.write_sorted(&pending.changes(), checkpoint);
        // Before the lane hears of it: it may be waiting to own the store alone.
        drop(store);
        let now_ms = clock();
        held(&self.state).finish(outcome, checkpoint, now_ms);
        self.changed.notify_all();
    }
}

impl DeskState {
    fn begin(&mut self) -> Option<(Arc<Store>, Arc<Pending>, Checkpoint)> {
        let checkpoint = self.queued.checkpoint()?;
        if self.failed.is_some() {
            return None;
        }
        let store = Arc::clone(self.store.as_ref()?);
        let pending = Arc::new(std::mem::take(&mut self.queued));
        self.writing = Some(Arc::clone(&pending));
        self.writing_since_ms = self.queued_since_ms.take();
        Some((store, pending, checkpoint))
    }

    fn finish(&mut self, outcome: Result<(), Error>, checkpoint: Checkpoint, now_ms: u64) {
        match outcome {
            Ok(()) => {
                self.writing = None;
                self.writing_since_ms = None;
                self.last_progress_ms = Some(now_ms);
                self.written = Some(checkpoint);
            }
            Err(error) => self.failed = Some(Arc::new(error)),
        }
    }

    fn sound(&self) -> Result<(), Error> {
        self.failed.as_ref().map_or(Ok(()), |first| Err(Error::WriterFailed(Arc::clone(first))))
    }

    fn is_drained(&self) -> bool {
        self.queued.is_empty() && self.writing.is_none()
    }

    fn oldest_first(&self) -> impl Iterator<Item = &Pending> {
        self.writing.as_deref().into_iter().chain([&self.queued])
    }

    fn look(&self, key: &[u8]) -> Looked {
        match (self.queued.look(key), &self.writing) {
            (Looked::NotPending, Some(writing)) => writing.look(key),
            (looked, _) => looked,
        }
    }

    fn holds(&self, key: &[u8]) -> bool {
        self.oldest_first().any(|pending| pending.holds(key))
    }

    fn timers_due(&self, until_ms: u64, limit: usize) -> Vec<(u64, Vec<u8>)> {
        let queued = self.queued.due(until_ms).take(limit);
        let writing = self.writing.iter().flat_map(|writing| writing.due(until_ms));
        let still = writing.filter(|(_due, key)| !self.queued.holds(key)).take(limit);
        queued.chain(still).cloned().collect()
    }

    fn pending_bytes(&self) -> u64 {
        self.oldest_first().map(Pending::bytes).sum()
    }

    fn progress(&self) -> Progress {
        Progress {
            pending_rows: self.oldest_first().map(Pending::rows).sum(),
            pending_bytes: self.pending_bytes(),
            behind_since_ms: self.writing_since_ms.or(self.queued_since_ms),
            last_progress_ms: self.last_progress_ms,
            checkpoint: self.written,
        }
    }
}

/// A panic elsewhere leaves nothing half done under these locks.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
