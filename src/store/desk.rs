//! Where one partition's committed changes wait: queued, being written, or failed for good.
//!
//! A change is in a layer of `queued`, then in `writing`, and leaves that only after its write has returned. Whoever
//! looks at all of them, the newest first, before it asks the store misses nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::checkpoint::Checkpoint;
use super::error::Error;
use super::layer::Layer;
use super::pending::{Looked, Pending};
use super::run::Run;
use super::view::{RowChange, Store};

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

/// Where one lane's changes wait.
pub(super) struct Desk {
    pub(super) state: Mutex<DeskState>,
    pub(super) changed: Condvar,
}

pub(super) struct DeskState {
    /// `None` once the lane is gone.
    pub(super) store: Option<Arc<Store>>,
    /// The oldest first, each with a checkpoint.
    queued: VecDeque<Layer>,
    writing: Option<Arc<Layer>>,
    pub(super) queued_since_ms: Option<u64>,
    writing_since_ms: Option<u64>,
    last_progress_ms: Option<u64>,
    pub(super) submitted: Option<Checkpoint>,
    written: Option<Checkpoint>,
    pub(super) failed: Option<Arc<Error>>,
}

impl Desk {
    pub(super) fn over(store: Arc<Store>) -> Self {
        let state = DeskState {
            store: Some(store),
            queued: VecDeque::new(),
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

    /// Writes all that is queued now. The state is not locked meanwhile: submissions queue up behind.
    pub(super) fn write(&self, clock: &dyn Fn() -> u64) {
        let layers = held(&self.state).queued.len();
        (0..layers).for_each(|_| self.write_next(clock));
    }

    /// Writes the oldest layer.
    fn write_next(&self, clock: &dyn Fn() -> u64) {
        let Some((store, layer, checkpoint)) = held(&self.state).begin() else { return };
        let outcome = store.write_sorted(&layer.changes(), checkpoint);
        // Before the lane hears of it: it may be waiting to own the store alone.
        drop(store);
        let now_ms = clock();
        held(&self.state).finish(outcome, checkpoint, now_ms);
        self.changed.notify_all();
    }
}

impl DeskState {
    /// Takes changes into the newest layer.
    pub(super) fn take_in(&mut self, changes: Vec<RowChange>, checkpoint: Checkpoint) {
        if let Some(Layer::Changes(pending)) = self.queued.back_mut() {
            return pending.take_in(changes, checkpoint);
        }
        let mut pending = Pending::default();
        pending.take_in(changes, checkpoint);
        self.queued.push_back(Layer::Changes(pending));
    }

    /// Takes a run as the newest layer.
    pub(super) fn take_run(&mut self, run: Run) {
        self.queued.push_back(Layer::Run(run));
    }

    /// Drops every layer that is not being written.
    pub(super) fn forget_queued(&mut self) {
        self.queued.clear();
        self.queued_since_ms = None;
    }

    pub(super) fn begin(&mut self) -> Option<(Arc<Store>, Arc<Layer>, Checkpoint)> {
        let checkpoint = self.queued.front()?.checkpoint()?;
        if self.failed.is_some() {
            return None;
        }
        let store = Arc::clone(self.store.as_ref()?);
        let layer = Arc::new(self.queued.pop_front()?);
        self.writing = Some(Arc::clone(&layer));
        self.writing_since_ms = self.queued_since_ms;
        if self.queued.is_empty() {
            self.queued_since_ms = None;
        }
        Some((store, layer, checkpoint))
    }

    pub(super) fn finish(
        &mut self,
        outcome: Result<(), Error>,
        checkpoint: Checkpoint,
        now_ms: u64,
    ) {
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

    pub(super) fn sound(&self) -> Result<(), Error> {
        self.failed.as_ref().map_or(Ok(()), |first| Err(Error::WriterFailed(Arc::clone(first))))
    }

    pub(super) fn is_drained(&self) -> bool {
        self.queued.is_empty() && self.writing.is_none()
    }

    pub(super) fn oldest_first(&self) -> impl DoubleEndedIterator<Item = &Layer> {
        self.writing.as_deref().into_iter().chain(&self.queued)
    }

    /// Bytes that wait and are not being written.
    pub(super) fn queued_bytes(&self) -> u64 {
        self.queued.iter().map(Layer::bytes).sum()
    }

    pub(super) fn look(&self, key: &[u8]) -> Looked<'_> {
        let mut looks = self.oldest_first().rev().map(|layer| layer.look(key));
        looks.find(|looked| *looked != Looked::NotPending).unwrap_or(Looked::NotPending)
    }

    pub(super) fn holds(&self, key: &[u8]) -> bool {
        self.oldest_first().any(|layer| layer.holds(key))
    }

    pub(super) fn timers_due(&self, until_ms: u64, limit: usize) -> Vec<(u64, Vec<u8>)> {
        let mut due = Vec::new();
        let mut newer: Vec<&Layer> = Vec::new();
        for layer in self.oldest_first().rev() {
            let still =
                layer.due(until_ms).filter(|(_, key)| !newer.iter().any(|over| over.holds(key)));
            due.extend(still.take(limit).map(|(due_ms, key)| (due_ms, key.to_vec())));
            newer.push(layer);
        }
        due
    }

    pub(super) fn pending_bytes(&self) -> u64 {
        self.oldest_first().map(Layer::bytes).sum()
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            pending_rows: self.oldest_first().map(Layer::rows).sum(),
            pending_bytes: self.pending_bytes(),
            behind_since_ms: self.writing_since_ms.or(self.queued_since_ms),
            last_progress_ms: self.last_progress_ms,
            checkpoint: self.written,
        }
    }
}

/// A panic elsewhere leaves nothing half done under these locks.
pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
