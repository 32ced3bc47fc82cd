//! What goes wrong between us and a broker, and what to do about it. Called `broker::Error` outside.

/// Why a broker did not do what was asked. Texts name topics and codes, never keys or values.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not now; the same call again may succeed.
    #[error("the broker cannot do this now: {0}")]
    Retriable(String),
    /// This transaction cannot be committed any more; nothing of it became true.
    #[error("the transaction must be aborted: {0}")]
    Abortable(String),
    /// This client is of no use any more; a new one takes over from what is committed.
    #[error("the client is broken and must be rebuilt: {0}")]
    Fatal(String),
    /// The local queue is full: drain, or refuse.
    #[error("the producer's queue is full")]
    QueueFull,
    /// The record is larger than the topic takes.
    #[error("a record of {bytes} bytes is larger than the broker takes")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A topic is missing, or its partitions are not what `topics.yaml` demands.
    #[error("topics are not as declared: {0}; run `dmstream topics apply`")]
    Topics(String),
    /// A setting would break what this program promises, or is not one.
    #[error("the broker's settings are not usable: {0}")]
    Settings(String),
    /// The embedded log on disk failed.
    #[error("the embedded log failed: {0}")]
    Storage(String),
}

/// What to do after an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same call again.
    Retry,
    /// Abort the transaction, rewind to what is committed, go on.
    Abort,
    /// Drop the session, open a new one, rewind to what is committed, go on.
    Rebuild,
    /// Tell a person: going on would do harm.
    Stop,
}

impl Error {
    /// The one place that turns an error into a decision.
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::Retriable(_) => Remedy::Retry,
            Self::Abortable(_) | Self::QueueFull | Self::TooLarge { .. } => Remedy::Abort,
            Self::Fatal(_) => Remedy::Rebuild,
            Self::Topics(_) | Self::Settings(_) | Self::Storage(_) => Remedy::Stop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abort_is_never_the_answer_to_a_broken_client() {
        assert_eq!(Error::Fatal("fenced".to_owned()).remedy(), Remedy::Rebuild);
        assert_eq!(Error::Abortable("stale generation".to_owned()).remedy(), Remedy::Abort);
    }
}
