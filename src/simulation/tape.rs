//! What a stage did in a turn, as it did it: the schedule the judge plays again.
//!
//! [`Spied`] stands before the stage and notes every call; what an aborted turn noted is dropped with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::broker::record::Record;
use crate::domain::settings::SettingsTable;
use crate::domain::time::Timestamp;
use crate::engine::context::{Context, StateError};
use crate::engine::stage::{Exit, Stage};

use super::planted::Planted;

/// Every settings table there was.
pub(super) type Versions = Arc<Mutex<Vec<Arc<SettingsTable>>>>;

/// A stage's notes of the turn at hand.
pub(super) struct Tape<S: Stage> {
    pub(super) steps: Vec<Step<S>>,
    /// Rows the turn wrote, kept for a planted mistake alone.
    wrote: Vec<(u32, Vec<u8>, S::Row)>,
}

/// One call of a stage.
pub(super) struct Step<S: Stage> {
    pub(super) lane: u32,
    pub(super) now: Timestamp,
    pub(super) settings: Option<Arc<SettingsTable>>,
    pub(super) call: Call<S>,
}

/// Which call.
pub(super) enum Call<S: Stage> {
    Applied { record: Record, exit: Exit },
    Fired { key: Vec<u8> },
    Completed { completion: S::Completion },
}

/// Notes that a worker's thread and the judge share.
pub(super) type SharedTape<S> = Arc<Mutex<Tape<S>>>;

impl<S: Stage> Tape<S> {
    pub(super) fn shared() -> SharedTape<S> {
        Arc::new(Mutex::new(Self { steps: Vec::new(), wrote: Vec::new() }))
    }

    /// Takes the notes of a turn that became true, or is gone.
    pub(super) fn take(&mut self) -> Vec<Step<S>> {
        self.wrote.clear();
        std::mem::take(&mut self.steps)
    }
}

/// Locks what one thread alone uses.
pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stage that is watched.
pub(super) struct Spied<S: Stage> {
    inner: S,
    tape: SharedTape<S>,
    versions: Versions,
    planted: Option<Planted>,
    /// What an aborted turn wrote, for a planted mistake.
    left: Vec<(u32, Vec<u8>, S::Row)>,
}

impl<S: Stage> Spied<S> {
    pub(super) const fn new(
        inner: S,
        tape: SharedTape<S>,
        versions: Versions,
        planted: Option<Planted>,
    ) -> Self {
        Self { inner, tape, versions, planted, left: Vec::new() }
    }

    fn note(&self, context: &Context<'_, Self>, call: Call<S>) {
        let versions = held(&self.versions);
        let in_force =
            |table: &&Arc<SettingsTable>| std::ptr::eq(table.as_ref(), context.settings());
        let settings = versions.iter().rev().find(in_force).cloned();
        let (lane, now) = (context.partition(), context.now());
        held(&self.tape).steps.push(Step { lane, now, settings, call });
    }

    fn keep_row(&self, key: &[u8], context: &Context<'_, Self>) -> Result<(), StateError> {
        if self.planted == Some(Planted::AbortKeepsRows)
            && let Some(row) = context.get(key)?
        {
            held(&self.tape).wrote.push((context.partition(), key.to_vec(), row));
        }
        Ok(())
    }

    fn bring_back(&mut self, context: &mut Context<'_, Self>) {
        let lane = context.partition();
        for (_, key, row) in self.left.extract_if(.., |(of, ..)| *of == lane) {
            context.put(&key, row);
        }
    }
}

impl<S: Stage> Stage for Spied<S> {
    type Row = S::Row;
    type Action = S::Action;
    type Completion = S::Completion;

    const TIMERS_WAIT: bool = S::TIMERS_WAIT;

    fn apply(
        &mut self,
        record: &Record,
        context: &mut Context<'_, Self>,
    ) -> Result<Exit, StateError> {
        self.bring_back(context);
        let exit = self.inner.apply(record, &mut context.of())?;
        self.keep_row(record.key.as_deref().unwrap_or_default(), context)?;
        self.note(context, Call::Applied { record: record.clone(), exit });
        Ok(exit)
    }

    fn fire(&mut self, key: &[u8], context: &mut Context<'_, Self>) -> Result<(), StateError> {
        let times = if self.planted == Some(Planted::TimerTwice) { 2 } else { 1 };
        for _ in 0..times {
            self.inner.fire(key, &mut context.of())?;
            self.note(context, Call::Fired { key: key.to_vec() });
        }
        Ok(())
    }

    fn complete(
        &mut self,
        completion: S::Completion,
        context: &mut Context<'_, Self>,
    ) -> Result<(), StateError> {
        self.inner.complete(completion.clone(), &mut context.of())?;
        self.note(context, Call::Completed { completion });
        Ok(())
    }

    fn forget(&mut self) {
        self.left = std::mem::take(&mut held(&self.tape).wrote);
        self.inner.forget();
    }
}
