//! From a body to its parts, each with its place, whatever the envelope. Pure.
//!
//! ```text
//! body | [body, …]
//!   entry[]
//!     messaging[] | standby[]   items
//!     changes[] {field, value}  an item, a dashboard test, or no direct message
//!     field, value              the same, flat
//! ```
//!
//! Promise: every body gives at least one part or a fault; nothing in it is passed over in silence; at most
//! [`PARTS_MAX`] parts are read of one body.

use std::fmt;

use crate::domain::event::IgnoreReason;
use crate::domain::time::Timestamp;
use crate::normalize::json::Node;
use crate::normalize::lenient::plain_word;
use crate::normalize::wire::{self, Change, ENTRY, FIELD, Fault, INSTAGRAM, List};

/// Most parts read of one body: ten times what Meta puts into one (platform notes, section 1.4).
pub(super) const PARTS_MAX: usize = 10_000;

/// One thing an envelope holds.
#[derive(Debug)]
pub(super) struct Part<'n> {
    pub(super) place: Place,
    pub(super) entry_id: Option<&'n str>,
    /// When Meta sent the notification.
    pub(super) sent_at: Option<Timestamp>,
    pub(super) what: What<'n>,
    /// What it is made of, for its id.
    pub(super) node: &'n Node<'n>,
}

/// What a part is.
#[derive(Debug)]
pub(super) enum What<'n> {
    /// Something that happened in a thread.
    Item { standby: bool },
    /// The dashboard's "Test" of this field.
    Test { field: &'n str },
    /// Understood, and of no concern.
    Ignored(IgnoreReason, Option<&'n str>),
    /// Cannot be read.
    Fault(Fault),
}

/// Where a part stands in its body, as a JSON path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    body: Option<usize>,
    entry: Option<usize>,
    member: Option<(List, usize)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        if let Some(body) = self.body {
            write!(f, "[{body}]")?;
        }
        if let Some(entry) = self.entry {
            write!(f, ".{ENTRY}[{entry}]")?;
        }
        if let Some((list, member)) = self.member {
            write!(f, ".{}[{member}]", list.name())?;
        }
        Ok(())
    }
}

/// Takes a body apart.
///
/// # Errors
///
/// [`Fault`] when nothing in it can be a webhook.
pub(super) fn parts<'n>(root: &'n Node<'n>) -> Result<Vec<Part<'n>>, Fault> {
    let mut parts = Vec::with_capacity(1);
    match root {
        Node::Map(_) => body(root, Place::default(), &mut parts)?,
        Node::List(bodies) if !bodies.is_empty() => {
            for (index, node) in bodies.iter().enumerate() {
                let place = Place { body: Some(index), ..Place::default() };
                if let Err(fault) = body(node, place, &mut parts) {
                    push(&mut parts, (place, None, None), What::Fault(fault), node);
                }
            }
        }
        Node::List(_) | Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => {
            return Err(Fault::shape(""));
        }
    }
    Ok(parts)
}

type Head<'n> = (Place, Option<&'n str>, Option<Timestamp>);

/// Adds a part; at the bound, one fault stands for everything left out.
fn push<'n>(
    parts: &mut Vec<Part<'n>>,
    (place, entry_id, sent_at): Head<'n>,
    what: What<'n>,
    node: &'n Node<'n>,
) {
    let what = match parts.len() {
        PARTS_MAX.. => return,
        len if len + 1 == PARTS_MAX => What::Fault(Fault::shape("")),
        _ => what,
    };
    parts.push(Part { place, entry_id, sent_at, what, node });
}

fn body<'n>(node: &'n Node<'n>, place: Place, parts: &mut Vec<Part<'n>>) -> Result<(), Fault> {
    let body = wire::body(node)?;
    if body.object != INSTAGRAM {
        let what = What::Ignored(IgnoreReason::WrongObject, plain_word(body.object));
        push(parts, (place, None, None), what, node);
        return Ok(());
    }
    if body.entries.is_empty() {
        let what = What::Ignored(IgnoreReason::UnknownKind, None);
        push(parts, (place, None, None), what, node);
    }
    for (index, node) in body.entries.iter().enumerate() {
        entry(node, Place { entry: Some(index), ..place }, parts);
    }
    Ok(())
}

fn entry<'n>(node: &'n Node<'n>, place: Place, parts: &mut Vec<Part<'n>>) {
    let Some(entry) = wire::entry(node) else {
        push(parts, (place, None, None), What::Fault(Fault::shape("")), node);
        return;
    };
    let head = |place| (place, entry.id, entry.sent_at);
    let before = parts.len();
    for (list, members) in &entry.lists {
        let Some(members) = members else {
            push(parts, head(place), What::Fault(Fault::shape(list.name())), node);
            continue;
        };
        for (index, member) in members.iter().enumerate() {
            let head = head(Place { member: Some((*list, index)), ..place });
            match list {
                List::Messaging => push(parts, head, What::Item { standby: false }, member),
                List::Standby => push(parts, head, What::Item { standby: true }, member),
                List::Changes => match wire::change(member) {
                    Some(found) => change(found, head, member, parts),
                    None => push(parts, head, What::Fault(Fault::shape(FIELD)), member),
                },
            }
        }
    }
    if let Some(flat) = entry.flat {
        change(flat, head(place), node, parts);
    }
    if parts.len() == before {
        let what = What::Ignored(IgnoreReason::UnknownKind, entry.unknown);
        push(parts, head(place), what, node);
    }
}

fn change<'n>(change: Change<'n>, head: Head<'n>, node: &'n Node<'n>, parts: &mut Vec<Part<'n>>) {
    let word = plain_word(change.field);
    let is_item =
        |value: &&Node<'_>| wire::item(value).is_some_and(|item| !item.payloads.is_empty());
    if wire::is_dashboard_test(head.1, change.value) {
        push(parts, head, What::Test { field: word.unwrap_or("unknown") }, node);
    } else if wire::is_public(change.field) {
        push(parts, head, What::Ignored(IgnoreReason::NotADm, word), node);
    } else if let Some(item) = change.value.filter(is_item) {
        push(parts, head, What::Item { standby: false }, item);
    } else {
        push(parts, head, What::Ignored(IgnoreReason::UnknownKind, word), node);
    }
}
