//! Why an input cannot be decided. Pure.

use crate::domain::event::DeadLetterReason;

/// Why an input cannot be decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A held echo does not read back; none in practice.
    #[error("a held echo does not read")]
    HeldEcho,
}

impl Error {
    /// The one place that turns an error into a decision: the input becomes a dead letter.
    #[must_use]
    pub const fn remedy(&self) -> DeadLetterReason {
        match self {
            Self::HeldEcho => DeadLetterReason::BadRecord,
        }
    }
}
