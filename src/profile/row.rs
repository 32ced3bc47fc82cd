//! The rows of the profile stage, as they stand on disk and in the changelog: when who was asked for, and no name. Pure.
//!
//! | key                     | value              | until    |
//! |-------------------------|--------------------|----------|
//! | `account:person`, UTF-8 | [`Person`]         | for ever |
//!
//! Values are postcard behind one byte of version.

use serde::{Deserialize, Serialize};

use crate::domain::time::{SECOND_MS, Timestamp};
use crate::engine::stage::{Row, RowError};

const VERSION: u8 = 1;

/// Without a completion for so long, a question is asked again.
pub(super) const ASK_DEADLINE_MS: u64 = 30 * SECOND_MS;

/// One person's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow(pub(super) Person);

/// When one person was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Person {
    /// What is going on.
    pub(super) phase: Phase,
    /// When the newest profile told was asked for.
    pub(super) fetched_at: Option<Timestamp>,
    /// Questions in a row that came to nothing and may be repeated.
    pub(super) vain: u32,
}

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Items before then ask for nothing.
    Resting {
        /// Then.
        until: Timestamp,
    },
    /// To be asked for as soon as then.
    Wanted {
        /// Then.
        not_before: Timestamp,
    },
    /// A question is under way, for all we know.
    Asking {
        /// Since when.
        since: Timestamp,
    },
}

impl Default for Person {
    fn default() -> Self {
        let until = Timestamp::from_ms(0);
        Self { phase: Phase::Resting { until }, fetched_at: None, vain: 0 }
    }
}

impl Row for PersonRow {
    fn encode(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        // A vector takes every byte and our types serialize: were it otherwise, the row would not read back.
        if let Ok(bytes) = postcard::to_stdvec(&self.0) {
            into.extend_from_slice(&bytes);
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, RowError> {
        match bytes.split_first() {
            None => Err(RowError::Malformed("no bytes".to_owned())),
            Some((&VERSION, rest)) => {
                let person = postcard::from_bytes(rest);
                person.map(Self).map_err(|error| RowError::Malformed(error.to_string()))
            }
            Some((&version, _)) => Err(RowError::UnknownVersion(version)),
        }
    }

    fn due_at(&self) -> Option<Timestamp> {
        match self.0.phase {
            Phase::Resting { .. } => None,
            Phase::Wanted { not_before } => Some(not_before),
            Phase::Asking { since } => Some(since.plus_ms(ASK_DEADLINE_MS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn rows_read_back_and_old_bytes_are_read_for_ever() {
        // Written by version 1; a change of these bytes is a new version, and this one stays readable.
        check(Person::default(), "0100000000");
        let phase = Phase::Wanted { not_before: at(200) };
        check(Person { phase, fetched_at: Some(at(5)), vain: 2 }, "0101c801010502");
        let phase = Phase::Asking { since: at(7) };
        check(Person { phase, fetched_at: None, vain: 0 }, "0102070000");

        #[track_caller]
        fn check(person: Person, golden: &str) {
            let row = PersonRow(person);
            let mut bytes = Vec::new();
            row.encode(&mut bytes);
            assert_eq!(hex::encode(&bytes), golden);
            assert_eq!(PersonRow::decode(&bytes), Ok(row));
        }
    }

    #[test]
    fn other_versions_and_damage_are_told_apart() {
        assert_eq!(PersonRow::decode(&[9, 0]), Err(RowError::UnknownVersion(9)));
        assert!(matches!(PersonRow::decode(&[]), Err(RowError::Malformed(_))));
        assert!(matches!(PersonRow::decode(&[VERSION, 7]), Err(RowError::Malformed(_))));
    }
}
