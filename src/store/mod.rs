//! The materialised view of one partition's committed state, in sled. Disposable: the changelog is the truth.
//!
//! ```text
//!            engine worker                      writer thread
//!   overlay ─commit─▶ Lane::submit ─▶ pending ─▶ Store::write ─▶ sled, checkpoint last, flush
//!   replay ──sorted─▶ Lane::load ───▶    "
//!   read: overlay ─▶ cache ─▶ Lane::get = pending, then sled
//! ```
//!
//! Invariants:
//! - ST-1: everything committed at or below the checkpoint on disk is on disk.
//! - ST-2: a read through a [`Lane`] never returns less than what was submitted to it before.
//! - ST-3: a key has at most one timer row, and it is the one its state row names.
//! - ST-4: a store that failed once answers nothing more; opening its directory again starts afresh.
//!
//! Not here: the changelog, restore, what a row means. Which sled and why: `docs/adr/0002-which-sled.md`.

mod key;
mod value;
mod checkpoint;
mod error;
mod db;
mod memory;
mod unmade;
mod ground;
mod witness;
mod open;
mod view;
mod pending;
mod run;
mod layer;
mod desk;
mod lane;
mod writer;
mod place;

pub use checkpoint::Checkpoint;
pub use desk::Progress;
pub use error::{Doubt, Error, Remedy};
pub use key::LAYOUT;
pub use lane::Lane;
pub use memory::{Copied, MemoryDisk};
pub use open::{Opened, StoreSettings, Trusted};
pub use place::Place;
pub use run::Gathered;
pub use view::{KeyValue, RowChange, Store, StoreStats};
pub use writer::{StoreWriter, WriterSettings};

#[cfg(test)]
mod crash_test;
#[cfg(test)]
mod memory_test;
#[cfg(test)]
mod open_test;
#[cfg(test)]
mod timers_test;
#[cfg(test)]
mod view_test;
#[cfg(test)]
mod writer_test;
