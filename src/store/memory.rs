//! Disks of stores in memory, for a simulation: what was written stays until somebody loses, tears or turns it back.
//!
//! A write reaches the disk change by change, so that it can be cut anywhere, as a crash cuts it. Not here: sled.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::checkpoint::Checkpoint;
use super::db::Put;
use super::desk::held;
use super::error::Error;
use super::key::{self, Key};
use super::open::StoreSettings;
use super::value;
use super::view::RowChange;
use super::writer::WriterSettings;

/// A machine's disk. Clones are the same disk.
#[derive(Clone)]
pub struct MemoryDisk {
    settings: StoreSettings,
    writer: WriterSettings,
    folders: Arc<Mutex<BTreeMap<PathBuf, Arc<Folder>>>>,
}

/// What lay in a folder at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied(BTreeMap<Vec<u8>, Vec<u8>>);

/// One store's folder. Whoever holds it has it locked.
#[derive(Debug, Default)]
pub(super) struct Folder(Mutex<Contents>);

#[derive(Debug, Default)]
struct Contents {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Changes it still takes; none: as many as come.
    changes_left: Option<u64>,
}

impl MemoryDisk {
    /// An empty disk, whose stores and writers behave as the settings say.
    #[must_use]
    pub fn new(settings: StoreSettings, writer: WriterSettings) -> Self {
        Self { settings, writer, folders: Arc::default() }
    }

    pub(super) const fn writer(&self) -> &WriterSettings {
        &self.writer
    }

    pub(super) const fn settings(&self) -> &StoreSettings {
        &self.settings
    }

    /// Opens the folder at `path`, made if need be.
    pub(super) fn open(&self, path: &Path) -> Result<Arc<Folder>, Error> {
        let mut folders = held(&self.folders);
        let folder = folders.entry(path.to_owned()).or_default();
        if Arc::strong_count(folder) > 1 {
            let source = io::Error::from(io::ErrorKind::WouldBlock);
            return Err(Error::Io { doing: "opening", source });
        }
        Ok(Arc::clone(folder))
    }

    /// Moves a folder out of the way; whoever has it open keeps it.
    pub(super) fn set_aside(&self, path: &Path) -> PathBuf {
        drop(held(&self.folders).remove(path));
        path.with_extension("quarantined")
    }

    /// The folders there are.
    #[must_use]
    pub fn folders(&self) -> Vec<PathBuf> {
        held(&self.folders).keys().cloned().collect()
    }

    /// What lies in a folder now.
    #[must_use]
    pub fn copy(&self, path: &Path) -> Option<Copied> {
        let folder = held(&self.folders).get(path).map(Arc::clone)?;
        let rows = held(&folder.0).rows.clone();
        Some(Copied(rows))
    }

    /// Puts a copy in the place of what lies in a folder, which nobody may have open.
    pub fn put_back(&self, path: &Path, copied: Copied) {
        let contents = Contents { rows: copied.0, changes_left: None };
        held(&self.folders).insert(path.to_owned(), Arc::new(Folder(Mutex::new(contents))));
    }

    /// Loses a folder.
    pub fn lose(&self, path: &Path) {
        held(&self.folders).remove(path);
    }

    /// Turns one bit of a folder's checkpoint, where it has one.
    pub fn damage(&self, path: &Path) {
        let folder = held(&self.folders).get(path).map(Arc::clone);
        if let Some(folder) = folder
            && let Some(checkpoint) = held(&folder.0).rows.get_mut(&Key::Checkpoint.to_bytes())
            && let Some(byte) = checkpoint.first_mut()
        {
            *byte ^= 1;
        }
    }

    /// From now on a folder takes `changes` changes, then fails; `None`: it fails no more.
    pub fn fail_after(&self, path: &Path, changes: Option<u64>) {
        if let Some(folder) = held(&self.folders).get(path) {
            held(&folder.0).changes_left = changes;
        }
    }
}

impl Copied {
    /// Keys, when their timers are due, and values.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] when a row is not what this layout writes.
    pub fn rows(&self) -> Result<Vec<RowChange>, Error> {
        let states = self.0.iter().filter_map(|(key, row)| Some((key::state_key(key)?, row)));
        states
            .map(|(key, row)| {
                let (due_at_ms, value) = value::decode(row)?;
                Ok(RowChange { key: key.to_vec(), value: Some(value.to_vec()), due_at_ms })
            })
            .collect()
    }

    /// Its checkpoint, where it has a sound one.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let row = self.0.get(&Key::Checkpoint.to_bytes())?;
        Checkpoint::from_bytes(row).ok()
    }

    /// The same with another checkpoint.
    #[must_use]
    pub fn with_checkpoint(mut self, checkpoint: Checkpoint) -> Self {
        self.0.insert(Key::Checkpoint.to_bytes(), checkpoint.to_bytes());
        self
    }

    /// The same with one more row, or another one in its place.
    #[must_use]
    pub fn with_row(mut self, row: &RowChange) -> Self {
        if let Some(value) = &row.value {
            let key = Key::State(&row.key).to_bytes();
            self.0.insert(key, value::encode(row.due_at_ms, value));
        }
        self
    }

    /// The same without timers, their rows still there.
    #[must_use]
    pub fn without_timers(mut self) -> Self {
        self.0.retain(|key, _| key::timer_key(key).is_none());
        self
    }
}

impl Folder {
    pub(super) fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        held(&self.0).rows.get(key).cloned()
    }

    pub(super) fn walk(&self, from: &[u8], mut visit: impl FnMut(&[u8], &[u8]) -> bool) {
        for (key, value) in held(&self.0).rows.range(from.to_vec()..) {
            if !visit(key, value) {
                break;
            }
        }
    }

    pub(super) fn put(&self, rows: Vec<Put>) -> Result<(), Error> {
        self.change(|contents| contents.extend(rows.into_iter().map(|put| (put.key, put.value))))
    }

    pub(super) fn remove(&self, keys: &[Vec<u8>]) -> Result<(), Error> {
        keys.iter().try_for_each(|key| self.change(|rows| drop(rows.remove(key))))
    }

    fn change(&self, work: impl FnOnce(&mut BTreeMap<Vec<u8>, Vec<u8>>)) -> Result<(), Error> {
        let mut contents = held(&self.0);
        match &mut contents.changes_left {
            Some(0) => {
                let source = io::Error::other("told to fail");
                return Err(Error::Io { doing: "writing", source });
            }
            Some(left) => *left -= 1,
            None => (),
        }
        work(&mut contents.rows);
        Ok(())
    }

    pub(super) fn bytes(&self) -> u64 {
        let rows = &held(&self.0).rows;
        let bytes: usize = rows.iter().map(|(key, value)| key.len() + value.len()).sum();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDisk").finish_non_exhaustive()
    }
}
