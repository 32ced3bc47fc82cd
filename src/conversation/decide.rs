//! What one input does to one thread. Pure: no clock, no store, no network, no `async`.
//!
//! 1. Timers due before the input's own time fire, oldest first, so that results do not depend on when it was processed.
//! 2. The input is applied; stamped exactly at a deadline, it still comes before that deadline's timer.
//! 3. Timers it made due before its time fire: what comes late is late at once.
//! 4. Routing hears what changed; the auto-end is recomputed.

use crate::conversation::error::Error;
use crate::conversation::invariant;
use crate::conversation::state::ThreadState;
use crate::conversation::timer;
use crate::conversation::turn::Turn;
use crate::domain::command::{CommandResult, DeskCommand};
use crate::domain::customer::CustomerDetails;
use crate::domain::event::{Event, EventKind};
use crate::domain::fact::Fact;
use crate::domain::id::CustomerId;
use crate::domain::outbound::{OutboundSend, SendResult};
use crate::domain::routing::{RoutingDecision, RoutingRequest};
use crate::domain::settings::SettingsTable;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::engine::stage::Exit;

/// What can happen to a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// Something on Instagram.
    Event(&'a Event),
    /// An agent's wish.
    Command(&'a DeskCommand),
    /// A decision of routing.
    Routing(&'a RoutingDecision),
    /// The outcome of a send.
    Outcome(&'a SendResult),
    /// Time has passed.
    Timer,
}

impl Input<'_> {
    /// The thread it came on, when it is not the one at hand: a guest's (ADR 0006).
    fn origin(&self, home: &Thread) -> Option<Thread> {
        match self {
            Self::Event(event) => event.thread().filter(|thread| thread != home),
            Self::Command(_) | Self::Routing(_) | Self::Outcome(_) | Self::Timer => None,
        }
    }

    /// The input's own time.
    const fn stamp(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Event(event) => event.occurred_at,
            Self::Command(command) => command.issued_at,
            Self::Routing(decision) => decision.decided_at,
            Self::Outcome(result) => result.settled_at,
            Self::Timer => now,
        }
    }
}

/// What a decision sees beside the thread's state.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// Whose state it is.
    pub thread: &'a Thread,
    /// The thread's key.
    pub key: &'a str,
    /// What administrators chose.
    pub settings: &'a SettingsTable,
    /// The input record's time, or the timer's.
    pub now: Timestamp,
    /// How often the input was passed on between merged threads.
    pub hops: u8,
    /// The thread that passed it on last, if it was.
    pub via: Option<&'a Thread>,
}

/// What the world must be told. Described here, done elsewhere, with the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A fact, for `timeline`.
    Fact(Box<Fact>),
    /// A request, for `routing.requests`.
    Routing(RoutingRequest),
    /// A part to send, for `outbound.sends`.
    Send(OutboundSend),
    /// A command's outcome, for `command.results`.
    Result(CommandResult),
    /// A word to another thread, for `desk.commands` (ADR 0006).
    Note(Box<DeskCommand>),
    /// The conversation is to be known as it stands, on `conversations`: [`crate::conversation::snapshot()`]. At most
    /// one, the last.
    Snapshot,
    /// Instead of it: nothing stands there any more, as of the fact of this number.
    Forget(u64),
    /// What is noted of the customer, for `customers`; nothing any more: a tombstone.
    Details(CustomerId, Option<Box<CustomerDetails>>),
}

/// What an input did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The thread after it.
    pub state: Box<ThreadState>,
    /// In order.
    pub effects: Vec<Effect>,
    /// How the input left.
    pub exit: Exit,
}

/// Whether deciding on a state can fail, whatever comes: an echo held in it may not read back.
#[must_use]
pub const fn may_fail(before: &ThreadState) -> bool {
    !before.held.is_empty()
}

/// Decides.
///
/// # Errors
///
/// [`Error`] when an echo that was held does not read back: never of a state that cannot ([`may_fail`]).
pub fn decide(
    before: Box<ThreadState>,
    input: &Input<'_>,
    world: &World<'_>,
) -> Result<Decision, Error> {
    let facts_before = before.facts;
    let at = input.stamp(world.now).min(world.now);
    let mut turn = Turn::new(before, at, world);
    timer::fire_before(&mut turn, at)?;
    turn.origin = input.origin(world.thread);
    let exit = match input {
        Input::Event(event) => turn.event(event),
        Input::Command(command) => turn.command(command),
        Input::Routing(decision) => turn.routing(decision),
        Input::Outcome(result) => turn.outcome(result)?,
        Input::Timer => Exit::Emitted,
    };
    turn.origin = None;
    turn.refresh_auto_end();
    timer::fire_before(&mut turn, at)?;
    turn.tell_routing();
    // A timer that fired before a repeated input has told something: the record leaves with effects.
    let exit = if turn.has_effects() { Exit::Emitted } else { exit };
    let (state, effects) = turn.finish();
    debug_assert_eq!(invariant::broken(&state), None);
    debug_assert!(invariant::facts_are_counted(facts_before, &state, &effects));
    Ok(Decision { state, effects, exit })
}

impl Turn<'_> {
    fn event(&mut self, event: &Event) -> Exit {
        if let Some(gone) = self.is_for_the_gone() {
            if matches!(event.kind, EventKind::MessageEchoed(_)) {
                // It may be of a send from before they parted.
                self.whose(event, &gone, 0);
                return Exit::Emitted;
            }
            return self.give_back(event, &gone);
        }
        if self.is_for_home(event) {
            return self.pass_on(event);
        }
        match &event.kind {
            EventKind::MessageReceived(body) => self.received(event, body),
            EventKind::PostbackReceived { title, payload: _, referral: _ } => {
                self.postback(event, title.as_deref())
            }
            EventKind::MessageEchoed(body) => self.echoed(event, body),
            EventKind::MessageEdited { text, num_edit } => self.edited(event, text, *num_edit),
            EventKind::MessageDeleted { direction: _ } => self.deleted(event),
            EventKind::MessageRead { watermark_at } => self.read(event, *watermark_at),
            EventKind::ReactionAdded(reaction) => self.reacted(event, reaction, false),
            EventKind::ReactionRemoved(reaction) => self.reacted(event, reaction, true),
            // A bare referral starts nothing; what the account is told is no thread's concern.
            EventKind::ReferralReceived { .. }
            | EventKind::ThreadControl(_)
            | EventKind::AccountPolicy { .. }
            | EventKind::WebhookTest { .. }
            | EventKind::Ignored { .. }
            | EventKind::DeadLetter { .. } => Exit::Skipped("ignored"),
        }
    }
}
