//! What sled calls of the crate `zstd`, with contexts that are kept: one for writing and one for reading a thread.
//!
//! sled compresses and reads each leaf on its own, and asks for a new context each time. That is 100 to 700 KB of memory taken,
//! touched and given back for a leaf of some kilobytes, and two questions to the processor about itself, each of which a
//! virtual machine answers by leaving and coming back. Together that was a quarter of the store's time.
//!
//! Promise: frames are those of zstd, in both directions: what the other crate wrote is read here, and the other way round.
//! Not here: anything of `zstd` that sled does not call (dictionaries, streams without an end, threads).
//!
//! Source: ADR 0008.

pub mod stream;
