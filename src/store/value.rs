//! A state row's bytes: when its timer is due, then the value as it was given. Pure.
//!
//! The due time stands in front so that an overwrite or a deletion knows which timer row to remove.

use super::error::Error;

const NO_TIMER: u8 = 0;
const TIMER: u8 = 1;

/// The bytes of a state row.
pub(super) fn encode(due_at_ms: Option<u64>, value: &[u8]) -> Vec<u8> {
    due_at_ms.map_or_else(
        || [&[NO_TIMER], value].concat(),
        |due_ms| [&[TIMER], due_ms.to_be_bytes().as_slice(), value].concat(),
    )
}

/// Due time and value of a state row.
///
/// # Errors
///
/// [`Error::Malformed`] when the bytes are not what [`encode`] writes.
pub(super) fn decode(row: &[u8]) -> Result<(Option<u64>, &[u8]), Error> {
    match row.split_first() {
        Some((&NO_TIMER, value)) => Ok((None, value)),
        Some((&TIMER, rest)) => {
            let (due, value) = rest
                .split_first_chunk()
                .ok_or(Error::Malformed { what: "a state row's due time" })?;
            Ok((Some(u64::from_be_bytes(*due)), value))
        }
        Some(_) | None => Err(Error::Malformed { what: "a state row's first byte" }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_come_back(due_at_ms: Option<u64>, value: Vec<u8>) {
            let row = encode(due_at_ms, &value);
            prop_assert_eq!(decode(&row).unwrap(), (due_at_ms, value.as_slice()));
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        for row in [&[][..], &[2], &[TIMER], &[TIMER, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(matches!(decode(row), Err(Error::Malformed { .. })), "{row:?}");
        }
    }
}
