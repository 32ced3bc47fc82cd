//! `normalize` as a stage: a record of `webhooks.raw` in, records of `events.normalized` and dead letters out.
//!
//! | the body                    | what is written                                                    | exit     |
//! |-----------------------------|--------------------------------------------------------------------|----------|
//! | is no webhook at all        | by the engine: one dead letter                                     | rejected |
//! | anything else               | one record an event; one dead letter for each reason of bad parts  | emitted  |
//!
//! Stateless: the same record gives the same output, whatever came before.

use std::collections::BTreeMap;

use crate::broker::record::{CloudEvent, Output, Record, header};
use crate::domain::event::{DeadLetterReason, Event, EventKind};
use crate::domain::time::Timestamp;
use crate::engine::context::{Context, StateError};
use crate::engine::stage::{Exit, Row, RowError, Stage};
use crate::normalize::{Accounts, read};
use crate::topics::Topic;

/// Which stage says so, in the headers.
const SOURCE: &str = "/dmstream/normalize";
/// Paths of bad parts told in one dead letter; the bytes tell the rest.
const PATHS_MAX: usize = 8;

/// The stage; all it knows is which accounts are ours.
#[derive(Debug, Clone, Default)]
pub struct NormalizeStage {
    accounts: Accounts,
}

impl NormalizeStage {
    /// A stage for these accounts.
    #[must_use]
    pub const fn new(accounts: Accounts) -> Self {
        Self { accounts }
    }
}

/// The row of a stage that keeps nothing; none is ever written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRow;

impl Row for NoRow {
    fn encode(&self, _into: &mut Vec<u8>) {}

    fn decode(bytes: &[u8]) -> Result<Self, RowError> {
        match bytes.first() {
            None => Ok(Self),
            Some(version) => Err(RowError::UnknownVersion(*version)),
        }
    }

    fn due_at(&self) -> Option<Timestamp> {
        None
    }
}

impl Stage for NormalizeStage {
    type Row = NoRow;
    type Action = ();
    type Completion = ();

    fn apply(
        &mut self,
        record: &Record,
        context: &mut Context<'_, Self>,
    ) -> Result<Exit, StateError> {
        let events = match read(record.bytes(), record.timestamp, &self.accounts) {
            Ok(events) => events,
            Err(dead_letter) => return Ok(rejected(&dead_letter)),
        };
        let mut bad: BTreeMap<DeadLetterReason, Vec<String>> = BTreeMap::new();
        for event in &events {
            if let EventKind::DeadLetter { reason, detail } = &event.kind {
                let paths = bad.entry(*reason).or_default();
                paths.extend(detail.clone().filter(|_| paths.len() <= PATHS_MAX));
            } else {
                context.emit(event_output(event, record)?);
            }
        }
        for (reason, paths) in bad {
            context.emit(dead_letter_output(reason, &paths, record));
        }
        Ok(Exit::Emitted)
    }

    fn fire(&mut self, _key: &[u8], _context: &mut Context<'_, Self>) -> Result<(), StateError> {
        Ok(())
    }

    fn complete(
        &mut self,
        _completion: Self::Completion,
        _context: &mut Context<'_, Self>,
    ) -> Result<(), StateError> {
        Ok(())
    }
}

fn rejected(dead_letter: &Event) -> Exit {
    if let EventKind::DeadLetter { reason, .. } = dead_letter.kind {
        Exit::Rejected(reason)
    } else {
        Exit::Rejected(DeadLetterReason::BadShape)
    }
}

/// The record of an event. Its time is the receipt, so that later stages see time as it came to us and an old event is
/// not retained away at once; when it happened stands in `ce_time` and in the value.
fn event_output(event: &Event, record: &Record) -> Result<Output, serde_json::Error> {
    let account = || event.account_id.as_ref().map(|account| account.as_str().to_owned());
    let key = event.thread().map(|thread| thread.key()).or_else(account);
    let key = key.unwrap_or_else(|| event.event_id.as_str().to_owned());
    let said = CloudEvent {
        id: event.event_id.as_str(),
        kind: event.kind.name(),
        source: SOURCE,
        time: event.occurred_at,
        traceparent: record.headers.text(header::TRACE_PARENT),
    };
    let output = Output::event(Topic::EventsNormalized, &key, &said, event)?;
    Ok(Output { timestamp: event.received_at, ..output })
}

/// The bytes as they came, why they are here, and where in them.
fn dead_letter_output(reason: DeadLetterReason, paths: &[String], record: &Record) -> Output {
    let told = paths.get(..PATHS_MAX.min(paths.len())).unwrap_or_default();
    let more = if told.len() < paths.len() { " …" } else { "" };
    record.dead_letter(reason.name(), Some(&[&told.join(" "), more].concat()))
}

#[cfg(test)]
#[path = "edge_test.rs"]
mod tests;
