//! How far the time of each lane's input has been read, so that timers keep their place among the inputs. Pure.
//!
//! An input stamped exactly at a deadline comes before its timer. Where everything at hand was read, now is the
//! mark. Under lasting load the input is never all read, and a timer that waited for that would wait for ever: so a timer
//! fires as soon as the records of its lane have come past its time, input by input.

use std::collections::BTreeMap;

use crate::broker::record::{Record, runs};
use crate::domain::time::{SECOND_MS, Timestamp};
use crate::topics::Topic;

/// An input that brought nothing for so long holds its lane back no more: it has nothing.
const QUIET_AFTER_MS: u64 = 2 * SECOND_MS;

/// The marks of the lanes whose input is not all read.
#[derive(Debug, Default)]
pub struct Watermarks {
    inputs: BTreeMap<(u32, Topic), Reached>,
    /// Lanes whose reading began at this moment: what waits for them may not be at hand yet.
    begun: BTreeMap<u32, Timestamp>,
}

/// How far one input of a lane was read.
#[derive(Debug, Clone, Copy)]
struct Reached {
    /// The oldest time among the records of the last batch: what comes next is hardly older.
    time: Timestamp,
    /// When that batch came.
    seen_at: Timestamp,
}

impl Watermarks {
    /// Lanes are read from what is committed, from `now` on: their timers wait until that is all read, or has come in, or
    /// nothing came of it.
    pub fn begin(&mut self, lanes: impl Iterator<Item = u32>, now: Timestamp) {
        for lane in lanes {
            self.inputs.retain(|(of, _), _| *of != lane);
            self.begun.insert(lane, now);
        }
    }

    /// Takes in what a poll brought at `now`; `drained`: nothing was left behind it.
    pub fn take_in(&mut self, records: &[Record], drained: bool, now: Timestamp) {
        if drained {
            self.forget();
            return;
        }
        let mut batch: BTreeMap<(u32, Topic), Reached> = BTreeMap::new();
        for ((topic, partition), run) in runs(records) {
            let Some(time) = run.iter().map(|record| record.timestamp).min() else { continue };
            let reached = Reached { time, seen_at: now };
            let oldest = batch.entry((partition, topic)).or_insert(reached);
            oldest.time = oldest.time.min(time);
        }
        self.inputs.extend(batch);
        self.inputs.retain(|_, reached| now.since_ms(reached.seen_at) < QUIET_AFTER_MS);
        self.begun.retain(|_, begun_at| now.since_ms(*begun_at) < QUIET_AFTER_MS);
    }

    /// The time before which every timer of `lane` may fire, at `now`: never later than that.
    #[must_use]
    pub fn of(&self, lane: u32, now: Timestamp) -> Timestamp {
        if self.begun.contains_key(&lane) {
            return Timestamp::from_ms(0);
        }
        let inputs = self.inputs.iter().filter(|((of, _), _)| *of == lane);
        inputs.map(|(_, reached)| reached.time).min().map_or(now, |time| time.min(now))
    }

    /// Forgets all lanes.
    pub fn forget(&mut self) {
        self.inputs.clear();
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::record::Headers;

    const SENDS: Topic = Topic::OutboundSends;
    const EVENTS: Topic = Topic::EventsNormalized;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn records(batch: &[(Topic, u32, u64)]) -> Vec<Record> {
        let record = |(topic, partition, ms): &(Topic, u32, u64)| Record {
            topic: *topic,
            partition: *partition,
            offset: 0,
            timestamp: at(*ms),
            key: None,
            value: None,
            headers: Headers::default(),
        };
        batch.iter().map(record).collect()
    }

    // Holds: R-2
    #[test]
    fn timers_fire_up_to_the_oldest_time_at_hand_of_each_lane_and_up_to_now_where_all_is_read() {
        // the batch at 10 000, whether all was read, the marks of lanes 0 and 1
        check(&[], true, 10_000, 10_000);
        check(&[(EVENTS, 0, 4_000)], true, 10_000, 10_000);
        check(&[(EVENTS, 0, 4_000), (EVENTS, 0, 4_500)], false, 4_000, 10_000);
        check(&[(EVENTS, 0, 4_000), (SENDS, 0, 3_000), (EVENTS, 1, 9_000)], false, 3_000, 9_000);
        // A clock that runs ahead does not let timers fire early.
        check(&[(EVENTS, 0, 40_000)], false, 10_000, 10_000);

        #[track_caller]
        fn check(batch: &[(Topic, u32, u64)], drained: bool, first: u64, second: u64) {
            let mut marks = Watermarks::default();
            marks.take_in(&records(batch), drained, at(10_000));
            assert_eq!(marks.of(0, at(10_000)), at(first));
            assert_eq!(marks.of(1, at(10_000)), at(second));
        }
    }

    // Holds: R-2
    #[test]
    fn under_lasting_load_the_mark_follows_the_input_and_a_quiet_input_holds_it_for_two_seconds() {
        let mut marks = Watermarks::default();
        marks.take_in(&records(&[(SENDS, 0, 900)]), false, at(1_000));
        for now in (1_100..=2_900).step_by(100) {
            marks.take_in(&records(&[(EVENTS, 0, now - 50)]), false, at(now));
            assert_eq!(marks.of(0, at(now)), at(900), "the other input may have more of its time");
        }
        for now in (3_000..=60_000).step_by(100) {
            marks.take_in(&records(&[(EVENTS, 0, now - 50)]), false, at(now));
            assert_eq!(marks.of(0, at(now)), at(now - 50), "never drained, and never starved");
        }
        marks.forget();
        assert_eq!(marks.of(0, at(60_000)), at(60_000));
    }

    // Holds: R-2
    #[test]
    fn timers_of_a_lane_just_taken_wait_for_its_input_but_not_for_ever() {
        let mut marks = Watermarks::default();
        marks.begin([0, 1].into_iter(), at(10_000));
        marks.take_in(&[], false, at(10_020));
        assert_eq!(marks.of(0, at(10_020)), at(0), "nothing at hand yet says nothing");
        marks.take_in(&records(&[(EVENTS, 0, 4_000)]), false, at(10_100));
        assert_eq!(marks.of(0, at(10_100)), at(0), "its other inputs may have come from earlier");
        marks.take_in(&records(&[(EVENTS, 0, 4_500)]), false, at(12_000));
        assert_eq!(marks.of(0, at(12_000)), at(4_500), "what comes in is the mark");
        assert_eq!(marks.of(1, at(12_000)), at(12_000), "nothing came of it");
        marks.begin([1].into_iter(), at(13_000));
        marks.take_in(&records(&[(EVENTS, 1, 9_000)]), true, at(13_020));
        assert_eq!(marks.of(1, at(13_020)), at(13_020), "all of it is read");
    }
}
