//! A worker driven by hand: what an abort must not lose, and timers while there is always more to read.

use std::path::PathBuf;

use prometheus::Registry;

use super::*;
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::record::{Headers, Output, Record};
use crate::broker::{Error as BrokerError, NextOffsets};
use crate::domain::time::Timestamp;
use crate::engine::context::{Context, StateError};
use crate::engine::stage::{Exit, Row, RowError};
use crate::store::{MemoryDisk, StoreSettings, WriterSettings};

/// A row whose timer is due at its number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Alarm(u64);

impl Row for Alarm {
    fn encode(&self, into: &mut Vec<u8>) {
        into.extend(self.0.to_be_bytes());
    }

    fn decode(bytes: &[u8]) -> Result<Self, RowError> {
        let bytes =
            bytes.try_into().map_err(|_wrong_length| RowError::Malformed("an alarm".to_owned()))?;
        Ok(Self(u64::from_be_bytes(bytes)))
    }

    fn due_at(&self) -> Option<Timestamp> {
        Some(Timestamp::from_ms(self.0))
    }
}

/// Sets an alarm a second after each record, has something done, and tells of both.
struct Teller;

impl Teller {
    fn tell(what: &str, context: &mut Context<'_, Self>) {
        let timestamp = context.now();
        context.emit(output(Topic::Timeline, what, timestamp));
    }
}

impl Stage for Teller {
    type Row = Alarm;
    type Action = ();
    type Completion = ();

    fn apply(
        &mut self,
        record: &Record,
        context: &mut Context<'_, Self>,
    ) -> Result<Exit, StateError> {
        let due = record.timestamp.plus_ms(1_000);
        context.put(record.key.as_deref().unwrap_or_default(), Alarm(due.as_ms()));
        context.act(());
        Ok(Exit::Emitted)
    }

    fn fire(&mut self, key: &[u8], context: &mut Context<'_, Self>) -> Result<(), StateError> {
        context.delete(key);
        Self::tell("alarm", context);
        Ok(())
    }

    fn complete(&mut self, (): (), context: &mut Context<'_, Self>) -> Result<(), StateError> {
        Self::tell("done", context);
        Ok(())
    }
}

/// A session that can refuse a commit, and that says there is more to read.
struct Odd {
    inner: Session,
    refuses: bool,
    endless: bool,
    /// Commits that held.
    commits: u64,
    /// Records handed out at a time, since the last commit.
    slices: Vec<usize>,
}

impl Exchange for Odd {
    fn poll(&mut self, bounds: &PollBounds) -> Result<Polled, BrokerError> {
        let polled = self.inner.poll(bounds)?;
        Ok(match polled {
            Polled::Records { records, drained } => {
                self.slices = vec![records.len()];
                Polled::Records { records, drained: drained && !self.endless }
            }
            Polled::Assigned(_) | Polled::Revoked(_) | Polled::Lost(_) | Polled::Idle => polled,
        })
    }

    fn read_on(
        &mut self,
        bounds: &PollBounds,
        used: Vec<Record>,
    ) -> Result<(Vec<Record>, bool), BrokerError> {
        let (records, drained) = self.inner.read_on(bounds, used)?;
        self.slices.push(records.len());
        Ok((records, drained && !self.endless))
    }

    fn take(&mut self, lanes: &[u32]) -> Result<(), BrokerError> {
        self.inner.take(lanes)
    }

    fn give_up(&mut self, lanes: &[u32]) -> Result<(), BrokerError> {
        self.inner.give_up(lanes)
    }

    fn send(&mut self, output: &Output) -> Result<(), BrokerError> {
        self.inner.send(output)
    }

    fn commit(&mut self, next: &NextOffsets) -> Result<(), BrokerError> {
        if std::mem::take(&mut self.refuses) {
            return Err(BrokerError::Abortable("told to".to_owned()));
        }
        self.commits += 1;
        self.inner.commit(next)
    }

    fn abort(&mut self) -> Result<(), BrokerError> {
        self.inner.abort()
    }
}

fn output(topic: Topic, key: &str, timestamp: Timestamp) -> Output {
    let value = Some(key.into());
    Output {
        topic,
        partition: None,
        key: key.into(),
        value,
        headers: Headers::default(),
        timestamp,
    }
}

struct Room {
    broker: EmbeddedBroker,
    clock: Clock,
    worker: Worker<Teller>,
    session: Odd,
}

impl Room {
    fn new() -> Self {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let settings = EmbeddedSettings {
            partitions: Some(1),
            clock: clock.clone(),
            waits: false,
            ..EmbeddedSettings::default()
        };
        let broker = EmbeddedBroker::in_memory(&settings);
        let disk = MemoryDisk::new(StoreSettings::default(), WriterSettings::default());
        let inputs = vec![Topic::EventsNormalized];
        let spec = WorkerSpec {
            stage: StageName::Conversation,
            session: SessionSpec { group: "g".to_owned(), member: "m".to_owned(), inputs },
            changelog: Some(Topic::ConversationChangelog),
            stores: Place::Memory(disk, PathBuf::from("m")),
            unwritten_bytes: 1 << 20,
        };
        let around = Surroundings {
            broker: Broker::Embedded(broker.clone()),
            clock: clock.clone(),
            settings: Arc::default(),
            metrics: Metrics::register(&Registry::new()).unwrap(),
        };
        let act: Act<Teller> = Box::new(|lane, (), answer| answer.send((lane, ())).unwrap());
        let mut worker = Worker::new(spec, around, Teller, act, Arc::default())
            .with_limits(Limits { lasts: Duration::MAX, ..Limits::USUAL });
        let inner = worker.begin().unwrap();
        let (commits, slices) = (0, Vec::new());
        let session = Odd { inner, refuses: false, endless: false, commits, slices };
        let mut room = Self { broker, clock, worker, session };
        // The lane comes, is restored and taken.
        for _ in 0..6 {
            room.round();
        }
        room
    }

    fn round(&mut self) {
        self.worker.round(&mut self.session).unwrap();
    }

    fn append(&self, key: &str, at_ms: u64) {
        let record = output(Topic::EventsNormalized, key, Timestamp::from_ms(at_ms));
        let appended = self.broker.producer().unwrap().append(record);
        futures::executor::block_on(appended).unwrap();
    }

    fn told(&self) -> u64 {
        self.broker.end_offset(Topic::Timeline, 0).unwrap()
    }
}

#[test]
fn what_came_of_an_action_outlives_the_turn_that_was_aborted() {
    let mut room = Room::new();
    room.append("a", 0);
    room.round();
    room.session.refuses = true;
    room.round();
    assert_eq!(room.told(), 0, "the turn was aborted");
    room.round();
    assert_eq!(room.told(), 1);
    room.round();
    assert_eq!(room.told(), 1, "it is taken in once");
}

#[test]
fn timers_fire_as_far_as_inputs_have_come_when_there_is_always_more() {
    let mut room = Room::new();
    room.session.endless = true;
    room.clock.set(Timestamp::from_ms(60_000));
    room.append("a", 0);
    room.round();
    assert_eq!(room.told(), 0, "a later input may still come before the alarm");
    room.append("b", 1_000);
    room.round();
    assert_eq!(
        room.told(),
        1,
        "the first action is done; the alarm is not before the newest input"
    );
    room.append("c", 1_001);
    room.round();
    assert_eq!(room.told(), 3, "the second action is done, the first alarm rang");
}

#[test]
fn a_turn_reads_on_slice_by_slice_and_is_one_commit() {
    let mut room = Room::new();
    for key in 0..600 {
        room.append(&format!("{key}"), 0);
    }
    room.clock.set(Timestamp::from_ms(60_000));
    let before = room.session.commits;
    room.round();
    assert_eq!(room.session.slices, [256, 256, 88], "the last one found the end");
    assert_eq!(room.session.commits, before + 1);
    assert_eq!(room.told(), 600, "all is read: every alarm rings");
}

#[test]
fn a_turn_that_lasts_long_reads_no_further() {
    let mut room = Room::new();
    room.worker = room.worker.with_limits(Limits { lasts: Duration::ZERO, ..Limits::USUAL });
    for key in 0..300 {
        room.append(&format!("{key}"), 0);
    }
    for slice in [256, 44] {
        let before = room.session.commits;
        room.round();
        assert_eq!((&room.session.slices[..], room.session.commits), (&[slice][..], before + 1));
    }
}

#[test]
fn a_turn_that_is_aborted_reads_all_its_slices_again() {
    let mut room = Room::new();
    for key in 0..300 {
        room.append(&format!("{key}"), 0);
    }
    room.session.refuses = true;
    room.round();
    room.round();
    assert_eq!(room.session.slices, [256, 44]);
    let actions = 300;
    room.round();
    assert_eq!(room.told(), actions, "each was done once, after the commit that held");
}
