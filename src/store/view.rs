//! One partition's rows: read by key, by prefix, by due time; written as a whole with a checkpoint.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::checkpoint::Checkpoint;
use super::db::{Db, Put};
use super::error::Error;
use super::ground::Ground;
use super::key::{self, Key};
use super::open::{self, Opened, StoreSettings};
use super::value;
use super::witness;

/// Materialised view of one partition's committed state. Disposable: the changelog is the truth.
///
/// One thread reads, one writes, at the same time. No call may be made on a thread that must not block.
pub struct Store {
    db: Ground,
    dir: Option<PathBuf>,
    /// Nothing was ever written: no row needs to be looked for before it is.
    is_empty: AtomicBool,
    batch_rows: usize,
    flush_rows: usize,
    leaves_max: u64,
    open_timeout: Duration,
}

/// One committed change of one key; `None` is a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// Whose state.
    pub key: Vec<u8>,
    /// The new value.
    pub value: Option<Vec<u8>>,
    /// When the row's timer is due, in milliseconds since the epoch; at most one a key. A deletion has none.
    pub due_at_ms: Option<u64>,
}

/// A key and its value.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// What a store takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreStats {
    /// Bytes in its directory.
    pub disk_bytes: u64,
}

/// A change by reference, as the writing code sees it.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: Option<&'a [u8]>,
    pub(super) due_at_ms: Option<u64>,
}

impl Store {
    /// Opens the store in `dir`, whatever is there.
    ///
    /// What cannot be trusted (corrupt, locked, of another layout, without a sound checkpoint, too slow) is
    /// moved to `<dir>.quarantined-<n>`, of which two are kept, and a fresh store takes its place.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Panicked`] or [`Error::OpenTooSlow`] when not even a fresh one can be had.
    pub fn open(dir: &Path, settings: &StoreSettings) -> Result<Opened, Error> {
        open::open(dir, settings)
    }

    /// A store that goes away when it is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when there is no temporary directory.
    pub fn temporary(settings: &StoreSettings) -> Result<Self, Error> {
        let db = Ground::Sled(Box::new(Db::temporary(open::cache(settings))?));
        Ok(Self::over((db, true), None, settings))
    }

    pub(super) fn over(
        (db, is_empty): (Ground, bool),
        dir: Option<&Path>,
        settings: &StoreSettings,
    ) -> Self {
        Self {
            db,
            dir: dir.map(Path::to_owned),
            is_empty: AtomicBool::new(is_empty),
            batch_rows: settings.batch_rows.clamp(1, 1000),
            flush_rows: settings.flush_rows.max(1),
            leaves_max: settings.leaves_max,
            open_timeout: settings.open_timeout,
        }
    }

    /// A key's value.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Panicked`], [`Error::Malformed`] or [`Error::Broken`]: the store is lost.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.read(key, <[u8]>::to_vec)
    }

    /// What `read` makes of a key's value.
    ///
    /// # Errors
    ///
    /// As [`Store::get`].
    pub fn read<T>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Error> {
        let look = |row: &[u8]| value::decode(row).map(|(_due, value)| read(value));
        self.db.get(&Key::State(key).to_bytes(), look)?.transpose()
    }

    /// Keys that begin with `prefix` and their values, in key order.
    ///
    /// # Errors
    ///
    /// As [`Store::get`].
    pub fn scan_prefix(&self, prefix: &[u8], limit: usize) -> Result<Vec<KeyValue>, Error> {
        let mut found = Vec::new();
        let mut malformed = None;
        if limit == 0 {
            return Ok(found);
        }
        self.db.walk(&Key::State(prefix).to_bytes(), |row, bytes| {
            let Some(key) = key::state_key(row).filter(|key| key.starts_with(prefix)) else {
                return false;
            };
            match value::decode(bytes) {
                Ok((_due, value)) => found.push((key.to_vec(), value.to_vec())),
                Err(error) => malformed = Some(error),
            }
            malformed.is_none() && found.len() < limit
        })?;
        malformed.map_or(Ok(found), Err)
    }

    /// Timers due at or before `until_ms`, the earliest first.
    ///
    /// # Errors
    ///
    /// As [`Store::get`].
    pub fn timers_due(&self, until_ms: u64, limit: usize) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        self.timers_from(&key::first_timer(), until_ms, limit)
    }

    /// Timers after one that was seen, up to `until_ms`.
    pub(super) fn timers_after(
        &self,
        (due_ms, key): (u64, &[u8]),
        until_ms: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        // The next possible row after a row is that row with a zero byte behind it.
        let mut from = Key::Timer { due_ms, key }.to_bytes();
        from.push(0);
        self.timers_from(&from, until_ms, limit)
    }

    fn timers_from(
        &self,
        from: &[u8],
        until_ms: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let mut due = Vec::new();
        if limit == 0 {
            return Ok(due);
        }
        self.db.walk(from, |row, _empty| {
            let Some((due_ms, key)) = key::timer_key(row).filter(|(due, _key)| *due <= until_ms)
            else {
                return false;
            };
            due.push((due_ms, key.to_vec()));
            due.len() < limit
        })?;
        Ok(due)
    }

    /// Makes `rows` and then `checkpoint` durable; of several changes of one key the last one counts.
    ///
    /// After a crash on the way some rows may be newer than the checkpoint on disk, none older.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Panicked`], [`Error::Malformed`] or [`Error::Broken`]: the store is lost.
    pub fn write(&self, rows: &[RowChange], checkpoint: Checkpoint) -> Result<(), Error> {
        let mut sorted: Vec<Change<'_>> = rows.iter().map(RowChange::by_ref).collect();
        // Stable, so that the newest of a key is its last.
        sorted.sort_by(|a, b| a.key.cmp(b.key));
        sorted.dedup_by(|later, earlier| {
            let same = later.key == earlier.key;
            if same {
                *earlier = *later;
            }
            same
        });
        self.write_sorted(&sorted, checkpoint)
    }

    /// Writes changes that are in key order, one a key.
    pub(super) fn write_sorted(
        &self,
        changes: &[Change<'_>],
        checkpoint: Checkpoint,
    ) -> Result<(), Error> {
        // One write holds a key once, so that none of its parts meets a row of another.
        let was_empty = self.is_empty.swap(false, Ordering::AcqRel);
        let last = changes.len().div_ceil(self.flush_rows).saturating_sub(1);
        for (n, part) in changes.chunks(self.flush_rows).enumerate() {
            self.write_part((part, was_empty), (n == last).then_some(checkpoint))?;
        }
        if changes.is_empty() {
            self.write_part((&[], was_empty), Some(checkpoint))?;
        }
        Ok(())
    }

    /// Removes, then puts in batches with the checkpoint in the last one, then flushes.
    fn write_part(
        &self,
        (part, was_empty): (&[Change<'_>], bool),
        end: Option<Checkpoint>,
    ) -> Result<(), Error> {
        let plan = self.plan(part, was_empty)?;
        self.db.remove(&plan.removed)?;
        let mut puts = plan.puts;
        if let Some(checkpoint) = end {
            puts.push(Put { key: Key::Checkpoint.to_bytes(), value: checkpoint.to_bytes() });
        }
        let mut left = puts.into_iter();
        loop {
            let batch: Vec<Put> = left.by_ref().take(self.batch_rows).collect();
            if batch.is_empty() {
                break;
            }
            self.db.put(batch)?;
        }
        self.db.flush()?;
        let doing = "noting what is durable";
        let noted = self.dir.as_deref().map_or(Ok(()), witness::note);
        noted.map_err(|source| Error::Io { doing, source })?;
        self.db.renew_if_worn(self.leaves_max, self.open_timeout)
    }

    /// Derives timer rows: what each change adds, and what it takes away from the row before it.
    fn plan(&self, part: &[Change<'_>], was_empty: bool) -> Result<Plan, Error> {
        let keys: Vec<Vec<u8>> =
            part.iter().map(|change| Key::State(change.key).to_bytes()).collect();
        let before = if was_empty {
            part.iter().map(|_| None).collect()
        } else {
            self.db.look_at(&keys, |row| value::decode(row).map(|(due, _value)| due))?
        };
        let (mut states, mut timers, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        for ((change, state_key), before) in part.iter().zip(keys).zip(before) {
            let was_there = before.is_some();
            let due_before = before.transpose()?.flatten();
            let due_at_ms = change.value.and(change.due_at_ms);
            let timer = |due_ms| Key::Timer { due_ms, key: change.key }.to_bytes();
            if due_before != due_at_ms {
                removed.extend(due_before.map(timer));
            }
            // Also where the row had it before: a write that was cut may have put the row and not its timer.
            timers.extend(due_at_ms.map(timer));
            match change.value {
                Some(value) => {
                    states.push(Put { key: state_key, value: value::encode(due_at_ms, value) });
                }
                None if was_there => removed.push(state_key),
                None => (),
            }
        }
        timers.sort();
        states.extend(timers.into_iter().map(|key| Put { key, value: Vec::new() }));
        removed.sort();
        Ok(Plan { puts: states, removed })
    }

    /// Leaves that cannot leave memory.
    #[cfg(test)]
    pub(super) fn worn(&self) -> u64 {
        match &self.db {
            Ground::Sled(db) => db.worn(),
            Ground::Unmade(later) => later.made().map_or(0, Db::worn),
            Ground::Memory(_) => 0,
        }
    }

    /// What the store takes up.
    ///
    /// # Errors
    ///
    /// As [`Store::get`].
    pub fn stats(&self) -> Result<StoreStats, Error> {
        Ok(StoreStats { disk_bytes: self.db.disk_bytes()? })
    }

    /// Flushes, closes, and gives the directory's lock back.
    ///
    /// # Errors
    ///
    /// As [`Store::get`]; what a failed store holds stays locked until the process ends.
    pub fn close(self) -> Result<(), Error> {
        self.db.flush()
    }

    /// Closes the store and removes its directory.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the directory does not go away.
    pub fn destroy(self) -> Result<(), Error> {
        let Self { db, dir, .. } = self;
        drop(db);
        dir.map_or(Ok(()), |dir| {
            open::remove(&dir).map_err(|source| Error::Io { doing: "removing the store", source })
        })
    }
}

/// What a part of a write does to rows, in key order.
struct Plan {
    puts: Vec<Put>,
    removed: Vec<Vec<u8>>,
}

impl RowChange {
    fn by_ref(&self) -> Change<'_> {
        Change { key: &self.key, value: self.value.as_deref(), due_at_ms: self.due_at_ms }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir).finish_non_exhaustive()
    }
}
