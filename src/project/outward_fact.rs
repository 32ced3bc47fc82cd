//! Facts in the words other desks use: `{id, type, timestamp, initiator, content}`. Pure.
//!
//! A mapping and nothing more: what an event says stands in its one fact. A fact others have no word for keeps its own
//! name, and its own form under `extension`. Items themselves: `outward`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::broker::record::rfc3339;
use crate::domain::fact::{
    Channel, EndReason, EndStatus, Fact, FactBody, Fulfilment, Initiator, Item, TransferKind,
    TransferReason,
};
use crate::domain::id::{
    AccountId, AgentId, ContactId, ConversationId, CustomerId, InboxId, ItemId,
};
use crate::domain::routing::{AssignReason, RejectReason, UnassignReason};
use crate::project::outward::OutwardInitiator;

/// One event, outwardly. Source: desk rule R-155.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutwardEvent {
    /// Stable, for dedupe: the fact's id; of its second event with `.1` behind it.
    pub id: String,
    /// `CONTACT/STARTED`, …; of an extension the fact's own name, `message.edited`, ….
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When it happened, as RFC 3339.
    pub timestamp: String,
    /// Who brought it about.
    pub initiator: OutwardInitiator,
    /// About what, and what of it.
    pub content: EventContent,
}

/// About what an event is, and what it says; what does not belong to its type is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventContent {
    /// Always Instagram Direct.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Whose profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// In which conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// In which contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<ContactId>,
    /// Which item; `GET /v1/conversations/{id}/items` has it under this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<ItemId>,
    /// To whom it was offered, who took it or did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// What made it theirs beside their turn; nothing does here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_reasons: Option<Vec<String>>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<EventReason>,
    /// Whether a human answered in the contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<EndStatus>,
    /// How the contact was fulfilled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fulfilled_type: Option<Fulfilment>,
    /// When it was, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fulfilled_at: Option<String>,
    /// Answer due, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// The account written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<AccountId>,
    /// To a queue or straight to an agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_type: Option<TransferKind>,
    /// Whose it is after the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Assignee>,
    /// The topic's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<String>,
    /// Which note; what it says stands in the fact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note_id: Option<String>,
    /// Whose profile goes on in another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_customer_id: Option<CustomerId>,
    /// Their newest conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_conversation_id: Option<ConversationId>,
    /// The profile that remains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_customer_id: Option<CustomerId>,
    /// The conversation that remains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_conversation_id: Option<ConversationId>,
    /// What others have no word for, as `dm.timeline` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<FactBody>,
    /// How it stood just before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<EventContext>,
}

/// How it stood just before an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EventContext {
    /// Whose it was; of `CONTACT/STARTED`: whose it is.
    pub assignee: Assignee,
}

/// In which inbox, and whose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assignee {
    /// The inbox.
    pub inbox_id: InboxId,
    /// The agent; an offer on their banner makes it theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
}

/// Why: one list of words for each type of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum EventReason {
    /// Of `CONTACT/OFFER_REJECTED`.
    Rejected(RejectReason),
    /// Of `CONTACT/ENDED`.
    Ended(EndReason),
    /// Of `CONTACT/TRANSFERRED`.
    Transferred(TransferReason),
    /// Of `CONVERSATION_ASSIGNEE/UPDATED`, by an offer.
    Offer(OfferReason),
    /// The same, to an agent without an offer.
    Assigned(AssignReason),
    /// The same, from an agent or their banner.
    Unassigned(UnassignReason),
}

/// Why an offer changes the assignee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub enum OfferReason {
    /// It is on a banner.
    #[serde(rename = "CONTACT_OFFERED")]
    Offered,
    /// Its agent declined.
    #[serde(rename = "CONTACT_DECLINED")]
    Declined,
    /// Its agent was silent.
    #[serde(rename = "CONTACT_MISSED")]
    Missed,
}

/// An event's type and content.
type Said = (&'static str, EventContent);

/// A fact's events, outwardly, in order.
#[must_use]
pub fn outward_events(fact: &Fact) -> Vec<OutwardEvent> {
    let event = |(place, (kind, content)): (usize, Said)| OutwardEvent {
        id: if place == 0 { fact.fact_id.to_string() } else { format!("{}.{place}", fact.fact_id) },
        kind,
        timestamp: rfc3339(fact.occurred_at),
        initiator: initiator(fact),
        content,
    };
    said(fact).into_iter().enumerate().map(event).collect()
}

#[expect(clippy::too_many_lines, reason = "one table")]
fn said(fact: &Fact) -> Vec<Said> {
    let all = || about(fact);
    match &fact.body {
        FactBody::ConversationCreated => vec![("CONVERSATION/CREATED", all())],
        FactBody::ConversationReopened => vec![("CONVERSATION/REOPENED", all())],
        FactBody::ConversationClosed => vec![("CONVERSATION/CLOSED", all()), status(fact)],
        FactBody::ContactStarted { due_at, direction: _ } => {
            let (due_at, entry_point) = (due_at.map(rfc3339), fact.thread.account_id.clone());
            let entry_point = Some(entry_point);
            vec![
                ("CONTACT/STARTED", EventContent { due_at, entry_point, ..all() }),
                // A contact starts only where none is open: with it the conversation is `OPEN`, new, waiting or closed before.
                status(fact),
            ]
        }
        FactBody::MessageReceived(item) => vec![message(fact, "CONTACT/MESSAGE_RECEIVED", item)],
        FactBody::MessageSent(item) => vec![message(fact, "CONTACT/MESSAGE_SENT", item)],
        FactBody::ContactOffered { agent_id, .. } => {
            let match_reasons = Some(Vec::new());
            vec![
                ("CONTACT/OFFERED", EventContent { match_reasons, ..of_agent(fact, agent_id) }),
                assignee(fact, Some(EventReason::Offer(OfferReason::Offered)), Some(agent_id)),
            ]
        }
        FactBody::ContactAccepted { agent_id, .. } => vec![
            ("CONTACT/OFFER_ACCEPTED", of_agent(fact, agent_id)),
            ("CONTACT/JOINED", of_agent(fact, agent_id)),
        ],
        FactBody::ContactRejected { agent_id, reason, .. } => {
            let why = match reason {
                RejectReason::Declined => OfferReason::Declined,
                RejectReason::Missed => OfferReason::Missed,
            };
            let reason = Some(EventReason::Rejected(*reason));
            vec![
                ("CONTACT/OFFER_REJECTED", EventContent { reason, ..of_agent(fact, agent_id) }),
                assignee(fact, Some(EventReason::Offer(why)), None),
            ]
        }
        FactBody::ContactRescinded { reason, .. } => {
            vec![assignee(fact, reason.map(EventReason::Unassigned), None)]
        }
        FactBody::ContactAssigned { agent_id, reason, .. } => {
            vec![assignee(fact, Some(EventReason::Assigned(*reason)), Some(agent_id))]
        }
        FactBody::ContactUnassigned { reason, .. } => {
            vec![assignee(fact, Some(EventReason::Unassigned(*reason)), None)]
        }
        FactBody::ContactTransferred { transfer, reason, to_inbox_id, to_agent_id, .. } => {
            let (inbox_id, agent_id) = (to_inbox_id.clone(), to_agent_id.clone());
            let assignee = Some(Assignee { inbox_id, agent_id });
            let reason = Some(EventReason::Transferred(*reason));
            let transfer_type = Some(*transfer);
            let content = EventContent { assignee, reason, transfer_type, ..all() };
            vec![("CONTACT/TRANSFERRED", content)]
        }
        FactBody::ContactFulfilled { how, fulfilled_at, due_at, .. } => {
            let (fulfilled_type, due_at) = (Some(*how), due_at.map(rfc3339));
            let fulfilled_at = Some(rfc3339(*fulfilled_at));
            let content = EventContent { fulfilled_type, fulfilled_at, due_at, ..all() };
            vec![("CONTACT/FULFILLED", content)]
        }
        FactBody::ContactEnded { reason, status: ended, .. } => {
            let (reason, ended) = (Some(EventReason::Ended(*reason)), Some(*ended));
            let content = EventContent { reason, status: ended, ..all() };
            vec![("CONTACT/ENDED", content), status(fact)]
        }
        FactBody::TopicAdded { topic } => vec![("CONVERSATION/TOPIC_ADDED", of_topic(fact, topic))],
        FactBody::TopicRemoved { topic } => {
            vec![("CONVERSATION/TOPIC_REMOVED", of_topic(fact, topic))]
        }
        FactBody::NoteCreated { .. } => {
            let note_id = Some(fact.fact_id.to_string());
            vec![("CONVERSATION/NOTE_CREATED", EventContent { note_id, ..all() })]
        }
        FactBody::CustomerCreated { .. } => vec![("CUSTOMER_PROFILE/CREATED", profile(fact))],
        FactBody::CustomerUpdated { .. } => vec![("CUSTOMER_PROFILE/UPDATED", profile(fact))],
        FactBody::CustomerDeleted { .. } => vec![("CUSTOMER_PROFILE/DELETED", profile(fact))],
        FactBody::CustomerMerged { source_customer_id, source_conversation_id, .. } => {
            let content = EventContent {
                source_customer_id: Some(source_customer_id.clone()),
                source_conversation_id: source_conversation_id.clone(),
                destination_customer_id: Some(fact.customer_id.clone()),
                destination_conversation_id: fact.conversation_id.clone(),
                ..EventContent::default()
            };
            vec![("CUSTOMER/MERGED", content)]
        }
        FactBody::CustomerUnmerged { .. }
        | FactBody::ContactQueued
        | FactBody::MessageQueued(_)
        | FactBody::MessageFailed { .. }
        | FactBody::MessageUnknown { .. }
        | FactBody::MessageRecognised { .. }
        | FactBody::MessageRefused { .. }
        | FactBody::MessageDeleted { .. }
        | FactBody::MessageEdited { .. }
        | FactBody::MessageRead { .. }
        | FactBody::ReactionAdded { .. }
        | FactBody::ReactionRemoved { .. }
        | FactBody::MessageLiked { .. }
        | FactBody::MessageUnliked { .. }
        | FactBody::StoryExpired { .. }
        | FactBody::StoryUnavailable { .. }
        | FactBody::SlaStarted { .. }
        | FactBody::SlaDueSoon { .. }
        | FactBody::SlaCleared { .. }
        | FactBody::SlaReinstated { .. }
        | FactBody::SlaBreached { .. }
        | FactBody::ReplyWindowExpiring { .. }
        | FactBody::ReplyWindowExpired { .. } => {
            let extension = Some(fact.body.clone());
            vec![(fact.body.name(), EventContent { extension, ..all() })]
        }
    }
}

/// Everything a fact says of where it belongs.
fn about(fact: &Fact) -> EventContent {
    let inbox_id = fact.inbox_id.clone();
    let assignee = inbox_id.map(|inbox_id| Assignee { inbox_id, agent_id: before(fact).cloned() });
    EventContent {
        channel: Some(fact.channel),
        customer_id: Some(fact.customer_id.clone()),
        conversation_id: fact.conversation_id.clone(),
        contact_id: fact.contact_id.clone(),
        context: assignee.map(|assignee| EventContext { assignee }),
        ..EventContent::default()
    }
}

/// Whose it was just before; the offer had made it its agent's.
const fn before(fact: &Fact) -> Option<&AgentId> {
    if let FactBody::ContactAccepted { agent_id, .. }
    | FactBody::ContactRejected { agent_id, .. }
    | FactBody::ContactRescinded { agent_id, .. } = &fact.body
    {
        return Some(agent_id);
    }
    fact.assignee_id.as_ref()
}

/// The conversation has another status: ids only, it is to be looked at.
fn status(fact: &Fact) -> Said {
    let (customer_id, conversation_id) =
        (Some(fact.customer_id.clone()), fact.conversation_id.clone());
    let content = EventContent { customer_id, conversation_id, ..EventContent::default() };
    ("CONVERSATION_STATUS/UPDATED", content)
}

fn assignee(fact: &Fact, reason: Option<EventReason>, agent_id: Option<&AgentId>) -> Said {
    let inbox_id = fact.inbox_id.clone();
    let assignee = inbox_id.map(|inbox_id| Assignee { inbox_id, agent_id: agent_id.cloned() });
    ("CONVERSATION_ASSIGNEE/UPDATED", EventContent { reason, assignee, ..about(fact) })
}

fn message(fact: &Fact, kind: &'static str, item: &Item) -> Said {
    (kind, EventContent { message_id: Some(item.item_id.clone()), ..about(fact) })
}

fn of_agent(fact: &Fact, agent_id: &AgentId) -> EventContent {
    EventContent { agent_id: Some(agent_id.clone()), ..about(fact) }
}

fn of_topic(fact: &Fact, topic: &str) -> EventContent {
    EventContent { topic_id: Some(topic.to_owned()), ..about(fact) }
}

fn profile(fact: &Fact) -> EventContent {
    EventContent { customer_id: Some(fact.customer_id.clone()), ..EventContent::default() }
}

/// An echo, a timer and a rule are the system's.
fn initiator(fact: &Fact) -> OutwardInitiator {
    let (kind, id) = match &fact.initiator {
        Initiator::Customer => ("CUSTOMER", Some(fact.customer_id.as_str())),
        Initiator::Agent(agent_id) => ("AGENT", Some(agent_id.as_str())),
        Initiator::NativeApp | Initiator::System => ("SYSTEM", None),
    };
    OutwardInitiator { kind, id: id.map(str::to_owned) }
}
