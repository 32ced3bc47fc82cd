//! A store that holds nothing has no files yet: the first write makes them.
//!
//! To make some sixty files costs a database 60 ms of processor time, which a process that lost its disk would spend for each of its
//! lanes before it has read a row. Not here: what is in the files.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::db::{Db, in_time};
use super::error::Error;

/// A database that is made when it is first written to.
pub(super) struct Unmade {
    dir: PathBuf,
    cache_bytes: usize,
    open_timeout: Duration,
    made: OnceLock<Db>,
    making: Mutex<()>,
}

impl Unmade {
    /// In `dir`, which holds nothing. It is made at once, so that a place that cannot be written to is known now.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the directory cannot be had.
    pub(super) fn in_directory(
        dir: PathBuf,
        cache_bytes: usize,
        open_timeout: Duration,
    ) -> Result<Self, Error> {
        fs::create_dir_all(&dir)
            .map_err(|source| Error::Io { doing: "making the store's directory", source })?;
        let (made, making) = (OnceLock::new(), Mutex::new(()));
        Ok(Self { dir, cache_bytes, open_timeout, made, making })
    }

    /// The database, if there is one by now.
    pub(super) fn made(&self) -> Option<&Db> {
        self.made.get()
    }

    /// The database, made if there is none.
    ///
    /// # Errors
    ///
    /// As [`Db::open`], [`Error::OpenTooSlow`]; and [`Error::Malformed`] when somebody else wrote into the directory meanwhile.
    pub(super) fn make(&self) -> Result<&Db, Error> {
        let _one_makes_it = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let (dir, cache_bytes) = (self.dir.clone(), self.cache_bytes);
        let db = in_time(self.open_timeout, move || Db::open(&dir, cache_bytes))?;
        if db.is_empty()? {
            return Ok(self.made.get_or_init(|| db));
        }
        Err(Error::Malformed { what: "a store that was to be new" })
    }
}
