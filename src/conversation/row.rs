//! A thread's state as bytes. Pure.
//!
//! | byte | then                         |
//! |------|------------------------------|
//! | 1    | postcard of [`ThreadState`]  |
//!
//! Fields and variants of a layout never move: what changes gets the next number, and old numbers are read for ever.

use crate::conversation::state::ThreadState;
use crate::conversation::timer;
use crate::domain::time::Timestamp;
use crate::engine::stage::{Row, RowError};

/// The layout written.
const LAYOUT: u8 = 1;

impl Row for ThreadState {
    fn encode(&self, into: &mut Vec<u8>) {
        into.push(LAYOUT);
        #[expect(clippy::expect_used, reason = "a Vec takes every byte, and every length is known")]
        let bytes = postcard::to_allocvec(self).expect("state serializes");
        into.extend_from_slice(&bytes);
    }

    fn decode(bytes: &[u8]) -> Result<Self, RowError> {
        match bytes.split_first() {
            Some((&LAYOUT, rest)) => {
                postcard::from_bytes(rest).map_err(|error| RowError::Malformed(error.to_string()))
            }
            Some((other, _)) => Err(RowError::UnknownVersion(*other)),
            None => Err(RowError::Malformed("empty".to_owned())),
        }
    }

    fn due_at(&self) -> Option<Timestamp> {
        timer::earliest(self).map(|(due, _)| due)
    }
}
