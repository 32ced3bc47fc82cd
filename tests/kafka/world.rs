//! What the tests share: topics under a prefix of their own, a small engine, patience.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use dmstream::broker::kafka::{KafkaBroker, KafkaSettings, Producer, Reader, Session};
use dmstream::broker::record::{Headers, Output, Record};
use dmstream::broker::{Error, NextOffsets, PollBounds, Polled, SessionSpec};
use dmstream::clock::{Clock, Stopwatch};
use dmstream::domain::time::Timestamp;
use dmstream::topics::Topic;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;

pub(crate) const PATIENCE: Duration = Duration::from_secs(25);
pub(crate) const BOUNDS: PollBounds =
    PollBounds { records_max: 50, bytes_max: 1 << 20, wait: Duration::from_millis(50) };

/// The real broker, under a prefix that no other test has.
#[expect(clippy::disallowed_methods, reason = "the broker is told by the environment")]
pub(crate) fn settings(test: &str) -> KafkaSettings {
    let Ok(bootstrap) = std::env::var("DMSTREAM_TEST_KAFKA") else {
        panic!(
            "DMSTREAM_TEST_KAFKA is not set: `scripts/kafka start` prints the bootstrap servers to put there"
        )
    };
    let mut settings = KafkaSettings::new(&bootstrap);
    settings.topic_prefix = format!("{test}-{}.", Clock::System.now().as_ms());
    settings.transaction_timeout = Duration::from_secs(5);
    settings.session_timeout = Duration::from_secs(3);
    settings.replication = Some(1);
    settings
}

/// A cluster with these topics.
pub(crate) fn world(test: &str, topics: &[(Topic, i32)]) -> KafkaBroker {
    let settings = settings(test);
    create(&settings, topics);
    KafkaBroker::connect(settings).unwrap()
}

pub(crate) fn create(settings: &KafkaSettings, topics: &[(Topic, i32)]) {
    let admin = admin(settings);
    let name = |topic: &Topic| format!("{}{}", settings.topic_prefix, topic.name());
    for (topic, partitions) in topics {
        let name = name(topic);
        let new = NewTopic::new(&name, *partitions, TopicReplication::Fixed(1));
        let answers = wait(admin.create_topics([&new], &AdminOptions::new())).unwrap();
        answers.into_iter().for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
    }
}

pub(crate) fn admin(settings: &KafkaSettings) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", &settings.bootstrap).create().unwrap()
}

pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) fn spec(member: &str, inputs: &[Topic]) -> SessionSpec {
    SessionSpec { group: "stage".to_owned(), member: member.to_owned(), inputs: inputs.to_vec() }
}

pub(crate) fn output(topic: Topic, key: &str, value: &str) -> Output {
    Output {
        topic,
        partition: None,
        key: key.as_bytes().to_vec(),
        value: Some(value.as_bytes().to_vec()),
        headers: Headers::default(),
        timestamp: Timestamp::from_ms(1_700_000_000_000),
    }
}

pub(crate) fn append(producer: &Producer, topic: Topic, key: &str, value: &str) {
    wait(producer.append(output(topic, key, value))).unwrap();
}

pub(crate) fn text(record: &Record) -> String {
    String::from_utf8_lossy(record.bytes()).into_owned()
}

pub(crate) fn key(record: &Record) -> String {
    String::from_utf8(record.key.clone().unwrap()).unwrap()
}

/// All partitions of `topic` from the beginning.
pub(crate) fn reader(broker: &KafkaBroker, topic: Topic) -> Reader {
    let partitions = broker.partitions(topic).unwrap();
    let from: NextOffsets = (0..partitions).map(|partition| ((topic, partition), 0)).collect();
    broker.reader(&from).unwrap()
}

/// Reads to the end: the values, sorted, and where it goes on.
pub(crate) fn read_all(reader: &mut Reader) -> (Vec<String>, NextOffsets) {
    let watch = Stopwatch::start();
    let mut values = Vec::new();
    loop {
        let batch = reader.poll(&BOUNDS).unwrap();
        values.extend(batch.records.iter().map(text));
        if batch.at_end {
            values.sort();
            return (values, batch.next);
        }
        assert!(watch.elapsed() < PATIENCE, "no end after {} records", values.len());
    }
}

/// A session that can be dropped before another takes its place.
pub(crate) struct Held(Option<Session>);

impl Deref for Held {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.0.as_ref().unwrap()
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Session {
        self.0.as_mut().unwrap()
    }
}

impl Held {
    pub(crate) fn close(mut self) -> Result<(), Error> {
        self.0.take().unwrap().close()
    }
}

/// An engine without state: every input record becomes a timeline record of the same key and value.
pub(crate) struct Copier {
    broker: KafkaBroker,
    spec: SessionSpec,
    pub(crate) session: Held,
    pub(crate) lanes: BTreeSet<u32>,
    pub(crate) copied: Vec<(Topic, u32, String)>,
}

impl Copier {
    pub(crate) fn open(broker: &KafkaBroker, member: &str, inputs: &[Topic]) -> Self {
        let (broker, spec) = (broker.clone(), spec(member, inputs));
        let session = Held(Some(broker.session(&spec).unwrap()));
        Self { broker, spec, session, lanes: BTreeSet::new(), copied: Vec::new() }
    }

    /// A new session in place of one that ended because a lane had no member, as a worker does: the old one leaves first.
    fn begin_again(&mut self) {
        self.lanes.clear();
        drop(self.session.0.take());
        self.session = Held(Some(self.broker.session(&self.spec).unwrap()));
    }

    /// One turn, without its commit: where the input goes on.
    pub(crate) fn turn(&mut self) -> Result<NextOffsets, Error> {
        let mut next = BTreeMap::new();
        match self.session.poll(&BOUNDS)? {
            Polled::Idle => (),
            Polled::Assigned(lanes) => {
                self.session.take(&lanes)?;
                self.lanes.extend(lanes);
            }
            Polled::Revoked(lanes) => self.give_up(&lanes)?,
            Polled::Lost(lanes) => {
                self.session.abort()?;
                self.give_up(&lanes)?;
            }
            Polled::Records { records, .. } => {
                for record in records {
                    assert!(self.lanes.contains(&record.partition), "not its lane");
                    let (key, value) = (key(&record), text(&record));
                    self.session.send(&output(Topic::Timeline, &key, &value))?;
                    next.insert((record.topic, record.partition), record.offset + 1);
                    self.copied.push((record.topic, record.partition, value));
                }
            }
        }
        Ok(next)
    }

    fn give_up(&mut self, lanes: &[u32]) -> Result<(), Error> {
        self.session.give_up(lanes)?;
        self.lanes.retain(|lane| !lanes.contains(lane));
        Ok(())
    }

    /// One turn with its commit.
    pub(crate) fn step(&mut self) {
        let next = match self.turn() {
            Ok(next) => next,
            // Told by the roll call, whose members may be slow on a busy machine.
            Err(Error::Fatal(text)) if text.contains("to nobody") => return self.begin_again(),
            Err(error) => panic!("{error}"),
        };
        match self.session.commit(&next) {
            Ok(()) => (),
            Err(Error::Abortable(_)) => self.session.abort().unwrap(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Turns without a commit until some brought records.
    pub(crate) fn read_uncommitted(&mut self) -> NextOffsets {
        let watch = Stopwatch::start();
        while watch.elapsed() < PATIENCE {
            let next = self.turn().unwrap();
            if !next.is_empty() {
                return next;
            }
        }
        panic!("nothing came")
    }
}

/// Turns of all members, until `done`.
pub(crate) fn run(members: &mut [&mut Copier], mut done: impl FnMut(&[&mut Copier]) -> bool) {
    let watch = Stopwatch::start();
    while !done(members) {
        assert!(watch.elapsed() < PATIENCE, "not done in time");
        for member in &mut *members {
            member.step();
        }
    }
}
