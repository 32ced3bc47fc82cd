//! What agents and administrators ask for. Pure. Topics `desk.commands` (key thread), `agents.commands` (key company).
//!
//! A command is a wish; its outcome is a [`CommandResult`] on `command.results`, with the rule's own code when it
//! was refused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::details::DetailEdit;
use crate::domain::id::{
    AgentId, ClientMessageId, CommandId, CompanyId, ConversationId, InboxId, MessageId, OfferId,
};
use crate::domain::thread::Thread;
use crate::domain::thread_note::ThreadNote;
use crate::domain::time::Timestamp;

/// An agent's wish about one thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeskCommand {
    /// What is wished; its tag is `type`.
    #[serde(flatten)]
    pub wish: DeskWish,
    /// The same id twice acts once.
    pub command_id: CommandId,
    /// Whose thread.
    #[serde(flatten)]
    pub thread: Thread,
    /// The conversation the agent looked at.
    pub conversation_id: ConversationId,
    /// Who wishes.
    pub agent_id: AgentId,
    /// When the desk received it.
    pub issued_at: Timestamp,
}

/// What an agent can wish about a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DeskWish {
    /// Say something to the person: text first, then images.
    Reply {
        /// The same twice sends once.
        client_message_id: ClientMessageId,
        /// The words; may be empty when images go.
        #[serde(default)]
        text: String,
        /// Public addresses of images.
        #[serde(default)]
        image_urls: Vec<String>,
        /// Written by a rule, not by a person.
        #[serde(default)]
        automatic: bool,
        /// Bytes of the images together, as far as whoever sends them said so.
        #[serde(default, skip_serializing_if = "is_zero")]
        declared_bytes: u64,
    },
    /// Put a heart on what the person wrote.
    Like {
        /// On which message.
        mid: MessageId,
    },
    /// Take the heart off.
    Unlike {
        /// From which message.
        mid: MessageId,
    },
    /// The last inbound item needs no answer.
    NoReplyNeeded {
        /// Which item the agent means.
        mid: MessageId,
    },
    /// End the conversation.
    Close {
        /// The agent confirmed although the customer waits.
        #[serde(default)]
        force: bool,
    },
    /// Open a closed conversation by hand.
    Reopen,
    /// Add a topic.
    AddTopic {
        /// The topic's name.
        topic: String,
    },
    /// Take a topic away.
    RemoveTopic {
        /// The topic's name.
        topic: String,
    },
    /// Write a note for colleagues.
    AddNote {
        /// What it says.
        text: String,
    },
    /// Move the conversation to another inbox, to its queue or straight to an agent.
    Transfer {
        /// Where it goes.
        inbox_id: InboxId,
        /// To whom; left out, it is queued there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_agent_id: Option<AgentId>,
    },
    /// Note what the customer told of themselves.
    EditDetails {
        /// What changes, in order.
        edits: Vec<DetailEdit>,
    },
    /// Somebody looked at a story, and it is gone.
    StoryGone {
        /// The message that shows it.
        mid: MessageId,
    },
    /// This thread's person is another thread's: from now on items go on there.
    Merge {
        /// Whose conversation goes on.
        into: Thread,
        /// The agent made sure that they are one person.
        #[serde(default)]
        confirmed: bool,
    },
    /// Takes the newest merge of this thread back.
    Unmerge,
    /// Erases what this thread's person wrote and what is known of them.
    Erase,
    /// From one thread to another, never from the desk: see ADR 0006.
    Note(ThreadNote),
}

pub(super) fn is_zero<Number: Default + PartialEq>(value: &Number) -> bool {
    *value == Number::default()
}

impl DeskWish {
    /// The `type` tag, for headers and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Reply { .. } => "reply",
            Self::Like { .. } => "like",
            Self::Unlike { .. } => "unlike",
            Self::NoReplyNeeded { .. } => "no_reply_needed",
            Self::Close { .. } => "close",
            Self::Reopen => "reopen",
            Self::AddTopic { .. } => "add_topic",
            Self::RemoveTopic { .. } => "remove_topic",
            Self::AddNote { .. } => "add_note",
            Self::Transfer { .. } => "transfer",
            Self::EditDetails { .. } => "edit_details",
            Self::StoryGone { .. } => "story_gone",
            Self::Merge { .. } => "merge",
            Self::Unmerge => "unmerge",
            Self::Erase => "erase",
            Self::Note(_) => "note",
        }
    }
}

/// An agent's wish about their own work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentCommand {
    /// What is wished; its tag is `type`.
    #[serde(flatten)]
    pub wish: AgentWish,
    /// The same id twice acts once.
    pub command_id: CommandId,
    /// Whose pool of agents.
    pub company_id: CompanyId,
    /// Who wishes; where an administrator alone may, whom it is about.
    pub agent_id: AgentId,
    /// When the desk received it.
    pub issued_at: Timestamp,
}

/// What can be wished about an agent's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentWish {
    /// Start work: logged in, not yet available.
    LogIn,
    /// Stop work.
    LogOut,
    /// Take messaging, or not; switching also clears the latch.
    SetAvailability {
        /// Takes messaging.
        available: bool,
    },
    /// Leave the desk for a while, or come back.
    SetAway {
        /// Is away.
        away: bool,
    },
    /// Take the offer.
    Accept {
        /// Which.
        offer_id: OfferId,
    },
    /// Do not take the offer.
    Decline {
        /// Which.
        offer_id: OfferId,
    },
    /// More work, please.
    Next,
    /// Nothing routed for a while, or again; availability stays as it was.
    SetFocus {
        /// Is in Focus.
        focus: bool,
    },
    /// Nothing routed while the settings page is open.
    SetSettingsPage {
        /// Is on it.
        open: bool,
    },
    /// Still here: not idle.
    StayActive,
    /// Has looked at a conversation of their own.
    See {
        /// Which.
        conversation_id: ConversationId,
        /// When the newest of what was seen happened.
        seen_at: Timestamp,
    },
    /// Says how urgent a conversation is that waits.
    Prioritize {
        /// Which.
        conversation_id: ConversationId,
        /// Higher goes first; 0 is what everybody begins with.
        priority_score: i32,
    },
    /// An administrator's: serves these inboxes alone; absent, every inbox.
    SetInboxes {
        /// Which; at most [`AgentWish::INBOXES_MAX`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inbox_ids: Option<Vec<InboxId>>,
    },
    /// An administrator's: loses all contacts at once, and may not log in.
    Deactivate,
    /// An administrator's: may log in again.
    Reactivate,
}

impl AgentWish {
    /// Inboxes an agent can be given.
    pub const INBOXES_MAX: usize = 200;

    /// Whether an administrator alone may wish it: no sign of the agent's being there.
    #[must_use]
    pub const fn is_administrators(&self) -> bool {
        matches!(self, Self::SetInboxes { .. } | Self::Deactivate | Self::Reactivate)
    }

    /// Whether it does nothing the second time, however late: such commands need not be remembered.
    #[must_use]
    pub const fn may_repeat(&self) -> bool {
        matches!(self, Self::StayActive | Self::See { .. })
    }

    /// The `type` tag, for headers and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LogIn => "log_in",
            Self::LogOut => "log_out",
            Self::SetAvailability { .. } => "set_availability",
            Self::SetAway { .. } => "set_away",
            Self::Accept { .. } => "accept",
            Self::Decline { .. } => "decline",
            Self::Next => "next",
            Self::SetFocus { .. } => "set_focus",
            Self::SetSettingsPage { .. } => "set_settings_page",
            Self::StayActive => "stay_active",
            Self::See { .. } => "see",
            Self::Prioritize { .. } => "prioritize",
            Self::SetInboxes { .. } => "set_inboxes",
            Self::Deactivate => "deactivate",
            Self::Reactivate => "reactivate",
        }
    }
}

/// What became of a command. Topic `command.results`, key command id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandResult {
    /// Which command.
    pub command_id: CommandId,
    /// `None`: carried out. Otherwise why not; then nothing was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// When it was decided.
    pub decided_at: Timestamp,
}

/// Why a command was not carried out. Source: `desk-rules`, the code in the rule named.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Refusal {
    /// the person never wrote.
    CannotInitiate,
    /// the customer waits for an answer.
    CustomerWaiting,
    /// the conversation is closed.
    ConversationClosed,
    /// No such conversation on this thread, or no longer the current one.
    ConversationNotFound,
    /// a topic is required to close.
    TopicRequired,
    /// a newer inbound item exists.
    NotLastMessage,
    /// not something the customer sent.
    NotLikeable,
    /// the message or story is gone.
    TargetUnavailable,
    /// too late to answer.
    ReplyWindowExpired,
    /// too late for an automatic answer.
    AutomationWindowExpired,
    /// the offer is no longer there.
    OfferExpired,
    /// not available in any channel.
    NotAvailable,
    /// at the maximum already.
    AtMaximum,
    /// Not logged in.
    NotLoggedIn,
    /// deactivated by an administrator.
    UserDeactivated,
    /// more than 640 characters.
    TextTooLong,
    /// more than 1000 bytes.
    TextTooManyBytes,
    /// nothing to send.
    EmptyMessage,
    /// more than ten attachments.
    TooManyAttachments,
    /// together more than 5 MB.
    AttachmentsTooLarge,
    /// it came from Instagram.
    FieldReadOnly,
    /// not an address of a JPEG, PNG or GIF over https.
    AttachmentTypeNotSupported,
    /// a merge needs the agent's word that they are one person.
    NotConfirmed,
    /// the profile is merged into another; go there.
    CustomerMerged,
    /// into itself, into one that is merged into this, or of another company.
    CannotMerge,
    /// not merged, or not the last merge, or merged again since.
    CannotUnmerge,
    /// videos cannot be sent.
    VideoNotSupported,
    /// The stage holds all it may for this account or company; try again later.
    Overloaded,
}
