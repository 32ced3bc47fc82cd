//! What was applied already. Pure.
//!
//! Rule for what is no longer remembered: the oldest by its own time leave first, and leave a horizon behind. What is
//! not newer than the horizon and not remembered is taken for a repetition, never applied a second time. To be wrongly
//! taken so, an event must come later than [`Seen::BOUND`] newer ones of its own thread.

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// Digests of applied inputs, bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Sorted by time, then digest.
    entries: Vec<(Timestamp, u128)>,
    horizon: Option<Timestamp>,
}

/// What is known of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Never applied.
    New,
    /// Applied.
    Repeated,
    /// From before the horizon.
    Forgotten,
}

impl Seen {
    /// How many are remembered.
    pub const BOUND: usize = 512;

    /// How many are remembered now.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Nothing was applied yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether an input stamped `at` was applied.
    #[must_use]
    pub fn recall(&self, digest: u128, at: Timestamp) -> Memory {
        if self.entries.binary_search(&(at, digest)).is_ok()
            || self.entries.iter().any(|(_, known)| *known == digest)
        {
            return Memory::Repeated;
        }
        match self.horizon {
            Some(horizon) if at <= horizon => Memory::Forgotten,
            Some(_) | None => Memory::New,
        }
    }

    /// Remembers an input.
    pub fn remember(&mut self, digest: u128, at: Timestamp) {
        let place = self.entries.partition_point(|known| *known < (at, digest));
        self.entries.insert(place, (at, digest));
        if self.entries.len() > Self::BOUND {
            let (oldest, _) = self.entries.remove(0);
            self.horizon = self.horizon.max(Some(oldest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_applied_is_repeated_and_what_is_forgotten_is_never_new() {
        let mut seen = Seen::default();
        let at = Timestamp::from_ms;
        assert!(seen.is_empty());
        assert_eq!(seen.recall(1, at(1)), Memory::New);
        for n in 1..=600 {
            seen.remember(u128::from(n), at(n));
        }
        assert_eq!(seen.len(), 512);
        assert_eq!(seen.recall(600, at(600)), Memory::Repeated);
        assert_eq!(seen.recall(600, at(7)), Memory::Repeated, "whatever time it now claims");
        assert_eq!(seen.recall(1, at(1)), Memory::Forgotten);
        assert_eq!(seen.recall(9_999, at(88)), Memory::Forgotten, "at the horizon");
        assert_eq!(seen.recall(9_999, at(89)), Memory::New);
    }
}
