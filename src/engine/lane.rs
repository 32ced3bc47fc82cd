//! The end of a lane: its last rows go to disk, and its store is closed. How it comes back: `restore`.

use std::time::Duration;

use crate::engine::context::{Committed, Rows};
use crate::engine::error::Error;

/// Writes what is pending, within this time, and closes the store.
///
/// # Errors
///
/// The store's: harmless, the next owner replays more.
pub fn close<R>(rows: Rows<R>, within: Duration) -> Result<(), Error> {
    match rows.committed {
        Committed::Memory(_) => Ok(()),
        Committed::Lane(desk) => Ok(desk.close(within)?.close()?),
    }
}
