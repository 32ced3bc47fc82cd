//! The writer behind the worker: coalescing, reading one's own writes, failing aloud.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;

const LONG: Duration = Duration::from_secs(60);

/// Writes only when told to.
fn patient() -> WriterSettings {
    WriterSettings { interval: LONG * 60, ..WriterSettings::default() }
}

fn lane(settings: WriterSettings) -> (StoreWriter, Lane) {
    let writer = StoreWriter::start(settings, || 0).unwrap();
    let lane = writer.lane(Store::temporary(&StoreSettings::default()).unwrap());
    (writer, lane)
}

fn set(key: &str, value: &str, due_at_ms: Option<u64>) -> RowChange {
    RowChange { key: key.into(), value: Some(value.into()), due_at_ms }
}

fn delete(key: &str) -> RowChange {
    RowChange { key: key.into(), value: None, due_at_ms: None }
}

#[test]
fn what_is_submitted_is_read_before_and_after_it_is_written() {
    let (_writer, lane) = lane(patient());
    lane.submit(vec![set("a", "1", None), set("b", "1", None)], Checkpoint::at(1)).unwrap();
    lane.drain(LONG).unwrap();
    lane.submit(vec![set("a", "2", None), delete("b")], Checkpoint::at(2)).unwrap();
    assert_eq!(lane.progress().pending_rows, 2);
    for _ in 0..2 {
        assert_eq!(lane.get(b"a").unwrap(), Some(b"2".to_vec()));
        assert_eq!(lane.get(b"b").unwrap(), None);
        lane.drain(LONG).unwrap();
    }
    assert_eq!(lane.progress().pending_rows, 0);
}

#[test]
fn scans_and_timers_show_pending_over_stored() {
    let (_writer, lane) = lane(patient());
    let stored = ["a1", "a2", "a3", "b"].map(|key| set(key, "old", Some(5)));
    lane.submit(stored.to_vec(), Checkpoint::at(1)).unwrap();
    lane.drain(LONG).unwrap();
    let pending = vec![delete("a1"), set("a2", "new", Some(9)), set("a0", "new", Some(4))];
    lane.submit(pending, Checkpoint::at(2)).unwrap();
    for _ in 0..2 {
        let scanned = lane.scan_prefix(b"a", 2).unwrap();
        assert_eq!(scanned, [("a0", "new"), ("a2", "new")].map(|(k, v)| (k.into(), v.into())));
        assert_eq!(lane.scan_prefix(b"a", 9).unwrap().len(), 3);
        let due = |until_ms, limit| lane.timers_due(until_ms, limit).unwrap();
        assert_eq!(due(8, 9), [(4, "a0"), (5, "a3"), (5, "b")].map(|(due, k)| (due, k.into())));
        assert_eq!(due(8, 1), [(4, b"a0".to_vec())]);
        assert_eq!(due(9, 9).len(), 4);
        lane.drain(LONG).unwrap();
    }
}

#[test]
fn stale_timers_do_not_hide_those_behind_them() {
    let (_writer, lane) = lane(patient());
    let stored: Vec<RowChange> = (0..50).map(|n| set(&format!("{n:02}"), "", Some(n))).collect();
    lane.submit(stored, Checkpoint::at(1)).unwrap();
    lane.drain(LONG).unwrap();
    let moved = (0..45).map(|n| set(&format!("{n:02}"), "", Some(1000 + n))).collect();
    lane.submit(moved, Checkpoint::at(2)).unwrap();
    let due: Vec<u64> = lane.timers_due(999, 4).unwrap().into_iter().map(|(due, _)| due).collect();
    assert_eq!(due, [45, 46, 47, 48]);
}

#[test]
fn one_write_carries_the_newest_value_and_the_newest_checkpoint() {
    let (writer, lane) = lane(patient());
    for n in 0..100 {
        lane.submit(vec![set("a", &n.to_string(), None)], Checkpoint::at(n)).unwrap();
    }
    assert_eq!((lane.progress().pending_rows, writer.pending_bytes()), (1, 3));
    lane.drain(LONG).unwrap();
    assert_eq!(lane.progress().checkpoint, Some(Checkpoint::at(99)));
    let store = lane.close(LONG).unwrap();
    assert_eq!(store.get(b"a").unwrap(), Some(b"99".to_vec()));
}

#[test]
fn a_checkpoint_moves_forward_only() {
    let (_writer, lane) = lane(patient());
    lane.submit(vec![], Checkpoint::at(5)).unwrap();
    let error = lane.submit(vec![set("a", "1", None)], Checkpoint::at(4)).unwrap_err();
    assert!(matches!(error, Error::CheckpointBackwards { held: 5, given: 4 }), "{error}");
    assert_eq!(lane.get(b"a").unwrap(), None, "nothing was taken");
    lane.submit(vec![set("a", "1", None)], Checkpoint::at(5)).unwrap();
}

#[test]
fn a_worker_that_reads_while_it_is_written_never_sees_an_older_value() {
    let settings = WriterSettings { interval: Duration::ZERO, ..WriterSettings::default() };
    let (_writer, lane) = lane(settings);
    for round in 0..300_u64 {
        let change = |n: u64| set(&n.to_string(), &round.to_string(), Some(round));
        lane.submit((0..20).map(change).collect(), Checkpoint::at(round)).unwrap();
        for n in 0..20_u64 {
            let found = lane.get(n.to_string().as_bytes()).unwrap();
            assert_eq!(found, Some(round.to_string().into_bytes()));
        }
        let due = lane.timers_due(u64::MAX, 100).unwrap();
        assert_eq!(due.len(), 20);
        assert!(due.iter().all(|(due_ms, _key)| *due_ms == round), "round {round}: {due:?}");
    }
}

#[test]
fn lanes_share_a_thread_and_nothing_else() {
    let writer = StoreWriter::start(patient(), || 0).unwrap();
    let lanes = [1, 2].map(|n| {
        let lane = writer.lane(Store::temporary(&StoreSettings::default()).unwrap());
        lane.submit(vec![set("a", &n.to_string(), None)], Checkpoint::at(n)).unwrap();
        lane
    });
    for (lane, n) in lanes.into_iter().zip(["1", "2"]) {
        let store = lane.close(LONG).unwrap();
        assert_eq!(store.get(b"a").unwrap(), Some(n.into()));
    }
    assert_eq!(writer.pending_bytes(), 0);
}

#[test]
fn a_full_lane_writes_before_its_time() {
    let settings = WriterSettings { write_bytes: 1000, pending_bytes_max: 2000, ..patient() };
    let (_writer, lane) = lane(settings);
    for n in 0..100 {
        let change = set(&n.to_string(), &"v".repeat(500), None);
        lane.submit(vec![change], Checkpoint::at(n)).unwrap();
        assert!(lane.pending_bytes() <= 2000 + 502);
    }
    assert!(lane.progress().checkpoint.is_some());
}

#[test]
fn a_writer_that_stands_still_is_seen_and_refuses() {
    let clock = Arc::new(AtomicU64::new(100));
    let told = Arc::clone(&clock);
    let settings =
        WriterSettings { pending_bytes_max: 1, submit_wait: Duration::ZERO, ..patient() };
    let writer = StoreWriter::start(settings, move || told.load(Ordering::SeqCst)).unwrap();
    let lane = writer.lane(Store::temporary(&StoreSettings::default()).unwrap());
    assert!(!lane.progress().stands_still(u64::MAX, LONG), "nothing to do is not standing still");
    lane.submit(vec![set("a", "1", None)], Checkpoint::at(1)).unwrap();
    assert_eq!(lane.progress().behind_since_ms, Some(100));
    assert!(!lane.progress().stands_still(100 + 60_000, LONG));
    assert!(lane.progress().stands_still(100 + 60_001, LONG));
    let error = lane.submit(vec![set("b", "1", None)], Checkpoint::at(2)).unwrap_err();
    assert_eq!(error.remedy(), Remedy::Wait, "{error}");
    clock.store(200, Ordering::SeqCst);
    lane.drain(LONG).unwrap();
    assert_eq!(lane.progress().last_progress_ms, Some(200));
    assert_eq!(lane.progress().behind_since_ms, None);
}

#[test]
fn a_dropped_writer_writes_what_is_pending_once_more() {
    let (writer, lane) = lane(patient());
    lane.submit(vec![set("a", "1", None)], Checkpoint::at(1)).unwrap();
    drop(writer);
    lane.drain(LONG).unwrap();
    assert_eq!(lane.progress().checkpoint, Some(Checkpoint::at(1)));
}

#[test]
fn replayed_rows_are_read_at_once_under_what_comes_later_and_written_when_somebody_hurries() {
    let (writer, lane) = lane(patient());
    writer.hold_back(true);
    let mut rows = Gathered::default();
    for (key, value) in [("b", "1"), ("a", "1"), ("b", "2"), ("c", "1")] {
        rows.push(key.as_bytes(), Some(value.as_bytes()), Some(5));
    }
    lane.load(rows, Checkpoint::at(4)).unwrap();
    lane.submit(vec![set("a", "2", Some(7)), delete("c")], Checkpoint::at(6)).unwrap();
    let timers = |until_ms| lane.timers_due(until_ms, 9).unwrap();
    for _ in 0..2 {
        assert_eq!(lane.get(b"a").unwrap(), Some(b"2".to_vec()));
        assert_eq!(lane.get(b"b").unwrap(), Some(b"2".to_vec()));
        assert_eq!(lane.get(b"c").unwrap(), None);
        let scanned = lane.scan_prefix(b"", 9).unwrap();
        assert_eq!(scanned, [("a", "2"), ("b", "2")].map(|(k, v)| (k.into(), v.into())));
        assert_eq!(timers(5), [(5, b"b".to_vec())]);
        assert_eq!(timers(9), [(5, b"b".to_vec()), (7, b"a".to_vec())]);
        lane.drain(LONG).unwrap();
    }
    assert_eq!(lane.progress().checkpoint, Some(Checkpoint::at(6)));
    assert_eq!(lane.progress().pending_rows, 0);
    lane.load(Gathered::default(), Checkpoint::at(9)).unwrap();
    lane.drain(LONG).unwrap();
    assert_eq!(
        lane.progress().checkpoint,
        Some(Checkpoint::at(9)),
        "nothing to replay is news, too"
    );
    let back = lane.load(Gathered::default(), Checkpoint::at(8));
    assert!(matches!(back, Err(Error::CheckpointBackwards { held: 9, given: 8 })));
}

#[test]
fn while_it_is_held_back_nothing_is_written() {
    let often = WriterSettings { interval: Duration::from_millis(1), ..WriterSettings::default() };
    let (writer, lane) = lane(often);
    writer.hold_back(true);
    lane.submit(vec![set("a", "1", None)], Checkpoint::at(1)).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(lane.progress().checkpoint, None);
    writer.hold_back(false);
    while lane.progress().checkpoint.is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(lane.progress().checkpoint, Some(Checkpoint::at(1)));
}

#[test]
fn a_lane_that_is_let_go_gives_back_the_store_as_it_was_written() {
    let (_writer, lane) = lane(patient());
    lane.submit(vec![set("a", "1", None)], Checkpoint::at(1)).unwrap();
    lane.drain(LONG).unwrap();
    lane.submit(vec![set("a", "2", None)], Checkpoint::at(2)).unwrap();
    let store = lane.let_go(LONG).unwrap();
    assert_eq!(store.get(b"a").unwrap(), Some(b"1".to_vec()));
}
