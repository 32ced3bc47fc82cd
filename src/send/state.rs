//! What is known of one account's outbound: who waits, who is on the wire, how much went out. Pure.
//!
//! All decisions about an account are made on this one value; texts and addresses stand in rows of their own (`row.rs`).

use serde::{Deserialize, Serialize};

use crate::domain::derive::digest;
use crate::domain::id::SendId;
use crate::domain::outbound::OutboundSend;
use crate::domain::thread::Thread;
use crate::domain::time::{DAY_MS, MINUTE_MS, SECOND_MS, Timestamp};

/// The span in which calls are counted: the 300 s of R-143, and one second for calls that begin late after their commit.
pub const RATE_WINDOW_MS: u64 = 301 * SECOND_MS;
/// Calls in any window, whatever is configured. Source: desk rule R-143.
pub const RATE_MAX: usize = 200;
/// Without a completion for so long, a call's outcome is unknown.
pub(super) const CALL_DEADLINE_MS: u64 = 30 * SECOND_MS;
/// A call that could not begin within this is not begun: with the time a call takes it stays below the deadline.
pub(super) const CALL_START_MS: u64 = 8 * SECOND_MS;
/// Calls of one account at a time.
pub(super) const IN_FLIGHT_MAX: usize = 16;
/// Parts of one account that wait or are on the wire; more are refused. At the full rate, 25 minutes.
pub(super) const SLOTS_MAX: usize = 1_000;
/// How long a settled part is remembered, and how long after its request a part may still be tried: so a repeated
/// request is either remembered or too old to be tried.
pub(super) const MEMORY_MS: u64 = 2 * DAY_MS;
/// A part that waited so long for an account that is down has failed.
pub(super) const DOWN_PATIENCE_MS: u64 = 10 * MINUTE_MS;
/// Calls of one part under limits, beyond which it has failed.
pub(super) const LIMITED_ATTEMPTS_MAX: u32 = 10;

/// A part, as its account's state calls it: 128 bits of its send id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct PartId(pub(super) u128);

impl PartId {
    /// Of a send id.
    pub(super) fn of(send_id: &SendId) -> Self {
        Self(digest(&[send_id.as_str()]))
    }
}

/// A thread, as its account's state calls it: no person's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct ThreadDigest(pub(super) u128);

impl ThreadDigest {
    /// Of a thread.
    pub(super) fn of(thread: &Thread) -> Self {
        Self(digest(&[thread.account_id.as_str(), thread.person_id.as_str()]))
    }
}

/// One account's outbound.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Account {
    /// When calls began, oldest first; those within one window, at most [`RATE_MAX`].
    pub(super) sent: Vec<Timestamp>,
    /// No call before this moment.
    pub(super) paused_until: Timestamp,
    /// Pauses since the platform last took or judged a message.
    pub(super) pauses: u32,
    /// Since when nothing goes out until a person mends the connection.
    pub(super) down_since: Option<Timestamp>,
    /// No tagged call before this moment.
    pub(super) tagged_not_before: Timestamp,
    /// Parts not settled, in the order in which they were asked for; at most [`SLOTS_MAX`].
    pub(super) slots: Vec<Slot>,
    /// When to look again.
    pub(super) wake_at: Option<Timestamp>,
}

/// One part not settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slot {
    /// Which.
    pub(super) id: PartId,
    /// In which thread.
    pub(super) thread: ThreadDigest,
    /// Written by a rule.
    pub(super) automatic: bool,
    /// When it came to us.
    pub(super) queued_at: Timestamp,
    /// Not to be tried after this moment.
    pub(super) expires_at: Timestamp,
    /// From this moment on it needs the tag.
    pub(super) tag_from_at: Timestamp,
    /// Calls so far.
    pub(super) attempts: u32,
    /// What it is doing.
    pub(super) phase: Phase,
}

/// What an unsettled part is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Waits, at least until then.
    Waiting {
        /// The earliest next call.
        not_before: Timestamp,
    },
    /// Is on the wire, for all we know.
    Calling {
        /// Since when.
        started_at: Timestamp,
    },
}

impl Slot {
    /// A part nobody called yet.
    pub(super) fn new(send: &OutboundSend, now: Timestamp) -> Self {
        Self {
            id: PartId::of(&send.send_id),
            thread: ThreadDigest::of(&send.thread),
            automatic: send.automatic,
            queued_at: now,
            expires_at: send.expires_at.min(send.requested_at.plus_ms(MEMORY_MS)),
            tag_from_at: send.tag_from_at,
            attempts: 0,
            phase: Phase::Waiting { not_before: now },
        }
    }

    /// Whether a call at `now` needs the tag.
    pub(super) fn needs_tag(&self, now: Timestamp) -> bool {
        self.tag_from_at <= now
    }

    /// Whether it is too late for a call at `now`: automatic messages are never tagged.
    pub(super) fn is_too_late(&self, now: Timestamp) -> bool {
        self.expires_at < now || (self.automatic && self.needs_tag(now))
    }

    /// The first moment at which [`Slot::is_too_late`].
    pub(super) fn too_late_at(&self) -> Timestamp {
        let expired_at = self.expires_at.plus_ms(1);
        if self.automatic { expired_at.min(self.tag_from_at) } else { expired_at }
    }

    /// Whether a call that began at `started_at` had no tag and the next may have one. Where an account has no tag, its
    /// window ends before the tag would begin.
    pub(super) fn may_add_tag(&self, started_at: Timestamp) -> bool {
        !self.automatic && !self.needs_tag(started_at) && self.tag_from_at < self.expires_at
    }

    /// Since when it is on the wire.
    pub(super) const fn calling_since(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Calling { started_at } => Some(started_at),
            Phase::Waiting { .. } => None,
        }
    }
}
