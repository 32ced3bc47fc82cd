//! Inputs of lanes taken a moment ago: until they are read to where they ended then, an empty poll means nothing.
//!
//! The client has nothing at hand for a while after a lane was taken, whatever waits in the log. Whoever took that for the
//! end of the input would fire timers before inputs that came before them, at every restart after an outage.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::broker::record::Record;
use crate::clock::Stopwatch;
use crate::topics::Topic;

/// An input that brought nothing for so long is at its end: what lies before it are a transaction's marks, or records
/// that were aborted.
const QUIET_FOR: Duration = Duration::from_secs(2);

/// Inputs not yet read to where they ended when their lane was taken.
#[derive(Debug)]
pub(super) struct Fresh {
    behind: BTreeMap<(Topic, u32), Behind>,
    quiet_for: Duration,
}

impl Default for Fresh {
    fn default() -> Self {
        Self { behind: BTreeMap::new(), quiet_for: QUIET_FOR }
    }
}

#[derive(Debug)]
struct Behind {
    end: u64,
    heard: Stopwatch,
}

impl Fresh {
    /// `input` was taken, and ends at `end`.
    pub(super) fn begin(&mut self, input: (Topic, u32), end: u64) {
        if end > 0 {
            self.behind.insert(input, Behind { end, heard: Stopwatch::start() });
        }
    }

    /// These records were handed out.
    pub(super) fn saw(&mut self, records: &[Record]) {
        for record in records {
            let input = (record.topic, record.partition);
            if let Some(behind) = self.behind.get_mut(&input) {
                behind.heard = Stopwatch::start();
                if record.offset + 1 >= behind.end {
                    self.behind.remove(&input);
                }
            }
        }
        self.behind.retain(|_, behind| behind.heard.elapsed() < self.quiet_for);
    }

    /// These lanes are not ours any more.
    pub(super) fn give_up(&mut self, lanes: &[u32]) {
        self.behind.retain(|(_, lane), _| !lanes.contains(lane));
    }

    /// Whether some input has more than was handed out.
    pub(super) fn is_any(&self) -> bool {
        !self.behind.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::record::Headers;
    use crate::domain::time::Timestamp;

    const INPUT: Topic = Topic::EventsNormalized;

    fn record(partition: u32, offset: u64) -> Record {
        Record {
            topic: INPUT,
            partition,
            offset,
            timestamp: Timestamp::default(),
            key: None,
            value: None,
            headers: Headers::default(),
        }
    }

    #[test]
    fn an_input_is_fresh_until_it_is_read_to_where_it_ended() {
        let mut fresh = Fresh::default();
        fresh.begin((INPUT, 0), 3);
        fresh.begin((INPUT, 1), 0);
        fresh.saw(&[record(0, 0), record(0, 1), record(1, 7)]);
        assert!(fresh.is_any(), "one record is left");
        fresh.saw(&[record(0, 2)]);
        assert!(!fresh.is_any());
        fresh.begin((INPUT, 2), 9);
        assert!(fresh.is_any());
        fresh.give_up(&[2]);
        assert!(!fresh.is_any(), "it is another's");
    }

    #[test]
    fn an_input_that_stays_quiet_holds_nothing_up() {
        let behind_when_quiet_for = |quiet_for| {
            let mut fresh = Fresh { quiet_for, ..Fresh::default() };
            fresh.begin((INPUT, 0), 9);
            fresh.saw(&[]);
            fresh.is_any()
        };
        assert!(!behind_when_quiet_for(Duration::ZERO), "it was quiet for so long");
        assert!(behind_when_quiet_for(Duration::MAX), "it was not yet quiet for so long");
    }
}
