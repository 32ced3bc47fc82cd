//! The one file that names sled: its settings, its traps, its panics and errors as ours.
//!
//! Traps of this version, each answered here (`docs/adr/0002-which-sled.md`):
//! - its own flusher thread aborts the process on any I/O error: it is put to sleep for good, and
//!   only [`Db::flush`] flushes, which returns the error;
//! - after a failed flush the next one, even that of a drop, waits for ever: a broken `Db` is leaked;
//! - a handle is `Send` but not `Sync`: reader and writer have one each, behind a lock of their own;
//! - an iterator whose end lies before the last row reads on to the end of the tree: ranges here are
//!   open, and [`Db::walk`] stops by itself;
//! - batches leave emptied leaves behind for ever: rows are removed one by one, which merges them.

use std::any::Any;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::error::Error;

/// Rows in a leaf. Written to disk by sled: another number needs another [`super::LAYOUT`].
const FANOUT: usize = 64;
const COMPRESSION_LEVEL: i32 = 1;
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

type Handle = Mutex<Option<sled::Db<FANOUT>>>;

/// One sled database with one tree: a reader's handle and a writer's.
pub(super) struct Db {
    reader: Handle,
    writer: Handle,
    broken: AtomicBool,
}

/// One row to store.
pub(super) struct Put {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl Db {
    /// Opens or creates the database in `dir`. May panic, may hang: call it in a thread of its own.
    pub(super) fn open(dir: &Path, cache_bytes: usize) -> Result<Self, Error> {
        Self::with(&sled::Config::new().path(dir), cache_bytes)
    }

    /// A database in a new temporary directory that goes away with it.
    pub(super) fn temporary(cache_bytes: usize) -> Result<Self, Error> {
        let config = sled::Config::tmp()
            .map_err(|source| Error::Io { doing: "creating a temporary directory", source })?;
        Self::with(&config, cache_bytes)
    }

    fn with(config: &sled::Config, cache_bytes: usize) -> Result<Self, Error> {
        let never_ms = usize::try_from(NEVER.as_millis()).unwrap_or(usize::MAX);
        let config = config
            .clone()
            .cache_capacity_bytes(cache_bytes)
            .zstd_compression_level(COMPRESSION_LEVEL)
            .flush_every_ms(Some(never_ms));
        let opened = panic::catch_unwind(|| config.open::<FANOUT>())
            .map_err(|cause| Error::Panicked { doing: "opening", message: words(cause) })?
            .map_err(|source| Error::Io { doing: "opening", source })?;
        Ok(Self {
            reader: Mutex::new(Some(opened.clone())),
            writer: Mutex::new(Some(opened)),
            broken: AtomicBool::new(false),
        })
    }

    /// The value of one row, as the reader sees it.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.guarded(&self.reader, "reading", |db| Ok(db.get(key)?.map(|value| value.to_vec())))
    }

    /// The values of many rows in order, through the writer's handle.
    pub(super) fn get_all(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.guarded(&self.writer, "reading before a write", |db| {
            keys.iter().map(|key| Ok(db.get(key)?.map(|value| value.to_vec()))).collect()
        })
    }

    /// Shows rows from `from` on, in key order, until `visit` answers `false`.
    pub(super) fn walk(
        &self,
        from: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Error> {
        self.guarded(&self.reader, "scanning", |db| {
            for row in db.range(from..) {
                let (key, value) = row?;
                if !visit(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Stores rows at once: all or none of them after a crash.
    pub(super) fn put(&self, rows: Vec<Put>) -> Result<(), Error> {
        self.guarded(&self.writer, "writing", |db| {
            let mut batch = sled::Batch::default();
            for Put { key, value } in rows {
                batch.insert(key, value);
            }
            db.apply_batch(batch)
        })
    }

    /// Removes rows, one after the other.
    pub(super) fn remove(&self, keys: &[Vec<u8>]) -> Result<(), Error> {
        self.guarded(&self.writer, "removing", |db| {
            for key in keys {
                db.remove(key)?;
            }
            Ok(())
        })
    }

    /// Makes everything written so far durable.
    pub(super) fn flush(&self) -> Result<(), Error> {
        self.guarded(&self.writer, "flushing", |db| db.flush().map(|_stats| ()))
    }

    /// Bytes on disk.
    pub(super) fn disk_bytes(&self) -> Result<u64, Error> {
        self.guarded(&self.reader, "measuring", |db| db.size_on_disk())
    }

    /// Runs `work` on a handle; whatever fails in it breaks this `Db` for good.
    fn guarded<T>(
        &self,
        handle: &Handle,
        doing: &'static str,
        work: impl FnOnce(&sled::Db<FANOUT>) -> io::Result<T>,
    ) -> Result<T, Error> {
        let held = handle.lock().unwrap_or_else(PoisonError::into_inner);
        let db = held.as_ref().ok_or(Error::Broken)?;
        if self.broken.load(Ordering::Acquire) {
            return Err(Error::Broken);
        }
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| work(db)))
            .map_err(|cause| Error::Panicked { doing, message: words(cause) })
            .and_then(|done| done.map_err(|source| Error::Io { doing, source }));
        if outcome.is_err() {
            self.broken.store(true, Ordering::Release);
        }
        outcome
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        if self.broken.load(Ordering::Acquire) {
            // Its drop would flush, and a flush after a failed one never returns. The directory's
            // lock leaks with it, so that opening it again in this process sets it aside.
            mem::forget(lock(&mut self.reader).take());
            mem::forget(lock(&mut self.writer).take());
        }
    }
}

fn lock(handle: &mut Handle) -> &mut Option<sled::Db<FANOUT>> {
    handle.get_mut().unwrap_or_else(PoisonError::into_inner)
}

/// What a panic said, if it said it in words.
pub(super) fn words(cause: Box<dyn Any + Send>) -> String {
    cause
        .downcast::<String>()
        .map(|text| *text)
        .or_else(|other| other.downcast::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|_other| "no words".to_owned())
}
