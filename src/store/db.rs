//! The one file that names sled: its settings, its traps, its panics and errors as ours.
//!
//! Traps of this version, each answered here (`docs/adr/0002-which-sled.md`):
//! - its own flusher thread aborts the process on any I/O error: it is put to sleep for good, and
//!   only [`Db::flush`] flushes, which returns the error;
//! - after a failed flush the next one, even that of a drop, waits for ever: a broken `Db` is leaked;
//! - a handle is `Send` but not `Sync`: reader and writer have one each, behind a lock of their own;
//! - an iterator whose end lies before the last row reads on to the end of the tree: ranges here are
//!   open, and [`Db::walk`] stops by itself;
//! - batches leave emptied leaves behind for ever: rows are removed one by one, which merges them;
//! - a leaf that was written never leaves memory again, whatever the cache's size: after a bounded number of them the database
//!   is closed and opened anew ([`Db::renew_if_worn`]).

use std::any::Any;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::error::Error;

/// Rows in a leaf. Written to disk by sled: another number needs another [`super::LAYOUT`].
const FANOUT: usize = 32;
const COMPRESSION_LEVEL: i32 = 1;
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A process that is just being started anywhere in this one (sled starts `sync` whenever it opens) holds a copy of every lock
/// until it is another program: a directory whose lock was given back a moment ago is tried again before it is believed
/// to be somebody else's.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

type Handle = Mutex<Option<sled::Db<FANOUT>>>;

/// One sled database with one tree: a reader's handle and a writer's.
pub(super) struct Db {
    reader: Handle,
    writer: Handle,
    broken: AtomicBool,
    /// Where it is and how much of it the cache holds; none of a temporary one, which cannot be opened twice.
    place: Option<(PathBuf, usize)>,
    /// Leaves written since it was opened: as many at most stay in memory.
    worn: AtomicU64,
}

/// One row to store.
pub(super) struct Put {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl Db {
    /// Opens or creates the database in `dir`. May panic, may hang: call it in a thread of its own.
    pub(super) fn open(dir: &Path, cache_bytes: usize) -> Result<Self, Error> {
        let mut db = Self::with(&sled::Config::new().path(dir), cache_bytes)?;
        db.place = Some((dir.to_owned(), cache_bytes));
        Ok(db)
    }

    /// A database in a new temporary directory that goes away with it.
    pub(super) fn temporary(cache_bytes: usize) -> Result<Self, Error> {
        let config = sled::Config::tmp()
            .map_err(|source| Error::Io { doing: "creating a temporary directory", source })?;
        Self::with(&config, cache_bytes)
    }

    fn with(config: &sled::Config, cache_bytes: usize) -> Result<Self, Error> {
        let opened = handle(config, cache_bytes)?;
        Ok(Self {
            reader: Mutex::new(Some(opened.clone())),
            writer: Mutex::new(Some(opened)),
            broken: AtomicBool::new(false),
            place: None,
            worn: AtomicU64::new(0),
        })
    }

    /// Closes it and opens it anew once more than `leaves_max` leaves were written; readers wait meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Db::open`], and that it took longer than `limit`: it is lost then.
    pub(super) fn renew_if_worn(&self, leaves_max: u64, limit: Duration) -> Result<(), Error> {
        let Some((dir, cache_bytes)) = self.place.clone() else { return Ok(()) };
        if self.worn.load(Ordering::Relaxed) <= leaves_max || self.broken.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let old = (reader.take(), writer.take());
        let opened = in_time(limit, move || {
            drop(old);
            handle(&sled::Config::new().path(&dir), cache_bytes)
        })?;
        (*reader, *writer) = (Some(opened.clone()), Some(opened));
        self.worn.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Leaves that cannot leave memory.
    #[cfg(test)]
    pub(super) fn worn(&self) -> u64 {
        self.worn.load(Ordering::Relaxed)
    }

    /// What `look` sees in the value of one row, as the reader sees it.
    pub(super) fn get<T>(
        &self,
        key: &[u8],
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, Error> {
        self.guarded(&self.reader, "reading", |db| Ok(db.get(key)?.map(|value| look(&value))))
    }

    /// What `look` sees in the values of many rows, in order, through the writer's handle.
    pub(super) fn look_at<T>(
        &self,
        keys: &[Vec<u8>],
        look: impl Fn(&[u8]) -> T,
    ) -> Result<Vec<Option<T>>, Error> {
        self.guarded(&self.writer, "reading before a write", |db| {
            keys.iter().map(|key| Ok(db.get(key)?.map(|value| look(&value)))).collect()
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

    /// Whether there is no row.
    pub(super) fn is_empty(&self) -> Result<bool, Error> {
        let mut is_empty = true;
        self.walk(&[], |_key, _value| {
            is_empty = false;
            false
        })?;
        Ok(is_empty)
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
        let stats = self.guarded(&self.writer, "flushing", |db| db.flush())?;
        self.worn.fetch_add(stats.objects_flushed, Ordering::Relaxed);
        Ok(())
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

/// What `work` answers, in a thread that is left behind if it never comes back.
///
/// # Errors
///
/// Those of `work`, [`Error::OpenTooSlow`] after `limit`, [`Error::Panicked`] where its thread died.
pub(super) fn in_time<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (answer, answered) = mpsc::sync_channel(1);
    // Nobody listens any more where it came too late, and what was opened closes again there.
    let run = move || drop(answer.send(work()));
    let spawned = thread::Builder::new().name("store-open".to_owned()).spawn(run);
    spawned.map_err(|source| Error::Io { doing: "starting a thread", source })?;
    match answered.recv_timeout(limit) {
        Ok(found) => found,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Error::OpenTooSlow { limit }),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(Error::Panicked { doing: "opening", message: "its thread died".to_owned() })
        }
    }
}

/// Opens what `config` names, with our settings.
fn handle(config: &sled::Config, cache_bytes: usize) -> Result<sled::Db<FANOUT>, Error> {
    let never_ms = usize::try_from(NEVER.as_millis()).unwrap_or(usize::MAX);
    let config = config
        .clone()
        .cache_capacity_bytes(cache_bytes)
        .zstd_compression_level(COMPRESSION_LEVEL)
        .flush_every_ms(Some(never_ms));
    let mut tries = 1;
    loop {
        let opened = panic::catch_unwind(|| config.open::<FANOUT>())
            .map_err(|cause| Error::Panicked { doing: "opening", message: words(cause) })?;
        match opened {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries < LOCK_TRIES => {
                tries += 1;
                thread::park_timeout(LOCK_PAUSE);
            }
            other => return other.map_err(|source| Error::Io { doing: "opening", source }),
        }
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
