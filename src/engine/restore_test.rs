//! What is replayed waits in memory: the writer holds back meanwhile, and whoever loses a lane does not write it.

use std::time::Duration;

use super::context::{Committed, Rows};
use super::lane;
use super::restore::Restorer;
use super::test_room::{ByHand, CHANGELOG, START, Tally, World};
use crate::store::{Checkpoint, Opened, Place, RowChange, StoreWriter, Trusted, WriterSettings};

#[test]
fn the_writer_is_held_back_while_lanes_come_back_and_no_longer_whatever_becomes_of_them() {
    let world = World::new(1);
    world.write(0, &[("a", "x", START)]);
    let dir = tempfile::tempdir().unwrap();
    let mut by_hand = ByHand::begin(&world, "w", dir.path());
    by_hand.rounds(12);
    assert!(!by_hand.worker.is_restoring());
    let writer = by_hand.worker.writer().unwrap();
    assert!(!writer.hold_back(true), "nothing comes back");
    by_hand.rounds(1);
    assert!(!by_hand.worker.writer().unwrap().hold_back(false), "the next round lets it go");

    let writer = StoreWriter::by_hand(WriterSettings::default(), || 0);
    let mut restorer = Restorer::<Tally>::new(CHANGELOG, Place::Directory(dir.path().into()), 1);
    restorer.begin(&[0]);
    restorer.pace(&writer);
    assert!(writer.hold_back(true));
    restorer.give_up(&[0]);
    restorer.pace(&writer);
    assert!(!writer.hold_back(false), "they are another's");
}

/// What was just restored is read again sooner than it is written.
#[test]
fn a_lane_with_much_to_write_is_closed_as_it_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::Directory(dir.path().join("store"));
    let writer = StoreWriter::by_hand(WriterSettings::default(), || 0);
    for (rows, written) in [(1_u64, 1), (9, 1)] {
        let (Opened::Fresh(store) | Opened::Resumed(store, _)) = place.open(Trusted::ALL).unwrap()
        else {
            panic!("set aside");
        };
        let desk = writer.lane(store);
        let change = |n: u64| RowChange {
            key: n.to_be_bytes().to_vec(),
            value: Some(vec![7; 1 << 20]),
            due_at_ms: None,
        };
        desk.submit((0..rows).map(change).collect(), Checkpoint::at(rows)).unwrap();
        lane::close(Rows::<Tally>::new(Committed::Lane(desk)), Duration::from_secs(60)).unwrap();
        let Opened::Resumed(store, checkpoint) = place.open(Trusted::ALL).unwrap() else {
            panic!("no store");
        };
        assert_eq!(checkpoint, Checkpoint::at(written));
        store.close().unwrap();
    }
}
