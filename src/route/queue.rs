//! The order in which conversations wait: a queue an inbox. Pure. Source: desk rules.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::{ConversationId, InboxId};
use crate::domain::time::Timestamp;
use crate::route::ready::Ready;
use crate::route::row::ConversationRow;

/// A conversation's place in its queue; the least is next.
///
/// More urgent first; then earlier due, without due date after all others; then the oldest; then by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueueKey {
    priority_score: Reverse<i32>,
    without_due: bool,
    due_at: Option<Timestamp>,
    since: Timestamp,
    pub(super) id: ConversationId,
}

impl QueueKey {
    pub(super) fn of(id: &ConversationId, conversation: &ConversationRow) -> Self {
        let ConversationRow { due_at, since, .. } = *conversation;
        let priority_score = Reverse(conversation.more.priority_score);
        Self { priority_score, without_due: due_at.is_none(), due_at, since, id: id.clone() }
    }
}

/// The queues of a company's inboxes; none is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Queues(BTreeMap<InboxId, BTreeSet<QueueKey>>);

impl Queues {
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn insert(&mut self, inbox: &InboxId, key: QueueKey) {
        match self.0.get_mut(inbox) {
            Some(queue) => queue.insert(key),
            None => self.0.entry(inbox.clone()).or_default().insert(key),
        };
    }

    pub(super) fn remove(&mut self, inbox: &InboxId, key: &QueueKey) {
        let Some(queue) = self.0.get_mut(inbox) else { return };
        queue.remove(key);
        if queue.is_empty() {
            self.0.remove(inbox);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// Who is next of all who wait where somebody is ready, in the order of R-126 also across inboxes.
    pub(super) fn next(&self, ready: &Ready) -> Option<&QueueKey> {
        if ready.is_empty() {
            return None;
        }
        let served = self.0.iter().filter(|(inbox, _)| ready.serves(inbox));
        served.filter_map(|(_, queue)| queue.first()).min()
    }

    /// Everybody who waits, inbox by inbox, each in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&InboxId, &QueueKey)> {
        self.0.iter().flat_map(|(inbox, queue)| queue.iter().map(move |key| (inbox, key)))
    }
}
