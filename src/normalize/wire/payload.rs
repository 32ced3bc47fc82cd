//! Meta's JSON names below an item: messages, attachments, edits, reactions, reads, postbacks and the rest. Pure.
//!
//! Promise and limits as in [`super`].

use crate::domain::event::{Attachment, Referral, Story, ThreadControl, ThreadControlAction};
use crate::domain::id::{IdError, MessageId};
use crate::domain::time::Timestamp;
use crate::normalize::json::Node;
use crate::normalize::lenient::plain_word;
use crate::normalize::wire::{Fault, flag, several};

/// Longest text or payload taken, in bytes; the platform stops at 1000 characters.
pub(super) const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Longest URL, caption or other decoration kept, in bytes.
const EXTRA_BYTES_MAX: usize = 8 * 1024;
/// Most attachments kept of one message; the platform sends ten at most.
const ATTACHMENTS_MAX: usize = 100;

/// What a message says.
#[derive(Debug)]
pub(in crate::normalize) struct Message<'n> {
    pub(in crate::normalize) mid: Option<MessageId>,
    pub(in crate::normalize) text: Option<&'n str>,
    pub(in crate::normalize) is_unsupported: bool,
    pub(in crate::normalize) is_self: bool,
    pub(in crate::normalize) attachments: Vec<Attachment>,
    pub(in crate::normalize) reply_to_mid: Option<MessageId>,
    pub(in crate::normalize) reply_to_story: Option<Story>,
    pub(in crate::normalize) quick_reply: Option<String>,
    pub(in crate::normalize) referral: Option<Referral>,
    pub(in crate::normalize) folder: Option<String>,
    pub(in crate::normalize) app_id: Option<String>,
}

/// Whether a message says of itself that the business wrote it.
pub(in crate::normalize) fn is_echo(message: &Node<'_>) -> bool {
    flag(message, "is_echo")
}

/// Whether a message was unsent.
pub(in crate::normalize) fn is_deleted(message: &Node<'_>) -> bool {
    flag(message, "is_deleted")
}

/// Of which message an unsending tells.
pub(in crate::normalize) fn deleted_mid(node: &Node<'_>) -> Result<MessageId, Fault> {
    mid(node, "message.mid")?.ok_or(Fault::shape("message.mid"))
}

/// Reads a message.
pub(in crate::normalize) fn message<'n>(node: &'n Node<'n>) -> Result<Message<'n>, Fault> {
    let Node::Map(_) = node else { return Err(Fault::shape("message")) };
    let reply_to = node.get("reply_to");
    let reply_to_mid = reply_to.and_then(|to| to.get("mid")).and_then(Node::id);
    Ok(Message {
        mid: mid(node, "message.mid")?,
        text: text(node, "text", "message.text")?,
        is_unsupported: flag(node, "is_unsupported"),
        is_self: flag(node, "is_self"),
        attachments: attachments(node),
        reply_to_mid: reply_to_mid.and_then(|mid| MessageId::parse(mid).ok()),
        reply_to_story: reply_to.and_then(|to| to.get("story")).map(story),
        quick_reply: node.get("quick_reply").and_then(|reply| extra(reply, "payload")),
        referral: node.get("referral").and_then(referral),
        folder: extra(node, "folder"),
        app_id: extra(node, "app_id"),
    })
}

fn story(node: &Node<'_>) -> Story {
    Story { id: extra(node, "id"), url: extra(node, "url") }
}

/// Reads `attachments` (list or one) and `attachment` (likewise); what is no attachment is one of unknown type.
fn attachments(message: &Node<'_>) -> Vec<Attachment> {
    let mut read = Vec::new();
    for name in ["attachments", "attachment"] {
        let Some(found) = message.get(name) else { continue };
        let nodes = several(found).unwrap_or(std::slice::from_ref(found));
        let nodes = nodes.iter().filter(|node| !matches!(node, Node::Null));
        read.extend(nodes.take(ATTACHMENTS_MAX - read.len()).map(attachment));
    }
    read
}

fn attachment(node: &Node<'_>) -> Attachment {
    const MEDIA_IDS: [&str; 6] =
        ["ig_post_media_id", "reel_video_id", "story_media_id", "sticker_id", "media_id", "id"];
    let kind = node.get("type").and_then(Node::text).and_then(plain_word);
    let payload = node.get("payload").unwrap_or(&Node::Null);
    // Link previews carry these beside the payload.
    let either = |name| extra(payload, name).or_else(|| extra(node, name));
    Attachment {
        kind: kind.unwrap_or("unknown").to_owned(),
        url: either("url"),
        title: either("title").or_else(|| template_title(payload)),
        media_id: MEDIA_IDS.iter().find_map(|name| extra(payload, name)),
    }
}

/// What stands on a structured message's first card.
fn template_title(payload: &Node<'_>) -> Option<String> {
    let elements = payload.get("generic")?.get("elements").and_then(several)?;
    elements.first().and_then(|element| extra(element, "title"))
}

/// Reads a referral; `None` when it says nothing we know.
fn referral(node: &Node<'_>) -> Option<Referral> {
    let read = Referral {
        reference: extra(node, "ref"),
        source: extra(node, "source"),
        kind: extra(node, "type"),
        ad_id: extra(node, "ad_id"),
        ad_title: node.get("ads_context_data").and_then(|ad| extra(ad, "ad_title")),
        product_id: node.get("product").and_then(|product| extra(product, "id")),
    };
    (read != Referral::default()).then_some(read)
}

/// Reads a referral that is an event of its own.
pub(in crate::normalize) fn lone_referral(node: &Node<'_>) -> Result<Referral, Fault> {
    referral(node).ok_or(Fault::shape("referral"))
}

/// An edit: of which message, its newest text, and which edit it is where that is said.
pub(in crate::normalize) fn edit<'n>(
    node: &'n Node<'n>,
) -> Result<(MessageId, &'n str, Option<u32>), Fault> {
    let of = mid(node, "message_edit.mid")?.ok_or(Fault::shape("message_edit.mid"))?;
    // Emptied is a text, left out is not: nothing would be known to replace the old one.
    node.get("text").ok_or(Fault::shape("message_edit.text"))?;
    let said = text(node, "text", "message_edit.text")?.unwrap_or_default();
    let bad_number = Fault::shape("message_edit.num_edit");
    let number = node.get("num_edit").map(|number| number.whole().ok_or(bad_number)).transpose()?;
    let number = number.map(u32::try_from).transpose().or(Err(bad_number))?;
    Ok((of, said, number))
}

/// What was done to a reaction.
#[derive(Debug)]
pub(in crate::normalize) enum ReactionAction<'n> {
    Added,
    Removed,
    /// A word we do not know.
    Other(Option<&'n str>),
}

/// A reaction: on which message, what was done, its name and its emoji.
#[derive(Debug)]
pub(in crate::normalize) struct WireReaction<'n> {
    pub(in crate::normalize) target_mid: MessageId,
    pub(in crate::normalize) action: ReactionAction<'n>,
    pub(in crate::normalize) name: Option<String>,
    pub(in crate::normalize) emoji: Option<String>,
}

/// Reads a reaction.
pub(in crate::normalize) fn reaction<'n>(node: &'n Node<'n>) -> Result<WireReaction<'n>, Fault> {
    let target_mid = mid(node, "reaction.mid")?.ok_or(Fault::shape("reaction.mid"))?;
    let (name, emoji) = (extra(node, "reaction"), extra(node, "emoji"));
    let action = match node.get("action").and_then(Node::text) {
        Some("react") => ReactionAction::Added,
        Some("unreact") => ReactionAction::Removed,
        Some(other) => ReactionAction::Other(plain_word(other)),
        None if name.is_some() || emoji.is_some() => ReactionAction::Added,
        None => return Err(Fault::shape("reaction.action")),
    };
    Ok(WireReaction { target_mid, action, name, emoji })
}

/// Reads a read mark: by message, by moment, or both.
pub(in crate::normalize) fn read_mark(
    node: &Node<'_>,
) -> Result<(Option<MessageId>, Option<Timestamp>), Fault> {
    let (mid, watermark) = (mid(node, "read.mid")?, node.get("watermark").and_then(Node::moment));
    if mid.is_none() && watermark.is_none() {
        Err(Fault::shape("read"))
    } else {
        Ok((mid, watermark))
    }
}

/// A tap on a button.
#[derive(Debug)]
pub(in crate::normalize) struct Postback<'n> {
    pub(in crate::normalize) mid: Option<MessageId>,
    pub(in crate::normalize) title: Option<String>,
    pub(in crate::normalize) payload: &'n str,
    pub(in crate::normalize) referral: Option<Referral>,
}

/// Reads a postback.
pub(in crate::normalize) fn postback<'n>(node: &'n Node<'n>) -> Result<Postback<'n>, Fault> {
    let Node::Map(_) = node else { return Err(Fault::shape("postback")) };
    Ok(Postback {
        mid: mid(node, "postback.mid")?,
        title: extra(node, "title"),
        payload: text(node, "payload", "postback.payload")?.unwrap_or_default(),
        referral: node.get("referral").and_then(referral),
    })
}

/// Reads what became of a thread's ownership.
pub(in crate::normalize) fn control(action: ThreadControlAction, node: &Node<'_>) -> ThreadControl {
    ThreadControl {
        action,
        previous_owner_app_id: extra(node, "previous_owner_app_id"),
        new_owner_app_id: extra(node, "new_owner_app_id"),
        requested_owner_app_id: extra(node, "requested_owner_app_id"),
    }
}

/// Reads what Meta did to the account, and why.
pub(in crate::normalize) fn policy(node: &Node<'_>) -> (String, Option<String>) {
    let action = extra(node, "action").unwrap_or_else(|| "unknown".to_owned());
    (action, extra(node, "reason"))
}

/// What makes an item itself must read: absent is fine, another shape is not.
fn text<'n>(node: &'n Node<'n>, name: &str, at: &'static str) -> Result<Option<&'n str>, Fault> {
    let Some(found) = node.get(name) else { return Ok(None) };
    match found.text() {
        Some("") => Ok(None),
        Some(text) if text.len() <= TEXT_BYTES_MAX => Ok(Some(text)),
        Some(_) | None => Err(Fault::shape(at)),
    }
}

fn mid(node: &Node<'_>, at: &'static str) -> Result<Option<MessageId>, Fault> {
    let Some(found) = node.get("mid") else { return Ok(None) };
    match found.id().map(MessageId::parse) {
        Some(Ok(mid)) => Ok(Some(mid)),
        Some(Err(IdError::Empty)) => Ok(None),
        Some(Err(IdError::TooLong { .. } | IdError::ControlCharacter)) | None => {
            Err(Fault::shape(at))
        }
    }
}

/// Decoration: a text within the bound, or nothing.
fn extra(node: &Node<'_>, name: &str) -> Option<String> {
    let text = node.get(name).and_then(Node::text)?;
    (!text.is_empty() && text.len() <= EXTRA_BYTES_MAX).then(|| text.to_owned())
}
