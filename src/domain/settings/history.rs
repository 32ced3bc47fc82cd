//! What one company or account was, is and will be told, by the moment from which each counts. Pure.
//!
//! Promise: a version stays as long as an input may still come whose time it covers, and no longer; there are never more
//! than [`History::VERSIONS_MAX`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::time::{DAY_MS, Timestamp};

/// Settings and the moment from which they count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}Version")]
pub struct Version<T> {
    /// From this moment on, until that of the next version.
    pub effective_at: Timestamp,
    /// All settings, not only those that changed.
    pub settings: T,
}

/// Versions in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History<T>(BTreeMap<Timestamp, T>);

/// More changes within the time that is remembered than a history takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many versions are remembered; wait until the oldest is forgotten")]
pub struct TooMany;

impl<T> Default for History<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> FromIterator<Version<T>> for History<T> {
    fn from_iter<I: IntoIterator<Item = Version<T>>>(versions: I) -> Self {
        let versions = versions.into_iter();
        Self(versions.map(|version| (version.effective_at, version.settings)).collect())
    }
}

impl<T: Clone + PartialEq> History<T> {
    /// Versions remembered at most, those to come included.
    pub const VERSIONS_MAX: usize = 100;
    /// How long after its successor took over a version may still be asked for: longer than any input waits in the log
    /// (seven days as it came in, seven days in our words).
    pub const MEMORY_MS: u64 = 30 * DAY_MS;

    /// Lets `settings` count from `effective_at` on.
    pub fn set(&mut self, effective_at: Timestamp, settings: T) {
        self.0.insert(effective_at, settings);
    }

    /// What counts at a moment; before the first version, the first. `None` when there is none.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Option<&T> {
        self.entry_at(at).map(|(_, settings)| settings)
    }

    /// The version that counts at a moment.
    #[must_use]
    pub fn version_at(&self, at: Timestamp) -> Option<Version<T>> {
        self.entry_at(at).map(version)
    }

    /// The versions that count only after a moment, soonest first.
    #[must_use]
    pub fn after(&self, at: Timestamp) -> Vec<Version<T>> {
        let first_at = self.entry_at(at).map_or(at, |(effective_at, _)| at.max(*effective_at));
        self.0.range(first_at.plus_ms(1)..).map(version).collect()
    }

    /// Every version, oldest first.
    #[must_use]
    pub fn versions(&self) -> Vec<Version<T>> {
        self.0.iter().map(version).collect()
    }

    /// The history once `settings` count from `effective_at` on, decided at `now`. What nothing can ask for any more is
    /// forgotten; what counts already is not said twice.
    ///
    /// # Errors
    ///
    /// [`TooMany`] when it would be longer than a history may be.
    pub fn with(
        &self,
        (effective_at, settings): (Timestamp, T),
        now: Timestamp,
    ) -> Result<Self, TooMany> {
        // What is to come is kept though it says what counts already: something else may be set to come before it.
        if effective_at <= now && self.at(effective_at) == Some(&settings) {
            return Ok(self.clone());
        }
        let mut after = self.clone();
        after.set(effective_at, settings);
        after.forget(now);
        if after.0.len() > Self::VERSIONS_MAX { Err(TooMany) } else { Ok(after) }
    }

    /// Drops the versions whose successor has counted for longer than anything remembers.
    fn forget(&mut self, now: Timestamp) {
        let horizon = now.minus_ms(Self::MEMORY_MS);
        let oldest_kept = self.0.range(..=horizon).next_back().map(|(at, _)| *at);
        if let Some(oldest_kept) = oldest_kept {
            self.0 = self.0.split_off(&oldest_kept);
        }
    }

    fn entry_at(&self, at: Timestamp) -> Option<(&Timestamp, &T)> {
        self.0.range(..=at).next_back().or_else(|| self.0.first_key_value())
    }
}

fn version<T: Clone>((effective_at, settings): (&Timestamp, &T)) -> Version<T> {
    Version { effective_at: *effective_at, settings: settings.clone() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn history(versions: &[(u64, char)]) -> History<char> {
        let versions = versions.iter();
        versions
            .map(|(ms, settings)| Version { effective_at: at(*ms), settings: *settings })
            .collect()
    }

    #[test]
    fn a_version_counts_from_its_moment_until_the_next_ones() {
        let history = history(&[(10, 'a'), (20, 'b')]);
        for (ms, expected) in [(0, 'a'), (10, 'a'), (19, 'a'), (20, 'b'), (99, 'b')] {
            assert_eq!(history.at(at(ms)), Some(&expected), "at {ms}");
        }
        assert_eq!(History::<char>::default().at(at(5)), None);
    }

    #[test]
    fn what_is_to_come_is_what_does_not_count_yet() {
        let history = history(&[(10, 'a'), (20, 'b'), (30, 'c')]);
        // at, effective times still to come
        for (ms, expected) in [(0, vec![20, 30]), (10, vec![20, 30]), (20, vec![30]), (30, vec![])]
        {
            let to_come = history.after(at(ms));
            let moments: Vec<u64> = to_come.iter().map(|v| v.effective_at.as_ms()).collect();
            assert_eq!(moments, expected, "at {ms}");
        }
    }

    #[test]
    fn a_change_leaves_what_comes_later_and_takes_the_place_of_what_stands_at_its_moment() {
        let before = history(&[(10, 'a'), (30, 'c')]);
        assert_eq!(
            before.with((at(20), 'b'), at(20)),
            Ok(history(&[(10, 'a'), (20, 'b'), (30, 'c')]))
        );
        assert_eq!(before.with((at(30), 'd'), at(20)), Ok(history(&[(10, 'a'), (30, 'd')])));
        assert_eq!(before.with((at(20), 'a'), at(20)), Ok(before.clone()), "said already");
        let (pinned, later) = (before.with((at(20), 'a'), at(15)).unwrap(), (at(17), 'b'));
        assert_eq!(pinned.with(later, at(16)).unwrap().at(at(20)), Some(&'a'), "it was promised");
    }

    #[test]
    fn a_version_is_forgotten_once_nothing_can_ask_for_it() {
        let before = history(&[(0, 'a'), (10, 'b'), (20, 'c')]);
        let memory = History::<char>::MEMORY_MS;
        let kept = |now_ms: u64| {
            let after = before.with((at(now_ms), 'd'), at(now_ms)).unwrap();
            after.versions().into_iter().map(|version| version.settings).collect::<String>()
        };
        assert_eq!(kept(9 + memory), "abcd", "an input stamped 9 may still come");
        assert_eq!(kept(10 + memory), "bcd");
        assert_eq!(kept(20 + memory), "cd");
        assert_eq!(kept(99 + memory), "cd", "what counts is never forgotten");
    }

    #[test]
    fn a_history_is_bounded() {
        let mut history = History::default();
        for number in 0..History::<u64>::VERSIONS_MAX as u64 {
            history = history.with((at(number), number), at(0)).unwrap();
        }
        assert_eq!(history.with((at(1_000), 1_000), at(0)), Err(TooMany));
        assert!(history.with((at(5), 1_000), at(0)).is_ok(), "one in the place of another");
    }

    proptest! {
        #[test]
        fn forgetting_changes_no_answer_within_memory(
            changes in proptest::collection::vec((0_u64..100, any::<u8>()), 1..20),
            ahead in 0_u64..5,
        ) {
            let day = DAY_MS;
            let (mut folded, mut whole) = (History::default(), History::default());
            let mut now_days = 0;
            for (days, settings) in changes {
                now_days += days;
                let (now, effective_at) = (at(now_days * day), at((now_days + ahead) * day));
                folded = folded.with((effective_at, settings), now).unwrap();
                whole.set(effective_at, settings);
                for back in 0..=30 {
                    let asked = now.minus_ms(back * day);
                    let (folded, whole) = (folded.at(asked), whole.at(asked));
                    prop_assert_eq!(folded, whole, "{} days back", back);
                }
            }
        }
    }
}
