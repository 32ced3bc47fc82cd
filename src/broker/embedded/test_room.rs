//! What the tests of this room share: records, bounds, and reading all of a topic.

use std::path::Path;
use std::time::Duration;

use super::{EmbeddedBroker, EmbeddedSettings, Session};
use crate::broker::record::{Headers, Output, Record};
use crate::broker::{NextOffsets, PollBounds, Polled, ReadBatch, SessionSpec};
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::topics::Topic;

/// The input of most tests.
pub(super) const INPUT: Topic = Topic::EventsNormalized;
/// The output of most tests.
pub(super) const OUTPUT: Topic = Topic::Timeline;

pub(super) fn settings() -> EmbeddedSettings {
    let clock = Clock::manual(Timestamp::from_ms(0));
    EmbeddedSettings { partitions: Some(2), clock, ..EmbeddedSettings::default() }
}

pub(super) fn open(dir: &Path) -> EmbeddedBroker {
    EmbeddedBroker::open(dir, &settings()).unwrap()
}

pub(super) fn output(topic: Topic, partition: u32, key: &str, value: &str) -> Output {
    Output {
        topic,
        partition: Some(partition),
        key: key.as_bytes().to_vec(),
        value: Some(value.as_bytes().to_vec()),
        headers: Headers::default(),
        timestamp: Timestamp::from_ms(0),
    }
}

pub(super) fn bounds(records_max: usize, wait_ms: u64) -> PollBounds {
    PollBounds { records_max, bytes_max: 1 << 20, wait: Duration::from_millis(wait_ms) }
}

pub(super) fn spec(member: &str) -> SessionSpec {
    SessionSpec { group: "stage".to_owned(), member: member.to_owned(), inputs: vec![INPUT] }
}

/// Appends one record and waits until it is durable.
pub(super) fn append(broker: &EmbeddedBroker, output: Output) {
    wait(broker.producer().unwrap().append(output)).unwrap();
}

/// A session that has taken all it was given at first.
pub(super) fn taken(broker: &EmbeddedBroker, member: &str) -> Session {
    let mut session = broker.session(&spec(member)).unwrap();
    let told = session.poll(&bounds(1, 0)).unwrap();
    let Polled::Assigned(lanes) = told else { panic!("{told:?}") };
    session.take(&lanes).unwrap();
    session
}

/// What a poll brings, as partition and value.
pub(super) fn polled(session: &mut Session) -> Vec<(u32, String)> {
    match session.poll(&bounds(100, 0)).unwrap() {
        Polled::Records { records, .. } => records.iter().map(short).collect(),
        Polled::Idle => Vec::new(),
        news @ (Polled::Assigned(_) | Polled::Revoked(_) | Polled::Lost(_)) => panic!("{news:?}"),
    }
}

pub(super) fn short(record: &Record) -> (u32, String) {
    (record.partition, String::from_utf8(record.bytes().to_vec()).unwrap())
}

/// All of one partition, from `from` on.
pub(super) fn read(broker: &EmbeddedBroker, at: (Topic, u32), from: u64) -> ReadBatch {
    let mut reader = broker.reader(&NextOffsets::from([(at, from)])).unwrap();
    let mut all = ReadBatch::default();
    while !all.at_end {
        let batch = reader.poll(&bounds(7, 0)).unwrap();
        all.records.extend(batch.records);
        (all.next, all.at_end) = (batch.next, batch.at_end);
    }
    all
}

/// The values in one partition.
pub(super) fn values(broker: &EmbeddedBroker, at: (Topic, u32)) -> Vec<String> {
    read(broker, at, 0).records.iter().map(|record| short(record).1).collect()
}

/// Waits for a future.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
