//! The one place that reads the time; everybody else is told.
//!
//! A closed choice: the machine's clock, or one moved by hand for tests and simulation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::time::Timestamp;

/// A source of time. Clones of a clock moved by hand move together.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's.
    System,
    /// Stands still until it is moved.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands at `at` until [`Clock::set`] moves it.
    #[must_use]
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicU64::new(at.as_ms())))
    }

    /// Now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "time enters here")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
            }
            Self::Manual(at) => Timestamp::from_ms(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock; the machine's clock does not listen.
    pub fn set(&self, to: Timestamp) {
        match self {
            Self::System => (),
            Self::Manual(at) => at.store(to.as_ms(), Ordering::SeqCst),
        }
    }
}

/// Measures how long something took, for metrics and bounds; never for a decision.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "time enters here")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Since the start.
    #[must_use]
    pub fn elapsed(&self) -> std::time::Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_with_all_its_clones() {
        let clock = Clock::manual(Timestamp::from_ms(5));
        let clone = clock.clone();
        clock.set(Timestamp::from_ms(9));
        assert_eq!(clone.now(), Timestamp::from_ms(9));
    }
}
