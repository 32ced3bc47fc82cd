//! What the tests of this room share: a stage that counts, a log in memory, workers that go round by hand.

#![expect(clippy::unwrap_in_result, reason = "what a test wrote wrongly fails the test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus::Registry;

use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::record::{Headers, Output, Record};
use crate::broker::{Broker, NextOffsets, PollBounds, Session, SessionSpec};
use crate::clock::Clock;
use crate::domain::settings::SettingsTable;
use crate::domain::time::{DAY_MS, Timestamp};
use crate::engine::context::{Context, StateError};
use crate::engine::stage::{Exit, Row, RowError, Stage};
use crate::engine::worker::{Limits, Pulse, Surroundings, Worker, WorkerSpec};
use crate::metrics::{self, Metrics, StageName};
use crate::store::Place;
use crate::topics::Topic;

pub(super) const INPUT: Topic = Topic::EventsNormalized;
pub(super) const CHANGELOG: Topic = Topic::ConversationChangelog;
pub(super) const START: Timestamp = Timestamp::from_ms(20_000 * DAY_MS);

/// How often a key was met, and when its timer is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u64,
    pub(super) due: Option<u64>,
}

impl Row for Tally {
    fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(format!("{} {}", self.count, self.due.unwrap_or(0)).as_bytes());
    }

    fn decode(bytes: &[u8]) -> Result<Self, RowError> {
        let text = String::from_utf8_lossy(bytes);
        let (count, due) = text.split_once(' ').unwrap();
        let due = Some(due.parse().unwrap()).filter(|due| *due > 0);
        Ok(Self { count: count.parse().unwrap(), due })
    }

    fn due_at(&self) -> Option<Timestamp> {
        self.due.map(Timestamp::from_ms)
    }
}

/// Counts records by key. A value may ask for more: `due MS`, `delete`, `emit COUNT BYTES`, `act`.
#[derive(Debug)]
pub(super) struct Counting;

impl Stage for Counting {
    type Row = Tally;
    type Action = ();
    type Completion = ();

    fn apply(
        &mut self,
        record: &Record,
        context: &mut Context<'_, Self>,
    ) -> Result<Exit, StateError> {
        let key = record.key.clone().unwrap();
        let text = String::from_utf8_lossy(record.bytes()).into_owned();
        let words: Vec<&str> = text.split(' ').collect();
        let mut row = context.get(&key)?.unwrap_or(Tally { count: 0, due: None });
        row.count += 1;
        match words.as_slice() {
            ["due", ms] => row.due = Some(ms.parse().unwrap()),
            ["delete"] => {
                context.delete(&key);
                return Ok(Exit::Emitted);
            }
            ["emit", count, bytes] => {
                for _ in 0..count.parse::<usize>().unwrap() {
                    let value = "x".repeat(bytes.parse().unwrap());
                    context.emit(output(Topic::Timeline, 0, "k", &value, context.now()));
                }
            }
            ["act"] => context.act(()),
            _ => (),
        }
        context.put(&key, row);
        Ok(Exit::Emitted)
    }

    fn fire(&mut self, key: &[u8], context: &mut Context<'_, Self>) -> Result<(), StateError> {
        let row = context.get(key)?.unwrap();
        context.put(key, Tally { due: None, ..row });
        context.emit(output(Topic::Timeline, 0, "fired", "fired", context.now()));
        Ok(())
    }

    fn complete(&mut self, (): (), _: &mut Context<'_, Self>) -> Result<(), StateError> {
        Ok(())
    }
}

pub(super) fn output(
    topic: Topic,
    partition: u32,
    key: &str,
    value: &str,
    timestamp: Timestamp,
) -> Output {
    Output {
        topic,
        partition: Some(partition),
        key: key.as_bytes().to_vec(),
        value: Some(value.as_bytes().to_vec()),
        headers: Headers::default(),
        timestamp,
    }
}

/// A log in memory under a clock moved by hand, and what is counted.
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) broker: Broker,
    pub(super) registry: Registry,
    pub(super) metrics: Metrics,
}

impl World {
    /// Topics of `partitions` lanes; each record closes its segment, so that all is compacted that can be.
    pub(super) fn new(partitions: u32) -> Self {
        let clock = Clock::manual(START);
        let settings = EmbeddedSettings {
            partitions: Some(partitions),
            clock: clock.clone(),
            segment_bytes_max: 1 << 10,
            transaction_bytes_max: 64 << 20,
            ..EmbeddedSettings::default()
        };
        let broker = Broker::Embedded(EmbeddedBroker::in_memory(&settings));
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        Self { clock, broker, registry, metrics }
    }

    pub(super) fn around(&self) -> Surroundings {
        Surroundings {
            broker: self.broker.clone(),
            clock: self.clock.clone(),
            settings: Arc::new(ArcSwap::from_pointee(SettingsTable::default())),
            metrics: self.metrics.clone(),
        }
    }

    pub(super) fn move_on(&self, ms: u64) {
        self.clock.set(self.clock.now().plus_ms(ms));
    }

    /// Records of one lane's input: key, value, time.
    pub(super) fn write(&self, lane: u32, records: &[(&str, &str, Timestamp)]) {
        let spec = SessionSpec {
            group: "writer".to_owned(),
            member: "writer".to_owned(),
            inputs: vec![Topic::Settings],
        };
        let mut session = self.broker.session(&spec).unwrap();
        for (key, value, at) in records {
            session.send(&output(INPUT, lane, key, value, *at)).unwrap();
        }
        session.commit(&NextOffsets::new()).unwrap();
        session.close().unwrap();
    }

    /// All of a partition.
    pub(super) fn read(&self, topic: Topic, partition: u32) -> Vec<Record> {
        let mut reader = self.broker.reader(&NextOffsets::from([((topic, partition), 0)])).unwrap();
        let bounds = PollBounds { records_max: 100_000, bytes_max: 1 << 30, wait: Duration::ZERO };
        let mut records = Vec::new();
        loop {
            let batch = reader.poll(&bounds).unwrap();
            records.extend(batch.records);
            if batch.at_end {
                return records;
            }
        }
    }

    pub(super) fn keep(&self) {
        let Broker::Embedded(broker) = &self.broker else { panic!("in memory") };
        broker.keep().unwrap();
    }

    /// The value of a series; `None`: there is none.
    pub(super) fn metric(&self, series: &str) -> Option<f64> {
        let page = metrics::page(&self.registry).unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }

    pub(super) fn set_aside(&self, reason: &str) -> f64 {
        let series = format!(
            "dmstream_state_quarantined_total{{reason=\"{reason}\",stage=\"conversation\"}}"
        );
        self.metric(&series).unwrap()
    }
}

/// A worker of the counting stage whose stores are in `dir`.
pub(super) fn worker(world: &World, member: &str, dir: &Path) -> (Worker<Counting>, Arc<Pulse>) {
    let pulse = Arc::new(Pulse::default());
    let session = SessionSpec {
        group: "conversation".to_owned(),
        member: member.to_owned(),
        inputs: vec![INPUT],
    };
    let spec = WorkerSpec {
        stage: StageName::Conversation,
        session,
        changelog: Some(CHANGELOG),
        stores: Place::Directory(dir.to_owned()),
        unwritten_bytes: 64 << 10,
    };
    let act = Box::new(|_, (), _| ());
    // However slow the machine, a turn of a test is as long as its input.
    let limits = Limits { lasts: Duration::MAX, ..Limits::USUAL };
    let worker = Worker::new(spec, world.around(), Counting, act, Arc::clone(&pulse));
    (worker.with_limits(limits), pulse)
}

/// One that goes round by hand.
pub(super) struct ByHand {
    pub(super) worker: Worker<Counting>,
    pub(super) session: Session,
}

impl ByHand {
    pub(super) fn begin(world: &World, member: &str, dir: &Path) -> Self {
        let (mut worker, _) = worker(world, member, dir);
        let session = worker.begin().unwrap();
        Self { worker, session }
    }

    pub(super) fn rounds(&mut self, count: usize) {
        for _ in 0..count {
            self.worker.round(&mut self.session).unwrap();
        }
    }

    /// In the midst of a restore more waits than may: it is written, and only then is more read.
    pub(super) fn writes_before_it_reads_on(&mut self) {
        assert!(self.worker.is_restoring());
        self.rounds(1);
        while self.worker.writer().unwrap().pending_bytes() > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(self.worker.is_restoring());
    }

    /// Ends in order; what it knows of its rows, by lane and key.
    pub(super) fn end(mut self) -> BTreeMap<(u32, String), Tally> {
        let rows = self.worker.rows();
        self.worker.close_lanes();
        self.session.close().unwrap();
        rows
    }
}
