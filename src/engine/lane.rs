//! The end of a lane: its last rows go to disk unless they are many, and its store is closed. How it comes back: `restore`.

use std::time::Duration;

use crate::engine::context::{Committed, Rows};
use crate::engine::error::Error;

/// More than this is not written when a lane ends: it was just restored, and to read it again takes less time than to write it.
const WRITTEN_MAX: u64 = 8 << 20;

/// Writes what is pending, within this time, and closes the store.
///
/// # Errors
///
/// The store's: harmless, the next owner replays more.
pub fn close<R>(rows: Rows<R>, within: Duration) -> Result<(), Error> {
    match rows.committed {
        Committed::Memory(_) => Ok(()),
        Committed::Lane(desk) if desk.pending_bytes() > WRITTEN_MAX => {
            Ok(desk.let_go(within)?.close()?)
        }
        Committed::Lane(desk) => Ok(desk.close(within)?.close()?),
    }
}
