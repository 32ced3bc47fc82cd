//! What conversations ask. Pure. Source: desk rules.
//!
//! A held conversation counts as unanswered while its newest `Update` (or `Enqueue`) has a due date: that is how routing
//! knows which customers wait when their agent is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::id::{AgentId, ContactId, ConversationId, InboxId};
use crate::domain::routing::{AssignReason, RoutingAsk, RoutingRequest, UnassignReason};
use crate::domain::time::Timestamp;
use crate::route::row::{Banner, ConversationMore, ConversationRow, Place, Presence};
use crate::route::turn::{Skip, Turn};

/// The name on the banner of somebody whose name is not known.
const NAME_UNKNOWN: &str = "Instagram user";

impl Turn<'_> {
    /// Answers a request; says why if there was nothing to do.
    pub(super) fn request(&mut self, request: &RoutingRequest) -> Option<Skip> {
        let known = self.pool.conversations.get(&request.conversation_id);
        if known.is_some_and(|known| is_older(&request.contact_id, &known.contact_id)) {
            return Some(Skip::Stale);
        }
        // By far the most frequent: nothing is copied for it.
        if let RoutingAsk::Update { due_at, preview } = &request.ask {
            let Some(was_unanswered) = known.map(|known| known.unanswered) else {
                return Some(Skip::Unknown);
            };
            self.update(request, was_unanswered, *due_at, preview);
            return None;
        }
        match (&request.ask, known.cloned()) {
            (
                RoutingAsk::Enqueue {
                    inbox_id,
                    due_at,
                    waiting_since_at,
                    customer_name,
                    preview,
                    previous_agent_id,
                },
                known,
            ) => {
                let trace = self.trace.map(str::to_owned);
                let asked = ConversationRow {
                    trace,
                    due_at: *due_at,
                    since: *waiting_since_at,
                    unanswered: due_at.is_some(),
                    banner: Banner::new(customer_name, preview),
                    previous_agent_id: previous_agent_id.clone(),
                    ..bare_row(request, inbox_id)
                };
                self.enqueue(&request.conversation_id, known.as_deref(), asked)
            }
            (RoutingAsk::Assign { inbox_id, agent_id, reason }, known) => {
                let mut asked = bare_row(request, inbox_id);
                asked.trace = self.trace.map(str::to_owned);
                asked.answer_by(*reason);
                self.asked_assign(&request.conversation_id, known, asked, (agent_id, *reason))
            }
            (RoutingAsk::Withdraw, Some(known)) => {
                self.withdraw(&request.conversation_id, &known);
                None
            }
            (RoutingAsk::Update { .. }, _) | (RoutingAsk::Withdraw, None) => Some(Skip::Unknown),
        }
    }

    fn enqueue(
        &mut self,
        id: &ConversationId,
        known: Option<&ConversationRow>,
        asked: ConversationRow,
    ) -> Option<Skip> {
        match known {
            Some(known)
                if known.contact_id == asked.contact_id && known.inbox_id != asked.inbox_id =>
            {
                self.transfer(id, known, asked);
                None
            }
            Some(known) if known.contact_id == asked.contact_id => match known.place {
                Place::Held { .. } => Some(Skip::AlreadyAssigned),
                Place::Queued | Place::Outstanding { .. } => {
                    let kept = known.clone();
                    self.pool.with_conversation(id, |conversation| {
                        let ConversationRow { place, rejected, round, more, .. } = kept;
                        *conversation = ConversationRow { place, rejected, round, more, ..asked };
                    });
                    None
                }
            },
            Some(known) => {
                self.let_go(id, known, UnassignReason::ReroutedUnassign);
                self.enter(id, asked);
                None
            }
            None => {
                self.enter(id, asked);
                None
            }
        }
    }

    /// Into the queue, in place of whatever was known of it.
    fn enter(&mut self, id: &ConversationId, asked: ConversationRow) {
        self.pool.take_conversation(id);
        self.pool.put_conversation(id.clone(), Arc::new(asked));
        self.say_queued(id);
    }

    /// Into another inbox's queue, with the age and due date asked for; nobody there has rejected it.
    fn transfer(&mut self, id: &ConversationId, known: &ConversationRow, asked: ConversationRow) {
        self.let_go(id, known, UnassignReason::Manual);
        let priority_score = known.more.priority_score;
        self.pool.with_conversation(id, |conversation| {
            let more = ConversationMore { priority_score, seen_at: None };
            *conversation = ConversationRow { more, ..asked };
        });
        self.say_queued(id);
    }

    /// Off the banner or out of the agent's hands: a newer contact is queued, or it goes to another inbox.
    fn let_go(&mut self, id: &ConversationId, known: &ConversationRow, reason: UnassignReason) {
        match &known.place {
            Place::Queued => (),
            Place::Outstanding { .. } => self.rescind(id, reason),
            Place::Held { by, .. } => {
                self.take_from(id, by, reason);
                self.start_delay(by);
            }
        }
    }

    fn update(
        &mut self,
        request: &RoutingRequest,
        was_unanswered: bool,
        due_at: Option<Timestamp>,
        preview: &str,
    ) {
        let begins_to_wait = !was_unanswered && due_at.is_some();
        let trace = self.trace.map(str::to_owned);
        self.pool.with_conversation(&request.conversation_id, |conversation| {
            conversation.trace = trace;
            conversation.contact_id = request.contact_id.clone();
            conversation.due_at = due_at;
            conversation.unanswered = due_at.is_some();
            conversation.banner.preview = Banner::cut(preview);
            match conversation.place {
                Place::Held { .. } if begins_to_wait => conversation.since = request.requested_at,
                Place::Held { .. } | Place::Queued | Place::Outstanding { .. } => (),
            }
        });
        // A running grace keeps its deadline when settings change.
        if was_unanswered != due_at.is_some() {
            self.grace_of(&request.conversation_id);
        }
    }

    /// No agent is needed: out of the queue, off the banner, out of the agent's hands.
    fn withdraw(&mut self, id: &ConversationId, known: &ConversationRow) {
        match &known.place {
            Place::Queued => (),
            Place::Outstanding { .. } => self.rescind(id, UnassignReason::Manual),
            Place::Held { by, .. } => self.start_delay(by),
        }
        self.pool.take_conversation(id);
    }

    fn asked_assign(
        &mut self,
        id: &ConversationId,
        known: Option<Arc<ConversationRow>>,
        asked: ConversationRow,
        (to, reason): (&AgentId, AssignReason),
    ) -> Option<Skip> {
        let same_contact = known.as_ref().filter(|known| known.contact_id == asked.contact_id);
        if same_contact.is_some_and(|known| stays_with_holder(&known.place, to, reason)) {
            return Some(Skip::AlreadyAssigned);
        }
        if self.is_deactivated(to) || (reason == AssignReason::ContactInbound && !self.is_here(to))
        {
            return self.await_another(id, known.as_deref(), asked);
        }
        match known {
            Some(known) => {
                self.rescind(id, UnassignReason::Manual);
                let is_same = known.contact_id == asked.contact_id;
                let inbox_id = asked.inbox_id.clone();
                let banner = known.banner.clone();
                self.pool.with_conversation(id, |conversation| {
                    let place = conversation.place.clone();
                    let fresh = || ConversationRow { banner, ..asked };
                    let row = if is_same { Arc::unwrap_or_clone(known) } else { fresh() };
                    *conversation = ConversationRow { place, inbox_id, ..row };
                    conversation.answer_by(reason);
                });
            }
            None => self.pool.put_conversation(id.clone(), Arc::new(asked)),
        }
        self.assign(id, to, reason);
        None
    }

    /// The agent meant cannot have it: queued, with the banner it had.
    fn await_another(
        &mut self,
        id: &ConversationId,
        known: Option<&ConversationRow>,
        asked: ConversationRow,
    ) -> Option<Skip> {
        match known {
            Some(known) if known.contact_id == asked.contact_id => Some(match known.place {
                Place::Held { .. } => Skip::AlreadyAssigned,
                Place::Queued | Place::Outstanding { .. } => Skip::AlreadyQueued,
            }),
            Some(known) => {
                let banner = known.banner.clone();
                self.enqueue(id, Some(known), ConversationRow { banner, ..asked })
            }
            None => self.enqueue(id, None, asked),
        }
    }

    fn is_deactivated(&self, id: &AgentId) -> bool {
        self.pool.agents.get(id).is_some_and(|agent| agent.row.more.standing.deactivated)
    }

    fn is_here(&self, id: &AgentId) -> bool {
        self.pool.agents.get(id).is_some_and(|agent| agent.row.presence == Presence::Here)
    }
}

impl ConversationRow {
    /// A reply answers, an inbound item asks; a manual assignment does neither.
    const fn answer_by(&mut self, reason: AssignReason) {
        match reason {
            AssignReason::MessageOutbound => {
                self.unanswered = false;
                self.due_at = None;
            }
            AssignReason::ContactInbound => self.unanswered = true,
            AssignReason::Manual | AssignReason::AutomatedAssignment => (),
        }
    }
}

/// Held by this agent already, or by another who keeps it.
fn stays_with_holder(place: &Place, to: &AgentId, reason: AssignReason) -> bool {
    match (place, reason) {
        (Place::Queued | Place::Outstanding { .. }, _) => false,
        (Place::Held { .. }, AssignReason::MessageOutbound | AssignReason::ContactInbound) => true,
        (Place::Held { by, .. }, AssignReason::Manual | AssignReason::AutomatedAssignment) => {
            by == to
        }
    }
}

/// A queued conversation of which only this is known.
fn bare_row(request: &RoutingRequest, inbox_id: &InboxId) -> ConversationRow {
    ConversationRow {
        thread: request.thread.clone(),
        contact_id: request.contact_id.clone(),
        inbox_id: inbox_id.clone(),
        due_at: None,
        since: request.requested_at,
        unanswered: false,
        banner: Banner::new(NAME_UNKNOWN, ""),
        previous_agent_id: None,
        rejected: BTreeSet::new(),
        round: 1,
        place: Place::Queued,
        trace: None,
        more: ConversationMore::default(),
    }
}

/// Whether `asked` is a contact before `known`: their ids end in the number of the contact in its thread.
fn is_older(asked: &ContactId, known: &ContactId) -> bool {
    let number = |id: &ContactId| id.as_str().rsplit('-').next()?.parse::<u64>().ok();
    match (number(asked), number(known)) {
        (Some(asked), Some(known)) => asked < known,
        (None, _) | (_, None) => false,
    }
}
