//! The journal: what makes a commit true. One frame a group of commits, one sync a frame.
//!
//! ```text
//! file  | "DMSJ" | layout u32 | frames …
//! frame | "DMSF" | sequence u64 | len u32 | check u64 (of sequence and payload) | payload
//! ```
//!
//! Promise: a frame is there whole or not at all. Only the end of the last journal can be torn, for nothing is written
//! behind a frame before it is synced: a bad frame with a good one behind it is damage, and an error.
//! Not here: when a journal may go (`keeper`), what a frame changes (`apply`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::broker::{Error, NextOffsets};
use crate::domain::time::Timestamp;
use crate::topics::Topic;

use super::disk::{Body, Disk};
use super::manifest::topic_named;
use super::wire::{Wire, check_of, put_bytes, put_len, put_u32, put_u64};

const FILE_MAGIC: &[u8; 4] = b"DMSJ";
const FRAME_MAGIC: &[u8; 4] = b"DMSF";
const LAYOUT: u32 = 1;
/// Bytes in front of the first frame.
const FILE_HEAD: u64 = 8;
/// Bytes in front of a payload.
const FRAME_HEAD: usize = 24;

/// What one frame changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Records to append, by where.
    pub(super) appends: BTreeMap<(Topic, u32), Append>,
    /// Offsets to set, by group.
    pub(super) offsets: BTreeMap<String, NextOffsets>,
}

/// Records to append to one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Append {
    /// Offset of the first.
    pub(super) base: u64,
    /// Offset after the last.
    pub(super) end: u64,
    /// The oldest timestamp.
    pub(super) oldest: Timestamp,
    /// The newest timestamp.
    pub(super) newest: Timestamp,
    /// The records, as `entry` writes them.
    pub(super) bytes: Vec<u8>,
}

impl Change {
    fn encode(&self) -> Vec<u8> {
        let room: usize = self.appends.values().map(|append| append.bytes.len() + 80).sum();
        let mut to = Vec::with_capacity(room);
        put_len(&mut to, self.appends.len());
        for ((topic, partition), append) in &self.appends {
            put_bytes(&mut to, topic.name().as_bytes());
            put_u32(&mut to, *partition);
            put_u64(&mut to, append.base);
            put_u64(&mut to, append.end);
            put_u64(&mut to, append.oldest.as_ms());
            put_u64(&mut to, append.newest.as_ms());
            put_bytes(&mut to, &append.bytes);
        }
        put_offsets(&mut to, &self.offsets);
        to
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut wire = Wire(bytes);
        let mut change = Self::default();
        for _ in 0..wire.u32()? {
            let at = (topic_named(wire.text()?)?, wire.u32()?);
            let (base, end) = (wire.u64()?, wire.u64()?);
            let oldest = Timestamp::from_ms(wire.u64()?);
            let newest = Timestamp::from_ms(wire.u64()?);
            let bytes = wire.bytes()?.to_vec();
            drop(change.appends.insert(at, Append { base, end, oldest, newest, bytes }));
        }
        change.offsets = read_offsets(&mut wire)?;
        Some(change)
    }
}

/// Adds committed offsets by group.
pub(super) fn put_offsets(to: &mut Vec<u8>, offsets: &BTreeMap<String, NextOffsets>) {
    put_len(to, offsets.len());
    for (group, next) in offsets {
        put_bytes(to, group.as_bytes());
        put_len(to, next.len());
        for ((topic, partition), offset) in next {
            put_bytes(to, topic.name().as_bytes());
            put_u32(to, *partition);
            put_u64(to, *offset);
        }
    }
}

/// Reads committed offsets by group.
pub(super) fn read_offsets(wire: &mut Wire<'_>) -> Option<BTreeMap<String, NextOffsets>> {
    let mut offsets = BTreeMap::new();
    for _ in 0..wire.u32()? {
        let group = wire.text()?.to_owned();
        let mut next = NextOffsets::new();
        for _ in 0..wire.u32()? {
            let at = (topic_named(wire.text()?)?, wire.u32()?);
            next.insert(at, wire.u64()?);
        }
        drop(offsets.insert(group, next));
    }
    Some(offsets)
}

/// The name of journal `number`.
pub(super) fn file_name(number: u64) -> String {
    format!("journal-{number:012}")
}

/// The number of the journal called `name`.
pub(super) fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix("journal-")?.parse().ok()
}

/// The journal that is written.
#[derive(Debug)]
pub(super) struct Journal {
    /// Its number.
    pub(super) number: u64,
    body: Arc<Body>,
    size: u64,
    sequence: u64,
}

impl Journal {
    /// A new journal, whose next frame has `sequence`.
    pub(super) fn create(disk: &Disk, number: u64, sequence: u64) -> Result<Self, Error> {
        let body = disk.create(&file_name(number))?;
        let mut head = FILE_MAGIC.to_vec();
        put_u32(&mut head, LAYOUT);
        body.write(0, &head)?;
        body.sync()?;
        disk.sync_names()?;
        Ok(Self { number, body, size: FILE_HEAD, sequence })
    }

    /// Bytes of frames.
    pub(super) const fn held(&self) -> u64 {
        self.size.saturating_sub(FILE_HEAD)
    }

    /// The sequence of the next frame.
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Writes a frame, and syncs it when told to.
    pub(super) fn append(&mut self, change: &Change, sync: bool) -> Result<(), Error> {
        let payload = change.encode();
        let mut frame = Vec::with_capacity(payload.len() + FRAME_HEAD);
        frame.extend_from_slice(FRAME_MAGIC);
        put_u64(&mut frame, self.sequence);
        put_len(&mut frame, payload.len());
        put_u64(&mut frame, frame_check(self.sequence, &payload));
        frame.extend_from_slice(&payload);
        self.body.write(self.size, &frame)?;
        if sync {
            self.body.sync()?;
        }
        self.size += frame.len() as u64;
        self.sequence += 1;
        Ok(())
    }
}

fn frame_check(sequence: u64, payload: &[u8]) -> u64 {
    check_of(payload) ^ sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// What stands where a frame may stand.
enum Found {
    Frame { sequence: u64, change: Change, size: usize },
    Nothing,
    Unreadable,
}

fn frame_at(bytes: &[u8]) -> Found {
    if bytes.is_empty() {
        return Found::Nothing;
    }
    let Some((sequence, payload)) = checked(bytes) else { return Found::Unreadable };
    match Change::decode(payload) {
        Some(change) => Found::Frame { sequence, change, size: FRAME_HEAD + payload.len() },
        None => Found::Unreadable,
    }
}

fn checked(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut wire = Wire(bytes);
    if wire.raw(4)? != FRAME_MAGIC {
        return None;
    }
    let (sequence, len, check) = (wire.u64()?, wire.len()?, wire.u64()?);
    let payload = wire.raw(len)?;
    (frame_check(sequence, payload) == check).then_some((sequence, payload))
}

/// Where a journal that was read ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The sequence of the next frame.
    pub(super) sequence: u64,
    /// So many bytes of it are sound; none when it was still being made.
    pub(super) sound: u64,
    /// What stands behind them: a write that was never acknowledged.
    pub(super) torn: Vec<u8>,
}

/// Reads journal `number` frame by frame into `keep`.
///
/// `expected` is the sequence its first frame must have; only the `last` journal may have a torn end.
pub(super) fn replay(
    disk: &Disk,
    (number, last): (u64, bool),
    mut expected: u64,
    mut keep: impl FnMut(Change),
) -> Result<End, Error> {
    let name = file_name(number);
    let body = disk.open(&name)?;
    let bytes = body.read(0, usize::try_from(body.size()?).unwrap_or(usize::MAX))?;
    let mut wire = Wire(&bytes);
    let head = (wire.raw(4), wire.u32());
    if head != (Some(FILE_MAGIC.as_slice()), Some(LAYOUT)) {
        // A journal that was being made holds nothing yet; one of another layout does.
        let unmade = last && (bytes.len() as u64) < FILE_HEAD;
        let end = End { sequence: expected, sound: 0, torn: bytes };
        return if unmade { Ok(end) } else { Err(damaged(&name, 0)) };
    }
    let mut rest = wire.0;
    loop {
        let at = bytes.len() - rest.len();
        match frame_at(rest) {
            Found::Nothing => {
                return Ok(End { sequence: expected, sound: at as u64, torn: Vec::new() });
            }
            Found::Frame { sequence, change, size } if sequence == expected => {
                keep(change);
                expected += 1;
                rest = rest.get(size..).unwrap_or_default();
            }
            Found::Frame { .. } => return Err(damaged(&name, at)),
            Found::Unreadable if last && !frame_follows(rest) => {
                return Ok(End { sequence: expected, sound: at as u64, torn: rest.to_vec() });
            }
            Found::Unreadable => return Err(damaged(&name, at)),
        }
    }
}

/// Whether a sound frame stands anywhere behind the first byte, or this one is sound but not for us to read.
fn frame_follows(bytes: &[u8]) -> bool {
    let starts = bytes.windows(FRAME_MAGIC.len()).enumerate();
    let mut starts = starts.filter(|(_, window)| window == FRAME_MAGIC);
    starts.any(|(at, _)| bytes.get(at..).is_some_and(|rest| checked(rest).is_some()))
}

/// What an operator reads when a file of the log is not what was written.
pub(super) fn damaged(name: &str, at: usize) -> Error {
    Error::Storage(format!(
        "{name} is damaged at byte {at}: nothing was changed; restore the data directory from a copy, \
         or move it away as a whole to start with an empty log"
    ))
}
