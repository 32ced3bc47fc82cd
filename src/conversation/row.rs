//! A thread's state as bytes. Pure.
//!
//! | byte | then                                                                              |
//! |------|-----------------------------------------------------------------------------------|
//! | 1    | postcard of the state without `ties` and `more`, digests of variable width        |
//! | 2    | the same, then postcard of [`Ties`]                                               |
//! | 3    | the same, then postcard of [`More`](crate::conversation::state::More)             |
//! | 4    | the same, then postcard of the guests' windows, last home, last gone              |
//! | 5    | when it is due, in milliseconds in eight bytes; then as 4, digests of fixed width |
//! | 6    | the same, items in one piece (`packed`)                                           |
//!
//! Fields and variants of a layout never move: what is added goes behind, under the next number, and old numbers are read
//! for ever. The due time stands in front for a restore, which asks for nothing else.

use serde::de::DeserializeOwned;

use crate::conversation::row_old::{ListedState, NarrowState};
use crate::conversation::state::{GuestWindow, ThreadState, Ties};
use crate::conversation::timer;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::engine::stage::{Row, RowError};

/// The layout written.
const LAYOUT: u8 = 6;
/// The one in which items were a list, field by field.
const LISTED: u8 = 5;
/// The one in which lists were numbers of variable width, and no due time stood in front.
const NARROW: u8 = 4;
/// The layout without the guests' windows.
const WITHOUT_WINDOWS: u8 = 3;
/// The layout without `more`.
const WITHOUT_MORE: u8 = 2;
/// The layout without ties.
const WITHOUT_TIES: u8 = 1;
/// In place of a due time, where nothing is due.
const NOT_DUE: u64 = u64::MAX;

impl Row for ThreadState {
    fn encode(&self, into: &mut Vec<u8>) {
        into.push(LAYOUT);
        let due_ms = self.due_at().map_or(NOT_DUE, Timestamp::as_ms);
        into.extend_from_slice(&due_ms.to_be_bytes());
        append(self, into);
        append(&self.ties, into);
        append(&self.more, into);
        let windows: Vec<GuestWindow> = self.ties.guests.iter().map(|guest| guest.window).collect();
        append(&(windows, &self.ties.last_home, &self.ties.last_gone), into);
    }

    fn decode(bytes: &[u8]) -> Result<Self, RowError> {
        let (layout, mut rest) = split(bytes)?;
        if layout >= LISTED {
            (_, rest) = due_and_rest(rest)?;
        }
        let mut state = match layout {
            LAYOUT => take::<Self>(&mut rest)?,
            LISTED => take::<ListedState>(&mut rest)?.into(),
            _older => take::<NarrowState>(&mut rest)?.into(),
        };
        if layout >= WITHOUT_MORE {
            state.ties = take(&mut rest)?;
        }
        if layout >= WITHOUT_WINDOWS {
            state.more = take(&mut rest)?;
        }
        if layout >= NARROW {
            state.ties.put_behind(take(&mut rest)?);
        }
        Ok(state)
    }

    fn due_at(&self) -> Option<Timestamp> {
        timer::earliest(self).map(|(due, _)| due)
    }

    fn due_in(bytes: &[u8]) -> Result<Option<Timestamp>, RowError> {
        match split(bytes)? {
            (LISTED..=LAYOUT, rest) => Ok(due_and_rest(rest)?.0),
            _older => Ok(Self::decode(bytes)?.due_at()),
        }
    }
}

/// A known layout, and what is behind it.
fn split(bytes: &[u8]) -> Result<(u8, &[u8]), RowError> {
    match bytes.split_first() {
        Some((layout @ WITHOUT_TIES..=LAYOUT, rest)) => Ok((*layout, rest)),
        Some((other, _)) => Err(RowError::UnknownVersion(*other)),
        None => Err(RowError::Malformed("empty".to_owned())),
    }
}

fn due_and_rest(bytes: &[u8]) -> Result<(Option<Timestamp>, &[u8]), RowError> {
    let too_short = || RowError::Malformed("no due time".to_owned());
    let (due, rest) = bytes.split_first_chunk().ok_or_else(too_short)?;
    let due_ms = Some(u64::from_be_bytes(*due)).filter(|due_ms| *due_ms != NOT_DUE);
    Ok((due_ms.map(Timestamp::from_ms), rest))
}

/// Reads what stands first.
fn take<T: DeserializeOwned>(rest: &mut &[u8]) -> Result<T, RowError> {
    let taken = postcard::take_from_bytes(rest);
    let (value, behind) = taken.map_err(|error| RowError::Malformed(error.to_string()))?;
    *rest = behind;
    Ok(value)
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
