//! How far into the changelog a store is, and when that was so, as a row that notices its own damage. Pure.

use xxhash_rust::xxh3::xxh3_64;

use super::error::{Doubt, Error};
use super::key::LAYOUT;

/// Where replay of the changelog begins again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The first changelog offset that the store may lack.
    pub next_offset: u64,
    /// A moment at which the changelog ended no later than there, in milliseconds: deletions from then on are to be
    /// replayed, and the changelog keeps each of them for a bounded time only. Zero: never, so an age is not believed.
    pub true_at_ms: u64,
}

impl Checkpoint {
    /// A checkpoint before `next_offset` that has no age: good for nobody who asks for one.
    #[must_use]
    pub const fn at(next_offset: u64) -> Self {
        Self { next_offset, true_at_ms: 0 }
    }

    /// This checkpoint, true at `ms`.
    #[must_use]
    pub const fn true_at(self, ms: u64) -> Self {
        Self { true_at_ms: ms, ..self }
    }

    /// Offset, layout, time and checksum, big-endian. Offset, layout and checksum stay in their places in every layout.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut row = self.next_offset.to_be_bytes().to_vec();
        row.extend_from_slice(&LAYOUT.to_be_bytes());
        row.extend_from_slice(&self.true_at_ms.to_be_bytes());
        let checksum = xxh3_64(&row);
        row.extend_from_slice(&checksum.to_be_bytes());
        row
    }

    /// # Errors
    ///
    /// [`Error::Malformed`] when length or checksum is wrong, [`Doubt::Layout`] when another build wrote it.
    pub(super) fn from_bytes(row: &[u8]) -> Result<Self, Error> {
        let wrong_length = || Error::Malformed { what: "the checkpoint's length" };
        let (body, checksum) = row.split_last_chunk().ok_or_else(wrong_length)?;
        if u64::from_be_bytes(*checksum) != xxh3_64(body) {
            return Err(Error::Malformed { what: "the checkpoint's checksum" });
        }
        let (offset, rest) = body.split_first_chunk().ok_or_else(wrong_length)?;
        let (layout, rest) = rest.split_first_chunk().ok_or_else(wrong_length)?;
        if u16::from_be_bytes(*layout) != LAYOUT {
            return Err(Error::Untrusted(Doubt::Layout));
        }
        let true_at_ms = rest.try_into().map_err(|_length| wrong_length())?;
        Ok(Self {
            next_offset: u64::from_be_bytes(*offset),
            true_at_ms: u64::from_be_bytes(true_at_ms),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn checkpoints_come_back(next_offset: u64, true_at_ms: u64) {
            let checkpoint = Checkpoint { next_offset, true_at_ms };
            prop_assert_eq!(Checkpoint::from_bytes(&checkpoint.to_bytes()).unwrap(), checkpoint);
        }

        #[test]
        fn any_flipped_bit_is_noticed(next_offset: u64, byte in 0_usize..26, bit in 0_u8..8) {
            let mut row = Checkpoint::at(next_offset).to_bytes();
            row[byte] ^= 1 << bit;
            prop_assert!(Checkpoint::from_bytes(&row).is_err());
        }
    }

    #[test]
    fn any_other_length_is_noticed() {
        let row = Checkpoint::at(7).to_bytes();
        for length in 0..row.len() {
            assert!(Checkpoint::from_bytes(&row[..length]).is_err(), "{length}");
        }
        assert!(Checkpoint::from_bytes(&[row, vec![0]].concat()).is_err());
    }

    /// As the first layout wrote it: offset 42, layout 1, checksum.
    #[test]
    fn a_checkpoint_of_the_layout_before_is_known_as_one() {
        let mut row = [42_u64.to_be_bytes().as_slice(), &1_u16.to_be_bytes()].concat();
        let checksum = xxh3_64(&row);
        row.extend_from_slice(&checksum.to_be_bytes());
        let error = Checkpoint::from_bytes(&row).unwrap_err();
        assert!(matches!(error, Error::Untrusted(Doubt::Layout)), "{error}");
    }
}
