//! What a stage is to the engine: rows it keeps, records it answers, timers it set, answers of the world.
//!
//! A stage decides; it never waits, reads no clock and does nothing in the world. What is to be done in the world is an
//! [`Stage::Action`], carried out after the commit; what came of it returns as a [`Stage::Completion`].

use crate::broker::record::Record;
use crate::domain::event::DeadLetterReason;
use crate::domain::time::Timestamp;
use crate::engine::context::{Context, StateError};

/// One row of a stage's state, as it stands on disk and in the changelog.
///
/// The first byte written is the layout's version; old versions are read for ever.
pub trait Row: Clone + Send + Sync + 'static {
    /// Appends the row's bytes.
    fn encode(&self, into: &mut Vec<u8>);

    /// Reads a row of any version.
    ///
    /// # Errors
    ///
    /// [`RowError`] when the bytes are no row of a known version.
    fn decode(bytes: &[u8]) -> Result<Self, RowError>;

    /// When the engine must call [`Stage::fire`] for this row; at most one timer a row, the earliest.
    fn due_at(&self) -> Option<Timestamp>;

    /// What [`Row::due_at`] says of the row these bytes are; a restore asks for nothing else. A layout that has it in front
    /// spares reading the rest.
    ///
    /// # Errors
    ///
    /// [`RowError`] when the bytes are seen to be no row of a known version.
    fn due_in(bytes: &[u8]) -> Result<Option<Timestamp>, RowError> {
        Ok(Self::decode(bytes)?.due_at())
    }
}

/// A row that is large and moves often is boxed.
impl<R: Row> Row for Box<R> {
    fn encode(&self, into: &mut Vec<u8>) {
        R::encode(self, into);
    }

    fn decode(bytes: &[u8]) -> Result<Self, RowError> {
        R::decode(bytes).map(Self::new)
    }

    fn due_at(&self) -> Option<Timestamp> {
        R::due_at(self)
    }

    fn due_in(bytes: &[u8]) -> Result<Option<Timestamp>, RowError> {
        R::due_in(bytes)
    }
}

/// Why bytes are not a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Written by a newer program.
    #[error("row has version {0}, which this program does not know: upgrade it")]
    UnknownVersion(u8),
    /// Damaged.
    #[error("row does not read: {0}")]
    Malformed(String),
}

/// How a record leaves a stage. A broken store or broker is not an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Understood, with effects.
    Emitted,
    /// Understood, nothing to do; the word is a closed label (`duplicate`, `own_echo`, `stale`, …).
    Skipped(&'static str),
    /// Can never succeed: the engine writes it to the dead letters, in the same commit.
    Rejected(DeadLetterReason),
}

/// A stage of the pipeline.
pub trait Stage: Send + 'static {
    /// What it keeps.
    type Row: Row;
    /// What it wants done in the world after the commit; `()` for a stage that does nothing there.
    type Action: Send + 'static;
    /// What came of it; `()` likewise.
    type Completion: Clone + Send + 'static;

    /// Its timers come after the inputs stamped before them, so they wait while more is to be read. Not so where they are
    /// about the world alone, such as calls to be made.
    const TIMERS_WAIT: bool = true;

    /// Answers one input record. `context.now()` is the record's time.
    ///
    /// # Errors
    ///
    /// [`StateError`] when state cannot be read: the turn is aborted, the record is read again.
    fn apply(
        &mut self,
        record: &Record,
        context: &mut Context<'_, Self>,
    ) -> Result<Exit, StateError>;

    /// Answers a due timer of the row under `key`. `context.now()` is later than the row's due time.
    ///
    /// Must leave the row with a later due time or none.
    ///
    /// # Errors
    ///
    /// As [`Stage::apply`].
    fn fire(&mut self, key: &[u8], context: &mut Context<'_, Self>) -> Result<(), StateError>;

    /// Takes in what came of an action.
    ///
    /// # Errors
    ///
    /// As [`Stage::apply`].
    fn complete(
        &mut self,
        completion: Self::Completion,
        context: &mut Context<'_, Self>,
    ) -> Result<(), StateError>;

    /// Drops whatever it holds in memory beside its rows: the turn was aborted, or partitions moved.
    fn forget(&mut self) {}
}
