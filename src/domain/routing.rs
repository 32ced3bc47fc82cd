//! What a conversation asks of routing, and what routing decides. Pure.
//!
//! Topics `routing.requests` (key company) and `routing.decisions` (key thread).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::id::{AgentId, CompanyId, ContactId, ConversationId, InboxId, OfferId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// One request of a conversation to its company's routing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RoutingRequest {
    /// What is asked; its tag is `type`.
    #[serde(flatten)]
    pub ask: RoutingAsk,
    /// Whose agents.
    pub company_id: CompanyId,
    /// Whose thread.
    #[serde(flatten)]
    pub thread: Thread,
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// Which contact of it; a request about an older contact is stale.
    pub contact_id: ContactId,
    /// When the conversation asked.
    pub requested_at: Timestamp,
}

/// What a conversation asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RoutingAsk {
    /// Find an agent; for a contact already asked about, in another inbox than before: move it there.
    Enqueue {
        /// In which inbox; its queue, and its agents.
        inbox_id: InboxId,
        /// Answer due; none sorts last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at: Option<Timestamp>,
        /// When the waiting began; ties go to the oldest.
        waiting_since_at: Timestamp,
        /// Name on the banner.
        customer_name: String,
        /// Short preview on the banner.
        preview: String,
        /// Tie-break after a reopen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous_agent_id: Option<AgentId>,
    },
    /// The preview or due date changed while queued or outstanding.
    Update {
        /// Answer due.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at: Option<Timestamp>,
        /// Short preview on the banner.
        preview: String,
    },
    /// Straight to this agent, without offer and whatever the capacity.
    Assign {
        /// In which inbox.
        inbox_id: InboxId,
        /// To whom.
        agent_id: AgentId,
        /// Why.
        reason: AssignReason,
    },
    /// No agent is needed any more: leaves the queue, withdraws an offer, frees the slot.
    Withdraw,
}

impl RoutingAsk {
    /// The `type` tag, for headers and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Enqueue { .. } => "enqueue",
            Self::Update { .. } => "update",
            Self::Assign { .. } => "assign",
            Self::Withdraw => "withdraw",
        }
    }
}

/// One decision of routing about one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoutingDecision {
    /// What was decided; its tag is `type`.
    #[serde(flatten)]
    pub verdict: RoutingVerdict,
    /// Whose agents.
    pub company_id: CompanyId,
    /// Whose thread.
    #[serde(flatten)]
    pub thread: Thread,
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// Which contact of it.
    pub contact_id: ContactId,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Counts the company's decisions: with the company, the decision's stable id.
    pub number: u64,
}

/// What routing decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RoutingVerdict {
    /// Waits for an agent.
    Queued {
        /// In which inbox.
        inbox_id: InboxId,
    },
    /// On an agent's banner.
    Offered {
        /// The offer.
        offer_id: OfferId,
        /// To whom.
        agent_id: AgentId,
        /// Last moment at which an accept is in time.
        expires_at: Timestamp,
        /// Which round through the agents, from one.
        round: u32,
    },
    /// The agent took it.
    Accepted {
        /// The offer.
        offer_id: OfferId,
        /// Who.
        agent_id: AgentId,
    },
    /// The agent did not take it.
    Rejected {
        /// The offer.
        offer_id: OfferId,
        /// Who.
        agent_id: AgentId,
        /// How.
        reason: RejectReason,
    },
    /// Taken off the banner, and no fault of the agent's.
    Rescinded {
        /// The offer.
        offer_id: OfferId,
        /// From whom.
        agent_id: AgentId,
        /// Why.
        #[serde(default)]
        reason: UnassignReason,
    },
    /// Given to an agent without an offer.
    Assigned {
        /// To whom.
        agent_id: AgentId,
        /// Why.
        reason: AssignReason,
    },
    /// Taken from its agent, to be queued again.
    Unassigned {
        /// From whom.
        agent_id: AgentId,
        /// Why.
        #[serde(default)]
        reason: UnassignReason,
    },
}

impl RoutingVerdict {
    /// The `type` tag, for headers and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Offered { .. } => "offered",
            Self::Accepted { .. } => "accepted",
            Self::Rejected { .. } => "rejected",
            Self::Rescinded { .. } => "rescinded",
            Self::Assigned { .. } => "assigned",
            Self::Unassigned { .. } => "unassigned",
        }
    }
}

/// How an offer was not taken. Source: desk rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RejectReason {
    /// By the agent's click.
    Declined,
    /// By silence.
    Missed,
}

/// Why a conversation was taken from its agent, or off their banner. Source: desk rule R-155.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UnassignReason {
    /// Its agent is absent, or its customer began anew.
    #[default]
    ReroutedUnassign,
    /// Its agent was deactivated.
    UserDeactivation,
    /// Somebody moved it to another inbox, took it themselves or ended it.
    Manual,
    /// It was merged into another customer's.
    CustomerConversationMerge,
}

/// Why a conversation went to an agent without an offer. Source: desk rule R-155.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AssignReason {
    /// Offers are switched off.
    AutomatedAssignment,
    /// Back to the agent of the contact before.
    ContactInbound,
    /// The agent replied.
    MessageOutbound,
    /// By hand.
    Manual,
}

/// One agent as routing sees them. Topic `agents`, key company and agent, compacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentSnapshot {
    /// Whose agent.
    pub company_id: CompanyId,
    /// Who.
    pub agent_id: AgentId,
    /// At work.
    pub logged_in: bool,
    /// Takes messaging.
    pub available: bool,
    /// Left the desk for a while.
    pub away: bool,
    /// Declined or missed an offer; no more until Next.
    pub paused_until_next: bool,
    /// In Focus: nothing is routed to them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub focus: bool,
    /// On the settings page: nothing is routed to them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_settings_page: bool,
    /// May not log in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deactivated: bool,
    /// Whose inboxes they serve; absent: every inbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox_ids: Option<Vec<InboxId>>,
    /// Conversations held.
    pub held: Vec<HeldConversation>,
    /// The offer on the banner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<OfferSnapshot>,
    /// When this was so.
    pub as_of_at: Timestamp,
}

/// A conversation in an agent's hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeldConversation {
    /// Whose thread.
    #[serde(flatten)]
    pub thread: Thread,
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// Up to when its agent has seen what the customer wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
}

/// An offer on an agent's banner. Source: desk rule R-111.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OfferSnapshot {
    /// The offer.
    pub offer_id: OfferId,
    /// Whose thread.
    #[serde(flatten)]
    pub thread: Thread,
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// Name on the banner.
    pub customer_name: String,
    /// Short preview on the banner.
    pub preview: String,
    /// Last moment at which an accept is in time.
    pub expires_at: Timestamp,
}
