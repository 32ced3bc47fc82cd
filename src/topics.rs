//! The topics, as typed constants; their names and settings stand in `topics.yaml` alone.
//!
//! Not here: what comparing them with a cluster does (`broker`), what their records say (`domain`).

use std::sync::OnceLock;

use serde::Deserialize;

/// A topic, as the code calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Webhook bodies as they were signed.
    WebhooksRaw,
    /// What happened on Instagram, in our words.
    EventsNormalized,
    /// What agents wish about threads.
    DeskCommands,
    /// What agents wish about their own work.
    AgentsCommands,
    /// What became of commands.
    CommandResults,
    /// What conversations ask of routing.
    RoutingRequests,
    /// What routing decided.
    RoutingDecisions,
    /// Agents as routing sees them.
    Agents,
    /// What is to go out.
    OutboundSends,
    /// What became of it.
    OutboundResults,
    /// Facts, public.
    Timeline,
    /// Conversations as they stand.
    Conversations,
    /// Customer profiles.
    Customers,
    /// What administrators chose.
    Settings,
    /// What can never be processed, with its reason.
    DeadLetters,
    /// The conversation stage's state.
    ConversationChangelog,
    /// The route stage's state.
    RouteChangelog,
    /// The send stage's state.
    SendChangelog,
    /// The profile stage's state.
    ProfileChangelog,
}

impl Topic {
    /// Every topic, in the order of `topics.yaml`.
    pub const ALL: [Self; 19] = [
        Self::WebhooksRaw,
        Self::EventsNormalized,
        Self::DeskCommands,
        Self::AgentsCommands,
        Self::CommandResults,
        Self::RoutingRequests,
        Self::RoutingDecisions,
        Self::Agents,
        Self::OutboundSends,
        Self::OutboundResults,
        Self::Timeline,
        Self::Conversations,
        Self::Customers,
        Self::Settings,
        Self::DeadLetters,
        Self::ConversationChangelog,
        Self::RouteChangelog,
        Self::SendChangelog,
        Self::ProfileChangelog,
    ];

    /// How it is declared.
    ///
    /// # Panics
    ///
    /// Never: a test holds that every topic is declared.
    #[must_use]
    pub fn declaration(self) -> &'static Declaration {
        let found = catalogue().topics.iter().find(|declared| declared.id == self);
        #[expect(clippy::expect_used, reason = "held by a test: every topic is declared")]
        found.expect("every topic is declared in topics.yaml")
    }

    /// Its name without the prefix.
    #[must_use]
    pub fn name(self) -> &'static str {
        &self.declaration().name
    }
}

/// A topic as `topics.yaml` declares it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// What the code calls it.
    pub id: Topic,
    /// Its name without the prefix.
    pub name: String,
    /// What its key is, in words.
    pub key: String,
    /// Topics of one group have equal partition counts; `none` stands alone.
    pub group: String,
    /// What Kafka may drop.
    pub cleanup: Cleanup,
    /// Overrides the default partition count.
    #[serde(default)]
    pub partitions: Option<u32>,
    /// How long records are kept; absent: for ever.
    #[serde(default)]
    pub retention_ms: Option<u64>,
    /// Of a changelog: how long the deletion of a row is kept. A store that was away for longer is not believed.
    #[serde(default)]
    pub deletions_kept_ms: Option<u64>,
    /// Name of its schema in `schemas/`; `none` for bytes that are nobody else's.
    pub schema: String,
    /// Who writes it.
    pub writes: Vec<String>,
    /// Who reads it.
    pub reads: Vec<String>,
}

/// What Kafka may drop from a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cleanup {
    /// Records older than the retention.
    Delete,
    /// All but the newest record of a key.
    Compact,
}

/// What `topics.yaml` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// What holds where a topic says nothing.
    pub defaults: Defaults,
    /// The topics.
    pub topics: Vec<Declaration>,
}

/// What holds where a topic says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Partitions of a new topic.
    pub partitions: u32,
    /// Copies of each partition.
    pub replication: u16,
    /// Copies that must have a record before it counts as written.
    pub min_insync_replicas: u16,
    /// The largest record.
    pub max_message_bytes: u32,
}

/// The catalogue, read once from the text built into the program.
///
/// # Panics
///
/// Never: a test holds that the text built in is a catalogue.
#[must_use]
#[expect(clippy::expect_used, reason = "held by a test: the text built in is a catalogue")]
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        serde_norway::from_str(include_str!("../topics.yaml")).expect("topics.yaml is a catalogue")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_topic_is_declared_once_in_order() {
        let declared: Vec<Topic> = catalogue().topics.iter().map(|topic| topic.id).collect();
        assert_eq!(declared, Topic::ALL);
        let names: BTreeSet<&str> = Topic::ALL.iter().map(|topic| topic.name()).collect();
        assert_eq!(names.len(), Topic::ALL.len(), "two topics share a name");
    }

    /// A store older than what is kept of deletions would let deleted rows rise again.
    #[test]
    fn every_changelog_says_how_long_deletions_are_kept() {
        for topic in &catalogue().topics {
            let changelog = topic.name.ends_with(".changelog");
            assert_eq!(topic.deletions_kept_ms.is_some(), changelog, "{}", topic.name);
            assert!(!changelog || topic.cleanup == Cleanup::Compact, "{}", topic.name);
        }
    }

    #[test]
    fn co_partitioned_topics_have_one_partition_count() {
        for topic in &catalogue().topics {
            let fixed = topic.partitions.is_some() && topic.group != "none";
            assert!(!fixed, "{}: a grouped topic takes the default count", topic.name);
        }
    }
}
