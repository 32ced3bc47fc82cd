//! The background write: committed changes go to disk behind the worker, coalesced, checkpoint last.
//!
//! One thread serves the partitions of one worker, each through its [`Lane`]. Not here: what is pending, and reading it (`lane`).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::desk::{Desk, held};
use super::error::Error;
use super::lane::{Lane, Seat};
use super::view::Store;

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

/// What the writer thread and the lanes share.
pub(super) struct Shared {
    pub(super) settings: WriterSettings,
    /// No thread writes: whoever needs room, or the end, writes by itself.
    by_hand: bool,
    pub(super) clock: Box<dyn Fn() -> u64 + Send + Sync>,
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

impl StoreWriter {
    /// Starts the thread. `clock` tells milliseconds, for [`Progress`](super::Progress) alone.
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
        Lane::at(Seat { shared: Arc::clone(&self.shared), desk }, store)
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
    pub(super) fn hurry(&self) {
        if self.by_hand {
            return self.write();
        }
        held(&self.roster).hurry = true;
        self.wake.notify_all();
    }

    /// A lane is gone.
    pub(super) fn forget(&self, gone: &Arc<Desk>) {
        held(&self.roster).desks.retain(|desk| !Arc::ptr_eq(desk, gone));
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
