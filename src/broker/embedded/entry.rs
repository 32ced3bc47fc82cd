//! Records as they lie in a segment. Pure.
//!
//! ```text
//! | len u32 | check u32 | offset u64 | time u64 | key? | value? | headers u32 × (name, value) |
//! ```
//!
//! `len` counts what follows the check; a missing key or value has the length `u32::MAX`. The layout is persisted:
//! a change of it is a new number in `manifest`.

use crate::broker::record::{Headers, Output, Record};
use crate::domain::time::Timestamp;
use crate::topics::Topic;

use super::wire::{Wire, check_of, put_bytes, put_len, put_u32, put_u64};

/// Bytes in front of what `len` counts.
const HEAD: usize = 8;
/// The length of what is missing.
const MISSING: u32 = u32::MAX;

/// What the front of some bytes holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<T> {
    /// A record, and how many bytes it takes.
    Whole(T, usize),
    /// The record takes so many bytes, more than there are.
    Short(usize),
    /// Its checksum or its shape is wrong.
    Damaged,
}

/// Adds `output` as the record at `offset`.
pub(super) fn encode(to: &mut Vec<u8>, offset: u64, output: &Output) {
    let parts = (Some(output.key.as_slice()), output.value.as_deref());
    put(to, (offset, output.timestamp), parts, &output.headers);
}

/// Adds `record` as it was.
pub(super) fn encode_again(to: &mut Vec<u8>, record: &Record) {
    let parts = (record.key.as_deref(), record.value.as_deref());
    put(to, (record.offset, record.timestamp), parts, &record.headers);
}

fn put(
    to: &mut Vec<u8>,
    (offset, at): (u64, Timestamp),
    (key, value): (Option<&[u8]>, Option<&[u8]>),
    headers: &Headers,
) {
    let mut body = Vec::with_capacity(256);
    put_u64(&mut body, offset);
    put_u64(&mut body, at.as_ms());
    for part in [key, value] {
        match part {
            Some(bytes) => put_bytes(&mut body, bytes),
            None => put_u32(&mut body, MISSING),
        }
    }
    put_len(&mut body, headers.len());
    for (name, value) in headers.iter() {
        put_bytes(&mut body, name.as_bytes());
        put_bytes(&mut body, value);
    }
    put_len(to, body.len());
    put_u32(to, short_check(&body));
    to.extend_from_slice(&body);
}

#[expect(clippy::cast_possible_truncation, reason = "half of the checksum")]
fn short_check(body: &[u8]) -> u32 {
    check_of(body) as u32
}

/// The record in front, checked.
pub(super) fn decode(bytes: &[u8], topic: Topic, partition: u32) -> Next<Record> {
    let mut wire = Wire(bytes);
    let (Some(len), Some(check)) = (wire.len(), wire.u32()) else { return Next::Short(HEAD) };
    let Some(size) = len.checked_add(HEAD) else { return Next::Damaged };
    let Some(body) = wire.raw(len) else { return Next::Short(size) };
    if short_check(body) != check {
        return Next::Damaged;
    }
    match parse(Wire(body), topic, partition) {
        Some(record) => Next::Whole(record, size),
        None => Next::Damaged,
    }
}

fn parse(mut wire: Wire<'_>, topic: Topic, partition: u32) -> Option<Record> {
    let offset = wire.u64()?;
    let timestamp = Timestamp::from_ms(wire.u64()?);
    let (key, value) = (optional(&mut wire)?, optional(&mut wire)?);
    let mut headers = Headers::default();
    for _ in 0..wire.u32()? {
        let name = wire.text()?;
        headers.push_read(name, wire.bytes()?);
    }
    Some(Record { topic, partition, offset, timestamp, key, value, headers })
}

fn optional(wire: &mut Wire<'_>) -> Option<Option<Vec<u8>>> {
    let mut ahead = *wire;
    if ahead.u32()? == MISSING {
        *wire = ahead;
        return Some(None);
    }
    Some(Some(wire.bytes()?.to_vec()))
}

/// The offset of the record in front and its size, unchecked: to skip over it.
pub(super) fn skip(bytes: &[u8]) -> Next<u64> {
    let mut wire = Wire(bytes);
    let (Some(len), Some(_), Some(offset)) = (wire.len(), wire.u32(), wire.u64()) else {
        return Next::Short(HEAD + 8);
    };
    match len.checked_add(HEAD) {
        Some(size) if size <= bytes.len() => Next::Whole(offset, size),
        Some(size) => Next::Short(size),
        None => Next::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> impl Strategy<Value = Record> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
        let headers = proptest::collection::vec(("[a-z_]{0,9}", bytes()), 0..4);
        let headers = headers.prop_map(|all| {
            let mut headers = Headers::default();
            for (name, value) in &all {
                headers.push_read(name, value);
            }
            headers
        });
        let parts = (proptest::option::of(bytes()), proptest::option::of(bytes()), headers);
        (any::<u64>(), any::<u64>(), parts).prop_map(|(offset, at, (key, value, headers))| Record {
            topic: Topic::Timeline,
            partition: 3,
            offset,
            timestamp: Timestamp::from_ms(at),
            key,
            value,
            headers,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(record in record()) {
            let mut bytes = Vec::new();
            encode_again(&mut bytes, &record);
            prop_assert_eq!(skip(&bytes), Next::Whole(record.offset, bytes.len()));
            let size = bytes.len();
            prop_assert_eq!(decode(&bytes, Topic::Timeline, 3), Next::Whole(record, size));
        }

        #[test]
        fn a_cut_is_short_and_a_flipped_bit_is_damage(record in record(), at in 0_usize..10_000) {
            let mut bytes = Vec::new();
            encode_again(&mut bytes, &record);
            let at = at % bytes.len();
            let cut = decode(&bytes[..at], Topic::Timeline, 3);
            prop_assert!(matches!(cut, Next::Short(_)));
            bytes[at] ^= 1;
            prop_assert!(!matches!(decode(&bytes, Topic::Timeline, 3), Next::Whole(..)));
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(!matches!(decode(&bytes, Topic::Timeline, 3), Next::Whole(..)));
        }
    }
}
