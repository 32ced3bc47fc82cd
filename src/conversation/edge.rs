//! The conversation stage: records in, records out, one row a thread.
//!
//! | reads               | key    | writes             | key        |
//! |---------------------|--------|--------------------|------------|
//! | `events.normalized` | thread | `timeline`         | thread     |
//! | `desk.commands`     | thread | `conversations`    | thread     |
//! | `routing.decisions` | thread | `routing.requests` | company    |
//! | `outbound.results`  | thread | `outbound.sends`   | account    |
//! |                     |        | `command.results`  | command    |
//! |                     |        | `customers`        | a merge's customer |
//! |                     |        | `desk.commands`    | another thread, see ADR 0006 |
//!
//! The row's key is the thread's key. Not here: any rule (`decide`), how records are written (`written`).

use serde::de::DeserializeOwned;

use crate::broker::record::{Record, header};
use crate::conversation::decide::{Decision, Effect, Input, World, decide, may_fail};
use crate::conversation::error::Error;
use crate::conversation::state::ThreadState;
use crate::conversation::tie::tie;
use crate::conversation::written::{output, publish};
use crate::domain::command::{DeskCommand, DeskWish};
use crate::domain::event::{DeadLetterReason, Event};
use crate::domain::outbound::SendResult;
use crate::domain::routing::RoutingDecision;
use crate::domain::thread::Thread;
use crate::domain::thread_note::ThreadNote;
use crate::engine::context::{Context, Publication, StateError, Tell};
use crate::engine::stage::{Exit, RowError, Stage};
use crate::topics::Topic;

/// The stage.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConversationStage;

/// What a record says, and about which thread.
enum Read {
    Event(Box<Event>, Option<Thread>),
    Command(DeskCommand),
    Routing(RoutingDecision),
    Outcome(SendResult),
    /// What a merged thread passes on to this one (ADR 0006).
    Passed(Thread, Passed, u8),
}

/// What was passed on.
enum Passed {
    Event(Box<Event>, Option<Thread>),
    Outcome(Box<SendResult>),
}

impl Read {
    fn parse(record: &Record) -> Option<Self> {
        match record.topic {
            Topic::EventsNormalized => {
                let event: Box<Event> = json(record)?;
                let thread = event.thread();
                Some(Self::Event(event, thread))
            }
            Topic::DeskCommands => json(record).map(Self::of_command),
            Topic::RoutingDecisions => json(record).map(Self::Routing),
            Topic::OutboundResults => json(record).map(Self::Outcome),
            Topic::WebhooksRaw
            | Topic::AgentsCommands
            | Topic::CommandResults
            | Topic::RoutingRequests
            | Topic::Agents
            | Topic::OutboundSends
            | Topic::Timeline
            | Topic::Conversations
            | Topic::Customers
            | Topic::Settings
            | Topic::DeadLetters
            | Topic::ConversationChangelog
            | Topic::RouteChangelog
            | Topic::SendChangelog
            | Topic::ProfileChangelog => None,
        }
    }

    fn of_command(command: DeskCommand) -> Self {
        let DeskWish::Note(note) = command.wish else { return Self::Command(command) };
        let (thread, wish) = (command.thread.clone(), DeskWish::Note);
        match note {
            ThreadNote::Event { event, hops, via } => {
                Self::Passed(thread, Passed::Event(event, via), hops)
            }
            ThreadNote::Outcome { result, hops } => {
                Self::Passed(thread, Passed::Outcome(result), hops)
            }
            note @ (ThreadNote::TakeIn { .. }
            | ThreadNote::LetGo { .. }
            | ThreadNote::Gone { .. }
            | ThreadNote::Echo { .. }
            | ThreadNote::Preview { .. }
            | ThreadNote::Forget { .. }) => {
                Self::Command(DeskCommand { wish: wish(note), ..command })
            }
        }
    }

    const fn hops(&self) -> u8 {
        match self {
            Self::Passed(_, _, hops) => *hops,
            Self::Event(..) | Self::Command(_) | Self::Routing(_) | Self::Outcome(_) => 0,
        }
    }

    /// The thread that passed it on.
    const fn via(&self) -> Option<&Thread> {
        match self {
            Self::Passed(_, Passed::Event(_, via), _) => via.as_ref(),
            Self::Passed(_, Passed::Outcome(_), _)
            | Self::Event(..)
            | Self::Command(_)
            | Self::Routing(_)
            | Self::Outcome(_) => None,
        }
    }

    const fn thread(&self) -> Option<&Thread> {
        match self {
            Self::Event(_, thread) => thread.as_ref(),
            Self::Command(command) => Some(&command.thread),
            Self::Routing(decision) => Some(&decision.thread),
            Self::Outcome(result) => Some(&result.thread),
            Self::Passed(thread, _, _) => Some(thread),
        }
    }

    const fn input(&self) -> Input<'_> {
        match self {
            Self::Event(event, _) => Input::Event(event),
            Self::Command(command) => Input::Command(command),
            Self::Routing(decision) => Input::Routing(decision),
            Self::Outcome(result) => Input::Outcome(result),
            Self::Passed(_, Passed::Event(event, _), _) => Input::Event(event),
            Self::Passed(_, Passed::Outcome(result), _) => Input::Outcome(result),
        }
    }
}

fn json<T: DeserializeOwned>(record: &Record) -> Option<T> {
    // Looked at once as a whole, not string by string.
    let text = std::str::from_utf8(record.bytes()).ok()?;
    serde_json::from_str(text).ok()
}

impl Stage for ConversationStage {
    type Row = Box<ThreadState>;
    type Action = ();
    type Completion = ();

    fn apply(
        &mut self,
        record: &Record,
        context: &mut Context<'_, Self>,
    ) -> Result<Exit, StateError> {
        let Some(read) = Read::parse(record) else {
            return Ok(Exit::Rejected(DeadLetterReason::BadRecord));
        };
        // What names no thread (an account's policy, a test) is no conversation's concern.
        let Some(thread) = read.thread().cloned() else { return Ok(Exit::Skipped("ignored")) };
        let trace = record.headers.text(header::TRACE_PARENT);
        match step(&thread, (&read.input(), read.hops(), read.via()), trace, context)? {
            Ok(exit) => Ok(exit),
            Err(error) => Ok(Exit::Rejected(error.remedy())),
        }
    }

    fn fire(&mut self, key: &[u8], context: &mut Context<'_, Self>) -> Result<(), StateError> {
        let key = std::str::from_utf8(key);
        let thread = key.map_err(|error| RowError::Malformed(error.to_string()))?;
        let thread =
            Thread::from_key(thread).map_err(|error| RowError::Malformed(error.to_string()))?;
        match step(&thread, (&Input::Timer, 0, None), None, context)? {
            Ok(_) => Ok(()),
            Err(error) => Err(StateError::Row(RowError::Malformed(error.to_string()))),
        }
    }

    fn complete(&mut self, (): (), _context: &mut Context<'_, Self>) -> Result<(), StateError> {
        Ok(())
    }
}

/// Decides one input on one thread, and writes what it did.
fn step(
    thread: &Thread,
    (input, hops, via): (&Input<'_>, u8, Option<&Thread>),
    trace: Option<&str>,
    context: &mut Context<'_, ConversationStage>,
) -> Result<Result<Exit, Error>, StateError> {
    let key = thread.key();
    let before = context.take(key.as_bytes())?;
    let known = before.is_some();
    // The row itself becomes the new one; a copy is kept where that may fail, which leaves things as they were.
    let spare = before.as_ref().filter(|state| may_fail(state)).cloned();
    let world =
        World { thread, key: &key, settings: context.settings(), now: context.now(), hops, via };
    let Decision { state, effects, exit } = match decide(before.unwrap_or_default(), input, &world)
    {
        Ok(decision) => decision,
        Err(error) => {
            if known {
                let lost = || RowError::Malformed(error.to_string());
                context.give_back(key.as_bytes(), spare.ok_or_else(lost)?);
            }
            return Ok(Err(error));
        }
    };
    let now = context.now();
    let mut tell = Tell::AsBefore;
    for effect in effects {
        match &effect {
            Effect::Snapshot => {
                let trace = trace.map(str::to_owned);
                tell = Tell::New(Publication { at: now, trace, write: publish });
                continue;
            }
            Effect::Forget(_) => tell = Tell::Nothing,
            Effect::Fact(_)
            | Effect::Routing(_)
            | Effect::Send(_)
            | Effect::Result(_)
            | Effect::Note(_)
            | Effect::Details(..) => (),
        }
        let Some(output) = output(&key, &effect, (now, trace))? else { continue };
        context.emit(output);
        if let Effect::Fact(fact) = effect
            && let Some(tie) = tie(&fact, now, trace)?
        {
            context.emit(tie);
        }
    }
    // A repeated event changes nothing; a thread nothing was ever said in is not kept.
    if known || *state != ThreadState::default() {
        context.put_and_tell(key.as_bytes(), state, tell);
    }
    Ok(Ok(exit))
}
