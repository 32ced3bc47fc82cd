//! How and why, as facts say it: one closed list of words for each. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::settings::WindowOpener;

/// How a contact was moved. Source: desk rule R-155.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TransferKind {
    /// Into the queue of the new inbox.
    Cold,
    /// Straight to an agent.
    Warm,
}

/// Who moved a contact. Source: desk rule R-155.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TransferReason {
    /// Somebody, by hand.
    Manual,
}

/// What keeps a reply window open. Source: desk rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowReason {
    /// A message.
    Message,
    /// An answer to a story.
    StoryReply,
    /// A mention in a story.
    StoryMention,
    /// A button.
    Postback,
    /// An ad brought the person here, and that window is the longer one.
    Ad,
}

impl From<WindowOpener> for WindowReason {
    fn from(opener: WindowOpener) -> Self {
        match opener {
            WindowOpener::Message => Self::Message,
            WindowOpener::StoryReply => Self::StoryReply,
            WindowOpener::StoryMention => Self::StoryMention,
            WindowOpener::Postback => Self::Postback,
        }
    }
}

/// How a contact was fulfilled. Source: desk rule R-155.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Fulfilment {
    /// Somebody answered.
    Responded,
    /// No answer was needed.
    Canceled,
}

/// Why a contact ended. Source: desk rule R-37.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EndReason {
    /// The customer stopped answering.
    CustomerNoReply,
    /// The last inbound item needed no answer.
    NoReplyNeeded,
    /// The conversation was closed.
    ConversationClosed,
    /// Merged into another customer's.
    Merged,
    /// The customer was deleted.
    CustomerDeleted,
    /// A new one took its place.
    StartedNew,
}

/// Whether a human answered in a contact. Source: desk rule R-46.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EndStatus {
    /// At least once.
    Answered,
    /// Never.
    Unanswered,
}
