//! The shapes views have outside: what a timeline entry, a conversation and a change look like. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::details::Details;
use crate::domain::event::{Attachment, ContentKind, Direction};
use crate::domain::fact::ConversationSnapshot;
use crate::domain::id::{
    AccountId, AgentId, CompanyId, ConversationId, CustomerId, ItemId, MessageId,
};
use crate::domain::outbound::FailureCode;
use crate::domain::routing::OfferSnapshot;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// A conversation with its timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConversationDetail {
    /// The conversation as it stands.
    pub conversation: ConversationSnapshot,
    /// Who writes.
    pub customer: CustomerView,
    /// Its timeline, oldest first.
    pub items: Vec<Entry>,
    /// Entries older than the first shown here, no longer kept in the view.
    pub omitted: u64,
    /// The customer has seen the last outbound message.
    pub read: bool,
}

/// A customer as their Instagram account says; what it did not say is absent. Source: desk rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CustomerView {
    /// The customer.
    pub customer_id: CustomerId,
    /// The name to show.
    pub display_name: String,
    /// Where that name is from.
    pub name_source: NameSource,
    /// Has the badge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// How many follow the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follower_count: Option<u64>,
    /// Our accounts that follow the customer, among those the customer has written to.
    pub followed_by_accounts: Vec<AccountId>,
    /// Our accounts that the customer follows, among those the customer has written to.
    pub follows_accounts: Vec<AccountId>,
    /// When Instagram was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetched_at: Option<Timestamp>,
}

/// A customer with their conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CustomerDetail {
    /// Who.
    pub customer: CustomerView,
    /// What agents noted.
    pub details: Details,
    /// Customers who may be the same person, by what both are verified to have; nothing merges by itself.
    pub merge_suggestions: Vec<MergeSuggestion>,
    /// Customers whose profiles go on here; their ids answer with a redirect.
    pub merged: Vec<CustomerId>,
    /// Of all their threads, newest item first.
    pub conversations: Vec<ConversationSnapshot>,
}

/// Somebody who may be the same person. Source: desk rule R-149.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MergeSuggestion {
    /// Who.
    pub customer_id: CustomerId,
    /// What both have.
    pub both_have: Vec<HandleKind>,
}

/// By what a customer is found, whatever the channel. Source: desk rule R-14.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandleKind {
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
    /// An id in the shop's own books.
    ExternalId,
}

/// Where a name is from. Source: desk rule R-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameSource {
    /// Nobody said one.
    Placeholder,
    /// The Instagram account.
    Instagram,
}

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Entry {
    /// The thread's fact number that put it here; grows down the timeline.
    pub number: u64,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What it is; its tag is `entry`.
    #[serde(flatten)]
    pub body: EntryBody,
}

/// What a line of a timeline is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum EntryBody {
    /// Something said, by either side.
    Item(Box<ItemEntry>),
    /// Something that became true.
    Event(EventEntry),
}

/// Something said, as it is to be shown now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ItemEntry {
    /// The item.
    pub item_id: ItemId,
    /// The platform's id, once it has one; of several parts, the first's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mid: Option<MessageId>,
    /// Which way it went.
    pub direction: Direction,
    /// What it is.
    pub kind: ContentKind,
    /// What is shown in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What hangs on it.
    pub attachments: Vec<Attachment>,
    /// The message it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to_mid: Option<MessageId>,
    /// The story it shows or answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub story: Option<ShownStory>,
    /// How far an outbound item got; absent for inbound ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Delivery>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCode>,
    /// Written in the Instagram app or another program.
    pub native_app: bool,
    /// It was unsent; its content is gone.
    pub deleted: bool,
    /// Its text was changed.
    pub edited: bool,
    /// The customer's reaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reaction: Option<ShownReaction>,
    /// An agent's heart is on it.
    pub liked: bool,
    /// Read-only copy: another app owns the thread.
    pub standby: bool,
    /// The last outbound message, and the customer has seen it.
    pub read: bool,
    /// Which agent wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
}

/// How far an outbound item got. Source: desk rule R-142.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Not all of it is with Instagram yet.
    Queued,
    /// Instagram has all of it.
    Sent,
    /// Instagram refused a part of it for good.
    Failed,
    /// Nobody knows of a part whether it went out.
    Unknown,
}

/// A story as it is to be shown now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ShownStory {
    /// Whether it can still be looked at.
    pub state: StoryState,
    /// The story's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where it is, while it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Said in its place once it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// From this moment on it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Whether a story can still be looked at. Source: desk rule R-51.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoryState {
    /// It can.
    Available,
    /// Its day is over.
    Gone,
}

/// A customer's reaction. Source: desk rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ShownReaction {
    /// Always a heart.
    pub shown: String,
    /// What the customer really picked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
}

/// Something that became true, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EventEntry {
    /// The fact's `type`.
    pub event: String,
    /// What is shown in words.
    pub text: String,
    /// Whom it is about, or who brought it about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
}

/// An offer on an agent's banner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OfferView {
    /// Whose agent.
    pub company_id: CompanyId,
    /// On whose banner.
    pub agent_id: AgentId,
    /// The offer.
    #[serde(flatten)]
    pub offer: OfferSnapshot,
}

/// Where a conversation belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whose thread.
    pub thread: Thread,
    /// Whose agents.
    pub company_id: CompanyId,
}

/// Where a customer belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerPlace {
    /// Their own thread.
    pub thread: Thread,
    /// Whose agents; `None` without a conversation.
    pub company_id: Option<CompanyId>,
    /// Their own newest conversation.
    pub conversation_id: Option<ConversationId>,
    /// As whom they go on, when they were merged.
    pub moved_to: Option<CustomerId>,
    /// Every thread that is theirs, their own first.
    pub threads: Vec<Thread>,
}

/// A notice that a view changed; what it says now is to be read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// Which view.
    pub kind: ChangeKind,
    /// Which row of it.
    pub id: String,
    /// Whose agents it concerns; `None` for commands.
    #[serde(skip)]
    pub company_id: Option<CompanyId>,
}

/// Which view changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A conversation or its timeline.
    Conversation,
    /// An agent or the offer on their banner.
    Agent,
    /// A command has its result.
    Command,
}
