//! What keeps an agent from being routed to, what they serve, what they have seen, and how urgent a conversation is. Pure.
//! Source: desk rules.

use crate::domain::command::{AgentWish, Refusal};
use crate::domain::id::{AgentId, ConversationId, InboxId};
use crate::domain::time::Timestamp;
use crate::route::command::AGENTS_MAX;
use crate::route::pool::Agent;
use crate::route::row::Place;
use crate::route::turn::Turn;

impl Turn<'_> {
    /// Nothing is routed in Focus; an offer stays on the banner, a slot by Next is lost.
    pub(super) fn set_focus(&mut self, id: &AgentId, focus: bool) {
        self.pool.with_agent(id, self.now, |agent| {
            agent.row.more.standing.focus = focus;
            agent.row.extra_slot &= !focus;
        });
    }

    /// Nothing is routed while the settings page is open.
    pub(super) fn set_settings_page(&mut self, id: &AgentId, open: bool) {
        self.pool.with_agent(id, self.now, |agent| {
            agent.row.more.standing.on_settings_page = open;
            agent.row.extra_slot &= !open;
        });
    }

    /// Serves these inboxes alone from now on; what they hold or are offered stays.
    pub(super) fn set_inboxes(
        &mut self,
        id: &AgentId,
        inboxes: Option<&[InboxId]>,
    ) -> Result<(), Refusal> {
        if inboxes.is_some_and(|inboxes| inboxes.len() > AgentWish::INBOXES_MAX) {
            return Err(Refusal::Overloaded);
        }
        self.known_or_new(id)?;
        let inboxes = inboxes.map(|inboxes| inboxes.iter().cloned().collect());
        self.pool.with_agent(id, self.now, |agent| agent.row.more.standing.inboxes = inboxes);
        Ok(())
    }

    /// May log in again.
    pub(super) fn reactivate(&mut self, id: &AgentId) {
        if self.pool.agents.contains_key(id) {
            self.pool.with_agent(id, self.now, |agent| {
                agent.row.more.standing.deactivated = false;
            });
        }
    }

    /// The agent has looked at a conversation of their own.
    pub(super) fn see(
        &mut self,
        id: &AgentId,
        conversation_id: &ConversationId,
        seen_at: Timestamp,
    ) -> Result<(), Refusal> {
        let place = self.pool.conversations.get(conversation_id).map(|row| &row.place);
        match place {
            Some(Place::Held { by, .. }) if by == id => {
                self.pool.with_conversation(conversation_id, |row| {
                    row.more.seen_at = row.more.seen_at.max(Some(seen_at));
                });
                Ok(())
            }
            Some(Place::Held { .. } | Place::Queued | Place::Outstanding { .. }) | None => {
                Err(Refusal::ConversationNotFound)
            }
        }
    }

    /// Moves a conversation up or down its inbox's queue.
    pub(super) fn prioritize(
        &mut self,
        id: &ConversationId,
        priority_score: i32,
    ) -> Result<(), Refusal> {
        if !self.pool.conversations.contains_key(id) {
            return Err(Refusal::ConversationNotFound);
        }
        self.pool.with_conversation(id, |row| row.more.priority_score = priority_score);
        Ok(())
    }

    /// The agent, or `None` for one never seen who may become known.
    pub(super) fn known_or_new(&self, id: &AgentId) -> Result<Option<&Agent>, Refusal> {
        let agent = self.pool.agents.get(id);
        let is_full = self.pool.agents.len() >= AGENTS_MAX;
        if agent.is_none() && is_full { Err(Refusal::Overloaded) } else { Ok(agent) }
    }
}
