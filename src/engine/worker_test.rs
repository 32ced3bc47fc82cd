//! Workers by hand: timers under load, restores of many kinds, stores that are not to be trusted.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::test_room::{ByHand, CHANGELOG, INPUT, START, Tally, World, worker};
use crate::broker::Broker;
use crate::clock::Stopwatch;
use crate::domain::time::{DAY_MS, HOUR_MS, SECOND_MS, Timestamp};
use crate::topics::Topic;

fn at(seconds: u64) -> Timestamp {
    START.plus_ms(seconds * SECOND_MS)
}

fn tally(count: u64) -> Tally {
    Tally { count, due: None }
}

/// A worker in a directory of its own does what the input says, and ends.
fn work(world: &World, dir: &std::path::Path) -> Vec<((u32, String), Tally)> {
    let mut worker = ByHand::begin(world, "w", dir);
    worker.rounds(12);
    // A restore that outruns its disk waits for it.
    let waited = Stopwatch::start();
    while worker.worker.is_restoring() && waited.elapsed() < Duration::from_secs(60) {
        worker.rounds(1);
    }
    worker.end().into_iter().collect()
}

// Holds: R-2
#[test]
fn under_lasting_load_a_timer_fires_between_the_inputs_before_and_after_it() {
    let world = World::new(1);
    let due = at(2_999).as_ms();
    let mut records = vec![("a".to_owned(), format!("due {due}"), at(0))];
    for n in 1..24_000_u64 {
        records.push(("a".to_owned(), "again".to_owned(), at(0).plus_ms(n * 200)));
    }
    let borrowed: Vec<_> = records.iter().map(|(k, v, t)| (k.as_str(), v.as_str(), *t)).collect();
    world.write(0, &borrowed);
    world.move_on(10_000 * SECOND_MS);
    let dir = tempfile::tempdir().unwrap();
    let mut worker = ByHand::begin(&world, "w", dir.path());
    let mut fired_after = None;
    for _ in 0..12 {
        world.move_on(SECOND_MS);
        worker.rounds(1);
        if !world.read(Topic::Timeline, 0).is_empty() && fired_after.is_none() {
            fired_after = Some(worker.worker.rows()[&(0, "a".to_owned())].count);
        }
    }
    // The deadline lies in the second turn of ten thousand: what it read was applied before, and 4 000 were left.
    assert_eq!(fired_after, Some(20_000), "neither before its inputs nor after all of them");
    assert_eq!(worker.end()[&(0, "a".to_owned())].count, 24_000);
    assert_eq!(world.read(Topic::Timeline, 0).len(), 1, "once");
}

#[test]
fn timers_that_are_too_many_for_one_turn_fire_in_the_next_ones() {
    let world = World::new(1);
    let due = format!("due {}", at(10).as_ms());
    let keys: Vec<String> = (0..2_500).map(|n| format!("k{n:04}")).collect();
    let records: Vec<_> = keys.iter().map(|key| (key.as_str(), due.as_str(), at(0))).collect();
    world.write(0, &records);
    let dir = tempfile::tempdir().unwrap();
    let mut worker = ByHand::begin(&world, "w", dir.path());
    worker.rounds(6);
    assert_eq!(world.read(Topic::Timeline, 0).len(), 0, "none is early");
    world.move_on(10 * SECOND_MS);
    worker.rounds(2);
    assert_eq!(world.read(Topic::Timeline, 0).len(), 0, "nor at its time: it comes after it");
    world.move_on(1);
    for fired in [1_000, 2_000, 2_500, 2_500] {
        worker.rounds(1);
        assert_eq!(world.read(Topic::Timeline, 0).len(), fired);
    }
    worker.end();
}

#[test]
fn a_store_that_was_closed_in_order_is_not_replayed() {
    let world = World::new(2);
    world.write(0, &[("a", "x", at(0)), ("b", "x", at(0)), ("a", "x", at(0))]);
    let dir = tempfile::tempdir().unwrap();
    let expected = [((0, "a".to_owned()), tally(2)), ((0, "b".to_owned()), tally(1))];
    assert_eq!(work(&world, dir.path()), expected);
    let restored =
        || world.metric("dmstream_state_restored_records_total{stage=\"conversation\"}").unwrap();
    let before = restored();
    // The checkpoint moves with the turn after a look at the log's end: without one all is replayed, and that is right.
    assert_eq!(work(&world, dir.path()), expected);
    let replayed = restored() - before;
    assert!(replayed <= 2.0, "{replayed} records of three");
    assert_eq!(work(&world, tempfile::tempdir().unwrap().path()), expected, "from nothing");
}

#[test]
fn a_lane_that_moves_to_another_worker_of_the_process_is_not_replayed_there() {
    let world = World::new(2);
    for lane in 0..2 {
        let keys: Vec<String> = (0..50).map(|n| format!("k{n}")).collect();
        world.write(lane, &keys.iter().map(|key| (key.as_str(), "x", at(0))).collect::<Vec<_>>());
    }
    let dir = tempfile::tempdir().unwrap();
    let mut first = ByHand::begin(&world, "first", dir.path());
    first.rounds(8);
    // A look at the logs' ends, and the turn behind it that proves them ours.
    for n in 1..3 {
        world.move_on(10 * SECOND_MS);
        world.write(0, &[("k1", "x", at(n))]);
        world.write(1, &[("k1", "x", at(n))]);
        first.rounds(4);
    }
    let restored =
        || world.metric("dmstream_state_restored_records_total{stage=\"conversation\"}").unwrap();
    let before = restored();
    let mut second = ByHand::begin(&world, "second", dir.path());
    for _ in 0..12 {
        first.rounds(1);
        second.rounds(1);
    }
    let replayed = restored() - before;
    assert!(replayed <= 2.0, "{replayed} records of 54");
    let (first, second) = (first.end(), second.end());
    assert_eq!((first.len(), second.len()), (50, 50), "a lane each, whole");
    assert!(first.keys().all(|(lane, _)| second.keys().all(|(other, _)| other != lane)));
    assert_eq!(second.values().filter(|row| **row == tally(3)).count(), 1, "as it was left");
    assert_eq!((world.set_aside("unopenable"), world.set_aside("unfinished")), (0.0, 0.0));
}

#[test]
fn a_store_that_was_whole_once_goes_on_where_its_restore_was_broken_off() {
    let world = World::new(1);
    world.write(0, &[("a", "x", at(0))]);
    let (here, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    work(&world, here.path());
    let keys: Vec<String> = (0..12_000).map(|n| format!("k{n}")).collect();
    world.write(0, &keys.iter().map(|key| (key.as_str(), "x", at(1))).collect::<Vec<_>>());
    let expected = work(&world, elsewhere.path());
    assert_eq!(expected.len(), 12_001);
    let restored =
        || world.metric("dmstream_state_restored_records_total{stage=\"conversation\"}").unwrap();
    let remaining = "dmstream_state_restore_remaining_records{stage=\"conversation\",worker=\"w\"}";
    let mut broken_off = ByHand::begin(&world, "w", here.path());
    for _ in 0..12 {
        if world.metric(remaining).is_some_and(|left| left > 0.0 && left < 12_000.0) {
            break;
        }
        broken_off.rounds(1);
    }
    broken_off.writes_before_it_reads_on();
    assert!(broken_off.end().is_empty(), "no lane is taken before it is whole");
    let before = restored();
    assert_eq!(work(&world, here.path()), expected);
    let replayed = restored() - before;
    assert!(replayed > 0.0 && replayed < 2_500.0, "{replayed} records of 12 000");
}

/// The deletion itself is forgotten by the changelog; a store from before it must not bring the row back.
#[test]
fn a_store_older_than_deletions_are_kept_does_not_let_deleted_rows_rise_again() {
    let world = World::new(1);
    world.write(0, &[("a", "x", at(0)), ("b", "x", at(0))]);
    let old = tempfile::tempdir().unwrap();
    work(&world, old.path());
    world.write(0, &[("a", "delete", at(1))]);
    let elsewhere = tempfile::tempdir().unwrap();
    assert_eq!(work(&world, elsewhere.path()), [((0, "b".to_owned()), tally(1))]);
    world.move_on(8 * DAY_MS);
    for _ in 0..2 {
        // What is compacted are segments that are closed: more comes behind.
        let filler = "f".repeat(2_000);
        world.write(0, &[(filler.as_str(), "x", world.clock.now())]);
        work(&world, elsewhere.path());
        world.keep();
    }
    let left = world.read(CHANGELOG, 0);
    assert!(
        left.iter().all(|record| record.key.as_deref() != Some(b"a")),
        "all of it is forgotten"
    );

    let before = world.set_aside("stale");
    let rows = work(&world, old.path());
    assert!(rows.iter().all(|((_, key), _)| key != "a"), "it rose again: {rows:?}");
    assert!(rows.iter().any(|((_, key), _)| key == "b"));
    assert_eq!(world.set_aside("stale"), before + 1.0);
}

#[test]
fn a_store_that_rests_for_long_is_still_believed_when_something_was_committed_meanwhile() {
    let world = World::new(2);
    world.write(0, &[("a", "x", at(0))]);
    let dir = tempfile::tempdir().unwrap();
    let mut worker = ByHand::begin(&world, "w", dir.path());
    worker.rounds(6);
    for _ in 0..10 {
        // Only the other lane is written to.
        world.move_on(DAY_MS);
        worker.rounds(2);
        world.write(1, &[("other", "x", world.clock.now())]);
        worker.rounds(2);
    }
    worker.end();
    assert_eq!(work(&world, dir.path()).len(), 2);
    assert_eq!(world.set_aside("stale"), 0.0);
}

#[test]
fn a_store_of_another_log_is_set_aside() {
    let first = World::new(1);
    let many: Vec<_> = (0..50).map(|n| format!("k{n}")).collect();
    first.write(0, &many.iter().map(|key| (key.as_str(), "x", at(0))).collect::<Vec<_>>());
    let dir = tempfile::tempdir().unwrap();
    let mut worker = ByHand::begin(&first, "w", dir.path());
    worker.rounds(6);
    first.move_on(HOUR_MS);
    worker.rounds(2);
    first.write(0, &[("k0", "x", at(1))]);
    worker.rounds(2);
    worker.end();

    let second = World::new(1);
    second.move_on(HOUR_MS);
    second.write(0, &[("new", "x", at(0))]);
    assert_eq!(work(&second, dir.path()), [((0, "new".to_owned()), tally(1))]);
    assert_eq!(second.set_aside("beyond_end"), 1.0);
}

#[test]
fn a_restore_that_was_broken_off_begins_again() {
    let world = World::new(1);
    let keys: Vec<String> = (0..25_000).map(|n| format!("k{n}")).collect();
    world.write(0, &keys.iter().map(|key| (key.as_str(), "x", at(0))).collect::<Vec<_>>());
    assert_eq!(work(&world, tempfile::tempdir().unwrap().path()).len(), 25_000);
    let dir = tempfile::tempdir().unwrap();
    let mut broken_off = ByHand::begin(&world, "w", dir.path());
    // Assigned, begun, one batch of ten thousand.
    broken_off.rounds(2);
    let remaining = "dmstream_state_restore_remaining_records{stage=\"conversation\",worker=\"w\"}";
    assert_eq!(world.metric(remaining), Some(15_000.0));
    assert!(broken_off.end().is_empty(), "no lane is taken before it is whole");
    assert_eq!(work(&world, dir.path()).len(), 25_000);
    assert_eq!(
        world.set_aside("unfinished"),
        0.0,
        "so little was not written, and nothing is left behind"
    );
    assert_eq!(world.metric(remaining), Some(0.0));
}

#[test]
fn a_restore_that_was_broken_off_after_it_wrote_begins_again() {
    let world = World::new(1);
    let keys: Vec<String> = (0..12_000).map(|n| format!("{n:04000}")).collect();
    for keys in keys.chunks(3_000) {
        world.write(0, &keys.iter().map(|key| (key.as_str(), "x", at(0))).collect::<Vec<_>>());
    }
    assert_eq!(work(&world, tempfile::tempdir().unwrap().path()).len(), 12_000);
    let dir = tempfile::tempdir().unwrap();
    let mut broken_off = ByHand::begin(&world, "w", dir.path());
    let remaining = "dmstream_state_restore_remaining_records{stage=\"conversation\",worker=\"w\"}";
    for _ in 0..12 {
        // Four kilobytes each: nine thousand of them are more than is gathered before it is written.
        if world.metric(remaining).is_some_and(|left| left > 0.0 && left < 3_000.0) {
            break;
        }
        broken_off.rounds(1);
    }
    broken_off.writes_before_it_reads_on();
    assert!(broken_off.end().is_empty(), "no lane is taken before it is whole");
    assert_eq!(work(&world, dir.path()).len(), 12_000);
    assert_eq!(world.set_aside("unfinished"), 1.0);
    assert_eq!(world.metric(remaining), Some(0.0));
}

#[test]
fn a_lane_that_cannot_be_restored_now_holds_up_no_other_and_comes_back_later() {
    let world = World::new(2);
    world.write(0, &[("a", "x", at(0))]);
    world.write(1, &[("b", "x", at(0))]);
    let dir = tempfile::tempdir().unwrap();
    // No store, and the last name for what is set aside is taken by something that cannot be replaced.
    let stores = dir.path().join("conversation");
    let obstacle = stores.join(format!("1.quarantined-{}", u64::MAX));
    fs::create_dir_all(obstacle.join("full")).unwrap();
    fs::write(stores.join("1"), b"garbage").unwrap();
    let mut worker = ByHand::begin(&world, "w", dir.path());
    worker.rounds(12);
    let rows = worker.worker.rows();
    assert_eq!(rows.keys().map(|(lane, _)| *lane).collect::<Vec<_>>(), [0]);
    assert_eq!(world.broker.end_offset(INPUT, 1).unwrap(), 1);

    fs::remove_dir_all(&obstacle).unwrap();
    worker.rounds(4);
    assert_eq!(worker.worker.rows().len(), 1, "there is a pause first");
    world.move_on(SECOND_MS);
    worker.rounds(8);
    assert_eq!(worker.end().len(), 2);
    assert_eq!(world.set_aside("unopenable"), 1.0);
}

/// Waits until `done`, moving time on.
#[track_caller]
fn until(world: &World, step_ms: u64, mut done: impl FnMut() -> bool) {
    let waited = Stopwatch::start();
    while !done() {
        assert!(waited.elapsed() < Duration::from_secs(60), "never");
        world.move_on(step_ms);
        std::thread::yield_now();
    }
}

#[test]
fn a_worker_that_builds_its_session_again_and_again_goes_round_and_stops_when_told() {
    let world = World::new(1);
    let dir = tempfile::tempdir().unwrap();
    let (worker, pulse) = worker(&world, "w", dir.path());
    let Broker::Embedded(broker) = world.broker.clone() else { panic!("in memory") };
    broker.close().unwrap();
    let running = std::thread::spawn(move || worker.run());
    for _ in 0..5 {
        // Whenever that is, it says so soon.
        let now_ms = world.clock.now().as_ms() + 10 * SECOND_MS;
        until(&world, SECOND_MS, || pulse.beat_at_ms.load(Ordering::Relaxed) >= now_ms);
    }
    assert!(!pulse.joined.load(Ordering::Relaxed), "it has no lanes");
    pulse.stop.store(true, Ordering::Relaxed);
    running.join().unwrap().unwrap();
}

#[test]
fn a_worker_told_to_stop_waits_for_what_is_under_way_but_not_for_ever() {
    let world = World::new(1);
    world.write(0, &[("a", "act", at(0))]);
    let dir = tempfile::tempdir().unwrap();
    // What is begun never ends: nothing comes back.
    let (worker, pulse) = worker(&world, "w", dir.path());
    let running = std::thread::spawn(move || worker.run());
    let committed = "dmstream_records_total{exit=\"emitted\",stage=\"conversation\"}";
    until(&world, 0, || world.metric(committed) == Some(1.0));
    pulse.stop.store(true, Ordering::Relaxed);
    let before = pulse.beat_at_ms.load(Ordering::Relaxed);
    world.move_on(5 * SECOND_MS);
    until(&world, 0, || pulse.beat_at_ms.load(Ordering::Relaxed) >= before + 5 * SECOND_MS);
    assert!(!running.is_finished(), "a call may still end");
    until(&world, SECOND_MS, || running.is_finished());
    running.join().unwrap().unwrap();
}

#[test]
fn how_far_behind_a_lane_is_is_told_and_forgotten_with_it() {
    let world = World::new(1);
    let (records, seconds) = (lag_of("records"), lag_of("seconds"));
    let dir = tempfile::tempdir().unwrap();
    let (worker, pulse) = worker(&world, "w", dir.path());
    let running = std::thread::spawn(move || worker.run());
    until(&world, SECOND_MS, || world.metric(&records) == Some(0.0));
    assert_eq!(world.metric(&seconds), Some(0.0));
    until(&world, SECOND_MS, || pulse.joined.load(Ordering::Relaxed));
    pulse.stop.store(true, Ordering::Relaxed);
    running.join().unwrap().unwrap();
    assert_eq!((world.metric(&records), world.metric(&seconds)), (None, None));

    fn lag_of(what: &str) -> String {
        let labels = "partition=\"0\",stage=\"conversation\",topic=\"events.normalized\"";
        format!("dmstream_consumer_lag_{what}{{{labels}}}")
    }
}

#[test]
fn a_sessions_lag_is_what_is_committed_and_not_processed() {
    let world = World::new(2);
    world.write(0, &[("a", "x", at(0)), ("b", "x", at(0))]);
    let dir = tempfile::tempdir().unwrap();
    let mut worker = ByHand::begin(&world, "w", dir.path());
    assert!(worker.session.lag().is_empty(), "no lanes yet");
    worker.rounds(4);
    assert_eq!(worker.session.lag(), [((INPUT, 0), 0), ((INPUT, 1), 0)].into());
    world.write(1, &[("a", "x", at(0)), ("b", "x", at(0))]);
    assert_eq!(worker.session.lag(), [((INPUT, 0), 0), ((INPUT, 1), 2)].into());
    worker.rounds(1);
    assert_eq!(worker.session.lag(), [((INPUT, 0), 0), ((INPUT, 1), 0)].into());
    worker.end();
}

/// A hundred megabytes come of one batch, where a transaction may hold 64.
#[test]
fn a_turn_of_which_more_comes_than_it_may_hold_is_committed_in_parts() {
    let world = World::new(1);
    let keys: Vec<String> = (0..1_000).map(|n| format!("k{n}")).collect();
    let records: Vec<_> = keys.iter().map(|key| (key.as_str(), "emit 10 10000", at(0))).collect();
    world.write(0, &records);
    let dir = tempfile::tempdir().unwrap();
    let mut worker = ByHand::begin(&world, "w", dir.path());
    worker.rounds(6);
    let ended = |how: &str| {
        let series = "dmstream_transactions_total{result=\"HOW\",stage=\"conversation\"}";
        world.metric(&series.replace("HOW", how)).unwrap()
    };
    assert_eq!(ended("aborted"), 0.0);
    assert_eq!(ended("committed"), 2.0, "after 512 and after all");
    let seen = worker.worker.uncommitted_most();
    assert!((32 << 20..64 << 20).contains(&seen), "{seen}");
    assert_eq!(world.read(Topic::Timeline, 0).len(), 10_000, "each once");
    assert_eq!(worker.end().len(), 1_000);
}
