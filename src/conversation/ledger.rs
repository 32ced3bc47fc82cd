//! The newest items of a thread, without their texts. Pure.
//!
//! Sorted by time, bounded: the oldest leave. What leaves can no longer be liked or edited. Not here: bytes (`packed`).

use crate::domain::derive::digest;
pub use crate::domain::event::Author;
use crate::domain::event::{ContentKind, Event};
use crate::domain::id::MessageId;
use crate::domain::thread_note::GuestItem;
use crate::domain::time::Timestamp;

/// One item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Digest of its mid, or of what stands for one.
    pub key: u128,
    /// Who wrote it.
    pub author: Author,
    /// What it is.
    pub kind: ContentKind,
    /// When.
    pub occurred_at: Timestamp,
    /// In which contact it came; zero for none.
    pub contact: u32,
    /// It was unsent.
    pub deleted: bool,
    /// Newest edit; zero for none.
    pub num_edit: u32,
    /// An agent's heart is on it.
    pub liked: bool,
    /// Newest change of the person's reaction, and whether it took it away.
    pub reaction: Option<(Timestamp, bool)>,
    /// Its story is shown until then.
    pub story_expires_at: Option<Timestamp>,
}

impl Entry {
    /// An item nothing has happened to yet.
    #[must_use]
    pub const fn new(key: u128, author: Author, kind: ContentKind, occurred_at: Timestamp) -> Self {
        Self {
            key,
            author,
            kind,
            occurred_at,
            contact: 0,
            deleted: false,
            num_edit: 0,
            liked: false,
            reaction: None,
            story_expires_at: None,
        }
    }

    /// What another thread knew of an item of this one.
    #[must_use]
    pub fn of_guest(item: &GuestItem) -> Self {
        Self {
            deleted: item.deleted,
            num_edit: item.num_edit,
            liked: item.liked,
            reaction: item.reacted_at.map(|at| (at, item.reaction_removed)),
            story_expires_at: item.story_expires_at,
            ..Self::new(mid_key(&item.mid), item.author, item.kind, item.occurred_at)
        }
    }

    /// The same, for the other thread to know.
    #[must_use]
    pub fn for_guest(&self, mid: MessageId) -> GuestItem {
        GuestItem {
            mid,
            origin: None,
            author: self.author,
            kind: self.kind,
            occurred_at: self.occurred_at,
            deleted: self.deleted,
            num_edit: self.num_edit,
            liked: self.liked,
            reacted_at: self.reaction.map(|(at, _)| at),
            reaction_removed: self.reaction.is_some_and(|(_, removed)| removed),
            story_expires_at: self.story_expires_at,
        }
    }
}

/// The newest items, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    entries: Vec<Entry>,
    /// Some have left.
    pub truncated: bool,
}

impl Ledger {
    /// As a row has it (`packed`).
    pub(super) const fn of_row(entries: Vec<Entry>, truncated: bool) -> Self {
        Self { entries, truncated }
    }

    /// How many items are remembered.
    pub const BOUND: usize = 200;

    /// Oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The item under a key.
    #[must_use]
    pub fn get(&self, key: u128) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }

    /// The item under a key, to be changed; its time must stay.
    pub fn get_mut(&mut self, key: u128) -> Option<&mut Entry> {
        self.entries.iter_mut().rev().find(|entry| entry.key == key)
    }

    /// Adds an item in its place.
    pub fn insert(&mut self, entry: Entry) {
        let order = (entry.occurred_at, entry.key);
        let place = self.entries.partition_point(|known| (known.occurred_at, known.key) < order);
        self.entries.insert(place, entry);
        if self.entries.len() > Self::BOUND {
            self.entries.remove(0);
            self.truncated = true;
        }
    }

    /// Takes an item out.
    pub fn remove(&mut self, key: u128) -> Option<Entry> {
        let place = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(place))
    }

    /// The person's newest item.
    #[must_use]
    pub fn newest_inbound(&self) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.author == Author::Customer)
    }
}

/// The key of a message.
#[must_use]
pub fn mid_key(mid: &MessageId) -> u128 {
    digest(&["mid", mid.as_str()])
}

/// The key of the item an event brings: its mid, or what stands for one.
#[must_use]
pub fn item_key(event: &Event) -> u128 {
    match &event.mid {
        Some(mid) => mid_key(mid),
        None => digest(&["event", event.event_id.as_str()]),
    }
}
