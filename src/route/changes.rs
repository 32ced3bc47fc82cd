//! The only ways a pool changes: each keeps the derived orders right and remembers which rows to write. Pure.

use crate::domain::id::{AgentId, ConversationId};
use crate::domain::time::Timestamp;
use crate::route::capacity::Capacity;
use crate::route::pool::{Agent, Pool};
use crate::route::queue::QueueKey;
use crate::route::ready::Ready;
use crate::route::row::{AgentRow, Banner, ConversationRow, Place, RouteRow, RowId};

impl Pool {
    /// Rows changed since the last call; `None` is a deletion.
    pub fn take_changes(&mut self) -> Vec<(RowId, Option<RouteRow>)> {
        let touched = std::mem::take(&mut self.touched);
        touched.into_iter().map(|id| (id.clone(), self.row(&id))).collect()
    }

    fn row(&self, id: &RowId) -> Option<RouteRow> {
        match id {
            RowId::Company => Some(RouteRow::Company(self.company)),
            RowId::Agent(id) => self.agents.get(id).map(|agent| RouteRow::Agent(agent.row.clone())),
            RowId::Conversation(id) => {
                let conversation = self.conversations.get(id);
                conversation.map(|row| RouteRow::Conversation(Box::new(row.clone())))
            }
        }
    }

    /// Counts a decision and gives its number.
    pub(super) fn number_decision(&mut self) -> u64 {
        self.company.decisions = self.company.decisions.saturating_add(1);
        self.touched.insert(RowId::Company);
        self.company.decisions
    }

    /// Counts an agent's snapshot and gives its number.
    pub(super) fn number_snapshot(&mut self) -> u64 {
        self.company.snapshots = self.company.snapshots.saturating_add(1);
        self.touched.insert(RowId::Company);
        self.company.snapshots
    }

    /// Has the queue tried as soon as timers fire, while somebody waits and somebody of that inbox has room.
    pub(super) fn plan_retry(&mut self, now: Timestamp) {
        let is_wanted = self.queue.next(&self.ready).is_some();
        let before = self.company.retry_at;
        // Just before now: due at once, and not only at the next millisecond.
        let retry_at = is_wanted.then(|| before.unwrap_or(now.minus_ms(1)));
        if retry_at == before {
            return;
        }
        if let Some(due) = before {
            self.timers.remove(&(due, RowId::Company));
        }
        self.timers.extend(retry_at.map(|due| (due, RowId::Company)));
        self.company.retry_at = retry_at;
        self.touched.insert(RowId::Company);
    }

    /// Takes over the capacity in force; whoever is ready under it is found anew when it changed.
    pub fn fit(&mut self, capacity: Capacity) {
        if self.capacity == capacity {
            return;
        }
        self.capacity = capacity;
        self.ready = Ready::new();
        for (id, agent) in self.agents.iter().filter(|(_, agent)| agent.is_ready(capacity)) {
            self.ready.insert(&agent.ready_key(id), agent.inboxes());
        }
    }

    /// Changes an agent; one never seen begins logged out at `now`.
    pub(super) fn with_agent(
        &mut self,
        id: &AgentId,
        now: Timestamp,
        change: impl FnOnce(&mut Agent),
    ) {
        let known = self.agents.remove(id);
        let is_new = known.is_none();
        let mut agent = known.unwrap_or_else(|| Agent::new(AgentRow::unseen(now)));
        let (row_before, load_before) = (agent.row.clone(), agent.used());
        self.ready.remove(&agent.ready_key(id), agent.inboxes());
        if let Some(due) = agent.row.due_timer() {
            self.timers.remove(&(due, RowId::Agent(id.clone())));
        }
        change(&mut agent);
        if agent.is_ready(self.capacity) {
            self.ready.insert(&agent.ready_key(id), agent.inboxes());
        }
        if let Some(due) = agent.row.due_timer() {
            self.timers.insert((due, RowId::Agent(id.clone())));
        }
        if is_new || agent.row != row_before {
            self.touched.insert(RowId::Agent(id.clone()));
        }
        let is_shown_otherwise = agent.row.presence != row_before.presence
            || agent.row.available != row_before.available
            || agent.row.paused_until_next != row_before.paused_until_next
            || agent.row.more.standing != row_before.more.standing
            || agent.used() != load_before;
        if is_new || is_shown_otherwise {
            self.stirred.insert(id.clone());
        }
        self.agents.insert(id.clone(), agent);
    }

    /// Changes a conversation, wherever it is and goes; an unknown one stays unknown.
    pub(super) fn with_conversation(
        &mut self,
        id: &ConversationId,
        change: impl FnOnce(&mut ConversationRow),
    ) {
        match self.conversations.get_mut(id) {
            Some(row) if row.place == Place::Queued => {
                self.touched.insert(RowId::Conversation(id.clone()));
                let before = (row.inbox_id.clone(), QueueKey::of(id, row));
                change(row);
                let after = (row.inbox_id.clone(), QueueKey::of(id, row));
                let is_queued = row.place == Place::Queued;
                // Most changes leave it where it is: nothing else has to move.
                if is_queued && before == after {
                    return;
                }
                self.queue.remove(&before.0, &before.1);
                if is_queued {
                    self.queue.insert(&after.0, after.1);
                } else if let Some(row) = self.conversations.remove(id) {
                    self.put_conversation(id.clone(), row);
                }
            }
            Some(_) => self.with_taken(id, change),
            None => (),
        }
    }

    /// Changes a conversation that an agent has or is offered.
    fn with_taken(&mut self, id: &ConversationId, change: impl FnOnce(&mut ConversationRow)) {
        let Some(before) = self.conversations.get(id).map(shown) else { return };
        let unstirred = before.as_ref().map(|(agent, ..)| agent);
        let unstirred = unstirred.filter(|agent| !self.stirred.contains(*agent)).cloned();
        let Some(mut conversation) = self.take_conversation(id) else { return };
        change(&mut conversation);
        let is_shown_alike = shown(&conversation) == before;
        self.put_conversation(id.clone(), conversation);
        // Taken out and put back: nobody sees a difference.
        if let Some(agent) = unstirred.filter(|_| is_shown_alike) {
            self.stirred.remove(&agent);
        }
    }

    /// Takes a conversation out of everything that refers to it.
    pub(super) fn take_conversation(&mut self, id: &ConversationId) -> Option<ConversationRow> {
        let conversation = self.conversations.remove(id)?;
        self.touched.insert(RowId::Conversation(id.clone()));
        if let Some(due) = conversation.due_timer() {
            self.timers.remove(&(due, RowId::Conversation(id.clone())));
        }
        match &conversation.place {
            Place::Queued => {
                self.queue.remove(&conversation.inbox_id, &QueueKey::of(id, &conversation));
            }
            Place::Outstanding { to, .. } => {
                self.with_agent(to, conversation.since, |agent| agent.offer = None);
            }
            Place::Held { by, .. } => {
                self.with_agent(by, conversation.since, |agent| {
                    agent.held.remove(id);
                });
            }
        }
        Some(conversation)
    }

    /// Puts a conversation where its row says it is.
    pub(super) fn put_conversation(&mut self, id: ConversationId, conversation: ConversationRow) {
        self.touched.insert(RowId::Conversation(id.clone()));
        if let Some(due) = conversation.due_timer() {
            self.timers.insert((due, RowId::Conversation(id.clone())));
        }
        match &conversation.place {
            Place::Queued => {
                self.queue.insert(&conversation.inbox_id, QueueKey::of(&id, &conversation));
            }
            Place::Outstanding { to, .. } => {
                self.with_agent(to, conversation.since, |agent| agent.offer = Some(id.clone()));
            }
            Place::Held { by, .. } => {
                self.with_agent(by, conversation.since, |agent| {
                    agent.held.insert(id.clone());
                });
            }
        }
        self.conversations.insert(id, conversation);
    }
}

/// Who shows it, the offer with its banner, and what was seen.
type Shown = (AgentId, Option<(u64, Banner)>, Option<Timestamp>);

/// What of a conversation stands in an agent's snapshot.
fn shown(conversation: &ConversationRow) -> Option<Shown> {
    let seen_at = conversation.more.seen_at;
    match &conversation.place {
        Place::Queued => None,
        Place::Outstanding { to, number, .. } => {
            Some((to.clone(), Some((*number, conversation.banner.clone())), seen_at))
        }
        Place::Held { by, .. } => Some((by.clone(), None, seen_at)),
    }
}
