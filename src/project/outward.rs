//! Items in the words other desks use: `INSTAGRAM_DIRECT {content, attachments[]}` with what Instagram adds. Pure.
//!
//! A mapping and nothing more: what is shown is decided in `shown`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::broker::record::rfc3339;
use crate::domain::event::{Attachment, ContentKind, Direction};
use crate::domain::id::{AgentId, ConversationId, CustomerId};
use crate::domain::outbound::FailureCode;
use crate::domain::time::Timestamp;
use crate::project::view::{
    ConversationDetail, Delivery, Entry, EntryBody, ItemEntry, ShownReaction, StoryState,
};

/// The items of a conversation, outwardly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutwardItems {
    /// Oldest first.
    pub items: Vec<OutwardItem>,
}

/// One item, outwardly. Source: desk rule R-156.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutwardItem {
    /// The item.
    pub id: String,
    /// In which conversation.
    pub conversation_id: ConversationId,
    /// Whose.
    pub customer_id: CustomerId,
    /// When, as RFC 3339.
    pub timestamp: String,
    /// Who wrote it.
    pub initiator: OutwardInitiator,
    /// What it is.
    pub content: OutwardContent,
}

/// Who wrote an item, outwardly; an echo is the system's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutwardInitiator {
    /// `CUSTOMER`, `AGENT` or `SYSTEM`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Who; absent for the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What an item is, outwardly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutwardContent {
    /// Always `INSTAGRAM_DIRECT`.
    #[serde(rename = "type")]
    pub channel: &'static str,
    /// What is shown in words.
    pub content: String,
    /// What hangs on it.
    pub attachments: Vec<OutwardAttachment>,
    /// What kind of item, where it is not plain.
    pub subtype: Subtype,
    /// The story it shows or answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub story: Option<OutwardStory>,
    /// The message it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Written in the Instagram app or another program.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub echo: bool,
    /// When the customer had seen it, as RFC 3339; of outbound items alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<String>,
    /// How far it got; of outbound items alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<OutwardDelivery>,
    /// The customer's reaction on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reaction: Option<ShownReaction>,
}

/// Something hanging on an item, outwardly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutwardAttachment {
    /// The platform's word.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What kind of item it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subtype {
    /// Words, pictures, shares.
    Text,
    /// A mention in a story.
    StoryMention,
    /// An answer to a story.
    StoryReply,
    /// A heart sent as a message.
    Reaction,
    /// The platform does not give it.
    Unsupported,
    /// Unsent.
    Deleted,
}

/// A story, outwardly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutwardStory {
    /// The story.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether it can still be looked at.
    pub state: StoryState,
}

/// How far an outbound item got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutwardDelivery {
    /// So far.
    pub state: Delivery,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<FailureCode>,
}

/// A conversation's items, outwardly; `reads` says up to where the customer had read, and when, oldest first.
#[must_use]
pub fn outward_items(
    detail: &ConversationDetail,
    reads: &[(Timestamp, Timestamp)],
) -> OutwardItems {
    let outward = |entry: &Entry| match &entry.body {
        EntryBody::Item(item) => Some(outward(detail, (entry.occurred_at, item), reads)),
        EntryBody::Event(_) => None,
    };
    OutwardItems { items: detail.items.iter().filter_map(outward).collect() }
}

fn outward(
    detail: &ConversationDetail,
    (at, item): (Timestamp, &ItemEntry),
    reads: &[(Timestamp, Timestamp)],
) -> OutwardItem {
    let is_outbound = item.direction == Direction::Outbound;
    let read_at = reads.iter().find(|(up_to, _)| is_outbound && at <= *up_to);
    OutwardItem {
        id: item.item_id.as_str().to_owned(),
        conversation_id: detail.conversation.conversation_id.clone(),
        customer_id: detail.customer.customer_id.clone(),
        timestamp: rfc3339(at),
        initiator: initiator(item, &detail.customer.customer_id),
        content: OutwardContent {
            channel: "INSTAGRAM_DIRECT",
            content: item.text.clone().unwrap_or_default(),
            attachments: item.attachments.iter().map(attachment).collect(),
            subtype: subtype(item),
            story: item
                .story
                .as_ref()
                .map(|story| OutwardStory { id: story.id.clone(), state: story.state }),
            reply_to: item.reply_to_mid.as_ref().map(|mid| mid.as_str().to_owned()),
            echo: item.native_app,
            read_at: read_at.map(|(_, read_at)| rfc3339(*read_at)),
            delivery: item.state.map(|state| OutwardDelivery { state, code: item.failure }),
            reaction: item.reaction.clone(),
        },
    }
}

fn initiator(item: &ItemEntry, customer: &CustomerId) -> OutwardInitiator {
    let agent = item.agent_id.as_ref().map(AgentId::as_str);
    let (kind, id) = match (item.direction, agent) {
        (Direction::Inbound, _) => ("CUSTOMER", Some(customer.as_str())),
        (Direction::Outbound, Some(agent)) => ("AGENT", Some(agent)),
        (Direction::Outbound, None) => ("SYSTEM", None),
    };
    OutwardInitiator { kind, id: id.map(str::to_owned) }
}

fn attachment(attachment: &Attachment) -> OutwardAttachment {
    OutwardAttachment { kind: attachment.kind.clone(), url: attachment.url.clone() }
}

const fn subtype(item: &ItemEntry) -> Subtype {
    if item.deleted {
        return Subtype::Deleted;
    }
    match item.kind {
        ContentKind::StoryMention => Subtype::StoryMention,
        ContentKind::StoryReply => Subtype::StoryReply,
        ContentKind::Like => Subtype::Reaction,
        ContentKind::Unsupported | ContentKind::Unknown => Subtype::Unsupported,
        ContentKind::Text
        | ContentKind::Media
        | ContentKind::Share
        | ContentKind::StoryShare
        | ContentKind::Template
        | ContentKind::Empty => Subtype::Text,
    }
}
