//! How our Kafka clients are configured, and which properties nobody may change because exactly-once rests on them.
//!
//! Values and their reasons: `docs/adr/0003-lanes.md`. Nothing here talks to a broker. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use serde::Deserialize;

use crate::broker::Error;

/// Properties on which exactly-once or co-partitioning rests, with the reason a person is told.
const LOCKED: [(&str, &str); 29] = [
    ("bootstrap.servers", "set `bootstrap`"),
    ("metadata.broker.list", "set `bootstrap`"),
    ("group.id", "the stage's name"),
    ("group.instance.id", "the member's name: a restart moves nothing"),
    ("group.protocol", "set `group_protocol`"),
    ("group.remote.assignor", "lanes are kept where they are: uniform"),
    ("partition.assignment.strategy", "lanes are handed over one by one: cooperative-sticky"),
    ("session.timeout.ms", "set `session_timeout`"),
    ("enable.auto.commit", "offsets are committed with the outputs"),
    ("auto.commit.interval.ms", "offsets are committed with the outputs"),
    ("enable.auto.offset.store", "offsets are committed with the outputs"),
    ("auto.offset.reset", "a lane without an offset starts at the beginning"),
    ("isolation.level", "only committed records are read"),
    ("enable.partition.eof", "readers find the end by it"),
    ("transactional.id", "the member's name: a successor fences its predecessor"),
    ("transaction.timeout.ms", "set `transaction_timeout`"),
    ("enable.idempotence", "records are written once"),
    ("enable.gapless.guarantee", "records are written in order"),
    ("acks", "a record counts when all in-sync copies have it"),
    ("request.required.acks", "a record counts when all in-sync copies have it"),
    ("max.in.flight", "records are written in order"),
    ("max.in.flight.requests.per.connection", "records are written in order"),
    ("retries", "bounded by time, not by number"),
    ("message.send.max.retries", "bounded by time, not by number"),
    ("message.timeout.ms", "bounded by `transaction_timeout`"),
    ("delivery.timeout.ms", "bounded by `transaction_timeout`"),
    ("partitioner", "keys meet their lane: murmur2, as in Java"),
    ("linger.ms", "a turn waits for it before each commit"),
    ("enabled_events", "rdkafka serves them"),
];

/// How a group shares its lanes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupProtocol {
    /// A member shares out, and the others join again for it: every broker knows this.
    #[default]
    Classic,
    /// The brokers share out (KIP-848, Kafka 4.0 and later); how long a silent member keeps its lanes is theirs to say.
    Consumer,
}

/// How to reach a cluster and how to behave there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// `host:port`, comma-separated.
    pub bootstrap: String,
    /// In front of every topic name, group and transactional id.
    pub topic_prefix: String,
    /// librdkafka properties passed through: TLS, SASL, buffers. Those that exactly-once rests on are refused.
    pub properties: BTreeMap<String, String>,
    /// How long a transaction may stay open, and how long a dead worker may hold readers back.
    pub transaction_timeout: Duration,
    /// How a group shares its lanes out.
    pub group_protocol: GroupProtocol,
    /// How long a silent member keeps its lanes; under [`GroupProtocol::Consumer`] the brokers say that.
    pub session_timeout: Duration,
    /// Copies of each partition of a new topic, instead of what `topics.yaml` says.
    pub replication: Option<u16>,
    /// Partitions of a new topic, instead of the default of `topics.yaml`.
    pub partitions: Option<u32>,
}

impl KafkaSettings {
    /// A cluster at `bootstrap`, all else as recommended: prefix `dm.`, 15 s per transaction, 45 s of silence.
    #[must_use]
    pub fn new(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            topic_prefix: "dm.".to_owned(),
            properties: BTreeMap::new(),
            transaction_timeout: Duration::from_secs(15),
            group_protocol: GroupProtocol::Classic,
            session_timeout: Duration::from_secs(45),
            replication: None,
            partitions: None,
        }
    }

    /// Refuses what would break the promises of this room.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.bootstrap.trim().is_empty() {
            return Err(Error::Settings("`bootstrap` is empty".to_owned()));
        }
        for (name, reason) in LOCKED {
            if self.properties.contains_key(name) {
                return Err(Error::Settings(format!("`{name}` cannot be set: {reason}")));
            }
        }
        Ok(())
    }

    /// What all clients share.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.bootstrap).set("client.id", "dmstream");
        config.set_log_level(RDKafkaLogLevel::Warning);
        config
    }

    /// Every consumer is given it, joined or not: a shorter `max.poll.interval.ms` than this is refused.
    fn session_ms(&self) -> u128 {
        self.session_timeout.as_millis().max(1)
    }

    /// A consumer, of records that are committed.
    fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        defaults(
            &mut config,
            &[
                ("queued.max.messages.kbytes", "32768"),
                ("fetch.queue.backoff.ms", "20"),
                ("fetch.wait.max.ms", "50"),
                ("fetch.min.bytes", "1"),
                ("max.poll.interval.ms", "300000"),
                ("check.crcs", "true"),
            ],
        );
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "earliest");
        config
    }

    /// A member of a stage's group.
    pub(super) fn member(&self, group: &str, member: &str) -> ClientConfig {
        let mut config = self.consumer(group);
        defaults(&mut config, &[("statistics.interval.ms", "5000")]);
        config.set("group.instance.id", member);
        match self.group_protocol {
            GroupProtocol::Classic => {
                // Who stays hears of a newcomer with its next heartbeat, and twice so before lanes have moved. Until then it
                // restores, in vain, what the newcomer will restore again.
                let heartbeat_ms = (self.session_ms() / 5).clamp(1, 300);
                config
                    .set("session.timeout.ms", self.session_ms().to_string())
                    .set("partition.assignment.strategy", "cooperative-sticky")
                    .set("heartbeat.interval.ms", heartbeat_ms.to_string());
            }
            // The brokers' business; the client refuses to start when it is told any of the others.
            GroupProtocol::Consumer => {
                config.set("group.protocol", "consumer").set("group.remote.assignor", "uniform");
            }
        }
        config
    }

    /// A reader outside every group: the id is only demanded by the client, and never joined.
    pub(super) fn reader(&self) -> ClientConfig {
        let mut config = self.consumer("dmstream-reader");
        config.set("session.timeout.ms", self.session_ms().to_string());
        config.set("enable.partition.eof", "true");
        config
    }

    /// A client that only asks: metadata and the end of logs, uncommitted records included.
    pub(super) fn observer(&self) -> ClientConfig {
        let mut config = self.client();
        config.set("isolation.level", "read_uncommitted");
        config.set("session.timeout.ms", self.session_ms().to_string());
        config
    }

    /// What all producers share.
    fn producing(&self) -> ClientConfig {
        let mut config = self.client();
        defaults(
            &mut config,
            &[
                ("batch.size", "1000000"),
                ("compression.type", "lz4"),
                ("queue.buffering.max.kbytes", "131072"),
            ],
        );
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "1");
        config
    }

    /// A member's transactional producer.
    pub(super) fn transactional(&self, id: &str) -> ClientConfig {
        let mut config = self.producing();
        let timeout_ms = self.transaction_timeout.as_millis().max(1).to_string();
        config
            .set("transactional.id", id)
            .set("transaction.timeout.ms", &timeout_ms)
            .set("message.timeout.ms", &timeout_ms);
        config
    }

    /// A producer outside transactions, for the edges.
    pub(super) fn appending(&self) -> ClientConfig {
        let mut config = self.producing();
        config.set("message.timeout.ms", "10000");
        config
    }
}

/// Sets what nobody has set.
fn defaults(config: &mut ClientConfig, values: &[(&str, &str)]) {
    for (name, value) in values {
        if config.get(name).is_none() {
            config.set(*name, *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exactly_once_rests_on_cannot_be_set() {
        for (name, _) in LOCKED {
            let mut settings = KafkaSettings::new("localhost:9092");
            settings.properties.insert(name.to_owned(), "x".to_owned());
            let refused = settings.check().unwrap_err().to_string();
            assert!(refused.contains(name), "{refused}");
        }
    }

    #[test]
    fn what_is_passed_through_wins_over_our_taste() {
        let mut settings = KafkaSettings::new("localhost:9092");
        settings.properties.insert("fetch.wait.max.ms".to_owned(), "7".to_owned());
        settings.check().unwrap();
        assert_eq!(settings.member("g", "m").get("fetch.wait.max.ms"), Some("7"));
        assert_eq!(settings.member("g", "m").get("fetch.queue.backoff.ms"), Some("20"));
    }

    #[test]
    fn what_the_brokers_say_under_their_protocol_is_not_said_here() {
        let mut settings = KafkaSettings::new("localhost:9092");
        let ours = ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"];
        let member = settings.member("g", "m");
        assert!(ours.iter().all(|name| member.get(name).is_some()));
        assert_eq!(member.get("group.protocol"), None, "as it always was");
        settings.group_protocol = GroupProtocol::Consumer;
        let member = settings.member("g", "m");
        assert!(ours.iter().all(|name| member.get(name).is_none()));
        assert_eq!(member.get("group.protocol"), Some("consumer"));
        assert_eq!(member.get("group.instance.id"), Some("m"));
        assert_eq!(settings.reader().get("group.protocol"), None, "a reader joins nothing");
    }

    /// Stored offsets skip records on the end of a partition or an error: never used.
    #[test]
    fn no_consumer_stores_or_commits_offsets_on_its_own() {
        let settings = KafkaSettings::new("localhost:9092");
        for config in [settings.member("g", "m"), settings.reader()] {
            assert_eq!(config.get("enable.auto.commit"), Some("false"));
            assert_eq!(config.get("enable.auto.offset.store"), Some("false"));
            assert_eq!(config.get("isolation.level"), Some("read_committed"));
        }
    }

    #[test]
    fn a_message_never_outlives_its_transaction() {
        let config = KafkaSettings::new("localhost:9092").transactional("dm.g-m");
        assert_eq!(config.get("message.timeout.ms"), config.get("transaction.timeout.ms"));
    }
}
