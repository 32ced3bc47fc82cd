//! Meta's JSON names: the one place in this room where they stand; below an item in `wire/payload.rs`. Pure.
//!
//! Promise: what makes an item itself (ids, text, target) is read or refused with the path of what is wrong; what only
//! decorates it (referral, story, folder) is read or left out. Unknown keys are passed over.
//!
//! Not here: who is account and who is person (`sides.rs`), our words for it (`translate.rs`), what a message
//! is (`content.rs`).
//!
//! Source: platform notes, sections 2 and 3.

mod payload;

pub(super) use payload::{
    Message, ReactionAction, WireReaction, control, deleted_mid, edit, is_deleted, is_echo,
    lone_referral, message, policy, postback, reaction, read_mark,
};

use crate::domain::event::{DeadLetterReason, ThreadControlAction};
use crate::domain::time::Timestamp;
use crate::normalize::json::Node;
use crate::normalize::lenient::plain_word;

/// The object a webhook must be about.
pub(super) const INSTAGRAM: &str = "instagram";
/// The list of entries, in paths.
pub(super) const ENTRY: &str = "entry";
/// What names a change, in paths.
pub(super) const FIELD: &str = "field";
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
    let entries = node.get(ENTRY).and_then(several).ok_or(Fault::shape(ENTRY))?;
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
    let field = node.get(FIELD).and_then(Node::text)?;
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

fn flag(node: &Node<'_>, name: &str) -> bool {
    node.get(name).is_some_and(Node::flag)
}
