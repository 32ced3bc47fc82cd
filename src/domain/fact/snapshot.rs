//! A conversation as it stands after its facts. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::fact::words::WindowReason;
use crate::domain::id::{AgentId, CompanyId, ContactId, ConversationId, CustomerId, InboxId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// A conversation's status. Source: desk rule R-23.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Unassigned, waiting to be routed.
    New,
    /// Assigned, contact open.
    Open,
    /// All contacts ended, not closed.
    Waiting,
    /// Closed.
    Closed,
}

/// A conversation as it stands. Topic `conversations`, key thread, compacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationSnapshot {
    /// Which.
    pub conversation_id: ConversationId,
    /// Whose thread.
    #[serde(flatten)]
    pub thread: Thread,
    /// Whose agents.
    pub company_id: CompanyId,
    /// The profile the thread opens.
    pub customer_id: CustomerId,
    /// Name shown.
    pub display_name: String,
    /// Where it stands.
    pub status: Status,
    /// In which inbox.
    pub inbox_id: InboxId,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// The open contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<ContactId>,
    /// Answer due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Answer due before it came into this inbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at_before: Option<Timestamp>,
    /// Last moment for a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_window_expires_at: Option<Timestamp>,
    /// What opened the reply window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_window_opened_by: Option<WindowReason>,
    /// Newest inbound item, shortened.
    pub preview: String,
    /// Its topics.
    #[serde(default)]
    pub topics: Vec<String>,
    /// Everything outbound up to here was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_up_to_at: Option<Timestamp>,
    /// Its items so far.
    pub items: u64,
    /// Newest item's time.
    pub last_item_at: Timestamp,
    /// The thread's fact number this snapshot includes.
    pub as_of_number: u64,
}
