//! One layer of what waits for the disk: changes of turns, coalesced as they come, or a run of a restore. Pure.

use super::checkpoint::Checkpoint;
use super::pending::{Looked, Pending};
use super::run::Run;
use super::view::Change;

/// What is written at a time.
#[derive(Debug)]
pub(super) enum Layer {
    /// Committed by turns; the next ones are coalesced with it.
    Changes(Pending),
    /// Replayed.
    Run(Run),
}

/// Keys with their values; `None` is a deletion.
type Under<'a> = Box<dyn Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + 'a>;

impl Layer {
    pub(super) const fn checkpoint(&self) -> Option<Checkpoint> {
        match self {
            Self::Changes(pending) => pending.checkpoint(),
            Self::Run(run) => Some(run.checkpoint()),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Changes(pending) => pending.bytes(),
            Self::Run(run) => run.bytes(),
        }
    }

    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Changes(pending) => pending.rows(),
            Self::Run(run) => run.rows(),
        }
    }

    pub(super) fn look(&self, key: &[u8]) -> Looked<'_> {
        match self {
            Self::Changes(pending) => pending.look(key),
            Self::Run(run) => run.look(key),
        }
    }

    pub(super) fn holds(&self, key: &[u8]) -> bool {
        match self {
            Self::Changes(pending) => pending.holds(key),
            Self::Run(run) => run.holds(key),
        }
    }

    /// Changes in key order, as the store wants them.
    pub(super) fn changes(&self) -> Vec<Change<'_>> {
        match self {
            Self::Changes(pending) => pending.changes(),
            Self::Run(run) => run.changes().collect(),
        }
    }

    /// Keys under a prefix with their values, in no order.
    pub(super) fn under<'a>(&'a self, prefix: &'a [u8]) -> Under<'a> {
        match self {
            Self::Changes(pending) => Box::new(pending.under(prefix)),
            Self::Run(run) => Box::new(run.under(prefix)),
        }
    }

    /// Timers due at or before `until_ms`, the earliest first; those of one moment in no order.
    pub(super) fn due(&self, until_ms: u64) -> Box<dyn Iterator<Item = (u64, &[u8])> + '_> {
        match self {
            Self::Changes(pending) => Box::new(pending.due(until_ms)),
            Self::Run(run) => Box::new(run.due(until_ms)),
        }
    }
}
