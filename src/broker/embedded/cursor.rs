//! Reading: through one segment, and through one partition from segment to segment.
//!
//! Promise: records come in order, each whole and checked, and none that is not true yet; gaps are stepped over.

use std::sync::Arc;

use crate::broker::record::Record;
use crate::broker::{Error, PollBounds};
use crate::topics::Topic;

use super::disk::Body;
use super::entry::{self, Next};
use super::journal::damaged;
use super::segment::Segment;
use super::shared::{Located, Shared};

/// So many bytes are read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// A walk through one segment.
#[derive(Debug)]
pub(super) struct Walk {
    /// Which segment.
    id: u64,
    body: Arc<Body>,
    /// So many bytes of the file may be read.
    limit: u64,
    /// Where in the file `buffer` begins.
    base: u64,
    buffer: Vec<u8>,
    /// Where in `buffer` the next record begins.
    at: usize,
}

impl Walk {
    /// From the beginning of `segment`, whose file is `body`.
    pub(super) const fn new(segment: &Segment, body: Arc<Body>) -> Self {
        let Segment { id, bytes: limit, .. } = *segment;
        Self { id, body, limit, base: 0, buffer: Vec::new(), at: 0 }
    }

    /// The next record and its size, or none at the limit.
    pub(super) fn next(&mut self, at: (Topic, u32)) -> Result<Option<(Record, usize)>, Error> {
        loop {
            let ahead = self.buffer.get(self.at..).unwrap_or_default();
            match entry::decode(ahead, at.0, at.1) {
                Next::Whole(record, size) => {
                    self.at += size;
                    return Ok(Some((record, size)));
                }
                Next::Short(size) if !self.fill(size)? => return Ok(None),
                Next::Short(_) => (),
                Next::Damaged => return Err(self.damaged()),
            }
        }
    }

    /// Goes on to the first record at `offset` or behind it.
    fn skip_to(&mut self, offset: u64) -> Result<(), Error> {
        loop {
            match entry::skip(self.buffer.get(self.at..).unwrap_or_default()) {
                Next::Whole(found, _) if found >= offset => return Ok(()),
                Next::Whole(_, size) => self.at += size,
                Next::Short(size) if !self.fill(size)? => return Ok(()),
                Next::Short(_) => (),
                Next::Damaged => return Err(self.damaged()),
            }
        }
    }

    /// Steps back over the record that was just read.
    const fn back(&mut self, size: usize) {
        self.at = self.at.saturating_sub(size);
    }

    /// Reads on, so that `needed` bytes are at hand. Says whether anything is left.
    fn fill(&mut self, needed: usize) -> Result<bool, Error> {
        let place = self.base + self.at as u64;
        let left = usize::try_from(self.limit.saturating_sub(place)).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(false);
        }
        if left < needed {
            return Err(self.damaged());
        }
        self.buffer = self.body.read(place, needed.max(CHUNK_BYTES).min(left))?;
        self.base = place;
        self.at = 0;
        if self.buffer.len() < needed { Err(self.damaged()) } else { Ok(true) }
    }

    fn damaged(&self) -> Error {
        let place = self.base + self.at as u64;
        damaged(self.body.name(), usize::try_from(place).unwrap_or(usize::MAX))
    }
}

/// What a poll may still bring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Records.
    pub(super) records: usize,
    /// Bytes of keys and values.
    bytes: usize,
    /// The next record is the first: it comes whatever its size.
    first: bool,
}

impl Room {
    /// All that `bounds` allow; one record at least.
    pub(super) fn of(bounds: &PollBounds) -> Self {
        Self { records: bounds.records_max.max(1), bytes: bounds.bytes_max, first: true }
    }

    /// Takes up room for `record`, if there is any.
    fn admit(&mut self, record: &Record) -> bool {
        let size = record.size();
        if self.records == 0 || (!self.first && size > self.bytes) {
            return false;
        }
        self.bytes = if self.first { self.bytes } else { self.bytes - size };
        self.records -= 1;
        self.first = false;
        true
    }
}

/// Why a read stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Everything true was read.
    AtEnd,
    /// Its share was used up.
    Share,
    /// The poll is full.
    Full,
}

/// A place in one partition.
#[derive(Debug)]
pub(super) struct Cursor {
    /// Which partition.
    pub(super) at: (Topic, u32),
    /// The next offset to read.
    pub(super) next: u64,
    walk: Option<Walk>,
}

impl Cursor {
    /// At `next`.
    pub(super) const fn new(at: (Topic, u32), next: u64) -> Self {
        Self { at, next, walk: None }
    }

    /// Goes to `next`.
    pub(super) fn rewind(&mut self, next: u64) {
        *self = Self::new(self.at, next);
    }

    /// Reads on, `share` records at most.
    pub(super) fn read(
        &mut self,
        shared: &Shared,
        share: usize,
        room: &mut Room,
        records: &mut Vec<Record>,
    ) -> Result<Stop, Error> {
        let mut left = share;
        loop {
            let Some((end, mut walk)) = self.enter(shared)? else { return Ok(Stop::AtEnd) };
            while let Some((record, size)) = walk.next(self.at)? {
                let stop = if left == 0 { Some(Stop::Share) } else { None };
                let stop = stop.or_else(|| (!room.admit(&record)).then_some(Stop::Full));
                if let Some(stop) = stop {
                    walk.back(size);
                    self.walk = Some(walk);
                    return Ok(stop);
                }
                left -= 1;
                self.next = record.offset + 1;
                records.push(record);
            }
            self.next = self.next.max(end);
            self.walk = Some(walk);
        }
    }

    /// The segment that holds the next offset, walked up to it, and where it ends.
    fn enter(&mut self, shared: &Shared) -> Result<Option<(u64, Walk)>, Error> {
        if let Some(mut walk) = self.walk.take() {
            match shared.segment_now(self.at, self.next)? {
                Some(segment) if segment.id == walk.id => {
                    walk.limit = segment.bytes;
                    return Ok(Some((segment.end, walk)));
                }
                Some(_) => (),
                // Nothing new: this segment may yet grow.
                None => {
                    self.walk = Some(walk);
                    return Ok(None);
                }
            }
        }
        match shared.locate(self.at, self.next)? {
            Located::End(end) => {
                // What lay between was forgotten; an offset from beyond the end waits for what will be there.
                self.next = end;
                Ok(None)
            }
            Located::In(segment, body) => {
                self.next = self.next.max(segment.base);
                let mut walk = Walk::new(&segment, body);
                walk.skip_to(self.next)?;
                Ok(Some((segment.end, walk)))
            }
        }
    }
}
