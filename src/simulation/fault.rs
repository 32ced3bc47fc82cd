//! What can go wrong, by name, and how often it did. Pure.

use std::collections::BTreeMap;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A process ends between two turns.
    CrashIdle,
    /// It ends in the middle of a turn, some records sent.
    CrashSending,
    /// It ends before the commit.
    CrashBeforeCommit,
    /// It ends after the commit, before anything else is noted.
    CrashAfterCommit,
    /// It ends with actions begun in part.
    CrashActing,
    /// It ends while it takes lanes over.
    CrashTaking,
    /// The commit held; the answer did not come.
    AnswerLostAfterCommit,
    /// The commit did not hold; no answer came.
    AnswerLostBeforeCommit,
    /// The commit failed for now.
    CommitRetriable,
    /// The commit failed: abort.
    CommitAborted,
    /// A record could not be added: abort.
    SendRefused,
    /// A poll failed for now.
    PollRetriable,
    /// The client broke.
    ClientBroken,
    /// A process stands still in the middle of a turn while the others go on.
    Paused,
    /// A process stands still, its successor begins, then it goes on.
    Zombie,
    /// One more process.
    ScaledOut,
    /// A process stops in order.
    ScaledIn,
    /// The group gives up waiting for a dead or slow member.
    MemberLost,
    /// Time jumps ahead.
    ClockJump,
    /// A process's clock is behind.
    ClockBehind,
    /// A store is gone.
    StoreLost,
    /// A store's write is cut in the middle.
    StoreTorn,
    /// An old store comes back.
    StoreStale,
    /// A store's checkpoint is damaged.
    StoreDamaged,
    /// A store's disk refuses.
    StoreRefused,
    /// Changelogs are compacted, under checkpoints too.
    Compacted,
    /// A webhook comes twice.
    WebhookDoubled,
    /// A webhook overtakes others.
    WebhookDisordered,
    /// A webhook comes late.
    WebhookLate,
    /// A webhook is refused, and comes again.
    WebhookRefused,
    /// A webhook is kept but not acknowledged, and comes again.
    WebhookUnanswered,
    /// No connection to the Graph API.
    GraphUnreached,
    /// The Graph API is limited, or temporarily away.
    GraphRefused,
    /// The Graph API took it; the answer is lost.
    GraphAnswerLost,
    /// The Graph API took it and says that it failed, perhaps.
    GraphAmbiguous,
    /// The echo comes before the answer.
    EchoEarly,
    /// The echo never comes.
    EchoNever,
    /// A profile is not given, for now or for good.
    ProfileRefused,
    /// A question for a profile comes to nothing.
    ProfileLost,
    /// A profile comes too late.
    ProfileSlow,
    /// A command comes twice.
    CommandDoubled,
    /// Settings change.
    SettingsChanged,
    /// Inputs do not end for a while.
    LastingLoad,
}

impl Fault {
    /// Every kind, in the order of the table.
    pub const ALL: [Self; 43] = [
        Self::CrashIdle,
        Self::CrashSending,
        Self::CrashBeforeCommit,
        Self::CrashAfterCommit,
        Self::CrashActing,
        Self::CrashTaking,
        Self::AnswerLostAfterCommit,
        Self::AnswerLostBeforeCommit,
        Self::CommitRetriable,
        Self::CommitAborted,
        Self::SendRefused,
        Self::PollRetriable,
        Self::ClientBroken,
        Self::Paused,
        Self::Zombie,
        Self::ScaledOut,
        Self::ScaledIn,
        Self::MemberLost,
        Self::ClockJump,
        Self::ClockBehind,
        Self::StoreLost,
        Self::StoreTorn,
        Self::StoreStale,
        Self::StoreDamaged,
        Self::StoreRefused,
        Self::Compacted,
        Self::WebhookDoubled,
        Self::WebhookDisordered,
        Self::WebhookLate,
        Self::WebhookRefused,
        Self::WebhookUnanswered,
        Self::GraphUnreached,
        Self::GraphRefused,
        Self::GraphAnswerLost,
        Self::GraphAmbiguous,
        Self::EchoEarly,
        Self::EchoNever,
        Self::ProfileRefused,
        Self::ProfileLost,
        Self::ProfileSlow,
        Self::CommandDoubled,
        Self::SettingsChanged,
        Self::LastingLoad,
    ];

    /// The kind in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CrashIdle => "crash between turns",
            Self::CrashSending => "crash between sends",
            Self::CrashBeforeCommit => "crash before the commit",
            Self::CrashAfterCommit => "crash after the commit, nothing noted",
            Self::CrashActing => "crash while actions begin",
            Self::CrashTaking => "crash while lanes are taken over",
            Self::AnswerLostAfterCommit => "commit held, answer lost",
            Self::AnswerLostBeforeCommit => "commit did not hold, answer lost",
            Self::CommitRetriable => "commit failed for now",
            Self::CommitAborted => "commit failed, abort",
            Self::SendRefused => "send refused, abort",
            Self::PollRetriable => "poll failed for now",
            Self::ClientBroken => "client broken, rebuilt",
            Self::Paused => "paused inside a turn",
            Self::Zombie => "zombie beside its successor",
            Self::ScaledOut => "process added",
            Self::ScaledIn => "process stopped in order",
            Self::MemberLost => "member lost to the group",
            Self::ClockJump => "clock jumps ahead",
            Self::ClockBehind => "clock of a process behind",
            Self::StoreLost => "store lost",
            Self::StoreTorn => "store torn",
            Self::StoreStale => "old store comes back",
            Self::StoreDamaged => "checkpoint damaged",
            Self::StoreRefused => "disk refuses a write",
            Self::Compacted => "changelogs compacted",
            Self::WebhookDoubled => "webhook twice",
            Self::WebhookDisordered => "webhook out of order",
            Self::WebhookLate => "webhook late",
            Self::WebhookRefused => "webhook refused, again",
            Self::WebhookUnanswered => "webhook kept, answer lost",
            Self::GraphUnreached => "Graph API not reached",
            Self::GraphRefused => "Graph API limited or away",
            Self::GraphAnswerLost => "Graph answer lost",
            Self::GraphAmbiguous => "Graph answer ambiguous",
            Self::EchoEarly => "echo before the answer",
            Self::EchoNever => "echo never",
            Self::ProfileRefused => "profile refused",
            Self::ProfileLost => "profile's answer lost",
            Self::ProfileSlow => "profile too late",
            Self::CommandDoubled => "command twice",
            Self::SettingsChanged => "settings changed",
            Self::LastingLoad => "lasting load",
        }
    }
}

/// How often each fault was injected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Fault, u64>);

impl Tally {
    /// One more.
    pub fn count(&mut self, fault: Fault) {
        *self.0.entry(fault).or_default() += 1;
    }

    /// How many of a kind.
    #[must_use]
    pub fn of(&self, fault: Fault) -> u64 {
        self.0.get(&fault).copied().unwrap_or(0)
    }

    /// Takes in another's.
    pub fn add(&mut self, other: &Self) {
        for (fault, count) in &other.0 {
            *self.0.entry(*fault).or_default() += count;
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}
