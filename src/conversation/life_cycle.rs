//! Conversations and contacts begin, wait, end, and routing hears of it. Pure.
//!
//! | item, by  | no conversation | closed, in reopen window | closed, later | waiting     | contact open |
//! |-----------|-----------------|--------------------------|---------------|-------------|--------------|
//! | customer  | create, start   | reopen, start            | create, start | start       | join         |
//! | echo      | create, start   | reopen, start            | create, start | start       | join         |
//! | agent     | refused         | refused                  | refused       | start       | join         |

use crate::conversation::state::{Care, Contact, Conversation, Phase, bound};
use crate::conversation::turn::{Turn, display_name};
use crate::domain::event::Direction;
use crate::domain::fact::{EndReason, EndStatus, FactBody, Initiator};
use crate::domain::id::AgentId;
use crate::domain::routing::{AssignReason, RoutingAsk, UnassignReason};
use crate::domain::settings::AutoEndBase;
use crate::domain::time::{DAY_MS, Timestamp};

/// Who a contact is for, when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Began {
    /// It was open before.
    Joined,
    /// With this item.
    Now,
}

impl Turn<'_> {
    /// Makes the customer known.
    pub(super) fn know_customer(&mut self, initiator: &Initiator, at: Timestamp) {
        if !self.state.customer_known {
            self.state.customer_known = true;
            let display_name = display_name(&self.state);
            self.tell(initiator.clone(), at, FactBody::CustomerCreated { display_name });
        }
    }

    /// An item of the person or an echo needs an open contact.
    pub(super) fn join_or_start(
        &mut self,
        direction: Direction,
        initiator: &Initiator,
        at: Timestamp,
    ) -> Began {
        let due_at = match direction {
            // Whoever joins a contact starts none.
            Direction::Inbound if self.contact().is_none() => self.would_be_due(at),
            Direction::Inbound | Direction::Outbound => None,
        };
        self.join_or_start_due(direction, due_at, initiator, at)
    }

    /// The same for an answer due by another reckoning than the item's.
    pub(super) fn join_or_start_due(
        &mut self,
        direction: Direction,
        due_at: Option<Timestamp>,
        initiator: &Initiator,
        at: Timestamp,
    ) -> Began {
        self.know_customer(initiator, at);
        match self.state.conversation.as_ref().map(|conversation| &conversation.phase) {
            Some(Phase::Live(_)) => return Began::Joined,
            Some(Phase::Waiting) => (),
            Some(Phase::Closed { at: closed_at })
                if at <= closed_at.plus_ms(self.company(at).reopen_window_ms) =>
            {
                self.tell(initiator.clone(), at, FactBody::ConversationReopened);
            }
            Some(Phase::Closed { .. }) | None => self.create(initiator, at),
        }
        self.start_contact(direction, due_at, initiator, at);
        Began::Now
    }

    fn create(&mut self, initiator: &Initiator, at: Timestamp) {
        let account = self.account(at);
        self.state.more.transferred = false;
        self.state.conversations = self.state.conversations.saturating_add(1);
        self.state.conversation = Some(Conversation {
            number: self.state.conversations,
            company_id: account.company_id.clone(),
            inbox_id: account.inbox_id.clone(),
            agent: None,
            last_agent: None,
            previous_item_at: None,
            phase: Phase::Waiting,
            topics: Vec::new(),
            items: 0,
            last_item_at: at,
        });
        self.tell(initiator.clone(), at, FactBody::ConversationCreated);
    }

    /// Starts a contact in a conversation without an open one.
    pub(super) fn start_contact(
        &mut self,
        direction: Direction,
        due_at: Option<Timestamp>,
        initiator: &Initiator,
        at: Timestamp,
    ) {
        let number = self.state.contacts.saturating_add(1);
        let assigned_at = self.agent().map(|_| at);
        let Some(conversation) = &mut self.state.conversation else { return };
        self.state.contacts = number;
        self.state.more.outs.clear();
        conversation.phase = Phase::Live(Box::new(Contact {
            number,
            started_at: at,
            direction,
            care: Care::Unasked,
            told: None,
            due: None,
            suspended: None,
            newest: (at, false),
            agent_replied: false,
            last_out_at: None,
            assigned_at,
            auto_end_at: None,
        }));
        self.tell(initiator.clone(), at, FactBody::ContactStarted { due_at, direction });
    }

    /// Counts an item into its conversation and contact.
    pub(super) fn count_item(&mut self, at: Timestamp, echo: bool) {
        let Some(conversation) = &mut self.state.conversation else { return };
        conversation.items = conversation.items.saturating_add(1);
        conversation.last_item_at = conversation.last_item_at.max(at);
        if let Some(contact) = conversation.contact_mut()
            && at >= contact.newest.0
        {
            contact.newest = (at, echo);
        }
    }

    /// Finds an agent for a contact the person began or joined.
    pub(super) fn route_inbound(&mut self, began: Began, at: Timestamp) {
        let limit_ms = self.company(at).same_agent_limit_ms;
        let Some(conversation) = &self.state.conversation else { return };
        let unasked = conversation.contact().is_some_and(|contact| contact.care == Care::Unasked);
        let candidate = conversation.agent.as_ref().or(conversation.last_agent.as_ref());
        let soon = conversation.previous_item_at.is_some_and(|p| at <= p.plus_ms(limit_ms));
        match (began, candidate.filter(|_| soon).cloned()) {
            (Began::Now, Some(agent_id)) => self.assign(agent_id, AssignReason::ContactInbound),
            (Began::Now, None) => self.enqueue(at),
            (Began::Joined, _) if unasked => self.enqueue(at),
            (Began::Joined, _) => (),
        }
    }

    /// Asks routing for an agent; who still had the conversation no longer has it.
    pub(super) fn enqueue(&mut self, at: Timestamp) {
        self.unassign(at);
        let (preview, customer_name) = (self.shown_preview().to_owned(), display_name(&self.state));
        let Some(conversation) = &mut self.state.conversation else { return };
        let (inbox_id, previous) = (conversation.inbox_id.clone(), conversation.last_agent.clone());
        let Some(contact) = conversation.contact_mut() else { return };
        let due_at = contact.due.map(|due| due.due_at);
        contact.care = Care::Asked;
        contact.told = Some((due_at, preview.clone()));
        let waiting_since_at = contact.started_at;
        self.ask(RoutingAsk::Enqueue {
            inbox_id,
            due_at,
            waiting_since_at,
            customer_name,
            preview,
            previous_agent_id: previous,
        });
    }

    /// Asks routing to give the contact to one agent.
    pub(super) fn assign(&mut self, agent_id: AgentId, reason: AssignReason) {
        let Some(conversation) = &mut self.state.conversation else { return };
        let inbox_id = conversation.inbox_id.clone();
        let Some(contact) = conversation.contact_mut() else { return };
        contact.care = match &contact.care {
            Care::Offered { offer_id } => Care::Offered { offer_id: offer_id.clone() },
            Care::Queued => Care::Queued,
            Care::Unasked | Care::Asked | Care::Held => Care::Asked,
        };
        self.ask(RoutingAsk::Assign { inbox_id, agent_id, reason });
    }

    /// Takes the conversation from its agent.
    pub(super) fn unassign(&mut self, at: Timestamp) {
        self.unassign_for(UnassignReason::ReroutedUnassign, at);
    }

    /// Takes the conversation from its agent, and says why.
    pub(super) fn unassign_for(&mut self, reason: UnassignReason, at: Timestamp) {
        let Some(agent_id) = self.agent() else { return };
        let body = FactBody::ContactUnassigned { agent_id: agent_id.clone(), reason };
        self.tell(Initiator::System, at, body);
        if let Some(conversation) = &mut self.state.conversation {
            conversation.agent = None;
            conversation.last_agent = Some(agent_id);
            if let Some(contact) = conversation.contact_mut() {
                contact.assigned_at = None;
            }
        }
    }

    /// Ends the open contact, if there is one; the conversation waits, its agent's slot is free.
    pub(super) fn end_contact(&mut self, reason: EndReason, initiator: &Initiator, at: Timestamp) {
        let Some(contact) = self.contact() else { return };
        let (number, newest_at) = (contact.number, contact.newest.0);
        let started_at = contact.started_at;
        let (answered, asked) = (contact.last_out_at.is_some(), contact.care != Care::Unasked);
        let on_its_way =
            |send: &super::state::PendingSend| send.contact == number && send.answers_for_now();
        let answered = answered || self.state.sends.iter().any(on_its_way);
        self.stop_clock(initiator, at);
        let status = if answered { EndStatus::Answered } else { EndStatus::Unanswered };
        let business_ms = self.business_ms(started_at, at);
        self.tell(initiator.clone(), at, FactBody::ContactEnded { reason, status, business_ms });
        if asked {
            self.ask(RoutingAsk::Withdraw);
        }
        if let Some(conversation) = &mut self.state.conversation {
            conversation.previous_item_at = Some(newest_at);
            conversation.last_agent = conversation.agent.clone().or(conversation.last_agent.take());
            conversation.phase = Phase::Waiting;
        }
    }

    /// Remembers a human outbound of the contact; what comes before the person's newest item no longer counts.
    pub(super) fn note_out(&mut self, at: Timestamp) {
        let (inbound, outs) = (self.state.last_inbound_at, &mut self.state.more.outs);
        outs.retain(|out| inbound.is_none_or(|inbound| *out >= inbound));
        let place = outs.partition_point(|out| *out <= at);
        outs.insert(place, at);
        outs.truncate(bound::OUTS);
    }

    /// The first human outbound since the person last wrote; the newest where more were than are remembered.
    fn first_out(&self, last_out_at: Timestamp) -> Timestamp {
        let (inbound, outs) = (self.state.last_inbound_at, &self.state.more.outs);
        let mut since = outs.iter().filter(|out| inbound.is_none_or(|inbound| **out >= inbound));
        since.next().copied().unwrap_or(last_out_at)
    }

    /// When the contact ends by itself, by the settings now in force.
    fn auto_end_due(&self) -> Option<Timestamp> {
        let span_ms = self.company(self.at).same_agent_limit_ms.min(DAY_MS);
        let assigned = self.agent().is_some();
        let contact = self.contact().filter(|_| assigned)?;
        let last_out_at = contact.last_out_at?;
        let out_at = match self.company(self.at).auto_end_base {
            AutoEndBase::LastOutbound => last_out_at,
            AutoEndBase::FirstOutboundSinceInbound => self.first_out(last_out_at),
        };
        let answered = self.state.last_inbound_at.is_none_or(|inbound| last_out_at >= inbound);
        let nothing_open = contact.due.is_none() && contact.suspended.is_none();
        let armed_at = out_at.max(contact.assigned_at.unwrap_or(out_at));
        (answered && nothing_open).then(|| armed_at.plus_ms(span_ms))
    }

    /// Arms, moves or takes away the auto-end.
    pub(super) fn refresh_auto_end(&mut self) {
        let due = self.auto_end_due();
        if let Some(contact) = self.contact_mut() {
            contact.auto_end_at = due;
        }
    }

    /// The customer stopped answering (R-37 a).
    pub(super) fn auto_end(&mut self, at: Timestamp) {
        match self.auto_end_due() {
            Some(due) if due <= at => {
                self.end_contact(EndReason::CustomerNoReply, &Initiator::System, at);
            }
            moved => {
                if let Some(contact) = self.contact_mut() {
                    contact.auto_end_at = moved;
                }
            }
        }
    }

    /// The preview for the banner.
    pub(super) fn shown_preview(&self) -> &str {
        let shown = self.company(self.at).notification_preview;
        if shown { &self.state.preview.text } else { "" }
    }

    /// Routing hears of a new due date, by which it orders the queue and knows which customers wait when their agent is lost
    /// and of a new preview while a banner shows it.
    ///
    /// Whoever is not offered yet may write a hundred messages: routing hears of the last one when it has made the offer.
    pub(super) fn tell_routing(&mut self) {
        let Some(contact) = self.contact() else { return };
        let due_at = contact.due.map(|due| due.due_at);
        let (known_due_at, known_preview) = match &contact.told {
            Some((due_at, preview)) => (Some(*due_at), Some(preview.as_str())),
            None => (None, None),
        };
        let reordered = known_due_at != Some(due_at);
        let concerned = match contact.care {
            Care::Offered { .. } => reordered || known_preview != Some(self.shown_preview()),
            Care::Queued | Care::Held => reordered,
            Care::Asked => contact.told.is_some() && reordered,
            Care::Unasked => false,
        };
        if concerned {
            let preview = self.shown_preview().to_owned();
            if let Some(contact) = self.contact_mut() {
                contact.told = Some((due_at, preview.clone()));
            }
            self.ask(RoutingAsk::Update { due_at, preview });
        }
    }
}
