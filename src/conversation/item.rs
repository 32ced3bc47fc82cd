//! What the person wrote: messages, story replies, mentions, postbacks. Pure.

use crate::conversation::early::Waited;
use crate::conversation::ledger::{Author, Entry, item_key};
use crate::conversation::seen::Memory;
use crate::conversation::turn::Turn;
use crate::conversation::window::STORY_MS;
use crate::domain::derive;
use crate::domain::event::{Content, ContentKind, Direction, Event, MessageBody};
use crate::domain::fact::{FactBody, Initiator, Item};
use crate::domain::id::MessageId;
use crate::domain::settings::StoryMentions;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::engine::stage::Exit;

/// Shown for what was unsent.
pub(super) const DELETED_TEXT: &str = "Message was deleted";
/// Longest preview, in code points.
const PREVIEW_CHARS: usize = 80;

impl Turn<'_> {
    /// Whether an event was here before; it is remembered from now on.
    pub(super) fn recall(&mut self, event: &Event) -> Memory {
        let digest = derive::digest(&["event", event.event_id.as_str()]);
        let memory = self.state.seen_events.recall(digest, event.occurred_at);
        if memory == Memory::New {
            self.state.seen_events.remember(digest, event.occurred_at);
        }
        memory
    }

    /// Remembers an event; `Some` when it was applied before.
    pub(super) fn repeated(&mut self, event: &Event) -> Option<Exit> {
        match self.recall(event) {
            Memory::Repeated | Memory::Forgotten if self.is_given_back(event) => None,
            Memory::Repeated => Some(Exit::Skipped("duplicate")),
            Memory::Forgotten => Some(Exit::Skipped("stale")),
            Memory::New => None,
        }
    }

    /// A button's tap is a message.
    pub(super) fn postback(&mut self, event: &Event, title: Option<&str>) -> Exit {
        let content = Content { kind: ContentKind::Text, text: title.map(str::to_owned) };
        let body = MessageBody {
            content,
            attachments: Vec::new(),
            reply_to_mid: None,
            story: None,
            quick_reply: None,
            referral: None,
            standby: false,
            to_self: false,
            folder: None,
            app_id: None,
        };
        self.received(event, &body)
    }

    /// The person wrote.
    pub(super) fn received(&mut self, event: &Event, body: &MessageBody) -> Exit {
        let key = item_key(event);
        if let Some(exit) = self.repeated(event) {
            return exit;
        }
        if self.state.ledger.get(key).is_some() {
            return Exit::Skipped("duplicate");
        }
        if body.to_self {
            return Exit::Skipped("self");
        }
        let mention = body.content.kind == ContentKind::StoryMention;
        let mentions = self.account(self.at).story_mentions;
        match mentions {
            StoryMentions::Ignore if mention => return Exit::Skipped("ignored"),
            StoryMentions::TimelineOnly if mention => {
                let customer = Initiator::Customer;
                self.know_customer(&customer, self.at);
                let entry = Entry::new(key, Author::Customer, body.content.kind, self.at);
                self.show(event, body, entry, &customer);
            }
            StoryMentions::Ignore
            | StoryMentions::TimelineOnly
            | StoryMentions::CreateConversation => self.inbound(event, body, key),
        }
        Exit::Emitted
    }

    /// An inbound item in a contact.
    fn inbound(&mut self, event: &Event, body: &MessageBody, key: u128) {
        let at = self.at;
        let began = self.join_or_start(Direction::Inbound, &Initiator::Customer, at);
        let mut entry = Entry::new(key, Author::Customer, body.content.kind, at);
        entry.contact = self.contact_number();
        self.count_item(at, false);
        self.show(event, body, entry, &Initiator::Customer);
        self.state.last_inbound_at = self.state.last_inbound_at.max(Some(at));
        let opens = self.opens(event);
        self.came_from(at, opens);
        if let Some(opens) = opens.filter(|_| self.origin.is_none()) {
            self.opened(opens, at);
        }
        self.inbound_waits(at);
        self.route_inbound(began, at);
    }

    /// Puts an item of the platform in the ledger and the timeline, with what had waited for it.
    pub(super) fn show(
        &mut self,
        event: &Event,
        body: &MessageBody,
        mut entry: Entry,
        initiator: &Initiator,
    ) {
        let at = entry.occurred_at;
        let waited = self.apply_waiting(&mut entry);
        let has_story =
            matches!(body.content.kind, ContentKind::StoryMention | ContentKind::StoryReply);
        let link = body.story.as_ref().and_then(|story| story.url.as_deref());
        let is_there = link.is_some_and(|url| !url.is_empty());
        // Of a story without a link nothing can be shown: its author deleted it.
        entry.story_expires_at =
            has_story.then(|| if is_there { at.plus_ms(STORY_MS) } else { at });
        let elsewhere = self.origin.as_ref().map(Thread::key);
        let thread = elsewhere.as_deref().unwrap_or(self.world.key);
        let mut item = item(thread, event, body, (&entry, waited.edit.as_ref()));
        item.origin = self.origin.clone();
        self.preview(&entry, item.text.as_deref(), body);
        let (deleted, expires_at) = (entry.deleted, entry.story_expires_at);
        let (author, contact) = (entry.author, (entry.contact > 0).then_some(entry.contact));
        self.state.ledger.insert(entry);
        let fact = match author {
            Author::Customer => FactBody::MessageReceived(item),
            Author::NativeApp | Author::Desk => FactBody::MessageSent(item),
        };
        self.tell_of(contact, initiator.clone(), at, fact);
        let Some(mid) = &event.mid else { return };
        if let Some(origin) = self.origin.clone() {
            self.guest(&origin);
            self.is_of(&origin, mid);
        }
        self.tell_waited(mid, at, waited, initiator);
        match expires_at.filter(|_| !deleted && author == Author::Customer) {
            Some(expires_at) if is_there => self.story_shown(mid, expires_at),
            Some(_) => {
                let body = FactBody::StoryUnavailable { mid: mid.clone() };
                self.tell_of(contact, Initiator::System, at, body);
            }
            None => (),
        }
    }

    /// Tells what had waited for an item.
    pub(super) fn tell_waited(
        &mut self,
        mid: &MessageId,
        sent_at: Timestamp,
        waited: Waited,
        author: &Initiator,
    ) {
        if let Some((text, num_edit)) = waited.edit {
            let body = FactBody::MessageEdited { mid: mid.clone(), text, num_edit };
            self.tell(author.clone(), sent_at, body);
        }
        if let Some((at, emoji)) = waited.reaction
            && self.company(at).show_customer_reactions
        {
            let body = FactBody::ReactionAdded { mid: mid.clone(), emoji };
            self.tell(Initiator::Customer, at, body);
        }
        if waited.read {
            self.read_up_to(sent_at);
        }
    }

    /// The newest inbound item is the preview.
    fn preview(&mut self, entry: &Entry, text: Option<&str>, body: &MessageBody) {
        let order = Some((entry.occurred_at, entry.key));
        if entry.author == Author::Customer && order > self.state.preview.of {
            let said = text.map(shortened).filter(|text| !text.trim().is_empty());
            let shown = if entry.deleted { Some(DELETED_TEXT) } else { said };
            let preview = &mut self.state.preview;
            preview.of = order;
            shown.unwrap_or_else(|| label(body)).clone_into(&mut preview.text);
        }
    }
}

/// The item as the timeline shows it; of a deleted one nothing that was said.
fn item(
    thread: &str,
    event: &Event,
    body: &MessageBody,
    (entry, edit): (&Entry, Option<&(String, u32)>),
) -> Item {
    let name = event.mid.as_ref().map_or(event.event_id.as_str(), MessageId::as_str);
    let said = !entry.deleted;
    let text = edit.map(|(text, _)| text.clone()).or_else(|| body.content.text.clone());
    Item {
        item_id: derive::item_id(&[thread, "item", name]),
        mid: event.mid.clone(),
        send_id: None,
        kind: body.content.kind,
        text: text.filter(|_| said),
        attachments: if said { body.attachments.clone() } else { Vec::new() },
        reply_to_mid: body.reply_to_mid.clone(),
        story: body.story.clone().filter(|_| said),
        story_expires_at: entry.story_expires_at,
        deleted: entry.deleted,
        standby: body.standby,
        request_folder: body.folder.clone(),
        origin: None,
    }
}

/// The first code points of a text.
pub(super) fn shortened(text: &str) -> &str {
    // So few bytes are no more code points.
    if text.len() <= PREVIEW_CHARS {
        return text;
    }
    let end = text.char_indices().nth(PREVIEW_CHARS).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

/// What stands for an item without words.
fn label(body: &MessageBody) -> &'static str {
    match body.content.kind {
        ContentKind::StoryMention => "Story mention",
        ContentKind::StoryReply => "Story reply",
        ContentKind::StoryShare => "Shared story",
        ContentKind::Share => "Shared post",
        ContentKind::Like => "❤️",
        ContentKind::Media => match body.attachments.first().map(|first| first.kind.as_str()) {
            Some("image") => "Photo",
            Some("video") => "Video",
            Some("audio") => "Voice message",
            Some(_) | None => "Attachment",
        },
        ContentKind::Text | ContentKind::Template | ContentKind::Empty => "Message",
        ContentKind::Unsupported | ContentKind::Unknown => "Unsupported message",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Holds: R-111
    #[test]
    fn a_preview_is_eighty_code_points_long() {
        for letter in ["a", "ä", "€", "🎈"] {
            for (written, shown) in [(0, 0), (1, 1), (20, 20), (79, 79), (80, 80), (81, 80)] {
                assert_eq!(shortened(&letter.repeat(written)), letter.repeat(shown));
            }
        }
    }
}
