//! One member's transactional producer: begin lazily, send, commit with offsets, abort.
//!
//! Promise: `commit` says yes only when every record was delivered and the offsets went with them; an unknown outcome is
//! `Fatal`, so that a successor asks the cluster. A flush is never called while anything is in flight: it sleeps in steps
//! of 100 ms. The producer has a thread that polls, so that an abort never waits for one.

use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{Producer, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::context::Deliveries;
use super::error::from_kafka;
use super::settings::KafkaSettings;
use super::wire::outgoing;
use crate::broker::Error;
use crate::broker::record::Output;
use crate::clock::Stopwatch;

/// How long finding the coordinator and fencing a predecessor may take at a time: whoever waits for a broker that is away
/// looks up in between, and may be told to stop.
const INIT_WITHIN: Duration = Duration::from_secs(20);
/// Between two attempts of a call that may be repeated.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// Between two looks at the client's books.
const LOOK_AGAIN: Duration = Duration::from_micros(100);

pub(super) struct Transaction {
    producer: ThreadedProducer<Deliveries>,
    timeout: Duration,
    open: bool,
    /// An abort failed: the next one would wait for as long, and fail as well.
    broken: bool,
    sent: u64,
}

impl Transaction {
    /// A producer under `id`; its predecessor's transaction is finished or aborted, and the predecessor fenced.
    pub(super) fn open(settings: &KafkaSettings, id: &str) -> Result<Self, Error> {
        let config = settings.transactional(id);
        let producer = ThreadedProducer::from_config_and_context(&config, Deliveries::default())
            .map_err(|error| from_kafka(&error))?;
        let timeout = settings.transaction_timeout;
        let own = Self { producer, timeout, open: false, broken: false, sent: 0 };
        own.persist(INIT_WITHIN, |left| own.producer.init_transactions(left))?;
        Ok(own)
    }

    /// Something was sent since the last end.
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    fn begin(&mut self) -> Result<(), Error> {
        if !self.open {
            self.producer.begin_transaction().map_err(|error| from_kafka(&error))?;
            self.open = true;
        }
        Ok(())
    }

    /// Hands `output` over. A full queue is drained in between, not an error.
    pub(super) fn send(&mut self, name: &str, output: &Output) -> Result<(), Error> {
        self.begin()?;
        let mut record = outgoing(name, output, ());
        loop {
            let Err((error, back)) = self.producer.send(record) else {
                self.sent += 1;
                return Ok(());
            };
            record = back;
            match error.rdkafka_error_code() {
                Some(Code::QueueFull) => self.make_room()?,
                Some(Code::MessageSizeTooLarge) => {
                    return Err(Error::TooLarge { bytes: output.bytes() });
                }
                _ => return Err(from_kafka(&error)),
            }
        }
    }

    /// Waits until half of what is in flight is delivered.
    fn make_room(&self) -> Result<(), Error> {
        let deliveries = self.producer.context();
        let done = deliveries.done();
        let wanted = done + (self.sent - done).div_ceil(2);
        if deliveries.wait(wanted, self.timeout) {
            return Ok(());
        }
        Err(Error::Abortable(
            "the producer's queue did not drain within the transaction".to_owned(),
        ))
    }

    /// Commits what was sent together with `offsets`. Nothing sent and no offsets: nothing happens.
    pub(super) fn commit(
        &mut self,
        offsets: &TopicPartitionList,
        group: impl FnOnce() -> Option<ConsumerGroupMetadata>,
    ) -> Result<(), Error> {
        if !self.open && offsets.count() == 0 {
            return Ok(());
        }
        self.begin()?;
        self.drain()?;
        if offsets.count() > 0 {
            let group = group().ok_or_else(|| Error::Fatal("no group to commit for".to_owned()))?;
            let added = self.persist(self.timeout, |left| {
                self.producer.send_offsets_to_transaction(offsets, &group, left)
            });
            added
                .map_err(|error| spoilt(error, "offsets did not reach the transaction in time"))?;
        }
        let committed = self.persist(self.timeout, |left| self.producer.commit_transaction(left));
        match committed {
            // Its end may have been written: only a successor's question tells.
            Err(Error::Retriable(text)) => Err(Error::Fatal(format!("commit unanswered: {text}"))),
            Err(error) => Err(error),
            Ok(()) => {
                self.open = false;
                Ok(())
            }
        }
    }

    /// Waits for every delivery report, by count.
    fn drain(&self) -> Result<(), Error> {
        let deliveries = self.producer.context();
        let drained = deliveries.wait(self.sent, self.timeout) && self.leaves_books();
        if let Some(code) = deliveries.take_failure() {
            // Whatever the code means elsewhere: a record that was not delivered spoils its transaction. Only a
            // client that is broken altogether cannot abort.
            let broken = matches!(
                code,
                Code::Fatal | Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch
            );
            let text = format!("a record was not delivered: {code}");
            return Err(if broken { Error::Fatal(text) } else { Error::Abortable(text) });
        }
        if drained {
            return Ok(());
        }
        Err(Error::Abortable("deliveries did not end within the transaction's time".to_owned()))
    }

    /// Waits until the client's books are empty too. A report is counted a moment before its record leaves them, and a commit
    /// that finds one there sleeps for 100 ms.
    fn leaves_books(&self) -> bool {
        let watch = Stopwatch::start();
        while self.producer.in_flight_count() > 0 {
            if watch.elapsed() >= self.timeout {
                return false;
            }
            std::thread::park_timeout(LOOK_AGAIN);
        }
        true
    }

    /// Takes everything sent since the last commit back.
    pub(super) fn abort(&mut self) -> Result<(), Error> {
        if !self.open {
            return Ok(());
        }
        if self.broken {
            return Err(Error::Fatal("an abort failed before".to_owned()));
        }
        self.broken = true;
        let aborted = self.persist(self.timeout, |left| self.producer.abort_transaction(left));
        match aborted {
            Err(Error::Retriable(text) | Error::Abortable(text)) => return Err(Error::Fatal(text)),
            Err(error) => return Err(error),
            Ok(()) => (),
        }
        // What was in flight is purged: its reports come as failures of a transaction that is over.
        let settled = self.producer.context().wait(self.sent, self.timeout);
        if !settled {
            return Err(Error::Fatal("aborted records were not reported back".to_owned()));
        }
        let _: Option<Code> = self.producer.context().take_failure();
        (self.open, self.broken) = (false, false);
        Ok(())
    }

    /// Repeats `call` while its error says so and the time is not up.
    fn persist(
        &self,
        within: Duration,
        call: impl Fn(Duration) -> Result<(), KafkaError>,
    ) -> Result<(), Error> {
        let watch = Stopwatch::start();
        loop {
            let left = within.saturating_sub(watch.elapsed()).max(RETRY_PAUSE);
            let error = match call(left) {
                Ok(()) => return Ok(()),
                Err(error) => from_kafka(&error),
            };
            if !matches!(error, Error::Retriable(_)) || watch.elapsed() >= within {
                return Err(error);
            }
            std::thread::park_timeout(RETRY_PAUSE);
        }
    }
}

/// Before the end of the transaction was asked for, running out of time only spoils it.
fn spoilt(error: Error, what: &str) -> Error {
    match error {
        Error::Retriable(text) => Error::Abortable(format!("{what}: {text}")),
        other @ (Error::Abortable(_)
        | Error::Fatal(_)
        | Error::QueueFull
        | Error::TooLarge { .. }
        | Error::Topics(_)
        | Error::Settings(_)
        | Error::Storage(_)) => other,
    }
}
