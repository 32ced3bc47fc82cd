//! A stage run by hand in memory: one record, timer or completion at a time, everything committed at once.
//!
//! For tests of a stage's edge and for tools that need no broker. Not here: transactions, partitions, crashes (`worker`).

use std::collections::BTreeMap;

use crate::broker::record::{Output, Record};
use crate::domain::settings::SettingsTable;
use crate::domain::time::Timestamp;
use crate::engine::context::{Committed, Context, Rows, StateError};
use crate::engine::outputs::Outputs;
use crate::engine::stage::{Exit, Row, Stage};

/// A stage with its rows in memory.
#[derive(Debug)]
pub struct Rehearsal<S: Stage> {
    stage: S,
    settings: SettingsTable,
    rows: Rows<S::Row>,
}

/// What one step brought about.
#[derive(Debug)]
pub struct Step<A> {
    /// How the record left; `None` for timers and completions.
    pub exit: Option<Exit>,
    /// Records written.
    pub outputs: Vec<Output>,
    /// What is to be done in the world.
    pub actions: Vec<A>,
}

impl<S: Stage> Rehearsal<S> {
    /// A stage that has seen nothing.
    pub fn new(stage: S, settings: SettingsTable) -> Self {
        Self { stage, settings, rows: Rows::new(Committed::Memory(BTreeMap::new())) }
    }

    /// Hands over a record; now is its time.
    ///
    /// # Errors
    ///
    /// The stage's.
    pub fn apply(&mut self, record: &Record) -> Result<Step<S::Action>, StateError> {
        let (mut outputs, mut actions) = (Outputs::default(), Vec::new());
        let at = (record.timestamp, record.partition);
        let mut context =
            Context::new(at, &self.settings, &mut self.rows, &mut outputs, &mut actions);
        let exit = self.stage.apply(record, &mut context)?;
        let outputs = self.commit(&mut outputs)?;
        Ok(Step { exit: Some(exit), outputs, actions })
    }

    /// Hands over what came of an action.
    ///
    /// # Errors
    ///
    /// The stage's.
    pub fn complete(
        &mut self,
        completion: S::Completion,
        now: Timestamp,
    ) -> Result<Step<S::Action>, StateError> {
        let (mut outputs, mut actions) = (Outputs::default(), Vec::new());
        let mut context =
            Context::new((now, 0), &self.settings, &mut self.rows, &mut outputs, &mut actions);
        self.stage.complete(completion, &mut context)?;
        let outputs = self.commit(&mut outputs)?;
        Ok(Step { exit: None, outputs, actions })
    }

    /// Fires every timer due before `now`, oldest first, until none is.
    ///
    /// # Errors
    ///
    /// The stage's.
    pub fn fire_due(&mut self, now: Timestamp) -> Result<Step<S::Action>, StateError> {
        let (mut all, mut outputs, mut actions) = (Vec::new(), Outputs::default(), Vec::new());
        while let Some((_, key)) = self.next_due()?.filter(|(due, _)| *due < now) {
            let mut context =
                Context::new((now, 0), &self.settings, &mut self.rows, &mut outputs, &mut actions);
            self.stage.fire(&key, &mut context)?;
            all.extend(self.commit(&mut outputs)?);
        }
        Ok(Step { exit: None, outputs: all, actions })
    }

    /// The earliest timer and its row's key.
    ///
    /// # Errors
    ///
    /// When a row does not read.
    pub fn next_due(&self) -> Result<Option<(Timestamp, Vec<u8>)>, StateError> {
        let rows = self.rows.scan_prefix(&[], usize::MAX)?;
        Ok(rows.into_iter().filter_map(|(key, row)| Some((row.due_at()?, key))).min())
    }

    /// The row under `key`.
    ///
    /// # Errors
    ///
    /// When it does not read.
    pub fn row(&self, key: &[u8]) -> Result<Option<S::Row>, StateError> {
        self.rows.get(key)
    }

    fn commit(&mut self, outputs: &mut Outputs) -> Result<Vec<Output>, StateError> {
        let written = self.rows.take_written();
        let Committed::Memory(committed) = &mut self.rows.committed else { return Ok(Vec::new()) };
        for (key, written) in written {
            if let Some(known) = written.known(&key, &self.settings)? {
                outputs.push(known);
            }
            match written.row {
                Some(row) => {
                    let mut bytes = Vec::new();
                    row.encode(&mut bytes);
                    committed.insert(key, bytes);
                }
                None => {
                    committed.remove(&key);
                }
            }
        }
        Ok(outputs.take_all())
    }
}
