//! Where the log's files lie: a directory, or memory. A closed choice, so that both run the same code above it.
//!
//! Promise: what was synced stays; a file is replaced whole or not at all; one process at a time has the directory.
//! Not here: what the files say.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use crate::broker::Error;

use super::sync::{locked, read, written};

/// The name of the file that is locked.
const LOCK: &str = "lock";

/// Where files lie.
#[derive(Debug)]
pub(super) enum Disk {
    /// A directory, and its lock as long as we live.
    Files {
        /// The directory.
        dir: PathBuf,
        /// Locked.
        lock: File,
    },
    /// Memory.
    Memory(Memory),
}

/// Files in memory, which may be told to fail.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    files: Arc<Mutex<BTreeMap<String, Arc<RwLock<Cells>>>>>,
    fuel: Fuel,
}

/// So many changes succeed, then none.
#[derive(Debug, Clone)]
struct Fuel(Arc<AtomicU64>);

impl Fuel {
    fn of(changes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(changes)))
    }

    fn spend(&self, name: &str) -> Result<(), Error> {
        let left = |fuel: u64| fuel.checked_sub(1);
        match self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Storage(format!("{name}: told to fail"))),
        }
    }
}

/// A file in memory.
#[derive(Debug, Default, Clone)]
pub(super) struct Cells {
    /// All of it.
    bytes: Vec<u8>,
    /// What a loss of power would leave.
    synced: Vec<u8>,
    /// Whether `synced` is kept at all: only tests ask for it.
    keeps: bool,
}

/// One open file.
#[derive(Debug)]
pub(super) struct Body {
    name: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(File),
    Memory(Arc<RwLock<Cells>>, Fuel),
}

fn failed(name: &str, doing: &str, error: &std::io::Error) -> Error {
    Error::Storage(format!("{name}: {doing}: {error}"))
}

impl Disk {
    /// The directory at `dir`, made if need be, locked.
    pub(super) fn files(dir: &Path) -> Result<Self, Error> {
        let name = dir.display().to_string();
        std::fs::create_dir_all(dir).map_err(|error| failed(&name, "create", &error))?;
        let path = dir.join(LOCK);
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let lock = opened.map_err(|error| failed(&name, "open the lock", &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self::Files { dir: dir.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(Error::Storage(format!(
                "{name}: another process has this directory open; stop it, or give this one a directory of its own"
            ))),
            Err(TryLockError::Error(error)) => Err(failed(&name, "lock", &error)),
        }
    }

    /// Empty memory.
    pub(super) fn memory() -> Self {
        Self::Memory(Memory { files: Arc::default(), fuel: Fuel::of(u64::MAX) })
    }

    /// Whether it is a directory.
    pub(super) const fn is_durable(&self) -> bool {
        match self {
            Self::Files { .. } => true,
            Self::Memory(_) => false,
        }
    }

    /// Lets another process have the directory.
    pub(super) fn unlock(&self) -> Result<(), Error> {
        match self {
            Self::Files { lock, .. } => {
                lock.unlock().map_err(|error| failed(LOCK, "unlock", &error))
            }
            Self::Memory(_) => Ok(()),
        }
    }

    /// Every file's name, in order.
    pub(super) fn names(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        match self {
            Self::Files { dir, .. } => {
                let shown = dir.display().to_string();
                let listed = std::fs::read_dir(dir);
                for entry in listed.map_err(|error| failed(&shown, "list", &error))? {
                    let entry = entry.map_err(|error| failed(&shown, "list", &error))?;
                    names.push(entry.file_name().to_string_lossy().into_owned());
                }
            }
            Self::Memory(memory) => names.extend(locked(&memory.files).keys().cloned()),
        }
        names.sort();
        Ok(names)
    }

    /// A new, empty file; one of that name is overwritten.
    pub(super) fn create(&self, name: &str) -> Result<Arc<Body>, Error> {
        let place = match self {
            Self::Files { dir, .. } => {
                let mut options = OpenOptions::new();
                options.read(true).write(true).create(true).truncate(true);
                let opened = options.open(dir.join(name));
                Place::File(opened.map_err(|error| failed(name, "create", &error))?)
            }
            Self::Memory(memory) => {
                memory.fuel.spend(name)?;
                let cells = Arc::new(RwLock::new(Cells { keeps: cfg!(test), ..Cells::default() }));
                locked(&memory.files).insert(name.to_owned(), Arc::clone(&cells));
                Place::Memory(cells, memory.fuel.clone())
            }
        };
        Ok(Arc::new(Body { name: name.to_owned(), place }))
    }

    /// A file that is there.
    pub(super) fn open(&self, name: &str) -> Result<Arc<Body>, Error> {
        let place = match self {
            Self::Files { dir, .. } => {
                let opened = OpenOptions::new().read(true).write(true).open(dir.join(name));
                Place::File(opened.map_err(|error| failed(name, "open", &error))?)
            }
            Self::Memory(memory) => {
                let found = locked(&memory.files).get(name).map(Arc::clone);
                let missing = || Error::Storage(format!("{name}: it is missing"));
                Place::Memory(found.ok_or_else(missing)?, memory.fuel.clone())
            }
        };
        Ok(Arc::new(Body { name: name.to_owned(), place }))
    }

    /// Removes a file; one that is not there is fine.
    pub(super) fn remove(&self, name: &str) -> Result<(), Error> {
        match self {
            Self::Files { dir, .. } => match std::fs::remove_file(dir.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(failed(name, "remove", &error))
                }
                Ok(()) | Err(_) => Ok(()),
            },
            Self::Memory(memory) => {
                memory.fuel.spend(name)?;
                drop(locked(&memory.files).remove(name));
                Ok(())
            }
        }
    }

    /// Makes creations and removals last.
    pub(super) fn sync_names(&self) -> Result<(), Error> {
        match self {
            Self::Files { dir, .. } => {
                let synced = File::open(dir).and_then(|dir| dir.sync_all());
                synced.map_err(|error| failed(&dir.display().to_string(), "sync", &error))
            }
            Self::Memory(_) => Ok(()),
        }
    }

    /// Puts `bytes` under `name`: after a crash there is the old file or the new one.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Self::Files { dir, .. } => {
                let new = dir.join(format!("{name}.new"));
                let written = File::create(&new)
                    .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
                    .and_then(|()| std::fs::rename(&new, dir.join(name)));
                written.map_err(|error| failed(name, "replace", &error))?;
                self.sync_names()
            }
            Self::Memory(memory) => {
                memory.fuel.spend(name)?;
                let (bytes, keeps) = (bytes.to_vec(), cfg!(test));
                let cells = Cells { synced: bytes.clone(), bytes, keeps };
                locked(&memory.files).insert(name.to_owned(), Arc::new(RwLock::new(cells)));
                Ok(())
            }
        }
    }

    /// What a loss of power leaves: synced bytes, and of those after them as many as `kept` says. It fails after `fuel` changes.
    #[cfg(test)]
    pub(super) fn after_power_loss(&self, fuel: u64, mut kept: impl FnMut(usize) -> usize) -> Self {
        let Self::Memory(memory) = self else { panic!("only memory loses power in tests") };
        let files = locked(&memory.files);
        let left = files.iter().map(|(name, cells)| {
            let cells = read(cells);
            let mut bytes = cells.synced.clone();
            let tail = cells.bytes.get(bytes.len()..).unwrap_or_default();
            bytes.extend_from_slice(&tail[..kept(tail.len()).min(tail.len())]);
            let cells = Cells { synced: bytes.clone(), bytes, keeps: true };
            (name.clone(), Arc::new(RwLock::new(cells)))
        });
        let files = Arc::new(Mutex::new(left.collect()));
        Self::Memory(Memory { files, fuel: Fuel::of(fuel) })
    }

    /// The same files again, to look at after whoever has these is gone.
    #[cfg(test)]
    pub(super) fn again(&self) -> Self {
        let Self::Memory(memory) = self else { panic!("only memory is shared") };
        Self::Memory(memory.clone())
    }
}

impl Body {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> Result<u64, Error> {
        match &self.place {
            Place::File(file) => {
                let data = file.metadata();
                data.map(|data| data.len()).map_err(|error| failed(&self.name, "look at", &error))
            }
            Place::Memory(cells, _) => Ok(read(cells).bytes.len() as u64),
        }
    }

    /// Writes `bytes` at `at`, which is its end or before.
    pub(super) fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        match &self.place {
            Place::File(file) => {
                let done = file.write_all_at(bytes, at);
                done.map_err(|error| failed(&self.name, "write", &error))
            }
            Place::Memory(cells, fuel) => {
                fuel.spend(&self.name)?;
                let mut cells = written(cells);
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                cells.bytes.truncate(at);
                cells.synced.truncate(at);
                cells.bytes.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Up to `len` bytes from `at` on; fewer at the end.
    pub(super) fn read(&self, at: u64, len: usize) -> Result<Vec<u8>, Error> {
        match &self.place {
            Place::File(file) => {
                let mut bytes = vec![0; len];
                let mut got = 0;
                while let Some(rest) = bytes.get_mut(got..).filter(|rest| !rest.is_empty()) {
                    match file.read_at(rest, at + got as u64) {
                        Ok(0) => break,
                        Ok(more) => got += more,
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => (),
                        Err(error) => return Err(failed(&self.name, "read", &error)),
                    }
                }
                bytes.truncate(got);
                Ok(bytes)
            }
            Place::Memory(cells, _) => {
                let cells = read(cells);
                let from = usize::try_from(at).unwrap_or(usize::MAX).min(cells.bytes.len());
                let to = from.saturating_add(len).min(cells.bytes.len());
                Ok(cells.bytes.get(from..to).unwrap_or_default().to_vec())
            }
        }
    }

    /// Cuts it to `size` bytes.
    pub(super) fn cut(&self, size: u64) -> Result<(), Error> {
        match &self.place {
            Place::File(file) => {
                file.set_len(size).map_err(|error| failed(&self.name, "cut", &error))
            }
            Place::Memory(cells, fuel) => {
                fuel.spend(&self.name)?;
                let mut cells = written(cells);
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                cells.bytes.truncate(size);
                cells.synced.truncate(size);
                Ok(())
            }
        }
    }

    /// Makes what was written last.
    pub(super) fn sync(&self) -> Result<(), Error> {
        match &self.place {
            Place::File(file) => {
                file.sync_data().map_err(|error| failed(&self.name, "sync", &error))
            }
            Place::Memory(cells, fuel) => {
                fuel.spend(&self.name)?;
                let mut cells = written(cells);
                if cells.keeps {
                    let Cells { bytes, synced, .. } = &mut *cells;
                    synced.truncate(bytes.len());
                    let fresh = bytes.get(synced.len()..).unwrap_or_default();
                    synced.extend_from_slice(fresh);
                }
                Ok(())
            }
        }
    }
}
