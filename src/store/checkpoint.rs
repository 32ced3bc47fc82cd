//! How far into the changelog a store is, as a row that notices its own damage. Pure.

use xxhash_rust::xxh3::xxh3_64;

use super::error::Error;
use super::key::LAYOUT;

/// Where replay of the changelog begins again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The first changelog offset that the store may lack.
    pub next_offset: u64,
    /// The layout of the rows it speaks for.
    pub layout: u16,
    /// What stands behind it was written at this moment or later, milliseconds; zero when that is not known.
    ///
    /// The changelog forgets deletions after a while: a checkpoint older than that may miss some.
    pub as_of_ms: u64,
}

impl Checkpoint {
    /// A checkpoint before `next_offset`, in the layout of this build.
    #[must_use]
    pub const fn at(next_offset: u64) -> Self {
        Self { next_offset, layout: LAYOUT, as_of_ms: 0 }
    }

    /// The same, as of a moment.
    #[must_use]
    pub const fn as_of(self, as_of_ms: u64) -> Self {
        Self { as_of_ms, ..self }
    }

    /// Offset, layout, moment and checksum, big-endian.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let (offset, layout) = (self.next_offset.to_be_bytes(), self.layout.to_be_bytes());
        let mut row = [offset.as_slice(), &layout, &self.as_of_ms.to_be_bytes()].concat();
        let checksum = xxh3_64(&row);
        row.extend_from_slice(&checksum.to_be_bytes());
        row
    }

    /// # Errors
    ///
    /// [`Error::Malformed`] when length or checksum is wrong.
    pub(super) fn from_bytes(row: &[u8]) -> Result<Self, Error> {
        let wrong_length = || Error::Malformed { what: "the checkpoint's length" };
        let (offset, rest) = row.split_first_chunk().ok_or_else(wrong_length)?;
        let (layout, rest) = rest.split_first_chunk().ok_or_else(wrong_length)?;
        let (as_of_ms, rest) = rest.split_first_chunk().ok_or_else(wrong_length)?;
        if rest.len() != size_of::<u64>() {
            return Err(wrong_length());
        }
        let found = Self {
            next_offset: u64::from_be_bytes(*offset),
            layout: u16::from_be_bytes(*layout),
            as_of_ms: u64::from_be_bytes(*as_of_ms),
        };
        if found.to_bytes() == row {
            Ok(found)
        } else {
            Err(Error::Malformed { what: "the checkpoint's checksum" })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn checkpoints_come_back(next_offset: u64, layout: u16, as_of_ms: u64) {
            let checkpoint = Checkpoint { next_offset, layout, as_of_ms };
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
}
