//! The plain fold: every committed turn played again by the pure stage over rows in memory, and compared.
//!
//! Held at each commit: inputs are consumed once, in order, and committed so far (I2, I5); timers are never early and due
//! when they fire (I8); outputs and changelog are what the fold says, in its order (I3, I4); the changelog's partition is
//! the input's (I10); a turn holds no more than it may (I12). Held at each look at a disk: it holds nothing that was not
//! committed, and all up to its checkpoint (I6).

use std::collections::BTreeMap;

use crate::broker::NextOffsets;
use crate::broker::record::Output;
use crate::domain::settings::SettingsTable;
use crate::domain::time::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::context::{Committed, Context, Rows, StateError};
use crate::engine::outputs::Outputs;
use crate::engine::stage::{Exit, Row, Stage};
use crate::store::{Copied, RowChange};
use crate::topics::{Cleanup, Topic};

use super::bounds::LIMITS;
use super::tape::{Call, Step};

/// A key's values by the offset at which each was written.
type Values = BTreeMap<Vec<u8>, Vec<(u64, Option<Vec<u8>>)>>;

/// A timer that lies so far before the inputs, for so many turns and so long, starves. Clocks of processes may be behind by
/// less, and a lane that was just taken holds its timers back for a shorter while, each time it is taken.
const STARVES_MS: u64 = 5 * MINUTE_MS;
const STARVES_TURNS: u32 = 12;
const STARVES_FOR_MS: u64 = 10 * SECOND_MS;

/// One stage's judge.
pub(super) struct Judge<S: Stage> {
    stage: S,
    changelog: Option<Topic>,
    lanes: BTreeMap<u32, Rows<S::Row>>,
    next: NextOffsets,
    written: BTreeMap<u32, Values>,
    /// When rows' timers are due.
    due: BTreeMap<(u32, Vec<u8>), Timestamp>,
    /// Turns in a row in which a lane's inputs had long passed a timer that did not fire, and since when.
    starving: BTreeMap<u32, (u32, Timestamp)>,
    /// The most bytes of rows that one turn wrote in a lane.
    largest: BTreeMap<u32, u64>,
    /// What is wrong with a row, if anything is.
    look: fn(&S::Row) -> Option<String>,
}

/// A turn that became true.
pub(super) struct Played<'a, S: Stage> {
    pub(super) steps: Vec<Step<S>>,
    pub(super) sent: &'a [Output],
    pub(super) next: &'a NextOffsets,
    /// What time it is in truth.
    pub(super) true_now: Timestamp,
    /// It is the first part of its turn: timers come with the last.
    pub(super) is_first: bool,
}

impl<S: Stage> Judge<S> {
    pub(super) fn new(
        stage: S,
        changelog: Option<Topic>,
        look: fn(&S::Row) -> Option<String>,
    ) -> Self {
        Self {
            stage,
            changelog,
            lanes: BTreeMap::new(),
            next: NextOffsets::new(),
            written: BTreeMap::new(),
            due: BTreeMap::new(),
            starving: BTreeMap::new(),
            largest: BTreeMap::new(),
            look,
        }
    }

    /// Plays a turn again.
    pub(super) fn judge(&mut self, turn: Played<'_, S>) -> Result<(), String> {
        let Played { steps, sent, next, true_now, is_first } = turn;
        let mut outputs = Outputs::default();
        let mut touched = NextOffsets::new();
        let times = times_of_inputs(&steps);
        let answers = steps.iter().filter(|step| matches!(step.call, Call::Completed { .. }));
        let answers = answers.count();
        if answers > LIMITS.completions {
            return Err(format!("a turn takes in what came of {answers} actions (I12)"));
        }
        let settings = steps.last().and_then(|step| step.settings.clone()).unwrap_or_default();
        for step in steps {
            if matches!(step.call, Call::Applied { .. }) {
                look_at_bytes(outputs.ready())?;
            }
            self.play(step, true_now, (&mut outputs, &mut touched))?;
        }
        if touched != *next {
            return Err(format!("offsets committed are {next:?}, processed were {touched:?}"));
        }
        let changes = self.take_changes(&settings, &mut outputs)?;
        let mut expected = outputs.take_all();
        expected.extend(changes);
        compare(&expected, sent, self.changelog)?;
        if !is_first {
            return Ok(());
        }
        times.into_iter().try_for_each(|(lane, time)| self.look_for_starving(lane, time, true_now))
    }

    /// Under a lasting load timers fire as far as the inputs have come (I8, I13).
    fn look_for_starving(
        &mut self,
        lane: u32,
        time: Timestamp,
        true_now: Timestamp,
    ) -> Result<(), String> {
        let mut due = self.due.iter().filter(|((of, _), _)| *of == lane);
        let waits = due.any(|(_, due)| *due < time.minus_ms(STARVES_MS));
        let (turns, since) = self.starving.entry(lane).or_insert((0, true_now));
        (*turns, *since) = if waits { (*turns + 1, *since) } else { (0, true_now) };
        if *turns < STARVES_TURNS || true_now.since_ms(*since) < STARVES_FOR_MS {
            return Ok(());
        }
        Err(format!("lane {lane}: a timer starves, while inputs have come to {time:?}"))
    }

    fn play(
        &mut self,
        step: Step<S>,
        true_now: Timestamp,
        (outputs, touched): (&mut Outputs, &mut NextOffsets),
    ) -> Result<(), String> {
        let Step { lane, now, settings, call } = step;
        let rows = self.lanes.entry(lane).or_insert_with(|| Rows::new(memory()));
        let fallback = SettingsTable::default();
        let settings = settings.as_deref().unwrap_or(&fallback);
        let mut actions = Vec::new();
        match call {
            Call::Applied { record, exit } => {
                let at = (record.topic, record.partition);
                let expected = self.next.entry(at).or_insert(0);
                if record.offset != *expected {
                    return Err(format!(
                        "{}/{}: record {} was processed where {expected} was next",
                        at.0.name(),
                        at.1,
                        record.offset
                    ));
                }
                *expected += 1;
                touched.insert(at, record.offset + 1);
                let mut context = Context::new((now, lane), settings, rows, outputs, &mut actions);
                let again = self.stage.apply(&record, &mut context).map_err(|e| unread(&e))?;
                if again != exit {
                    return Err(format!(
                        "{}/{}: record {} left as {exit:?}, the fold says {again:?}",
                        at.0.name(),
                        at.1,
                        record.offset
                    ));
                }
                if let Exit::Rejected(reason) = again {
                    outputs.push(record.dead_letter(reason.name(), None));
                }
            }
            Call::Fired { key } => {
                let due = rows.get(&key).map_err(|e| unread(&e))?.and_then(|row| row.due_at());
                if now > true_now {
                    return Err(format!("a timer fired at {now:?}, and it is {true_now:?}"));
                }
                if due.is_none_or(|due| due >= now) {
                    return Err(format!("a timer fired at {now:?}, its row is due at {due:?}"));
                }
                let mut context = Context::new((now, lane), settings, rows, outputs, &mut actions);
                self.stage.fire(&key, &mut context).map_err(|e| unread(&e))?;
                let due = rows.get(&key).map_err(|e| unread(&e))?.and_then(|row| row.due_at());
                if due.is_some_and(|due| due < now) {
                    return Err(format!("a timer fired at {now:?} and is due at {due:?} still"));
                }
            }
            Call::Completed { completion } => {
                let mut context = Context::new((now, lane), settings, rows, outputs, &mut actions);
                self.stage.complete(completion, &mut context).map_err(|e| unread(&e))?;
            }
        }
        Ok(())
    }

    /// Makes the turn's rows true: what is made known of them goes to `outputs`, the changelog's records come back.
    fn take_changes(
        &mut self,
        settings: &SettingsTable,
        outputs: &mut Outputs,
    ) -> Result<Vec<Output>, String> {
        let mut changes = Vec::new();
        for (&lane, rows) in &mut self.lanes {
            let mut bytes = 0;
            let written = rows.take_written();
            let Committed::Memory(committed) = &mut rows.committed else { continue };
            for (key, written) in written {
                let known = written.known(&key, settings).map_err(|error| unread(&error))?;
                known.into_iter().for_each(|known| outputs.push(known));
                let row = written.row;
                if let Some(broken) = row.as_ref().and_then(self.look) {
                    return Err(broken);
                }
                match row.as_ref().and_then(Row::due_at) {
                    Some(due) => drop(self.due.insert((lane, key.clone()), due)),
                    None => drop(self.due.remove(&(lane, key.clone()))),
                }
                let value = row.map(|row| {
                    let mut bytes = Vec::new();
                    row.encode(&mut bytes);
                    bytes
                });
                bytes += key.len() + value.as_ref().map_or(0, Vec::len);
                match &value {
                    Some(value) => drop(committed.insert(key.clone(), value.clone())),
                    None => drop(committed.remove(&key)),
                }
                if let Some(topic) = self.changelog {
                    let (headers, timestamp) = (Default::default(), Timestamp::default());
                    let partition = Some(lane);
                    changes.push(Output { topic, partition, key, value, headers, timestamp });
                }
            }
            let largest = self.largest.entry(lane).or_default();
            *largest = u64::try_from(bytes).unwrap_or(u64::MAX).max(*largest);
        }
        Ok(changes)
    }

    /// Where a changelog record stands.
    pub(super) fn note(
        &mut self,
        (topic, lane): (Topic, u32),
        offset: u64,
        (key, value): (&[u8], Option<&[u8]>),
    ) {
        if Some(topic) != self.changelog {
            return;
        }
        let written = self.written.entry(lane).or_default();
        written.entry(key.to_vec()).or_default().push((offset, value.map(<[u8]>::to_vec)));
    }

    /// The most bytes of rows that one turn wrote in a lane.
    pub(super) fn largest(&self, lane: u32) -> u64 {
        self.largest.get(&lane).copied().unwrap_or(0)
    }

    /// What the fold holds of a lane.
    pub(super) fn rows(&self, lane: u32) -> BTreeMap<Vec<u8>, Vec<u8>> {
        match self.lanes.get(&lane).map(|rows| &rows.committed) {
            Some(Committed::Memory(rows)) => rows.clone(),
            Some(Committed::Lane(_)) | None => BTreeMap::new(),
        }
    }

    /// A row that was deleted before an offset, as it was before.
    pub(super) fn deleted(&self, lane: u32, before: u64) -> Option<RowChange> {
        self.written.get(&lane)?.iter().find_map(|(key, values)| {
            let (at, last) = values.last()?;
            let value = values.iter().rev().find_map(|(_, value)| value.clone());
            let gone = last.is_none() && *at < before && value.is_some();
            gone.then(|| RowChange { key: key.clone(), value, due_at_ms: None })
        })
    }

    /// The earliest timer of all.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.values().copied().min()
    }

    /// How far each input is consumed.
    pub(super) const fn consumed(&self) -> &NextOffsets {
        &self.next
    }

    /// Whether a disk holds what it may, and all that it must (I6).
    pub(super) fn look_at_disk(&self, lane: u32, disk: &Copied, end: u64) -> Result<(), String> {
        let none = Values::new();
        let written = self.written.get(&lane).unwrap_or(&none);
        let checkpoint = disk.checkpoint().map_or(0, |checkpoint| checkpoint.next_offset);
        if checkpoint > end {
            return Err(format!(
                "a checkpoint at {checkpoint} is beyond the changelog's end {end}"
            ));
        }
        let rows = disk.rows().map_err(|error| error.to_string())?;
        let mut held: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
        for row in rows {
            held.insert(row.key, row.value);
        }
        for (key, values) in written {
            let on_disk = held.remove(key).flatten();
            // Everything below the checkpoint is on disk, or something newer.
            let from = values.iter().rposition(|(at, _)| *at < checkpoint);
            let may = values.get(from.unwrap_or(0)..).unwrap_or_default();
            let nothing_yet = from.is_none() && on_disk.is_none();
            if !nothing_yet && !may.iter().any(|(_, value)| *value == on_disk) {
                return Err(format!(
                    "lane {lane}: with its checkpoint at {checkpoint} the store holds an old or foreign value of {}",
                    shown(key)
                ));
            }
        }
        match held.into_keys().next() {
            Some(key) => {
                Err(format!("lane {lane}: the store holds {}, which nobody wrote", shown(&key)))
            }
            None => Ok(()),
        }
    }
}

/// A turn that holds more than it may takes no further record in: what came of the last one alone goes beyond the bound.
fn look_at_bytes(outputs: &[Output]) -> Result<(), String> {
    let bytes: usize = outputs.iter().map(Output::bytes).sum();
    if bytes > LIMITS.uncommitted_bytes {
        return Err(format!("a turn goes on with {bytes} bytes that are not true yet (I12)"));
    }
    Ok(())
}

/// How far the inputs of each lane have come in a turn: what all of them passed.
fn times_of_inputs<S: Stage>(steps: &[Step<S>]) -> BTreeMap<u32, Timestamp> {
    let mut newest: BTreeMap<(u32, Topic), Timestamp> = BTreeMap::new();
    for step in steps {
        if let Call::Applied { record, .. } = &step.call {
            let time = newest.entry((step.lane, record.topic)).or_default();
            *time = record.timestamp.max(*time);
        }
    }
    let mut times: BTreeMap<u32, Timestamp> = BTreeMap::new();
    for ((lane, _), time) in newest {
        let least = times.entry(lane).or_insert(time);
        *least = time.min(*least);
    }
    times
}

/// A key for people.
pub(super) fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key).escape_debug().to_string()
}

fn memory() -> Committed {
    Committed::Memory(BTreeMap::new())
}

fn unread(error: &StateError) -> String {
    format!("the fold fails: {error}")
}

/// Topic by topic, because between topics there is no order.
/// Whether a turn sent what it should have: logs in their order, of compacted topics each key once, in whatever order.
fn compare(expected: &[Output], sent: &[Output], changelog: Option<Topic>) -> Result<(), String> {
    let topics = expected.iter().chain(sent).map(|output| output.topic);
    for topic in topics.collect::<std::collections::BTreeSet<_>>() {
        let of = |output: &&Output| output.topic == topic;
        let (mut want, mut got): (Vec<_>, Vec<_>) =
            (expected.iter().filter(of).collect(), sent.iter().filter(of).collect());
        if topic.declaration().cleanup == Cleanup::Compact {
            want.sort_by(|a, b| a.key.cmp(&b.key));
            got.sort_by(|a, b| a.key.cmp(&b.key));
        }
        let same = |want: &Output, got: &Output| {
            if Some(topic) == changelog {
                (&want.key, &want.value, want.partition) == (&got.key, &got.value, got.partition)
            } else {
                want == got
            }
        };
        let count = want.len().max(got.len());
        for at in 0..count {
            let (want, got) = (want.get(at), got.get(at));
            if !want.zip(got).is_some_and(|(want, got)| same(want, got)) {
                return Err(format!(
                    "{}: record {at} of the turn is {}, the fold says {}",
                    topic.name(),
                    brief(got.copied()),
                    brief(want.copied())
                ));
            }
        }
    }
    Ok(())
}

fn brief(output: Option<&Output>) -> String {
    output.map_or_else(
        || "none".to_owned(),
        |output| {
            let id = output.headers.text(crate::broker::record::header::ID).unwrap_or("");
            let value = output.value.as_deref().map(xxhash_rust::xxh3::xxh3_64);
            format!("{} {id} ({value:x?})", shown(&output.key))
        },
    )
}
