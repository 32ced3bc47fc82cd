//! What a decision did, written out as records. Not here: when they are written (`edge`).

use std::error::Error;

use crate::broker::record::{CloudEvent, Output, json};
use crate::conversation::decide::Effect;
use crate::conversation::snapshot::snapshot;
use crate::conversation::state::ThreadState;
use crate::domain::customer::{CustomerKey, CustomerRecord};
use crate::domain::derive::digest;
use crate::domain::settings::SettingsTable;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::engine::context::{Publication, StateError};
use crate::engine::stage::RowError;
use crate::topics::Topic;

/// `ce_source` of what this stage writes.
pub(super) const SOURCE: &str = "/dmstream/conversation";

/// The conversation as it stands, as a record.
#[expect(clippy::borrowed_box, reason = "rows of this stage are boxed")]
pub(super) fn publish(
    (key, state): (&[u8], &Box<ThreadState>),
    publication: &Publication<Box<ThreadState>>,
    settings: &SettingsTable,
) -> Result<Option<Output>, StateError> {
    let unread = |error: &dyn Error| RowError::Malformed(error.to_string());
    let key = std::str::from_utf8(key).map_err(|error| unread(&error))?;
    let thread = Thread::from_key(key).map_err(|error| unread(&error))?;
    let Some(snapshot) = snapshot(state, &thread, settings) else { return Ok(None) };
    // By what it says: as of one fact there may be two, once something was forgotten.
    let said = json(&snapshot)?;
    let id = request_id(key, snapshot.conversation_id.as_str(), &said);
    let about = CloudEvent {
        id: &id,
        kind: "conversation.snapshot",
        source: SOURCE,
        time: publication.at,
        traceparent: publication.trace.as_deref(),
    };
    Ok(Some(Output::written(Topic::Conversations, key, &about, said)))
}

/// An effect as a record; `None` for what is written at the turn's end ([`publish`]).
pub(super) fn output(
    key: &str,
    effect: &Effect,
    (now, trace): (Timestamp, Option<&str>),
) -> Result<Option<Output>, serde_json::Error> {
    let event = |id, kind, time| CloudEvent { id, kind, source: SOURCE, time, traceparent: trace };
    let record = match effect {
        Effect::Fact(fact) => {
            let about = event(fact.fact_id.as_str(), fact.body.name(), fact.recorded_at);
            Output::event(Topic::Timeline, key, &about, fact)?
        }
        Effect::Routing(ask) => {
            let said = json(ask)?;
            let id = request_id(key, ask.contact_id.as_str(), &said);
            let about = event(&id, ask.ask.name(), ask.requested_at);
            let (topic, company) = (Topic::RoutingRequests, ask.company_id.as_str());
            Output::written(topic, company, &about, said)
        }
        Effect::Send(send) => {
            let about = event(send.send_id.as_str(), send.part.name(), send.requested_at);
            Output::event(Topic::OutboundSends, send.thread.account_id.as_str(), &about, send)?
        }
        Effect::Result(result) => {
            let id = result.command_id.as_str();
            let about = event(id, "command.result", result.decided_at);
            Output::event(Topic::CommandResults, id, &about, result)?
        }
        Effect::Note(note) => {
            let about = event(note.command_id.as_str(), note.wish.name(), now);
            Output::event(Topic::DeskCommands, &note.thread.key(), &about, note)?
        }
        Effect::Forget(as_of_number) => {
            let about = event("forget", "conversation.snapshot", now);
            let id = request_id(key, "forget", as_of_number.to_string());
            let about = CloudEvent { id: &id, ..about };
            let gone = Output::event(Topic::Conversations, key, &about, &())?;
            Output { value: None, ..gone }
        }
        Effect::Details(customer_id, noted) => {
            let key = CustomerKey::Details(customer_id.clone()).text();
            // Two in one moment are two, unless they say the same.
            let said = serde_json::to_string(noted)?;
            let id = request_id(&key, "details", format!("{} {said}", now.as_ms()));
            let about = event(&id, "customer.details", now);
            let record = noted.as_deref().cloned().map(CustomerRecord::Details);
            let said = Output::event(Topic::Customers, &key, &about, &record)?;
            Output { value: said.value.filter(|_| record.is_some()), ..said }
        }
        // Written at the turn's end, as things stand then.
        Effect::Snapshot => return Ok(None),
    };
    Ok(Some(record))
}

/// A stable id of a record that has none of its own.
fn request_id(key: &str, about: &str, what: impl AsRef<[u8]>) -> String {
    format!("rq-{:032x}", digest(&[key.as_bytes(), about.as_bytes(), what.as_ref()]))
}
