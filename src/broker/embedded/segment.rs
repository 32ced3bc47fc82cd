//! A partition's log as a row of segments. Pure: which file holds which offsets, not the files.
//!
//! Promise: segments follow each other without a hole, the last one is the only one that grows, and there is always one.

use crate::domain::time::Timestamp;

/// One partition's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Log {
    /// In order; the last one is written.
    pub(super) segments: Vec<Segment>,
    /// The offset the next record gets.
    pub(super) end: u64,
}

/// One file of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Its number, never given twice.
    pub(super) id: u64,
    /// The first offset it may hold.
    pub(super) base: u64,
    /// The offset after the last it may hold.
    pub(super) end: u64,
    /// So many bytes of it are true.
    pub(super) bytes: u64,
    /// The oldest timestamp in it.
    pub(super) oldest: Timestamp,
    /// The newest timestamp in it.
    pub(super) newest: Timestamp,
    /// Compaction made it.
    pub(super) clean: bool,
}

impl Segment {
    /// An empty one, from `base` on.
    pub(super) const fn empty(id: u64, base: u64) -> Self {
        let never = Timestamp::from_ms(0);
        Self { id, base, end: base, bytes: 0, oldest: never, newest: never, clean: false }
    }

    /// Its file.
    pub(super) fn file_name(&self) -> String {
        format!("segment-{:012}", self.id)
    }

    /// Takes in `bytes` of records up to `end`.
    pub(super) fn grow(&mut self, bytes: u64, end: u64, (oldest, newest): (Timestamp, Timestamp)) {
        self.oldest = if self.bytes == 0 { oldest } else { self.oldest.min(oldest) };
        self.newest = self.newest.max(newest);
        self.bytes += bytes;
        self.end = end;
    }

    /// Whether it is time for a new one: it is full, or it spans so long that its oldest would wait for its newest.
    pub(super) fn is_full(&self, bytes_max: u64, span_ms: u64, now: Timestamp) -> bool {
        self.bytes >= bytes_max || (self.bytes > 0 && now.since_ms(self.oldest) > span_ms)
    }
}

impl Log {
    /// An empty log whose one segment has `id`.
    pub(super) fn empty(id: u64) -> Self {
        Self { segments: vec![Segment::empty(id, 0)], end: 0 }
    }

    /// The segment that holds `offset`, or the first behind it that holds anything.
    pub(super) fn holding(&self, offset: u64) -> Option<&Segment> {
        let at = self.segments.partition_point(|segment| segment.end <= offset);
        self.segments.get(at).filter(|segment| segment.bytes > 0)
    }

    /// Everything but the one that is written.
    pub(super) fn closed(&self) -> &[Segment] {
        self.segments.split_last().map_or(&[], |(_, closed)| closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_looked_for_in_the_segment_that_may_hold_it() {
        let mut log = Log::empty(1);
        log.segments[0] = Segment { bytes: 1, end: 20, ..Segment::empty(1, 10) };
        log.segments.push(Segment { bytes: 1, end: 25, ..Segment::empty(2, 20) });
        log.segments.push(Segment::empty(3, 25));
        log.end = 25;
        check(&log, 0, Some(1));
        check(&log, 19, Some(1));
        check(&log, 20, Some(2));
        check(&log, 25, None);
        log.segments.drain(..2);
        check(&log, 0, None);

        #[track_caller]
        fn check(log: &Log, offset: u64, expected: Option<u64>) {
            assert_eq!(log.holding(offset).map(|segment| segment.id), expected);
        }
    }
}
