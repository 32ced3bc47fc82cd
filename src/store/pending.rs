//! Committed changes on their way to disk: newest value of each key, its timer, their size. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::checkpoint::Checkpoint;
use super::view::{Change, RowChange};

/// What is known of a key before the store is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// Nothing is pending: the store knows.
    NotPending,
    /// Its deletion is pending.
    Deleted,
    /// This value is pending.
    Value(Vec<u8>),
}

/// Changes of one partition, coalesced by key.
#[derive(Debug, Default)]
pub(super) struct Pending {
    rows: BTreeMap<Vec<u8>, Row>,
    due: BTreeSet<(u64, Vec<u8>)>,
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
        if self.rows.is_empty() {
            return self.begin_with(changes);
        }
        for change in changes {
            let (key, row) = keyed(change);
            let due_at_ms = row.due_at_ms;
            self.bytes = self.bytes.saturating_add(size(&key, &row));
            if let Some(due_ms) = due_at_ms {
                self.due.insert((due_ms, key.clone()));
            }
            if let Some(before) = self.rows.insert(key.clone(), row) {
                self.bytes = self.bytes.saturating_sub(size(&key, &before));
                if let Some(due_ms) = before.due_at_ms.filter(|due| Some(*due) != due_at_ms) {
                    self.due.remove(&(due_ms, key));
                }
            }
        }
    }

    /// All at once: sorted as a whole, which costs half of what inserting one by one does.
    fn begin_with(&mut self, changes: Vec<RowChange>) {
        self.rows = changes.into_iter().map(keyed).collect();
        self.bytes = self.rows.iter().map(|(key, row)| size(key, row)).sum();
        let due = self.rows.iter().filter_map(|(key, row)| Some((row.due_at_ms?, key.clone())));
        self.due = due.collect();
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

    pub(super) fn look(&self, key: &[u8]) -> Looked {
        match self.rows.get(key) {
            None => Looked::NotPending,
            Some(Row { value: None, .. }) => Looked::Deleted,
            Some(Row { value: Some(value), .. }) => Looked::Value(value.clone()),
        }
    }

    pub(super) fn holds(&self, key: &[u8]) -> bool {
        self.rows.contains_key(key)
    }

    /// Changes in key order, as the store wants them.
    pub(super) fn changes(&self) -> Vec<Change<'_>> {
        self.rows.iter().map(|(key, row)| change(key, row)).collect()
    }

    /// Keys under a prefix with their pending values, in key order.
    pub(super) fn under<'a>(
        &'a self,
        prefix: &'a [u8],
    ) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        self.rows
            .range(prefix.to_vec()..)
            .take_while(move |(key, _row)| key.starts_with(prefix))
            .map(|(key, row)| (key.as_slice(), row.value.as_deref()))
    }

    /// Pending timers due at or before `until_ms`, the earliest first.
    pub(super) fn due(&self, until_ms: u64) -> impl Iterator<Item = (u64, &[u8])> {
        let due = self.due.iter().take_while(move |(due_ms, _key)| *due_ms <= until_ms);
        due.map(|(due_ms, key)| (*due_ms, key.as_slice()))
    }
}

/// A row by its key; a deletion has no timer.
fn keyed(RowChange { key, value, due_at_ms }: RowChange) -> (Vec<u8>, Row) {
    let due_at_ms = due_at_ms.filter(|_| value.is_some());
    (key, Row { value, due_at_ms })
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
        assert_eq!(pending.look(b"a"), Looked::Value(b"1".to_vec()));
        assert_eq!(pending.look(b"b"), Looked::Deleted);
        assert_eq!(pending.look(b"c"), Looked::NotPending);
        assert_eq!(pending.due(9).collect::<Vec<_>>(), [(9, b"a".as_slice())]);
        assert_eq!(pending.due(8).count(), 0);
        assert_eq!((pending.rows(), pending.bytes()), (2, 3));
        assert_eq!(pending.checkpoint(), Some(Checkpoint::at(2)));
    }

    #[test]
    fn taken_at_once_or_one_by_one_it_is_the_same() {
        let changes = vec![
            set("b", "long", Some(5)),
            set("a", "x", None),
            delete("c"),
            set("b", "y", Some(7)),
            set("c", "z", Some(1)),
            delete("a"),
        ];
        let (mut at_once, mut one_by_one) = (Pending::default(), Pending::default());
        at_once.take_in(changes.clone(), Checkpoint::at(6));
        for change in changes {
            one_by_one.take_in(vec![change], Checkpoint::at(6));
        }
        assert_eq!(format!("{at_once:?}"), format!("{one_by_one:?}"));
        assert_eq!(at_once.look(b"b"), Looked::Value(b"y".to_vec()));
        assert_eq!(at_once.due(9).count(), 2);
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
