//! What can go wrong with a store, and what to do then.

use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A store or its writer could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk or the database said no. A full disk comes as [`io::ErrorKind::StorageFull`].
    #[error("the store failed while {doing}")]
    Io {
        /// What was being done, in the progressive.
        doing: &'static str,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The database panicked; it was caught, the store takes no more work.
    #[error("the store's database panicked while {doing}: {message}")]
    Panicked {
        /// What was being done, in the progressive.
        doing: &'static str,
        /// The panic's own words.
        message: String,
    },
    /// A row is not what this layout writes.
    #[error("{what} is malformed")]
    Malformed {
        /// Which part.
        what: &'static str,
    },
    /// The database did not open in time.
    #[error("the store did not open within {limit:?}")]
    OpenTooSlow {
        /// The limit that passed.
        limit: Duration,
    },
    /// The store's checkpoint is so old that the changelog may have forgotten deletions behind it.
    #[error("the checkpoint is {age:?} old, and deletions behind it may be forgotten")]
    TooOld {
        /// How old.
        age: Duration,
    },
    /// This store failed before; the first failure said why.
    #[error("the store failed before and takes no more work")]
    Broken,
    /// The background write of this partition failed.
    #[error("the store writer failed")]
    WriterFailed(#[source] Arc<Error>),
    /// The writer did not make room, or did not drain, in the time given.
    #[error("the store writer stands still with {pending_bytes} bytes waiting")]
    Stalled {
        /// What waits to be written.
        pending_bytes: u64,
    },
    /// A checkpoint was submitted that lies before an earlier one.
    #[error("checkpoint {given} lies before {held}")]
    CheckpointBackwards {
        /// The newest checkpoint so far.
        held: u64,
        /// The one refused.
        given: u64,
    },
}

/// What the owner of the store does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Drop the store and open its directory again: it is set aside, the changelog rebuilds it.
    Rebuild,
    /// The disk is full: free space first, then as [`Remedy::Rebuild`].
    FreeSpace,
    /// Stop taking input and look again; past a limit, restart the process.
    Wait,
}

impl Error {
    /// The one place that turns an error into a decision.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Io { source, .. } if is_full(source.kind()) => Remedy::FreeSpace,
            Self::WriterFailed(first) => first.remedy(),
            Self::Stalled { .. } => Remedy::Wait,
            Self::Io { .. }
            | Self::Panicked { .. }
            | Self::Malformed { .. }
            | Self::OpenTooSlow { .. }
            | Self::TooOld { .. }
            | Self::Broken
            | Self::CheckpointBackwards { .. } => Remedy::Rebuild,
        }
    }
}

const fn is_full(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
