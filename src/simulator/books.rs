//! The books and the story as every part of a running simulation reaches them.
//!
//! Promise: no lock is held while anybody waits. Not here: what the books say (`account.rs`).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::account::Ledger;
use super::happening::Happening;

/// Who listens to the story; called from many tasks, so it must be quick.
type Listener = Arc<dyn Fn(Happening) + Send + Sync>;

/// The shared books. Clones are the same books.
#[derive(Clone)]
pub struct Books {
    ledger: Arc<Mutex<Ledger>>,
    listener: Listener,
}

impl fmt::Debug for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Books").finish_non_exhaustive()
    }
}

impl Books {
    /// Empty books, and who hears what happens.
    #[must_use]
    pub fn new(listener: impl Fn(Happening) + Send + Sync + 'static) -> Self {
        Self { ledger: Arc::default(), listener: Arc::new(listener) }
    }

    /// Looks into the books or writes into them.
    pub fn with<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells what happened.
    pub fn tell(&self, happening: Happening) {
        (self.listener)(happening);
    }
}
