//! Outputs and offsets are one: what was committed is there once, what was aborted never was.

use std::collections::BTreeMap;
use std::time::Duration;

use dmstream::broker::kafka::{KafkaBroker, Reader};
use dmstream::broker::{Error, PollBounds, Remedy};
use dmstream::clock::Stopwatch;
use dmstream::topics::Topic;

use crate::world::{BOUNDS, Copier, PATIENCE, append, output, read_all, reader, run, world};

const INPUT: [Topic; 1] = [Topic::EventsNormalized];

#[test]
fn outputs_and_offsets_become_true_together_and_a_restart_goes_on_after_them() {
    let broker = world("together", &[(Topic::EventsNormalized, 1), (Topic::Timeline, 1)]);
    let producer = broker.producer().unwrap();
    for n in 0..5 {
        append(&producer, Topic::EventsNormalized, "t", &format!("m{n}"));
    }
    let mut copier = Copier::open(&broker, "a", &INPUT);
    let mut next = copier.read_uncommitted();
    while next[&(Topic::EventsNormalized, 0)] < 5 {
        next.extend(copier.turn().unwrap());
    }
    let mut early = held_back(&broker);
    copier.session.commit(&next).unwrap();
    let all = ["m0", "m1", "m2", "m3", "m4"];
    let (seen, places) = read_all(&mut early);
    assert_eq!(seen, all);
    // Five records and the commit's marker.
    assert_eq!(places[&(Topic::Timeline, 0)], 6);
    assert_eq!(read_all(&mut broker.reader(&places).unwrap()).0, [""; 0]);

    drop(copier);
    append(&producer, Topic::EventsNormalized, "t", "m5");
    let mut again = Copier::open(&broker, "a", &INPUT);
    run(&mut [&mut again], |members| !members[0].copied.is_empty());
    assert_eq!(again.copied, [(Topic::EventsNormalized, 0, "m5".to_owned())]);
    again.session.close().unwrap();
}

/// A reader that waits for an open transaction: opened once the transaction's first record is in the log.
fn held_back(broker: &KafkaBroker) -> Reader {
    let watch = Stopwatch::start();
    while broker.end_offset(Topic::Timeline, 0).unwrap() == 0 {
        assert!(watch.elapsed() < PATIENCE, "nothing was written");
        std::thread::yield_now();
    }
    let mut reader = reader(broker, Topic::Timeline);
    // Long enough to find the end, were there one.
    let long = PollBounds { wait: Duration::from_millis(700), ..BOUNDS };
    let batch = reader.poll(&long).unwrap();
    assert!(batch.records.is_empty(), "seen before the commit");
    assert!(!batch.at_end, "the end is behind the open transaction");
    reader
}

#[test]
fn what_was_aborted_is_never_seen_and_is_read_again() {
    let broker = world("abort", &[(Topic::EventsNormalized, 2), (Topic::Timeline, 1)]);
    let producer = broker.producer().unwrap();
    for n in 0..6 {
        append(&producer, Topic::EventsNormalized, &format!("t{n}"), &format!("m{n}"));
    }
    let mut copier = Copier::open(&broker, "a", &INPUT);
    run(&mut [&mut copier], |members| members[0].copied.len() == 6);
    for n in 6..9 {
        append(&producer, Topic::EventsNormalized, &format!("t{n}"), &format!("m{n}"));
    }
    copier.copied.clear();
    while copier.copied.len() < 3 {
        copier.read_uncommitted();
    }
    copier.session.abort().unwrap();
    // The log ends with aborted records and a marker: still an end.
    let committed = ["m0", "m1", "m2", "m3", "m4", "m5"];
    assert_eq!(read_all(&mut reader(&broker, Topic::Timeline)).0, committed);

    copier.copied.clear();
    run(&mut [&mut copier], |members| members[0].copied.len() == 3);
    let all = ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"];
    assert_eq!(read_all(&mut reader(&broker, Topic::Timeline)).0, all);
    let mut again: Vec<&str> = copier.copied.iter().map(|(_, _, value)| value.as_str()).collect();
    again.sort_unstable();
    assert_eq!(again, ["m6", "m7", "m8"], "what was committed before is not read again");
    copier.session.close().unwrap();
}

#[test]
fn an_abort_before_the_first_commit_reads_from_the_beginning() {
    let broker = world("first", &[(Topic::EventsNormalized, 1), (Topic::Timeline, 1)]);
    append(&broker.producer().unwrap(), Topic::EventsNormalized, "t", "m0");
    let mut copier = Copier::open(&broker, "a", &INPUT);
    copier.read_uncommitted();
    copier.session.abort().unwrap();
    copier.read_uncommitted();
    assert_eq!(copier.copied.len(), 2);
    copier.session.abort().unwrap();
    copier.session.close().unwrap();
}

/// The client has not begun to fetch then, and refuses to seek.
#[test]
fn an_abort_right_after_a_lane_was_taken_loses_and_doubles_nothing() {
    let broker = world("early", &[(Topic::EventsNormalized, 4), (Topic::Timeline, 1)]);
    let producer = broker.producer().unwrap();
    let mut appended: Vec<String> = (0..40).map(|n| format!("m{n:02}")).collect();
    for value in &appended {
        append(&producer, Topic::EventsNormalized, &format!("t{value}"), value);
    }
    let mut copier = Copier::open(&broker, "a", &INPUT);
    let watch = Stopwatch::start();
    while copier.lanes.len() < 4 {
        let next = copier.turn().unwrap();
        assert!(next.is_empty(), "read before all lanes were taken");
        assert!(watch.elapsed() < PATIENCE, "no lanes");
    }
    for _ in 0..3 {
        copier.session.abort().unwrap();
    }
    run(&mut [&mut copier], |members| members[0].copied.len() == 40);
    appended.sort();
    assert_eq!(read_all(&mut reader(&broker, Topic::Timeline)).0, appended);
    copier.session.close().unwrap();
}

#[test]
fn a_zombie_is_fenced_by_its_successor() {
    let broker = world("zombie", &[(Topic::EventsNormalized, 1), (Topic::Timeline, 1)]);
    append(&broker.producer().unwrap(), Topic::EventsNormalized, "t", "m0");
    let mut zombie = Copier::open(&broker, "a", &INPUT);
    let next = zombie.read_uncommitted();

    let mut successor = Copier::open(&broker, "a", &INPUT);
    let fenced = zombie.session.commit(&next).unwrap_err();
    assert!(matches!(fenced, Error::Fatal(_)), "{fenced}");
    assert_eq!(fenced.remedy(), Remedy::Rebuild);
    run(&mut [&mut successor], |members| !members[0].copied.is_empty());
    drop(zombie);
    assert_eq!(read_all(&mut reader(&broker, Topic::Timeline)).0, ["m0"]);
    successor.session.close().unwrap();
}

#[test]
fn a_turn_without_outputs_commits_its_offsets() {
    let broker = world("silent", &[(Topic::EventsNormalized, 1), (Topic::Timeline, 1)]);
    let producer = broker.producer().unwrap();
    append(&producer, Topic::EventsNormalized, "t", "m0");
    let mut copier = Copier::open(&broker, "a", &INPUT);
    let next = copier.read_uncommitted();
    copier.session.abort().unwrap();
    copier.session.commit(&next).unwrap();
    copier.session.commit(&BTreeMap::new()).unwrap();
    drop(copier);

    append(&producer, Topic::EventsNormalized, "t", "m1");
    let mut again = Copier::open(&broker, "a", &INPUT);
    run(&mut [&mut again], |members| !members[0].copied.is_empty());
    assert_eq!(again.copied[0].2, "m1");
    again.session.close().unwrap();
}

#[test]
fn an_output_goes_where_it_is_told_and_otherwise_where_java_would_put_it() {
    let broker = world("place", &[(Topic::EventsNormalized, 1), (Topic::Timeline, 7)]);
    let mut copier = Copier::open(&broker, "a", &INPUT);
    for n in 0..40 {
        copier.session.send(&output(Topic::Timeline, &format!("key-{n}"), "hashed")).unwrap();
    }
    let mut told = output(Topic::Timeline, "any", "told");
    told.partition = Some(4);
    copier.session.send(&told).unwrap();
    copier.session.commit(&BTreeMap::new()).unwrap();
    let mut reader = reader(&broker, Topic::Timeline);
    let mut seen = 0;
    loop {
        let batch = reader.poll(&BOUNDS).unwrap();
        for record in &batch.records {
            let java = dmstream::broker::partitioner::partition_of(record.key.as_ref().unwrap(), 7);
            let told = record.bytes() == b"told";
            assert_eq!(record.partition, if told { 4 } else { java });
            seen += 1;
        }
        if batch.at_end {
            break;
        }
    }
    assert_eq!(seen, 41);
    copier.session.close().unwrap();
}
