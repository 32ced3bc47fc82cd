//! An agent comes, goes, and what becomes of what they hold. Pure. Source: desk rules.

use crate::domain::id::{AgentId, ConversationId};
use crate::domain::routing::{RoutingVerdict, UnassignReason};
use crate::domain::time::Timestamp;
use crate::route::row::{ConversationRow, Place, Presence, Standing};
use crate::route::turn::Turn;

impl Turn<'_> {
    /// Changes an agent's presence: an absent one loses the offer at once, and waiting customers after a grace.
    pub(super) fn set_presence(&mut self, id: &AgentId, presence: Presence) {
        self.pool.with_agent(id, self.now, |agent| {
            agent.row.presence = presence;
            match presence {
                Presence::Here => (),
                Presence::Away { .. } => agent.row.extra_slot = false,
                Presence::Out { .. } => {
                    agent.row.extra_slot = false;
                    agent.row.available = false;
                    let Standing { focus, on_settings_page, .. } = &mut agent.row.more.standing;
                    (*focus, *on_settings_page) = (false, false);
                }
            }
            agent.row.stop_idling();
        });
        let Some(agent) = self.pool.agents.get(id) else { return };
        let (offer, held) = (agent.offer.clone(), agent.held.clone());
        match (presence, offer) {
            (Presence::Away { .. } | Presence::Out { .. }, Some(offer)) => {
                self.rescind(&offer, UnassignReason::ReroutedUnassign);
                self.say_queued(&offer);
            }
            (Presence::Here, _) | (Presence::Away { .. } | Presence::Out { .. }, None) => (),
        }
        for conversation in held {
            self.grace_of(&conversation);
        }
    }

    /// Sets or clears the moment at which a held conversation leaves an absent agent.
    pub(super) fn grace_of(&mut self, id: &ConversationId) {
        let Some(conversation) = self.pool.conversations.get(id) else { return };
        let Place::Held { by, requeue_at: before } = conversation.place.clone() else { return };
        let requeue_at = self.end_of_grace(&by, conversation);
        if requeue_at != before {
            self.pool.with_conversation(id, |conversation| {
                conversation.place = Place::Held { by, requeue_at };
            });
        }
    }

    fn end_of_grace(&self, by: &AgentId, conversation: &ConversationRow) -> Option<Timestamp> {
        let agent = self.pool.agents.get(by).filter(|_| conversation.unanswered)?;
        let (left_at, grace_ms) = match agent.row.presence {
            Presence::Here => return None,
            Presence::Away { since } => (since, self.settings.requeue_grace_away_ms),
            Presence::Out { since } => (since, self.settings.requeue_grace_logout_ms),
        };
        Some(left_at.max(conversation.since).plus_ms(grace_ms))
    }

    /// The grace is over: queued again, with its due date and age.
    pub(super) fn requeue(&mut self, id: &ConversationId, from: &AgentId) {
        self.take_from(id, from, UnassignReason::ReroutedUnassign);
        self.say_queued(id);
    }

    /// Loses everything at once, answered or not, and may not come back until somebody says so.
    pub(super) fn deactivate(&mut self, id: &AgentId) {
        let held = self.pool.agents.get(id).map(|agent| agent.held.clone()).unwrap_or_default();
        for conversation in held {
            self.take_from(&conversation, id, UnassignReason::UserDeactivation);
            self.say_queued(&conversation);
        }
        self.set_presence(id, Presence::Out { since: self.now });
        self.pool.with_agent(id, self.now, |agent| agent.row.more.standing.deactivated = true);
    }

    /// From its agent into the queue.
    pub(super) fn take_from(
        &mut self,
        id: &ConversationId,
        from: &AgentId,
        reason: UnassignReason,
    ) {
        self.pool.with_conversation(id, |conversation| {
            conversation.place = Place::Queued;
            conversation.more.seen_at = None;
        });
        let Some(conversation) = self.pool.conversations.get(id).cloned() else { return };
        self.say(id, &conversation, RoutingVerdict::Unassigned { agent_id: from.clone(), reason });
    }
}
