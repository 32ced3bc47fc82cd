//! Whatever lies in a store's directory, a start gets a store: resumed if sound, fresh beside it if not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::db::{Db, Put};
use super::key::Key;
use super::*;

fn room() -> (TempDir, PathBuf) {
    let room = tempfile::tempdir().unwrap();
    let dir = room.path().join("p0");
    (room, dir)
}

fn rows(count: u32) -> Vec<RowChange> {
    let row = |n: u32| RowChange {
        key: format!("key-{n:06}").into_bytes(),
        value: Some(n.to_be_bytes().repeat(30)),
        due_at_ms: None,
    };
    (0..count).map(row).collect()
}

/// The store of a place where nothing is.
#[track_caller]
fn fresh(dir: &Path) -> Store {
    let Opened::Fresh(store) = Store::open(dir, &StoreSettings::default()).unwrap() else {
        panic!("not fresh")
    };
    store
}

fn filled(dir: &Path) {
    let store = fresh(dir);
    store.write(&rows(2000), Checkpoint::at(42)).unwrap();
    store.close().unwrap();
}

#[track_caller]
fn is_quarantined(dir: &Path, because: &str) -> PathBuf {
    match Store::open(dir, &StoreSettings::default()).unwrap() {
        Opened::Quarantined { store, reason, moved_to, .. } => {
            assert!(reason.contains(because), "{reason}");
            assert!(moved_to.exists());
            assert_eq!(store.scan_prefix(b"", 1).unwrap(), [], "the store in its place is empty");
            store.write(&rows(3), Checkpoint::at(7)).unwrap();
            store.close().unwrap();
            let again = Store::open(dir, &StoreSettings::default()).unwrap();
            assert!(
                matches!(again, Opened::Resumed(_, checkpoint) if checkpoint == Checkpoint::at(7))
            );
            moved_to
        }
        other @ (Opened::Fresh(_) | Opened::Resumed(..)) => panic!("taken for sound: {other:?}"),
    }
}

/// One row behind the store's back.
fn plant(dir: &Path, key: Vec<u8>, value: Vec<u8>) {
    let db = Db::open(dir, 1 << 20).unwrap();
    db.put(vec![Put { key, value }]).unwrap();
    db.flush().unwrap();
}

/// Files below `dir` that hold anything, largest first.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.retain(|path| fs::metadata(path).unwrap().len() > 0);
    found.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    found
}

#[test]
fn a_closed_store_resumes_at_its_checkpoint_with_its_rows() {
    let (_room, dir) = room();
    filled(&dir);
    let Opened::Resumed(store, checkpoint) = Store::open(&dir, &StoreSettings::default()).unwrap()
    else {
        panic!("not resumed")
    };
    assert_eq!(checkpoint, Checkpoint::at(42));
    assert_eq!(store.scan_prefix(b"", 5000).unwrap().len(), 2000);
    assert!(store.stats().unwrap().disk_bytes > 0);
    store.destroy().unwrap();
    assert!(!dir.exists());
}

#[test]
fn a_store_that_was_opened_and_never_written_is_fresh_again() {
    let (_room, dir) = room();
    for _ in 0..2 {
        let opened = Store::open(&dir, &StoreSettings::default()).unwrap();
        assert!(matches!(&opened, Opened::Fresh(_)), "{opened:?}");
    }
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_not_believed() {
    let sound = Checkpoint::at(42).to_bytes();
    for (planted, because) in [
        ([&sound[..3], &[sound[3] ^ 1], &sound[4..]].concat(), "checksum"),
        (sound[..10].to_vec(), "checksum"),
        (of_another_layout(&sound), "layout"),
    ] {
        let (_room, dir) = room();
        filled(&dir);
        plant(&dir, Key::Checkpoint.to_bytes(), planted);
        is_quarantined(&dir, because);
    }
}

/// Sound in itself, written by another build.
fn of_another_layout(checkpoint: &[u8]) -> Vec<u8> {
    let mut row = checkpoint[..checkpoint.len() - 8].to_vec();
    row[9] = row[9].wrapping_add(1);
    let checksum = xxhash_rust::xxh3::xxh3_64(&row);
    [row, checksum.to_be_bytes().to_vec()].concat()
}

#[test]
fn a_checkpoint_is_believed_between_the_changelogs_ends_and_while_deletions_are_kept() {
    // offset and time of the checkpoint, what is said against it where 10..=50 and 1 000..=2 000 are believed
    check(Checkpoint::at(42).true_at(1_500), None);
    check(Checkpoint::at(10).true_at(1_000), None);
    check(Checkpoint::at(50).true_at(2_000), None);
    check(Checkpoint::at(51).true_at(1_500), Some(Doubt::BeyondEnd));
    check(Checkpoint::at(9).true_at(1_500), Some(Doubt::BelowStart));
    check(Checkpoint::at(42).true_at(999), Some(Doubt::Stale));
    check(Checkpoint::at(42).true_at(2_001), Some(Doubt::Stale));
    check(Checkpoint::at(42), Some(Doubt::Unfinished));

    #[track_caller]
    fn check(checkpoint: Checkpoint, expected: Option<Doubt>) {
        let (_room, dir) = room();
        let Opened::Fresh(store) = Store::open(&dir, &StoreSettings::default()).unwrap() else {
            panic!("not fresh")
        };
        store.write(&rows(3), checkpoint).unwrap();
        store.close().unwrap();
        let trusted = Trusted { start: 10, end: 50, since_ms: 1_000, until_ms: 2_000 };
        let settings = StoreSettings { trusted, ..StoreSettings::default() };
        let found = match Store::open(&dir, &settings).unwrap() {
            Opened::Fresh(_) => panic!("empty"),
            Opened::Resumed(_, resumed) => {
                assert_eq!(resumed, checkpoint);
                None
            }
            Opened::Quarantined { store, doubt, .. } => {
                assert_eq!(store.scan_prefix(b"", 1).unwrap(), [], "nothing of it is seen");
                Some(doubt)
            }
        };
        assert_eq!(found, expected, "{checkpoint:?}");
    }
}

#[test]
fn what_was_met_at_opening_has_a_name() {
    // what is done to a sound store, the doubt it raises
    check(|dir| plant(dir, Key::Checkpoint.to_bytes(), vec![1, 2, 3]), Doubt::Damaged);
    check(
        |dir| {
            let row = of_another_layout(&Checkpoint::at(42).to_bytes());
            plant(dir, Key::Checkpoint.to_bytes(), row);
        },
        Doubt::Layout,
    );
    check(
        |dir| {
            fs::remove_dir_all(dir).unwrap();
            fs::write(dir, b"garbage").unwrap();
        },
        Doubt::Unopenable,
    );

    #[track_caller]
    fn check(harm: impl Fn(&Path), expected: Doubt) {
        let (_room, dir) = room();
        filled(&dir);
        harm(&dir);
        match Store::open(&dir, &StoreSettings::default()).unwrap() {
            Opened::Quarantined { doubt, .. } => assert_eq!(doubt, expected),
            other @ (Opened::Fresh(_) | Opened::Resumed(..)) => panic!("taken: {other:?}"),
        }
    }
}

#[test]
fn rows_without_a_checkpoint_are_not_believed() {
    let (_room, dir) = room();
    plant(&dir, Key::State(b"a").to_bytes(), vec![0]);
    is_quarantined(&dir, "without a checkpoint");
}

#[test]
fn a_file_in_the_place_of_the_directory_is_moved_aside() {
    let (_room, dir) = room();
    fs::write(&dir, b"garbage").unwrap();
    is_quarantined(&dir, "opening");
}

#[test]
fn a_store_held_by_another_handle_is_left_to_it() {
    let (_room, dir) = room();
    let Opened::Fresh(held) = Store::open(&dir, &StoreSettings::default()).unwrap() else {
        panic!("not fresh")
    };
    held.write(&rows(10), Checkpoint::at(1)).unwrap();
    is_quarantined(&dir, "opening");
    held.write(&rows(20), Checkpoint::at(2)).unwrap();
    assert_eq!(held.scan_prefix(b"", 100).unwrap().len(), 20, "under its new name it goes on");
}

#[test]
fn too_slow_an_open_sets_the_directory_aside() {
    let (_room, dir) = room();
    filled(&dir);
    let hasty = StoreSettings { open_timeout: Duration::ZERO, ..StoreSettings::default() };
    let opened = Store::open(&dir, &hasty).unwrap();
    let Opened::Quarantined { store, doubt: Doubt::TooSlow, .. } = opened else {
        panic!("{opened:?}")
    };
    // The fresh one is made when it is written to, and is too slow as well: there is no third way.
    let error = store.write(&[], Checkpoint::at(1)).unwrap_err();
    assert!(matches!(error, Error::OpenTooSlow { .. }), "{error}");
    assert_eq!(error.remedy(), Remedy::Rebuild);
}

#[test]
fn a_store_that_holds_nothing_has_no_files_before_it_is_written_to() {
    let (_room, dir) = room();
    let files = || fs::read_dir(&dir).unwrap().count();
    let store = fresh(&dir);
    assert_eq!(files(), 0, "the place is there, and empty");
    assert_eq!(store.get(b"k").unwrap(), None);
    assert_eq!(store.scan_prefix(b"", 9).unwrap(), []);
    assert_eq!(store.timers_due(u64::MAX, 9).unwrap(), []);
    assert_eq!(store.stats().unwrap().disk_bytes, 0);
    store.close().unwrap();
    // Closed before a write, it is as new.
    let store = fresh(&dir);
    let row = RowChange { key: b"k".into(), value: Some(b"v".into()), due_at_ms: Some(7) };
    store.write(&[row], Checkpoint::at(3)).unwrap();
    assert!(files() > 0);
    assert_eq!(store.get(b"k").unwrap(), Some(b"v".to_vec()));
    assert_eq!(store.timers_due(7, 9).unwrap(), [(7, b"k".to_vec())]);
    store.close().unwrap();
    let opened = Store::open(&dir, &StoreSettings::default()).unwrap();
    assert!(matches!(opened, Opened::Resumed(_, Checkpoint { next_offset: 3, .. })), "{opened:?}");
}

/// Two that found the place empty: the second one to write must not mix its rows with the first one's.
#[test]
fn of_two_stores_in_an_empty_place_the_second_to_write_fails() {
    let (_room, dir) = room();
    let (first, second) = (fresh(&dir), fresh(&dir));
    first.write(&[], Checkpoint::at(1)).unwrap();
    // While the first is open its files are locked; afterwards they are somebody else's.
    assert!(matches!(second.write(&[], Checkpoint::at(2)), Err(Error::Io { .. })));
    first.close().unwrap();
    let error = second.write(&[], Checkpoint::at(2)).unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
    assert_eq!(error.remedy(), Remedy::Rebuild);
}

#[test]
fn a_place_that_cannot_be_had_is_known_at_once() {
    let (_room, dir) = room();
    fs::write(&dir, "a file stands here").unwrap();
    let error = Store::open(&dir.join("p0"), &StoreSettings::default()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

#[test]
fn two_set_aside_directories_are_kept() {
    let (_room, dir) = room();
    let mut moved = Vec::new();
    for _ in 0..4 {
        let sound = Checkpoint::at(1).to_bytes();
        plant(&dir, Key::Checkpoint.to_bytes(), sound[1..].to_vec());
        moved.push(is_quarantined(&dir, "checksum"));
    }
    let left: Vec<bool> = moved.iter().map(|path| path.exists()).collect();
    assert_eq!(left, [false, false, true, true]);
}

/// Damage to any file shows at the start, or when it is read, or it cost the newest writes and their
/// checkpoint together. Rows older than their checkpoint, or a start that hangs, are never seen.
#[test]
fn damaged_files_never_show_rows_older_than_the_checkpoint() {
    let (done, finished) = mpsc::channel();
    thread::spawn(move || {
        let (_room, dir) = room();
        rewritten(&dir);
        let count = files(&dir).len();
        assert!(count >= 3, "leaves, log and cookie");
        let damages: [fn(&mut Vec<u8>); 4] = [
            |bytes| bytes.truncate(bytes.len() / 2),
            |bytes| bytes.truncate(bytes.len().saturating_sub(10)),
            |bytes| bytes.iter_mut().skip(5).step_by(61).for_each(|byte| *byte ^= 0x10),
            |bytes| bytes.fill(0xA5),
        ];
        for damage in damages {
            for n in 0..count {
                check(damage, n);
            }
        }
        done.send(()).unwrap();
    });
    finished.recv_timeout(Duration::from_secs(120)).expect("a read hangs, or a check failed");

    /// Every row again and again, so that freed places on disk are used anew.
    fn rewritten(dir: &Path) {
        let Opened::Fresh(store) = Store::open(dir, &StoreSettings::default()).unwrap() else {
            panic!("not fresh")
        };
        for stamp in 1..=6 {
            store.write(&stamped(stamp), Checkpoint::at(stamp)).unwrap();
        }
        store.close().unwrap();
    }

    fn stamped(stamp: u64) -> Vec<RowChange> {
        let size = 20 + usize::try_from(stamp % 3).unwrap();
        let restamp = |row| RowChange { value: Some(stamp.to_be_bytes().repeat(size)), ..row };
        rows(1000).into_iter().map(restamp).collect()
    }

    #[track_caller]
    fn check(damage: fn(&mut Vec<u8>), n: usize) {
        let (_room, dir) = room();
        rewritten(&dir);
        let path = files(&dir).swap_remove(n);
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let settings =
            StoreSettings { open_timeout: Duration::from_secs(3), ..StoreSettings::default() };
        match Store::open(&dir, &settings).unwrap() {
            // Fresh: all of it is gone, so all of it is replayed.
            Opened::Quarantined { .. } | Opened::Fresh(_) => (),
            Opened::Resumed(store, checkpoint) => match store.scan_prefix(b"", 5000) {
                Ok(found) => {
                    assert_eq!(found.len(), 1000, "{} after damage", path.display());
                    let oldest = found.iter().map(|(_key, value)| value[7]).min().unwrap();
                    assert!(u64::from(oldest) >= checkpoint.next_offset, "{}", path.display());
                }
                Err(error) => {
                    assert_eq!(error.remedy(), Remedy::Rebuild);
                    assert!(matches!(store.get(b"key-000001"), Err(Error::Broken)));
                    drop(store);
                    let again = Store::open(&dir, &StoreSettings::default()).unwrap();
                    assert!(matches!(again, Opened::Quarantined { .. }), "{again:?}");
                }
            },
        }
    }
}

#[test]
fn a_lock_that_is_given_back_in_a_moment_sets_nothing_aside() {
    let (_room, dir) = room();
    filled(&dir);
    let Opened::Resumed(store, _) = Store::open(&dir, &StoreSettings::default()).unwrap() else {
        panic!("not resumed")
    };
    let holder = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        store.close().unwrap();
    });
    let again = Store::open(&dir, &StoreSettings::default()).unwrap();
    assert!(matches!(again, Opened::Resumed(_, checkpoint) if checkpoint == Checkpoint::at(42)));
    holder.join().unwrap();
}
