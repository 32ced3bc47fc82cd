//! What threads of one customer say to each other over `desk.commands`, when they are merged and part. Pure.
//!
//! Written and read by the conversation stage alone: ADR 0006. What each word does: `conversation/{merge,part,pass,whose}.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::command::is_zero;
use crate::domain::event::{Author, ContentKind, Event};
use crate::domain::fact::WindowReason;
use crate::domain::id::{AgentId, CommandId, ConversationId, MessageId};
use crate::domain::outbound::SendResult;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// What one thread says to another; written by the conversation stage alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum ThreadNote {
    /// The command's thread takes this one in.
    TakeIn {
        /// Which, and what it brings.
        newcomer: Box<Guest>,
        /// How often it was passed on.
        hops: u8,
    },
    /// The command's thread is asked to let this one go.
    LetGo {
        /// Which.
        guest: Thread,
        /// The command to be answered.
        answer: CommandId,
        /// Threads merged into it before, which go with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inside: Vec<Thread>,
        /// How often it was passed on.
        #[serde(default, skip_serializing_if = "is_zero")]
        hops: u8,
    },
    /// The command's thread is its own again.
    Gone {
        /// The command to be answered.
        answer: CommandId,
        /// Who waits for an answer, if they do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waiting: Option<Box<GuestContact>>,
        /// The messages that came or went meanwhile, which it answers for again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        items: Vec<GuestItem>,
    },
    /// What the person of this thread wrote is erased.
    Forget {
        /// Which.
        guest: Thread,
        /// How often it was passed on.
        #[serde(default, skip_serializing_if = "is_zero")]
        hops: u8,
    },
    /// The message that this guest's merge brought into the preview was changed or unsent.
    Preview {
        /// Which.
        guest: Thread,
        /// What it says now, shortened.
        text: String,
        /// How often it was passed on.
        hops: u8,
    },
    /// An echo on a thread that is its own again: it may be of a send from when it was merged.
    Echo {
        /// What.
        event: Box<Event>,
        /// Who asks, and takes it as native if nobody sent it.
        from: Thread,
        /// How often it was asked on.
        hops: u8,
    },
    /// Something on Instagram that a merged thread passes on.
    Event {
        /// What.
        event: Box<Event>,
        /// How often it was passed on.
        hops: u8,
        /// The thread that passed it on last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<Thread>,
    },
    /// A send's outcome that a merged thread passes on.
    Outcome {
        /// What.
        result: Box<SendResult>,
        /// How often it was passed on.
        hops: u8,
    },
}

/// A thread on its way into another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Guest {
    /// Which.
    #[serde(flatten)]
    pub thread: GuestThread,
    /// Its newest conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Its contact, which ended for this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<GuestContact>,
    /// Threads merged into it before, which come along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub companions: Vec<GuestThread>,
}

/// A thread that is, or is to be, merged, and its reply window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuestThread {
    /// Which.
    pub guest: Thread,
    /// When its person last wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// What opened the window then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_by: Option<WindowReason>,
    /// An ad keeps the window open until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ad_until_at: Option<Timestamp>,
}

/// What a contact that ended `MERGED` leaves to the surviving one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuestContact {
    /// Whose it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// Since when the customer waits, where they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since_at: Option<Timestamp>,
    /// By when they are due an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// The newest inbound item, shortened.
    pub preview: String,
}

/// What is known of a message, beside what it says: a thread that answers for it needs no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuestItem {
    /// The message.
    pub mid: MessageId,
    /// The thread it came on, when that is one merged into the one it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Thread>,
    /// Who wrote it.
    pub author: Author,
    /// What it is.
    pub kind: ContentKind,
    /// When.
    pub occurred_at: Timestamp,
    /// It was unsent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Newest edit; zero for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub num_edit: u32,
    /// An agent's heart is on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub liked: bool,
    /// Newest change of the person's reaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reacted_at: Option<Timestamp>,
    /// That change took it away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reaction_removed: bool,
    /// Its story is shown until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story_expires_at: Option<Timestamp>,
}
