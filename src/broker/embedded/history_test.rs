//! Random histories: in memory and on disk, with the power going, with the disk failing at any moment.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::disk::Disk;
use super::test_room::{INPUT, OUTPUT, append, output, read, settings, taken, values, wait};
use super::{EmbeddedBroker, EmbeddedSettings, Session};
use crate::broker::record::{Output, Record};
use crate::broker::{Error, NextOffsets};
use crate::topics::Topic;

#[derive(Debug, Clone)]
enum Step {
    Append(u32, u8, Option<u8>),
    Commit(u32, u8, u64),
    Abort(u8),
    Flush,
    Keep(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u32..2, 0_u8..6, proptest::option::of(any::<u8>()))
            .prop_map(|(partition, key, value)| Step::Append(partition, key, value)),
        4 => (0_u32..2, 0_u8..6, 0_u64..9)
            .prop_map(|(lane, key, next)| Step::Commit(lane, key, next)),
        1 => any::<u8>().prop_map(Step::Abort),
        1 => Just(Step::Flush),
        1 => (0_u64..40_000_000).prop_map(Step::Keep),
    ];
    proptest::collection::vec(step, 0..40)
}

const COMPACTED: Topic = Topic::ConversationChangelog;

fn small() -> EmbeddedSettings {
    EmbeddedSettings { segment_bytes_max: 150, journal_bytes_max: 600, ..settings() }
}

/// Keeps house when it is told to only: on disk a thread of its own does it else, at its own time.
fn patient() -> EmbeddedSettings {
    let keep_every = std::time::Duration::MAX;
    EmbeddedSettings { journal_bytes_max: u64::MAX, keep_every, ..small() }
}

fn run(broker: &EmbeddedBroker, settings: &EmbeddedSettings, steps: &[Step]) {
    let mut session = taken(broker, "a");
    for step in steps {
        take(broker, (&mut session, settings), step).unwrap();
    }
}

fn take(
    broker: &EmbeddedBroker,
    (session, settings): (&mut Session, &EmbeddedSettings),
    step: &Step,
) -> Result<(), Error> {
    let now = settings.clock.now();
    let keyed = |partition, key: u8, value: Option<u8>| Output {
        value: value.map(|value| vec![value; 30]),
        timestamp: now,
        ..output(COMPACTED, partition, &key.to_string(), "")
    };
    match step {
        Step::Append(partition, key, value) => {
            wait(broker.producer()?.append(keyed(*partition, *key, *value)))
        }
        Step::Commit(lane, key, next) => {
            session.send(&keyed(*lane, *key, Some(*key)))?;
            let fact = output(OUTPUT, *lane, "k", &next.to_string());
            session.send(&Output { timestamp: now, ..fact })?;
            session.commit(&NextOffsets::from([((INPUT, *lane), *next)]))
        }
        Step::Abort(key) => {
            session.send(&keyed(0, *key, None))?;
            session.abort()
        }
        Step::Flush => broker.flush(),
        Step::Keep(ms) => {
            settings.clock.set(now.plus_ms(*ms));
            broker.keep()
        }
    }
}

/// Everything that can be read, and every committed offset.
fn all(broker: &EmbeddedBroker) -> (Vec<Record>, NextOffsets) {
    let mut records = Vec::new();
    for topic in [COMPACTED, OUTPUT] {
        for partition in 0..2 {
            records.extend(read(broker, (topic, partition), 0).records);
        }
    }
    let mut state = super::sync::locked(&broker.handle.shared.state);
    let offsets = state.group("stage").offsets.clone();
    (records, offsets)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// EB-5.
    #[test]
    fn memory_and_disk_read_the_same(steps in steps()) {
        let settings = patient();
        let memory = EmbeddedBroker::in_memory(&settings);
        run(&memory, &settings, &steps);
        let dir = tempfile::tempdir().unwrap();
        let settings = patient();
        let disk = EmbeddedBroker::open(dir.path(), &settings).unwrap();
        run(&disk, &settings, &steps);
        prop_assert_eq!(all(&memory), all(&disk));
        disk.close().unwrap();
        let disk = EmbeddedBroker::open(dir.path(), &settings).unwrap();
        prop_assert_eq!(all(&memory), all(&disk));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// EB-2: the power goes, and of each file's unsynced end some part is left.
    #[test]
    fn a_loss_of_power_takes_nothing_that_was_acknowledged(steps in steps(), kept in any::<u64>()) {
        let settings = small();
        let broker = EmbeddedBroker::in_memory(&settings);
        run(&broker, &settings, &steps);
        let before = all(&broker);
        let mut dice = kept;
        let left = broker.handle.shared.disk.after_power_loss(u64::MAX, |len| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(dice >> 33).unwrap() % (len + 1)
        });
        let after = EmbeddedBroker::on(left, &settings).unwrap();
        prop_assert_eq!(before, all(&after));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whenever the log's own thread compacts, the newest value of each key is read.
    #[test]
    fn no_compaction_loses_the_newest_of_a_key(steps in steps()) {
        let mut expected = BTreeMap::new();
        for step in &steps {
            if let Step::Append(partition, key, value) = step {
                expected.insert((*partition, key.to_string()), value.map(|value| vec![value; 30]));
            }
            if let Step::Commit(lane, key, _) = step {
                expected.insert((*lane, key.to_string()), Some(vec![*key; 30]));
            }
        }
        expected.retain(|_, value| value.is_some());
        let dir = tempfile::tempdir().unwrap();
        let settings = small();
        let broker = EmbeddedBroker::open(dir.path(), &settings).unwrap();
        run(&broker, &settings, &steps);
        let mut found = BTreeMap::new();
        for partition in 0..2 {
            for record in read(&broker, (COMPACTED, partition), 0).records {
                let key = String::from_utf8(record.key.unwrap()).unwrap();
                found.insert((partition, key), record.value);
            }
        }
        found.retain(|_, value| value.is_some());
        prop_assert_eq!(found, expected);
    }
}

/// What a reader must be able to know, whatever was compacted: newest values, facts, offsets.
type Known = (BTreeMap<(u32, Vec<u8>), Vec<u8>>, Vec<Record>, NextOffsets);

fn known(broker: &EmbeddedBroker) -> Known {
    let (records, offsets) = all(broker);
    let (changes, facts): (Vec<_>, Vec<_>) =
        records.into_iter().partition(|record| record.topic == COMPACTED);
    let mut newest = BTreeMap::new();
    for record in changes {
        newest.insert((record.partition, record.key.unwrap()), record.value);
    }
    let there = newest.into_iter().filter_map(|(key, value)| Some((key, value?)));
    (there.collect(), facts, offsets)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// EB-1, EB-2: the disk fails after any change of it, the power goes, the same happens while it is opened again; and
    /// then all that was acknowledged is there, and of the step that failed all or nothing.
    #[test]
    fn a_crash_between_any_two_changes_of_the_disk_is_survived(
        steps in steps(),
        fuel in 0_u64..300,
        again in 0_u64..30,
        seed in any::<u64>(),
    ) {
        let mut dice = seed;
        let mut kept = move |len: usize| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(dice >> 33).unwrap() % (len + 1)
        };
        let settings = small();
        let disk = Disk::memory().after_power_loss(fuel, |_| 0);
        let model = EmbeddedBroker::in_memory(&patient());
        let mut modelled = taken(&model, "a");
        let (mut before, mut after) = (known(&model), known(&model));
        if let Ok(broker) = EmbeddedBroker::on(disk.again(), &settings) {
            let mut session = taken(&broker, "a");
            for step in &steps {
                let time = EmbeddedSettings { clock: settings.clock.clone(), ..patient() };
                let now = settings.clock.now();
                let done = take(&broker, (&mut session, &settings), step);
                settings.clock.set(now);
                take(&model, (&mut modelled, &time), step).unwrap();
                before = if done.is_ok() { known(&model) } else { after };
                after = known(&model);
                if done.is_err() {
                    break;
                }
            }
        }
        let left = disk.after_power_loss(again, &mut kept);
        drop(EmbeddedBroker::on(left.again(), &settings));
        let left = left.after_power_loss(u64::MAX, &mut kept);
        let found = known(&EmbeddedBroker::on(left, &settings).unwrap());
        prop_assert!(found == before || found == after, "{found:?}, not {before:?} or {after:?}");
    }
}

#[test]
fn without_a_sync_a_loss_of_power_takes_the_unsynced() {
    let settings = EmbeddedSettings { sync: super::SyncPolicy::LeftToSystem, ..settings() };
    let broker = EmbeddedBroker::in_memory(&settings);
    append(&broker, output(INPUT, 0, "k", "gone"));
    let left = broker.handle.shared.disk.after_power_loss(u64::MAX, |_| 0);
    let after = EmbeddedBroker::on(left, &settings).unwrap();
    assert!(values(&after, (INPUT, 0)).is_empty(), "or the test above proves nothing");
}
