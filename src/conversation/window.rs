//! The reply window and the stories' day. Pure.

use crate::conversation::ledger::mid_key;
use crate::conversation::state::{GuestWindow, Phase, StoryTimer, ThreadState, Window, bound};
use crate::conversation::turn::Turn;
use crate::domain::command::Refusal;
use crate::domain::event::{ContentKind, Event, EventKind, Referral};
use crate::domain::fact::{FactBody, Initiator, WindowReason};
use crate::domain::id::MessageId;
use crate::domain::settings::{AccountSettings, SettingsTable, StoryMentions, WindowOpener};
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

/// Whom a reply goes to, and how long it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReplyTarget {
    /// The thread of the newest inbound item.
    pub(super) thread: Thread,
    /// When its person last opened the window.
    opened_at: Timestamp,
    /// What keeps it open.
    window: GuestWindow,
}

impl ReplyTarget {
    /// Last moment for a human reply, by these settings.
    pub(super) fn human_until(&self, account: &AccountSettings) -> Timestamp {
        self.at_least(span_ms(account))
    }

    /// Last moment for an automatic reply, and for one without tag.
    pub(super) fn untagged_until(&self) -> Timestamp {
        self.at_least(UNTAGGED_MS)
    }

    fn at_least(&self, span_ms: u64) -> Timestamp {
        let until = self.opened_at.plus_ms(span_ms);
        self.window.ad_until.map_or(until, |ad_until| ad_until.max(until))
    }

    /// What keeps it open, by these settings.
    fn reason(&self, account: &AccountSettings) -> Option<WindowReason> {
        let by_ad = self.human_until(account) > self.opened_at.plus_ms(span_ms(account));
        if by_ad { Some(WindowReason::Ad) } else { self.window.opened_by }
    }
}

/// The window of a thread: one's own, or a guest's.
fn window_of(state: &ThreadState, own: &Thread, thread: &Thread) -> Option<ReplyTarget> {
    let (opened_at, window) = if thread == own {
        let (opened_by, ad_until) = (state.more.opened_by, state.more.ad_until);
        (state.window?.opened_at, GuestWindow { opened_by, ad_until })
    } else {
        let guest = state.ties.guests.iter().find(|guest| guest.thread == *thread)?;
        (guest.opened_at?, guest.window)
    };
    Some(ReplyTarget { thread: thread.clone(), opened_at, window })
}

fn reply_target(state: &ThreadState, own: &Thread) -> Option<ReplyTarget> {
    let newest = state.ties.newest_from.as_ref().and_then(|(_, from)| from.as_ref());
    let guests = newest.and_then(|newest| window_of(state, own, newest));
    guests.or_else(|| window_of(state, own, own))
}

/// Last moment for a reply, as it is shown, and what opened the window.
pub(super) fn reply_until(
    state: &ThreadState,
    thread: &Thread,
    settings: &SettingsTable,
) -> Option<(Timestamp, Option<WindowReason>)> {
    let target = reply_target(state, thread)?;
    if target.thread == *thread {
        return state.window.map(|window| (window.expires_at, state.more.opened_by));
    }
    let account = settings.account_at(&target.thread.account_id, target.opened_at);
    Some((target.human_until(account), target.reason(account)))
}

/// What opens the window, and whether an ad brought the person; `None` for what never does.
fn opener(event: &Event) -> Option<(WindowOpener, bool)> {
    let by_ad = |referral: Option<&Referral>| {
        referral.is_some_and(|referral| {
            let says_ads = |source: &String| source.eq_ignore_ascii_case("ads");
            referral.ad_id.is_some() || referral.source.as_ref().is_some_and(says_ads)
        })
    };
    match &event.kind {
        EventKind::PostbackReceived { referral, .. } => {
            Some((WindowOpener::Postback, by_ad(referral.as_ref())))
        }
        EventKind::MessageReceived(body) => {
            let opener = match body.content.kind {
                ContentKind::StoryMention => WindowOpener::StoryMention,
                ContentKind::StoryReply => WindowOpener::StoryReply,
                ContentKind::Text
                | ContentKind::Media
                | ContentKind::Share
                | ContentKind::StoryShare
                | ContentKind::Like
                | ContentKind::Template
                | ContentKind::Unsupported
                | ContentKind::Unknown
                | ContentKind::Empty => WindowOpener::Message,
            };
            Some((opener, by_ad(body.referral.as_ref())))
        }
        EventKind::MessageEchoed(_)
        | EventKind::MessageEdited { .. }
        | EventKind::MessageDeleted { .. }
        | EventKind::MessageRead { .. }
        | EventKind::ReactionAdded(_)
        | EventKind::ReactionRemoved(_)
        | EventKind::ReferralReceived { .. }
        | EventKind::ThreadControl(_)
        | EventKind::AccountPolicy { .. }
        | EventKind::WebhookTest { .. }
        | EventKind::Ignored { .. }
        | EventKind::DeadLetter { .. } => None,
    }
}

impl Turn<'_> {
    /// Whom a reply goes to, and until when; `None`: they never wrote.
    pub(super) fn reply_target(&self) -> Option<ReplyTarget> {
        reply_target(&self.state, self.world.thread)
    }

    /// Last moment for a word to a thread, its own or a guest's, and for one without tag.
    pub(super) fn window_until(&self, thread: &Thread) -> (Timestamp, Timestamp) {
        let window = window_of(&self.state, self.world.thread, thread);
        let window = window.unwrap_or_else(|| ReplyTarget {
            thread: thread.clone(),
            opened_at: self.at,
            window: GuestWindow::default(),
        });
        let account = self.world.settings.account_at(&thread.account_id, self.at);
        (window.human_until(account), window.untagged_until())
    }

    /// Whether an event opens the window, by the settings in force at its time; a mention that begins nothing does
    /// not.
    pub(super) fn opens(&self, event: &Event) -> Option<(WindowOpener, bool)> {
        let account = self.account(self.at);
        let is_wanted = |opener: &WindowOpener| {
            let begins = *opener != WindowOpener::StoryMention
                || account.story_mentions == StoryMentions::CreateConversation;
            begins && account.window_openers.contains(opener)
        };
        opener(event).filter(|(opener, _)| is_wanted(opener))
    }

    /// An opener came: the newest runs the window, one that an ad opened as long as that lasts.
    pub(super) fn opened(&mut self, (opener, by_ad): (WindowOpener, bool), at: Timestamp) {
        let account = self.account(at);
        let (span_ms, ad_ms) = (span_ms(account), account.ad_window_ms);
        if by_ad {
            let ad_until = &mut self.state.more.ad_until;
            *ad_until = (*ad_until).max(Some(at.plus_ms(ad_ms)));
        }
        let newest = self.state.window.is_none_or(|window| at > window.opened_at);
        let plain = if newest { Some((at, at.plus_ms(span_ms), opener)) } else { None };
        self.run_window(plain);
    }

    /// The window as the newest opener and the ad make it, whichever came first.
    fn run_window(&mut self, newest: Option<(Timestamp, Timestamp, WindowOpener)>) {
        let before = self.state.window;
        let Some((opened_at, until)) = newest
            .map(|(at, until, _)| (at, until))
            .or_else(|| before.map(|window| (window.opened_at, window.expires_at)))
        else {
            return;
        };
        let expires_at = self.state.more.ad_until.map_or(until, |ad_until| ad_until.max(until));
        if newest.is_none() && before.is_some_and(|window| window.expires_at == expires_at) {
            return;
        }
        self.state.more.opened_by = match newest {
            Some((_, until, opener)) if expires_at == until => Some(opener.into()),
            Some(_) | None => Some(WindowReason::Ad),
        };
        let span_ms = expires_at.since_ms(opened_at);
        self.state.window = Some(Window {
            opened_at,
            expires_at,
            expiring_at: Some(expires_at.minus_ms(DAY_MS.min(span_ms / 4))),
            expired: false,
        });
    }

    /// The window ends soon; nobody is told about a closed conversation.
    pub(super) fn window_expiring(&mut self, at: Timestamp) {
        let Some(window) = &mut self.state.window else { return };
        window.expiring_at = None;
        let (expires_at, opened_by) = (window.expires_at, self.state.more.opened_by);
        let live = self.state.conversation.as_ref().is_some_and(|c| match c.phase {
            Phase::Live(_) | Phase::Waiting => true,
            Phase::Closed { .. } => false,
        });
        if live {
            let body = FactBody::ReplyWindowExpiring { expires_at, opened_by };
            self.tell(Initiator::System, at, body);
        }
    }

    /// The window ended.
    pub(super) fn window_expired(&mut self, at: Timestamp) {
        let Some(window) = &mut self.state.window else { return };
        window.expired = true;
        let (expires_at, opened_by) = (window.expires_at, self.state.more.opened_by);
        self.tell(Initiator::System, at, FactBody::ReplyWindowExpired { expires_at, opened_by });
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
