//! Compaction and retention.

use super::test_room::{OUTPUT, append, output, read, settings, taken, values};
use super::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::record::Output;
use crate::broker::{NextOffsets, Polled};
use crate::domain::time::{DAY_MS, Timestamp};
use crate::topics::Topic;

const COMPACTED: Topic = Topic::Conversations;

/// Every record closes its segment, so that the next one makes it fit for keeping.
fn tiny() -> EmbeddedSettings {
    EmbeddedSettings { segment_bytes_max: 1, ..settings() }
}

fn at(ms: u64, output: Output) -> Output {
    Output { timestamp: Timestamp::from_ms(ms), ..output }
}

fn tombstone(key: &str) -> Output {
    Output { value: None, ..output(COMPACTED, 0, key, "") }
}

#[test]
fn compaction_keeps_the_newest_of_each_key_at_its_offset() {
    let broker = EmbeddedBroker::in_memory(&tiny());
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("b", "5"), ("z", "6")] {
        append(&broker, output(COMPACTED, 0, key, value));
    }
    broker.keep().unwrap();
    let left = read(&broker, (COMPACTED, 0), 0);
    let offsets: Vec<u64> = left.records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [2, 3, 4, 5]);
    assert_eq!(left.next, NextOffsets::from([((COMPACTED, 0), 6)]));
    assert_eq!(read(&broker, (COMPACTED, 0), 3).records.len(), 3, "from inside");
    broker.keep().unwrap();
    assert_eq!(values(&broker, (COMPACTED, 0)), ["3", "4", "5", "6"]);
}

#[test]
fn a_tombstone_outlives_what_it_deletes_for_a_day() {
    let settings = tiny();
    let broker = EmbeddedBroker::in_memory(&settings);
    for one in [output(COMPACTED, 0, "a", "1"), tombstone("a"), output(COMPACTED, 0, "b", "2")] {
        append(&broker, one);
    }
    settings.clock.set(Timestamp::from_ms(DAY_MS));
    broker.keep().unwrap();
    assert_eq!(values(&broker, (COMPACTED, 0)), ["", "2"]);
    settings.clock.set(Timestamp::from_ms(DAY_MS + 1));
    append(&broker, at(DAY_MS, output(COMPACTED, 0, "c", "3")));
    broker.keep().unwrap();
    assert_eq!(values(&broker, (COMPACTED, 0)), ["2", "3"]);
}

#[test]
fn a_changelog_keeps_its_deletions_for_as_long_as_it_declares() {
    let changelog = Topic::ConversationChangelog;
    let kept_ms = changelog.declaration().deletions_kept_ms.unwrap();
    let settings = tiny();
    let broker = EmbeddedBroker::in_memory(&settings);
    append(&broker, Output { value: None, ..output(changelog, 0, "a", "") });
    append(&broker, output(changelog, 0, "b", "2"));
    settings.clock.set(Timestamp::from_ms(kept_ms));
    broker.keep().unwrap();
    assert_eq!(values(&broker, (changelog, 0)), ["", "2"]);
    settings.clock.set(Timestamp::from_ms(kept_ms + 1));
    append(&broker, at(kept_ms, output(changelog, 0, "c", "3")));
    broker.keep().unwrap();
    assert_eq!(values(&broker, (changelog, 0)), ["2", "3"]);
}

#[test]
fn what_one_step_cannot_hold_is_left_for_the_next() {
    let settings = EmbeddedSettings { compaction_keys_max: 2, ..tiny() };
    let broker = EmbeddedBroker::in_memory(&settings);
    for n in 0..12 {
        append(&broker, output(COMPACTED, 0, &(n % 4).to_string(), &n.to_string()));
    }
    append(&broker, output(COMPACTED, 0, "z", "end"));
    for _ in 0..12 {
        broker.keep().unwrap();
    }
    assert_eq!(values(&broker, (COMPACTED, 0)), ["8", "9", "10", "11", "end"]);
}

#[test]
fn a_reader_in_the_middle_does_not_mind_compaction() {
    let broker = EmbeddedBroker::in_memory(&tiny());
    for n in 0..8 {
        append(&broker, output(COMPACTED, 0, &(n % 2).to_string(), &n.to_string()));
    }
    let mut reader = broker.reader(&NextOffsets::from([((COMPACTED, 0), 0)])).unwrap();
    let one = super::test_room::bounds(1, 0);
    assert_eq!(reader.poll(&one).unwrap().records[0].offset, 0);
    broker.keep().unwrap();
    let rest = reader.poll(&super::test_room::bounds(10, 0)).unwrap();
    let offsets: Vec<u64> = rest.records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [6, 7]);
}

#[test]
fn records_older_than_their_retention_go_and_readers_begin_behind_them() {
    let settings = tiny();
    let kept_ms = OUTPUT.declaration().retention_ms.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let broker = EmbeddedBroker::open(dir.path(), &settings).unwrap();
    append(&broker, output(OUTPUT, 0, "k", "old"));
    append(&broker, at(10, output(OUTPUT, 0, "k", "young")));
    settings.clock.set(Timestamp::from_ms(kept_ms + 1));
    broker.keep().unwrap();
    assert_eq!(values(&broker, (OUTPUT, 0)), ["young"]);
    assert_eq!(read(&broker, (OUTPUT, 0), 0).records[0].offset, 1);
    settings.clock.set(Timestamp::from_ms(kept_ms + 11));
    broker.keep().unwrap();
    assert!(values(&broker, (OUTPUT, 0)).is_empty(), "even when nothing came after it");
    broker.close().unwrap();
    let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let segments = names.filter(|name| name.to_string_lossy().starts_with("segment-")).count();
    assert_eq!(segments, 0, "the files went too");
    let broker = EmbeddedBroker::open(dir.path(), &settings).unwrap();
    append(&broker, output(OUTPUT, 0, "k", "next"));
    assert_eq!(read(&broker, (OUTPUT, 0), 0).records[0].offset, 2, "offsets go on");
}

#[test]
fn a_session_whose_offset_is_gone_goes_on_at_the_start_of_the_log() {
    let settings = tiny();
    let broker = EmbeddedBroker::in_memory(&settings);
    let input = super::test_room::INPUT;
    let kept_ms = input.declaration().retention_ms.unwrap();
    append(&broker, output(input, 0, "k", "old"));
    append(&broker, at(kept_ms, output(input, 0, "k", "young")));
    settings.clock.set(Timestamp::from_ms(kept_ms + 1));
    broker.keep().unwrap();
    let mut session = taken(&broker, "a");
    let told = session.poll(&super::test_room::bounds(9, 0)).unwrap();
    let Polled::Records { records, drained } = told else { panic!("{told:?}") };
    assert_eq!((records.len(), records[0].offset, drained), (1, 1, true));
}

#[test]
fn memory_keeps_house_as_time_passes() {
    let settings = tiny();
    let broker = EmbeddedBroker::in_memory(&settings);
    append(&broker, output(COMPACTED, 0, "a", "1"));
    append(&broker, output(COMPACTED, 0, "a", "2"));
    append(&broker, output(COMPACTED, 0, "b", "3"));
    assert_eq!(values(&broker, (COMPACTED, 0)), ["1", "2", "3"]);
    settings.clock.set(Timestamp::from_ms(60_000));
    append(&broker, output(COMPACTED, 0, "b", "4"));
    assert_eq!(values(&broker, (COMPACTED, 0)), ["2", "4"]);
}
