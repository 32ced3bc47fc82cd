//! What a turn writes: records of logs in their order, and of compacted topics the newest of each key. Pure.
//!
//! Of a compacted topic only the newest record of a key counts, and nobody sees the others of the same turn: so they wait
//! for the turn's end.

use std::collections::BTreeMap;

use crate::broker::record::Output;
use crate::topics::{Cleanup, Topic};

/// What a turn writes so far.
#[derive(Debug, Default)]
pub struct Outputs {
    ready: Vec<Output>,
    newest: BTreeMap<(Topic, Vec<u8>), Output>,
}

impl Outputs {
    /// Adds a record.
    pub fn push(&mut self, output: Output) {
        match output.topic.declaration().cleanup {
            Cleanup::Delete => self.ready.push(output),
            Cleanup::Compact => {
                let at = (output.topic, output.key.clone());
                self.newest.insert(at, output);
            }
        }
    }

    /// A record that is newer than what waits under its key is written.
    pub fn overtaken_by(&mut self, newer: &Output) {
        if !self.newest.is_empty() {
            self.newest.remove(&(newer.topic, newer.key.clone()));
        }
    }

    /// How many wait for the turn's end.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.newest.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.newest.is_empty()
    }

    /// What may be written before the turn is at its end.
    #[must_use]
    pub fn ready(&self) -> &[Output] {
        &self.ready
    }

    /// Takes out what may be written before the turn is at its end, in order.
    pub fn take_ready(&mut self) -> impl Iterator<Item = Output> + '_ {
        self.ready.drain(..)
    }

    /// Takes out all there is.
    #[must_use]
    pub fn take_all(&mut self) -> Vec<Output> {
        let mut all = std::mem::take(&mut self.ready);
        all.extend(std::mem::take(&mut self.newest).into_values());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::engine::test_room;

    fn output(topic: Topic, key: &str, value: &str) -> Output {
        test_room::output(topic, 0, key, value, Timestamp::default())
    }

    #[test]
    fn of_compacted_topics_the_newest_of_a_key_is_written_at_the_end() {
        let (log, compacted) = (Topic::Timeline, Topic::Conversations);
        let mut outputs = Outputs::default();
        for (topic, key, value) in [
            (log, "b", "1"),
            (compacted, "b", "1"),
            (compacted, "b", "2"),
            (compacted, "a", "1"),
            (log, "a", "2"),
        ] {
            outputs.push(output(topic, key, value));
        }
        assert!(!outputs.is_empty());
        let ready: Vec<Output> = outputs.take_ready().collect();
        assert_eq!(ready, [output(log, "b", "1"), output(log, "a", "2")]);
        assert_eq!(outputs.waiting(), 2);
        outputs.overtaken_by(&output(log, "a", "3"));
        let newest = [("a", "1"), ("b", "2")];
        assert_eq!(outputs.take_all(), newest.map(|(key, value)| output(compacted, key, value)));
        assert!(outputs.is_empty());
    }

    #[test]
    fn what_a_newer_record_overtakes_is_not_written() {
        let mut outputs = Outputs::default();
        outputs.overtaken_by(&output(Topic::Conversations, "a", "0"));
        for key in ["a", "b"] {
            outputs.push(output(Topic::Conversations, key, "1"));
        }
        outputs.overtaken_by(&output(Topic::Conversations, "a", "2"));
        assert_eq!(outputs.take_all(), [output(Topic::Conversations, "b", "1")]);
    }
}
