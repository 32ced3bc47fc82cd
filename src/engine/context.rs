//! What a stage sees of the world during one record: its rows, the time, the settings; and where its effects go.
//!
//! Reads see the turn's own writes first, then what is committed. Nothing here is true before the commit.

use std::collections::{BTreeMap, HashMap};

use crate::broker::record::Output;
use crate::domain::settings::SettingsTable;
use crate::domain::time::Timestamp;
use crate::engine::outputs::Outputs;
use crate::engine::stage::{Row, RowError, Stage};
use crate::store;

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
    fn read<R: Row>(&self, key: &[u8]) -> Result<Option<R>, StateError> {
        let row = match self {
            Self::Memory(rows) => rows.get(key).map(|bytes| R::decode(bytes)),
            Self::Lane(lane) => lane.read(key, R::decode)?,
        };
        Ok(row.transpose()?)
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
    /// What this turn wrote, in no order. Dropping it is all an abort has to do.
    overlay: HashMap<Vec<u8>, Written<R>>,
    /// How many of those are to be published.
    published: usize,
}

/// What a turn wrote under a key.
#[derive(Debug)]
pub struct Written<R> {
    /// The row; `None` is a deletion.
    pub row: Option<R>,
    /// When it is due, noted while the row was at hand.
    pub due_at: Option<Timestamp>,
    /// How it is made known at the turn's end, if it is.
    publication: Option<Publication<R>>,
}

/// How a row is made known as it stands at the turn's end: once, however often it was said in the turn.
#[derive(Debug)]
pub struct Publication<R> {
    /// When it was said last.
    pub at: Timestamp,
    /// The trace in which it was.
    pub trace: Option<String>,
    /// Writes the record out; `None` for a row that has nothing to say.
    pub write: Publish<R>,
}

/// Writes out how things stand under a key.
pub type Publish<R> =
    fn((&[u8], &R), &Publication<R>, &SettingsTable) -> Result<Option<Output>, StateError>;

/// What becomes of what was said to be made known of a row.
#[derive(Debug)]
pub enum Tell<R> {
    /// It stays as it was.
    AsBefore,
    /// This.
    New(Publication<R>),
    /// Nothing is made known.
    Nothing,
}

impl<R> Rows<R> {
    /// Rows over `committed`, nothing written yet.
    #[must_use]
    pub fn new(committed: Committed) -> Self {
        Self { committed, overlay: HashMap::new(), published: 0 }
    }

    /// What this turn wrote, in no order.
    #[expect(clippy::disallowed_methods, reason = "whoever asks sorts, or counts")]
    pub fn written(&self) -> impl Iterator<Item = (&[u8], &Written<R>)> {
        self.overlay.iter().map(|(key, written)| (key.as_slice(), written))
    }

    /// How many records come of what this turn wrote: rows, and what is to be made known of them.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.overlay.len() + self.published
    }

    /// Drops what this turn wrote.
    pub fn forget(&mut self) {
        self.overlay.clear();
        self.published = 0;
    }

    /// Takes out what this turn wrote, in key order.
    pub fn take_written(&mut self) -> Vec<Keyed<Written<R>>> {
        self.published = 0;
        let mut written: Vec<_> = self.overlay.drain().collect();
        written.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        written
    }
}

impl<R> Written<R> {
    /// What is to be made known of the row under `key`, as it stands now.
    ///
    /// # Errors
    ///
    /// [`StateError`] when the record does not serialize.
    pub fn known(
        &self,
        key: &[u8],
        settings: &SettingsTable,
    ) -> Result<Option<Output>, StateError> {
        let (Some(publication), Some(row)) = (&self.publication, &self.row) else {
            return Ok(None);
        };
        (publication.write)((key, row), publication, settings)
    }
}

impl<R: Row> Rows<R> {
    /// The row under `key`.
    ///
    /// # Errors
    ///
    /// [`StateError`] when it cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<R>, StateError> {
        if let Some(written) = self.overlay.get(key) {
            return Ok(written.row.clone());
        }
        self.committed.read(key)
    }

    /// The row under `key`, out of what this turn wrote: no copy stays.
    ///
    /// # Errors
    ///
    /// [`StateError`] when it cannot be read.
    fn take(&mut self, key: &[u8]) -> Result<Option<R>, StateError> {
        match self.overlay.get_mut(key) {
            Some(written) => Ok(written.row.take()),
            None => self.get(key),
        }
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
        for (key, written) in self.written().filter(|(key, _)| key.starts_with(prefix)) {
            match &written.row {
                Some(row) => found.insert(key.to_vec(), row.clone()),
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

    /// The row under `key`, to become another without a copy: whoever takes it writes or deletes it, gives it back, or fails
    /// the turn. Until then it counts as deleted.
    ///
    /// # Errors
    ///
    /// [`StateError`] when it cannot be read.
    pub fn take(&mut self, key: &[u8]) -> Result<Option<S::Row>, StateError> {
        self.rows.take(key)
    }

    /// Gives back a row that was taken, as it was: nothing is written.
    pub fn give_back(&mut self, key: &[u8], row: S::Row) {
        // One that is only committed was read, and stands where it stood.
        if let Some(written) = self.rows.overlay.get_mut(key) {
            written.row = Some(row);
        }
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
        self.put_and_tell(key, row, Tell::AsBefore);
    }

    /// Writes the row under `key`, and says what is to be made known of it at the turn's end.
    pub fn put_and_tell(&mut self, key: &[u8], row: S::Row, tell: Tell<S::Row>) {
        let due_at = row.due_at();
        self.write(key, (Some(row), due_at), tell);
    }

    /// Deletes the row under `key`; nothing of it is made known.
    pub fn delete(&mut self, key: &[u8]) {
        self.write(key, (None, None), Tell::Nothing);
    }

    fn write(
        &mut self,
        key: &[u8],
        (row, due_at): (Option<S::Row>, Option<Timestamp>),
        tell: Tell<S::Row>,
    ) {
        let Rows { overlay, published, .. } = &mut *self.rows;
        let known = overlay.get_mut(key);
        let before = known.as_ref().is_some_and(|written| written.publication.is_some());
        let told = match tell {
            Tell::AsBefore => None,
            Tell::New(publication) => Some(Some(publication)),
            Tell::Nothing => Some(None),
        };
        let after = told.as_ref().map_or(before, Option::is_some);
        *published = (*published + usize::from(after)).saturating_sub(usize::from(before));
        match known {
            Some(written) => {
                (written.row, written.due_at) = (row, due_at);
                if let Some(told) = told {
                    written.publication = told;
                }
            }
            None => {
                let publication = told.flatten();
                overlay.insert(key.to_vec(), Written { row, due_at, publication });
            }
        }
    }

    /// Writes a record, true with the commit; of a compacted topic the newest of a key alone.
    pub fn emit(&mut self, output: Output) {
        self.outputs.push(output);
    }

    /// Has something done in the world, after the commit.
    pub fn act(&mut self, action: S::Action) {
        self.actions.push(action);
    }
}

#[cfg(test)]
#[path = "context_test.rs"]
mod tests;
