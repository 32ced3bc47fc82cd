//! The limit of the pipeline: the same records copied over the same hops, one transactional rdkafka loop a hop.
//!
//! | hop | reads             | writes                                                            |
//! |-----|-------------------|-------------------------------------------------------------------|
//! | 1   | webhooks          | events                                                            |
//! | 2   | events, decisions | what the conversation stage writes, its changelog included        |
//! | 3   | requests          | what the route stage writes, its changelog included               |
//!
//! How many records go where, and what they say, is what a run of the product was seen to write: records that say less
//! compress better, and would cost less to copy. Bounds of a batch, compression, lingering and isolation are the product's.
//! It decides nothing, keeps nothing, and shares nothing with the product but the client library.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{BorrowedMessage, DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::cluster::{Cluster, failed};
use crate::app::Error;

const RECORDS_MAX: usize = 10_000;
const BYTES_MAX: usize = 16 << 20;
const WAIT: Duration = Duration::from_millis(20);
const WITHIN: Duration = Duration::from_secs(30);

/// Which key a copy gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyOf {
    /// The input's.
    Input,
    /// The input's, on the input's partition: a changelog.
    InputLane,
    /// One for all: there is one company.
    Company,
}

/// Copies written into one topic.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) topic: String,
    /// Copies a record of the hop's first input brings about.
    pub(super) per_input: f64,
    /// What copies say, one after the other and again from the start.
    pub(super) values: Arc<[Vec<u8>]>,
    /// Copies carry the input's headers.
    pub(super) headers: bool,
    pub(super) key: KeyOf,
}

/// One hop: the first input is copied, the others are read and left.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    pub(super) name: String,
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<Stream>,
}

/// Running hops.
#[derive(Debug)]
pub(super) struct PassThrough {
    stop: Arc<AtomicBool>,
    hops: Vec<JoinHandle<Result<(), Error>>>,
}

impl PassThrough {
    /// Starts a thread a hop, the last first; each when those after it have their partitions.
    pub(super) fn start(cluster: &Cluster, prefix: &str, hops: Vec<Hop>) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for hop in hops.into_iter().rev() {
            let (cluster, stop) = (cluster.clone(), Arc::clone(&stop));
            let id = format!("{prefix}{}", hop.name);
            let thread = std::thread::Builder::new().name(hop.name.clone());
            let (ready, is_ready) = mpsc::channel();
            threads.push(thread.spawn(move || run(&cluster, &id, &hop, (&stop, &ready)))?);
            let late = |_| Error::Failed("a hop did not join its group".to_owned());
            is_ready.recv_timeout(WITHIN).map_err(late)?;
        }
        Ok(Self { stop, hops: threads })
    }

    /// Ends all hops.
    pub(super) fn stop(self) -> Result<(), Error> {
        self.stop.store(true, Ordering::Relaxed);
        for hop in self.hops {
            let ended = hop.join();
            ended.map_err(|_panic| Error::Failed("a hop panicked".to_owned()))??;
        }
        Ok(())
    }
}

/// Counts deliveries, and wakes who waits for the last one.
struct Count {
    done: AtomicU64,
    wanted: AtomicU64,
    failed: AtomicBool,
    waiter: Thread,
}

impl ClientContext for Count {}

impl ProducerContext for Count {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.failed.store(true, Ordering::SeqCst);
        }
        let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        if done == self.wanted.load(Ordering::SeqCst) {
            self.waiter.unpark();
        }
    }
}

/// One hop's clients and counters.
struct Copier<'a> {
    producer: ThreadedProducer<Count>,
    hop: &'a Hop,
    sent: u64,
    /// Records of the first input so far.
    seen: f64,
}

fn run(
    cluster: &Cluster,
    id: &str,
    hop: &Hop,
    (stop, ready): (&AtomicBool, &mpsc::Sender<()>),
) -> Result<(), Error> {
    let mut config = cluster.writing();
    config.set("transactional.id", id).set("transaction.timeout.ms", "15000");
    let count = Count {
        done: AtomicU64::new(0),
        wanted: AtomicU64::new(u64::MAX),
        failed: AtomicBool::new(false),
        waiter: std::thread::current(),
    };
    let producer: ThreadedProducer<Count> =
        config.create_with_context(count).map_err(|error| failed(&error))?;
    producer.init_transactions(WITHIN).map_err(|error| failed(&error))?;
    let consumer: BaseConsumer = cluster.reading(id).create().map_err(|error| failed(&error))?;
    let inputs: Vec<&str> = hop.inputs.iter().map(String::as_str).collect();
    consumer.subscribe(&inputs).map_err(|error| failed(&error))?;
    let mut copier = Copier { producer, hop, sent: 0, seen: 0.0 };
    let mut joined = false;
    while !stop.load(Ordering::Relaxed) {
        copier.turn(&consumer)?;
        if !joined && consumer.assignment().is_ok_and(|owned| owned.count() > 0) {
            joined = ready.send(()).is_ok();
        }
    }
    Ok(())
}

impl Copier<'_> {
    /// A batch in, its copies and offsets out, in one transaction.
    fn turn(&mut self, consumer: &BaseConsumer) -> Result<(), Error> {
        let mut offsets = TopicPartitionList::new();
        let (mut records, mut bytes, mut wait) = (0, 0, WAIT);
        let mut next: std::collections::BTreeMap<(String, i32), i64> =
            std::collections::BTreeMap::new();
        while records < RECORDS_MAX && bytes < BYTES_MAX {
            let Some(polled) = consumer.poll(wait) else { break };
            let message = polled.map_err(|error| failed(&error))?;
            if records == 0 {
                self.producer.begin_transaction().map_err(|error| failed(&error))?;
            }
            records += 1;
            bytes += message.payload().map_or(0, <[u8]>::len);
            match next.iter_mut().find(|((topic, partition), _)| {
                topic == message.topic() && *partition == message.partition()
            }) {
                Some((_, offset)) => *offset = message.offset() + 1,
                None => {
                    let place = (message.topic().to_owned(), message.partition());
                    next.insert(place, message.offset() + 1);
                }
            }
            if self.hop.inputs.first().is_some_and(|lead| lead == message.topic()) {
                self.copy(&message)?;
            }
            wait = Duration::ZERO;
        }
        if records == 0 {
            return Ok(());
        }
        for ((topic, partition), offset) in next {
            let added = offsets.add_partition_offset(&topic, partition, Offset::Offset(offset));
            added.map_err(|error| failed(&error))?;
        }
        self.commit(consumer, &offsets)
    }

    fn copy(&mut self, message: &BorrowedMessage<'_>) -> Result<(), Error> {
        let before = self.seen;
        self.seen += 1.0;
        let hop = self.hop;
        for stream in &hop.outputs {
            let due = (self.seen * stream.per_input).floor() - (before * stream.per_input).floor();
            let mut written = 0.0;
            while written < due {
                self.write(stream, message)?;
                written += 1.0;
            }
        }
        Ok(())
    }

    fn write(&mut self, stream: &Stream, message: &BorrowedMessage<'_>) -> Result<(), Error> {
        let place = usize::try_from(self.sent).unwrap_or(0) % stream.values.len().max(1);
        let value = stream.values.get(place).map_or(&[][..], Vec::as_slice);
        let key = match stream.key {
            KeyOf::Input | KeyOf::InputLane => message.key().unwrap_or_default(),
            KeyOf::Company => b"default",
        };
        let mut record = BaseRecord::<[u8], [u8]>::to(&stream.topic).key(key).payload(value);
        if stream.key == KeyOf::InputLane {
            record = record.partition(message.partition());
        }
        if let Some(time) = message.timestamp().to_millis() {
            record = record.timestamp(time);
        }
        if stream.headers
            && let Some(headers) = message.headers()
        {
            record = record.headers(headers.detach());
        }
        while let Err((error, back)) = self.producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(failed(&error));
            }
            record = back;
            std::thread::park_timeout(Duration::from_millis(1));
        }
        self.sent += 1;
        Ok(())
    }

    fn commit(&self, consumer: &BaseConsumer, offsets: &TopicPartitionList) -> Result<(), Error> {
        let count = self.producer.context();
        count.wanted.store(self.sent, Ordering::SeqCst);
        while count.done.load(Ordering::SeqCst) < self.sent {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        if count.failed.load(Ordering::SeqCst) {
            return Err(Error::Failed("a copy was not delivered".to_owned()));
        }
        let group = consumer.group_metadata();
        let group = group.ok_or_else(|| Error::Failed("a hop has no group".to_owned()))?;
        self.producer
            .send_offsets_to_transaction(offsets, &group, WITHIN)
            .map_err(|error| failed(&error))?;
        self.producer.commit_transaction(WITHIN).map_err(|error| failed(&error))
    }
}
