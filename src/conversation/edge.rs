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
//! The row's key is the thread's key. Not here: any rule (`decide`).

use serde::de::DeserializeOwned;

use crate::broker::record::{CloudEvent, Output, Record, header};
use crate::conversation::decide::{Decision, Effect, Input, World, decide};
use crate::conversation::error::Error;
use crate::conversation::state::ThreadState;
use crate::conversation::tie::tie;
use crate::domain::command::{DeskCommand, DeskWish};
use crate::domain::customer::{CustomerKey, CustomerRecord};
use crate::domain::derive::digest;
use crate::domain::event::{DeadLetterReason, Event};
use crate::domain::fact::ConversationSnapshot;
use crate::domain::outbound::SendResult;
use crate::domain::routing::RoutingDecision;
use crate::domain::thread::Thread;
use crate::domain::thread_note::ThreadNote;
use crate::domain::time::Timestamp;
use crate::engine::context::{Context, StateError};
use crate::engine::stage::{Exit, RowError, Stage};
use crate::topics::Topic;

/// `ce_source` of what this stage writes.
pub(super) const SOURCE: &str = "/dmstream/conversation";

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
    let before = context.get(key.as_bytes())?;
    let known = before.is_some();
    let world = World { thread, settings: context.settings(), now: context.now(), hops, via };
    let Decision { state, effects, exit } = match decide(before.unwrap_or_default(), input, &world)
    {
        Ok(decision) => decision,
        Err(error) => return Ok(Err(error)),
    };
    let now = context.now();
    for effect in effects {
        if let Effect::Snapshot(snapshot) = effect {
            publish(&key, snapshot, (now, trace), context);
            continue;
        }
        context.emit(output(&key, &effect, (now, trace))?);
        if let Effect::Fact(fact) = effect
            && let Some(tie) = tie(&fact, now, trace)?
        {
            context.emit(tie);
        }
    }
    // A repeated event changes nothing; a thread nothing was ever said in is not kept.
    if known || *state != ThreadState::default() {
        context.put(key.as_bytes(), state);
    }
    Ok(Ok(exit))
}

/// Has the conversation published as it stands; written out only if it still stands so when the turn ends.
fn publish(
    key: &str,
    snapshot: Box<ConversationSnapshot>,
    (now, trace): (Timestamp, Option<&str>),
    context: &mut Context<'_, ConversationStage>,
) {
    let at = (Topic::Conversations, key.as_bytes());
    let (key, trace) = (key.to_owned(), trace.map(str::to_owned));
    context.emit_newest(at, move || {
        output(&key, &Effect::Snapshot(snapshot), (now, trace.as_deref()))
    });
}

/// An effect as a record.
fn output(
    key: &str,
    effect: &Effect,
    (now, trace): (Timestamp, Option<&str>),
) -> Result<Output, serde_json::Error> {
    let event = |id, kind, time| CloudEvent { id, kind, source: SOURCE, time, traceparent: trace };
    match effect {
        Effect::Fact(fact) => {
            let about = event(fact.fact_id.as_str(), fact.body.name(), fact.recorded_at);
            Output::event(Topic::Timeline, key, &about, fact)
        }
        Effect::Routing(ask) => {
            let said = serde_json::to_string(ask)?;
            let id = request_id(key, ask.contact_id.as_str(), &said);
            let about = event(&id, ask.ask.name(), ask.requested_at);
            let (topic, company) = (Topic::RoutingRequests, ask.company_id.as_str());
            Ok(Output::written(topic, company, &about, said.into_bytes()))
        }
        Effect::Send(send) => {
            let about = event(send.send_id.as_str(), send.part.name(), send.requested_at);
            Output::event(Topic::OutboundSends, send.thread.account_id.as_str(), &about, send)
        }
        Effect::Result(result) => {
            let id = result.command_id.as_str();
            let about = event(id, "command.result", result.decided_at);
            Output::event(Topic::CommandResults, id, &about, result)
        }
        Effect::Note(note) => {
            let about = event(note.command_id.as_str(), note.wish.name(), now);
            Output::event(Topic::DeskCommands, &note.thread.key(), &about, note)
        }
        Effect::Forget(as_of_number) => {
            let about = event("forget", "conversation.snapshot", now);
            let id = request_id(key, "forget", &as_of_number.to_string());
            let about = CloudEvent { id: &id, ..about };
            let gone = Output::event(Topic::Conversations, key, &about, &())?;
            Ok(Output { value: None, ..gone })
        }
        Effect::Details(customer_id, noted) => {
            let key = CustomerKey::Details(customer_id.clone()).text();
            // Two in one moment are two, unless they say the same.
            let said = serde_json::to_string(noted)?;
            let id = request_id(&key, "details", &format!("{} {said}", now.as_ms()));
            let about = event(&id, "customer.details", now);
            let record = noted.as_deref().cloned().map(CustomerRecord::Details);
            let said = Output::event(Topic::Customers, &key, &about, &record)?;
            Ok(Output { value: said.value.filter(|_| record.is_some()), ..said })
        }
        Effect::Snapshot(snapshot) => {
            // By what it says: as of one fact there may be two, once something was forgotten.
            let said = serde_json::to_string(snapshot)?;
            let id = request_id(key, snapshot.conversation_id.as_str(), &said);
            let about = event(&id, "conversation.snapshot", now);
            Ok(Output::written(Topic::Conversations, key, &about, said.into_bytes()))
        }
    }
}

/// A stable id of a record that has none of its own.
fn request_id(key: &str, about: &str, what: &str) -> String {
    format!("rq-{:032x}", digest(&[key, about, what]))
}
