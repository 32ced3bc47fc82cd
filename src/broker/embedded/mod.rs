//! The embedded broker: topics, groups and transactions in one process, on files of our own or in memory.
//!
//! ```text
//! commit, append ─▶ queue ─▶ writer ─▶ journal, one sync ─▶ segments by partition ─▶ sessions and readers
//!                                      keeper: takes the journal in (manifest), compacts, forgets
//! ```
//!
//! Invariants:
//! - EB-1: outputs and offsets of a commit become true together, and only after the journal was synced.
//! - EB-2: whatever was acknowledged is there after a kill; with [`SyncPolicy::EveryCommit`] after a loss of power too.
//! - EB-3: a lane has one owner at most, and what its owner before committed is seen by the next one.
//! - EB-4: a file that is not as it was written is an error that names it; nothing is dropped in silence.
//! - EB-5: in memory and on disk the same code decides; only `disk` knows which it is.
//!
//! Not here: sled. Why, and what survives what: `docs/adr/0004-embedded-log.md`.

mod wire;
mod entry;
mod disk;
mod sync;
mod segment;
mod journal;
mod manifest;
mod group;
mod settings;
mod shared;
mod writer;
mod keeper;
mod recover;
mod cursor;
mod session;
mod producer;
mod reader;

#[cfg(test)]
mod crash_test;
#[cfg(test)]
mod disk_test;
#[cfg(test)]
mod group_test;
#[cfg(test)]
mod history_test;
#[cfg(test)]
mod keeper_test;
#[cfg(test)]
mod session_test;
#[cfg(test)]
mod test_room;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub use producer::Producer;
pub use reader::Reader;
pub use session::Session;
pub use settings::{EmbeddedSettings, SyncPolicy};

use crate::broker::{Error, NextOffsets, SessionSpec};
use crate::topics::{Cleanup, Topic};

use disk::Disk;
use shared::{Broken, Shared};
use sync::locked;

/// The threads look this often whether they are wanted.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A handle to one log; clones share it.
#[derive(Debug, Clone)]
pub struct EmbeddedBroker {
    handle: Arc<Handle>,
}

/// The log, and the threads that go when the last handle goes.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl EmbeddedBroker {
    /// Opens the log in `dir`, or begins one there.
    ///
    /// # Errors
    ///
    /// `Storage` when another process has it, or a file is damaged; `Topics` when the partition counts were others.
    pub fn open(dir: &Path, settings: &EmbeddedSettings) -> Result<Self, Error> {
        let shared = Arc::new(recover::open(Disk::files(dir)?, settings)?);
        let threads = Mutex::new(Vec::new());
        let handle = Arc::new(Handle { shared, threads });
        handle.start("log-writer", Shared::write_for_producers)?;
        handle.start("log-keeper", Shared::keep_when_due)?;
        Ok(Self { handle })
    }

    /// A log that lives as long as its handles.
    ///
    /// # Panics
    ///
    /// Never: memory refuses nothing.
    #[must_use]
    pub fn in_memory(settings: &EmbeddedSettings) -> Self {
        #[expect(clippy::expect_used, reason = "empty memory holds nothing that could be wrong")]
        Self::on(Disk::memory(), settings).expect("memory refuses nothing")
    }

    /// On memory, which may hold a log already.
    fn on(disk: Disk, settings: &EmbeddedSettings) -> Result<Self, Error> {
        let shared = Arc::new(recover::open(disk, settings)?);
        Ok(Self { handle: Arc::new(Handle { shared, threads: Mutex::new(Vec::new()) }) })
    }

    /// How many partitions `topic` has.
    ///
    /// # Errors
    ///
    /// `Fatal` when the log was closed; `Storage` when it failed.
    pub fn partitions(&self, topic: Topic) -> Result<u32, Error> {
        self.handle.shared.partitions(topic)
    }

    /// The offset after the last committed record of a partition.
    ///
    /// # Errors
    ///
    /// `Topics` when there is no such partition; `Fatal` when the log was closed.
    pub fn end_offset(&self, topic: Topic, partition: u32) -> Result<u64, Error> {
        let state = self.handle.shared.state()?;
        let log = state.logs.get(&(topic, partition));
        log.map(|log| log.end)
            .ok_or_else(|| Error::Topics(format!("{} has no partition {partition}", topic.name())))
    }

    /// Where a partition begins, and the offset after its last record. What compaction left out is no loss: a compacted
    /// topic begins at zero.
    ///
    /// # Errors
    ///
    /// As [`EmbeddedBroker::end_offset`].
    pub fn extent(&self, topic: Topic, partition: u32) -> Result<(u64, u64), Error> {
        let end = self.end_offset(topic, partition)?;
        let state = self.handle.shared.state()?;
        let first = state.logs.get(&(topic, partition)).and_then(|log| log.segments.first());
        let start = match topic.declaration().cleanup {
            Cleanup::Compact => 0,
            Cleanup::Delete => first.map_or(0, |segment| segment.base),
        };
        Ok((start, end))
    }

    /// Opens a member of a group; an older opening of the same member is fenced off.
    ///
    /// # Errors
    ///
    /// `Topics` when inputs are not co-partitioned; `Fatal` when the group's members read other inputs.
    pub fn session(&self, spec: &SessionSpec) -> Result<Session, Error> {
        Session::open(&self.handle, spec)
    }

    /// For appends outside of any transaction.
    ///
    /// # Errors
    ///
    /// `Fatal` when the log was closed; `Storage` when it failed.
    pub fn producer(&self) -> Result<Producer, Error> {
        drop(self.handle.shared.state()?);
        Ok(Producer::new(Arc::clone(&self.handle)))
    }

    /// Reads exactly the partitions of `from`, each from its offset, or from the log's start when that is later.
    ///
    /// # Errors
    ///
    /// `Topics` for a partition that is not there; `Fatal` when the log was closed; `Storage` when it failed.
    pub fn reader(&self, from: &NextOffsets) -> Result<Reader, Error> {
        Reader::open(&self.handle, from)
    }

    /// One round of retention and compaction now; the log does this by itself every so often.
    ///
    /// # Errors
    ///
    /// `Storage` when the disk refuses, and then the log answers nothing more.
    pub fn keep(&self) -> Result<(), Error> {
        self.handle.shared.keep()
    }

    /// Writes what waits, and takes the journal in.
    ///
    /// # Errors
    ///
    /// `Storage` when the disk refuses, and then the log answers nothing more.
    pub fn flush(&self) -> Result<(), Error> {
        self.handle.shared.write_all();
        self.handle.shared.checkpoint()
    }

    /// Flushes, then lets the directory go; every handle to it answers `Fatal` from then on.
    ///
    /// # Errors
    ///
    /// `Storage` when the disk refuses; what was acknowledged is safe in the journal.
    pub fn close(self) -> Result<(), Error> {
        self.handle.stop()
    }
}

impl Handle {
    fn start(&self, name: &str, work: fn(&Shared)) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let started =
            std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&shared));
        let thread = started.map_err(|error| Error::Storage(format!("thread {name}: {error}")))?;
        locked(&self.threads).push(thread);
        Ok(())
    }

    fn stop(&self) -> Result<(), Error> {
        let shared = &self.shared;
        {
            // Under the queue's lock, so that no thread falls asleep in between.
            let _queue = locked(&shared.queue);
            shared.stopping.store(true, Ordering::SeqCst);
            shared.queued.notify_all();
            shared.keeping.notify_all();
        }
        for thread in std::mem::take(&mut *locked(&self.threads)) {
            if thread.join().is_err() {
                shared.give_out(Broken::Failed("a thread of the log panicked".to_owned()));
            }
        }
        shared.write_all();
        let done = shared.checkpoint();
        shared.give_out(Broken::Closed);
        // What came in between was not written: its answers go, and say so.
        locked(&shared.queue).requests.clear();
        done.and_then(|()| shared.disk.unlock())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let open = self.shared.state().is_ok();
        if let Err(error) = self.stop()
            && open
        {
            tracing::error!(log.failure = %error, "the embedded log could not be closed");
        }
    }
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Writes until nothing waits.
    fn write_all(&self) {
        while !locked(&self.queue).requests.is_empty() {
            self.write_waiting();
        }
    }

    /// The writer thread: producers wait for it, sessions write by themselves.
    fn write_for_producers(&self) {
        loop {
            let queue = locked(&self.queue);
            if self.is_stopping() {
                return;
            }
            if queue.requests.is_empty() {
                drop(self.queued.wait_timeout(queue, LOOK_EVERY));
            } else {
                drop(queue);
                self.write_waiting();
            }
        }
    }

    /// The keeper thread. A failure breaks the log, and the next call says so.
    fn keep_when_due(&self) {
        loop {
            let queue = locked(&self.queue);
            if self.is_stopping() {
                return;
            }
            if self.keeper_due.load(Ordering::SeqCst) || self.is_keeping_due() {
                drop(queue);
                // A broken log is not kept again at once.
                if self.keep().is_ok() {
                    continue;
                }
                drop(self.keeping.wait_timeout(locked(&self.queue), LOOK_EVERY));
            } else {
                drop(self.keeping.wait_timeout(queue, LOOK_EVERY));
            }
        }
    }
}
