//! Processes that die: killed in the middle of writing, or with no room left to write.
//!
//! The test binary runs itself again with [`DIR`] set; the child's test then writes until it is ended.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::*;

const DIR: &str = "DMSTREAM_STORE_TEST_DIR";
const KEYS: u64 = 4000;
const GROUPS: u64 = 4;

/// Write `stamp` sets the keys `n % GROUPS == stamp % GROUPS`, deletes every seventh of them.
fn change(n: u64, stamp: u64) -> RowChange {
    let present = !(n / GROUPS + stamp / GROUPS).is_multiple_of(7);
    let value = present.then(|| stamp.to_be_bytes().repeat(25));
    let key = format!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).into_bytes();
    RowChange { key, due_at_ms: present.then_some(stamp), value }
}

fn group(stamp: u64) -> Vec<RowChange> {
    (0..KEYS).filter(|n| n % GROUPS == stamp % GROUPS).map(|n| change(n, stamp)).collect()
}

fn open(dir: &Path) -> (Store, u64) {
    match Store::open(dir, &StoreSettings::default()).unwrap() {
        Opened::Fresh(store) => (store, 0),
        Opened::Resumed(store, checkpoint) => (store, checkpoint.next_offset),
        Opened::Quarantined { reason, .. } => panic!("{reason}"),
    }
}

/// This test binary again, at one test, with a directory to write in.
fn child(test: &str, dir: &Path, shell: &str) -> Child {
    let binary = std::env::current_exe().unwrap();
    let script = format!("{shell} exec \"$0\" --exact --nocapture \"store::crash_test::{test}\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(binary).env(DIR, dir);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn dir_given() -> Option<std::path::PathBuf> {
    std::env::var_os(DIR).map(Into::into)
}

/// The child's part of the next test; alone it does nothing.
#[test]
fn writes_until_killed() {
    let Some(dir) = dir_given() else { return };
    let (store, checkpoint) = open(&dir);
    for stamp in checkpoint + 1.. {
        store.write(&group(stamp), Checkpoint::at(stamp)).unwrap();
        announce(&format!("written {stamp}"));
    }
}

/// ST-1: whenever it dies, what its checkpoint speaks for is there, and nothing older.
#[test]
fn a_killed_store_has_everything_up_to_its_checkpoint() {
    let room = tempfile::tempdir().unwrap();
    let dir = room.path().join("p0");
    let mut before = 0;
    for round in 0..10_u64 {
        let mut child = child("writes_until_killed", &dir, "");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = 0;
        // A few whole writes, then a kill somewhere in the next.
        while said < before + 3 {
            let line = lines.next().expect("the child ended by itself").unwrap();
            if let Some((_text, stamp)) = line.split_once("written ") {
                said = stamp.parse().unwrap();
            }
        }
        std::thread::sleep(Duration::from_millis(round * 3));
        child.kill().unwrap();
        child.wait().unwrap();
        let (store, checkpoint) = open(&dir);
        assert!(checkpoint >= said, "said {said}, holds {checkpoint}");
        check(&store, checkpoint);
        before = checkpoint;
        store.close().unwrap();
    }

    #[track_caller]
    fn check(store: &Store, checkpoint: u64) {
        let mut timers = 0;
        for n in 0..KEYS {
            // The newest write at or below the checkpoint that touched this key.
            let back = (checkpoint + GROUPS - n % GROUPS) % GROUPS;
            let Some(stamp) = checkpoint.checked_sub(back).filter(|stamp| *stamp > 0) else {
                continue;
            };
            let found = store.get(&change(n, 0).key).unwrap();
            let at = |stamp| change(n, stamp).value;
            assert!(found == at(stamp) || found == at(stamp + GROUPS), "key {n} at {checkpoint}");
            timers += usize::from(found.is_some());
        }
        let due = store.timers_due(u64::MAX, usize::MAX).unwrap();
        assert_eq!(due.len(), timers, "a timer for each row that has one");
    }
}

/// The child's part of the next test; alone it does nothing.
#[test]
fn writes_until_the_disk_is_full() {
    let Some(dir) = dir_given() else { return };
    let (store, _checkpoint) = open(&dir);
    let writer = StoreWriter::start(WriterSettings::default(), || 0).unwrap();
    let lane = writer.lane(store);
    let error = (1_u64..).find_map(|stamp| {
        let row = |n: u64| RowChange {
            key: (stamp * 1000 + n).to_be_bytes().into(),
            value: Some(
                (0..5000_u64)
                    .flat_map(|m| (m * n * stamp).wrapping_mul(0x9E37_79B9).to_le_bytes())
                    .collect(),
            ),
            due_at_ms: None,
        };
        let submitted = lane.submit((0..50).map(row).collect(), Checkpoint::at(stamp));
        submitted.and_then(|()| lane.drain(Duration::from_secs(30))).err()
    });
    let error = error.unwrap();
    assert_eq!(error.remedy(), Remedy::FreeSpace, "{error:?}");
    assert!(lane.get(b"any").is_err(), "a failed lane answers nothing");
    drop((lane, writer));
    announce("failed aloud");
}

#[test]
fn a_full_disk_is_an_error_and_not_an_abort() {
    let room = tempfile::tempdir().unwrap();
    let dir = room.path().join("p0");
    // A bound on the size of files, in blocks of 512 bytes, with its signal ignored, is a full disk.
    let child = child("writes_until_the_disk_is_full", &dir, "trap '' XFSZ; ulimit -f 8000;");
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("failed aloud"),
        "{:?}: {text}",
        output.status
    );
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn announce(line: &str) {
    println!("{line}");
}
