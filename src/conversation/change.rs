//! Deletes, edits, reactions and reads of messages. Pure.
//!
//! None of them starts, ends or routes anything, moves a clock or the reply window.

use crate::conversation::item::{DELETED_TEXT, shortened};
use crate::conversation::ledger::{Author, Entry, mid_key};
use crate::conversation::state::EarlyChange;
use crate::conversation::turn::Turn;
use crate::domain::event::{Direction, Event, Reaction};
use crate::domain::fact::{FactBody, Initiator};
use crate::domain::time::Timestamp;
use crate::engine::stage::Exit;

impl Turn<'_> {
    /// A message was unsent.
    pub(super) fn deleted(&mut self, event: &Event) -> Exit {
        let Some(mid) = &event.mid else { return Exit::Skipped("ignored") };
        if let Some(exit) = self.repeated(event) {
            return exit;
        }
        let key = mid_key(mid);
        let Some(entry) = self.state.ledger.get_mut(key) else {
            self.wait_for(key, self.at, EarlyChange::Deleted);
            // It may be an item too old for the ledger, or one that came during a merge: the views must not go on showing it.
            if self.state.ledger.truncated || self.state.more.was_guest {
                let body = FactBody::MessageDeleted { mid: mid.clone() };
                self.tell(Initiator::System, self.at, body);
            }
            return Exit::Emitted;
        };
        if entry.deleted {
            return Exit::Skipped("duplicate");
        }
        (entry.deleted, entry.num_edit) = (true, 0);
        let initiator = writer(entry);
        self.say_in_preview(event, key, DELETED_TEXT);
        self.state.stories.retain(|story| story.mid != *mid);
        self.tell(initiator, self.at, FactBody::MessageDeleted { mid: mid.clone() });
        Exit::Emitted
    }

    /// A message's text was changed.
    pub(super) fn edited(&mut self, event: &Event, text: &str, num_edit: u32) -> Exit {
        let Some(mid) = &event.mid else { return Exit::Skipped("ignored") };
        if let Some(exit) = self.repeated(event) {
            return exit;
        }
        let key = mid_key(mid);
        let Some(entry) = self.state.ledger.get_mut(key) else {
            let change = EarlyChange::Edited { text: text.to_owned(), num_edit };
            self.wait_for(key, self.at, change);
            return Exit::Emitted;
        };
        if entry.deleted {
            return Exit::Skipped("deleted");
        }
        if num_edit <= entry.num_edit {
            return Exit::Skipped("stale");
        }
        entry.num_edit = num_edit;
        let initiator = writer(entry);
        self.say_in_preview(event, key, shortened(text));
        let body = FactBody::MessageEdited { mid: mid.clone(), text: text.to_owned(), num_edit };
        self.tell(initiator, self.at, body);
        Exit::Emitted
    }

    /// The preview says what became of its message, also where a merge brought it.
    fn say_in_preview(&mut self, event: &Event, key: u128, text: &str) {
        if self.state.preview.of.is_none_or(|(_, of)| of != key) {
            return;
        }
        text.clone_into(&mut self.state.preview.text);
        self.tell_home_of_preview(event.event_id.as_str(), None, 0);
    }

    /// The person reacted or took it back; the newest by time wins, a removal over an equal one.
    pub(super) fn reacted(&mut self, event: &Event, reaction: &Reaction, removed: bool) -> Exit {
        // What the business does in the app comes with no webhook; what still comes is no concern.
        if reaction.direction == Direction::Outbound {
            return Exit::Skipped("ignored");
        }
        if let Some(exit) = self.repeated(event) {
            return exit;
        }
        let (key, at) = (mid_key(&reaction.target_mid), self.at);
        let Some(entry) = self.state.ledger.get_mut(key) else {
            let emoji = reaction.emoji.clone();
            self.wait_for(key, at, EarlyChange::Reacted { emoji, removed });
            return Exit::Emitted;
        };
        if entry.reaction >= Some((at, removed)) {
            return Exit::Skipped("stale");
        }
        let stood = entry.reaction.is_some_and(|(_, removed)| !removed);
        entry.reaction = Some((at, removed));
        if !self.company(at).show_customer_reactions || (removed && !stood) {
            return Exit::Emitted;
        }
        let mid = reaction.target_mid.clone();
        let body = if removed {
            FactBody::ReactionRemoved { mid }
        } else {
            FactBody::ReactionAdded { mid, emoji: reaction.emoji.clone() }
        };
        self.tell(Initiator::Customer, at, body);
        Exit::Emitted
    }

    /// The person has seen our messages up to one, or up to a moment.
    pub(super) fn read(&mut self, event: &Event, watermark_at: Option<Timestamp>) -> Exit {
        if let Some(exit) = self.repeated(event) {
            return exit;
        }
        let key = event.mid.as_ref().map(mid_key);
        match (key, watermark_at) {
            (Some(key), _) => match self.state.ledger.get(key).map(|entry| entry.occurred_at) {
                Some(up_to) => self.read_up_to(up_to),
                None => self.wait_for(key, self.at, EarlyChange::Read),
            },
            (None, Some(watermark_at)) => self.read_up_to(watermark_at.min(self.world.now)),
            (None, None) => return Exit::Skipped("ignored"),
        }
        Exit::Emitted
    }

    /// The read mark only grows.
    pub(super) fn read_up_to(&mut self, up_to: Timestamp) {
        if self.state.read_up_to_at < Some(up_to) {
            self.state.read_up_to_at = Some(up_to);
            let body = FactBody::MessageRead { read_up_to_at: up_to };
            self.tell(Initiator::Customer, self.at, body);
        }
    }
}

/// Who changes an item: its writer, as far as the platform tells.
pub(super) const fn writer(entry: &Entry) -> Initiator {
    match entry.author {
        Author::Customer => Initiator::Customer,
        Author::NativeApp | Author::Desk => Initiator::NativeApp,
    }
}
