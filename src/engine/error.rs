//! What stops a worker's turn, and what to do about it. Called `engine::Error` outside.

use crate::broker;
use crate::engine::context::StateError;
use crate::engine::stage::RowError;
use crate::store;

/// Why a turn did not become true.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker did not do what was asked.
    #[error("broker: {0}")]
    Broker(#[from] broker::Error),
    /// State could not be read.
    #[error("state: {0}")]
    State(#[from] StateError),
    /// The local store failed.
    #[error("store: {0}")]
    Store(#[from] store::Error),
    /// The changelog holds a row this program does not know.
    #[error("changelog: {0}")]
    Row(#[from] RowError),
}

impl Error {
    /// The one place that turns an error into a decision.
    #[must_use]
    pub fn remedy(&self) -> broker::Remedy {
        match self {
            Self::Broker(error) => error.remedy(),
            // The lanes are closed and restored from the changelog.
            Self::State(StateError::Store(_)) | Self::Store(_) => broker::Remedy::Rebuild,
            // A row of a newer program, or a record of ours that does not serialize: going on would do harm.
            Self::State(StateError::Row(_) | StateError::Serialize(_)) | Self::Row(_) => {
                broker::Remedy::Stop
            }
        }
    }
}
