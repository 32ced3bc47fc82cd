//! The reply window and the stories' day. Pure.

use crate::conversation::decide::World;
use crate::conversation::ledger::mid_key;
use crate::conversation::state::{Phase, StoryTimer, ThreadState, Window, bound};
use crate::conversation::turn::Turn;
use crate::domain::command::Refusal;
use crate::domain::fact::{FactBody, Initiator};
use crate::domain::id::MessageId;
use crate::domain::settings::AccountSettings;
use crate::domain::thread::Thread;
use crate::domain::time::{DAY_MS, Timestamp};

/// How long a story is shown.
pub(super) const STORY_MS: u64 = DAY_MS;
/// How long an automatic answer is allowed, and a human one goes without a tag.
pub(super) const UNTAGGED_MS: u64 = DAY_MS;

/// The reply window's length.
pub(super) fn span_ms(account: &AccountSettings) -> u64 {
    let most_ms = if account.human_agent { 7 * DAY_MS } else { UNTAGGED_MS };
    account.reply_window_ms.min(most_ms)
}

/// Whom a reply goes to: the thread of the newest inbound item.
fn reply_target(state: &ThreadState, own: &Thread) -> Option<(Thread, Timestamp)> {
    let newest = state.ties.newest_from.as_ref().and_then(|(_, from)| from.as_ref());
    let guest = state.ties.guests.iter().find(|guest| Some(&guest.thread) == newest);
    let guests = guest.and_then(|guest| Some((guest.thread.clone(), guest.opened_at?)));
    guests.or_else(|| Some((own.clone(), state.window?.opened_at)))
}

/// Last moment for a reply, as it is shown.
pub(super) fn reply_until(state: &ThreadState, world: &World<'_>) -> Option<Timestamp> {
    let (thread, opened_at) = reply_target(state, world.thread)?;
    if thread == *world.thread {
        return state.window.map(|window| window.expires_at);
    }
    let account = world.settings.account_at(&thread.account_id, opened_at);
    Some(opened_at.plus_ms(span_ms(account)))
}

impl Turn<'_> {
    /// How long after an opener a human reply is allowed, by the settings at `at`.
    pub(super) fn window_ms(&self, at: Timestamp) -> u64 {
        span_ms(self.account(at))
    }

    /// Whom a reply goes to, and when they last opened the window; `None`: they never wrote.
    pub(super) fn reply_target(&self) -> Option<(Thread, Timestamp)> {
        reply_target(&self.state, self.world.thread)
    }

    /// An opener came: the newest runs the window.
    pub(super) fn opened(&mut self, occurred_at: Timestamp) {
        if self.state.window.is_some_and(|window| occurred_at <= window.opened_at) {
            return;
        }
        let span_ms = self.window_ms(occurred_at);
        let expires_at = occurred_at.plus_ms(span_ms);
        self.state.window = Some(Window {
            opened_at: occurred_at,
            expires_at,
            expiring_at: Some(expires_at.minus_ms(DAY_MS.min(span_ms / 4))),
            expired: false,
        });
    }

    /// The window ends soon; nobody is told about a closed conversation.
    pub(super) fn window_expiring(&mut self, at: Timestamp) {
        let Some(window) = &mut self.state.window else { return };
        window.expiring_at = None;
        let expires_at = window.expires_at;
        let live = self.state.conversation.as_ref().is_some_and(|c| match c.phase {
            Phase::Live(_) | Phase::Waiting => true,
            Phase::Closed { .. } => false,
        });
        if live {
            self.tell(Initiator::System, at, FactBody::ReplyWindowExpiring { expires_at });
        }
    }

    /// The window ended.
    pub(super) fn window_expired(&mut self, at: Timestamp) {
        let Some(window) = &mut self.state.window else { return };
        window.expired = true;
        let expires_at = window.expires_at;
        self.tell(Initiator::System, at, FactBody::ReplyWindowExpired { expires_at });
    }

    /// A story came: told at once when its day is over already, else watched.
    pub(super) fn story_shown(&mut self, mid: &MessageId, expires_at: Timestamp) {
        if expires_at <= self.world.now {
            self.tell(Initiator::System, expires_at, FactBody::StoryExpired { mid: mid.clone() });
            return;
        }
        if self.state.stories.len() >= bound::STORIES {
            self.state.stories.remove(0);
        }
        self.state.stories.push(StoryTimer { mid: mid.clone(), expires_at });
    }

    /// Somebody looked, and the story is gone; one that is gone already stays so.
    pub(super) fn story_gone(&mut self, mid: &MessageId) -> Result<(), Refusal> {
        let at = self.at;
        let entry = self.state.ledger.get_mut(mid_key(mid)).ok_or(Refusal::TargetUnavailable)?;
        let shown = entry.story_expires_at.is_some_and(|until| at < until) && !entry.deleted;
        if shown {
            entry.story_expires_at = Some(at);
            self.state.stories.retain(|story| story.mid != *mid);
            let body = FactBody::StoryUnavailable { mid: mid.clone() };
            self.tell(Initiator::System, at, body);
        }
        Ok(())
    }

    /// A story's day is over; `last_at` is the last moment it was shown.
    pub(super) fn story_expired(&mut self, last_at: Timestamp) {
        let over = |story: &StoryTimer| story.expires_at.minus_ms(1) <= last_at;
        let (gone, shown): (Vec<_>, Vec<_>) = self.state.stories.drain(..).partition(over);
        self.state.stories = shown;
        for story in gone {
            let body = FactBody::StoryExpired { mid: story.mid };
            self.tell(Initiator::System, story.expires_at, body);
        }
    }
}
