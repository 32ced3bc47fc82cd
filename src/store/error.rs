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
    /// What was found is whole, and yet not to be built upon.
    #[error("the store is not to be trusted: {0}")]
    Untrusted(Doubt),
    /// The database did not open in time.
    #[error("the store did not open within {limit:?}")]
    OpenTooSlow {
        /// The limit that passed.
        limit: Duration,
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

/// Why a store's directory was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Bytes are not what was written.
    #[error("it is damaged")]
    Damaged,
    /// It does not open: locked by somebody else, or the disk refuses.
    #[error("it does not open")]
    Unopenable,
    /// It did not open in time.
    #[error("it does not open in time")]
    TooSlow,
    /// Another build wrote it.
    #[error("its layout is of another version")]
    Layout,
    /// Deletions since its checkpoint may be forgotten by the changelog: what they deleted would rise again.
    #[error("its checkpoint is older than deletions are kept")]
    Stale,
    /// It was being rebuilt when that was broken off.
    #[error("it was never rebuilt to its end")]
    Unfinished,
    /// Records after its checkpoint are gone from the changelog.
    #[error("its checkpoint lies before the changelog's start")]
    BelowStart,
    /// The changelog is not the one it was built from.
    #[error("its checkpoint lies beyond the changelog's end")]
    BeyondEnd,
}

impl Doubt {
    /// Every doubt.
    pub const ALL: [Self; 8] = [
        Self::Damaged,
        Self::Unopenable,
        Self::TooSlow,
        Self::Layout,
        Self::Stale,
        Self::Unfinished,
        Self::BelowStart,
        Self::BeyondEnd,
    ];

    /// The label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::Unopenable => "unopenable",
            Self::TooSlow => "too_slow",
            Self::Layout => "layout",
            Self::Stale => "stale",
            Self::Unfinished => "unfinished",
            Self::BelowStart => "below_start",
            Self::BeyondEnd => "beyond_end",
        }
    }
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
    /// What an error met at opening says about the directory.
    pub(super) const fn doubt(&self) -> Doubt {
        match self {
            Self::Untrusted(doubt) => *doubt,
            Self::OpenTooSlow { .. } => Doubt::TooSlow,
            Self::Io { .. } | Self::Stalled { .. } | Self::WriterFailed(_) => Doubt::Unopenable,
            Self::Panicked { .. }
            | Self::Malformed { .. }
            | Self::Broken
            | Self::CheckpointBackwards { .. } => Doubt::Damaged,
        }
    }

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
            | Self::Untrusted(_)
            | Self::OpenTooSlow { .. }
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
