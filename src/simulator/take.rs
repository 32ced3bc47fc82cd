//! What the simulated Instagram lets a business do through the Graph API. Deterministic: time is passed in.
//!
//! Promise: what is taken is said exactly once and echoes with the mid answered; what is refused leaves no trace but
//! its mark on the rate limit. Not here: HTTP and injected faults (`graph.rs`).

use crate::domain::id::{AccountId, IdError, MessageId, PersonId};
use crate::domain::thread::Thread;
use crate::domain::time::{DAY_MS, SECOND_MS, Timestamp};

use super::occurrence::{Author, Body, Media, Occurrence, What};
use super::people::Profile;
use super::world::{WINDOW_MS, World};

/// The longest text, in bytes. Source: `SEND`.
const MAX_TEXT_BYTES: usize = 1_000;
/// The most images in one message. Source: `SEND`.
const MAX_MEDIA: usize = 10;
/// How long people of the business may answer with `HUMAN_AGENT`. Source: `HAF`.
const HUMAN_AGENT_MS: u64 = 7 * DAY_MS;

/// One call of the Send API, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendCall {
    /// Whose token and path.
    pub account_id: AccountId,
    /// To whom.
    pub person_id: PersonId,
    /// What.
    pub action: Action,
    /// `HUMAN_AGENT` or something that is refused.
    pub tag: Option<String>,
}

/// What a call wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// To say something.
    Say(Body),
    /// To put a heart on a message.
    React {
        /// Which.
        mid: MessageId,
    },
    /// To take the heart off.
    Unreact {
        /// Off which.
        mid: MessageId,
    },
    /// Typing and seen marks.
    Mark,
}

/// What became of a call that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// A message: this echo will tell of it.
    Said(Occurrence),
    /// Nothing that echoes.
    Noted,
}

/// Why the platform refuses. Source: `instagram-platform` section 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusedBy {
    /// 190: the token is nobody's.
    Token,
    /// 100: a parameter makes no sense.
    Parameter,
    /// 100/2534015: the message data makes no sense, or is too long.
    MessageData,
    /// 100/2534014: no such person for this account.
    UnknownPerson,
    /// 10/2534022: outside the window.
    Window,
    /// 613/2534040: too many calls.
    RateLimit,
    /// 230: the person has not agreed to be looked at.
    Consent,
    /// 2: temporary.
    Temporary,
    /// 1/1357046: sent, although an error came back.
    SentAnyway,
}

impl RefusedBy {
    /// Code and subcode.
    #[must_use]
    pub const fn code(self) -> (u32, Option<u32>) {
        match self {
            Self::Token => (190, None),
            Self::Parameter => (100, None),
            Self::MessageData => (100, Some(2_534_015)),
            Self::UnknownPerson => (100, Some(2_534_014)),
            Self::Window => (10, Some(2_534_022)),
            Self::RateLimit => (613, Some(2_534_040)),
            Self::Consent => (230, None),
            Self::Temporary => (2, None),
            Self::SentAnyway => (1, Some(1_357_046)),
        }
    }

    /// What Meta says about it.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Token => "Invalid OAuth access token.",
            Self::Parameter => "Invalid parameter",
            Self::MessageData => "Invalid message data",
            Self::UnknownPerson => "No matching Instagram user",
            Self::Window => "This message is sent outside of allowed window.",
            Self::RateLimit => "Calls to this api have exceeded the rate limit.",
            Self::Consent => "User consent is required to access user profile",
            Self::Temporary => "Service temporarily unavailable",
            Self::SentAnyway => "An error occurred while processing your request.",
        }
    }
}

/// Why a call was not taken, or the world broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TakeError {
    /// The platform's own refusal.
    #[error("the platform refuses")]
    Refused(RefusedBy),
    /// An id could not be made.
    #[error("no id could be made")]
    Id(#[from] IdError),
}

impl From<RefusedBy> for TakeError {
    fn from(why: RefusedBy) -> Self {
        Self::Refused(why)
    }
}

impl World {
    /// Judges a call and carries it out.
    ///
    /// # Errors
    ///
    /// [`TakeError::Refused`] by the platform's rules; then nothing was said.
    pub fn take(&mut self, call: SendCall, now: Timestamp) -> Result<Taken, TakeError> {
        self.count_call(&call.account_id, now)?;
        let thread = Thread { account_id: call.account_id, person_id: call.person_id };
        let talk = self.talks.get_mut(&thread).ok_or(RefusedBy::UnknownPerson)?;
        let opened_at = talk.opened_at.ok_or(RefusedBy::UnknownPerson)?;
        match call.action {
            Action::Mark => Ok(Taken::Noted),
            Action::React { mid } | Action::Unreact { mid } => {
                let said = talk.standing(&mid).ok_or(RefusedBy::Parameter)?;
                if said.by != Author::Person {
                    return Err(RefusedBy::Parameter.into());
                }
                Ok(Taken::Noted)
            }
            Action::Say(body) => {
                check_body(&body)?;
                check_window(opened_at, call.tag.as_deref(), now)?;
                let mid = self.next_mid()?;
                if let Some(talk) = self.talks.get_mut(&thread) {
                    talk.remember(mid.clone(), Author::Api, body.text.is_some());
                }
                self.be_answered(&thread, &mid, now);
                let what = What::Message { mid, by: Author::Api, body };
                Ok(Taken::Said(Occurrence { thread, at: now, what }))
            }
        }
    }

    /// The profile of a person, as far as the business may look.
    ///
    /// # Errors
    ///
    /// [`RefusedBy::UnknownPerson`], or [`RefusedBy::Consent`] before the person's first message.
    pub fn look_up(&self, thread: &Thread) -> Result<&Profile, RefusedBy> {
        let talk = self.talks.get(thread).ok_or(RefusedBy::UnknownPerson)?;
        if talk.opened_at.is_none() {
            return Err(RefusedBy::Consent);
        }
        self.profile_of(thread).ok_or(RefusedBy::UnknownPerson)
    }

    /// Counts a call; refused ones count too, and so lengthen the block. Source: `RATE`.
    fn count_call(&mut self, account_id: &AccountId, now: Timestamp) -> Result<(), RefusedBy> {
        let limit = self.settings.calls_per_s;
        let recent = self.calls.entry(account_id.clone()).or_default();
        while recent.front().is_some_and(|at| now.since_ms(*at) >= SECOND_MS) {
            recent.pop_front();
        }
        let full = recent.len() >= limit;
        if recent.len() < limit.saturating_mul(2) {
            recent.push_back(now);
        }
        if full { Err(RefusedBy::RateLimit) } else { Ok(()) }
    }
}

fn check_body(body: &Body) -> Result<(), RefusedBy> {
    let words = body.text.as_deref().unwrap_or("");
    let empty = words.trim().is_empty() && body.media.is_empty();
    if empty || words.len() > MAX_TEXT_BYTES || body.media.len() > MAX_MEDIA {
        return Err(RefusedBy::MessageData);
    }
    if body.media.iter().all(readable) { Ok(()) } else { Err(RefusedBy::MessageData) }
}

fn readable(media: &Media) -> bool {
    let public = media.url.as_deref().is_some_and(|url| url.starts_with("https://"));
    match media.kind.as_str() {
        "like_heart" => media.url.is_none(),
        "image" | "audio" | "video" | "file" => public,
        _ => false,
    }
}

fn check_window(opened_at: Timestamp, tag: Option<&str>, now: Timestamp) -> Result<(), RefusedBy> {
    let open_ms = match tag {
        None => WINDOW_MS,
        Some("HUMAN_AGENT") => HUMAN_AGENT_MS,
        Some(_) => return Err(RefusedBy::Parameter),
    };
    if now.since_ms(opened_at) > open_ms { Err(RefusedBy::Window) } else { Ok(()) }
}
