//! The profile stage as the engine runs it: records and rows in, decisions by `decide`, profiles and questions out.

use crate::broker::record::{CloudEvent, Output, Record, header};
use crate::domain::command::DeskWish;
use crate::domain::customer::{CustomerKey, CustomerProfile, CustomerRecord, Profile};
use crate::domain::derive::{customer_id, event_id};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::engine::context::{Context, StateError};
use crate::engine::stage::{Exit, Stage};
use crate::profile::call::{Call, Completion};
use crate::profile::decide::{Effect, Input, decide};
use crate::profile::row::{Person, PersonRow};
use crate::topics::Topic;

/// What the stage reads: who writes, and who is to be forgotten.
pub const INPUTS: [Topic; 2] = [Topic::EventsNormalized, Topic::DeskCommands];

const SOURCE: &str = "/dmstream/profile";

/// The profile stage. Reads `events.normalized` and `desk.commands`, writes `customers`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProfileStage;

impl ProfileStage {
    /// What `input` does to the person of a thread; whether anything changed. `offset` tells apart what came in one moment.
    fn hear(
        thread: &Thread,
        (input, offset): (Input, u64),
        context: &mut Context<'_, Self>,
    ) -> Result<bool, StateError> {
        let key = thread.key().into_bytes();
        let before = context.get(&key)?.map_or_else(Person::default, |PersonRow(person)| person);
        let (person, effect) = decide(&before, input, context.now());
        match effect {
            Some(Effect::Ask { asked_at, start_by }) => {
                context.act(Call { thread: thread.clone(), asked_at, start_by });
            }
            Some(Effect::Tell { fetched_at, profile }) => {
                context.emit(told(thread, (fetched_at, profile), context.now())?);
            }
            Some(Effect::Forget) => {
                context.emit(forgotten(thread, offset, context.now())?);
            }
            None => (),
        }
        let has_changed = person != before;
        if has_changed {
            context.put(&key, PersonRow(person));
        }
        Ok(has_changed)
    }
}

impl Stage for ProfileStage {
    type Row = PersonRow;
    type Action = Call;
    type Completion = Completion;

    const TIMERS_WAIT: bool = false;

    /// Type and key of a record say all that is needed; what does not read is for `conversation` to set aside.
    fn apply(
        &mut self,
        record: &Record,
        context: &mut Context<'_, Self>,
    ) -> Result<Exit, StateError> {
        let Some(input) = input_of(record) else { return Ok(Exit::Skipped("not_inbound")) };
        let Some(thread) = record.key.as_deref().and_then(thread_of) else {
            return Ok(Exit::Skipped("no_thread"));
        };
        let is_wanted = Self::hear(&thread, (input, record.offset), context)?;
        Ok(if is_wanted { Exit::Emitted } else { Exit::Skipped("coalesced") })
    }

    fn fire(&mut self, key: &[u8], context: &mut Context<'_, Self>) -> Result<(), StateError> {
        match thread_of(key) {
            Some(thread) => Self::hear(&thread, (Input::Woken, 0), context).map(drop),
            None => {
                // Nobody writes such a row; it must not be due for ever.
                context.delete(key);
                Ok(())
            }
        }
    }

    fn complete(
        &mut self,
        completion: Completion,
        context: &mut Context<'_, Self>,
    ) -> Result<(), StateError> {
        let Completion { thread, asked_at, answered } = completion;
        Self::hear(&thread, (Input::Answered { asked_at, answered }, 0), context).map(drop)
    }
}

/// What a person sends (messages, story replies, mentions, buttons tapped), and the wish to forget them.
fn input_of(record: &Record) -> Option<Input> {
    let kind = record.headers.text(header::TYPE)?;
    if record.topic == Topic::DeskCommands {
        return (kind == DeskWish::Erase.name()).then_some(Input::Erased);
    }
    matches!(kind, "message.received" | "postback.received").then_some(Input::Wrote)
}

fn thread_of(key: &[u8]) -> Option<Thread> {
    Thread::from_key(std::str::from_utf8(key).ok()?).ok()
}

/// The record of a profile.
fn told(
    thread: &Thread,
    (fetched_at, profile): (Timestamp, Profile),
    now: Timestamp,
) -> Result<Output, serde_json::Error> {
    let (key, at) = (thread.key(), fetched_at.as_ms().to_string());
    let (customer_id, id) = (customer_id(thread), event_id(&["profile", &key, &at]));
    let thread = thread.clone();
    let record =
        CustomerRecord::Profile(CustomerProfile { customer_id, thread, fetched_at, profile });
    let key = record.key().text();
    let event = CloudEvent {
        id: id.as_str(),
        kind: record.name(),
        source: SOURCE,
        time: now,
        traceparent: None,
    };
    Output::event(Topic::Customers, &key, &event, &record)
}

/// The tombstone of a profile. A wish that comes twice forgets twice: whatever was told in between goes, too.
fn forgotten(thread: &Thread, offset: u64, now: Timestamp) -> Result<Output, serde_json::Error> {
    let (key, offset) = (thread.key(), offset.to_string());
    let customer_id = customer_id(thread);
    let id = event_id(&["profile forgotten", &key, &offset]);
    let (id, kind, source, time) = (id.as_str(), "customer.profile", SOURCE, now);
    let event = CloudEvent { id, kind, source, time, traceparent: None };
    let key = CustomerKey::Profile(customer_id).text();
    let gone = Output::event(Topic::Customers, &key, &event, &())?;
    Ok(Output { value: None, ..gone })
}
