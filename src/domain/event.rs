//! Normalized events: what happened on Instagram, in our words. Pure.
//!
//! One webhook body becomes any number of these; each names its account, its person and its two times.
//! Topic `events.normalized`, key thread. Not here: Meta's JSON (`normalize/wire.rs`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::id::{AccountId, EventId, MessageId, PersonId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// One thing that happened on Instagram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Event {
    /// What happened; its tag is `type`.
    #[serde(flatten)]
    pub kind: EventKind,
    /// Stable id for dedupe, also the record's `ce_id`: equal for the same event read again.
    pub event_id: EventId,
    /// The business account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// The person, whichever side wrote; absent only where the platform names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_id: Option<PersonId>,
    /// When it happened, by the platform's clock; the receipt time where the platform gives none.
    pub occurred_at: Timestamp,
    /// When our edge received the webhook.
    pub received_at: Timestamp,
    /// The message's id, where the platform gives one: the message itself, or the one edited, deleted or read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid: Option<MessageId>,
}

impl Event {
    /// The thread it belongs to; `None` when account or person is not named.
    #[must_use]
    pub fn thread(&self) -> Option<Thread> {
        Some(Thread { account_id: self.account_id.clone()?, person_id: self.person_id.clone()? })
    }
}

/// What happened. Closed: what Meta adds becomes `unsupported`, `unknown` or `ignored` at the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type")]
pub enum EventKind {
    /// The person wrote, replied to a story, mentioned us or shared something.
    #[serde(rename = "message.received")]
    MessageReceived(MessageBody),
    /// The business wrote, by whatever route: our call, the app, another program.
    #[serde(rename = "message.echoed")]
    MessageEchoed(MessageBody),
    /// A message's text was changed by its author.
    #[serde(rename = "message.edited")]
    MessageEdited {
        /// The newest text.
        text: String,
        /// Which edit this is; the highest wins.
        num_edit: u32,
    },
    /// A message was unsent by its author.
    #[serde(rename = "message.deleted")]
    MessageDeleted {
        /// Who had written it.
        direction: Direction,
    },
    /// The person has seen our messages up to `mid` or up to `watermark_at`.
    #[serde(rename = "message.read")]
    MessageRead {
        /// Everything we sent up to this moment was seen; the Messenger form.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        watermark_at: Option<Timestamp>,
    },
    /// A reaction was put on a message.
    #[serde(rename = "reaction.added")]
    ReactionAdded(Reaction),
    /// A reaction was taken off a message.
    #[serde(rename = "reaction.removed")]
    ReactionRemoved(Reaction),
    /// An ice breaker, menu entry or button was tapped.
    #[serde(rename = "postback.received")]
    PostbackReceived {
        /// What the person saw on the button.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Free text the business attached to the button; not always JSON.
        payload: String,
        /// How the person came here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        referral: Option<Referral>,
    },
    /// The person followed a link into an existing thread.
    #[serde(rename = "referral.received")]
    ReferralReceived {
        /// How the person came here.
        referral: Referral,
    },
    /// Another app got, took or asked for the thread.
    #[serde(rename = "thread.control")]
    ThreadControl(ThreadControl),
    /// Meta said something about the account's standing.
    #[serde(rename = "account.policy")]
    AccountPolicy {
        /// What Meta did: `block`, `unblock`, `warning` or what it says next.
        action: String,
        /// Meta's reason, where it gives one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The app dashboard's "Test" button was pressed.
    #[serde(rename = "webhook.test")]
    WebhookTest {
        /// The subscription field tested.
        field: String,
    },
    /// Understood and of no concern to a conversation; counted by reason.
    #[serde(rename = "ignored")]
    Ignored {
        /// Why.
        reason: IgnoreReason,
        /// Meta's name for what we ignored, as far as it is a plain bounded word.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        what: Option<String>,
    },
    /// Can never be an event; on the wire a record of `dead-letters` with source position and bytes.
    #[serde(rename = "dead_letter")]
    DeadLetter {
        /// Why.
        reason: DeadLetterReason,
        /// Where in the body, for people: a JSON path or byte position; never content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
}

impl EventKind {
    /// The `type` tag, for headers, metrics and logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MessageReceived(_) => "message.received",
            Self::MessageEchoed(_) => "message.echoed",
            Self::MessageEdited { .. } => "message.edited",
            Self::MessageDeleted { .. } => "message.deleted",
            Self::MessageRead { .. } => "message.read",
            Self::ReactionAdded(_) => "reaction.added",
            Self::ReactionRemoved(_) => "reaction.removed",
            Self::PostbackReceived { .. } => "postback.received",
            Self::ReferralReceived { .. } => "referral.received",
            Self::ThreadControl(_) => "thread.control",
            Self::AccountPolicy { .. } => "account.policy",
            Self::WebhookTest { .. } => "webhook.test",
            Self::Ignored { .. } => "ignored",
            Self::DeadLetter { .. } => "dead_letter",
        }
    }
}

/// A message, whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageBody {
    /// What it is and says.
    pub content: Content,
    /// What hangs on it, in the platform's order.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// The message this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to_mid: Option<MessageId>,
    /// The story answered or mentioned in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story: Option<Story>,
    /// Payload of the quick reply tapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quick_reply: Option<String>,
    /// How the person came here: ad, link, shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<Referral>,
    /// A read-only copy: another app owns the thread.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
    /// The account wrote to itself: a test.
    #[serde(default, rename = "self", skip_serializing_if = "std::ops::Not::not")]
    pub to_self: bool,
    /// The folder the platform named, as it named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The app that sent an echoed message, where the platform says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
}

/// What a message is and says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Content {
    /// What it is.
    pub kind: ContentKind,
    /// What it says; absent where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What a message is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ContentKind {
    /// Words.
    Text,
    /// Image, video, audio or file.
    Media,
    /// A post, reel or link passed on.
    Share,
    /// The person mentioned the account in their story.
    StoryMention,
    /// An answer to one of the account's stories.
    StoryReply,
    /// A story passed on.
    StoryShare,
    /// A heart sent as a message.
    Like,
    /// A structured message of the business.
    Template,
    /// The platform says it cannot give us this one.
    Unsupported,
    /// A kind we do not know yet.
    Unknown,
    /// Nothing in it.
    Empty,
}

/// Something hanging on a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Attachment {
    /// The platform's type word: `image`, `video`, `audio`, `file`, `share`, `story_mention`, `ig_reel`, `reel`,
    /// `ig_post`, `ephemeral`, `template`, … or one we do not know.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is; it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Caption of a shared post or reel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The platform's id of the shared post, reel or sticker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_id: Option<String>,
}

/// A story on Instagram; lives 24 hours at most. Only URL and id are kept, never the media.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Story {
    /// The story's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where it is; it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A reaction on a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reaction {
    /// The message reacted to.
    pub target_mid: MessageId,
    /// The platform's word: `love`, `like`, `other`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaction: Option<String>,
    /// What the person picked; the truth where `reaction` is `other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// Who reacted: `inbound` the person, `outbound` the business.
    #[serde(default = "Direction::inbound")]
    pub direction: Direction,
}

/// How a person came to the thread.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Referral {
    /// The link's own mark.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// `ADS`, a link, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// `OPEN_THREAD`, …
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The ad clicked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ad_id: Option<String>,
    /// The ad's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ad_title: Option<String>,
    /// The shop product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
}

/// Another app got, took or asked for the thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadControl {
    /// What happened.
    pub action: ThreadControlAction,
    /// Who had the thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_owner_app_id: Option<String>,
    /// Who has it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_owner_app_id: Option<String>,
    /// Who asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_owner_app_id: Option<String>,
}

/// What happened to the thread's ownership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThreadControlAction {
    /// The owner gave it away.
    Passed,
    /// Somebody took it.
    Taken,
    /// Somebody asked for it.
    Requested,
    /// The roles of apps changed.
    RolesChanged,
}

/// Who wrote an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The person.
    Customer,
    /// Somebody of the business, elsewhere.
    NativeApp,
    /// An agent of ours, or a rule.
    Desk,
}

/// Which way a message went.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the person to the business.
    Inbound,
    /// From the business to the person.
    Outbound,
}

impl Direction {
    const fn inbound() -> Self {
        Self::Inbound
    }
}

/// Why an event is of no concern to a conversation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum IgnoreReason {
    /// `object` is not `instagram`.
    WrongObject,
    /// Comments, mentions under posts, insights.
    NotADm,
    /// Not one of our accounts.
    UnknownAccount,
    /// An item of a kind we do not know.
    UnknownKind,
}

impl IgnoreReason {
    /// Every reason, so that each has a series from the start.
    pub const ALL: [Self; 4] =
        [Self::WrongObject, Self::NotADm, Self::UnknownAccount, Self::UnknownKind];

    /// The reason as a label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WrongObject => "wrong_object",
            Self::NotADm => "not_a_dm",
            Self::UnknownAccount => "unknown_account",
            Self::UnknownKind => "unknown_kind",
        }
    }
}

/// Why bytes can never be an event.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterReason {
    /// Not JSON, or nested beyond the bound.
    BadJson,
    /// JSON, but no webhook, or a part of it of the wrong shape.
    BadShape,
    /// Nobody to attribute it to.
    MissingSender,
    /// A record of our own topics that does not read as what it must be.
    BadRecord,
}

impl DeadLetterReason {
    /// Every reason, so that each has a series from the start.
    pub const ALL: [Self; 4] =
        [Self::BadJson, Self::BadShape, Self::MissingSender, Self::BadRecord];

    /// The reason as a label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadShape => "bad_shape",
            Self::MissingSender => "missing_sender",
            Self::BadRecord => "bad_record",
        }
    }
}
