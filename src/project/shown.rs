//! Rows as they are to be shown at a moment. Pure.
//!
//! Expiry is checked on read: a story is gone the moment its day is over, whether or not a fact says so yet.

use crate::domain::event::{ContentKind, Direction};
use crate::domain::fact::ConversationSnapshot;
use crate::domain::outbound::FailureCode;
use crate::domain::time::Timestamp;
use crate::project::row::{ConversationRow, EntryRow, EntryRowBody, ItemRow, Part, Parts};
use crate::project::view::{
    ConversationDetail, CustomerView, Delivery, Entry, EntryBody, EventEntry, ItemEntry,
    ShownReaction, ShownStory, StoryState,
};

///
pub(crate) const DELETED_TEXT: &str = "Message was deleted";
///
pub(crate) const STORY_GONE_TEXT: &str = "Story is no longer available";
///
const UNSUPPORTED_TEXT: &str = "Unsupported message";
///
const HEART: &str = "\u{2764}\u{fe0f}";

/// From where a conversation is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// When.
    pub now: Timestamp,
    /// Customers' reactions are shown.
    pub show_reactions: bool,
}

/// A conversation as it is to be shown.
pub(crate) fn shown(
    row: &ConversationRow,
    customer: CustomerView,
    read_up_to_at: Option<Timestamp>,
    look: Look,
) -> ConversationDetail {
    let conversation = ConversationSnapshot {
        display_name: customer.display_name.clone(),
        ..row.snapshot.clone()
    };
    let last_place = row.entries.iter().rposition(is_outbound);
    let read = last_place.and_then(|place| row.entries.get(place)).is_some_and(|last| {
        delivery_of(last) == Some(Delivery::Sent)
            && read_up_to_at.is_some_and(|up_to| up_to >= last.occurred_at)
    });
    let read_place = last_place.filter(|_| read);
    let name = &conversation.display_name;
    let show = |(place, entry): (usize, &EntryRow)| Entry {
        number: entry.number,
        occurred_at: entry.occurred_at,
        body: match &entry.body {
            EntryRowBody::Item(item) => {
                let read = read_place == Some(place);
                EntryBody::Item(Box::new(shown_item(item, name, read, look)))
            }
            EntryRowBody::Event(event, text, agent_id) => EntryBody::Event(EventEntry {
                event: (*event).to_owned(),
                text: text.clone(),
                agent_id: agent_id.clone(),
            }),
        },
    };
    let items = row.entries.iter().enumerate().map(show).collect();
    ConversationDetail { conversation, customer, items, omitted: row.omitted, read }
}

fn shown_item(item: &ItemRow, name: &str, read: bool, look: Look) -> ItemEntry {
    let story_gone =
        item.story_gone || item.story_expires_at.is_some_and(|expires| look.now >= expires);
    let is_story = matches!(item.kind, ContentKind::StoryMention | ContentKind::StoryShare);
    let attachments = if is_story && story_gone { Vec::new() } else { item.attachments.clone() };
    let delivery = matches!(item.direction, Direction::Outbound).then(|| delivery(&item.parts));
    let reaction = item.reaction.as_ref().filter(|_| look.show_reactions);
    ItemEntry {
        item_id: item.item_id.clone(),
        mid: item.mids.first().cloned(),
        direction: item.direction,
        kind: item.kind,
        text: shown_text(item, name, is_story && story_gone),
        attachments,
        reply_to_mid: item.reply_to_mid.clone(),
        story: shown_story(item, story_gone),
        state: delivery,
        failure: failure(&item.parts).filter(|_| delivery == Some(Delivery::Failed)),
        native_app: item.native_app,
        deleted: item.deleted,
        edited: item.num_edit.is_some() && !item.deleted,
        reaction: reaction
            .map(|emoji| ShownReaction { shown: HEART.to_owned(), emoji: emoji.clone() }),
        liked: item.liked,
        standby: item.standby,
        read,
        agent_id: item.agent_id.clone(),
    }
}

fn shown_text(item: &ItemRow, name: &str, story_gone: bool) -> Option<String> {
    if item.deleted {
        return Some(DELETED_TEXT.to_owned());
    }
    if story_gone {
        return Some(STORY_GONE_TEXT.to_owned());
    }
    let own = item.text.clone();
    own.or_else(|| match item.kind {
        ContentKind::StoryMention => Some(format!("{name} mentioned")),
        ContentKind::Unsupported => Some(UNSUPPORTED_TEXT.to_owned()),
        ContentKind::Text
        | ContentKind::Media
        | ContentKind::Share
        | ContentKind::StoryReply
        | ContentKind::StoryShare
        | ContentKind::Like
        | ContentKind::Template
        | ContentKind::Unknown
        | ContentKind::Empty => None,
    })
}

fn shown_story(item: &ItemRow, gone: bool) -> Option<ShownStory> {
    if item.story.is_none() && item.story_expires_at.is_none() {
        return None;
    }
    let story = item.story.as_ref();
    Some(ShownStory {
        state: if gone { StoryState::Gone } else { StoryState::Available },
        id: story.and_then(|story| story.id.clone()),
        url: story.and_then(|story| story.url.clone()).filter(|_| !gone),
        text: gone.then(|| STORY_GONE_TEXT.to_owned()),
        expires_at: item.story_expires_at,
    })
}

/// How far the item got: the worst of its parts counts.
fn delivery(parts: &Parts) -> Delivery {
    let any = |is: fn(&Part) -> bool| parts.heard_of.values().any(is);
    if any(|part| matches!(part, Part::Failed(_))) {
        Delivery::Failed
    } else if any(|part| *part == Part::Unknown) {
        Delivery::Unknown
    } else if parts.all_sent {
        Delivery::Sent
    } else if any(|part| *part == Part::Queued) || parts.heard_of.len() < parts.expected.max(1) {
        Delivery::Queued
    } else {
        Delivery::Sent
    }
}

fn failure(parts: &Parts) -> Option<FailureCode> {
    parts.heard_of.values().find_map(|part| match part {
        Part::Failed(code) => Some(*code),
        Part::Queued | Part::Sent | Part::Unknown => None,
    })
}

fn is_outbound(entry: &EntryRow) -> bool {
    matches!(&entry.body, EntryRowBody::Item(item) if item.direction == Direction::Outbound)
}

fn delivery_of(entry: &EntryRow) -> Option<Delivery> {
    match &entry.body {
        EntryRowBody::Item(item) => Some(delivery(&item.parts)),
        EntryRowBody::Event(..) => None,
    }
}
