//! The bodies and queries the API takes, and the answers that are not views. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::command::Refusal;
use crate::domain::fact::{ConversationSnapshot, Status};
use crate::domain::id::{
    AgentId, ClientMessageId, CommandId, CompanyId, ConversationId, CustomerId, InboxId, MessageId,
};
use crate::domain::routing::AgentSnapshot;
use crate::domain::settings::{AccountSettings, CompanySettings, Version};
use crate::domain::time::Timestamp;
use crate::project::{CustomerDetail, OfferView};

/// Something to say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplyBody {
    /// The words; may be left out when images go.
    #[serde(default)]
    pub(super) text: Option<String>,
    /// Public https addresses of JPEG, PNG or GIF images.
    #[serde(default)]
    pub(super) image_urls: Vec<String>,
    /// The same with their sizes, where whoever sends them knows them; they come after `image_urls`.
    #[serde(default)]
    pub(super) attachments: Vec<AttachmentBody>,
    /// The same twice sends once; left out, the command's id stands for it.
    #[serde(default)]
    pub(super) client_message_id: Option<ClientMessageId>,
    /// For whom an administrator acts.
    #[serde(default)]
    pub(super) agent_id: Option<AgentId>,
}

/// An image to send.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AttachmentBody {
    /// Its public https address.
    pub(super) url: String,
    /// Its size; all together at most 5242880.
    #[serde(default)]
    pub(super) bytes: u64,
}

/// Where a conversation goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferBody {
    /// The inbox.
    pub(super) inbox_id: InboxId,
    /// Straight to this agent; left out, it is queued there.
    #[serde(default)]
    pub(super) to_agent_id: Option<AgentId>,
    /// For whom an administrator acts.
    #[serde(default)]
    pub(super) agent_id: Option<AgentId>,
}

/// What a customer told of themselves; what is left out stays, `null` takes it away. What came from Instagram is read-only.
#[derive(Debug, Default, JsonSchema)]
#[expect(dead_code, reason = "for the document: read field by field, to tell `null` from nothing")]
pub(super) struct DetailsBody {
    /// With country code.
    #[serde(default)]
    phone: Option<String>,
    /// Somebody made sure that the number is theirs.
    #[serde(default)]
    phone_verified: Option<bool>,
    /// An e-mail address.
    #[serde(default)]
    email: Option<String>,
    /// Somebody made sure that the address is theirs.
    #[serde(default)]
    email_verified: Option<bool>,
    /// As the customer gave it; it names nobody.
    #[serde(default)]
    username: Option<String>,
    /// The customer's id in the shop's own books.
    #[serde(default)]
    external_id: Option<String>,
    /// Whatever else, by name; at most 32.
    #[serde(default)]
    named: BTreeMap<String, Option<String>>,
    /// For whom an administrator acts.
    #[serde(default)]
    agent_id: Option<AgentId>,
}

/// By what to find a customer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HandleQuery {
    pub(super) phone: Option<String>,
    pub(super) email: Option<String>,
    pub(super) external_id: Option<String>,
}

impl Asking for HandleQuery {
    const TAKES: &'static str = "one of phone (with country code), email, external_id";
}

/// Customers found.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CustomerList {
    /// Each with their conversations; one, where everybody's number is their own.
    pub(super) customers: Vec<CustomerDetail>,
}

/// A message meant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageBody {
    /// Which.
    pub(super) mid: MessageId,
    /// For whom an administrator acts.
    #[serde(default)]
    pub(super) agent_id: Option<AgentId>,
}

/// How to close.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseBody {
    /// Although the customer waits.
    #[serde(default)]
    pub(super) force: bool,
    /// For whom an administrator acts.
    #[serde(default)]
    pub(super) agent_id: Option<AgentId>,
}

/// For whom.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ActBody {
    /// For whom an administrator acts.
    #[serde(default)]
    pub(super) agent_id: Option<AgentId>,
}

/// Into whom to merge.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MergeBody {
    /// The customer who goes on.
    pub(super) into: CustomerId,
    /// Somebody made sure that they are one person.
    #[serde(default)]
    pub(super) confirmed: bool,
    /// For whom an administrator acts.
    #[serde(default)]
    pub(super) agent_id: Option<AgentId>,
}

/// A topic to add.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TopicBody {
    /// Its name.
    pub(super) topic: String,
    /// For whom an administrator acts.
    #[serde(default)]
    pub(super) agent_id: Option<AgentId>,
}

/// A note for colleagues.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteBody {
    /// What it says.
    pub(super) text: String,
    /// For whom an administrator acts.
    #[serde(default)]
    pub(super) agent_id: Option<AgentId>,
}

/// Whether an agent takes messaging.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AvailabilityBody {
    /// Takes it.
    pub(super) available: bool,
}

/// Whether an agent has left the desk for a while.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AwayBody {
    /// Has left.
    pub(super) away: bool,
}

/// Whether an agent is in Focus.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FocusBody {
    /// Is in Focus.
    pub(super) focus: bool,
}

/// Whether an agent is on the settings page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsPageBody {
    /// Is on it.
    pub(super) open: bool,
}

/// Whose inboxes an agent serves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InboxesBody {
    /// These alone, 200 at most; left out, every inbox.
    #[serde(default)]
    pub(super) inbox_ids: Option<Vec<InboxId>>,
}

/// How urgent a conversation is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PriorityBody {
    /// Higher goes first; 0 is what everybody begins with.
    pub(super) priority_score: i32,
    /// For whom an administrator acts.
    #[serde(default)]
    pub(super) agent_id: Option<AgentId>,
}

/// Settings of a company to set; what is left out stays as it is at that moment.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "for the document: read field by field, to name what is wrong")]
pub(super) struct CompanySettingsBody {
    /// What to set.
    #[serde(flatten)]
    settings: CompanySettings,
    /// From when on, not before now; left out, it is now.
    #[serde(default)]
    effective_at: Option<Timestamp>,
}

/// Settings of an account to set; what is left out stays as it is at that moment.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "for the document: read field by field, to name what is wrong")]
pub(super) struct AccountSettingsBody {
    /// What to set.
    #[serde(flatten)]
    settings: AccountSettings,
    /// From when on, not before now; left out, it is now.
    #[serde(default)]
    effective_at: Option<Timestamp>,
}

/// What is set, and what will be.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}Answer")]
pub(super) struct SettingsAnswer<T> {
    /// What counts now, and since when.
    pub(super) in_force: Version<T>,
    /// What will count, soonest first; to take one back, set what is to count from its moment on.
    pub(super) to_come: Vec<Version<T>>,
}

/// Nothing more to say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NothingBody {}

/// A query, and what it takes in words, for its error.
pub(super) trait Asking: DeserializeOwned {
    const TAKES: &'static str;
}

/// Which conversations.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    pub(super) status: Option<Status>,
    pub(super) agent_id: Option<AgentId>,
    pub(super) inbox_id: Option<InboxId>,
    pub(super) limit: Option<usize>,
    pub(super) cursor: Option<String>,
}

impl Asking for ListQuery {
    const TAKES: &'static str =
        "status (new, open, waiting, closed), agent_id, inbox_id, limit (1 to 200), cursor";
}

/// For whom, where there is no body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActQuery {
    pub(super) agent_id: Option<AgentId>,
}

impl Asking for ActQuery {
    const TAKES: &'static str = "agent_id";
}

/// Whose agent, where the views do not say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CompanyQuery {
    pub(super) company_id: Option<CompanyId>,
}

impl Asking for CompanyQuery {
    const TAKES: &'static str = "company_id";
}

/// A stretch of the list of conversations.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ConversationList {
    /// Newest item first.
    pub(super) conversations: Vec<ConversationSnapshot>,
    /// Give it back as `cursor` for the next stretch; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
}

/// Agents.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AgentList {
    /// In order of company and id.
    pub(super) agents: Vec<AgentSnapshot>,
}

/// Offers that can be accepted now.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OfferList {
    /// One an agent at most.
    pub(super) offers: Vec<OfferView>,
}

/// What became of a command.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CommandAnswer {
    /// Which.
    pub(super) command_id: CommandId,
    /// How far it is.
    pub(super) state: CommandState,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<Refusal>,
    /// When that was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decided_at: Option<Timestamp>,
    /// After Next: an own conversation with something unseen, to go back to before there is more work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) conversation_id: Option<ConversationId>,
}

/// How far a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum CommandState {
    /// Carried out.
    Done,
    /// Not carried out, for good; nothing was changed.
    Refused,
    /// Recorded; its outcome is not known yet.
    Pending,
}
