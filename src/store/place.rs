//! Where a worker's stores are: a directory of the machine, or a disk in memory for a simulation.

use std::path::PathBuf;

use super::error::Error;
use super::memory::MemoryDisk;
use super::open::{self, Opened, StoreSettings};
use super::writer::{StoreWriter, WriterSettings};

/// Where stores are.
#[derive(Debug, Clone)]
pub enum Place {
    /// On the machine, in this directory; a thread writes behind the worker.
    Directory(PathBuf),
    /// In memory, under this name; whoever simulates says when it is written.
    Memory(MemoryDisk, PathBuf),
}

impl Place {
    /// A place inside this one.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        match self {
            Self::Directory(dir) => Self::Directory(dir.join(name)),
            Self::Memory(disk, path) => Self::Memory(disk.clone(), path.join(name)),
        }
    }

    /// Opens the store here, whatever is there; see [`Store::open`]. A checkpoint too old for `now_ms` is not believed.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    ///
    /// [`Store::open`]: super::Store::open
    pub fn open(&self, now_ms: u64) -> Result<Opened, Error> {
        match self {
            Self::Directory(dir) => open::open(dir, &StoreSettings::default(), Some(now_ms)),
            Self::Memory(disk, path) => open::open_in_memory(disk, path, now_ms),
        }
    }

    /// The writer of a worker whose stores are here.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when no thread can be started.
    pub fn writer(
        &self,
        clock: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<StoreWriter, Error> {
        match self {
            Self::Directory(_) => StoreWriter::start(WriterSettings::default(), clock),
            Self::Memory(disk, _) => Ok(StoreWriter::by_hand(disk.writer().clone(), clock)),
        }
    }
}
