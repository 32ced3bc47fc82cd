//! What a store's rows lie on: sled, or memory for a simulation. Everything above it is the same code.

use std::sync::Arc;
use std::time::Duration;

use super::db::{Db, Put};
use super::error::Error;
use super::memory::Folder;
use super::unmade::Unmade;

/// What a store's rows lie on.
pub(super) enum Ground {
    /// A directory of the machine. Boxed: its handles are large.
    Sled(Box<Db>),
    /// A directory that holds nothing: a database is made there by the first write.
    Unmade(Box<Unmade>),
    /// Memory that outlives the process in a simulation.
    Memory(Arc<Folder>),
}

impl Ground {
    /// What `look` sees in the value of one row, as the reader sees it.
    pub(super) fn get<T>(
        &self,
        key: &[u8],
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, Error> {
        match self {
            Self::Sled(db) => db.get(key, look),
            Self::Unmade(later) => later.made().map_or(Ok(None), |db| db.get(key, look)),
            Self::Memory(folder) => Ok(folder.get(key).map(|value| look(&value))),
        }
    }

    /// What `look` sees in the values of many rows, in order, as the writer sees them.
    pub(super) fn look_at<T>(
        &self,
        keys: &[Vec<u8>],
        look: impl Fn(&[u8]) -> T,
    ) -> Result<Vec<Option<T>>, Error> {
        match self {
            Self::Sled(db) => db.look_at(keys, look),
            Self::Unmade(later) => match later.made() {
                Some(db) => db.look_at(keys, look),
                None => Ok(keys.iter().map(|_key| None).collect()),
            },
            Self::Memory(folder) => {
                Ok(keys.iter().map(|key| folder.get(key).map(|value| look(&value))).collect())
            }
        }
    }

    /// Shows rows from `from` on, in key order, until `visit` answers `false`.
    pub(super) fn walk(
        &self,
        from: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Error> {
        match self {
            Self::Sled(db) => db.walk(from, visit),
            Self::Unmade(later) => later.made().map_or(Ok(()), |db| db.walk(from, visit)),
            Self::Memory(folder) => {
                folder.walk(from, visit);
                Ok(())
            }
        }
    }

    /// Whether there is no row.
    pub(super) fn is_empty(&self) -> Result<bool, Error> {
        match self {
            Self::Sled(db) => db.is_empty(),
            Self::Unmade(later) => later.made().map_or(Ok(true), Db::is_empty),
            Self::Memory(folder) => Ok(folder.bytes() == 0),
        }
    }

    /// Stores rows at once: all or none of them after a crash.
    pub(super) fn put(&self, rows: Vec<Put>) -> Result<(), Error> {
        match self {
            Self::Sled(db) => db.put(rows),
            Self::Unmade(later) => later.make()?.put(rows),
            Self::Memory(folder) => folder.put(rows),
        }
    }

    /// Removes rows, one after the other.
    pub(super) fn remove(&self, keys: &[Vec<u8>]) -> Result<(), Error> {
        match self {
            Self::Sled(db) => db.remove(keys),
            // Where nothing was put there is nothing to remove.
            Self::Unmade(later) => later.made().map_or(Ok(()), |db| db.remove(keys)),
            Self::Memory(folder) => folder.remove(keys),
        }
    }

    /// Makes everything written so far durable.
    pub(super) fn flush(&self) -> Result<(), Error> {
        match self {
            Self::Sled(db) => db.flush(),
            Self::Unmade(later) => later.made().map_or(Ok(()), Db::flush),
            Self::Memory(_) => Ok(()),
        }
    }

    /// Gives memory back that sled would keep for ever, once `leaves_max` leaves were written.
    pub(super) fn renew_if_worn(&self, leaves_max: u64, limit: Duration) -> Result<(), Error> {
        match self {
            Self::Sled(db) => db.renew_if_worn(leaves_max, limit),
            Self::Unmade(later) => {
                later.made().map_or(Ok(()), |db| db.renew_if_worn(leaves_max, limit))
            }
            Self::Memory(_) => Ok(()),
        }
    }

    /// Bytes on disk.
    pub(super) fn disk_bytes(&self) -> Result<u64, Error> {
        match self {
            Self::Sled(db) => db.disk_bytes(),
            Self::Unmade(later) => later.made().map_or(Ok(0), Db::disk_bytes),
            Self::Memory(folder) => Ok(folder.bytes()),
        }
    }
}
