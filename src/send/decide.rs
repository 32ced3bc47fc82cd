//! What becomes of one account's parts: who is called next, what an answer means, when it is too late. Pure.
//!
//! | input      | a part that waits             | a part on the wire                     | no such part |
//! |------------|-------------------------------|----------------------------------------|--------------|
//! | requested  | -                             | -                                      | waits        |
//! | completed  | - (an older call's)           | settled, or waits again                | -            |
//! | woken      | called, or settled as too late| settled as unknown after the deadline  | -            |
//!
//! Calls begin when woken and only then: a request's own time may lie hours back when a backlog is read, and a call must
//! carry the time at which it begins.
//!
//! - S-1: a part that was called is called again only after an answer that rules out that it went out.
//! - S-2: one part of a thread is on the wire at a time, and a thread's parts are called in the order of their requests.
//! - S-3: no more calls begin within any [`RATE_WINDOW_MS`] than the account's rate.
//! - S-4: every part is settled in the end, whatever gets lost: each phase has a moment at which it is looked at again.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::MessageId;
use crate::domain::outbound::{FailureCode, SendOutcome};
use crate::domain::settings::AccountSettings;
use crate::domain::time::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::send::error::{Error, Remedy};
use crate::send::state::{
    Account, CALL_DEADLINE_MS, CALL_START_MS, DOWN_PATIENCE_MS, IN_FLIGHT_MAX,
    LIMITED_ATTEMPTS_MAX, PartId, Phase, RATE_MAX, RATE_WINDOW_MS, SLOTS_MAX, Slot, ThreadDigest,
};

/// How long tagged messages rest after too many of them.
const TAG_PAUSE_MS: u64 = HOUR_MS;
/// The first wait before a call is repeated; doubles each time.
const RETRY_MS: u64 = 2 * SECOND_MS;
/// The longest such wait.
const RETRY_MS_MAX: u64 = 2 * MINUTE_MS;
/// The first pause of an account; doubles with each in a row.
const PAUSE_MS: u64 = MINUTE_MS;
/// The longest pause of our own choosing.
const PAUSE_MS_MAX: u64 = 15 * MINUTE_MS;
/// The longest pause the platform can make us take; parts expire by themselves.
const ASKED_PAUSE_MS_MAX: u64 = 24 * HOUR_MS;

/// What a call came to.
pub(super) type Answered = Result<Option<MessageId>, Error>;

/// What an account hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// A part is to go out.
    Requested(Slot),
    /// A call came to an end.
    Completed {
        /// Of which part.
        id: PartId,
        /// Its number among the part's calls, from one.
        attempt: u32,
        /// What it came to.
        answered: Answered,
    },
    /// It is time to look.
    Woken,
}

/// What is to be done. Described here, done elsewhere, after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Put the part on the wire.
    Call {
        /// Which.
        id: PartId,
        /// The call's number, from one.
        attempt: u32,
        /// With the human-agent tag.
        tagged: bool,
        /// Not to be begun after this moment.
        start_by: Timestamp,
    },
    /// Say what became of the part.
    Settle {
        /// Which.
        id: PartId,
        /// Calls made.
        attempts: u32,
        /// What became of it.
        outcome: SendOutcome,
    },
}

/// The account afterwards, and what is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    /// The account afterwards.
    pub(super) account: Account,
    /// What is to be done, in order.
    pub(super) effects: Vec<Effect>,
}

/// What `input` does to an account.
pub(super) fn decide(
    before: &Account,
    input: Input,
    settings: &AccountSettings,
    now: Timestamp,
) -> Decision {
    let mut account = before.clone();
    let mut effects = Vec::new();
    let rate = rate_of(settings);
    match input {
        Input::Requested(slot) => request(&mut account, slot, &mut effects),
        Input::Completed { id, attempt, answered } => {
            complete(&mut account, (id, attempt), answered, now, &mut effects);
        }
        Input::Woken => {
            give_up_late(&mut account, now, &mut effects);
            start_calls(&mut account, rate, now, &mut effects);
        }
    }
    account.wake_at = wake_at(&account, rate, now);
    Decision { account, effects }
}

/// What a completion adds to a part that was settled already; `None` when it tells nothing new.
///
/// Only an unknown outcome can become known. It is never tried again, even when the call turns out not to have begun:
/// the agent may have been asked meanwhile.
pub(super) fn late(settled: &SendOutcome, answered: Answered) -> Option<SendOutcome> {
    match (settled, answered) {
        (SendOutcome::Accepted { .. } | SendOutcome::Failed { .. }, _) => None,
        (SendOutcome::Unknown, Ok(mid)) => Some(SendOutcome::Accepted { mid }),
        (SendOutcome::Unknown, Err(error)) => match error.remedy() {
            Remedy::AwaitEcho => None,
            Remedy::GiveUp(code) => Some(failed(code, &error)),
            Remedy::AddTag => Some(failed(FailureCode::WindowExpired, &error)),
            Remedy::Retry { .. } | Remedy::PauseAccount { .. } | Remedy::PauseTagged => {
                Some(failed(FailureCode::RetriesExhausted, &error))
            }
            Remedy::Reconnect => Some(failed(FailureCode::AccountDown, &error)),
        },
    }
}

fn rate_of(settings: &AccountSettings) -> usize {
    usize::try_from(settings.send_rate).unwrap_or(RATE_MAX).clamp(1, RATE_MAX)
}

fn request(account: &mut Account, slot: Slot, effects: &mut Vec<Effect>) {
    if account.slots.len() < SLOTS_MAX {
        account.slots.push(slot);
    } else {
        effects.push(settle_failed(&slot, FailureCode::Overloaded));
    }
}

fn complete(
    account: &mut Account,
    (id, attempt): (PartId, u32),
    answered: Answered,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) {
    let is_its_call = |slot: &Slot| slot.id == id && slot.attempts == attempt;
    let Some(at) = account.slots.iter().position(is_its_call) else { return };
    let Some(mut slot) = account.slots.get(at).cloned() else { return };
    let Some(started_at) = slot.calling_since() else { return };
    let outcome = match next_after(account, attempt, answered, now) {
        Next::Wait { not_before } => {
            slot.phase = Phase::Waiting { not_before };
            None
        }
        Next::Tag { .. } if slot.may_add_tag(started_at) => {
            slot.tag_from_at = started_at;
            slot.phase = Phase::Waiting { not_before: now };
            None
        }
        Next::Tag { otherwise: outcome } | Next::Settled(outcome) => Some(outcome),
    };
    match (outcome, account.slots.get_mut(at)) {
        (None, Some(place)) => *place = slot,
        (Some(outcome), _) => {
            account.slots.remove(at);
            effects.push(Effect::Settle { id, attempts: attempt, outcome });
        }
        (None, None) => (),
    }
}

/// What a part does after an answer.
enum Next {
    Wait {
        not_before: Timestamp,
    },
    /// Goes again at once, with the tag, if it may have one.
    Tag {
        otherwise: SendOutcome,
    },
    Settled(SendOutcome),
}

fn next_after(account: &mut Account, attempt: u32, answered: Answered, now: Timestamp) -> Next {
    let error = match answered {
        Ok(mid) => {
            account.down_since = None;
            account.pauses = 0;
            return Next::Settled(SendOutcome::Accepted { mid });
        }
        Err(error) => error,
    };
    match error.remedy() {
        Remedy::AwaitEcho => Next::Settled(SendOutcome::Unknown),
        Remedy::GiveUp(code) => {
            // Who looks at a message closely enough to refuse it has let the account in.
            account.down_since = None;
            account.pauses = 0;
            Next::Settled(failed(code, &error))
        }
        Remedy::Retry { attempts_max } if attempt < attempts_max => {
            Next::Wait { not_before: now.plus_ms(doubled(RETRY_MS, attempt, RETRY_MS_MAX)) }
        }
        Remedy::PauseAccount { wait_ms } => {
            pause(account, wait_ms, now);
            wait_or_exhausted(attempt, account.paused_until, &error)
        }
        Remedy::PauseTagged => {
            account.tagged_not_before = now.plus_ms(TAG_PAUSE_MS);
            wait_or_exhausted(attempt, account.tagged_not_before, &error)
        }
        Remedy::AddTag => Next::Tag { otherwise: failed(FailureCode::WindowExpired, &error) },
        Remedy::Reconnect => {
            account.down_since.get_or_insert(now);
            pause(account, None, now);
            Next::Wait { not_before: account.paused_until }
        }
        Remedy::Retry { .. } => Next::Settled(failed(FailureCode::RetriesExhausted, &error)),
    }
}

fn wait_or_exhausted(attempt: u32, not_before: Timestamp, error: &Error) -> Next {
    if attempt < LIMITED_ATTEMPTS_MAX {
        Next::Wait { not_before }
    } else {
        Next::Settled(failed(FailureCode::RetriesExhausted, error))
    }
}

/// Calls under way when a pause begins may ask for another one: only the first of them makes the next pause longer.
fn pause(account: &mut Account, asked_ms: Option<u64>, now: Timestamp) {
    if account.paused_until <= now {
        account.pauses = account.pauses.saturating_add(1);
    }
    let own_ms = doubled(PAUSE_MS, account.pauses, PAUSE_MS_MAX);
    let wait_ms = asked_ms.map_or(own_ms, |asked| asked.min(ASKED_PAUSE_MS_MAX));
    account.paused_until = account.paused_until.max(now.plus_ms(wait_ms));
}

/// `first`, doubled for each `time` after the first, at most `max`.
fn doubled(first_ms: u64, time: u32, max_ms: u64) -> u64 {
    let factor = 1_u64.checked_shl(time.saturating_sub(1)).unwrap_or(u64::MAX);
    first_ms.saturating_mul(factor).min(max_ms)
}

fn failed(code: FailureCode, error: &Error) -> SendOutcome {
    let (platform_code, platform_subcode) = error.platform_codes();
    SendOutcome::Failed { code, platform_code, platform_subcode }
}

fn settle_failed(slot: &Slot, code: FailureCode) -> Effect {
    let outcome = SendOutcome::Failed { code, platform_code: None, platform_subcode: None };
    Effect::Settle { id: slot.id, attempts: slot.attempts, outcome }
}

/// Settles what can wait no longer: calls without an answer, parts whose time is over.
fn give_up_late(account: &mut Account, now: Timestamp, effects: &mut Vec<Effect>) {
    let down_since = account.down_since;
    account.slots.retain(|slot| {
        let settled = match slot.phase {
            Phase::Calling { started_at } if started_at.plus_ms(CALL_DEADLINE_MS) <= now => {
                let (id, attempts) = (slot.id, slot.attempts);
                Some(Effect::Settle { id, attempts, outcome: SendOutcome::Unknown })
            }
            Phase::Calling { .. } => None,
            Phase::Waiting { .. } if slot.is_too_late(now) => {
                Some(settle_failed(slot, FailureCode::WindowExpired))
            }
            Phase::Waiting { .. } => down_since
                .filter(|since| patience_ends(slot, *since) <= now)
                .map(|_| settle_failed(slot, FailureCode::AccountDown)),
        };
        let stays = settled.is_none();
        effects.extend(settled);
        stays
    });
}

fn patience_ends(slot: &Slot, down_since: Timestamp) -> Timestamp {
    slot.queued_at.max(down_since).plus_ms(DOWN_PATIENCE_MS)
}

fn start_calls(account: &mut Account, rate: usize, now: Timestamp, effects: &mut Vec<Effect>) {
    account.sent.retain(|sent_at| now < sent_at.plus_ms(RATE_WINDOW_MS));
    if now < account.paused_until {
        return;
    }
    let room = room_on_the_wire(account).min(rate.saturating_sub(account.sent.len()));
    let mut ready = heads(account);
    ready.retain(|head| head.ready_at(account, now) <= now);
    ready.sort_by_key(|head| (!head.for_person, head.at));
    for head in ready.into_iter().take(room) {
        let Some(slot) = account.slots.get_mut(head.at) else { continue };
        slot.attempts = slot.attempts.saturating_add(1);
        slot.phase = Phase::Calling { started_at: now };
        account.sent.push(now);
        effects.push(Effect::Call {
            id: slot.id,
            attempt: slot.attempts,
            tagged: !slot.automatic && slot.needs_tag(now),
            start_by: now.plus_ms(CALL_START_MS),
        });
    }
}

/// How many more calls may be under way. After a pause one call at a time looks whether it is over: under a limit each
/// further call makes it longer.
fn room_on_the_wire(account: &Account) -> usize {
    let calling = account.slots.iter().filter(|slot| slot.calling_since().is_some()).count();
    let max = if account.pauses > 0 { 1 } else { IN_FLIGHT_MAX };
    max.saturating_sub(calling)
}

/// The part of a thread that is next, where the thread has nothing on the wire.
struct Head {
    at: usize,
    not_before: Timestamp,
    needs_tag_from: Timestamp,
    /// A person wrote it, or wrote something that waits behind it.
    for_person: bool,
}

impl Head {
    /// When it may be called, seen from `now`, whatever the rate says.
    fn ready_at(&self, account: &Account, now: Timestamp) -> Timestamp {
        let ready_at = self.not_before.max(account.paused_until);
        if self.needs_tag_from <= now { ready_at.max(account.tagged_not_before) } else { ready_at }
    }
}

fn heads(account: &Account) -> Vec<Head> {
    let waits_for_person: BTreeSet<ThreadDigest> =
        account.slots.iter().filter(|slot| !slot.automatic).map(|slot| slot.thread).collect();
    let mut first_of: BTreeMap<ThreadDigest, (usize, &Slot)> = BTreeMap::new();
    for (at, slot) in account.slots.iter().enumerate() {
        first_of.entry(slot.thread).or_insert((at, slot));
    }
    // What is on the wire stands before all that waits in its thread, so it is the thread's first.
    let heads = first_of.into_iter().filter_map(|(thread, (at, slot))| match slot.phase {
        Phase::Calling { .. } => None,
        Phase::Waiting { not_before } => Some(Head {
            at,
            not_before,
            needs_tag_from: slot.tag_from_at,
            for_person: waits_for_person.contains(&thread),
        }),
    });
    heads.collect()
}

/// The first moment at which something is to be started or given up.
fn wake_at(account: &Account, rate: usize, now: Timestamp) -> Option<Timestamp> {
    let given_up = account.slots.iter().map(|slot| match slot.phase {
        Phase::Calling { started_at } => started_at.plus_ms(CALL_DEADLINE_MS),
        Phase::Waiting { .. } => {
            let down_until = account.down_since.map(|since| patience_ends(slot, since));
            down_until.map_or(slot.too_late_at(), |until| until.min(slot.too_late_at()))
        }
    });
    let started = heads(account).into_iter().map(|head| head.ready_at(account, now)).min();
    // With no room on the wire the next completion, or the next deadline above, makes some.
    let started = started.filter(|_| room_on_the_wire(account) > 0);
    let started = started.map(|ready_at| ready_at.max(rate_slot(account, rate)));
    given_up.chain(started).min()
}

/// When the rate allows the next call.
fn rate_slot(account: &Account, rate: usize) -> Timestamp {
    let ahead = account.sent.len().checked_sub(rate);
    let frees = ahead.and_then(|ahead| account.sent.get(ahead));
    frees.map_or(Timestamp::default(), |sent_at| sent_at.plus_ms(RATE_WINDOW_MS))
}
