//! Kafka: sessions, producers, readers and topics over rdkafka. The only room that names rdkafka.
//!
//! Promise: outputs and offsets of a session become visible together or never; a lane has one owner at a time; every
//! error says whether to repeat, to abort or to rebuild. Not here: what is processed (`engine`), what is declared
//! (`topics.yaml`), the same semantics without Kafka (`broker::embedded`).
//!
//! How lanes are shared out, and why rebalances are answered outside the callback: `docs/adr/0003-lanes.md`.

mod settings;
mod error;
mod complaints;
mod context;
mod wire;
mod wait;
mod names;
mod session;
mod lanes;
mod fresh;
mod places;
mod roll;
mod transaction;
mod producer;
mod reader;
mod admin;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};

pub use producer::Producer;
pub use reader::Reader;
pub use session::Session;
pub use settings::{GroupProtocol, KafkaSettings};

use super::{Error, NextOffsets, SessionSpec, TopicChange, TopicDifference};
use crate::clock::Stopwatch;
use crate::topics::Topic;
use context::{Quiet, lock};
use error::from_kafka;
use names::Names;

/// How long a question about metadata may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long a topic may be missing before it counts as missing, and the pause between two looks.
const MISSING_FOR: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A Kafka cluster, seen under one topic prefix. Clones share one client for questions.
#[derive(Clone)]
pub struct KafkaBroker {
    shared: Arc<Shared>,
}

struct Shared {
    settings: KafkaSettings,
    names: Names,
    observer: BaseConsumer<Quiet>,
    partitions: Mutex<BTreeMap<Topic, u32>>,
}

impl fmt::Debug for KafkaBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Properties may hold secrets.
        f.debug_struct("KafkaBroker").field("bootstrap", &self.shared.settings.bootstrap).finish()
    }
}

impl KafkaBroker {
    /// A cluster as `settings` describe it. Nothing is asked of it yet: it may come up later.
    ///
    /// # Errors
    ///
    /// `Settings` when a property is locked, unknown or of a wrong shape.
    pub fn connect(settings: KafkaSettings) -> Result<Self, Error> {
        settings.check()?;
        let observer = BaseConsumer::from_config_and_context(&settings.observer(), Quiet)
            .map_err(|error| from_kafka(&error))?;
        let names = Names::new(&settings.topic_prefix);
        let partitions = Mutex::default();
        Ok(Self { shared: Arc::new(Shared { settings, names, observer, partitions }) })
    }

    /// How many partitions `topic` has; asked until known, then no more, since a keyed topic's count never changes.
    ///
    /// A topic made a moment ago is not known to every broker yet, so one that is missing is asked for again for a while.
    ///
    /// # Errors
    ///
    /// `Topics` when it is missing, `Retriable` when the cluster does not answer.
    pub fn partitions(&self, topic: Topic) -> Result<u32, Error> {
        if let Some(known) = lock(&self.shared.partitions).get(&topic) {
            return Ok(*known);
        }
        let since = Stopwatch::start();
        loop {
            match self.count(topic) {
                Err(Error::Topics(_)) if since.elapsed() < MISSING_FOR => {
                    std::thread::sleep(LOOK_AGAIN);
                }
                Err(error) => return Err(error),
                Ok(count) => {
                    lock(&self.shared.partitions).insert(topic, count);
                    return Ok(count);
                }
            }
        }
    }

    fn count(&self, topic: Topic) -> Result<u32, Error> {
        let name = self.shared.names.of(topic);
        self.serve_observer();
        let metadata = self.shared.observer.fetch_metadata(Some(name), ANSWER_WITHIN);
        let metadata = metadata.map_err(|error| from_kafka(&error))?;
        let found = metadata.topics().iter().find(|found| found.name() == name);
        let count = found.map_or(0, |found| found.partitions().len());
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if count == 0 {
            return Err(Error::Topics(format!("{name} is missing")));
        }
        Ok(count)
    }

    /// A member of a stage's group, with a transactional producer of its own. Whoever had the same member name before
    /// is fenced.
    ///
    /// # Errors
    ///
    /// `Topics` when the inputs are missing or not co-partitioned, `Retriable` when the cluster does not answer in time.
    pub fn session(&self, spec: &SessionSpec) -> Result<Session, Error> {
        Session::open(self, spec)
    }

    /// A producer outside transactions: acknowledged by all in-sync copies, written once.
    ///
    /// # Errors
    ///
    /// `Settings` when the client cannot be made.
    pub fn producer(&self) -> Result<Producer, Error> {
        Producer::open(self)
    }

    /// Reads exactly the partitions of `from`, each from its offset: committed records only, outside every group.
    /// Zero is the beginning; an offset below the log's start is moved up to it.
    ///
    /// # Errors
    ///
    /// `Topics` when a partition is missing, `Retriable` when the cluster does not answer.
    pub fn reader(&self, from: &NextOffsets) -> Result<Reader, Error> {
        Reader::open(self, from)
    }

    /// Compares the cluster with `topics.yaml`; empty when they agree.
    ///
    /// # Errors
    ///
    /// `Retriable` when the cluster does not answer, `Fatal` when it refuses to.
    pub fn check_topics(&self) -> Result<Vec<TopicDifference>, Error> {
        admin::check(self)
    }

    /// Creates what is missing and sets what differs, as far as that does no harm; what would is refused by name.
    ///
    /// # Errors
    ///
    /// As [`Self::check_topics`]; `Topics` when the cluster refuses a topic.
    pub fn apply_topics(&self) -> Result<Vec<TopicChange>, Error> {
        admin::apply(self)
    }

    /// The offset after the last record of a partition; committed records only, where its one writer has nothing open.
    ///
    /// # Errors
    ///
    /// `Topics` when it is missing, `Retriable` when the cluster does not answer.
    pub fn end_offset(&self, topic: Topic, partition: u32) -> Result<u64, Error> {
        self.high_watermark(topic, partition)
    }

    /// The end of a partition, uncommitted records included.
    fn high_watermark(&self, topic: Topic, partition: u32) -> Result<u64, Error> {
        Ok(self.extent(topic, partition)?.1)
    }

    /// The first offset of a partition, and the one after its last record.
    ///
    /// # Errors
    ///
    /// As [`Self::end_offset`].
    pub fn extent(&self, topic: Topic, partition: u32) -> Result<(u64, u64), Error> {
        self.serve_observer();
        let name = self.shared.names.of(topic);
        let observer = &self.shared.observer;
        let ask = || observer.fetch_watermarks(name, signed(partition), ANSWER_WITHIN);
        // A broker that has just come up may tell of a topic without its partitions, and the client believes it for
        // minutes: asking for the topic itself mends that.
        let ends = ask().or_else(|_stale| {
            observer.fetch_metadata(Some(name), ANSWER_WITHIN)?;
            ask()
        });
        let (start, end) = ends.map_err(|error| from_kafka(&error))?;
        Ok((u64::try_from(start).unwrap_or(0), u64::try_from(end).unwrap_or(0)))
    }

    /// Its logs and errors are only written when it is polled.
    fn serve_observer(&self) {
        while let Some(Err(error)) = self.shared.observer.poll(Duration::ZERO) {
            tracing::debug!(kafka.error = %error, "the observing client reports an error");
        }
    }
}

/// Kafka's partition numbers are signed; ours never reach the sign.
pub(super) fn signed(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}
