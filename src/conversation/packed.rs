//! The items of a thread as one piece of a row's bytes, each number of fixed width. Pure.
//!
//! | bytes | what                                                                      |
//! |-------|---------------------------------------------------------------------------|
//! | 1     | one: some items have left                                                 |
//!
//! Then of each item:
//!
//! | bytes | what                                                                      |
//! |-------|---------------------------------------------------------------------------|
//! | 16    | key                                                                       |
//! | 8     | when, in milliseconds                                                     |
//! | 4     | contact                                                                   |
//! | 1     | who wrote it                                                              |
//! | 1     | what it is                                                                |
//! | 1     | marks: deleted, liked, and which of the following are there               |
//! | 4     | newest edit, if any                                                       |
//! | 8     | newest change of the reaction, if any; a mark says that it was taken away |
//! | 8     | until when its story is shown, if any                                     |
//!
//! Of a few hundred items each a dozen numbers of variable width would take a row's whole time. What is written here is read
//! for ever: numbers of authors and kinds never change their meaning. Not here: what items are (`ledger`).

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::conversation::ledger::{Author, Entry, Ledger};
use crate::conversation::seen::ROOM;
use crate::domain::event::ContentKind;
use crate::domain::time::Timestamp;

/// Bytes of an item to which nothing has happened.
const PLAIN_BYTES: usize = 31;

/// Bits of an item's marks.
mod mark {
    pub(super) const DELETED: u8 = 1;
    pub(super) const LIKED: u8 = 1 << 1;
    pub(super) const EDITED: u8 = 1 << 2;
    pub(super) const REACTED: u8 = 1 << 3;
    pub(super) const REACTION_REMOVED: u8 = 1 << 4;
    pub(super) const STORY: u8 = 1 << 5;
    pub(super) const ALL: u8 = (1 << 6) - 1;
}

/// Authors by number.
const AUTHORS: [Author; 3] = [Author::Customer, Author::NativeApp, Author::Desk];

const fn author_number(author: Author) -> u8 {
    match author {
        Author::Customer => 0,
        Author::NativeApp => 1,
        Author::Desk => 2,
    }
}

/// Kinds by number.
const KINDS: [ContentKind; 11] = [
    ContentKind::Text,
    ContentKind::Media,
    ContentKind::Share,
    ContentKind::StoryMention,
    ContentKind::StoryReply,
    ContentKind::StoryShare,
    ContentKind::Like,
    ContentKind::Template,
    ContentKind::Unsupported,
    ContentKind::Unknown,
    ContentKind::Empty,
];

const fn kind_number(kind: ContentKind) -> u8 {
    match kind {
        ContentKind::Text => 0,
        ContentKind::Media => 1,
        ContentKind::Share => 2,
        ContentKind::StoryMention => 3,
        ContentKind::StoryReply => 4,
        ContentKind::StoryShare => 5,
        ContentKind::Like => 6,
        ContentKind::Template => 7,
        ContentKind::Unsupported => 8,
        ContentKind::Unknown => 9,
        ContentKind::Empty => 10,
    }
}

impl Serialize for Ledger {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(1 + self.entries().len() * PLAIN_BYTES);
        bytes.push(u8::from(self.truncated));
        for entry in self.entries() {
            pack(entry, &mut bytes);
        }
        to.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Ledger {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(from)?;
        unpack(bytes).ok_or_else(|| D::Error::custom("items that do not read"))
    }
}

fn pack(entry: &Entry, into: &mut Vec<u8>) {
    let (reaction, story_expires_at) = (entry.reaction, entry.story_expires_at);
    let mut marks = 0;
    for (mark, is_set) in [
        (mark::DELETED, entry.deleted),
        (mark::LIKED, entry.liked),
        (mark::EDITED, entry.num_edit > 0),
        (mark::REACTED, reaction.is_some()),
        (mark::REACTION_REMOVED, reaction.is_some_and(|(_, removed)| removed)),
        (mark::STORY, story_expires_at.is_some()),
    ] {
        marks |= if is_set { mark } else { 0 };
    }
    into.extend_from_slice(&entry.key.to_be_bytes());
    into.extend_from_slice(&entry.occurred_at.as_ms().to_be_bytes());
    into.extend_from_slice(&entry.contact.to_be_bytes());
    into.extend_from_slice(&[author_number(entry.author), kind_number(entry.kind), marks]);
    if entry.num_edit > 0 {
        into.extend_from_slice(&entry.num_edit.to_be_bytes());
    }
    for at in [reaction.map(|(at, _)| at), story_expires_at].into_iter().flatten() {
        into.extend_from_slice(&at.as_ms().to_be_bytes());
    }
}

/// `None` for bytes nobody wrote here.
fn unpack(bytes: &[u8]) -> Option<Ledger> {
    let (truncated, mut rest) = bytes.split_first()?;
    // With room for the item the row is read for.
    let mut entries = Vec::with_capacity(rest.len() / PLAIN_BYTES + ROOM);
    while !rest.is_empty() {
        entries.push(unpack_entry(&mut rest)?);
    }
    match truncated {
        0 => Some(Ledger::of_row(entries, false)),
        1 => Some(Ledger::of_row(entries, true)),
        _ => None,
    }
}

fn unpack_entry(rest: &mut &[u8]) -> Option<Entry> {
    let key = u128::from_be_bytes(chunk(rest)?);
    let occurred_at = time(rest)?;
    let contact = u32::from_be_bytes(chunk(rest)?);
    let [author, kind, marks] = chunk(rest)?;
    if marks & !mark::ALL != 0 {
        return None;
    }
    let has = |mark: u8| marks & mark != 0;
    let num_edit = if has(mark::EDITED) { u32::from_be_bytes(chunk(rest)?) } else { 0 };
    let reacted_at = if has(mark::REACTED) { Some(time(rest)?) } else { None };
    let story_expires_at = if has(mark::STORY) { Some(time(rest)?) } else { None };
    let (author, kind) = (AUTHORS.get(usize::from(author))?, KINDS.get(usize::from(kind))?);
    Some(Entry {
        contact,
        deleted: has(mark::DELETED),
        num_edit,
        liked: has(mark::LIKED),
        reaction: reacted_at.map(|at| (at, has(mark::REACTION_REMOVED))),
        story_expires_at,
        ..Entry::new(key, *author, *kind, occurred_at)
    })
}

fn time(rest: &mut &[u8]) -> Option<Timestamp> {
    chunk(rest).map(|bytes| Timestamp::from_ms(u64::from_be_bytes(bytes)))
}

fn chunk<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (chunk, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*chunk)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(ledger: &Ledger) -> Vec<u8> {
        let bytes = postcard::to_stdvec(ledger).unwrap();
        // The piece is as long as postcard says in front of it.
        let (piece, rest): (&[u8], &[u8]) = postcard::take_from_bytes(&bytes).unwrap();
        assert!(rest.is_empty());
        piece.to_vec()
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let at = || any::<u64>().prop_map(Timestamp::from_ms);
        let what = (0..AUTHORS.len(), 0..KINDS.len(), any::<u128>(), at(), any::<u32>());
        let later = (
            any::<(bool, bool)>(),
            prop_oneof![Just(0), any::<u32>()],
            proptest::option::of((at(), any::<bool>())),
            proptest::option::of(at()),
        );
        (what, later).prop_map(|((author, kind, key, occurred_at, contact), later)| {
            let ((deleted, liked), num_edit, reaction, story_expires_at) = later;
            Entry {
                contact,
                deleted,
                num_edit,
                liked,
                reaction,
                story_expires_at,
                ..Entry::new(key, AUTHORS[author], KINDS[kind], occurred_at)
            }
        })
    }

    proptest! {
        #[test]
        fn items_read_as_they_were_written(
            entries in proptest::collection::vec(entry(), 0..40),
            truncated in any::<bool>(),
        ) {
            let ledger = Ledger::of_row(entries, truncated);
            let bytes = postcard::to_stdvec(&ledger).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Ledger>(&bytes).unwrap(), ledger);
        }

        #[test]
        fn other_bytes_are_refused_or_read_as_what_writes_them(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            if let Some(ledger) = unpack(&bytes) {
                prop_assert_eq!(unpack(&packed(&ledger)), Some(ledger));
            }
        }
    }

    #[test]
    fn numbers_stand_for_what_they_stood_for() {
        for (number, author) in (0..).zip(AUTHORS) {
            assert_eq!(author_number(author), number);
        }
        for (number, kind) in (0..).zip(KINDS) {
            assert_eq!(kind_number(kind), number);
        }
    }

    #[test]
    fn an_item_takes_what_happened_to_it() {
        let at = Timestamp::from_ms;
        let plain = Entry { contact: 1, ..Entry::new(7, Author::Desk, ContentKind::Like, at(9)) };
        let edited = Entry { num_edit: 2, deleted: true, ..plain };
        let shown = Entry { reaction: Some((at(3), true)), story_expires_at: Some(at(4)), ..plain };
        for (entry, bytes) in [(plain, 31), (edited, 35), (shown, 47)] {
            assert_eq!(packed(&Ledger::of_row(vec![entry], false)).len(), 1 + bytes);
        }
    }

    #[test]
    fn cut_or_unknown_bytes_are_no_items() {
        let entry = Entry {
            num_edit: 1,
            reaction: Some((Timestamp::from_ms(1), false)),
            ..Entry::new(u128::MAX, Author::Customer, ContentKind::Empty, Timestamp::from_ms(2))
        };
        let whole = packed(&Ledger::of_row(vec![entry], true));
        assert!(unpack(&whole).is_some());
        for cut in (0..whole.len()).filter(|cut| *cut != 1) {
            assert_eq!(unpack(&whole[..cut]), None, "{cut}");
        }
        // truncated, author, kind, marks
        for (place, unknown) in [(0, 2), (29, 3), (30, 11), (31, 64)] {
            let mut other = whole.clone();
            other[place] = unknown;
            assert_eq!(unpack(&other), None, "{place}");
        }
    }
}
