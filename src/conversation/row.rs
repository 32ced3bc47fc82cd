//! A thread's state as bytes. Pure.
//!
//! | byte | then                                                                   |
//! |------|------------------------------------------------------------------------|
//! | 1    | postcard of [`ThreadState`] without `ties` and `more`                  |
//! | 2    | the same, then postcard of [`Ties`]                                    |
//! | 3    | the same, then postcard of [`More`]                                    |
//! | 4    | the same, then postcard of the guests' windows, last home, last gone   |
//!
//! Fields and variants of a layout never move: what is added goes behind, under the next number, and old numbers are read
//! for ever.

use crate::conversation::state::{GuestWindow, More, ThreadState, Ties};
use crate::conversation::timer;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::engine::stage::{Row, RowError};

/// The layout written.
const LAYOUT: u8 = 4;
/// The layout without the guests' windows.
const WITHOUT_WINDOWS: u8 = 3;
/// The layout without `more`.
const WITHOUT_MORE: u8 = 2;
/// The layout without ties.
const WITHOUT_TIES: u8 = 1;

impl Row for ThreadState {
    fn encode(&self, into: &mut Vec<u8>) {
        into.push(LAYOUT);
        append(self, into);
        append(&self.ties, into);
        append(&self.more, into);
        let windows: Vec<GuestWindow> = self.ties.guests.iter().map(|guest| guest.window).collect();
        append(&(windows, &self.ties.last_home, &self.ties.last_gone), into);
    }

    fn decode(bytes: &[u8]) -> Result<Self, RowError> {
        let malformed = |error: postcard::Error| RowError::Malformed(error.to_string());
        let (layout, rest) =
            bytes.split_first().ok_or_else(|| RowError::Malformed("empty".to_owned()))?;
        match *layout {
            WITHOUT_TIES => postcard::from_bytes(rest).map_err(malformed),
            version @ (WITHOUT_MORE | WITHOUT_WINDOWS | LAYOUT) => {
                let (mut state, rest): (Self, _) =
                    postcard::take_from_bytes(rest).map_err(malformed)?;
                let (ties, rest) = postcard::take_from_bytes::<Ties>(rest).map_err(malformed)?;
                state.ties = ties;
                if version == WITHOUT_MORE {
                    return Ok(state);
                }
                let (more, rest) = postcard::take_from_bytes::<More>(rest).map_err(malformed)?;
                state.more = more;
                if version == LAYOUT {
                    let behind: Behind = postcard::from_bytes(rest).map_err(malformed)?;
                    state.ties.put_behind(behind);
                }
                Ok(state)
            }
            other => Err(RowError::UnknownVersion(other)),
        }
    }

    fn due_at(&self) -> Option<Timestamp> {
        timer::earliest(self).map(|(due, _)| due)
    }
}

/// What layout 4 added: the guests' windows in the guests' order, the thread merged into last, the guest let go last.
type Behind = (Vec<GuestWindow>, Option<Thread>, Option<(Thread, Timestamp)>);

impl Ties {
    fn put_behind(&mut self, (windows, last_home, last_gone): Behind) {
        for (guest, window) in self.guests.iter_mut().zip(windows) {
            guest.window = window;
        }
        (self.last_home, self.last_gone) = (last_home, last_gone);
    }
}

fn append(value: &impl serde::Serialize, into: &mut Vec<u8>) {
    #[expect(clippy::expect_used, reason = "a Vec takes every byte, and every length is known")]
    let bytes = postcard::to_extend(value, std::mem::take(into)).expect("state serializes");
    *into = bytes;
}
