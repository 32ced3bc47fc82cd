//! Topics: compares the cluster with `topics.yaml`, creates what is missing, sets what differs.
//!
//! Promise: nothing is deleted, no partition count and no replication of an existing topic is changed; what was set on a
//! topic by others stays.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewTopic,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::config::FromClientConfigAndContext;

use super::context::Quiet;
use super::error::{from_code, from_kafka};
use super::wait::wait_for;
use super::{ANSWER_WITHIN, KafkaBroker};
use crate::broker::{Change, Difference, Error, TopicChange, TopicDifference};
use crate::clock::Stopwatch;
use crate::topics::{Cleanup, Topic, catalogue};

const CHANGE_WITHIN: Duration = Duration::from_secs(30);
/// Pause between two looks at topics that were just created.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A topic as it should be in this cluster. Pure.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    topic: Topic,
    name: String,
    partitions: u32,
    replication: u16,
    capped_from: Option<u16>,
    settings: BTreeMap<String, String>,
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    partitions: u32,
    replication: u16,
    /// Every setting's value, and whether it was set on the topic itself.
    settings: BTreeMap<String, (String, bool)>,
}

/// What the cluster says at one moment.
struct Survey {
    brokers: u16,
    topics: BTreeMap<String, Found>,
}

/// Compares every declared topic.
pub(super) fn check(broker: &KafkaBroker) -> Result<Vec<TopicDifference>, Error> {
    let admin = client(broker)?;
    let survey = survey(broker, &admin)?;
    let mut differences = Vec::new();
    for topic in Topic::ALL {
        let wanted = wanted(broker, topic, survey.brokers);
        for difference in compare(&wanted, survey.topics.get(&wanted.name)) {
            differences.push(TopicDifference { topic, name: wanted.name.clone(), difference });
        }
    }
    Ok(differences)
}

/// Creates and sets; refuses what does harm.
pub(super) fn apply(broker: &KafkaBroker) -> Result<Vec<TopicChange>, Error> {
    let admin = client(broker)?;
    let survey = survey(broker, &admin)?;
    let mut changes = Vec::new();
    let mut created = Vec::new();
    for topic in Topic::ALL {
        let wanted = wanted(broker, topic, survey.brokers);
        if !survey.topics.contains_key(&wanted.name) {
            created.push((wanted.name.clone(), wanted.partitions));
        }
        let done = match survey.topics.get(&wanted.name) {
            None => vec![create(&admin, &wanted)?],
            Some(found) => adjust(&admin, &wanted, found)?,
        };
        let name = wanted.name;
        changes.extend(done.into_iter().map(|change| TopicChange {
            topic,
            name: name.clone(),
            change,
        }));
    }
    wait_until_led(&admin, &created)?;
    Ok(changes)
}

/// Waits until every partition of the topics `created` has a leader: whoever is told that they exist may use them.
fn wait_until_led(admin: &AdminClient<Quiet>, created: &[(String, u32)]) -> Result<(), Error> {
    let since = Stopwatch::start();
    while !created.is_empty() {
        let metadata =
            admin.inner().fetch_metadata(None, ANSWER_WITHIN).map_err(|e| from_kafka(&e))?;
        let is_led = |(name, partitions): &(String, u32)| {
            let found = metadata.topics().iter().find(|found| found.name() == name);
            let led = found.map_or(0, |found| {
                found.partitions().iter().filter(|one| one.leader() >= 0).count()
            });
            u32::try_from(led) == Ok(*partitions)
        };
        if created.iter().all(is_led) {
            break;
        }
        if since.elapsed() > CHANGE_WITHIN {
            return Err(Error::Retriable("new topics have no leaders yet".to_owned()));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

fn client(broker: &KafkaBroker) -> Result<AdminClient<Quiet>, Error> {
    AdminClient::from_config_and_context(&broker.shared.settings.client(), Quiet)
        .map_err(|error| from_kafka(&error))
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(CHANGE_WITHIN)).operation_timeout(Some(CHANGE_WITHIN))
}

fn survey(broker: &KafkaBroker, admin: &AdminClient<Quiet>) -> Result<Survey, Error> {
    let metadata = admin.inner().fetch_metadata(None, ANSWER_WITHIN).map_err(|e| from_kafka(&e))?;
    let brokers = u16::try_from(metadata.brokers().len()).unwrap_or(u16::MAX);
    let mut topics = BTreeMap::new();
    for topic in Topic::ALL {
        let name = broker.shared.names.of(topic);
        let Some(found) = metadata.topics().iter().find(|found| found.name() == name) else {
            continue;
        };
        let partitions = u32::try_from(found.partitions().len()).unwrap_or(u32::MAX);
        let copies = found.partitions().iter().map(|one| one.replicas().len()).min().unwrap_or(0);
        let replication = u16::try_from(copies).unwrap_or(u16::MAX);
        let found = Found { partitions, replication, settings: BTreeMap::new() };
        topics.insert(name.to_owned(), found);
    }
    let asked: Vec<String> = topics.keys().cloned().collect();
    for (name, settings) in described(admin, &asked)? {
        if let Some(found) = topics.get_mut(&name) {
            found.settings = settings;
        }
    }
    Ok(Survey { brokers, topics })
}

type Settings = BTreeMap<String, (String, bool)>;

fn described(
    admin: &AdminClient<Quiet>,
    names: &[String],
) -> Result<Vec<(String, Settings)>, Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<ResourceSpecifier<'_>> =
        names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let answers = wait_for(admin.describe_configs(&asked, &options()));
    let answers = answers.map_err(|error| from_kafka(&error))?;
    // Answers come in the order of the questions.
    let mut described = Vec::with_capacity(names.len());
    for (name, answer) in names.iter().zip(answers) {
        described.push((name.clone(), settings_of(answer.map_err(from_code)?)));
    }
    Ok(described)
}

fn settings_of(resource: ConfigResource) -> Settings {
    let known = resource.entries.into_iter().filter_map(|entry| {
        let own = entry.source == ConfigSource::DynamicTopic;
        entry.value.map(|value| (entry.name, (value, own)))
    });
    known.collect()
}

fn wanted(broker: &KafkaBroker, topic: Topic, brokers: u16) -> Wanted {
    let settings = &broker.shared.settings;
    let (declared, defaults) = (topic.declaration(), &catalogue().defaults);
    let asked = settings.replication.unwrap_or(defaults.replication);
    let replication = asked.min(brokers).max(1);
    let partitions = declared.partitions.or(settings.partitions).unwrap_or(defaults.partitions);
    // One copy fewer than there are, so that one broker may be away.
    let in_sync = defaults.min_insync_replicas.min(replication.saturating_sub(1)).max(1);
    let mut values = BTreeMap::new();
    let mut set = |key: &str, value: String| values.insert(key.to_owned(), value);
    set("min.insync.replicas", in_sync.to_string());
    set("max.message.bytes", defaults.max_message_bytes.to_string());
    match declared.cleanup {
        Cleanup::Delete => {
            set("cleanup.policy", "delete".to_owned());
            let kept = declared.retention_ms.map_or_else(|| "-1".to_owned(), |ms| ms.to_string());
            set("retention.ms", kept);
        }
        Cleanup::Compact => {
            set("cleanup.policy", "compact".to_owned());
        }
    }
    if let Some(kept_ms) = declared.deletions_kept_ms {
        // A restore reads what compaction has not reached yet: keep that small.
        set("min.cleanable.dirty.ratio", "0.2".to_owned());
        set("delete.retention.ms", kept_ms.to_string());
    }
    Wanted {
        topic,
        name: broker.shared.names.of(topic).to_owned(),
        partitions,
        replication,
        capped_from: (replication < asked).then_some(asked),
        settings: values,
    }
}

/// How `found` differs from `wanted`. Pure.
fn compare(wanted: &Wanted, found: Option<&Found>) -> Vec<Difference> {
    let Some(found) = found else { return vec![Difference::Missing] };
    let mut differences = Vec::new();
    if found.partitions != wanted.partitions {
        let (declared, found) = (wanted.partitions, found.partitions);
        differences.push(Difference::Partitions { declared, found });
    }
    if found.replication != wanted.replication {
        let (declared, found) = (wanted.replication, found.replication);
        differences.push(Difference::Replication { declared, found });
    }
    for (key, declared) in &wanted.settings {
        let value = found.settings.get(key).map_or("", |(value, _)| value.as_str());
        if value != declared {
            let (key, declared, found) = (key.clone(), declared.clone(), value.to_owned());
            differences.push(Difference::Setting { key, declared, found });
        }
    }
    differences
}

fn create(admin: &AdminClient<Quiet>, wanted: &Wanted) -> Result<Change, Error> {
    let replication = TopicReplication::Fixed(i32::from(wanted.replication));
    let mut topic = NewTopic::new(&wanted.name, super::signed(wanted.partitions), replication);
    for (key, value) in &wanted.settings {
        topic = topic.set(key, value);
    }
    let answers = wait_for(admin.create_topics([&topic], &options()));
    for answer in answers.map_err(|error| from_kafka(&error))? {
        answer.map_err(|(name, code)| Error::Topics(format!("{name} was not created: {code}")))?;
    }
    let (partitions, capped_from) = (wanted.partitions, wanted.capped_from);
    Ok(Change::Created { partitions, replication: wanted.replication, capped_from })
}

fn adjust(
    admin: &AdminClient<Quiet>,
    wanted: &Wanted,
    found: &Found,
) -> Result<Vec<Change>, Error> {
    let mut changes: Vec<Change> = compare(wanted, Some(found))
        .into_iter()
        .map(|difference| answer(wanted, difference))
        .collect();
    if changes.iter().any(|change| matches!(change, Change::Set { .. })) {
        set(admin, wanted, found)?;
    }
    changes.shrink_to_fit();
    Ok(changes)
}

/// What is done about a difference of a topic that exists. Pure.
fn answer(wanted: &Wanted, difference: Difference) -> Change {
    match difference {
        Difference::Missing => {
            Change::Refused { why: "it went away meanwhile: apply again".to_owned() }
        }
        Difference::Partitions { declared, found } => Change::Refused {
            why: format!(
                "it has {found} partitions and {declared} are declared, but its key ({}) decides the partition: \
                 with another count the same key would be in another lane, apart from its state and out of order; \
                 declare {found}, or move the records to a new topic",
                wanted.topic.declaration().key
            ),
        },
        Difference::Replication { declared, found } => Change::Refused {
            why: format!(
                "it has {found} copies and {declared} are declared: copies move between brokers by \
                 kafka-reassign-partitions, at a time that a person chooses"
            ),
        },
        Difference::Setting { key, declared, found } => {
            Change::Set { key, from: found, to: declared }
        }
    }
}

/// Sets all of our settings. Kafka's call replaces everything set on the topic, so what others set goes along.
fn set(admin: &AdminClient<Quiet>, wanted: &Wanted, found: &Found) -> Result<(), Error> {
    let own = found.settings.iter().filter(|(_, (_, own))| *own);
    let mut values: BTreeMap<&str, &str> =
        own.map(|(key, (value, _))| (key.as_str(), value.as_str())).collect();
    values.extend(wanted.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let mut change = AlterConfig::new(ResourceSpecifier::Topic(&wanted.name));
    for (key, value) in values {
        change = change.set(key, value);
    }
    let answers = wait_for(admin.alter_configs([&change], &options()));
    for answer in answers.map_err(|error| from_kafka(&error))? {
        answer.map_err(|(_, code)| {
            Error::Topics(format!("{} was not changed: {code}", wanted.name))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::kafka::KafkaSettings;

    fn declared(topic: Topic, brokers: u16) -> Wanted {
        let broker = KafkaBroker::connect(KafkaSettings::new("localhost:9")).unwrap();
        wanted(&broker, topic, brokers)
    }

    fn as_wanted(wanted: &Wanted) -> Found {
        let own = |(key, value): (&String, &String)| (key.clone(), (value.clone(), true));
        let settings = wanted.settings.iter().map(own).collect();
        Found { partitions: wanted.partitions, replication: wanted.replication, settings }
    }

    #[test]
    fn a_small_cluster_gets_as_many_copies_as_it_has_brokers() {
        // brokers, copies, in sync, capped from
        check(1, 1, "1", Some(3));
        check(2, 2, "1", Some(3));
        check(3, 3, "2", None);
        check(9, 3, "2", None);

        #[track_caller]
        fn check(brokers: u16, copies: u16, in_sync: &str, capped_from: Option<u16>) {
            let wanted = declared(Topic::Timeline, brokers);
            assert_eq!((wanted.replication, wanted.capped_from), (copies, capped_from));
            assert_eq!(wanted.settings["min.insync.replicas"], in_sync);
        }
    }

    #[test]
    fn changelogs_are_compacted_early_and_facts_are_kept_for_their_time() {
        let changelog = declared(Topic::RouteChangelog, 3).settings;
        assert_eq!(changelog["cleanup.policy"], "compact");
        assert_eq!(changelog["min.cleanable.dirty.ratio"], "0.2");
        assert_eq!(changelog["delete.retention.ms"], "604800000");
        let timeline = declared(Topic::Timeline, 3).settings;
        assert_eq!(timeline["retention.ms"], "7776000000");
        assert!(!timeline.contains_key("min.cleanable.dirty.ratio"));
    }

    #[test]
    fn only_settings_of_an_existing_topic_are_changed() {
        let wanted = declared(Topic::DeskCommands, 3);
        let mut found = as_wanted(&wanted);
        assert_eq!(compare(&wanted, Some(&found)), []);
        assert_eq!(compare(&wanted, None), [Difference::Missing]);
        found.partitions += 1;
        found.replication = 1;
        found.settings.insert("retention.ms".to_owned(), ("1".to_owned(), true));
        let answers: Vec<Change> =
            compare(&wanted, Some(&found)).into_iter().map(|one| answer(&wanted, one)).collect();
        assert!(matches!(&answers[0], Change::Refused { why } if why.contains("partition")));
        assert!(matches!(&answers[1], Change::Refused { why } if why.contains("copies")));
        assert!(matches!(&answers[2], Change::Set { key, .. } if key == "retention.ms"));
        assert_eq!(answers.len(), 3);
    }
}
