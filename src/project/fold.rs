//! What one fact, or one snapshot, does to what is kept of its thread. Pure.
//!
//! Promise: a fact whose number was seen changes nothing; a snapshot older than the one held changes nothing.
//! The log may begin in the middle of a thread (old facts are dropped by retention): what a fact refers to and is not
//! there is passed over.

use std::collections::VecDeque;

use crate::domain::customer::PLACEHOLDER_NAME;
use crate::domain::event::Direction;
use crate::domain::fact::{ConversationSnapshot, Fact, FactBody, Initiator, Item, Status};
use crate::domain::id::{AgentId, ConversationId, InboxId, ItemId, MessageId, SendId};
use crate::project::row::{ConversationRow, EntryRow, EntryRowBody, ItemRow, Part, ThreadRow};
use crate::project::said::said;

/// The inbox of a conversation no fact has named one for.
const NO_INBOX: &str = "unknown";

/// The thread after `fact`; at most `entries_max` entries a conversation, the oldest go first.
pub(crate) fn fold(mut row: ThreadRow, fact: &Fact, entries_max: usize) -> ThreadRow {
    if fact.number <= row.last_number {
        return row;
    }
    row.last_number = fact.number;
    if let FactBody::MessageRead { read_up_to_at } = &fact.body {
        row.read(*read_up_to_at, fact.occurred_at);
    }
    if let FactBody::CustomerDeleted { .. } = &fact.body {
        row.conversations.clear();
        row.loose.clear();
        row.read_up_to_at = None;
        row.reads.clear();
        return row;
    }
    let Some(id) = &fact.conversation_id else { return row };
    restate(&mut row, id, fact);
    change_item(&mut row, id, fact);
    if let Some(conversation) = row.conversations.get_mut(id) {
        if let Some((text, agent)) = said(&fact.body) {
            let agent = agent.or_else(|| agent_of(&fact.initiator)).cloned();
            let body = EntryRowBody::Event(fact.body.name(), text, agent);
            conversation.entries.push_back(entry(fact, body));
        }
        while conversation.entries.len() > entries_max {
            conversation.entries.pop_front();
            conversation.omitted += 1;
        }
    }
    row
}

/// The thread after a snapshot of one of its conversations.
pub(crate) fn fold_snapshot(mut row: ThreadRow, snapshot: ConversationSnapshot) -> ThreadRow {
    row.read_up_to_at = row.read_up_to_at.max(snapshot.read_up_to_at);
    let id = snapshot.conversation_id.clone();
    match row.conversations.get_mut(&id) {
        Some(held) if snapshot.as_of_number >= held.snapshot.as_of_number => {
            held.snapshot = snapshot;
        }
        Some(_) => (),
        None => {
            let fresh = ConversationRow { snapshot, entries: VecDeque::new(), omitted: 0 };
            row.conversations.insert(id, fresh);
        }
    }
    row
}

/// What the fact says about the conversation as a whole, where no snapshot says it already.
///
/// Snapshots of a thread's older conversations are compacted away: their facts alone have to do.
fn restate(row: &mut ThreadRow, id: &ConversationId, fact: &Fact) {
    if !row.conversations.contains_key(id) {
        let Some(snapshot) = provisional(id, fact) else { return };
        let fresh = ConversationRow { snapshot, entries: VecDeque::new(), omitted: 0 };
        row.conversations.insert(id.clone(), fresh);
    }
    let Some(conversation) = row.conversations.get_mut(id) else { return };
    let snapshot = &mut conversation.snapshot;
    if fact.number <= snapshot.as_of_number {
        return;
    }
    if let Some(inbox) = &fact.inbox_id {
        snapshot.inbox_id.clone_from(inbox);
    }
    if is_item(&fact.body) {
        snapshot.last_item_at = snapshot.last_item_at.max(fact.occurred_at);
        snapshot.items += 1;
    }
    let Some((status, agent)) = standing(&fact.body) else { return };
    snapshot.status = status;
    match agent {
        Hold::By(agent) => snapshot.agent_id = Some(agent.clone()),
        Hold::Nobody => snapshot.agent_id = None,
        Hold::AsBefore => (),
    }
}

/// In whose hands a conversation is after a fact.
enum Hold<'a> {
    By(&'a AgentId),
    Nobody,
    AsBefore,
}

/// Where a conversation stands after a fact; `None` where the fact says nothing about it.
const fn standing(body: &FactBody) -> Option<(Status, Hold<'_>)> {
    match body {
        FactBody::ConversationCreated | FactBody::ContactQueued => {
            Some((Status::New, Hold::Nobody))
        }
        FactBody::ContactUnassigned { .. } => Some((Status::New, Hold::Nobody)),
        FactBody::ContactAccepted { agent_id, .. } | FactBody::ContactAssigned { agent_id, .. } => {
            Some((Status::Open, Hold::By(agent_id)))
        }
        FactBody::ContactEnded { .. } => Some((Status::Waiting, Hold::AsBefore)),
        FactBody::ConversationReopened => Some((Status::Open, Hold::AsBefore)),
        FactBody::ConversationClosed => Some((Status::Closed, Hold::AsBefore)),
        FactBody::CustomerCreated { .. }
        | FactBody::CustomerUpdated { .. }
        | FactBody::CustomerMerged { .. }
        | FactBody::CustomerUnmerged { .. }
        | FactBody::CustomerDeleted { .. }
        | FactBody::ContactTransferred { .. }
        | FactBody::MessageRecognised { .. }
        | FactBody::MessageRefused { .. }
        | FactBody::StoryUnavailable { .. }
        | FactBody::ContactStarted { .. }
        | FactBody::ContactOffered { .. }
        | FactBody::ContactRejected { .. }
        | FactBody::ContactRescinded { .. }
        | FactBody::ContactFulfilled { .. }
        | FactBody::MessageReceived(_)
        | FactBody::MessageQueued(_)
        | FactBody::MessageSent(_)
        | FactBody::MessageFailed { .. }
        | FactBody::MessageUnknown { .. }
        | FactBody::MessageDeleted { .. }
        | FactBody::MessageEdited { .. }
        | FactBody::MessageRead { .. }
        | FactBody::ReactionAdded { .. }
        | FactBody::ReactionRemoved { .. }
        | FactBody::MessageLiked { .. }
        | FactBody::MessageUnliked { .. }
        | FactBody::StoryExpired { .. }
        | FactBody::SlaStarted { .. }
        | FactBody::SlaDueSoon { .. }
        | FactBody::SlaCleared { .. }
        | FactBody::SlaReinstated { .. }
        | FactBody::SlaBreached { .. }
        | FactBody::ReplyWindowExpiring { .. }
        | FactBody::ReplyWindowExpired { .. }
        | FactBody::TopicAdded { .. }
        | FactBody::TopicRemoved { .. }
        | FactBody::NoteCreated { .. } => None,
    }
}

/// A conversation known by a fact alone; any snapshot takes its place.
fn provisional(id: &ConversationId, fact: &Fact) -> Option<ConversationSnapshot> {
    let inbox_id = match &fact.inbox_id {
        Some(inbox) => inbox.clone(),
        None => InboxId::parse(NO_INBOX).ok()?,
    };
    Some(ConversationSnapshot {
        conversation_id: id.clone(),
        thread: fact.thread.clone(),
        company_id: fact.company_id.clone(),
        customer_id: fact.customer_id.clone(),
        display_name: PLACEHOLDER_NAME.to_owned(),
        status: Status::New,
        inbox_id,
        agent_id: None,
        contact_id: None,
        due_at: None,
        due_at_before: None,
        reply_window_expires_at: None,
        reply_window_opened_by: None,
        preview: String::new(),
        topics: Vec::new(),
        read_up_to_at: None,
        items: 0,
        last_item_at: fact.occurred_at,
        as_of_number: 0,
    })
}

/// What the fact does to an item of the thread.
fn change_item(row: &mut ThreadRow, id: &ConversationId, fact: &Fact) {
    if let FactBody::MessageReceived(item) = &fact.body {
        received(row, id, fact, item);
    } else if let FactBody::MessageQueued(item) = &fact.body {
        outbound(row, id, fact, item, Part::Queued);
    } else if let FactBody::MessageSent(item) = &fact.body {
        outbound(row, id, fact, item, Part::Sent);
    } else {
        change_known(row, &fact.body);
    }
}

/// What a fact does to an item that is there already, and nothing else; of one that is not it is kept for a look.
fn change_known(row: &mut ThreadRow, body: &FactBody) {
    if let Some(mid) = changed(body) {
        let held = find(row, |item| item.mids.contains(mid));
        match held.map(|held| &mut held.body) {
            Some(EntryRowBody::Item(item)) => change(item, body),
            Some(EntryRowBody::Event(..)) | None => row.keep_loose(mid, body),
        }
    } else if let FactBody::MessageFailed { item_id, send_id, code } = body {
        settle(row, item_id, send_id, Part::Failed(*code));
    } else if let FactBody::MessageUnknown { item_id, send_id } = body {
        settle(row, item_id, send_id, Part::Unknown);
    } else if let FactBody::MessageRecognised { instead_of, .. } = body {
        drop_item(row, instead_of);
    }
}

/// The message a fact changes.
pub(crate) const fn changed(body: &FactBody) -> Option<&MessageId> {
    let (FactBody::MessageDeleted { mid }
    | FactBody::MessageEdited { mid, .. }
    | FactBody::ReactionAdded { mid, .. }
    | FactBody::ReactionRemoved { mid }
    | FactBody::MessageLiked { mid }
    | FactBody::MessageUnliked { mid, .. }
    | FactBody::StoryExpired { mid }
    | FactBody::StoryUnavailable { mid }) = body
    else {
        return None;
    };
    Some(mid)
}

/// What a fact about a message does to its item.
pub(crate) fn change(item: &mut ItemRow, body: &FactBody) {
    match body {
        FactBody::MessageDeleted { .. } => item.delete(),
        FactBody::MessageEdited { text, num_edit, .. } => edit(item, text, *num_edit),
        FactBody::ReactionAdded { emoji, .. } => {
            item.reaction = (!item.deleted).then(|| emoji.clone());
        }
        FactBody::ReactionRemoved { .. } => item.reaction = None,
        FactBody::MessageLiked { .. } => item.liked = true,
        FactBody::MessageUnliked { .. } => item.liked = false,
        FactBody::StoryExpired { .. } | FactBody::StoryUnavailable { .. } => item.story_gone = true,
        FactBody::MessageReceived(_)
        | FactBody::MessageFailed { .. }
        | FactBody::MessageUnknown { .. }
        | FactBody::MessageRecognised { .. }
        | FactBody::MessageQueued(_)
        | FactBody::MessageSent(_)
        | FactBody::CustomerCreated { .. }
        | FactBody::CustomerUpdated { .. }
        | FactBody::CustomerMerged { .. }
        | FactBody::CustomerUnmerged { .. }
        | FactBody::CustomerDeleted { .. }
        | FactBody::ContactTransferred { .. }
        | FactBody::MessageRefused { .. }
        | FactBody::ConversationCreated
        | FactBody::ConversationClosed
        | FactBody::ConversationReopened
        | FactBody::ContactStarted { .. }
        | FactBody::ContactQueued
        | FactBody::ContactOffered { .. }
        | FactBody::ContactAccepted { .. }
        | FactBody::ContactRejected { .. }
        | FactBody::ContactRescinded { .. }
        | FactBody::ContactAssigned { .. }
        | FactBody::ContactUnassigned { .. }
        | FactBody::ContactFulfilled { .. }
        | FactBody::ContactEnded { .. }
        | FactBody::MessageRead { .. }
        | FactBody::SlaStarted { .. }
        | FactBody::SlaDueSoon { .. }
        | FactBody::SlaCleared { .. }
        | FactBody::SlaReinstated { .. }
        | FactBody::SlaBreached { .. }
        | FactBody::ReplyWindowExpiring { .. }
        | FactBody::ReplyWindowExpired { .. }
        | FactBody::TopicAdded { .. }
        | FactBody::TopicRemoved { .. }
        | FactBody::NoteCreated { .. } => (),
    }
}

fn received(row: &mut ThreadRow, id: &ConversationId, fact: &Fact, item: &Item) {
    let Some(conversation) = row.conversations.get_mut(id) else { return };
    let body = EntryRowBody::Item(Box::new(ItemRow::new(item, Direction::Inbound)));
    conversation.entries.push_back(entry(fact, body));
}

/// An item of ours, or a part of it: a new line the first time, the same line afterwards.
fn outbound(row: &mut ThreadRow, id: &ConversationId, fact: &Fact, item: &Item, part: Part) {
    // Its time stays that of Send: the customer may have seen it before its result came back to us.
    if let Some(held) = find(row, |held| held.item_id == item.item_id) {
        let EntryRowBody::Item(held_item) = &mut held.body else { return };
        held_item.join(item);
        note_part(held_item, item, part);
        return;
    }
    let Some(conversation) = row.conversations.get_mut(id) else { return };
    let mut fresh = ItemRow::new(item, Direction::Outbound);
    fresh.native_app = fact.initiator == Initiator::NativeApp;
    fresh.agent_id = agent_of(&fact.initiator).cloned();
    note_part(&mut fresh, item, part);
    conversation.entries.push_back(entry(fact, EntryRowBody::Item(Box::new(fresh))));
}

fn note_part(row: &mut ItemRow, item: &Item, part: Part) {
    match (&item.send_id, part) {
        (Some(send_id), part) => {
            row.parts.heard_of.insert(send_id.clone(), part);
        }
        (None, Part::Sent) => row.parts.all_sent = true,
        // The whole item: its text is one part, its images together another.
        (None, Part::Queued | Part::Failed(_) | Part::Unknown) => {
            row.parts.expected =
                usize::from(item.text.is_some()) + usize::from(!item.attachments.is_empty());
        }
    }
}

fn settle(row: &mut ThreadRow, item_id: &ItemId, send_id: &SendId, part: Part) {
    let held = find(row, |item| item.item_id == *item_id);
    if let Some(EntryRowBody::Item(item)) = held.map(|held| &mut held.body) {
        item.parts.heard_of.insert(send_id.clone(), part);
    }
}

/// The newest text wins; after a delete there is nothing to change.
fn edit(item: &mut ItemRow, text: &str, num_edit: u32) {
    if !item.deleted && item.num_edit.is_none_or(|held| held < num_edit) {
        item.num_edit = Some(num_edit);
        item.text = Some(text.to_owned());
    }
}

/// A line that was shown as somebody else's is our own, which is there already.
fn drop_item(row: &mut ThreadRow, item_id: &ItemId) {
    for conversation in row.conversations.values_mut() {
        conversation.entries.retain(|entry| match &entry.body {
            EntryRowBody::Item(item) => item.item_id != *item_id,
            EntryRowBody::Event(..) => true,
        });
    }
}

/// The newest line of an item, in whichever conversation of the thread.
fn find(row: &mut ThreadRow, is_it: impl Fn(&ItemRow) -> bool) -> Option<&mut EntryRow> {
    let conversations = row.conversations.values_mut();
    let mut entries = conversations.flat_map(|conversation| conversation.entries.iter_mut().rev());
    entries.find(|held| match &held.body {
        EntryRowBody::Item(item) => is_it(item),
        EntryRowBody::Event(..) => false,
    })
}

const fn is_item(body: &FactBody) -> bool {
    matches!(body, FactBody::MessageReceived(_) | FactBody::MessageQueued(_))
        || matches!(body, FactBody::MessageSent(item) if item.send_id.is_none())
}

const fn entry(fact: &Fact, body: EntryRowBody) -> EntryRow {
    EntryRow { number: fact.number, occurred_at: fact.occurred_at, body }
}

const fn agent_of(initiator: &Initiator) -> Option<&AgentId> {
    match initiator {
        Initiator::Agent(agent) => Some(agent),
        Initiator::Customer | Initiator::NativeApp | Initiator::System => None,
    }
}
