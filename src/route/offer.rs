//! From the queue to an agent: offers, and how they end. Pure. Source: desk rules.

use crate::domain::id::{AgentId, ConversationId};
use crate::domain::routing::{AssignReason, RejectReason, RoutingVerdict, UnassignReason};
use crate::domain::settings::AfterReject;
use crate::domain::time::Timestamp;
use crate::route::choose::{Choice, choose};
use crate::route::row::Place;
use crate::route::turn::Turn;

impl Turn<'_> {
    /// Tries the queues until nobody waits where somebody has room.
    ///
    /// Whoever is ready in an inbox can take whoever is first there, if need be in another round: nobody is
    /// stepped over within an inbox.
    pub(super) fn drain_queue(&mut self) {
        while let Some(first) = self.pool.queue.next(&self.pool.ready) {
            let id = first.id.clone();
            let Some(conversation) = self.pool.conversations.get(&id) else { return };
            let Some(Choice { agent, begins_round }) = choose(self.pool, conversation) else {
                return;
            };
            if begins_round {
                self.pool.with_conversation(&id, |conversation| {
                    conversation.rejected.clear();
                    conversation.round = conversation.round.saturating_add(1);
                });
            }
            // Used up by whatever comes next, whatever the answer.
            self.pool.with_agent(&agent, self.now, |agent| agent.row.extra_slot = false);
            if self.settings.inbound_assignment {
                self.offer(&id, &agent);
            } else {
                self.assign(&id, &agent, AssignReason::AutomatedAssignment);
                self.start_delay(&agent);
            }
        }
    }

    /// Says that it waits: at every entry into the queue, also when an offer follows at once.
    pub(super) fn say_queued(&mut self, id: &ConversationId) {
        let Some(conversation) = self.pool.conversations.get(id).cloned() else { return };
        let inbox_id = conversation.inbox_id.clone();
        self.say(id, &conversation, RoutingVerdict::Queued { inbox_id });
    }

    fn offer(&mut self, id: &ConversationId, to: &AgentId) {
        let number = self.pool.number_decision();
        let expires_at = self.now.plus_ms(self.settings.offer_timeout_ms);
        self.pool.with_conversation(id, |conversation| {
            conversation.place = Place::Outstanding { to: to.clone(), number, expires_at };
        });
        self.give_to(to);
        let Some(conversation) = self.pool.conversations.get(id).cloned() else { return };
        let (offer_id, round) = (self.pool.offer_id(number), conversation.round);
        let agent_id = to.clone();
        let verdict = RoutingVerdict::Offered { offer_id, agent_id, expires_at, round };
        self.say_as(number, id, &conversation, verdict);
    }

    /// Gives a conversation to an agent, whatever the capacity.
    pub(super) fn assign(&mut self, id: &ConversationId, to: &AgentId, reason: AssignReason) {
        self.hold(id, to);
        self.give_to(to);
        self.grace_of(id);
        let Some(conversation) = self.pool.conversations.get(id).cloned() else { return };
        self.say(id, &conversation, RoutingVerdict::Assigned { agent_id: to.clone(), reason });
    }

    /// The agent took the offer.
    pub(super) fn accepted(&mut self, id: &ConversationId, by: &AgentId, number: u64) {
        self.hold(id, by);
        // Taking it opens the customer's profile.
        let now = self.now;
        self.pool.with_conversation(id, |conversation| conversation.more.seen_at = Some(now));
        self.start_delay(by);
        let Some(conversation) = self.pool.conversations.get(id).cloned() else { return };
        let (offer_id, agent_id) = (self.pool.offer_id(number), by.clone());
        self.say(id, &conversation, RoutingVerdict::Accepted { offer_id, agent_id });
    }

    /// The agent did not take the offer: back to the queue, and the agent pauses.
    pub(super) fn rejected(&mut self, id: &ConversationId, reason: RejectReason) {
        let Some((agent_id, number)) = self.take_back(id) else { return };
        self.pool.with_conversation(id, |conversation| {
            conversation.rejected.insert(agent_id.clone());
        });
        match self.settings.after_reject {
            AfterReject::PauseUntilNext => {
                self.pool
                    .with_agent(&agent_id, self.now, |agent| agent.row.paused_until_next = true);
            }
            AfterReject::DelayOnly => self.start_delay(&agent_id),
        }
        let Some(conversation) = self.pool.conversations.get(id).cloned() else { return };
        let offer_id = self.pool.offer_id(number);
        self.say(id, &conversation, RoutingVerdict::Rejected { offer_id, agent_id, reason });
        self.say_queued(id);
    }

    /// Takes the offer back, if there is one: no miss, no pause. The conversation is queued.
    pub(super) fn rescind(&mut self, id: &ConversationId, reason: UnassignReason) {
        let Some((agent_id, number)) = self.take_back(id) else { return };
        let Some(conversation) = self.pool.conversations.get(id).cloned() else { return };
        let offer_id = self.pool.offer_id(number);
        self.say(id, &conversation, RoutingVerdict::Rescinded { offer_id, agent_id, reason });
    }

    /// From the banner back to the queue; says whose offer it was and its number.
    fn take_back(&mut self, id: &ConversationId) -> Option<(AgentId, u64)> {
        let Place::Outstanding { to, number, .. } = &self.pool.conversations.get(id)?.place else {
            return None;
        };
        let offer = (to.clone(), *number);
        self.pool.with_conversation(id, |conversation| conversation.place = Place::Queued);
        Some(offer)
    }

    fn hold(&mut self, id: &ConversationId, by: &AgentId) {
        self.pool.with_conversation(id, |conversation| {
            conversation.place = Place::Held { by: by.clone(), requeue_at: None };
            conversation.rejected.clear();
            conversation.round = 1;
            conversation.more.seen_at = None;
        });
    }

    /// Goes behind others as lightly loaded.
    fn give_to(&mut self, id: &AgentId) {
        let now = self.now;
        self.pool.with_agent(id, now, |agent| agent.row.given_at = Some(now));
    }

    /// No automatic offer for a while.
    pub(super) fn start_delay(&mut self, id: &AgentId) {
        let delay_ms = self.settings.routing_delay_ms;
        let until: Option<Timestamp> = (delay_ms > 0).then(|| self.now.plus_ms(delay_ms));
        self.pool.with_agent(id, self.now, |agent| agent.row.delay_until = until);
    }
}
