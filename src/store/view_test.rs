//! Rows, timers and checkpoints of one store, on a real database that goes away.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn temporary() -> Store {
    Store::temporary(&StoreSettings::default()).unwrap()
}

fn set(key: &str, value: &str, due_at_ms: Option<u64>) -> RowChange {
    RowChange { key: key.into(), value: Some(value.into()), due_at_ms }
}

fn delete(key: &str) -> RowChange {
    RowChange { key: key.into(), value: None, due_at_ms: None }
}

fn timers(store: &Store) -> Vec<(u64, String)> {
    let due = store.timers_due(u64::MAX, 100).unwrap();
    due.into_iter().map(|(due_ms, key)| (due_ms, String::from_utf8(key).unwrap())).collect()
}

#[test]
fn what_is_written_is_read_and_what_is_deleted_is_gone() {
    let store = temporary();
    store.write(&[set("a", "1", None), set("b", "2", None)], Checkpoint::at(1)).unwrap();
    assert_eq!(store.get(b"a").unwrap(), Some(b"1".to_vec()));
    store
        .write(&[delete("a"), delete("never was"), set("b", "", None)], Checkpoint::at(2))
        .unwrap();
    assert_eq!(store.get(b"a").unwrap(), None);
    assert_eq!(store.get(b"b").unwrap(), Some(Vec::new()), "empty is not absent");
}

#[test]
fn the_last_change_of_a_key_in_a_write_counts() {
    let store = temporary();
    let rows = [set("a", "1", Some(5)), set("b", "1", None), set("a", "2", Some(6)), delete("b")];
    store.write(&rows, Checkpoint::at(1)).unwrap();
    assert_eq!(store.get(b"a").unwrap(), Some(b"2".to_vec()));
    assert_eq!(store.get(b"b").unwrap(), None);
    assert_eq!(timers(&store), [(6, "a".to_owned())]);
}

#[test]
fn a_key_has_one_timer_and_it_moves_with_its_row() {
    // the change of "a" after it was due at 5, timers after that
    check(set("a", "2", Some(9)), &[9]);
    check(set("a", "2", Some(5)), &[5]);
    check(set("a", "2", None), &[]);
    check(delete("a"), &[]);
    check(RowChange { due_at_ms: Some(9), ..delete("a") }, &[]);

    #[track_caller]
    fn check(change: RowChange, expected: &[u64]) {
        let store = temporary();
        store.write(&[set("a", "1", Some(5))], Checkpoint::at(1)).unwrap();
        store.write(&[change], Checkpoint::at(2)).unwrap();
        let due: Vec<u64> = timers(&store).into_iter().map(|(due_ms, _key)| due_ms).collect();
        assert_eq!(due, expected);
    }
}

#[test]
fn timers_come_by_due_time_up_to_the_moment_asked_for() {
    let store = temporary();
    let rows = [
        set("c", "", Some(1)),
        set("a", "", Some(3)),
        set("b", "", Some(2)),
        set("d", "", Some(2)),
    ];
    store.write(&rows, Checkpoint::at(1)).unwrap();
    let due = |until_ms, limit| store.timers_due(until_ms, limit).unwrap();
    assert_eq!(due(2, 10), [(1, b"c".to_vec()), (2, b"b".to_vec()), (2, b"d".to_vec())]);
    assert_eq!(due(2, 2).len(), 2);
    assert_eq!(due(0, 10), []);
    assert_eq!(due(9, 0), []);
}

#[test]
fn a_prefix_scan_shows_its_own_keys_in_order() {
    let store = temporary();
    let rows = ["b", "ab", "a", "aa", "\u{7f}"].map(|key| set(key, key, Some(1)));
    store.write(&rows, Checkpoint::at(1)).unwrap();
    let keys = |prefix: &[u8], limit| -> Vec<Vec<u8>> {
        store.scan_prefix(prefix, limit).unwrap().into_iter().map(|(key, _value)| key).collect()
    };
    assert_eq!(keys(b"a", 10), [&b"a"[..], b"aa", b"ab"]);
    assert_eq!(keys(b"a", 2), [&b"a"[..], b"aa"]);
    assert_eq!(keys(b"", 10).len(), 5, "state alone: no timer, no checkpoint");
    assert_eq!(keys(b"c", 10), [&b""[..]; 0]);
}

#[test]
fn a_write_larger_than_a_batch_and_a_flush_is_whole() {
    let settings = StoreSettings { batch_rows: 7, flush_rows: 50, ..StoreSettings::default() };
    let store = Store::temporary(&settings).unwrap();
    let rows: Vec<RowChange> =
        (0..333_u64).map(|n| set(&format!("{n:04}"), "v", Some(n))).collect();
    store.write(&rows, Checkpoint::at(1)).unwrap();
    assert_eq!(store.scan_prefix(b"", 1000).unwrap().len(), 333);
    assert_eq!(store.timers_due(u64::MAX, 1000).unwrap().len(), 333);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// ST-3, and that the store is a map: random writes against a `BTreeMap`.
    #[test]
    fn a_store_is_a_map_with_an_index_of_timers(
        writes in prop::collection::vec(
            prop::collection::vec((0_u8..20, prop::option::of(any::<u8>()), prop::option::of(0_u64..9)), 0..30),
            1..6,
        )
    ) {
        let store = temporary();
        let mut model: BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)> = BTreeMap::new();
        for (n, write) in writes.iter().enumerate() {
            let mut rows = Vec::new();
            for (key, value, due_at_ms) in write {
                let (key, value) = (vec![*key], value.map(|byte| vec![byte]));
                match &value {
                    Some(value) => drop(model.insert(key.clone(), (value.clone(), *due_at_ms))),
                    None => drop(model.remove(&key)),
                }
                rows.push(RowChange { key, value, due_at_ms: *due_at_ms });
            }
            store.write(&rows, Checkpoint::at(n as u64)).unwrap();
        }
        let stored = store.scan_prefix(&[], 1000).unwrap();
        let expected: Vec<KeyValue> =
            model.iter().map(|(key, (value, _due))| (key.clone(), value.clone())).collect();
        prop_assert_eq!(stored, expected);
        let mut due: Vec<(u64, Vec<u8>)> =
            model.iter().filter_map(|(key, (_value, due))| Some(((*due)?, key.clone()))).collect();
        due.sort();
        prop_assert_eq!(store.timers_due(u64::MAX, 1000).unwrap(), due);
    }
}

/// Emptied leaves are merged while another thread reads: where this sled is said to deadlock.
#[test]
fn many_rows_are_deleted_under_a_reader_without_standing_still() {
    let (done, finished) = mpsc::channel();
    thread::spawn(move || {
        let store =
            Store::temporary(&StoreSettings { cache_bytes: 1 << 20, ..StoreSettings::default() });
        let store = store.unwrap();
        let key = |n: u32| format!("{:08x}", n.wrapping_mul(0x9E37_79B1));
        let value = "v".repeat(100);
        let rows: Vec<RowChange> =
            (0..20_000).map(|n| set(&key(n), &value, Some(u64::from(n)))).collect();
        store.write(&rows, Checkpoint::at(1)).unwrap();
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while store.get(key(19_999).as_bytes()).unwrap().is_some() {
                    for n in (0..20_000).step_by(37) {
                        store.get(key(n).as_bytes()).unwrap();
                    }
                    store.timers_due(1000, 100).unwrap();
                }
            });
            for part in (0..20_000_u32).collect::<Vec<_>>().chunks(2000) {
                let rows: Vec<RowChange> = part.iter().map(|n| delete(&key(*n))).collect();
                store.write(&rows, Checkpoint::at(u64::from(part[0]) + 2)).unwrap();
            }
            reader.join().unwrap();
        });
        assert_eq!(store.scan_prefix(b"", 10).unwrap(), []);
        assert_eq!(store.timers_due(u64::MAX, 10).unwrap(), []);
        done.send(()).unwrap();
    });
    finished.recv_timeout(Duration::from_secs(120)).expect("deletion stands still or failed");
}

/// However many timers wait, a look costs what is due: the index is on disk, and memory holds the cache alone.
#[test]
fn a_few_due_timers_are_found_among_many_that_wait() {
    const WAITING: u64 = 60_000;
    const DUE: u64 = 1_500;
    let room = tempfile::tempdir().unwrap();
    let settings = StoreSettings { cache_bytes: 8 << 20, ..StoreSettings::default() };
    let open = || match Store::open(&room.path().join("p0"), &settings).unwrap() {
        Opened::Fresh(store) | Opened::Resumed(store, _) => store,
        Opened::Quarantined { reason, .. } => panic!("{reason}"),
    };
    let store = open();
    let row = |n: u64| RowChange {
        key: n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes().into(),
        value: Some(vec![7; 200]),
        due_at_ms: Some(if n < DUE { n } else { 1_000_000 + n }),
    };
    for part in (0..WAITING).step_by(20_000) {
        let rows: Vec<RowChange> = (part..WAITING.min(part + 20_000)).map(row).collect();
        store.write(&rows, Checkpoint::at(part + 1)).unwrap();
    }
    store.close().unwrap();
    let store = open();
    let due: Vec<u64> =
        store.timers_due(999_999, 1_000).unwrap().into_iter().map(|(due, _key)| due).collect();
    assert_eq!(due, (0..1_000).collect::<Vec<_>>(), "the earliest, and no more than asked for");
    assert_eq!(store.timers_due(999_999, usize::MAX).unwrap().len(), usize::try_from(DUE).unwrap());
}

#[test]
fn a_store_that_is_opened_anew_again_and_again_holds_the_same() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Opened::Fresh(store) = Store::open(other.path(), &StoreSettings::default()).unwrap() else {
        panic!()
    };
    store.write(&[set("k", "1", None)], Checkpoint::at(1)).unwrap();
    assert!(store.worn() > 0, "what was written stays in memory");
    let settings = StoreSettings { leaves_max: 0, ..StoreSettings::default() };
    let Opened::Fresh(store) = Store::open(dir.path(), &settings).unwrap() else { panic!() };
    for round in 0..4_u64 {
        let rows: Vec<RowChange> = (0..300_u64)
            .map(|n| RowChange {
                key: format!("k{n:03}").into_bytes(),
                value: (n % 4 != round || round == 3).then(|| format!("{round}").into_bytes()),
                due_at_ms: Some(1_000 * round + n),
            })
            .collect();
        store.write(&rows, Checkpoint::at(round)).unwrap();
        assert_eq!(store.worn(), 0, "and here it was given back");
    }
    let (due, rows) = (store.timers_due(9_999, 1_000), store.scan_prefix(b"k", 1_000));
    assert_eq!((due.unwrap().len(), rows.unwrap().len()), (300, 300));
    assert_eq!(store.get(b"k007").unwrap(), Some(b"3".to_vec()));
    store.close().unwrap();
    let again = Store::open(dir.path(), &settings).unwrap();
    assert!(matches!(again, Opened::Resumed(_, checkpoint) if checkpoint == Checkpoint::at(3)));
}
