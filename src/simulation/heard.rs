//! What everybody can read: each topic as it must stand, ids given once, facts counted, who was offered what.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::broker::NextOffsets;
use crate::broker::embedded::EmbeddedBroker;
use crate::broker::partitioner::partition_of;
use crate::broker::record::{Output, Record, header};
use crate::domain::id::{AgentId, ConversationId, OfferId};
use crate::domain::routing::{RoutingDecision, RoutingVerdict};
use crate::topics::Topic;

use super::judge::shown;

/// What was written, in the order in which it became true.
pub(super) struct Heard {
    partitions: BTreeMap<Topic, u32>,
    logs: BTreeMap<(Topic, u32), Vec<u64>>,
    ids: BTreeSet<(Topic, u128)>,
    facts: BTreeMap<Vec<u8>, u64>,
    cares: BTreeMap<ConversationId, Care>,
    banners: BTreeMap<AgentId, ConversationId>,
}

/// Who has a conversation, as decisions say.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Care {
    Nobody,
    Offered(AgentId, OfferId),
    Held(AgentId),
}

#[derive(Deserialize)]
struct Numbered {
    number: u64,
}

impl Heard {
    pub(super) fn new(broker: &EmbeddedBroker) -> Self {
        let count = |topic: Topic| (topic, broker.partitions(topic).unwrap_or(1));
        Self {
            partitions: Topic::ALL.into_iter().map(count).collect(),
            logs: BTreeMap::new(),
            ids: BTreeSet::new(),
            facts: BTreeMap::new(),
            cares: BTreeMap::new(),
            banners: BTreeMap::new(),
        }
    }

    /// How many partitions a topic has.
    pub(super) fn partitions(&self, topic: Topic) -> u32 {
        self.partitions.get(&topic).copied().unwrap_or(1)
    }

    /// Records in all topics.
    pub(super) fn records(&self) -> u64 {
        self.logs.values().map(|log| log.len() as u64).sum()
    }

    /// Where a partition ends.
    pub(super) fn end(&self, at: (Topic, u32)) -> u64 {
        self.logs.get(&at).map_or(0, |log| log.len() as u64)
    }

    /// Notes a record; says where it stands.
    pub(super) fn appended(&mut self, output: &Output) -> ((Topic, u32), u64) {
        let count = self.partitions(output.topic);
        let partition = output.partition.unwrap_or_else(|| partition_of(&output.key, count));
        let at = (output.topic, partition);
        let log = self.logs.entry(at).or_default();
        log.push(digest(&output.key, output.value.as_deref()));
        (at, log.len() as u64 - 1)
    }

    /// Looks at a committed record of a stage; a routing decision comes back.
    pub(super) fn look(&mut self, output: &Output) -> Result<Option<RoutingDecision>, String> {
        if given_once(output.topic)
            && let Some(id) = output.headers.text(header::ID)
            && !self.ids.insert((output.topic, xxh3_128(id.as_bytes())))
        {
            return Err(format!("{}: {id} was written twice", output.topic.name()));
        }
        let value = output.value.as_deref().unwrap_or_default();
        if output.topic == Topic::Timeline {
            let fact: Numbered = serde_json::from_slice(value).map_err(|e| e.to_string())?;
            let last = self.facts.entry(output.key.clone()).or_default();
            if fact.number != *last + 1 {
                let key = shown(&output.key);
                return Err(format!("fact {} of {key} follows fact {last}", fact.number));
            }
            *last = fact.number;
        }
        if output.topic != Topic::RoutingDecisions {
            return Ok(None);
        }
        let decision: RoutingDecision =
            serde_json::from_slice(value).map_err(|error| error.to_string())?;
        self.decided(&decision)?;
        Ok(Some(decision))
    }

    /// One holder, one offer of a conversation, one offer to an agent.
    fn decided(&mut self, decision: &RoutingDecision) -> Result<(), String> {
        let id = &decision.conversation_id;
        let before = self.cares.get(id).cloned().unwrap_or(Care::Nobody);
        let wrong = |what: &str| Err(format!("{id} is {what}, and was {before:?}"));
        let after = match &decision.verdict {
            RoutingVerdict::Queued { .. } => match &before {
                Care::Offered(..) => return wrong("queued"),
                Care::Nobody | Care::Held(_) => Care::Nobody,
            },
            RoutingVerdict::Offered { offer_id, agent_id, .. } => {
                if before != Care::Nobody {
                    return wrong("offered");
                }
                if let Some(other) = self.banners.insert(agent_id.clone(), id.clone()) {
                    return Err(format!("{agent_id} is offered {id} beside {other}"));
                }
                Care::Offered(agent_id.clone(), offer_id.clone())
            }
            RoutingVerdict::Accepted { offer_id, agent_id } => {
                if before != Care::Offered(agent_id.clone(), offer_id.clone()) {
                    return wrong("accepted");
                }
                self.banners.remove(agent_id);
                Care::Held(agent_id.clone())
            }
            RoutingVerdict::Rejected { offer_id, agent_id, .. }
            | RoutingVerdict::Rescinded { offer_id, agent_id, .. } => {
                if before != Care::Offered(agent_id.clone(), offer_id.clone()) {
                    return wrong("rejected or rescinded");
                }
                self.banners.remove(agent_id);
                Care::Nobody
            }
            RoutingVerdict::Assigned { agent_id, .. } => match &before {
                Care::Offered(..) => return wrong("assigned"),
                Care::Nobody | Care::Held(_) => Care::Held(agent_id.clone()),
            },
            RoutingVerdict::Unassigned { agent_id, .. } => {
                if before != Care::Held(agent_id.clone()) {
                    return wrong("unassigned");
                }
                Care::Nobody
            }
        };
        self.cares.insert(id.clone(), after);
        Ok(())
    }

    /// Whether a partition holds what it must, nothing else and in that order (I3).
    pub(super) fn compare(&self, at: (Topic, u32), read: &[Record]) -> Result<(), String> {
        let (topic, partition) = at;
        let log = self.logs.get(&at).map(Vec::as_slice).unwrap_or_default();
        let name = topic.name();
        for record in read {
            let expected = usize::try_from(record.offset).ok().and_then(|at| log.get(at));
            let found = digest(record.key.as_deref().unwrap_or_default(), record.value.as_deref());
            if expected != Some(&found) {
                return Err(format!(
                    "{name}/{partition}: record {} is not the one that was written",
                    record.offset
                ));
            }
        }
        let compacted = topic.declaration().cleanup == crate::topics::Cleanup::Compact;
        let first = read.first().map_or(log.len() as u64, |record| record.offset);
        let count = read.len() as u64;
        if !compacted && first + count != log.len() as u64 {
            return Err(format!(
                "{name}/{partition}: {count} records from {first} on, {} were written",
                log.len()
            ));
        }
        Ok(())
    }

    /// Every partition there is.
    pub(super) fn places(&self) -> NextOffsets {
        let all = self.partitions.iter();
        all.flat_map(|(topic, count)| (0..*count).map(|lane| ((*topic, lane), 0))).collect()
    }
}

/// Ids of these come once; an event may come twice, a dead letter has its source's, a request's says all that it says.
const fn given_once(topic: Topic) -> bool {
    !matches!(
        topic,
        Topic::WebhooksRaw
            | Topic::EventsNormalized
            | Topic::DeadLetters
            | Topic::RoutingRequests
            | Topic::ConversationChangelog
            | Topic::RouteChangelog
            | Topic::SendChangelog
            | Topic::ProfileChangelog
    )
}

fn digest(key: &[u8], value: Option<&[u8]>) -> u64 {
    let value = value.map_or(0, |value| xxh3_64(value).wrapping_add(1));
    xxh3_64(key) ^ value.rotate_left(17)
}
