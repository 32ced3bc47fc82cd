//! Our own ids, derived from what they name, so that a replay gives the same. Pure.
//!
//! A person's id never stands in them: it goes in as a digest, and comes out as nothing.

use xxhash_rust::xxh3::xxh3_128;

use crate::domain::id::{
    CommandId, ContactId, ConversationId, CustomerId, EventId, ItemId, SendId,
};
use crate::domain::thread::Thread;

/// What is digested without an allocation, in bytes: nearly all of it.
const SHORT: usize = 256;

/// 128 bits that stand for `parts`; equal parts, equal digest, on every build and machine.
///
/// Parts are length-prefixed, so that `["ab", "c"]` and `["a", "bc"]` differ.
#[must_use]
pub fn digest<T: AsRef<[u8]> + ?Sized>(parts: &[&T]) -> u128 {
    let len: usize = parts.iter().map(|part| part.as_ref().len() + 8).sum();
    let mut short = [0; SHORT];
    let mut long = Vec::new();
    let bytes = match short.get_mut(..len) {
        Some(short) => short,
        None => {
            long.resize(len, 0);
            &mut long
        }
    };
    let mut rest = &mut *bytes;
    for part in parts {
        let Some((len, behind)) = rest.split_first_chunk_mut() else { break };
        let part = part.as_ref();
        *len = (part.len() as u64).to_le_bytes();
        rest = write(behind, part);
    }
    xxh3_128(bytes)
}

/// Writes `bytes` in front; what room is left.
fn write<'a>(room: &'a mut [u8], bytes: &[u8]) -> &'a mut [u8] {
    let (front, rest) = room.split_at_mut(bytes.len().min(room.len()));
    front.copy_from_slice(bytes.get(..front.len()).unwrap_or_default());
    rest
}

/// What all ids of a thread are made of, digested once.
#[derive(Debug, Clone, Copy)]
pub struct Stem(Hex);

impl Stem {
    /// The thread's.
    #[must_use]
    pub fn of(thread: &Thread) -> Self {
        Self(hex(digest(&[thread.account_id.as_str(), thread.person_id.as_str()])))
    }

    /// See [`customer_id`].
    #[must_use]
    pub fn customer_id(&self) -> CustomerId {
        CustomerId::derived(named("cu-", &self.0).as_str())
    }

    /// See [`conversation_id`].
    #[must_use]
    pub fn conversation_id(&self, number: u32) -> ConversationId {
        ConversationId::derived(self.numbered("cv-", number).as_str())
    }

    /// See [`contact_id`].
    #[must_use]
    pub fn contact_id(&self, number: u32) -> ContactId {
        ContactId::derived(self.numbered("ct-", number).as_str())
    }

    fn numbered(&self, prefix: &str, number: u32) -> Text {
        let mut text = named(prefix, &self.0);
        text.push(b"-");
        text.push(itoa::Buffer::new().format(number).as_bytes());
        text
    }
}

/// The customer a thread belongs to until somebody merges it. Source: desk rule R-8.
#[must_use]
pub fn customer_id(thread: &Thread) -> CustomerId {
    Stem::of(thread).customer_id()
}

/// The thread's `number`th conversation, counted from one.
#[must_use]
pub fn conversation_id(thread: &Thread, number: u32) -> ConversationId {
    Stem::of(thread).conversation_id(number)
}

/// The thread's `number`th contact, counted from one over all its conversations.
#[must_use]
pub fn contact_id(thread: &Thread, number: u32) -> ContactId {
    Stem::of(thread).contact_id(number)
}

/// The item that `parts` (a thread's key and a mid, a client message id, …) name.
pub fn item_id(parts: &[&str]) -> ItemId {
    ItemId::derived(named("it-", &hex(digest(parts))).as_str())
}

/// Part `part` of an item, counted from zero. Source: desk rule R-141.
pub fn send_id(item: &ItemId, part: usize) -> SendId {
    SendId::derived(&format!("{item}.{part}"))
}

/// The event that `parts` name.
pub fn event_id(parts: &[&str]) -> EventId {
    EventId::derived(named("ev-", &hex(digest(parts))).as_str())
}

/// A word to another thread, by the digest of what names it (ADR 0006).
pub fn note_id(digest: u128) -> CommandId {
    CommandId::derived(named("note-", &hex(digest)).as_str())
}

/// The `number`th fact of the thread with this key, counted from one.
pub fn fact_id(key: &str, number: u64) -> EventId {
    event_id(&["fact", key, itoa::Buffer::new().format(number)])
}

/// An id's text on its way into the id: never longer than this, and without an allocation of its own.
struct Text {
    bytes: [u8; 64],
    len: usize,
}

impl Text {
    fn push(&mut self, text: &[u8]) {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        self.len += room.len() - write(room, text).len();
    }

    fn as_str(&self) -> &str {
        let written = self.bytes.get(..self.len).unwrap_or_default();
        std::str::from_utf8(written).unwrap_or_default()
    }
}

/// A digest in 32 digits.
type Hex = [u8; 32];

/// By hand: formatting a `u128` takes several times as long, and every record has a few.
fn hex(digest: u128) -> Hex {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [0; 32];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(digest.to_be_bytes()) {
        for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        }
    }
    hex
}

/// A digest behind its prefix.
fn named(prefix: &str, digest: &Hex) -> Text {
    let mut text = Text { bytes: [0; 64], len: 0 };
    text.push(prefix.as_bytes());
    text.push(digest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_stable_and_name_no_person() {
        let thread = Thread::from_key("17841400000000001:9000000000000001").unwrap();
        let first = conversation_id(&thread, 1);
        assert_eq!(first, conversation_id(&thread, 1));
        assert_ne!(first, conversation_id(&thread, 2));
        assert!(!first.as_str().contains("9000000000000001"));
    }

    #[test]
    fn every_id_is_its_prefix_a_digest_and_its_number() {
        let thread = Thread::from_key("17841400000000001:9000000000000001").unwrap();
        let of_thread = digest(&["17841400000000001", "9000000000000001"]);
        let stem = Stem::of(&thread);
        assert_eq!(stem.customer_id(), customer_id(&thread));
        assert_eq!(customer_id(&thread).as_str(), format!("cu-{of_thread:032x}"));
        for number in [0, 1, u32::MAX] {
            assert_eq!(stem.conversation_id(number), conversation_id(&thread, number));
            assert_eq!(stem.contact_id(number), contact_id(&thread, number));
            let (conversation, contact) = (stem.conversation_id(number), stem.contact_id(number));
            assert_eq!(conversation.as_str(), format!("cv-{of_thread:032x}-{number}"));
            assert_eq!(contact.as_str(), format!("ct-{of_thread:032x}-{number}"));
        }
        let item = item_id(&["a", "b"]);
        assert_eq!(item.as_str(), format!("it-{:032x}", digest(&["a", "b"])));
        assert_eq!(send_id(&item, 3).as_str(), format!("{item}.3"));
        let fact = format!("ev-{:032x}", digest(&["fact", "a:b", "7"]));
        assert_eq!(fact_id("a:b", 7).as_str(), fact);
        assert_eq!(note_id(of_thread).as_str(), format!("note-{of_thread:032x}"));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    }

    #[test]
    fn long_parts_are_digested_like_short_ones() {
        for len in [0, 1, 240, 241, 247, 248, 249, 5_000] {
            let part = "ä".repeat(len);
            let bytes = [&(part.len() as u64).to_le_bytes()[..], part.as_bytes()].concat();
            assert_eq!(digest(&[&part]), xxh3_128(&bytes), "{len}");
        }
    }

    #[test]
    fn digests_are_written_as_the_formatter_writes_them() {
        for digest in [0, 1, 0xf0, u128::MAX, u128::MAX / 3, digest(&["x"])] {
            assert_eq!(named("ev-", &hex(digest)).as_str(), format!("ev-{digest:032x}"));
        }
    }
}
