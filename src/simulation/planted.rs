//! Mistakes put in on purpose, to see that the simulation finds them. Pure.
//!
//! Each is played by what stands around the product (session, stage, disk, platform); the product has no switch for any.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Planted {
    /// Offsets are not part of the commit.
    OffsetsNotSent,
    /// Offsets are ahead of what was processed.
    OffsetsAhead,
    /// A record of a batch never reaches the stage.
    InputSkipped,
    /// An output is not written.
    OutputLost,
    /// Two outputs of one partition change places.
    OutputsSwapped,
    /// What an aborted turn sent is written with the next one.
    AbortKeepsOutputs,
    /// What an aborted turn wrote to a row is still there.
    AbortKeepsRows,
    /// An abort does not go back to what is committed.
    AbortWithoutRewind,
    /// A fenced member's turn is written all the same.
    FenceIgnored,
    /// Timers fire ahead of their time.
    TimerEarly,
    /// A timer fires twice.
    TimerTwice,
    /// The store forgets timers.
    TimersForgotten,
    /// The checkpoint is ahead of the rows: moved before the commit.
    CheckpointAhead,
    /// Restoring stops short of the changelog's end.
    RestoreShort,
    /// A deleted row is still in the store.
    DeletedResurrected,
    /// An old store comes back under a new checkpoint.
    StaleUnderNewCheckpoint,
    /// A lost lane's store gets a checkpoint from what the successor wrote.
    ZombieCheckpoint,
    /// An event that came twice has another id the second time.
    DedupeForgotten,
    /// After an unknown outcome a part is sent again.
    UnknownSentAgain,
    /// The echo of a send is not known as ours.
    EchoNotMatched,
    /// One conversation is offered to two agents.
    OfferedTwice,
    /// A turn goes on whatever it holds.
    TurnUnbounded,
    /// A turn takes in all that came of actions, however much it is.
    AnswersUnbounded,
    /// What waits to be written to a store has no bound.
    StoreUnbounded,
    /// A profile is told that was not answered to the question.
    ProfilesMixedUp,
    /// A person is asked for again at once.
    ProfileAskedTwice,
}

impl Planted {
    /// Every one.
    pub const ALL: [Self; 26] = [
        Self::OffsetsNotSent,
        Self::OffsetsAhead,
        Self::InputSkipped,
        Self::OutputLost,
        Self::OutputsSwapped,
        Self::AbortKeepsOutputs,
        Self::AbortKeepsRows,
        Self::AbortWithoutRewind,
        Self::FenceIgnored,
        Self::TimerEarly,
        Self::TimerTwice,
        Self::TimersForgotten,
        Self::CheckpointAhead,
        Self::RestoreShort,
        Self::DeletedResurrected,
        Self::StaleUnderNewCheckpoint,
        Self::ZombieCheckpoint,
        Self::DedupeForgotten,
        Self::UnknownSentAgain,
        Self::EchoNotMatched,
        Self::OfferedTwice,
        Self::TurnUnbounded,
        Self::AnswersUnbounded,
        Self::StoreUnbounded,
        Self::ProfilesMixedUp,
        Self::ProfileAskedTwice,
    ];
}
