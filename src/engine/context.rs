//! What a stage sees of the world during one record: its rows, the time, the settings; and where its effects go.
//!
//! Reads see the turn's own writes first, then what is committed. Nothing here is true before the commit.

use std::collections::BTreeMap;

use crate::broker::record::Output;
use crate::domain::settings::SettingsTable;
use crate::domain::time::Timestamp;
use crate::engine::outputs::Outputs;
use crate::engine::stage::{Row, RowError, Stage};
use crate::store;
use crate::topics::Topic;

/// A key and what stands under it.
pub type Keyed<T> = (Vec<u8>, T);

/// Why state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The local store failed; it is quarantined and rebuilt from the changelog.
    #[error("the local store failed")]
    Store(#[from] store::Error),
    /// A row does not read.
    #[error("a row of state does not read")]
    Row(#[from] RowError),
    /// An output does not serialize.
    #[error("a record does not serialize")]
    Serialize(#[from] serde_json::Error),
}

/// Committed rows of one partition: on disk, or in memory for rehearsals and stages without a store.
#[derive(Debug)]
pub enum Committed {
    /// Encoded rows in memory.
    Memory(BTreeMap<Vec<u8>, Vec<u8>>),
    /// In sled, written behind.
    Lane(store::Lane),
}

impl Committed {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        match self {
            Self::Memory(rows) => Ok(rows.get(key).cloned()),
            Self::Lane(lane) => Ok(lane.get(key)?),
        }
    }

    fn scan_prefix(&self, prefix: &[u8], limit: usize) -> Result<Vec<Keyed<Vec<u8>>>, StateError> {
        match self {
            Self::Memory(rows) => {
                let from_prefix = rows.range(prefix.to_vec()..);
                let matching = from_prefix.take_while(|(key, _)| key.starts_with(prefix));
                Ok(matching.take(limit).map(|(k, v)| (k.clone(), v.clone())).collect())
            }
            Self::Lane(lane) => Ok(lane.scan_prefix(prefix, limit)?),
        }
    }
}

/// The rows of one partition: what this turn wrote over what is committed.
#[derive(Debug)]
pub struct Rows<R> {
    /// What is committed.
    pub committed: Committed,
    /// What this turn wrote. Dropping it is all an abort has to do.
    pub overlay: BTreeMap<Vec<u8>, Written<R>>,
}

/// What a turn wrote under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<R> {
    /// The row; `None` is a deletion.
    pub row: Option<R>,
    /// When it is due, noted while the row was at hand.
    pub due_at: Option<Timestamp>,
}

impl<R: Row> Rows<R> {
    /// Rows over `committed`, nothing written yet.
    #[must_use]
    pub const fn new(committed: Committed) -> Self {
        Self { committed, overlay: BTreeMap::new() }
    }

    /// The row under `key`.
    ///
    /// # Errors
    ///
    /// [`StateError`] when it cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<R>, StateError> {
        if let Some(written) = self.overlay.get(key) {
            return Ok(written.row.clone());
        }
        let committed = self.committed.get(key)?;
        Ok(committed.map(|bytes| R::decode(&bytes)).transpose()?)
    }

    /// All rows whose key starts with `prefix`, in key order; at most `limit` committed ones.
    ///
    /// # Errors
    ///
    /// [`StateError`] when they cannot be read.
    pub fn scan_prefix(&self, prefix: &[u8], limit: usize) -> Result<Vec<Keyed<R>>, StateError> {
        let mut found: BTreeMap<Vec<u8>, R> = BTreeMap::new();
        for (key, bytes) in self.committed.scan_prefix(prefix, limit)? {
            found.insert(key, R::decode(&bytes)?);
        }
        let written = self.overlay.range(prefix.to_vec()..);
        for (key, written) in written.take_while(|(key, _)| key.starts_with(prefix)) {
            match &written.row {
                Some(row) => found.insert(key.clone(), row.clone()),
                None => found.remove(key),
            };
        }
        Ok(found.into_iter().collect())
    }
}

/// What a stage sees during one record, timer or completion.
#[derive(Debug)]
pub struct Context<'a, S: Stage + ?Sized> {
    now: Timestamp,
    partition: u32,
    settings: &'a SettingsTable,
    rows: &'a mut Rows<S::Row>,
    outputs: &'a mut Outputs,
    actions: &'a mut Vec<S::Action>,
}

impl<'a, S: Stage + ?Sized> Context<'a, S> {
    /// A context over one partition's rows; effects go to `outputs` and `actions`.
    pub const fn new(
        (now, partition): (Timestamp, u32),
        settings: &'a SettingsTable,
        rows: &'a mut Rows<S::Row>,
        outputs: &'a mut Outputs,
        actions: &'a mut Vec<S::Action>,
    ) -> Self {
        Self { now, partition, settings, rows, outputs, actions }
    }

    /// The same view for another stage that keeps and does the same: one stands before the other.
    pub const fn of<T>(&mut self) -> Context<'_, T>
    where
        T: Stage<Row = S::Row, Action = S::Action> + ?Sized,
    {
        Context::new(
            (self.now, self.partition),
            self.settings,
            self.rows,
            self.outputs,
            self.actions,
        )
    }

    /// The record's time, or for a timer the time at which it fires.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The partition at hand.
    #[must_use]
    pub const fn partition(&self) -> u32 {
        self.partition
    }

    /// What administrators chose.
    #[must_use]
    pub const fn settings(&self) -> &'a SettingsTable {
        self.settings
    }

    /// The row under `key`, as this turn left it.
    ///
    /// # Errors
    ///
    /// [`StateError`] when it cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<S::Row>, StateError> {
        self.rows.get(key)
    }

    /// All rows whose key starts with `prefix`, in key order.
    ///
    /// # Errors
    ///
    /// [`StateError`] when they cannot be read.
    pub fn scan_prefix(
        &self,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Keyed<S::Row>>, StateError> {
        self.rows.scan_prefix(prefix, limit)
    }

    /// Writes the row under `key`.
    pub fn put(&mut self, key: &[u8], row: S::Row) {
        let due_at = row.due_at();
        self.write(key, Written { row: Some(row), due_at });
    }

    /// Deletes the row under `key`.
    pub fn delete(&mut self, key: &[u8]) {
        self.write(key, Written { row: None, due_at: None });
    }

    fn write(&mut self, key: &[u8], written: Written<S::Row>) {
        match self.rows.overlay.get_mut(key) {
            Some(before) => *before = written,
            None => drop(self.rows.overlay.insert(key.to_vec(), written)),
        }
    }

    /// Writes a record, true with the commit.
    pub fn emit(&mut self, output: Output) {
        self.outputs.push(output);
    }

    /// Writes the record of a compacted topic that `write` makes, at the turn's end, unless another of its key comes behind it.
    pub fn emit_newest(
        &mut self,
        at: (Topic, &[u8]),
        write: impl FnOnce() -> Result<Output, serde_json::Error> + Send + 'static,
    ) {
        self.outputs.draft(at, write);
    }

    /// Has something done in the world, after the commit.
    pub fn act(&mut self, action: S::Action) {
        self.actions.push(action);
    }
}
