//! Facts: what became true about a conversation, for analysts, views and reports. Pure. Topic `timeline`, key thread.
//!
//! Every fact carries who, where and under whose care, so that reports need no other source.
//! Here is what all facts say; `body` is what each says beside, `item` something said, `words` how and why, `snapshot` how it
//! stands in the end.

mod body;
mod item;
mod snapshot;
mod words;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::id::{
    AgentId, CompanyId, ContactId, ConversationId, CustomerId, EventId, InboxId,
};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

pub use body::FactBody;
pub use item::Item;
pub use snapshot::{ConversationSnapshot, Status};
pub use words::{EndReason, EndStatus, Fulfilment, TransferKind, TransferReason, WindowReason};

/// One thing that became true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// What became true; its tag is `type`.
    #[serde(flatten)]
    pub body: FactBody,
    /// Stable id for dedupe, also the record's `ce_id`.
    pub fact_id: EventId,
    /// Counts the thread's facts, from one, without gaps.
    pub number: u64,
    /// Always Instagram Direct.
    pub channel: Channel,
    /// Whose agents.
    pub company_id: CompanyId,
    /// Whose thread.
    #[serde(flatten)]
    pub thread: Thread,
    /// The profile the thread opens.
    pub customer_id: CustomerId,
    /// In which conversation; absent for facts about the customer alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// In which contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<ContactId>,
    /// Who brought it about.
    pub initiator: Initiator,
    /// The inbox at the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox_id: Option<InboxId>,
    /// The assignee just before the fact; for `contact.started` at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee_id: Option<AgentId>,
    /// When it happened: the platform's time for what the platform reports, the desk's for commands.
    pub occurred_at: Timestamp,
    /// When we decided it.
    pub recorded_at: Timestamp,
}

/// The channel's outward name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Channel {
    /// Direct messages on Instagram.
    #[default]
    InstagramDirect,
}

/// Who brought a fact about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "initiator", content = "initiator_id", rename_all = "snake_case")]
pub enum Initiator {
    /// The person who writes.
    Customer,
    /// An agent of ours.
    Agent(AgentId),
    /// Somebody of the business in the Instagram app or another program.
    NativeApp,
    /// Ourselves: timers, rules.
    System,
}
