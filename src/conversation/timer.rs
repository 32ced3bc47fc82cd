//! The timers of a thread: which is next, and what it does. Pure.
//!
//! A timer fires when its time has passed, never at it. Each firing takes its timer away or moves it on.

use crate::conversation::error::Error;
use crate::conversation::state::{Conversation, Doubt, Due, ThreadState};
use crate::conversation::turn::Turn;
use crate::domain::time::Timestamp;

/// Every timer of a thread; in this order where they are due at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// An echo waited long enough.
    EchoHold,
    /// The agent is asked about an unknown outcome.
    UnknownSend,
    /// A story's day is over.
    StoryExpiry,
    /// The due date is near.
    DueSoon,
    /// The due date passed.
    Breach,
    /// The due date passed by a further step.
    Overdue,
    /// The contact ends by itself.
    AutoEnd,
    /// The reply window ends soon.
    WindowExpiring,
    /// The reply window ended.
    WindowExpired,
}

/// The earliest timer.
#[must_use]
pub(super) fn earliest(state: &ThreadState) -> Option<(Timestamp, Timer)> {
    let contact = state.conversation.as_ref().and_then(Conversation::contact);
    let mut first = None;
    let mut consider = |due_at: Option<Timestamp>, timer| {
        let Some(due_at) = due_at else { return };
        if first.is_none_or(|first| (due_at, timer) < first) {
            first = Some((due_at, timer));
        }
    };
    consider(state.held.iter().map(|held| held.until).min(), Timer::EchoHold);
    consider(state.sends.iter().filter_map(|send| ask_at(send.doubt)).min(), Timer::UnknownSend);
    // Expired from `expires_at` on: the last moment shown is the one before.
    let stories = state.stories.iter().map(|story| story.expires_at.minus_ms(1));
    consider(stories.min(), Timer::StoryExpiry);
    if let Some(due) = contact.and_then(|contact| contact.due) {
        consider(due.soon_at, Timer::DueSoon);
        consider((!due.breached).then_some(due.due_at), Timer::Breach);
        consider(next_step(state, due), Timer::Overdue);
    }
    consider(contact.and_then(|contact| contact.auto_end_at), Timer::AutoEnd);
    if let Some(window) = &state.window {
        consider(window.expiring_at, Timer::WindowExpiring);
        consider((!window.expired).then_some(window.expires_at), Timer::WindowExpired);
    }
    first
}

/// When the next step behind a breached due date is told; of another due date's steps nothing is.
fn next_step(state: &ThreadState, due: Due) -> Option<Timestamp> {
    state.more.overdue.filter(|step| due.breached && step.due_at == due.due_at)?.next_at
}

/// When the agent is asked.
const fn ask_at(doubt: Doubt) -> Option<Timestamp> {
    match doubt {
        Doubt::Unknown { ask_at } => Some(ask_at),
        Doubt::None | Doubt::Asked => None,
    }
}

/// Fires every timer due before `until`, oldest first.
pub(super) fn fire_before(turn: &mut Turn<'_>, until: Timestamp) -> Result<(), Error> {
    while let Some((due, timer)) = earliest(&turn.state).filter(|(due, _)| *due < until) {
        match timer {
            Timer::EchoHold => turn.end_hold(due)?,
            Timer::UnknownSend => turn.ask_about_unknown(due),
            Timer::StoryExpiry => turn.story_expired(due),
            Timer::DueSoon => turn.due_soon(due),
            Timer::Breach => turn.breach(due),
            Timer::Overdue => turn.overdue(due),
            Timer::AutoEnd => turn.auto_end(due),
            Timer::WindowExpiring => turn.window_expiring(due),
            Timer::WindowExpired => turn.window_expired(due),
        }
        turn.refresh_auto_end();
    }
    Ok(())
}
