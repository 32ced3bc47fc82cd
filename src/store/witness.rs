//! Notices when sled's log has lost what it once made durable, before sled is asked.
//!
//! sled reads its log up to the first frame that is not whole and takes the rest for a torn write. That is
//! right after a crash. After damage it is not: the database opens as if sound, mixes rows of different
//! ages, and some reads never return. So after each flush a small file notes, for every log there is, its
//! length and checksum; whatever was noted must still be there at the next start.
//!
//! The note is never synced: it may be old or missing, and then vouches for less.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

const LOG: &str = "log_";
const SNAPSHOT: &str = "snapshot_";

/// By name: what was durable of each log.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    logs: BTreeMap<String, Extent>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Extent {
    bytes: u64,
    checksum: u64,
}

/// Notes what the logs in `dir` hold now, between two flushes.
pub(super) fn note(dir: &Path) -> io::Result<()> {
    let mut note = Note::default();
    for name in names(dir)?.into_iter().filter(|name| name.starts_with(LOG)) {
        match fs::read(metadata(dir).join(&name)) {
            Ok(held) => {
                let bytes = u64::try_from(held.len()).unwrap_or(u64::MAX);
                note.logs.insert(name, Extent { bytes, checksum: xxh3_64(&held) });
            }
            // Compacted into a snapshot meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => (),
            Err(error) => return Err(error),
        }
    }
    let body = postcard::to_stdvec(&note).map_err(io::Error::other)?;
    fs::write(path(dir), [xxh3_64(&body).to_be_bytes().to_vec(), body].concat())
}

/// Whether something that was noted is gone. Without a sound note there is no doubt.
pub(super) fn contradicts(dir: &Path) -> io::Result<bool> {
    let Some(note) = noted(dir) else { return Ok(false) };
    let names = match names(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        other => other?,
    };
    let compacted = names.iter().filter_map(|name| number(name, SNAPSHOT)).max();
    for (name, extent) in &note.logs {
        let superseded = number(name, LOG).is_some_and(|log| compacted >= Some(log));
        if !superseded && !holds(&metadata(dir).join(name), extent)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn holds(log: &Path, extent: &Extent) -> io::Result<bool> {
    let mut held = Vec::new();
    match fs::File::open(log) {
        Ok(file) => drop(file.take(extent.bytes).read_to_end(&mut held)?),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    Ok(u64::try_from(held.len()) == Ok(extent.bytes) && xxh3_64(&held) == extent.checksum)
}

fn noted(dir: &Path) -> Option<Note> {
    let row = fs::read(path(dir)).ok()?;
    let (checksum, body) = row.split_first_chunk()?;
    (u64::from_be_bytes(*checksum) == xxh3_64(body)).then(|| postcard::from_bytes(body).ok())?
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(metadata(dir))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// sled numbers its files in sixteen hexadecimal digits.
fn number(name: &str, prefix: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix(prefix)?, 16).ok()
}

fn metadata(dir: &Path) -> PathBuf {
    dir.join("metadata")
}

fn path(dir: &Path) -> PathBuf {
    dir.join("witness")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(dir: &Path, name: &str, bytes: &[u8]) {
        fs::create_dir_all(metadata(dir)).unwrap();
        fs::write(metadata(dir).join(name), bytes).unwrap();
    }

    #[test]
    fn a_log_may_grow_or_be_compacted_and_nothing_else() {
        // what becomes of the log "abc" that was noted, whether that is doubted
        check(|_dir| (), false);
        check(|dir| log(dir, "log_000000000000000b", b"abcd"), false);
        check(|dir| log(dir, "log_000000000000000b", b"ab"), true);
        check(|dir| log(dir, "log_000000000000000b", b"abX"), true);
        check(|dir| fs::remove_file(metadata(dir).join("log_000000000000000b")).unwrap(), true);
        check(|dir| fs::remove_dir_all(metadata(dir)).unwrap(), true);
        check(|dir| fs::write(path(dir), b"half a note").unwrap(), false);
        let compact = |dir: &Path, snapshot| {
            fs::remove_file(metadata(dir).join("log_000000000000000b")).unwrap();
            log(dir, snapshot, b"");
        };
        check(|dir| compact(dir, "snapshot_000000000000000b"), false);
        check(|dir| compact(dir, "snapshot_000000000000000a"), true);

        #[track_caller]
        fn check(change: impl Fn(&Path), doubted: bool) {
            let room = tempfile::tempdir().unwrap();
            assert!(!contradicts(room.path()).unwrap(), "nothing was noted");
            log(room.path(), "log_000000000000000b", b"abc");
            note(room.path()).unwrap();
            change(room.path());
            assert_eq!(contradicts(room.path()).unwrap(), doubted);
        }
    }
}
