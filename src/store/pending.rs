//! Committed changes on their way to disk: newest value of each key, its timer, their size. Pure.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use indexmap::map::Entry;

use super::checkpoint::Checkpoint;
use super::view::{Change, RowChange};

/// What is known of a key before the store is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked<'a> {
    /// Nothing is pending: the store knows.
    NotPending,
    /// Its deletion is pending.
    Deleted,
    /// This value is pending.
    Value(&'a [u8]),
}

/// Changes of one partition, coalesced by key.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// In the order in which keys first came; none leaves, so that a row's place stays.
    rows: IndexMap<Vec<u8>, Row>,
    /// Due times and places in `rows`.
    due: BTreeSet<(u64, usize)>,
    bytes: u64,
    checkpoint: Option<Checkpoint>,
}

#[derive(Debug)]
struct Row {
    value: Option<Vec<u8>>,
    due_at_ms: Option<u64>,
}

impl Pending {
    /// Takes changes in their order, and the checkpoint that speaks for all of them.
    pub(super) fn take_in(&mut self, changes: Vec<RowChange>, checkpoint: Checkpoint) {
        self.checkpoint = Some(checkpoint);
        for RowChange { key, value, due_at_ms } in changes {
            // A deletion has no timer.
            let due_at_ms = due_at_ms.filter(|_| value.is_some());
            let row = Row { value, due_at_ms };
            self.bytes = self.bytes.saturating_add(size(&key, &row));
            let (place, due_before) = match self.rows.entry(key) {
                Entry::Vacant(vacant) => {
                    let place = vacant.index();
                    vacant.insert(row);
                    (place, None)
                }
                Entry::Occupied(mut known) => {
                    let before = known.insert(row);
                    self.bytes = self.bytes.saturating_sub(size(known.key(), &before));
                    (known.index(), before.due_at_ms)
                }
            };
            if due_before == due_at_ms {
                continue;
            }
            if let Some(due_ms) = due_before {
                self.due.remove(&(due_ms, place));
            }
            self.due.extend(due_at_ms.map(|due_ms| (due_ms, place)));
        }
    }

    pub(super) const fn checkpoint(&self) -> Option<Checkpoint> {
        self.checkpoint
    }

    /// Keys and values, in bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn look(&self, key: &[u8]) -> Looked<'_> {
        match self.rows.get(key) {
            None => Looked::NotPending,
            Some(Row { value: None, .. }) => Looked::Deleted,
            Some(Row { value: Some(value), .. }) => Looked::Value(value),
        }
    }

    pub(super) fn holds(&self, key: &[u8]) -> bool {
        self.rows.contains_key(key)
    }

    /// Changes in key order, as the store wants them.
    pub(super) fn changes(&self) -> Vec<Change<'_>> {
        let mut changes: Vec<_> = self.rows.iter().map(|(key, row)| change(key, row)).collect();
        changes.sort_unstable_by(|a, b| a.key.cmp(b.key));
        changes
    }

    /// Keys under a prefix with their pending values, in no order.
    pub(super) fn under<'a>(
        &'a self,
        prefix: &'a [u8],
    ) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        self.rows
            .iter()
            .filter(move |(key, _row)| key.starts_with(prefix))
            .map(|(key, row)| (key.as_slice(), row.value.as_deref()))
    }

    /// Pending timers due at or before `until_ms`, the earliest first; those of one moment as their keys first came.
    pub(super) fn due(&self, until_ms: u64) -> impl Iterator<Item = (u64, &[u8])> {
        let due = self.due.iter().take_while(move |(due_ms, _place)| *due_ms <= until_ms);
        due.filter_map(|(due_ms, place)| Some((*due_ms, self.rows.get_index(*place)?.0.as_slice())))
    }
}

fn change<'a>(key: &'a [u8], row: &'a Row) -> Change<'a> {
    Change { key, value: row.value.as_deref(), due_at_ms: row.due_at_ms }
}

fn size(key: &[u8], row: &Row) -> u64 {
    let bytes = key.len().saturating_add(row.value.as_ref().map_or(0, Vec::len));
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &str, value: &str, due_at_ms: Option<u64>) -> RowChange {
        RowChange { key: key.into(), value: Some(value.into()), due_at_ms }
    }

    fn delete(key: &str) -> RowChange {
        RowChange { key: key.into(), value: None, due_at_ms: None }
    }

    #[test]
    fn the_newest_change_of_a_key_counts_with_its_timer_and_its_size() {
        let mut pending = Pending::default();
        pending.take_in(vec![set("a", "long", Some(5)), set("b", "x", Some(5))], Checkpoint::at(1));
        pending.take_in(vec![set("a", "1", Some(9)), delete("b")], Checkpoint::at(2));
        assert_eq!(pending.look(b"a"), Looked::Value(b"1"));
        assert_eq!(pending.look(b"b"), Looked::Deleted);
        assert_eq!(pending.look(b"c"), Looked::NotPending);
        assert_eq!(pending.due(9).collect::<Vec<_>>(), [(9, b"a".as_slice())]);
        assert_eq!(pending.due(8).count(), 0);
        assert_eq!((pending.rows(), pending.bytes()), (2, 3));
        assert_eq!(pending.checkpoint(), Some(Checkpoint::at(2)));
    }

    #[test]
    fn changes_are_written_in_key_order_whatever_order_they_came_in() {
        let mut pending = Pending::default();
        let changes = [
            set("b", "long", Some(5)),
            set("a", "x", None),
            delete("c"),
            set("b", "y", Some(7)),
            set("c", "z", Some(1)),
            delete("a"),
        ];
        for change in changes {
            pending.take_in(vec![change], Checkpoint::at(6));
        }
        let changes: Vec<_> = pending.changes().iter().map(|c| (c.key, c.value)).collect();
        let expected: [(&[u8], Option<&[u8]>); 3] =
            [(b"a", None), (b"b", Some(b"y")), (b"c", Some(b"z"))];
        assert_eq!(changes, expected);
        let due: Vec<_> = pending.due(9).collect();
        assert_eq!(due, [(1, b"c".as_slice()), (7, b"b".as_slice())]);
        let mut under: Vec<_> = pending.under(b"b").collect();
        under.sort_unstable();
        assert_eq!(under, expected[1..2]);
    }

    #[test]
    fn the_same_due_time_again_keeps_its_timer() {
        let mut pending = Pending::default();
        pending.take_in(vec![set("a", "1", Some(5)), set("a", "2", Some(5))], Checkpoint::at(1));
        assert_eq!(pending.due(5).count(), 1);
    }

    #[test]
    fn a_checkpoint_alone_is_something_to_write() {
        let mut pending = Pending::default();
        assert_eq!(pending.checkpoint(), None);
        pending.take_in(vec![], Checkpoint::at(1));
        assert_eq!((pending.rows(), pending.checkpoint()), (0, Some(Checkpoint::at(1))));
    }
}
