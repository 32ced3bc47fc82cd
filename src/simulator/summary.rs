//! The closing summary of a simulation: what came, what went, and whether the books agree. Pure.
//!
//! Promise: it adds up, and says so: happened = acknowledged + given up + still on the way, line by line.

use std::collections::BTreeMap;
use std::fmt;

use super::account::{Counts, Ledger};
use super::occurrence::Kind;
use super::reconcile::Reconciliation;

/// Most differences printed; the rest is counted.
const SHOWN: usize = 20;

/// The books, closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The counters.
    pub counts: Counts,
    /// What the comparison found.
    pub reconciliation: Reconciliation,
}

impl Summary {
    /// Closes the books.
    #[must_use]
    pub fn of(ledger: &Ledger, reconciliation: Reconciliation) -> Self {
        Self { counts: ledger.counts().clone(), reconciliation }
    }

    /// Occurrences that were neither acknowledged nor given up.
    #[must_use]
    pub fn on_the_way(&self) -> u64 {
        let done = total(&self.counts.acknowledged) + total(&self.counts.gave_up);
        total(&self.counts.happened).saturating_sub(done)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        writeln!(f, "{:<22}{:>10}{:>14}{:>10}", "", "happened", "acknowledged", "given up")?;
        for kind in Kind::ALL {
            let of = |map: &BTreeMap<Kind, u64>| map.get(&kind).copied().unwrap_or(0);
            let (happened, acknowledged) = (of(&counts.happened), of(&counts.acknowledged));
            let gave_up = of(&counts.gave_up);
            writeln!(f, "{:<22}{happened:>10}{acknowledged:>14}{gave_up:>10}", kind.name())?;
        }
        let (happened, acknowledged) = (total(&counts.happened), total(&counts.acknowledged));
        let gave_up = total(&counts.gave_up);
        writeln!(f, "{:<22}{happened:>10}{acknowledged:>14}{gave_up:>10}", "in all")?;
        writeln!(f, "  still on the way: {}", self.on_the_way())?;
        writeln!(
            f,
            "webhook posts: {}, of them {} not answered 200 and tried again, {} doubled on purpose",
            counts.posts, counts.posts_refused, counts.posts_doubled
        )?;
        let refused: u64 = counts.refused.values().sum();
        writeln!(
            f,
            "Graph API: {} messages taken ({} with the answer broken on purpose), {} hearts and marks, {refused} \
             refused, {} profiles",
            counts.taken, counts.answers_broken, counts.noted, counts.profiles
        )?;
        for ((code, subcode), times) in &counts.refused {
            writeln!(f, "  refused with {code}/{subcode}: {times}")?;
        }
        if counts.untracked > 0 {
            writeln!(f, "not compared item by item: {}", counts.untracked)?;
        }
        verdict(f, &self.reconciliation)
    }
}

fn verdict(f: &mut fmt::Formatter<'_>, found: &Reconciliation) -> fmt::Result {
    writeln!(
        f,
        "timelines: {} conversations, {} items; {} messages agree item by item",
        found.conversations, found.items, found.agreed
    )?;
    if found.put_to_agents > 0 {
        writeln!(
            f,
            "replies whose outcome nobody could know, put to the agent instead of repeated: {}",
            found.put_to_agents
        )?;
    }
    if found.agrees() {
        return write!(f, "no message lost, none shown twice, none sent twice");
    }
    writeln!(f, "{} differences:", found.differences.len())?;
    for difference in found.differences.iter().take(SHOWN) {
        writeln!(f, "  {difference}")?;
    }
    let more = found.differences.len().saturating_sub(SHOWN);
    if more > 0 { write!(f, "  and {more} more") } else { Ok(()) }
}

fn total(by_kind: &BTreeMap<Kind, u64>) -> u64 {
    by_kind.values().sum()
}
