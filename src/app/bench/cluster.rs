//! The cluster as the measuring code sees it, over rdkafka alone: topics, filling, reading.
//!
//! Promise: nothing here is the product's, so that what limits a figure is not what is measured.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::load::Load;
use crate::app::Error;
use crate::clock::Stopwatch;

/// How long the cluster may take to do anything.
const WITHIN: Duration = Duration::from_secs(60);
/// Partitions of every topic that is measured on, as `topics.yaml` has it.
pub(super) const PARTITIONS: i32 = 8;

/// A Kafka error in words.
pub(super) fn failed(error: &KafkaError) -> Error {
    Error::Failed(format!("Kafka: {error}"))
}

/// The output of a future, waited for on this thread.
fn wait<F: Future>(future: F) -> Result<F::Output, Error> {
    Ok(tokio::runtime::Builder::new_current_thread().build()?.block_on(future))
}

/// Clients of one cluster.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub(super) bootstrap: String,
}

/// Values of a topic that are kept to be written again. More than a compressor looks back on.
const SAMPLES_MAX: usize = 2_000;

/// What one topic holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Held {
    pub(super) records: u64,
    /// Of values.
    pub(super) bytes: u64,
    /// Of all records together.
    pub(super) headers: u64,
    /// Some of its values.
    pub(super) samples: Vec<Vec<u8>>,
}

impl Cluster {
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("client.id", "dmstream-bench");
        config.set_log_level(RDKafkaLogLevel::Error);
        config
    }

    /// A reader of committed records, configured as the product's are.
    pub(super) fn reading(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "earliest")
            .set("queued.max.messages.kbytes", "32768")
            .set("fetch.queue.backoff.ms", "20")
            .set("fetch.wait.max.ms", "50");
        config
    }

    /// A producer configured as the product's are.
    pub(super) fn writing(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .set("batch.size", "1000000")
            .set("queue.buffering.max.kbytes", "131072")
            .set("linger.ms", "1");
        config
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>, Error> {
        self.client().create().map_err(|error| failed(&error))
    }

    /// Creates topics and waits until each partition has a leader.
    pub(super) fn create(&self, names: &[String]) -> Result<(), Error> {
        let admin = self.admin()?;
        let topics: Vec<NewTopic<'_>> = names
            .iter()
            .map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1)))
            .collect();
        let answers = wait(admin.create_topics(&topics, &AdminOptions::new()))?;
        for answer in answers.map_err(|error| failed(&error))? {
            answer.map_err(|(name, code)| Error::Failed(format!("topic {name}: {code}")))?;
        }
        let since = Stopwatch::start();
        while since.elapsed() < WITHIN {
            let metadata = admin.inner().fetch_metadata(None, WITHIN).map_err(|e| failed(&e))?;
            let led = metadata.topics().iter().filter(|topic| {
                let names_it = names.iter().any(|name| name == topic.name());
                names_it && topic.partitions().iter().all(|partition| partition.leader() >= 0)
            });
            if led.count() == names.len() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(Error::Failed("new topics have no leaders".to_owned()))
    }

    /// Deletes every topic whose name begins with `prefix`.
    pub(super) fn delete(&self, prefix: &str) -> Result<(), Error> {
        let admin = self.admin()?;
        let metadata = admin.inner().fetch_metadata(None, WITHIN).map_err(|e| failed(&e))?;
        let names: Vec<&str> = metadata
            .topics()
            .iter()
            .map(|topic| topic.name())
            .filter(|name| name.starts_with(prefix))
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        wait(admin.delete_topics(&names, &AdminOptions::new()))?.map_err(|e| failed(&e))?;
        Ok(())
    }

    /// Writes `records` webhooks as ingress would have: key, body and headers.
    pub(super) fn fill(
        &self,
        topic: &str,
        load: Load,
        records: u32,
        mut step: impl FnMut(u64),
    ) -> Result<(), Error> {
        let producer: ThreadedProducer<DefaultProducerContext> =
            self.writing().create().map_err(|error| failed(&error))?;
        for n in 0..records {
            let webhook = load.webhook(n)?;
            let id = format!("wh-{n:032x}");
            let mut headers = OwnedHeaders::new_with_capacity(7);
            for (key, value) in [
                ("ce_specversion", "1.0"),
                ("ce_id", id.as_str()),
                ("ce_type", "webhook.received"),
                ("ce_source", "/dmstream/ingress"),
                ("ce_time", "2023-11-14T22:13:20.123Z"),
                ("content-type", "application/json"),
                ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            ] {
                headers = headers.insert(Header { key, value: Some(value) });
            }
            let mut record =
                BaseRecord::to(topic).key(&webhook.key).payload(&webhook.body).headers(headers);
            while let Err((error, back)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(rdkafka::error::RDKafkaErrorCode::QueueFull) {
                    return Err(failed(&error));
                }
                record = back;
                std::thread::sleep(Duration::from_millis(1));
            }
            step(1);
        }
        producer.flush(WITHIN).map_err(|error| failed(&error))
    }

    /// The ends of a topic's partitions together: greater than zero once anything was written.
    pub(super) fn written(&self, reader: &BaseConsumer, topic: &str) -> Result<u64, Error> {
        let mut sum = 0;
        for partition in 0..PARTITIONS {
            let ends = reader.fetch_watermarks(topic, partition, WITHIN);
            let (_, end) = ends.map_err(|error| failed(&error))?;
            sum += u64::try_from(end).unwrap_or(0);
        }
        Ok(sum)
    }

    /// A reader of all partitions of `topics` from their beginning, outside every group.
    pub(super) fn reader(&self, topics: &[String], to_end: bool) -> Result<BaseConsumer, Error> {
        let mut config = self.reading("dmstream-bench");
        config.set("enable.partition.eof", if to_end { "true" } else { "false" });
        let reader: BaseConsumer = config.create().map_err(|error| failed(&error))?;
        let mut places = TopicPartitionList::new();
        for topic in topics {
            for partition in 0..PARTITIONS {
                places
                    .add_partition_offset(topic, partition, Offset::Beginning)
                    .map_err(|error| failed(&error))?;
            }
        }
        reader.assign(&places).map_err(|error| failed(&error))?;
        Ok(reader)
    }

    /// Reads topics from beginning to end, and says what each holds.
    pub(super) fn survey(&self, topics: &[String]) -> Result<BTreeMap<String, Held>, Error> {
        let reader = self.reader(topics, true)?;
        let mut held: BTreeMap<String, Held> = BTreeMap::new();
        let partitions = usize::try_from(PARTITIONS).unwrap_or(0);
        let mut ends = 0;
        while ends < topics.len() * partitions {
            match reader.poll(WITHIN) {
                Some(Ok(message)) => {
                    let held = held.entry(message.topic().to_owned()).or_default();
                    held.records += 1;
                    let value = message.payload().unwrap_or_default();
                    held.bytes += u64::try_from(value.len()).unwrap_or(0);
                    if held.samples.len() < SAMPLES_MAX {
                        held.samples.push(value.to_vec());
                    }
                    let headers = message.headers().map_or(0, Headers::count);
                    held.headers += u64::try_from(headers).unwrap_or(0);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => ends += 1,
                Some(Err(error)) => return Err(failed(&error)),
                None => return Err(Error::Failed("a topic could not be read".to_owned())),
            }
        }
        Ok(held)
    }
}
