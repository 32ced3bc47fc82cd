//! What was applied already. Pure.
//!
//! Rule for what is no longer remembered: the oldest by its own time leave first, and leave a horizon behind. What is
//! not newer than the horizon and not remembered is taken for a repetition, never applied a second time. To be wrongly
//! taken so, an event must come later than [`Seen::BOUND`] newer ones of its own thread.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::time::Timestamp;

/// Digests of applied inputs, bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

/// Bytes of an entry in a row: its time, its digest.
const ENTRY_BYTES: usize = 24;
/// Room in a list that is read from a row: most rows are read to add to them, and to grow then costs a copy of the list.
pub(super) const ROOM: usize = 4;
/// In place of a horizon, where nothing was forgotten.
const NO_HORIZON: u64 = u64::MAX;

/// One piece of bytes, each number of fixed width: hundreds of numbers of variable width take a row's whole time.
impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(8 + self.entries.len() * ENTRY_BYTES);
        let horizon = self.horizon.map_or(NO_HORIZON, Timestamp::as_ms);
        bytes.extend_from_slice(&horizon.to_be_bytes());
        for (at, digest) in &self.entries {
            bytes.extend_from_slice(&at.as_ms().to_be_bytes());
            bytes.extend_from_slice(&digest.to_be_bytes());
        }
        to.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(from)?;
        let no_horizon = || D::Error::custom("no horizon");
        let (horizon, rest) = bytes.split_first_chunk().ok_or_else(no_horizon)?;
        let horizon = Some(u64::from_be_bytes(*horizon)).filter(|ms| *ms != NO_HORIZON);
        let (packed, rest) = rest.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() {
            return Err(D::Error::custom("a piece of an entry"));
        }
        let entry = |bytes: &[u8; ENTRY_BYTES]| {
            let (at, digest) = bytes.split_first_chunk()?;
            let digest = u128::from_be_bytes(*digest.first_chunk()?);
            Some((Timestamp::from_ms(u64::from_be_bytes(*at)), digest))
        };
        // With room for the input the row is read for.
        let mut entries = Vec::with_capacity(packed.len() + ROOM);
        entries.extend(packed.iter().filter_map(entry));
        Ok(Self { entries, horizon: horizon.map(Timestamp::from_ms) })
    }
}

impl Seen {
    /// As rows of the layouts before 5 have it.
    pub(super) const fn of_old(
        entries: Vec<(Timestamp, u128)>,
        horizon: Option<Timestamp>,
    ) -> Self {
        Self { entries, horizon }
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
