//! What a turn writes: records of logs in their order, and of compacted topics the newest of each key. Pure.
//!
//! Of a compacted topic only the newest record of a key counts, and nobody sees the others of the same turn: so they wait
//! for the turn's end, and one that costs work to write is a draft until then.

use std::collections::BTreeMap;
use std::fmt;

use crate::broker::record::Output;
use crate::topics::{Cleanup, Topic};

/// Writes a record out.
type Draft = Box<dyn FnOnce() -> Result<Output, serde_json::Error> + Send>;

/// What a turn writes so far.
#[derive(Debug, Default)]
pub struct Outputs {
    ready: Vec<Output>,
    newest: BTreeMap<(Topic, Vec<u8>), Newest>,
}

/// The newest record of a key.
enum Newest {
    Written(Output),
    Draft(Draft),
}

impl fmt::Debug for Newest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(output) => output.fmt(f),
            Self::Draft(_) => f.write_str("Draft"),
        }
    }
}

impl Outputs {
    /// Adds a record.
    pub fn push(&mut self, output: Output) {
        match output.topic.declaration().cleanup {
            Cleanup::Delete => self.ready.push(output),
            Cleanup::Compact => {
                let at = (output.topic, output.key.clone());
                self.newest.insert(at, Newest::Written(output));
            }
        }
    }

    /// Adds the record of a compacted topic that `write` makes, if none of the same key comes behind it in this turn.
    pub fn draft(
        &mut self,
        (topic, key): (Topic, &[u8]),
        write: impl FnOnce() -> Result<Output, serde_json::Error> + Send + 'static,
    ) {
        self.newest.insert((topic, key.to_vec()), Newest::Draft(Box::new(write)));
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
    ///
    /// # Errors
    ///
    /// The serializer's; our own types give none.
    pub fn take_all(&mut self) -> Result<Vec<Output>, serde_json::Error> {
        let newest = std::mem::take(&mut self.newest).into_values().map(|newest| match newest {
            Newest::Written(output) => Ok(output),
            Newest::Draft(write) => write(),
        });
        let mut all = std::mem::take(&mut self.ready);
        for output in newest {
            all.push(output?);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::domain::time::Timestamp;
    use crate::engine::test_room;

    fn output(topic: Topic, key: &str, value: &str) -> Output {
        test_room::output(topic, 0, key, value, Timestamp::default())
    }

    #[test]
    fn of_compacted_topics_the_newest_of_a_key_is_written_at_the_end_and_drafts_only_then() {
        let (log, compacted) = (Topic::Timeline, Topic::Conversations);
        let written = Arc::new(AtomicU32::new(0));
        let mut outputs = Outputs::default();
        let draft = |outputs: &mut Outputs, key: &'static str, value: &'static str| {
            let written = Arc::clone(&written);
            outputs.draft((compacted, key.as_bytes()), move || {
                written.fetch_add(1, Ordering::Relaxed);
                Ok(output(compacted, key, value))
            });
        };
        outputs.push(output(log, "b", "1"));
        draft(&mut outputs, "b", "1");
        draft(&mut outputs, "b", "2");
        draft(&mut outputs, "c", "1");
        outputs.push(output(compacted, "c", "2"));
        outputs.push(output(compacted, "a", "1"));
        draft(&mut outputs, "a", "2");
        outputs.push(output(log, "a", "2"));
        assert!(!outputs.is_empty());
        let ready: Vec<Output> = outputs.take_ready().collect();
        assert_eq!(ready, [output(log, "b", "1"), output(log, "a", "2")]);
        assert_eq!((outputs.waiting(), written.load(Ordering::Relaxed)), (3, 0));
        let all = outputs.take_all().unwrap();
        let newest = [("a", "2"), ("b", "2"), ("c", "2")];
        assert_eq!(all, newest.map(|(key, value)| output(compacted, key, value)));
        assert_eq!(written.load(Ordering::Relaxed), 2, "what another one took the place of is not");
        assert!(outputs.is_empty());
    }
}
