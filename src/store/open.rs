//! Opening a store: in a thread of its own, within a limit, and never in the way of a start.
//!
//! Whatever cannot be trusted is moved aside and a fresh store stands in its place, for the changelog
//! holds all of it. That goes for a directory somebody else has locked, too: the other one keeps the
//! files it has open, under their new name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::checkpoint::Checkpoint;
use super::db::{Db, in_time};
use super::error::{Doubt, Error};
use super::ground::Ground;
use super::key::Key;
use super::memory::MemoryDisk;
use super::unmade::Unmade;
use super::view::Store;
use super::witness;

/// Set-aside directories kept beside a store, for whoever looks into the reason.
const QUARANTINED_MAX: usize = 2;

/// How a store uses memory and time.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Memory for this store's clean leaves, in bytes; what is dirty comes on top until it is flushed.
    pub cache_bytes: u64,
    /// Rows in one batch, at most 1000: larger ones only hold more locks at once.
    pub batch_rows: usize,
    /// Rows written between two flushes, which bounds what is dirty in memory.
    pub flush_rows: usize,
    /// Leaves written before the store is opened anew, which gives their memory back: a leaf is about 8 KB.
    pub leaves_max: u64,
    /// How long opening may take before the directory is set aside.
    pub open_timeout: Duration,
    /// Which checkpoint is believed.
    pub trusted: Trusted,
}

/// Which checkpoints are believed: those between which and now the changelog has forgotten nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trusted {
    /// The changelog's first offset.
    pub start: u64,
    /// The changelog's end.
    pub end: u64,
    /// True no longer ago than this, in milliseconds.
    pub since_ms: u64,
    /// And no later than this: a clock was wrong, and no age is known.
    pub until_ms: u64,
}

impl Trusted {
    /// Every checkpoint.
    pub const ALL: Self = Self { start: 0, end: u64::MAX, since_ms: 0, until_ms: u64::MAX };

    /// What there is to say against `checkpoint`.
    const fn doubt(&self, checkpoint: Checkpoint) -> Option<Doubt> {
        let Checkpoint { next_offset, true_at_ms } = checkpoint;
        if next_offset > self.end {
            Some(Doubt::BeyondEnd)
        } else if next_offset < self.start {
            Some(Doubt::BelowStart)
        } else if true_at_ms == 0 && self.since_ms > 0 {
            Some(Doubt::Unfinished)
        } else if true_at_ms < self.since_ms || true_at_ms > self.until_ms {
            Some(Doubt::Stale)
        } else {
            None
        }
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            cache_bytes: 32 << 20,
            batch_rows: 1000,
            flush_rows: 50_000,
            leaves_max: 3_000,
            open_timeout: Duration::from_secs(60),
            trusted: Trusted::ALL,
        }
    }
}

/// What was found in a store's directory.
#[derive(Debug)]
pub enum Opened {
    /// Nothing: replay the changelog from its beginning.
    Fresh(Store),
    /// A store that was closed or killed: replay from its checkpoint.
    Resumed(Store, Checkpoint),
    /// Something that cannot be trusted: it was moved, replay from the beginning.
    Quarantined {
        /// The empty store in its place.
        store: Store,
        /// Why.
        doubt: Doubt,
        /// Why, for a log line.
        reason: String,
        /// Where the old directory is now.
        moved_to: PathBuf,
    },
}

/// Opens `dir`, or sets it aside and opens a fresh one.
pub(super) fn open(dir: &Path, settings: &StoreSettings) -> Result<Opened, Error> {
    opened(
        || {
            let (db, checkpoint) = attempt(dir, settings)?;
            Ok((Store::over((db, checkpoint.is_none()), Some(dir), settings), checkpoint))
        },
        || set_aside(dir).map_err(|source| Error::Io { doing: "setting aside", source }),
    )
}

/// The same in memory.
pub(super) fn open_in_memory(
    disk: &MemoryDisk,
    path: &Path,
    trusted: Trusted,
) -> Result<Opened, Error> {
    opened(
        || {
            let ground = Ground::Memory(disk.open(path)?);
            let checkpoint = inspect(&ground, trusted)?;
            Ok((Store::over((ground, checkpoint.is_none()), None, disk.settings()), checkpoint))
        },
        || Ok(disk.set_aside(path)),
    )
}

fn opened(
    attempt: impl Fn() -> Result<(Store, Option<Checkpoint>), Error>,
    set_aside: impl FnOnce() -> Result<PathBuf, Error>,
) -> Result<Opened, Error> {
    let (doubt, reason) = match attempt() {
        Ok((store, None)) => return Ok(Opened::Fresh(store)),
        Ok((store, Some(checkpoint))) => return Ok(Opened::Resumed(store, checkpoint)),
        Err(error) => (error.doubt(), describe(&error)),
    };
    let moved_to = set_aside()?;
    let (store, _nothing) = attempt()?;
    Ok(Opened::Quarantined { store, doubt, reason, moved_to })
}

/// Opens and looks, in a thread that may be left behind if it never comes back.
fn attempt(dir: &Path, settings: &StoreSettings) -> Result<(Ground, Option<Checkpoint>), Error> {
    let (dir, cache_bytes, trusted) = (dir.to_owned(), cache(settings), settings.trusted);
    if holds_nothing(&dir) {
        let later = Unmade::in_directory(dir, cache_bytes, settings.open_timeout)?;
        return Ok((Ground::Unmade(Box::new(later)), None));
    }
    in_time(settings.open_timeout, move || {
        sound(&dir)?;
        let ground = Ground::Sled(Box::new(Db::open(&dir, cache_bytes)?));
        let checkpoint = inspect(&ground, trusted)?;
        Ok((ground, checkpoint))
    })
}

/// There is no such directory, or it is empty.
fn holds_nothing(dir: &Path) -> bool {
    match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// What sled itself would not notice.
fn sound(dir: &Path) -> Result<(), Error> {
    let doubted = witness::contradicts(dir)
        .map_err(|source| Error::Io { doing: "checking the store's log", source })?;
    if doubted { Err(Error::Malformed { what: "the store's log" }) } else { Ok(()) }
}

/// `None` for an empty database.
fn inspect(db: &Ground, trusted: Trusted) -> Result<Option<Checkpoint>, Error> {
    let checkpoint = db.get(&Key::Checkpoint.to_bytes(), Checkpoint::from_bytes)?.transpose()?;
    if let Some(checkpoint) = checkpoint {
        return match trusted.doubt(checkpoint) {
            Some(doubt) => Err(Error::Untrusted(doubt)),
            None => Ok(Some(checkpoint)),
        };
    }
    if db.is_empty()? {
        Ok(None)
    } else {
        Err(Error::Malformed { what: "a store without a checkpoint" })
    }
}

/// The error and its causes on one line.
fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Renames `dir` to the next free number, dropping the oldest beyond the limit.
fn set_aside(dir: &Path) -> io::Result<PathBuf> {
    let mut earlier = quarantined(dir)?;
    while earlier.len() >= QUARANTINED_MAX {
        let (_number, oldest) = earlier.remove(0);
        remove(&oldest)?;
    }
    let number = earlier.last().map_or(1, |(number, _path)| number.saturating_add(1));
    let moved_to = PathBuf::from(format!("{}.quarantined-{number}", dir.display()));
    fs::rename(dir, &moved_to)?;
    Ok(moved_to)
}

/// Set-aside directories of `dir`, oldest first.
pub(super) fn quarantined(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else { return Ok(Vec::new()) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let prefix = format!("{}.quarantined-", name.to_string_lossy());
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_string_lossy().strip_prefix(&prefix).and_then(|n| n.parse().ok());
        if let Some(number) = number {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Removes a directory with all it holds, or a file.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// The cache in the machine's own word.
pub(super) fn cache(settings: &StoreSettings) -> usize {
    usize::try_from(settings.cache_bytes).unwrap_or(usize::MAX)
}
