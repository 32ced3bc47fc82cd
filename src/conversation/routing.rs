//! What routing decided about the open contact. Pure.
//!
//! A decision about an older contact is stale: the withdrawal that ended it is on its way to routing. Only that its
//! offer was withdrawn is still told.

use crate::conversation::state::Care;
use crate::conversation::turn::Turn;
use crate::domain::fact::{FactBody, Initiator};
use crate::domain::id::AgentId;
use crate::domain::routing::{RoutingDecision, RoutingVerdict, UnassignReason};
use crate::engine::stage::Exit;

/// Shown when an echo is the newest item at the assignment.
pub(super) const ROUTED_BY_ECHO: &str = "Routed to you because of an outgoing Instagram message.";

impl Turn<'_> {
    /// Takes in a decision.
    pub(super) fn routing(&mut self, decision: &RoutingDecision) -> Exit {
        if let Some((company_id, number)) = &self.state.decided
            && *company_id == decision.company_id
            && decision.number <= *number
        {
            return Exit::Skipped("duplicate");
        }
        self.state.decided = Some((decision.company_id.clone(), decision.number));
        if !self.concerns_open_contact(decision) {
            return self.late_rescission(decision);
        }
        self.take_verdict(&decision.verdict);
        Exit::Emitted
    }

    /// An offer withdrawn because its contact ended belongs to the newest contact, ended or not.
    fn late_rescission(&mut self, decision: &RoutingDecision) -> Exit {
        let ended = self.contact().is_none() && self.state.contacts > 0;
        let conversation_id = self.ids.conversation(self.state.conversations);
        let contact_id = self.ids.contact(self.state.contacts);
        let newest =
            conversation_id == decision.conversation_id && contact_id == decision.contact_id;
        match &decision.verdict {
            RoutingVerdict::Rescinded { offer_id, agent_id, reason } if ended && newest => {
                let (offer_id, agent_id) = (offer_id.clone(), agent_id.clone());
                // Routing hears only that nobody is needed any more.
                let is_merged = self.state.ties.home.is_some();
                let merge = UnassignReason::CustomerConversationMerge;
                let reason = Some(if is_merged { merge } else { *reason });
                let body = FactBody::ContactRescinded { offer_id, agent_id, reason };
                self.tell_of(Some(self.state.contacts), Initiator::System, self.at, body);
                Exit::Emitted
            }
            RoutingVerdict::Rescinded { .. }
            | RoutingVerdict::Queued { .. }
            | RoutingVerdict::Offered { .. }
            | RoutingVerdict::Accepted { .. }
            | RoutingVerdict::Rejected { .. }
            | RoutingVerdict::Assigned { .. }
            | RoutingVerdict::Unassigned { .. } => Exit::Skipped("stale"),
        }
    }

    fn concerns_open_contact(&mut self, decision: &RoutingDecision) -> bool {
        let Some(conversation) = &self.state.conversation else { return false };
        let Some(contact) = conversation.contact() else { return false };
        let conversation_id = self.ids.conversation(conversation.number);
        let contact_id = self.ids.contact(contact.number);
        conversation_id == decision.conversation_id && contact_id == decision.contact_id
    }

    fn take_verdict(&mut self, verdict: &RoutingVerdict) {
        let system = Initiator::System;
        let at = self.at;
        match verdict {
            RoutingVerdict::Queued { inbox_id: _ } => {
                // Away when the customer came back, for one: whose it was, it no longer is.
                self.unassign(at);
                self.tell(system, at, FactBody::ContactQueued);
                self.care(Care::Queued);
            }
            RoutingVerdict::Offered { offer_id, agent_id, expires_at, round } => {
                self.unassign(at);
                let (offer_id, agent_id) = (offer_id.clone(), agent_id.clone());
                let care = Care::Offered { offer_id: offer_id.clone() };
                let (expires_at, round) = (*expires_at, *round);
                let body = FactBody::ContactOffered { offer_id, agent_id, expires_at, round };
                self.tell(system, at, body);
                self.care(care);
            }
            RoutingVerdict::Accepted { offer_id, agent_id } => {
                let text = self.assignment_text();
                let (offer_id, agent) = (offer_id.clone(), agent_id.clone());
                let by = Initiator::Agent(agent.clone());
                self.tell(by, at, FactBody::ContactAccepted { offer_id, agent_id: agent, text });
                self.hand_to(agent_id);
            }
            RoutingVerdict::Assigned { agent_id, reason } => {
                let text = self.assignment_text();
                let (agent, reason) = (agent_id.clone(), *reason);
                self.tell(system, at, FactBody::ContactAssigned { agent_id: agent, reason, text });
                self.hand_to(agent_id);
            }
            RoutingVerdict::Rejected { offer_id, agent_id, reason } => {
                let (offer_id, agent_id) = (offer_id.clone(), agent_id.clone());
                let body = FactBody::ContactRejected { offer_id, agent_id, reason: *reason };
                self.tell(system, at, body);
                self.care(Care::Asked);
            }
            RoutingVerdict::Rescinded { offer_id, agent_id, reason } => {
                let (offer_id, agent_id) = (offer_id.clone(), agent_id.clone());
                let reason = Some(*reason);
                self.tell(system, at, FactBody::ContactRescinded { offer_id, agent_id, reason });
                self.care(Care::Asked);
            }
            RoutingVerdict::Unassigned { agent_id: _, reason } => {
                self.unassign_for(*reason, at);
                self.care(Care::Asked);
            }
        }
    }

    fn care(&mut self, care: Care) {
        if let Some(contact) = self.contact_mut() {
            contact.care = care;
        }
    }

    fn hand_to(&mut self, agent_id: &AgentId) {
        let at = self.at;
        let Some(conversation) = &mut self.state.conversation else { return };
        conversation.last_agent = conversation.agent.replace(agent_id.clone());
        if let Some(contact) = conversation.contact_mut() {
            contact.care = Care::Held;
            contact.assigned_at = Some(at);
        }
    }

    /// the newest item is an echo, and no agent has replied in the contact.
    fn assignment_text(&self) -> Option<String> {
        let contact = self.contact()?;
        (contact.newest.1 && !contact.agent_replied).then(|| ROUTED_BY_ECHO.to_owned())
    }
}
