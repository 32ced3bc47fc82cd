//! Meta's JSON names: the one place in this room where they stand. Pure.
//!
//! Promise: what makes an item itself (ids, text, target) is read or refused with the path of what is wrong; what only
//! decorates it (referral, story, folder) is read or left out. Unknown keys are passed over.
//!
//! Not here: who is account and who is person (`sides.rs`), our words for it (`translate.rs`), what a message
//! is (`content.rs`).
//!
//! Source: platform notes, sections 2 and 3.

use crate::domain::event::{
    Attachment, DeadLetterReason, Referral, Story, ThreadControl, ThreadControlAction,
};
use crate::domain::id::{IdError, MessageId};
use crate::domain::time::Timestamp;
use crate::normalize::json::Node;
use crate::normalize::lenient::plain_word;

/// Longest text or payload taken, in bytes; the platform stops at 1000 characters.
pub(super) const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Longest URL, caption or other decoration kept, in bytes.
const EXTRA_BYTES_MAX: usize = 8 * 1024;
/// Most attachments kept of one message; the platform sends ten at most.
const ATTACHMENTS_MAX: usize = 100;

/// The object a webhook must be about.
pub(super) const INSTAGRAM: &str = "instagram";
/// Where an item's author stands, below the item.
pub(super) const SENDER: &str = "sender.id";
/// Where an item's addressee stands, below the item.
pub(super) const RECIPIENT: &str = "recipient.id";

/// Why a part of a body is no event, and where below that part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: DeadLetterReason,
    pub(super) at: &'static str,
}

impl Fault {
    /// The part at `at` has the wrong shape.
    pub(super) const fn shape(at: &'static str) -> Self {
        Self { reason: DeadLetterReason::BadShape, at }
    }

    /// Nobody to attribute it to.
    pub(super) const fn nobody(at: &'static str) -> Self {
        Self { reason: DeadLetterReason::MissingSender, at }
    }
}

/// A webhook body.
#[derive(Debug)]
pub(super) struct Body<'n> {
    pub(super) object: &'n str,
    pub(super) entries: &'n [Node<'n>],
}

/// One value, or as many as the list has: some senders leave the list out where there is one.
fn several<'n>(node: &'n Node<'n>) -> Option<&'n [Node<'n>]> {
    match node {
        Node::List(nodes) => Some(nodes),
        Node::Map(_) => Some(std::slice::from_ref(node)),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => None,
    }
}

/// Reads a body's head; its entries only where it is about Instagram.
pub(super) fn body<'n>(node: &'n Node<'n>) -> Result<Body<'n>, Fault> {
    let object = node.get("object").and_then(Node::text).ok_or(Fault::shape("object"))?;
    if object != INSTAGRAM {
        return Ok(Body { object, entries: &[] });
    }
    let entries = node.get("entry").and_then(several).ok_or(Fault::shape("entry"))?;
    Ok(Body { object, entries })
}

/// A list of an entry and what its members are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Events of threads we own.
    Messaging,
    /// Copies of events of threads another app owns.
    Standby,
    /// `{field, value}`.
    Changes,
}

impl List {
    const ALL: [Self; 3] = [Self::Messaging, Self::Standby, Self::Changes];

    /// Its key in the entry.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Messaging => "messaging",
            Self::Standby => "standby",
            Self::Changes => "changes",
        }
    }
}

/// What one `entry[]` holds.
#[derive(Debug)]
pub(super) struct Entry<'n> {
    /// The account, or in some of Meta's examples the person.
    pub(super) id: Option<&'n str>,
    /// When Meta sent the notification.
    pub(super) sent_at: Option<Timestamp>,
    /// Its lists; `None` for one that is no list.
    pub(super) lists: Vec<(List, Option<&'n [Node<'n>]>)>,
    /// `field` and `value` straight in the entry.
    pub(super) flat: Option<Change<'n>>,
    /// What it has instead of all that, where it is a plain word.
    pub(super) unknown: Option<&'n str>,
}

/// Reads an entry; `None` when it is no object.
pub(super) fn entry<'n>(node: &'n Node<'n>) -> Option<Entry<'n>> {
    let Node::Map(_) = node else { return None };
    let lists = List::ALL.into_iter();
    let lists = lists.filter_map(|list| node.get(list.name()).map(|found| (list, several(found))));
    Some(Entry {
        id: node.get("id").and_then(Node::id),
        sent_at: node.get("time").and_then(Node::moment),
        lists: lists.collect(),
        flat: change(node),
        unknown: unknown_key(node, &["id", "time"]),
    })
}

/// A subscription field and what happened to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'n> {
    pub(super) field: &'n str,
    pub(super) value: Option<&'n Node<'n>>,
}

/// Reads `{field, value}`; `None` when there is no field.
pub(super) fn change<'n>(node: &'n Node<'n>) -> Option<Change<'n>> {
    let field = node.get("field").and_then(Node::text)?;
    Some(Change { field, value: node.get("value") })
}

/// Fields that are no direct messages. Source: platform notes, sections 2.1 and 3.9.
pub(super) fn is_public(field: &str) -> bool {
    matches!(
        field,
        "comments" | "live_comments" | "mentions" | "story_insights" | "story_reactions" | "media"
    )
}

/// The dashboard's "Test" signs its events with these. Source: platform notes, section 2.
pub(super) fn is_dashboard_test(entry_id: Option<&str>, value: Option<&Node<'_>>) -> bool {
    let party = |name| value.and_then(|value| party(value, name).ok().flatten());
    entry_id == Some("0")
        || (party("sender") == Some("12334") && party("recipient") == Some("23245"))
}

/// One member of `messaging` or `standby`.
#[derive(Debug)]
pub(super) struct Item<'n> {
    pub(super) sender: Result<Option<&'n str>, Fault>,
    pub(super) recipient: Result<Option<&'n str>, Fault>,
    pub(super) happened_at: Option<Timestamp>,
    /// The account wrote to itself; on postbacks it stands here.
    pub(super) to_self: bool,
    /// What happened, in a fixed order whatever order the keys had.
    pub(super) payloads: Vec<Payload<'n>>,
    /// What it has instead, where it is a plain word.
    pub(super) unknown: Option<&'n str>,
}

/// What happened, by the item's key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payload<'n> {
    Message(&'n Node<'n>),
    Edit(&'n Node<'n>),
    Reaction(&'n Node<'n>),
    Read(&'n Node<'n>),
    Postback(&'n Node<'n>),
    Referral(&'n Node<'n>),
    Control(ThreadControlAction, &'n Node<'n>),
    Policy(&'n Node<'n>),
}

/// Reads an item's head; `None` when it is no object.
pub(super) fn item<'n>(node: &'n Node<'n>) -> Option<Item<'n>> {
    let Node::Map(_) = node else { return None };
    let payloads = payloads(node);
    let head = ["sender", "recipient", "timestamp", "is_self", "folder"];
    Some(Item {
        sender: party(node, "sender"),
        recipient: party(node, "recipient"),
        happened_at: node.get("timestamp").and_then(Node::moment),
        to_self: flag(node, "is_self"),
        unknown: if payloads.is_empty() { unknown_key(node, &head) } else { None },
        payloads,
    })
}

fn payloads<'n>(node: &'n Node<'n>) -> Vec<Payload<'n>> {
    use ThreadControlAction::{Passed, Requested, RolesChanged, Taken};
    let Node::Map(fields) = node else { return Vec::new() };
    let mut found: Vec<(u8, Payload<'n>)> = Vec::with_capacity(1);
    for (key, value) in fields {
        let (order, payload) = match key.as_ref() {
            "message" => (0, Payload::Message(value)),
            "message_edit" => (1, Payload::Edit(value)),
            "reaction" => (2, Payload::Reaction(value)),
            "read" => (3, Payload::Read(value)),
            "postback" => (4, Payload::Postback(value)),
            "referral" => (5, Payload::Referral(value)),
            "pass_thread_control" => (6, Payload::Control(Passed, value)),
            "take_thread_control" => (7, Payload::Control(Taken, value)),
            "request_thread_control" => (8, Payload::Control(Requested, value)),
            "app_roles" => (9, Payload::Control(RolesChanged, value)),
            "policy_enforcement" | "policy-enforcement" => (10, Payload::Policy(value)),
            _ => continue,
        };
        // The last of two equal keys wins, and null is an absent key.
        found.retain(|(other, _)| *other != order);
        if !matches!(value, Node::Null) {
            found.push((order, payload));
        }
    }
    found.sort_by_key(|(order, _)| *order);
    found.into_iter().map(|(_, payload)| payload).collect()
}

/// The first key by the alphabet that is not in `known`, is not null and is a plain word.
fn unknown_key<'n>(node: &'n Node<'n>, known: &[&str]) -> Option<&'n str> {
    let Node::Map(fields) = node else { return None };
    let set = fields.iter().filter(|(_, value)| !matches!(value, Node::Null));
    let keys = set.filter_map(|(key, _)| plain_word(key));
    keys.filter(|key| !known.contains(key)).min()
}

/// `{"id": …}` under `name`, or the id itself; `None` where there is none.
fn party<'n>(node: &'n Node<'n>, name: &'static str) -> Result<Option<&'n str>, Fault> {
    let at = if name == "sender" { SENDER } else { RECIPIENT };
    let Some(found) = node.get(name) else { return Ok(None) };
    let id = if let Node::Map(_) = found { found.get("id") } else { Some(found) };
    let Some(id) = id else { return Ok(None) };
    let text = id.id().ok_or(Fault::shape(at))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// What a message says.
#[derive(Debug)]
pub(super) struct Message<'n> {
    pub(super) mid: Option<MessageId>,
    pub(super) text: Option<&'n str>,
    pub(super) is_unsupported: bool,
    pub(super) is_self: bool,
    pub(super) attachments: Vec<Attachment>,
    pub(super) reply_to_mid: Option<MessageId>,
    pub(super) reply_to_story: Option<Story>,
    pub(super) quick_reply: Option<String>,
    pub(super) referral: Option<Referral>,
    pub(super) folder: Option<String>,
    pub(super) app_id: Option<String>,
}

/// Whether a message says of itself that the business wrote it.
pub(super) fn is_echo(message: &Node<'_>) -> bool {
    flag(message, "is_echo")
}

/// Whether a message was unsent.
pub(super) fn is_deleted(message: &Node<'_>) -> bool {
    flag(message, "is_deleted")
}

/// Reads a message.
pub(super) fn message<'n>(node: &'n Node<'n>) -> Result<Message<'n>, Fault> {
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
        title: either("title"),
        media_id: MEDIA_IDS.iter().find_map(|name| extra(payload, name)),
    }
}

/// Reads a referral; `None` when it says nothing we know.
pub(super) fn referral(node: &Node<'_>) -> Option<Referral> {
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

/// An edit: of which message, its newest text, and which edit it is where that is said.
pub(super) fn edit<'n>(node: &'n Node<'n>) -> Result<(MessageId, &'n str, Option<u32>), Fault> {
    let of = mid(node, "message_edit.mid")?.ok_or(Fault::shape("message_edit.mid"))?;
    let said = text(node, "text", "message_edit.text")?.unwrap_or_default();
    let bad_number = Fault::shape("message_edit.num_edit");
    let number = node.get("num_edit").map(|number| number.whole().ok_or(bad_number)).transpose()?;
    let number = number.map(u32::try_from).transpose().or(Err(bad_number))?;
    Ok((of, said, number))
}

/// What was done to a reaction.
#[derive(Debug)]
pub(super) enum ReactionAction<'n> {
    Added,
    Removed,
    /// A word we do not know.
    Other(Option<&'n str>),
}

/// A reaction: on which message, what was done, its name and its emoji.
#[derive(Debug)]
pub(super) struct WireReaction<'n> {
    pub(super) target_mid: MessageId,
    pub(super) action: ReactionAction<'n>,
    pub(super) name: Option<String>,
    pub(super) emoji: Option<String>,
}

/// Reads a reaction.
pub(super) fn reaction<'n>(node: &'n Node<'n>) -> Result<WireReaction<'n>, Fault> {
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
pub(super) fn read_mark(node: &Node<'_>) -> Result<(Option<MessageId>, Option<Timestamp>), Fault> {
    let (mid, watermark) = (mid(node, "read.mid")?, node.get("watermark").and_then(Node::moment));
    if mid.is_none() && watermark.is_none() {
        Err(Fault::shape("read"))
    } else {
        Ok((mid, watermark))
    }
}

/// A tap on a button.
#[derive(Debug)]
pub(super) struct Postback<'n> {
    pub(super) mid: Option<MessageId>,
    pub(super) title: Option<String>,
    pub(super) payload: &'n str,
    pub(super) referral: Option<Referral>,
}

/// Reads a postback.
pub(super) fn postback<'n>(node: &'n Node<'n>) -> Result<Postback<'n>, Fault> {
    let Node::Map(_) = node else { return Err(Fault::shape("postback")) };
    Ok(Postback {
        mid: mid(node, "postback.mid")?,
        title: extra(node, "title"),
        payload: text(node, "payload", "postback.payload")?.unwrap_or_default(),
        referral: node.get("referral").and_then(referral),
    })
}

/// Reads what became of a thread's ownership.
pub(super) fn control(action: ThreadControlAction, node: &Node<'_>) -> ThreadControl {
    ThreadControl {
        action,
        previous_owner_app_id: extra(node, "previous_owner_app_id"),
        new_owner_app_id: extra(node, "new_owner_app_id"),
        requested_owner_app_id: extra(node, "requested_owner_app_id"),
    }
}

/// Reads what Meta did to the account, and why.
pub(super) fn policy(node: &Node<'_>) -> (String, Option<String>) {
    let action = extra(node, "action").unwrap_or_else(|| "unknown".to_owned());
    (action, extra(node, "reason"))
}

fn flag(node: &Node<'_>, name: &str) -> bool {
    node.get(name).is_some_and(Node::flag)
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
