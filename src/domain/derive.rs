//! Our own ids, derived from what they name, so that a replay gives the same. Pure.
//!
//! A person's id never stands in them: it goes in as a digest, and comes out as nothing.

use xxhash_rust::xxh3::xxh3_128;

use crate::domain::id::{ContactId, ConversationId, CustomerId, EventId, IdError, ItemId, SendId};
use crate::domain::thread::Thread;

/// 128 bits that stand for `parts`; equal parts, equal digest, on every build and machine.
///
/// Parts are length-prefixed, so that `["ab", "c"]` and `["a", "bc"]` differ.
#[must_use]
pub fn digest(parts: &[&str]) -> u128 {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    xxh3_128(&bytes)
}

/// The customer a thread belongs to until somebody merges it. Source: desk rule R-8.
///
/// # Errors
///
/// None in practice: the text is always within the bound.
pub fn customer_id(thread: &Thread) -> Result<CustomerId, IdError> {
    CustomerId::parse(&named("cu-", thread_digest(thread)))
}

/// The thread's `number`th conversation, counted from one.
///
/// # Errors
///
/// None in practice: the text is always within the bound.
pub fn conversation_id(thread: &Thread, number: u32) -> Result<ConversationId, IdError> {
    ConversationId::parse(&numbered("cv-", thread, number))
}

/// The thread's `number`th contact, counted from one over all its conversations.
///
/// # Errors
///
/// None in practice: the text is always within the bound.
pub fn contact_id(thread: &Thread, number: u32) -> Result<ContactId, IdError> {
    ContactId::parse(&numbered("ct-", thread, number))
}

/// The item that `parts` (a thread's key and a mid, a client message id, …) name.
///
/// # Errors
///
/// None in practice: the text is always within the bound.
pub fn item_id(parts: &[&str]) -> Result<ItemId, IdError> {
    ItemId::parse(&named("it-", digest(parts)))
}

/// Part `part` of an item, counted from zero. Source: desk rule R-141.
///
/// # Errors
///
/// None in practice: the text is always within the bound.
pub fn send_id(item: &ItemId, part: usize) -> Result<SendId, IdError> {
    SendId::parse(&format!("{item}.{part}"))
}

/// The event that `parts` name.
///
/// # Errors
///
/// None in practice: the text is always within the bound.
pub fn event_id(parts: &[&str]) -> Result<EventId, IdError> {
    EventId::parse(&named("ev-", digest(parts)))
}

/// `prefix` and 32 digits of hex. By hand: formatting a `u128` takes several times as long, and every record has a few.
fn named(prefix: &str, digest: u128) -> String {
    let mut text = String::with_capacity(48);
    text.push_str(prefix);
    for byte in digest.to_be_bytes() {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }));
        }
    }
    text
}

fn numbered(prefix: &str, thread: &Thread, number: u32) -> String {
    let mut text = named(prefix, thread_digest(thread));
    text.push('-');
    text.push_str(&number.to_string());
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
        let first = conversation_id(&thread, 1).unwrap();
        assert_eq!(first, conversation_id(&thread, 1).unwrap());
        assert_ne!(first, conversation_id(&thread, 2).unwrap());
        assert!(!first.as_str().contains("9000000000000001"));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    }

    #[test]
    fn digests_are_written_as_the_formatter_writes_them() {
        for digest in [0, 1, 0xf0, u128::MAX, u128::MAX / 3, digest(&["x"])] {
            assert_eq!(named("ev-", digest), format!("ev-{digest:032x}"));
        }
    }
}
