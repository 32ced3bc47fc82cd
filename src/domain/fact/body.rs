//! What can become true about a conversation, in one list. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::command::Refusal;
use crate::domain::event::Direction;
use crate::domain::fact::item::Item;
use crate::domain::fact::words::{
    EndReason, EndStatus, Fulfilment, TransferKind, TransferReason, WindowReason,
};
use crate::domain::id::{
    AgentId, ConversationId, CustomerId, InboxId, ItemId, MessageId, OfferId, SendId,
};
use crate::domain::outbound::FailureCode;
use crate::domain::routing::{AssignReason, RejectReason, UnassignReason};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// What became true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum FactBody {
    /// A person wrote for the first time.
    #[serde(rename = "customer.created")]
    CustomerCreated {
        /// Name shown until the profile is known.
        display_name: String,
    },
    /// What is noted of a customer changed; what it says now stands in `customers` alone.
    #[serde(rename = "customer.updated")]
    CustomerUpdated {
        /// Which details, by the names they have in `customers`; free ones are `named`.
        fields: Vec<String>,
    },
    /// A thread's items go on in another customer's conversation.
    #[serde(rename = "customer.merged")]
    CustomerMerged {
        /// The thread merged into this one; whose customer it was follows from it.
        source: Thread,
        /// Whose profile it was.
        source_customer_id: CustomerId,
        /// Its newest conversation, ended if it was open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source_conversation_id: Option<ConversationId>,
    },
    /// The newest merge was taken back: items return by their thread.
    #[serde(rename = "customer.unmerged")]
    CustomerUnmerged {
        /// The thread that is its own again.
        source: Thread,
        /// Whose profile it opens again.
        source_customer_id: CustomerId,
    },
    /// A person's content was erased; views forget the thread.
    #[serde(rename = "customer.deleted")]
    CustomerDeleted {
        /// Items the state still knew.
        items: u64,
    },
    /// A conversation began.
    #[serde(rename = "conversation.created")]
    ConversationCreated,
    /// A conversation was closed.
    #[serde(rename = "conversation.closed")]
    ConversationClosed,
    /// A closed conversation was opened again.
    #[serde(rename = "conversation.reopened")]
    ConversationReopened,
    /// A contact began.
    #[serde(rename = "contact.started")]
    ContactStarted {
        /// Answer due.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at: Option<Timestamp>,
        /// Who began it.
        direction: Direction,
    },
    /// The contact waits for an agent.
    #[serde(rename = "contact.queued")]
    ContactQueued,
    /// The contact is on an agent's banner.
    #[serde(rename = "contact.offered")]
    ContactOffered {
        /// The offer.
        offer_id: OfferId,
        /// To whom.
        agent_id: AgentId,
        /// Last moment at which an accept is in time.
        expires_at: Timestamp,
        /// Which round through the agents.
        round: u32,
    },
    /// The agent took it.
    #[serde(rename = "contact.accepted")]
    ContactAccepted {
        /// The offer.
        offer_id: OfferId,
        /// Who.
        agent_id: AgentId,
        /// Shown in the timeline, when there is something to say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// The agent did not take it.
    #[serde(rename = "contact.rejected")]
    ContactRejected {
        /// The offer.
        offer_id: OfferId,
        /// Who.
        agent_id: AgentId,
        /// How.
        reason: RejectReason,
    },
    /// The offer was withdrawn.
    #[serde(rename = "contact.rescinded")]
    ContactRescinded {
        /// The offer.
        offer_id: OfferId,
        /// From whom.
        agent_id: AgentId,
        /// Why; absent in facts of earlier builds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<UnassignReason>,
    },
    /// Given to an agent without an offer.
    #[serde(rename = "contact.assigned")]
    ContactAssigned {
        /// To whom.
        agent_id: AgentId,
        /// Why.
        reason: AssignReason,
        /// Shown in the timeline, when there is something to say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// Taken from its agent, to be queued again.
    #[serde(rename = "contact.unassigned")]
    ContactUnassigned {
        /// From whom.
        agent_id: AgentId,
        /// Why.
        #[serde(default)]
        reason: UnassignReason,
    },
    /// Moved to another inbox; the fact's own inbox and assignee are those it left.
    #[serde(rename = "contact.transferred")]
    ContactTransferred {
        /// To a queue or straight to an agent.
        transfer: TransferKind,
        /// Who moved it.
        reason: TransferReason,
        /// Where it went.
        to_inbox_id: InboxId,
        /// To whom.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_agent_id: Option<AgentId>,
        /// Answer due before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at_before: Option<Timestamp>,
        /// Answer due from now on, by the new inbox.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at: Option<Timestamp>,
    },
    /// The waiting customer got an answer, or needs none.
    #[serde(rename = "contact.fulfilled")]
    ContactFulfilled {
        /// How.
        how: Fulfilment,
        /// When: Send time, the echo's time, the command's.
        fulfilled_at: Timestamp,
        /// When it was due.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at: Option<Timestamp>,
        /// When it was due before it came into this inbox.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at_before: Option<Timestamp>,
        /// How much of the wait fell into business hours, where the inbox has such.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        business_ms: Option<u64>,
    },
    /// A contact ended.
    #[serde(rename = "contact.ended")]
    ContactEnded {
        /// Why.
        reason: EndReason,
        /// Whether a human answered in it.
        status: EndStatus,
        /// How much of it fell into business hours, where the inbox has such.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        business_ms: Option<u64>,
    },
    /// The person wrote.
    #[serde(rename = "message.received")]
    MessageReceived(Item),
    /// An agent pressed Send.
    #[serde(rename = "message.queued")]
    MessageQueued(Item),
    /// Instagram took an item, or the business wrote elsewhere.
    #[serde(rename = "message.sent")]
    MessageSent(Item),
    /// Instagram refused an item for good.
    #[serde(rename = "message.failed")]
    MessageFailed {
        /// The item.
        item_id: ItemId,
        /// Which part of it.
        send_id: SendId,
        /// Why.
        code: FailureCode,
    },
    /// Nobody knows whether an item went out; its echo will tell, else the agent decides.
    #[serde(rename = "message.unknown")]
    MessageUnknown {
        /// The item.
        item_id: ItemId,
        /// Which part of it.
        send_id: SendId,
    },
    /// What was shown as written in the app was our own send, known by its mid only now.
    #[serde(rename = "message.recognised")]
    MessageRecognised {
        /// Our item.
        item_id: ItemId,
        /// The message.
        mid: MessageId,
        /// The item it was shown as; views drop it, reports do not count it.
        instead_of: ItemId,
    },
    /// A reply was refused because it came too late.
    #[serde(rename = "message.refused")]
    MessageRefused {
        /// Why.
        code: Refusal,
    },
    /// A message was unsent; its text is gone.
    #[serde(rename = "message.deleted")]
    MessageDeleted {
        /// The message.
        mid: MessageId,
    },
    /// A message's text was changed.
    #[serde(rename = "message.edited")]
    MessageEdited {
        /// The message.
        mid: MessageId,
        /// The newest text.
        text: String,
        /// Which edit.
        num_edit: u32,
    },
    /// The person has seen our messages up to a moment.
    #[serde(rename = "message.read")]
    MessageRead {
        /// Everything outbound up to here was seen.
        read_up_to_at: Timestamp,
    },
    /// The person put a reaction on a message; shown as a heart.
    #[serde(rename = "reaction.added")]
    ReactionAdded {
        /// On which message.
        mid: MessageId,
        /// What they really picked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emoji: Option<String>,
    },
    /// The person took their reaction away.
    #[serde(rename = "reaction.removed")]
    ReactionRemoved {
        /// Off which message.
        mid: MessageId,
    },
    /// An agent's heart is on a message.
    #[serde(rename = "message.liked")]
    MessageLiked {
        /// On which message.
        mid: MessageId,
    },
    /// An agent's heart is off a message, by wish or because Instagram refused it.
    #[serde(rename = "message.unliked")]
    MessageUnliked {
        /// Off which message.
        mid: MessageId,
        /// Instagram refused the heart.
        rejected: bool,
    },
    /// A story's day is over.
    #[serde(rename = "story.expired")]
    StoryExpired {
        /// The message that shows it.
        mid: MessageId,
    },
    /// A story is gone although its day is not over.
    #[serde(rename = "story.unavailable")]
    StoryUnavailable {
        /// The message that shows it.
        mid: MessageId,
    },
    /// The waiting customer's answer has a due date.
    #[serde(rename = "sla.started")]
    SlaStarted {
        /// Answer due.
        due_at: Timestamp,
    },
    /// The due date is near.
    #[serde(rename = "sla.due_soon")]
    SlaDueSoon {
        /// Answer due.
        due_at: Timestamp,
    },
    /// The due date is gone: answered, or nothing to answer.
    #[serde(rename = "sla.cleared")]
    SlaCleared {
        /// It was due then.
        due_at: Timestamp,
    },
    /// The answer did not go out: the old due date is back.
    #[serde(rename = "sla.reinstated")]
    SlaReinstated {
        /// Answer due.
        due_at: Timestamp,
    },
    /// The due date passed unanswered, or passed by a further step.
    #[serde(rename = "sla.breached")]
    SlaBreached {
        /// It was due then.
        due_at: Timestamp,
        /// By how much it has passed, at a step of `sla_overdue_steps_ms`; absent at the breach itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by_ms: Option<u64>,
    },
    /// Soon nothing can be answered any more.
    #[serde(rename = "reply_window.expiring")]
    ReplyWindowExpiring {
        /// Last moment for a reply.
        expires_at: Timestamp,
        /// What opened it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opened_by: Option<WindowReason>,
    },
    /// Nothing can be answered any more.
    #[serde(rename = "reply_window.expired")]
    ReplyWindowExpired {
        /// Last moment for a reply; it has passed.
        expires_at: Timestamp,
        /// What opened it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opened_by: Option<WindowReason>,
    },
    /// A topic was added.
    #[serde(rename = "topic.added")]
    TopicAdded {
        /// Its name.
        topic: String,
    },
    /// A topic was removed.
    #[serde(rename = "topic.removed")]
    TopicRemoved {
        /// Its name.
        topic: String,
    },
    /// A colleague wrote a note.
    #[serde(rename = "note.created")]
    NoteCreated {
        /// What it says.
        text: String,
    },
}

impl FactBody {
    /// The `type` tag, for headers, metrics and logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CustomerCreated { .. } => "customer.created",
            Self::CustomerUpdated { .. } => "customer.updated",
            Self::CustomerMerged { .. } => "customer.merged",
            Self::CustomerUnmerged { .. } => "customer.unmerged",
            Self::CustomerDeleted { .. } => "customer.deleted",
            Self::ConversationCreated => "conversation.created",
            Self::ConversationClosed => "conversation.closed",
            Self::ConversationReopened => "conversation.reopened",
            Self::ContactStarted { .. } => "contact.started",
            Self::ContactQueued => "contact.queued",
            Self::ContactOffered { .. } => "contact.offered",
            Self::ContactAccepted { .. } => "contact.accepted",
            Self::ContactRejected { .. } => "contact.rejected",
            Self::ContactRescinded { .. } => "contact.rescinded",
            Self::ContactAssigned { .. } => "contact.assigned",
            Self::ContactUnassigned { .. } => "contact.unassigned",
            Self::ContactTransferred { .. } => "contact.transferred",
            Self::ContactFulfilled { .. } => "contact.fulfilled",
            Self::ContactEnded { .. } => "contact.ended",
            Self::MessageReceived(_) => "message.received",
            Self::MessageQueued(_) => "message.queued",
            Self::MessageSent(_) => "message.sent",
            Self::MessageFailed { .. } => "message.failed",
            Self::MessageUnknown { .. } => "message.unknown",
            Self::MessageRecognised { .. } => "message.recognised",
            Self::MessageRefused { .. } => "message.refused",
            Self::MessageDeleted { .. } => "message.deleted",
            Self::MessageEdited { .. } => "message.edited",
            Self::MessageRead { .. } => "message.read",
            Self::ReactionAdded { .. } => "reaction.added",
            Self::ReactionRemoved { .. } => "reaction.removed",
            Self::MessageLiked { .. } => "message.liked",
            Self::MessageUnliked { .. } => "message.unliked",
            Self::StoryExpired { .. } => "story.expired",
            Self::StoryUnavailable { .. } => "story.unavailable",
            Self::SlaStarted { .. } => "sla.started",
            Self::SlaDueSoon { .. } => "sla.due_soon",
            Self::SlaCleared { .. } => "sla.cleared",
            Self::SlaReinstated { .. } => "sla.reinstated",
            Self::SlaBreached { .. } => "sla.breached",
            Self::ReplyWindowExpiring { .. } => "reply_window.expiring",
            Self::ReplyWindowExpired { .. } => "reply_window.expired",
            Self::TopicAdded { .. } => "topic.added",
            Self::TopicRemoved { .. } => "topic.removed",
            Self::NoteCreated { .. } => "note.created",
        }
    }
}
