//! Replayed rows on their way into a store: gathered as they come, in one piece of memory, then sorted once. Pure.
//!
//! A restore reads rows by the hundred thousand and in no order. One after the other into a tree of owned keys and values each
//! of them costs more than reading it did; here it costs a copy.

use std::cmp::Ordering;
use std::fmt;

use super::checkpoint::Checkpoint;
use super::pending::Looked;
use super::view::Change;

/// Rows as they are replayed; of several changes of one key the last one counts.
#[derive(Default)]
pub struct Gathered {
    bytes: Vec<u8>,
    rows: Vec<Slot>,
}

/// Rows in key order, one a key, and the checkpoint that speaks for them and all before them.
pub(super) struct Run {
    bytes: Vec<u8>,
    rows: Vec<Slot>,
    /// Due times and places in `rows`, the earliest first.
    due: Vec<(u64, usize)>,
    checkpoint: Checkpoint,
}

/// Where a row's key and value lie.
#[derive(Clone, Copy)]
struct Slot {
    /// The key's first bytes behind what all keys begin with: most comparisons end here, without looking at the key.
    head: u64,
    at: usize,
    key_len: u32,
    /// `None` is a deletion.
    value_len: Option<u32>,
    due_at_ms: Option<u64>,
}

impl Gathered {
    /// Takes a change: `None` is a deletion, which has no timer.
    pub fn push(&mut self, key: &[u8], value: Option<&[u8]>, due_at_ms: Option<u64>) {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let (at, key_len, value_len) = (self.bytes.len(), length(key), value.map(length));
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
        let due_at_ms = due_at_ms.filter(|_| value.is_some());
        self.rows.push(Slot { head: 0, at, key_len, value_len, due_at_ms });
    }

    /// No change was taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Memory taken up, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        memory(&self.bytes, &self.rows)
    }

    /// Sorts them.
    pub(super) fn sorted(self, checkpoint: Checkpoint) -> Run {
        let Self { bytes, mut rows } = self;
        let shared = shared_prefix(&bytes, &rows);
        for row in &mut rows {
            row.head = head(row.key(&bytes), shared);
        }
        // Stable, so that the newest of a key is its last.
        rows.sort_by(|a, b| order(&bytes, a, b));
        rows.dedup_by(|later, earlier| {
            let same = order(&bytes, later, earlier).is_eq();
            if same {
                *earlier = *later;
            }
            same
        });
        let timers = rows.iter().enumerate();
        let mut due: Vec<_> =
            timers.filter_map(|(n, row)| row.due_at_ms.map(|due_ms| (due_ms, n))).collect();
        due.sort_unstable();
        Run { bytes, rows, due, checkpoint }
    }
}

impl Run {
    pub(super) const fn checkpoint(&self) -> Checkpoint {
        self.checkpoint
    }

    /// Memory taken up, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        memory(&self.bytes, &self.rows)
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn look(&self, key: &[u8]) -> Looked<'_> {
        match self.find(key) {
            None => Looked::NotPending,
            Some(row) => row.value(&self.bytes).map_or(Looked::Deleted, Looked::Value),
        }
    }

    pub(super) fn holds(&self, key: &[u8]) -> bool {
        self.find(key).is_some()
    }

    /// Changes in key order.
    pub(super) fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.rows.iter().map(|row| Change {
            key: row.key(&self.bytes),
            value: row.value(&self.bytes),
            due_at_ms: row.due_at_ms,
        })
    }

    /// Keys under a prefix with their values, in key order.
    pub(super) fn under<'a>(
        &'a self,
        prefix: &'a [u8],
    ) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let from = self.rows.partition_point(|row| row.key(&self.bytes) < prefix);
        let rows = self.rows.iter().skip(from);
        rows.map(|row| (row.key(&self.bytes), row.value(&self.bytes)))
            .take_while(move |(key, _value)| key.starts_with(prefix))
    }

    /// Timers due at or before `until_ms`, the earliest first.
    pub(super) fn due(&self, until_ms: u64) -> impl Iterator<Item = (u64, &[u8])> {
        let due = self.due.iter().take_while(move |(due_ms, _row)| *due_ms <= until_ms);
        due.filter_map(|(due_ms, n)| Some((*due_ms, self.rows.get(*n)?.key(&self.bytes))))
    }

    fn find(&self, key: &[u8]) -> Option<&Slot> {
        let found = self.rows.binary_search_by(|row| row.key(&self.bytes).cmp(key));
        found.ok().and_then(|n| self.rows.get(n))
    }
}

impl Slot {
    fn key<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        part(bytes, self.at, self.key_len)
    }

    fn value<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let at = self.at.saturating_add(wide(self.key_len));
        self.value_len.map(|length| part(bytes, at, length))
    }
}

fn memory(bytes: &[u8], rows: &[Slot]) -> u64 {
    u64::try_from(bytes.len().saturating_add(size_of_val(rows))).unwrap_or(u64::MAX)
}

fn part(bytes: &[u8], at: usize, length: u32) -> &[u8] {
    bytes.get(at..at.saturating_add(wide(length))).unwrap_or_default()
}

fn wide(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

fn order(bytes: &[u8], a: &Slot, b: &Slot) -> Ordering {
    a.head.cmp(&b.head).then_with(|| a.key(bytes).cmp(b.key(bytes)))
}

/// How many bytes all keys begin with.
fn shared_prefix(bytes: &[u8], rows: &[Slot]) -> usize {
    let Some(first) = rows.first().map(|row| row.key(bytes)) else { return 0 };
    rows.iter().fold(first.len(), |shared, row| {
        let same = row.key(bytes).iter().zip(first).take(shared).take_while(|(a, b)| a == b);
        same.count()
    })
}

/// Eight bytes behind the shared ones, so that numbers sort as the keys do; a key that ends before sorts first.
fn head(key: &[u8], shared: usize) -> u64 {
    let rest = key.get(shared..).unwrap_or_default();
    rest.first_chunk().map_or_else(
        || {
            let mut padded = [0; 8];
            padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            u64::from_be_bytes(padded)
        },
        |chunk| u64::from_be_bytes(*chunk),
    )
}

impl fmt::Debug for Gathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathered").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "run_test.rs"]
mod tests;
