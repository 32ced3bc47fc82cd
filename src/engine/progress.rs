//! Whether a worker that goes round also gets on: how far behind its lanes are, for how long, and which of them stand still. Pure.
//!
//! A worker can go round for ever and get nowhere: a client that fetches nothing, a turn that is aborted again and again.
//! So a lane that has records to read and commits none of them for a minute is said to stand still, once.

use std::collections::{BTreeMap, BTreeSet};

use crate::broker::record::{Record, runs};
use crate::broker::{Lag, NextOffsets};
use crate::domain::time::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::topics::Topic;

/// How often is looked.
const LOOK_EVERY_MS: u64 = SECOND_MS;
/// An input that gets no further for so long, with records to read, stands still.
const STANDS_AFTER_MS: u64 = MINUTE_MS;
/// What an input may rest at: a transaction's mark behind the last record.
const REST: u64 = 1;

/// An input of a lane.
type Input = (Topic, u32);

/// What is known of the inputs of a worker's lanes.
#[derive(Debug, Default)]
pub struct Progress {
    inputs: BTreeMap<Input, Known>,
    committed: NextOffsets,
    looked_at: Timestamp,
}

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// Where it stood when it last moved, or had nothing to read.
    next: Option<u64>,
    /// When that was.
    moved_at: Timestamp,
    /// The age of the oldest record of the batches since the last look.
    came_ms: Option<u64>,
    /// How old what waits is, at least.
    age_ms: u64,
    stands: bool,
}

/// How the inputs stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Of each input how many records are to be read, and how long the oldest of them has waited at least, in milliseconds.
    pub lag: Vec<(Input, u64, u64)>,
    /// Inputs that are another's now.
    pub gone: Vec<Input>,
    /// How many inputs stand still.
    pub standing: usize,
    /// Those of them that have begun to.
    pub stopped: Vec<Input>,
    /// Those that go on after they stood.
    pub resumed: Vec<Input>,
}

impl Progress {
    /// These records are to be processed, at `now`.
    pub fn came(&mut self, records: &[Record], now: Timestamp) {
        let mut ages: BTreeMap<Input, u64> = BTreeMap::new();
        for (input, run) in runs(records) {
            let oldest_ms = run.iter().map(|record| now.since_ms(record.timestamp)).max();
            let age = ages.entry(input).or_default();
            *age = (*age).max(oldest_ms.unwrap_or(0));
        }
        for (input, age_ms) in ages {
            let known = self.inputs.entry(input).or_default();
            known.came_ms = known.came_ms.max(Some(age_ms));
        }
    }

    /// The inputs go on from here.
    pub fn committed(&mut self, next: &NextOffsets) {
        self.committed.extend(next);
    }

    /// Whether it is time to look.
    #[must_use]
    pub const fn is_due(&self, now: Timestamp) -> bool {
        now.since_ms(self.looked_at) >= LOOK_EVERY_MS
    }

    /// Looks how far behind the lanes are: `lag` names the inputs of all that are taken.
    pub fn look(&mut self, lag: &Lag, now: Timestamp) -> Report {
        let since_ms = now.since_ms(self.looked_at);
        self.looked_at = now;
        let gone: Vec<Input> =
            self.inputs.keys().filter(|input| !lag.contains_key(input)).copied().collect();
        for input in &gone {
            self.inputs.remove(input);
            self.committed.remove(input);
        }
        let mut report = Report { gone, ..Report::default() };
        for (input, behind) in lag {
            let next = self.committed.get(input).copied();
            // What was not known at the last look has not waited since then.
            let since_ms = if self.inputs.contains_key(input) { since_ms } else { 0 };
            let first = Known { next, moved_at: now, ..Known::default() };
            let known = self.inputs.entry(*input).or_insert(first);
            known.look((next, *behind), since_ms, now);
            report.lag.push((*input, *behind, known.age_ms));
            let stands = now.since_ms(known.moved_at) >= STANDS_AFTER_MS;
            match (known.stands, stands) {
                (false, true) => report.stopped.push(*input),
                (true, false) => report.resumed.push(*input),
                (true, true) | (false, false) => (),
            }
            known.stands = stands;
            report.standing += usize::from(stands);
        }
        report
    }

    /// Forgets everything: the session is gone. What was known of is another's, or comes anew.
    pub fn forget(&mut self) -> Vec<Input> {
        let known: BTreeSet<Input> = std::mem::take(&mut self.inputs).into_keys().collect();
        self.committed.clear();
        known.into_iter().collect()
    }
}

impl Known {
    fn look(&mut self, (next, behind): (Option<u64>, u64), since_ms: u64, now: Timestamp) {
        let rests = behind <= REST;
        if rests || self.next != next || self.moved_at == Timestamp::default() {
            self.next = next;
            self.moved_at = now;
        }
        self.age_ms = match self.came_ms.take() {
            _ if rests => 0,
            Some(age_ms) => age_ms,
            // Nothing came of it, and it waits: it grows older.
            None => self.age_ms.saturating_add(since_ms),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::record::Headers;

    const INPUT: Input = (Topic::EventsNormalized, 3);
    const OTHER: Input = (Topic::DeskCommands, 3);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + seconds * SECOND_MS)
    }

    fn record((topic, partition): Input, time: Timestamp) -> Record {
        let (headers, offset) = (Headers::default(), 0);
        Record { topic, partition, offset, timestamp: time, key: None, value: None, headers }
    }

    #[test]
    fn an_input_with_records_that_commits_none_for_a_minute_stands_and_is_told_once() {
        let mut progress = Progress::default();
        progress.committed(&NextOffsets::from([(INPUT, 7)]));
        let lag = Lag::from([(INPUT, 5), (OTHER, 1)]);
        for second in 0..60 {
            assert_eq!(progress.look(&lag, at(second)).standing, 0, "{second}");
        }
        let stopped = progress.look(&lag, at(60));
        assert_eq!((stopped.standing, stopped.stopped), (1, vec![INPUT]));
        let still = progress.look(&lag, at(61));
        assert_eq!((still.standing, still.stopped), (1, vec![]), "told once");
        progress.committed(&NextOffsets::from([(INPUT, 8)]));
        let resumed = progress.look(&lag, at(62));
        assert_eq!((resumed.standing, resumed.resumed), (0, vec![INPUT]));
    }

    #[test]
    fn an_input_that_rests_or_moves_does_not_stand() {
        // records behind, whether something is committed each second
        check(0, false);
        check(1, false);
        check(9_000, true);

        #[track_caller]
        fn check(behind: u64, moves: bool) {
            let mut progress = Progress::default();
            for second in 0..300 {
                if moves {
                    progress.committed(&NextOffsets::from([(INPUT, second)]));
                }
                let report = progress.look(&Lag::from([(INPUT, behind)]), at(second));
                assert_eq!(report.standing, 0, "{behind} behind, second {second}");
            }
        }
    }

    #[test]
    fn what_waits_is_as_old_as_the_oldest_record_that_came_and_grows_older_when_none_comes() {
        let mut progress = Progress::default();
        progress.look(&Lag::from([(INPUT, 9)]), at(0));
        progress.came(&[record(INPUT, at(0)), record(INPUT, at(8))], at(10));
        progress.came(&[record(INPUT, at(9))], at(10));
        check(&mut progress, 9, 10, 10);
        check(&mut progress, 9, 13, 13);
        progress.came(&[record(INPUT, at(14))], at(14));
        check(&mut progress, 9, 14, 0);
        check(&mut progress, 1, 15, 0);

        #[track_caller]
        fn check(progress: &mut Progress, behind: u64, now: u64, age: u64) {
            let report = progress.look(&Lag::from([(INPUT, behind)]), at(now));
            assert_eq!(report.lag, [(INPUT, behind, age * SECOND_MS)]);
        }
    }

    #[test]
    fn what_is_anothers_is_forgotten_and_said_to_be_gone() {
        let mut progress = Progress::default();
        progress.look(&Lag::from([(INPUT, 5), (OTHER, 5)]), at(0));
        assert!(!progress.is_due(at(0)));
        assert!(progress.is_due(at(1)));
        let report = progress.look(&Lag::from([(OTHER, 5)]), at(90));
        assert_eq!((report.gone, report.stopped), (vec![INPUT], vec![OTHER]));
        // It comes back, and its minute begins anew.
        assert_eq!(progress.look(&Lag::from([(INPUT, 5)]), at(91)).standing, 0);
        assert_eq!(progress.forget(), [INPUT]);
        assert_eq!(progress.forget(), []);
    }
}
