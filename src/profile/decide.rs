//! When a person is asked for, and what an answer means. Pure.
//!
//! | phase   | wrote                     | woken                                | answered                      |
//! |---------|---------------------------|--------------------------------------|-------------------------------|
//! | resting | wanted, if the rest is over | -                                  | told, if asked later          |
//! | wanted  | -                         | asked                                | told, if asked later          |
//! | asking  | -                         | after the deadline: wanted, or rests | its own: rests, or wanted again |
//!
//! Erased, in whatever phase: forgotten, and what is under way is not told.
//!
//! Questions begin when woken and only then: an item's own time may lie hours back when a backlog is read, and a question
//! must carry the time at which it begins.
//!
//! - P-1: between two questions lie 60 s at least.
//! - P-2: the profile told last is that of the latest question answered with one.
//! - P-3: of a person erased nothing is told that was asked for before.
//! - P-4: an item after the rest leads to a question, whatever gets lost; in a row at most [`VAIN_MAX`] come to nothing.

use crate::domain::customer::Profile;
use crate::domain::time::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::profile::error::{Error, Remedy};
use crate::profile::row::{ASK_DEADLINE_MS, Person, Phase};

/// Between two questions for a person. Source: desk rule R-147.
pub(super) const REST_MS: u64 = MINUTE_MS;
/// After a refusal. Source: desk rule R-147.
pub(super) const REFUSED_REST_MS: u64 = 15 * MINUTE_MS;
/// Questions in a row that come to nothing before the person is left alone.
pub(super) const VAIN_MAX: u32 = 5;
/// A question that could not begin within this is not begun: with the time it takes it ends before its deadline.
const ASK_START_MS: u64 = 8 * SECOND_MS;

/// What is heard of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// The person wrote something.
    Wrote,
    /// What is known of the person is to be forgotten.
    Erased,
    /// It is time to look.
    Woken,
    /// A question came to an end.
    Answered {
        /// When it began.
        asked_at: Timestamp,
        /// What it came to.
        answered: Result<Profile, Error>,
    },
}

/// What is to be done. Described here, done elsewhere, after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Ask Instagram.
    Ask {
        /// The question's own moment.
        asked_at: Timestamp,
        /// Not to be begun after this moment.
        start_by: Timestamp,
    },
    /// Say that nothing is known any more.
    Forget,
    /// Say what Instagram said.
    Tell {
        /// When it was asked for.
        fetched_at: Timestamp,
        /// What it said.
        profile: Profile,
    },
}

/// What `input` does to a person at `now`.
pub(super) fn decide(before: &Person, input: Input, now: Timestamp) -> (Person, Option<Effect>) {
    let mut person = before.clone();
    let effect = match (before.phase, input) {
        (Phase::Resting { until }, Input::Wrote) => {
            if until <= now {
                person.phase = Phase::Wanted { not_before: now };
            }
            None
        }
        (Phase::Wanted { .. } | Phase::Asking { .. }, Input::Wrote)
        | (Phase::Resting { .. }, Input::Woken) => None,
        (Phase::Wanted { not_before }, Input::Woken) => {
            (not_before <= now).then(|| ask(&mut person, now))
        }
        (Phase::Asking { since }, Input::Woken) => {
            if since.plus_ms(ASK_DEADLINE_MS) <= now {
                again(&mut person, now);
            }
            None
        }
        (Phase::Asking { since }, Input::Answered { asked_at, answered }) if since == asked_at => {
            settle(&mut person, (asked_at, answered), now)
        }
        (Phase::Resting { .. } | Phase::Wanted { .. } | Phase::Asking { .. }, Input::Erased) => {
            Some(forget(&mut person, now))
        }
        // A question given up as lost has an answer after all.
        (
            Phase::Resting { .. } | Phase::Wanted { .. } | Phase::Asking { .. },
            Input::Answered { asked_at, answered },
        ) => answered.ok().and_then(|profile| tell(&mut person, asked_at, profile)),
    };
    (person, effect)
}

fn ask(person: &mut Person, now: Timestamp) -> Effect {
    person.phase = Phase::Asking { since: now };
    Effect::Ask { asked_at: now, start_by: now.plus_ms(ASK_START_MS) }
}

fn settle(
    person: &mut Person,
    (asked_at, answered): (Timestamp, Result<Profile, Error>),
    now: Timestamp,
) -> Option<Effect> {
    // Whoever hears the answer may have a clock behind the one by which it was asked for.
    let now = now.max(asked_at);
    match answered {
        Ok(profile) => {
            person.vain = 0;
            person.phase = Phase::Resting { until: asked_at.plus_ms(REST_MS) };
            tell(person, asked_at, profile)
        }
        Err(error) => {
            match error.remedy() {
                Remedy::AskAgain => again(person, now),
                Remedy::Rest => rest(person, now),
            }
            None
        }
    }
}

/// What was asked for before must not be told after: it counts as older than what is known.
fn forget(person: &mut Person, now: Timestamp) -> Effect {
    // The wish's own time may lie before the question it overtook, and so may the rest after it.
    let (asked_at, rests_until) = match person.phase {
        Phase::Asking { since } => (since.max(now), now),
        Phase::Resting { until } => (now, until),
        Phase::Wanted { not_before } => (now, not_before),
    };
    person.fetched_at = person.fetched_at.max(Some(asked_at));
    person.phase = Phase::Resting { until: rests_until.max(asked_at.plus_ms(REST_MS)) };
    person.vain = 0;
    Effect::Forget
}

/// Of two profiles the one asked for later counts.
fn tell(person: &mut Person, fetched_at: Timestamp, profile: Profile) -> Option<Effect> {
    let is_newer = person.fetched_at.is_none_or(|known| known < fetched_at);
    is_newer.then(|| {
        person.fetched_at = Some(fetched_at);
        Effect::Tell { fetched_at, profile }
    })
}

/// Waits a while longer each time, then leaves the person alone.
fn again(person: &mut Person, now: Timestamp) {
    person.vain = person.vain.saturating_add(1);
    if person.vain >= VAIN_MAX {
        return rest(person, now);
    }
    let factor = 1_u64.checked_shl(person.vain.saturating_sub(1)).unwrap_or(u64::MAX);
    let wait_ms = REST_MS.saturating_mul(factor).min(REFUSED_REST_MS);
    person.phase = Phase::Wanted { not_before: now.plus_ms(wait_ms) };
}

fn rest(person: &mut Person, now: Timestamp) {
    person.vain = 0;
    person.phase = Phase::Resting { until: now.plus_ms(REFUSED_REST_MS) };
}
