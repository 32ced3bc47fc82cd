//! Stores on a disk in memory: what a start finds after a crash, a loss, a damage, or beside somebody else.

use std::path::Path;

use super::*;

const HERE: &str = "m0/route/0";

fn disk() -> MemoryDisk {
    let store = StoreSettings { batch_rows: 1, ..StoreSettings::default() };
    MemoryDisk::new(store, WriterSettings::default())
}

fn place(disk: &MemoryDisk) -> Place {
    Place::Memory(disk.clone(), HERE.into())
}

fn set(key: &str, value: &str, due_at_ms: Option<u64>) -> RowChange {
    RowChange { key: key.into(), value: Some(value.into()), due_at_ms }
}

fn fresh(disk: &MemoryDisk) -> Store {
    match place(disk).open(Trusted::ALL).unwrap() {
        Opened::Fresh(store) => store,
        other @ (Opened::Resumed(..) | Opened::Quarantined { .. }) => panic!("{other:?}"),
    }
}

#[test]
fn what_was_written_is_there_after_a_crash_and_a_cut_write_leaves_its_beginning() {
    let disk = disk();
    let store = fresh(&disk);
    store.write(&[set("a", "1", Some(5)), set("b", "1", None)], Checkpoint::at(7)).unwrap();
    disk.fail_after(Path::new(HERE), Some(1));
    let cut = store.write(&[set("a", "2", None), set("b", "2", None)], Checkpoint::at(9));
    assert!(cut.is_err());
    drop(store);
    disk.fail_after(Path::new(HERE), None);
    match place(&disk).open(Trusted::ALL).unwrap() {
        Opened::Resumed(store, checkpoint) => {
            assert_eq!(checkpoint.next_offset, 7, "the checkpoint comes last");
            assert_eq!(store.get(b"a").unwrap(), Some(b"1".to_vec()), "only the timer was removed");
            assert_eq!(store.timers_due(9, 9).unwrap(), []);
        }
        other @ (Opened::Fresh(_) | Opened::Quarantined { .. }) => panic!("{other:?}"),
    }
}

#[test]
fn a_timer_that_a_cut_write_lost_is_there_when_its_row_is_written_again() {
    // changes that reach the disk before it fails: rows come before timers, and old timers go first
    for changes in 0..6 {
        let disk = disk();
        let store = fresh(&disk);
        store.write(&[set("a", "1", Some(5)), set("b", "1", None)], Checkpoint::at(1)).unwrap();
        disk.fail_after(Path::new(HERE), Some(changes));
        let moved = [set("a", "2", Some(9)), set("b", "2", Some(9))];
        drop(store.write(&moved, Checkpoint::at(3)));
        drop(store);
        disk.fail_after(Path::new(HERE), None);
        let again = match place(&disk).open(Trusted::ALL).unwrap() {
            Opened::Resumed(store, _) => store,
            other @ (Opened::Fresh(_) | Opened::Quarantined { .. }) => panic!("{other:?}"),
        };
        for (rows, timers) in [
            (&moved[..], &[(9, "a"), (9, "b")][..]),
            (&[set("a", "3", Some(5)), set("b", "3", Some(9))][..], &[(5, "a"), (9, "b")][..]),
        ] {
            again.write(rows, Checkpoint::at(9)).unwrap();
            let timers: Vec<_> = timers.iter().map(|(due, key)| (*due, (*key).into())).collect();
            assert_eq!(again.timers_due(99, 9).unwrap(), timers, "cut after {changes}");
        }
    }
}

#[test]
fn a_folder_somebody_has_open_or_damaged_is_set_aside_and_an_old_copy_is_resumed() {
    let disk = disk();
    let store = fresh(&disk);
    store.write(&[set("a", "1", None)], Checkpoint::at(1)).unwrap();
    let old = disk.copy(Path::new(HERE)).unwrap();
    assert_eq!(old.rows().unwrap(), [set("a", "1", None)]);
    let beside = place(&disk).open(Trusted::ALL).unwrap();
    assert!(matches!(beside, Opened::Quarantined { .. }), "it is open elsewhere");
    drop(beside);
    store.write(&[set("a", "2", None)], Checkpoint::at(2)).unwrap();
    disk.put_back(Path::new(HERE), old);
    let again = place(&disk).open(Trusted::ALL).unwrap();
    assert!(matches!(again, Opened::Resumed(_, checkpoint) if checkpoint == Checkpoint::at(1)));
    drop(again);
    disk.damage(Path::new(HERE));
    assert!(matches!(place(&disk).open(Trusted::ALL).unwrap(), Opened::Quarantined { .. }));
    disk.lose(Path::new(HERE));
    drop(fresh(&disk));
}

#[test]
fn a_writer_by_hand_writes_when_told_and_when_drained() {
    let disk = disk();
    let writer = place(&disk).writer(|| 0).unwrap();
    let lane = writer.lane(fresh(&disk));
    lane.submit(vec![set("a", "1", None)], Checkpoint::at(1)).unwrap();
    assert_eq!(disk.copy(Path::new(HERE)).unwrap().rows().unwrap(), []);
    writer.write();
    assert_eq!(disk.copy(Path::new(HERE)).unwrap().checkpoint(), Some(Checkpoint::at(1)));
    lane.submit(vec![set("a", "2", None)], Checkpoint::at(2)).unwrap();
    drop(lane.close(std::time::Duration::ZERO).unwrap());
    assert_eq!(disk.copy(Path::new(HERE)).unwrap().checkpoint(), Some(Checkpoint::at(2)));
}
