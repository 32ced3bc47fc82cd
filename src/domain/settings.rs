//! What administrators chose, with the moment from which it counts. Pure.
//!
//! A decision uses the value in force at its event's time. Names, defaults and ranges: desk rules, section 18.
//! Here are the values; `range` says what they may be, `history` when each counts, `record` how the log carries them.

mod history;
mod inbox;
mod range;
mod record;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::hours::BusinessHours;
use crate::domain::id::{CompanyId, InboxId};
use crate::domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

pub use history::{History, TooMany, Version};
pub use inbox::InboxSettings;
pub use range::OutOfRange;
pub use record::SettingsRecord;
pub use table::SettingsTable;

/// What is chosen for one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
// Whoever writes settings must not misspell one; whoever reads a record must expect more than it knows.
#[schemars(extend("additionalProperties" = true))]
pub struct AccountSettings {
    /// Whose account it is.
    pub company_id: CompanyId,
    /// Where its conversations wait.
    pub inbox_id: InboxId,
    /// Time to answer, overriding the inbox's.
    pub account_sla_ms: Option<u64>,
    /// Replies written in the Instagram app are shown and counted.
    pub echo: bool,
    /// A conversation begun by such a reply is routed.
    pub route_on_echo_only: bool,
    /// How long an unmatched echo waits for our own send; at most 60 s.
    pub echo_hold_ms: u64,
    /// What a story mention does.
    pub story_mentions: StoryMentions,
    /// How long after the person last wrote a reply is allowed; at most 7 d.
    pub reply_window_ms: u64,
    /// What opens the reply window.
    pub window_openers: BTreeSet<WindowOpener>,
    /// How long a window lasts that an ad opened, where that is longer; at most 7 d.
    pub ad_window_ms: u64,
    /// Replies after 24 h carry the human-agent tag; off: the window is 24 h.
    pub human_agent: bool,
    /// Messages allowed in any 300 s; at most 200.
    pub send_rate: u32,
    /// When an unknown outcome is put to the agent.
    pub unknown_after_ms: u64,
}

/// What a story mention does. Source: desk rule R-57.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoryMentions {
    /// Starts a conversation like a message.
    CreateConversation,
    /// Is stored, and nothing more.
    TimelineOnly,
    /// Is counted.
    Ignore,
}

/// What can open the reply window. Source: desk rule R-85.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum WindowOpener {
    /// A message.
    Message,
    /// An answer to a story.
    StoryReply,
    /// A mention in a story.
    StoryMention,
    /// A button.
    Postback,
}

impl WindowOpener {
    /// Every opener.
    pub const ALL: [Self; 4] =
        [Self::Message, Self::StoryReply, Self::StoryMention, Self::Postback];
}

/// From which answer the auto-end counts. Source: desk rule R-40.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutoEndBase {
    /// From the newest.
    LastOutbound,
    /// From the first since the customer wrote.
    FirstOutboundSinceInbound,
}

/// What is chosen for one company.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
// Whoever writes settings must not misspell one; whoever reads a record must expect more than it knows.
#[schemars(extend("additionalProperties" = true))]
pub struct CompanySettings {
    /// Time to answer.
    pub inbox_sla_ms: u64,
    /// `sla.due_soon` this share of the target before the due date, in thousandths.
    pub sla_due_soon_permille: u32,
    /// After the due date, `sla.breached` is said again this long behind it, each once, shortest first.
    pub sla_overdue_steps_ms: Vec<u64>,
    /// What inboxes have of their own; of one that is not here the company's counts.
    pub inboxes: BTreeMap<InboxId, InboxSettings>,
    /// When the desk is open, for reports; no due date goes by it.
    pub business_hours: Option<BusinessHours>,
    /// Reactions of customers are shown.
    pub show_customer_reactions: bool,
    /// Conversations routed to an agent by themselves.
    pub standard_capacity: u32,
    /// Conversations an agent can get by Next.
    pub maximum_capacity: u32,
    /// How long an offer stands; 5-300 s.
    pub offer_timeout_ms: u64,
    /// What a decline or miss does to the agent.
    pub after_reject: AfterReject,
    /// Pause after an accept or a contact's end; 0-60 s.
    pub routing_delay_ms: u64,
    /// Within it a customer returns to the same agent, and after it a contact ends by itself.
    pub same_agent_limit_ms: u64,
    /// From which answer that is counted.
    pub auto_end_base: AutoEndBase,
    /// New contacts are offered; off: assigned straight.
    pub inbound_assignment: bool,
    /// The banner shows a preview.
    pub notification_preview: bool,
    /// Within it a closed conversation is reopened.
    pub reopen_window_ms: u64,
    /// Grace before an absent agent's waiting customers are queued again.
    pub requeue_grace_logout_ms: u64,
    /// The same after going Away.
    pub requeue_grace_away_ms: u64,
    /// Away after so long without activity; absent: never.
    pub idle_away_ms: Option<u64>,
    /// Logged out after so long without activity; absent: never.
    pub idle_logout_ms: Option<u64>,
    /// Closing needs a topic.
    pub require_topic_to_close: bool,
    /// Links are written `URL [URL]`.
    pub link_format: bool,
}

/// What a decline or miss does. Source: desk rule R-116.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AfterReject {
    /// No offers until Next.
    PauseUntilNext,
    /// Only the routing delay.
    DelayOnly,
}

/// The id that stands for everything nobody configured.
const DEFAULT_ID: &str = "default";

impl Default for AccountSettings {
    #[expect(clippy::expect_used, reason = "a literal within the bound; held by a test")]
    fn default() -> Self {
        Self {
            company_id: CompanyId::parse(DEFAULT_ID).expect("a valid id"),
            inbox_id: InboxId::parse(DEFAULT_ID).expect("a valid id"),
            account_sla_ms: None,
            echo: true,
            route_on_echo_only: true,
            echo_hold_ms: 10 * SECOND_MS,
            story_mentions: StoryMentions::CreateConversation,
            reply_window_ms: 7 * DAY_MS,
            window_openers: BTreeSet::from(WindowOpener::ALL),
            ad_window_ms: DAY_MS,
            human_agent: true,
            send_rate: 200,
            unknown_after_ms: MINUTE_MS,
        }
    }
}

impl Default for CompanySettings {
    fn default() -> Self {
        Self {
            inbox_sla_ms: HOUR_MS,
            sla_due_soon_permille: 250,
            sla_overdue_steps_ms: Vec::new(),
            inboxes: BTreeMap::new(),
            business_hours: None,
            show_customer_reactions: true,
            standard_capacity: 3,
            maximum_capacity: 5,
            offer_timeout_ms: 30 * SECOND_MS,
            after_reject: AfterReject::PauseUntilNext,
            routing_delay_ms: 15 * SECOND_MS,
            same_agent_limit_ms: 15 * MINUTE_MS,
            auto_end_base: AutoEndBase::LastOutbound,
            inbound_assignment: true,
            notification_preview: true,
            reopen_window_ms: DAY_MS,
            requeue_grace_logout_ms: 0,
            requeue_grace_away_ms: 5 * MINUTE_MS,
            idle_away_ms: None,
            idle_logout_ms: None,
            require_topic_to_close: false,
            link_format: true,
        }
    }
}
