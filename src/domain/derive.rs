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
pub fn digest(parts: &[&str]) -> u128 {
    let len: usize = parts.iter().map(|part| part.len() + 8).sum();
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
        rest = write(rest, &(part.len() as u64).to_le_bytes());
        rest = write(rest, part.as_bytes());
    }
    xxh3_128(bytes)
}

/// Writes `bytes` in front; what room is left.
fn write<'a>(room: &'a mut [u8], bytes: &[u8]) -> &'a mut [u8] {
    let (front, rest) = room.split_at_mut(bytes.len().min(room.len()));
    front.copy_from_slice(bytes.get(..front.len()).unwrap_or_default());
    rest
}

/// The customer a thread belongs to until somebody merges it. Source: desk rule R-8.
pub fn customer_id(thread: &Thread) -> CustomerId {
    CustomerId::derived(named("cu-", thread_digest(thread)).as_str())
}

/// The thread's `number`th conversation, counted from one.
pub fn conversation_id(thread: &Thread, number: u32) -> ConversationId {
    ConversationId::derived(numbered("cv-", thread, number).as_str())
}

/// The thread's `number`th contact, counted from one over all its conversations.
pub fn contact_id(thread: &Thread, number: u32) -> ContactId {
    ContactId::derived(numbered("ct-", thread, number).as_str())
}

/// The item that `parts` (a thread's key and a mid, a client message id, …) name.
pub fn item_id(parts: &[&str]) -> ItemId {
    ItemId::derived(named("it-", digest(parts)).as_str())
}

/// Part `part` of an item, counted from zero. Source: desk rule R-141.
pub fn send_id(item: &ItemId, part: usize) -> SendId {
    SendId::derived(&format!("{item}.{part}"))
}

/// The event that `parts` name.
pub fn event_id(parts: &[&str]) -> EventId {
    EventId::derived(named("ev-", digest(parts)).as_str())
}

/// A word to another thread, by the digest of what names it (ADR 0006).
pub fn note_id(digest: u128) -> CommandId {
    CommandId::derived(named("note-", digest).as_str())
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
    fn push(&mut self, text: &str) {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        self.len += room.len() - write(room, text.as_bytes()).len();
    }

    fn as_str(&self) -> &str {
        let written = self.bytes.get(..self.len).unwrap_or_default();
        std::str::from_utf8(written).unwrap_or_default()
    }
}

/// `prefix` and 32 digits of hex. By hand: formatting a `u128` takes several times as long, and every record has a few.
fn named(prefix: &str, digest: u128) -> Text {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [0; 32];
    for (digit, place) in hex.iter_mut().rev().zip((0..128).step_by(4)) {
        let nibble = usize::try_from((digest >> place) & 15).unwrap_or(0);
        *digit = DIGITS.get(nibble).copied().unwrap_or(b'0');
    }
    let mut text = Text { bytes: [0; 64], len: 0 };
    text.push(prefix);
    text.push(std::str::from_utf8(&hex).unwrap_or_default());
    text
}

fn numbered(prefix: &str, thread: &Thread, number: u32) -> Text {
    let mut text = named(prefix, thread_digest(thread));
    text.push("-");
    text.push(itoa::Buffer::new().format(number));
    text
}

fn thread_digest(thread: &Thread) -> u128 {
    digest(&[thread.account_id.as_str(), thread.person_id.as_str()])
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
            assert_eq!(named("ev-", digest).as_str(), format!("ev-{digest:032x}"));
        }
    }
}
