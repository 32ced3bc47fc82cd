//! One turn of a stage: a batch in, one commit's worth out. No I/O but reading rows.
//!
//! Nothing has happened when it returns: the worker commits the turn, or drops it and reads the batch again.

use std::collections::BTreeMap;

use crate::broker::NextOffsets;
use crate::broker::record::{Headers, Output, Record, header, runs};
use crate::domain::settings::SettingsTable;
use crate::domain::time::Timestamp;
use crate::engine::context::{Committed, Context, Rows, StateError};
use crate::engine::outputs::Outputs;
use crate::engine::stage::{Exit, Row, Stage};
use crate::store::RowChange;
use crate::topics::Topic;

/// Timers fired in one turn at most; the rest fire in the next.
const TIMERS_PER_TURN: usize = 1_000;

/// Everything one turn asks for, to become true at once.
#[derive(Debug)]
pub struct Turn<A> {
    /// Records to write, as far as they were not taken to be written.
    pub outputs: Outputs,
    /// Why records were set aside.
    pub dead_letters: Vec<String>,
    /// Where the inputs go on.
    pub next_offsets: NextOffsets,
    /// What is to be done in the world afterwards, with the lane it belongs to.
    pub actions: Vec<(u32, A)>,
    /// How records left, and how many each way.
    pub exits: Vec<(Exit, u64)>,
    /// Timers fired, each with how late it was.
    pub lateness_ms: Vec<u64>,
    /// It took in what came of actions.
    pub hears: bool,
}

impl<A> Default for Turn<A> {
    fn default() -> Self {
        Self {
            outputs: Outputs::default(),
            dead_letters: Vec::new(),
            next_offsets: NextOffsets::new(),
            actions: Vec::new(),
            exits: Vec::new(),
            lateness_ms: Vec::new(),
            hears: false,
        }
    }
}

impl<A> Turn<A> {
    /// Counts how a record left; the ways are few.
    fn count(&mut self, exit: Exit) {
        match self.exits.iter_mut().find(|(known, _)| *known == exit) {
            Some((_, count)) => *count += 1,
            None => self.exits.push((exit, 1)),
        }
    }

    /// Nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty() && self.next_offsets.is_empty()
    }

    /// Takes out what can be written before the turn is at its end.
    pub fn take_ready(&mut self) -> impl Iterator<Item = Output> + '_ {
        let Self { outputs, dead_letters, .. } = self;
        outputs.take_ready().inspect(|output| {
            if output.topic == Topic::DeadLetters {
                let reason = output.headers.text(header::REASON);
                dead_letters.push(reason.unwrap_or("unnamed").to_owned());
            }
        })
    }

    /// Takes out all that is left to write.
    #[must_use]
    pub fn take_rest(&mut self) -> Vec<Output> {
        let mut rest: Vec<Output> = self.take_ready().collect();
        rest.extend(self.outputs.take_all());
        rest
    }
}

/// The lanes a worker owns, by partition.
pub type Lanes<R> = BTreeMap<u32, Rows<R>>;

/// Hands `records` to the stage, in order. Records of lanes not owned are passed over: they are not ours to count.
///
/// # Errors
///
/// [`StateError`] when state cannot be read; the turn is to be dropped.
pub fn apply<S: Stage>(
    stage: &mut S,
    (lanes, settings): (&mut Lanes<S::Row>, &SettingsTable),
    records: &[Record],
    turn: &mut Turn<S::Action>,
) -> Result<(), StateError> {
    let mut actions = Vec::new();
    for ((topic, lane), run) in runs(records) {
        let Some(rows) = lanes.get_mut(&lane) else { continue };
        for record in run {
            let at = (record.timestamp, lane);
            let mut context = Context::new(at, settings, rows, &mut turn.outputs, &mut actions);
            let exit = stage.apply(record, &mut context)?;
            if let Exit::Rejected(reason) = exit {
                turn.outputs.push(record.dead_letter(reason.name(), None));
            }
            turn.count(exit);
            turn.actions.extend(actions.drain(..).map(|action| (lane, action)));
        }
        turn.next_offsets.extend(run.last().map(|last| ((topic, lane), last.offset + 1)));
    }
    Ok(())
}

/// Hands over what came of actions. What belongs to a lane not owned any more is dropped: its new owner's timer sees to it.
///
/// # Errors
///
/// As [`apply`].
pub fn complete<S: Stage>(
    stage: &mut S,
    (lanes, settings): (&mut Lanes<S::Row>, &SettingsTable),
    completions: Vec<(u32, S::Completion)>,
    now: Timestamp,
    turn: &mut Turn<S::Action>,
) -> Result<(), StateError> {
    let mut actions = Vec::new();
    for (lane, completion) in completions {
        let Some(rows) = lanes.get_mut(&lane) else { continue };
        let mut context =
            Context::new((now, lane), settings, rows, &mut turn.outputs, &mut actions);
        stage.complete(completion, &mut context)?;
        turn.actions.extend(actions.drain(..).map(|action| (lane, action)));
    }
    Ok(())
}

/// Fires timers due before what `mark` says of their lane, oldest first in each lane, at most a bounded number; `now` is
/// when they fire. Says whether some lane may have more of them.
///
/// An input stamped exactly at a deadline comes before its timer, so a timer waits until its time has passed.
///
/// # Errors
///
/// As [`apply`].
pub fn fire_due<S: Stage>(
    stage: &mut S,
    (lanes, settings): (&mut Lanes<S::Row>, &SettingsTable),
    (now, mark): (Timestamp, impl Fn(u32) -> Timestamp),
    turn: &mut Turn<S::Action>,
) -> Result<bool, StateError> {
    let (mut actions, mut more) = (Vec::new(), false);
    for (&lane, rows) in lanes.iter_mut() {
        let before = mark(lane);
        let due = due_keys(rows, before)?;
        more |= due.len() >= TIMERS_PER_TURN;
        for (due, key) in due {
            // What the turn wrote may have moved the timer; the row alone says when it is due.
            let due_at = rows.get(&key)?.and_then(|row| row.due_at());
            let still_due = due_at.is_some_and(|at| at < before);
            if !still_due {
                continue;
            }
            let mut context =
                Context::new((now, lane), settings, rows, &mut turn.outputs, &mut actions);
            stage.fire(&key, &mut context)?;
            turn.lateness_ms.push(now.since_ms(due));
            turn.actions.extend(actions.drain(..).map(|action| (lane, action)));
        }
    }
    Ok(more)
}

fn due_keys<R: Row>(
    rows: &Rows<R>,
    before: Timestamp,
) -> Result<Vec<(Timestamp, Vec<u8>)>, StateError> {
    let mut due: Vec<(Timestamp, Vec<u8>)> = match &rows.committed {
        Committed::Memory(_) => Vec::new(),
        Committed::Lane(lane) => {
            let until_ms = before.minus_ms(1).as_ms();
            let committed = lane.timers_due(until_ms, TIMERS_PER_TURN)?;
            committed.into_iter().map(|(ms, key)| (Timestamp::from_ms(ms), key)).collect()
        }
    };
    for (key, written) in rows.written() {
        let at = written.due_at.filter(|at| *at < before);
        due.extend(at.map(|at| (at, key.to_vec())));
    }
    due.sort();
    due.dedup_by(|a, b| a.1 == b.1);
    due.truncate(TIMERS_PER_TURN);
    Ok(due)
}

/// No row was written since the last commit.
#[must_use]
pub fn is_untouched<R>(lanes: &Lanes<R>) -> bool {
    lanes.values().all(|rows| rows.waiting() == 0)
}

/// Takes what the turn wrote out of the lanes, and hands `send` what is made known of each row and the changelog record that
/// makes it true. Gives back the changes that the stores take over then.
///
/// One row after the other, lane by lane in key order: what a row takes is given back before the next one comes.
///
/// # Errors
///
/// `send`'s, and [`StateError`] when a record does not serialize.
pub fn settle<R: Row, A, E: From<StateError>>(
    (lanes, settings): (&mut Lanes<R>, &SettingsTable),
    (changelog, now): (Topic, Timestamp),
    turn: &mut Turn<A>,
    mut send: impl FnMut(&Output) -> Result<(), E>,
) -> Result<BTreeMap<u32, Vec<RowChange>>, E> {
    let mut changes = BTreeMap::new();
    let mut bytes = Vec::new();
    for (&lane, rows) in lanes.iter_mut() {
        let taken = rows.take_written();
        let mut of_lane = Vec::with_capacity(taken.len());
        for (key, written) in taken {
            if let Some(known) = written.known(&key, settings)? {
                turn.outputs.overtaken_by(&known);
                send(&known)?;
            }
            let value = written.row.map(|row| {
                bytes.clear();
                row.encode(&mut bytes);
                // As long as it is: it stays until it is on disk.
                bytes.clone()
            });
            let (partition, headers) = (Some(lane), Headers::default());
            let record =
                Output { topic: changelog, partition, key, value, headers, timestamp: now };
            send(&record)?;
            let Output { key, value, .. } = record;
            let due_at_ms = written.due_at.map(Timestamp::as_ms);
            of_lane.push(RowChange { key, value, due_at_ms });
        }
        if !of_lane.is_empty() {
            changes.insert(lane, of_lane);
        }
    }
    Ok(changes)
}

#[cfg(test)]
#[path = "turn_test.rs"]
mod tests;
