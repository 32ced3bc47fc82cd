//! A second word on the newest checkpoint, in a small file beside sled's own.
//!
//! It is written after the flush and never synced, so a crash of any kind leaves it at or behind the
//! checkpoint in sled. Only when sled has lost what it once made durable (a damaged or shortened log) is it
//! ahead. That must be known before rows are read: such a database looks sound, mixes old rows with new
//! ones, and some of its reads never return.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::checkpoint::Checkpoint;

/// Leaves word of a checkpoint that is durable.
pub(super) fn leave(dir: &Path, checkpoint: Checkpoint) -> io::Result<()> {
    fs::write(path(dir), checkpoint.to_bytes())
}

/// Whether `held`, sled's own checkpoint, lies before the word that was left. No word, no doubt.
pub(super) fn contradicts(dir: &Path, held: Option<Checkpoint>) -> bool {
    let left = fs::read(path(dir)).ok().and_then(|row| Checkpoint::from_bytes(&row).ok());
    left.is_some_and(|left| held.is_none_or(|held| held.next_offset < left.next_offset))
}

fn path(dir: &Path) -> PathBuf {
    dir.join("checkpoint")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_checkpoint_behind_the_word_is_contradicted() {
        let room = tempfile::tempdir().unwrap();
        assert!(!contradicts(room.path(), None), "nothing was said");
        leave(room.path(), Checkpoint::at(5)).unwrap();
        assert!(contradicts(room.path(), None));
        assert!(contradicts(room.path(), Some(Checkpoint::at(4))));
        assert!(!contradicts(room.path(), Some(Checkpoint::at(5))));
        assert!(!contradicts(room.path(), Some(Checkpoint::at(6))), "killed before it was said");
        fs::write(path(room.path()), b"half").unwrap();
        assert!(!contradicts(room.path(), None), "half a word is none");
    }
}
