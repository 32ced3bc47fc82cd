//! What a broker hands back besides polled records: batches of a reader, and how topics differ from `topics.yaml`. Pure.

use std::fmt;

use super::NextOffsets;
use super::record::Record;
use crate::topics::Topic;

/// What one poll of a reader brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadBatch {
    /// Committed records, in order per partition.
    pub records: Vec<Record>,
    /// Where each partition goes on after this batch, past transaction markers and compaction gaps where they are known.
    pub next: NextOffsets,
    /// Every partition reached its last stable end, and that end is not before what was in the log when the reader
    /// was opened.
    pub at_end: bool,
}

/// What one poll of a reader showed; see [`ReadBatch`] for the words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// How many records.
    pub records: usize,
    /// Where each partition goes on.
    pub next: NextOffsets,
    /// Every partition reached its end.
    pub at_end: bool,
}

/// One way in which a cluster's topic is not what `topics.yaml` declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDifference {
    /// Which topic.
    pub topic: Topic,
    /// Its name in the cluster, with the prefix.
    pub name: String,
    /// What differs.
    pub difference: Difference,
}

/// What differs between a declared topic and the one found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The cluster does not have it.
    Missing,
    /// Another number of partitions. Never changed by `apply`: keys would move.
    Partitions {
        /// As declared.
        declared: u32,
        /// As found.
        found: u32,
    },
    /// Another number of copies. Never changed by `apply`: it moves data between brokers.
    Replication {
        /// As declared, at most the number of brokers.
        declared: u16,
        /// As found.
        found: u16,
    },
    /// A topic setting has another value.
    Setting {
        /// Kafka's name of the setting.
        key: String,
        /// As declared.
        declared: String,
        /// As found; empty when the cluster does not say.
        found: String,
    },
}

/// What `apply` did about one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicChange {
    /// Which topic.
    pub topic: Topic,
    /// Its name in the cluster, with the prefix.
    pub name: String,
    /// What was done.
    pub change: Change,
}

/// What was done, or not, about a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The topic is new.
    Created {
        /// How many partitions it got.
        partitions: u32,
        /// How many copies of each.
        replication: u16,
        /// The copies asked for, when the cluster has fewer brokers than that.
        capped_from: Option<u16>,
    },
    /// A setting has a new value.
    Set {
        /// Kafka's name of the setting.
        key: String,
        /// What it was.
        from: String,
        /// What it is now.
        to: String,
    },
    /// Left as it is, because changing it would do harm.
    Refused {
        /// What the harm would be, and what a person can do.
        why: String,
    },
}

impl fmt::Display for TopicDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.difference {
            Difference::Missing => write!(f, "{name} is missing"),
            Difference::Partitions { declared, found } => {
                write!(f, "{name} has {found} partitions, declared are {declared}")
            }
            Difference::Replication { declared, found } => {
                write!(f, "{name} has {found} copies, declared are {declared}")
            }
            Difference::Setting { key, declared, found } => {
                write!(f, "{name} has {key}={found}, declared is {declared}")
            }
        }
    }
}

impl fmt::Display for TopicChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.change {
            Change::Created { partitions, replication, capped_from } => {
                write!(f, "{name} created: {partitions} partitions, {replication} copies")?;
                match capped_from {
                    Some(asked) => write!(f, " ({asked} asked for, the cluster is smaller)"),
                    None => Ok(()),
                }
            }
            Change::Set { key, from, to } => write!(f, "{name} set: {key} from {from} to {to}"),
            Change::Refused { why } => write!(f, "{name} left as it is: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capped_topic_says_so() {
        let change = Change::Created { partitions: 8, replication: 1, capped_from: Some(3) };
        let change = TopicChange { topic: Topic::Timeline, name: "dm.timeline".to_owned(), change };
        let said =
            "dm.timeline created: 8 partitions, 1 copies (3 asked for, the cluster is smaller)";
        assert_eq!(change.to_string(), said);
    }
}
