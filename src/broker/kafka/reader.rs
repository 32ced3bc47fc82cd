//! Reads partitions outside every group: restores, views, tools. Committed records only.
//!
//! Promise: `at_end` is said only when every record that was in the log at opening is either delivered, aborted or
//! compacted away. So a partition is not read before its last stable offset has passed the end it had at opening: a
//! predecessor's open transaction is waited for, not skipped. The client tells an end by partition number alone, hence
//! one consumer per topic.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread::Thread;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::context::{Quiet, lock};
use super::error::{from_kafka, pass_over};
use super::{ANSWER_WITHIN, KafkaBroker, signed, wire};
use crate::broker::{Error, NextOffsets, PollBounds, ReadBatch, Shown};
use crate::clock::Stopwatch;
use crate::topics::Topic;

/// Between two questions whether an open transaction has ended.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Reads a fixed set of partitions. Belongs to one thread.
pub struct Reader {
    sources: Vec<Source>,
    next: NextOffsets,
    bell: Arc<Bell>,
}

/// Rings when any consumer has something.
#[derive(Default)]
struct Bell(Mutex<Option<Thread>>);

/// One topic's consumer and what is known of its partitions.
struct Source {
    topic: Topic,
    name: String,
    consumer: BaseConsumer<Quiet>,
    /// Not read yet: the end at opening that must become stable first.
    waiting: BTreeMap<u32, u64>,
    /// Read, and the end not seen: the stable end that the first sight of an end proves to be passed.
    reading: BTreeMap<u32, u64>,
    /// How many partitions are read.
    started: usize,
    /// Those of them that have nothing more at hand.
    ended: BTreeSet<u32>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Reader {
    pub(super) fn open(broker: &KafkaBroker, from: &NextOffsets) -> Result<Self, Error> {
        let bell = Arc::new(Bell::default());
        let mut waiting: BTreeMap<Topic, BTreeMap<u32, u64>> = BTreeMap::new();
        for (topic, partition) in from.keys() {
            let end = broker.high_watermark(*topic, *partition)?;
            waiting.entry(*topic).or_default().insert(*partition, end);
        }
        let mut sources = Vec::with_capacity(waiting.len());
        for (topic, waiting) in waiting {
            sources.push(Source::open(broker, topic, waiting, &bell)?);
        }
        Ok(Self { sources, next: from.clone(), bell })
    }

    /// The next committed records, in order per partition.
    ///
    /// # Errors
    ///
    /// `Retriable` when the cluster does not answer; `Fatal` or `Topics` when a new reader is needed.
    pub fn poll(&mut self, bounds: &PollBounds) -> Result<ReadBatch, Error> {
        let mut records = Vec::new();
        let Shown { next, at_end, .. } = self.read(bounds, |topic, partition, message| {
            let record = wire::record(topic, partition, message);
            let size = record.size();
            records.push(record);
            size
        })?;
        Ok(ReadBatch { records, next, at_end })
    }

    /// The same, shown to `see` by key and value, as they lie in the client's memory.
    ///
    /// # Errors
    ///
    /// As [`Reader::poll`].
    pub fn show(
        &mut self,
        bounds: &PollBounds,
        mut see: impl FnMut(&[u8], Option<&[u8]>),
    ) -> Result<Shown, Error> {
        self.read(bounds, |_topic, _partition, message| {
            let (key, value) = (message.key().unwrap_or_default(), message.payload());
            see(key, value);
            key.len().saturating_add(value.map_or(0, <[u8]>::len))
        })
    }

    /// Hands each message to `take`, which says how many bytes it is.
    fn read(
        &mut self,
        bounds: &PollBounds,
        mut take: impl FnMut(Topic, u32, &BorrowedMessage<'_>) -> usize,
    ) -> Result<Shown, Error> {
        let watch = Stopwatch::start();
        *lock(&self.bell.0) = Some(std::thread::current());
        let was_at_end = self.sources.iter().all(Source::at_end);
        let (records_max, bytes_max) = (bounds.records_max.max(1), bounds.bytes_max.max(1));
        let mut room = PollBounds { records_max, bytes_max, ..*bounds };
        let mut records = 0;
        loop {
            for source in &mut self.sources {
                source.start_stable(&self.next)?;
                records += source.read(&mut room, &mut take, &mut self.next)?;
            }
            let at_end = self.sources.iter().all(Source::at_end);
            let left = bounds.wait.saturating_sub(watch.elapsed());
            let arrived = at_end && !was_at_end;
            if records > 0 || arrived || left.is_zero() {
                return Ok(Shown { records, next: self.next.clone(), at_end });
            }
            let asking = self.sources.iter().any(|source| !source.waiting.is_empty());
            std::thread::park_timeout(if asking { left.min(ASK_AGAIN) } else { left });
        }
    }
}

impl Source {
    fn open(
        broker: &KafkaBroker,
        topic: Topic,
        waiting: BTreeMap<u32, u64>,
        bell: &Arc<Bell>,
    ) -> Result<Self, Error> {
        let name = broker.shared.names.of(topic).to_owned();
        let config = broker.shared.settings.reader();
        let mut consumer = BaseConsumer::from_config_and_context(&config, Quiet)
            .map_err(|error| from_kafka(&error))?;
        let bell = Arc::clone(bell);
        consumer.set_nonempty_callback(move || {
            if let Some(thread) = &*lock(&bell.0) {
                thread.unpark();
            }
        });
        let (reading, ended) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self { topic, name, consumer, waiting, reading, started: 0, ended })
    }

    /// Starts reading what has become stable.
    fn start_stable(&mut self, next: &NextOffsets) -> Result<(), Error> {
        let mut starting = TopicPartitionList::new();
        for (partition, end) in self.waiting.clone() {
            let ends = self.consumer.fetch_watermarks(&self.name, signed(partition), ANSWER_WITHIN);
            let (_, stable) = ends.map_err(|error| from_kafka(&error))?;
            let stable = u64::try_from(stable).unwrap_or(0);
            if stable < end {
                continue;
            }
            let from = next.get(&(self.topic, partition)).copied().unwrap_or(0);
            let from = match i64::try_from(from) {
                Ok(from) if from > 0 => Offset::Offset(from),
                Ok(_) | Err(_) => Offset::Beginning,
            };
            starting
                .add_partition_offset(&self.name, signed(partition), from)
                .map_err(|error| from_kafka(&error))?;
            self.waiting.remove(&partition);
            self.started += 1;
            self.reading.insert(partition, stable);
        }
        if starting.count() == 0 {
            return Ok(());
        }
        self.consumer.incremental_assign(&starting).map_err(|error| from_kafka(&error))
    }

    /// Reads as long as there is room; how many records.
    fn read(
        &mut self,
        room: &mut PollBounds,
        take: &mut impl FnMut(Topic, u32, &BorrowedMessage<'_>) -> usize,
        next: &mut NextOffsets,
    ) -> Result<usize, Error> {
        let mut records = 0;
        while room.records_max > 0 && room.bytes_max > 0 {
            match self.consumer.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) => {
                    let Ok(partition) = u32::try_from(message.partition()) else { continue };
                    let size = take(self.topic, partition, &message);
                    room.bytes_max = room.bytes_max.saturating_sub(size);
                    room.records_max -= 1;
                    records += 1;
                    self.ended.remove(&partition);
                    let offset = u64::try_from(message.offset()).unwrap_or(0);
                    next.insert((self.topic, partition), offset + 1);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => self.end_seen(partition, next),
                Some(Err(error)) => pass_over(&error)?,
            }
        }
        Ok(records)
    }

    fn end_seen(&mut self, partition: i32, next: &mut NextOffsets) {
        let Ok(partition) = u32::try_from(partition) else { return };
        if let Some(stable) = self.reading.remove(&partition) {
            // Reading began after `stable` was the end, so the end now seen is not before it: markers, aborted
            // records and gaps below it are passed.
            let place = next.entry((self.topic, partition)).or_default();
            *place = (*place).max(stable);
        }
        self.ended.insert(partition);
    }

    fn at_end(&self) -> bool {
        let all = self.waiting.is_empty() && self.reading.is_empty();
        all && self.started == self.ended.len()
    }
}
