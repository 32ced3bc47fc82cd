//! What is to go out, and what became of it. Pure. Topics `outbound.sends` (key account), `outbound.results` (key thread).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::id::{ConversationId, ItemId, MessageId, SendId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// One part of one item, to be put on the wire once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutboundSend {
    /// What to send; its tag is `type`.
    #[serde(flatten)]
    pub part: SendPart,
    /// The same on every attempt.
    pub send_id: SendId,
    /// The item it is part of.
    pub item_id: ItemId,
    /// To whom, from which account.
    #[serde(flatten)]
    pub thread: Thread,
    /// In which conversation.
    pub conversation_id: ConversationId,
    /// When the agent pressed Send.
    pub requested_at: Timestamp,
    /// Not to be tried after this moment.
    pub expires_at: Timestamp,
    /// From this moment on it needs the tag `HUMAN_AGENT`.
    pub tag_from_at: Timestamp,
    /// Written by a rule, not by a person: never tagged, after human messages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub automatic: bool,
}

/// What one part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SendPart {
    /// Words.
    Text {
        /// At most 1000 bytes.
        text: String,
    },
    /// One to ten images in one message.
    Images {
        /// Public addresses.
        urls: Vec<String>,
    },
    /// A heart on a message.
    React {
        /// On which.
        mid: MessageId,
    },
    /// The heart off a message.
    Unreact {
        /// Off which.
        mid: MessageId,
    },
}

impl SendPart {
    /// The `type` tag, for headers and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Images { .. } => "images",
            Self::React { .. } => "react",
            Self::Unreact { .. } => "unreact",
        }
    }
}

/// What became of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SendResult {
    /// The outcome; its tag is `outcome`.
    #[serde(flatten)]
    pub outcome: SendOutcome,
    /// Which part.
    pub send_id: SendId,
    /// The item it is part of.
    pub item_id: ItemId,
    /// To whom, from which account.
    #[serde(flatten)]
    pub thread: Thread,
    /// In which conversation.
    pub conversation_id: ConversationId,
    /// How often the platform was called.
    pub attempts: u32,
    /// When this outcome was known.
    pub settled_at: Timestamp,
}

/// The outcome of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum SendOutcome {
    /// The platform took it.
    Accepted {
        /// The mid its echo will carry; reactions have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mid: Option<MessageId>,
    },
    /// The platform will never take it, or it was too late to try.
    Failed {
        /// Closed word, see [`FailureCode`].
        code: FailureCode,
        /// The platform's code, where it gave one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        platform_code: Option<u32>,
        /// The platform's subcode, where it gave one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        platform_subcode: Option<u32>,
    },
    /// Nobody knows whether it went out; its echo will tell, it is never repeated blindly.
    Unknown,
}

impl SendOutcome {
    /// The `outcome` tag, for headers and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Failed { .. } => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a part failed for good.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// The platform refused the message.
    Refused,
    /// The reply window was over before it could be tried.
    WindowExpired,
    /// The person cannot be reached.
    PersonUnavailable,
    /// The account's connection is down and stayed down.
    AccountDown,
    /// Tried as often as allowed.
    RetriesExhausted,
    /// The account has more waiting than may wait.
    Overloaded,
}
