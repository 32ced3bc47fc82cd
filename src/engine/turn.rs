//! One turn of a stage: a batch in, one commit's worth out. No I/O but reading rows.
//!
//! Nothing has happened when it returns: the worker commits the turn, or drops it and reads the batch again.

use std::collections::BTreeMap;

use crate::broker::NextOffsets;
use crate::broker::record::{Headers, Output, Record, header};
use crate::domain::settings::SettingsTable;
use crate::domain::time::Timestamp;
use crate::engine::context::{Committed, Context, Rows, StateError};
use crate::engine::stage::{Exit, Row, Stage};
use crate::store::RowChange;
use crate::topics::{Cleanup, Topic};

/// Timers fired in one turn at most; the rest fire in the next.
const TIMERS_PER_TURN: usize = 1_000;

/// Everything one turn asks for, to become true at once.
#[derive(Debug)]
pub struct Turn<A> {
    /// Records to write, in order, as far as they were not taken to be written.
    pub outputs: Vec<Output>,
    /// Records of compacted topics that were taken and wait for the end of the turn.
    newest: BTreeMap<(Topic, Vec<u8>), Output>,
    /// Why records were set aside.
    pub dead_letters: Vec<String>,
    /// Where the inputs go on.
    pub next_offsets: NextOffsets,
    /// What is to be done in the world afterwards, with the lane it belongs to.
    pub actions: Vec<(u32, A)>,
    /// How records left, in order.
    pub exits: Vec<Exit>,
    /// Timers fired, each with how late it was.
    pub lateness_ms: Vec<u64>,
    /// Newest time read, by lane and input.
    read_up_to: BTreeMap<(u32, Topic), Timestamp>,
}

impl<A> Default for Turn<A> {
    fn default() -> Self {
        Self {
            outputs: Vec::new(),
            newest: BTreeMap::new(),
            dead_letters: Vec::new(),
            next_offsets: NextOffsets::new(),
            actions: Vec::new(),
            exits: Vec::new(),
            lateness_ms: Vec::new(),
            read_up_to: BTreeMap::new(),
        }
    }
}

impl<A> Turn<A> {
    /// Nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty() && self.newest.is_empty() && self.next_offsets.is_empty()
    }

    /// What time it is for the timers of `lane`, while more is to be read: as far as every input read in this turn has come.
    ///
    /// What is stamped before a timer comes before it; but under a lasting load timers would never fire if they waited for
    /// the end.
    fn time_of_inputs(&self, lane: u32) -> Option<Timestamp> {
        let of_lane = self.read_up_to.iter().filter(|((of, _), _)| *of == lane);
        of_lane.map(|(_, at)| *at).min()
    }

    /// Takes out what can be written before the turn is at its end. Records of compacted topics stay: of a key only the
    /// newest counts, and nobody sees the others of the same turn.
    pub fn take_ready(&mut self) -> impl Iterator<Item = Output> + '_ {
        let Self { outputs, newest, dead_letters, .. } = self;
        outputs.drain(..).filter_map(|output| {
            if output.topic == Topic::DeadLetters {
                let reason = output.headers.text(header::REASON);
                dead_letters.push(reason.unwrap_or("unnamed").to_owned());
            }
            match output.topic.declaration().cleanup {
                Cleanup::Delete => Some(output),
                Cleanup::Compact => {
                    newest.insert((output.topic, output.key.clone()), output);
                    None
                }
            }
        })
    }

    /// Takes out all that is left to write.
    pub fn take_rest(&mut self) -> Vec<Output> {
        let mut rest: Vec<Output> = self.take_ready().collect();
        rest.extend(std::mem::take(&mut self.newest).into_values());
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
    for record in records {
        let Some(rows) = lanes.get_mut(&record.partition) else { continue };
        let at = (record.timestamp, record.partition);
        let mut context = Context::new(at, settings, rows, &mut turn.outputs, &mut actions);
        let exit = stage.apply(record, &mut context)?;
        if let Exit::Rejected(reason) = exit {
            turn.outputs.push(record.dead_letter(reason.name(), None));
        }
        turn.exits.push(exit);
        turn.actions.extend(actions.drain(..).map(|action| (record.partition, action)));
        turn.next_offsets.insert((record.topic, record.partition), record.offset + 1);
        let read_up_to = turn.read_up_to.entry((record.partition, record.topic)).or_default();
        *read_up_to = record.timestamp.max(*read_up_to);
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

/// Fires timers due before `now`, oldest first in each lane, at most a bounded number; with more to be read, where the stage's
/// timers wait for it, only those before what was read.
///
/// An input stamped exactly at a deadline comes before its timer, so a timer waits until its time has passed.
///
/// # Errors
///
/// As [`apply`].
pub fn fire_due<S: Stage>(
    stage: &mut S,
    (lanes, settings): (&mut Lanes<S::Row>, &SettingsTable),
    (now, drained): (Timestamp, bool),
    turn: &mut Turn<S::Action>,
) -> Result<(), StateError> {
    let mut actions = Vec::new();
    for (&lane, rows) in lanes.iter_mut() {
        let waits = S::TIMERS_WAIT && !drained;
        let now = if waits { turn.time_of_inputs(lane).map(|at| at.min(now)) } else { Some(now) };
        let Some(now) = now else { continue };
        for (due, key) in due_keys(rows, now)? {
            // What the turn wrote may have moved the timer; the row alone says when it is due.
            let due_now = rows.get(&key)?.and_then(|row| row.due_at());
            let still_due = due_now.is_some_and(|at| at < now);
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
    Ok(())
}

fn due_keys<R: Row>(
    rows: &Rows<R>,
    now: Timestamp,
) -> Result<Vec<(Timestamp, Vec<u8>)>, StateError> {
    let mut due: Vec<(Timestamp, Vec<u8>)> = match &rows.committed {
        Committed::Memory(_) => Vec::new(),
        Committed::Lane(lane) => {
            let until_ms = now.minus_ms(1).as_ms();
            let committed = lane.timers_due(until_ms, TIMERS_PER_TURN)?;
            committed.into_iter().map(|(ms, key)| (Timestamp::from_ms(ms), key)).collect()
        }
    };
    for (key, row) in &rows.overlay {
        let at = row.as_ref().and_then(Row::due_at).filter(|at| *at < now);
        due.extend(at.map(|at| (at, key.clone())));
    }
    due.sort();
    due.dedup_by(|a, b| a.1 == b.1);
    due.truncate(TIMERS_PER_TURN);
    Ok(due)
}

/// Takes the lanes' overlays: the changelog records that make them true, and the changes the stores take over then.
pub fn take_changes<R: Row>(
    lanes: &mut Lanes<R>,
    changelog: Topic,
    now: Timestamp,
) -> (Vec<Output>, BTreeMap<u32, Vec<RowChange>>) {
    let mut outputs = Vec::new();
    let mut changes: BTreeMap<u32, Vec<RowChange>> = BTreeMap::new();
    for (&lane, rows) in lanes.iter_mut() {
        for (key, row) in std::mem::take(&mut rows.overlay) {
            let due_at_ms = row.as_ref().and_then(Row::due_at).map(Timestamp::as_ms);
            let value = row.map(|row| {
                let mut bytes = Vec::with_capacity(256);
                row.encode(&mut bytes);
                bytes
            });
            outputs.push(Output {
                topic: changelog,
                partition: Some(lane),
                key: key.clone(),
                value: value.clone(),
                headers: Headers::default(),
                timestamp: now,
            });
            changes.entry(lane).or_default().push(RowChange { key, value, due_at_ms });
        }
    }
    (outputs, changes)
}

#[cfg(test)]
#[path = "turn_test.rs"]
mod tests;
