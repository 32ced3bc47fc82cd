//! The store's keys: one byte of kind, then big-endian fields, so that byte order is our order. Pure.

/// The layout of rows below. A store of another layout is set aside and rebuilt.
///
/// Raise it whenever a key, a value's envelope or the checkpoint changes its bytes, or a leaf its number of rows. 2: the checkpoint
/// says when it was true. 3: leaves of 32 rows.
pub const LAYOUT: u16 = 3;

/// What a stored row is. Written to disk: never renumber, never reuse.
///
/// 1 is kept free for creation-ordered slots, see `docs/adr/0002-which-sled.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    State = 2,
    Timer = 3,
    Checkpoint = 254,
}

/// A row's key.
///
/// | kind       | after the kind byte  | value                              | rows             |
/// |------------|----------------------|------------------------------------|------------------|
/// | State      | key                  | due time, if any, then the value   | one a key        |
/// | Timer      | due `u64`, key       | empty                              | at most one a key|
/// | Checkpoint | nothing              | changelog offset, layout, time, checksum | one a partition |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// One key's state.
    State(&'a [u8]),
    /// When a key's timer is due, in milliseconds. Derived from state, rebuilt with it.
    Timer { due_ms: u64, key: &'a [u8] },
    /// How far into the changelog this store is. Written last.
    Checkpoint,
}

impl Key<'_> {
    /// The bytes this key is stored under.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::State(key) => [&[Kind::State as u8], key].concat(),
            Self::Timer { due_ms, key } => {
                [&[Kind::Timer as u8], due_ms.to_be_bytes().as_slice(), key].concat()
            }
            Self::Checkpoint => vec![Kind::Checkpoint as u8],
        }
    }
}

/// Before the first timer row and after the last state row.
pub(super) fn first_timer() -> Vec<u8> {
    vec![Kind::Timer as u8]
}

/// The key inside a state row's bytes; `None` for any other kind.
pub(super) fn state_key(row: &[u8]) -> Option<&[u8]> {
    row.strip_prefix(&[Kind::State as u8])
}

/// Due time and key inside a timer row's bytes; `None` for any other kind.
pub(super) fn timer_key(row: &[u8]) -> Option<(u64, &[u8])> {
    let (due, key) = row.strip_prefix(&[Kind::Timer as u8])?.split_first_chunk()?;
    Some((u64::from_be_bytes(*due), key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn timers_sort_by_due_time_then_key(a: (u64, Vec<u8>), b: (u64, Vec<u8>)) {
            let row = |(due_ms, key): &(u64, Vec<u8>)| Key::Timer { due_ms: *due_ms, key }.to_bytes();
            prop_assert_eq!(row(&a).cmp(&row(&b)), a.cmp(&b));
        }

        #[test]
        fn state_sorts_by_key_and_before_timers_and_checkpoint(a: Vec<u8>, b: Vec<u8>, due_ms: u64) {
            let (row_a, row_b) = (Key::State(&a).to_bytes(), Key::State(&b).to_bytes());
            prop_assert_eq!(row_a.cmp(&row_b), a.cmp(&b));
            let timer = Key::Timer { due_ms, key: &b }.to_bytes();
            prop_assert!(row_a < first_timer());
            prop_assert!(first_timer() < timer);
            prop_assert!(timer < Key::Checkpoint.to_bytes());
        }

        #[test]
        fn keys_come_back(key: Vec<u8>, due_ms: u64) {
            let (state, timer) = (Key::State(&key).to_bytes(), Key::Timer { due_ms, key: &key }.to_bytes());
            prop_assert_eq!(state_key(&state), Some(key.as_slice()));
            prop_assert_eq!(timer_key(&timer), Some((due_ms, key.as_slice())));
            prop_assert_eq!((state_key(&timer), timer_key(&state)), (None, None));
        }
    }
}
