//! Who can be offered something now, by the inboxes they serve. Pure. Source: desk rules.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::{AgentId, InboxId};
use crate::domain::time::Timestamp;

/// An agent who can be offered something now, in the order of R-105; the least is first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReadyKey {
    pub(super) open: usize,
    pub(super) given_at: Option<Timestamp>,
    pub(super) id: AgentId,
}

/// Everybody who can be offered something now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ready {
    /// Those who serve every inbox.
    everywhere: BTreeSet<ReadyKey>,
    /// Those who serve some, under each of theirs; none is empty.
    by_inbox: BTreeMap<InboxId, BTreeSet<ReadyKey>>,
}

impl Ready {
    pub(super) const fn new() -> Self {
        Self { everywhere: BTreeSet::new(), by_inbox: BTreeMap::new() }
    }

    pub(super) fn insert(&mut self, key: &ReadyKey, inboxes: Option<&BTreeSet<InboxId>>) {
        let Some(inboxes) = inboxes else {
            self.everywhere.insert(key.clone());
            return;
        };
        for inbox in inboxes {
            self.by_inbox.entry(inbox.clone()).or_default().insert(key.clone());
        }
    }

    pub(super) fn remove(&mut self, key: &ReadyKey, inboxes: Option<&BTreeSet<InboxId>>) {
        let Some(inboxes) = inboxes else {
            self.everywhere.remove(key);
            return;
        };
        for inbox in inboxes {
            let Some(serving) = self.by_inbox.get_mut(inbox) else { continue };
            serving.remove(key);
            if serving.is_empty() {
                self.by_inbox.remove(inbox);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.everywhere.is_empty() && self.by_inbox.is_empty()
    }

    /// Whether somebody serves this inbox.
    pub(super) fn serves(&self, inbox: &InboxId) -> bool {
        !self.everywhere.is_empty() || self.by_inbox.contains_key(inbox)
    }

    pub(super) fn contains(&self, inbox: &InboxId, key: &ReadyKey) -> bool {
        let serving = self.by_inbox.get(inbox);
        self.everywhere.contains(key) || serving.is_some_and(|serving| serving.contains(key))
    }

    /// The first who serves this inbox and is wanted.
    pub(super) fn first(
        &self,
        inbox: &InboxId,
        is_wanted: impl Fn(&AgentId) -> bool,
    ) -> Option<&ReadyKey> {
        let mut serving = self.by_inbox.get(inbox).into_iter().flatten();
        let of_inbox = serving.find(|key| is_wanted(&key.id));
        let of_all = self.everywhere.iter().find(|key| is_wanted(&key.id));
        of_inbox.into_iter().chain(of_all).min()
    }
}
