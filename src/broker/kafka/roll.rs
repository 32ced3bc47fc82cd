//! Calls the roll of a group: whether every lane has a member.
//!
//! A lane can fall between two members. Cooperative rebalancing withholds a lane until its old owner has given it up and
//! joins again; when that owner is replaced in between under the same static name (killed and started again, or rebuilt),
//! the broker hands the replacement the owner's old share without a rebalance, and nobody joins again. Nothing in the
//! protocol ever looks at such a lane (`docs/adr/0003-lanes.md`).

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::context::Quiet;
use crate::broker::Error;
use crate::clock::Stopwatch;

/// Between two looks. A rebalance under way is over by then.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How long the cluster may take to tell; the worker waits for it.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// The state in which shares are final.
const STABLE: &str = "Stable";

/// What was seen of a group.
pub(super) struct Roll {
    group: String,
    lead: String,
    lanes: u32,
    looked: Stopwatch,
    missing: BTreeSet<u32>,
}

impl Roll {
    /// The roll of `group`, whose members share `lanes` partitions of `lead`.
    pub(super) fn new(group: &str, lead: &str, lanes: u32) -> Self {
        let (group, lead) = (group.to_owned(), lead.to_owned());
        Self { group, lead, lanes, looked: Stopwatch::start(), missing: BTreeSet::new() }
    }

    /// Looks from time to time; a cluster that does not tell is asked again.
    ///
    /// # Errors
    ///
    /// `Fatal` when the same lanes have had no member at two looks: whoever joins anew makes the group share them out.
    pub(super) fn call(&mut self, observer: &BaseConsumer<Quiet>) -> Result<(), Error> {
        if self.looked.elapsed() < LOOK_EVERY {
            return Ok(());
        }
        let missing = self.missing(observer);
        self.looked = Stopwatch::start();
        let still: BTreeSet<u32> = missing.intersection(&self.missing).copied().collect();
        self.missing = missing;
        if still.is_empty() {
            return Ok(());
        }
        Err(Error::Fatal(format!("the group gave lanes {still:?} of {} to nobody", self.lead)))
    }

    fn missing(&self, observer: &BaseConsumer<Quiet>) -> BTreeSet<u32> {
        let Ok(told) = observer.fetch_group_list(Some(&self.group), ANSWER_WITHIN) else {
            return BTreeSet::new();
        };
        let mut missing = BTreeSet::new();
        for group in told.groups().iter().filter(|group| group.name() == self.group) {
            if group.state() == STABLE {
                missing.extend(0..self.lanes);
                for share in group.members().iter().filter_map(|member| member.assignment()) {
                    for lane in lanes_of(share, &self.lead) {
                        missing.remove(&lane);
                    }
                }
            }
        }
        missing
    }
}

/// The partitions of `topic` in a member's share: version, then topics, each a name and its partitions, big-endian.
///
/// Source: Kafka, `ConsumerProtocolAssignment`.
fn lanes_of(share: &[u8], topic: &str) -> Vec<u32> {
    read(share, topic).unwrap_or_default()
}

fn read(share: &[u8], topic: &str) -> Option<Vec<u32>> {
    let (_version, rest) = share.split_at_checked(2)?;
    let (topics, mut rest) = number(rest)?;
    let mut lanes = Vec::new();
    for _ in 0..topics {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (name, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (partitions, after) = number(after)?;
        rest = after;
        for _ in 0..partitions {
            let (partition, after) = number(rest)?;
            rest = after;
            if name == topic.as_bytes() {
                lanes.push(partition);
            }
        }
    }
    Some(lanes)
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1; topic `a` with 0 and 258, topic `lead` with 3; no user data.
    const SHARE: &[u8] = b"\0\x01\0\0\0\x02\0\x01a\0\0\0\x02\0\0\0\0\0\0\x01\x02\0\x04lead\0\0\0\x01\0\0\0\x03\xff\xff\xff\xff";

    #[test]
    fn a_share_tells_the_partitions_of_each_topic() {
        assert_eq!(lanes_of(SHARE, "lead"), [3]);
        assert_eq!(lanes_of(SHARE, "a"), [0, 258]);
        assert_eq!(lanes_of(SHARE, "other"), [0; 0]);
    }

    #[test]
    fn a_share_cut_anywhere_is_no_share() {
        for length in 0..SHARE.len() - 4 {
            assert_eq!(lanes_of(&SHARE[..length], "lead"), [0; 0], "{length}");
        }
        assert_eq!(lanes_of(b"", "lead"), [0; 0], "what a member without lanes has");
    }
}
