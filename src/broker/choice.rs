//! The choice of broker, made once at start; every call goes to the one chosen.

use std::future::Future;
use std::pin::Pin;

use super::record::{Output, Record};
use super::{
    Error, Lag, NextOffsets, PollBounds, Polled, ReadBatch, SessionSpec, Shown, embedded, kafka,
};
use crate::topics::Topic;

/// A broker. Cheap to clone: every clone speaks to the same log.
#[derive(Clone, Debug)]
pub enum Broker {
    /// Apache Kafka: production, scale-out by consumer groups.
    Kafka(kafka::KafkaBroker),
    /// In this process: first run, laptop, small shop, simulation.
    Embedded(embedded::EmbeddedBroker),
}

/// A stage's exactly-once session.
#[derive(Debug)]
pub enum Session {
    /// On Kafka.
    Kafka(Box<kafka::Session>),
    /// In this process.
    Embedded(Box<embedded::Session>),
}

/// Appends single records, durable when acknowledged.
#[derive(Clone, Debug)]
pub enum Producer {
    /// On Kafka.
    Kafka(kafka::Producer),
    /// In this process.
    Embedded(embedded::Producer),
}

/// Reads committed records of given partitions, without a group.
#[derive(Debug)]
pub enum Reader {
    /// On Kafka.
    Kafka(Box<kafka::Reader>),
    /// In this process.
    Embedded(Box<embedded::Reader>),
}

impl Broker {
    /// How many partitions a topic has.
    ///
    /// # Errors
    ///
    /// When the topic is missing or the broker does not answer.
    pub fn partitions(&self, topic: Topic) -> Result<u32, Error> {
        match self {
            Self::Kafka(broker) => broker.partitions(topic),
            Self::Embedded(broker) => broker.partitions(topic),
        }
    }

    /// The offset after the last committed record of a partition.
    ///
    /// # Errors
    ///
    /// When the topic is missing or the broker does not answer.
    pub fn end_offset(&self, topic: Topic, partition: u32) -> Result<u64, Error> {
        match self {
            Self::Kafka(broker) => broker.end_offset(topic, partition),
            Self::Embedded(broker) => broker.end_offset(topic, partition),
        }
    }

    /// The first offset of a partition from which nothing was dropped for its age, and the offset after its last record.
    ///
    /// # Errors
    ///
    /// As [`Broker::end_offset`].
    pub fn extent(&self, topic: Topic, partition: u32) -> Result<(u64, u64), Error> {
        match self {
            Self::Kafka(broker) => broker.extent(topic, partition),
            Self::Embedded(broker) => broker.extent(topic, partition),
        }
    }

    /// Joins a group as a member that commits exactly once.
    ///
    /// # Errors
    ///
    /// When the broker does not answer, or topics are not as declared.
    pub fn session(&self, spec: &SessionSpec) -> Result<Session, Error> {
        match self {
            Self::Kafka(broker) => broker.session(spec).map(Box::new).map(Session::Kafka),
            Self::Embedded(broker) => broker.session(spec).map(Box::new).map(Session::Embedded),
        }
    }

    /// Opens a way to append single records.
    ///
    /// # Errors
    ///
    /// When the client cannot be made.
    pub fn producer(&self) -> Result<Producer, Error> {
        match self {
            Self::Kafka(broker) => broker.producer().map(Producer::Kafka),
            Self::Embedded(broker) => broker.producer().map(Producer::Embedded),
        }
    }

    /// Reads exactly these partitions from these offsets; an offset below the log's start means its start.
    ///
    /// # Errors
    ///
    /// When the client cannot be made.
    pub fn reader(&self, from: &NextOffsets) -> Result<Reader, Error> {
        match self {
            Self::Kafka(broker) => broker.reader(from).map(Box::new).map(Reader::Kafka),
            Self::Embedded(broker) => broker.reader(from).map(Box::new).map(Reader::Embedded),
        }
    }
}

impl Session {
    /// The next records, or a change of lanes.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    pub fn poll(&mut self, bounds: &PollBounds) -> Result<Polled, Error> {
        match self {
            Self::Kafka(session) => session.poll(bounds),
            Self::Embedded(session) => session.poll(bounds),
        }
    }

    /// More of what is at hand, without waiting, and whether nothing was left behind it. Lanes stay as they are: what is to
    /// become of them is told by the next poll. The memory of records that were `used` may be taken for those that come.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    pub fn read_on(
        &mut self,
        bounds: &PollBounds,
        used: Vec<Record>,
    ) -> Result<(Vec<Record>, bool), Error> {
        match self {
            Self::Kafka(session) => session.read_on(bounds, used),
            Self::Embedded(session) => session.read_on(bounds),
        }
    }

    /// Begins reading `lanes` from what the group has committed; their state is restored.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    pub fn take(&mut self, lanes: &[u32]) -> Result<(), Error> {
        match self {
            Self::Kafka(session) => session.take(lanes),
            Self::Embedded(session) => session.take(lanes),
        }
    }

    /// Lets go of `lanes`; nothing of them is uncommitted any more.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    pub fn give_up(&mut self, lanes: &[u32]) -> Result<(), Error> {
        match self {
            Self::Kafka(session) => session.give_up(lanes),
            Self::Embedded(session) => session.give_up(lanes),
        }
    }

    /// Adds a record to the open transaction.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    pub fn send(&mut self, output: &Output) -> Result<(), Error> {
        match self {
            Self::Kafka(session) => session.send(output),
            Self::Embedded(session) => session.send(output),
        }
    }

    /// Makes everything sent since the last commit, and `next`, true together.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    pub fn commit(&mut self, next: &NextOffsets) -> Result<(), Error> {
        match self {
            Self::Kafka(session) => session.commit(next),
            Self::Embedded(session) => session.commit(next),
        }
    }

    /// Drops everything sent since the last commit and rewinds to what is committed.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    pub fn abort(&mut self) -> Result<(), Error> {
        match self {
            Self::Kafka(session) => session.abort(),
            Self::Embedded(session) => session.abort(),
        }
    }

    /// Whether the group has told this member once which lanes it has, be it none.
    #[must_use]
    pub fn has_joined(&self) -> bool {
        match self {
            Self::Kafka(session) => session.has_joined(),
            Self::Embedded(session) => session.has_joined(),
        }
    }

    /// How far behind the taken lanes are, input by input. On Kafka as of the last statistics, a few seconds old; an
    /// input whose last record is a transaction's mark may rest at one.
    #[must_use]
    pub fn lag(&self) -> Lag {
        match self {
            Self::Kafka(session) => session.lag(),
            Self::Embedded(session) => session.lag(),
        }
    }

    /// Leaves without an open transaction.
    ///
    /// # Errors
    ///
    /// When leaving took too long; the group finds out by itself.
    pub fn close(self) -> Result<(), Error> {
        match self {
            Self::Kafka(session) => session.close(),
            Self::Embedded(session) => session.close(),
        }
    }
}

impl Producer {
    /// Appends one record; the future ends when it is durable.
    ///
    /// # Errors
    ///
    /// [`Error::QueueFull`] at once when too much is under way; otherwise the broker's, in bounded time.
    pub fn append(
        &self,
        output: Output,
    ) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'static>> {
        match self {
            Self::Kafka(producer) => Box::pin(producer.append(output)),
            Self::Embedded(producer) => Box::pin(producer.append(output)),
        }
    }
}

impl Reader {
    /// The next committed records.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    pub fn poll(&mut self, bounds: &PollBounds) -> Result<ReadBatch, Error> {
        match self {
            Self::Kafka(reader) => reader.poll(bounds),
            Self::Embedded(reader) => reader.poll(bounds),
        }
    }

    /// Shows keys and values of the next committed records to `see`, and copies nothing where it need not: restores read
    /// records by the hundred thousand, and want no more of them.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    pub fn show(
        &mut self,
        bounds: &PollBounds,
        see: impl FnMut(&[u8], Option<&[u8]>),
    ) -> Result<Shown, Error> {
        match self {
            Self::Kafka(reader) => reader.show(bounds, see),
            Self::Embedded(reader) => reader.show(bounds, see),
        }
    }
}
