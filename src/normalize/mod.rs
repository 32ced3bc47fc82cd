//! From Meta's webhooks to events in our words.
//!
//! Promise: every body gives at least one event; a bad item costs no other; the same webhook read again gives the same
//! events with the same ids; what we do not know is passed on as `unsupported`, `unknown` or `ignored`, never dropped.
//!
//! ```text
//! bytes ─json─▶ tree ─envelope─▶ parts ─┬─ sides: account, person, who wrote ─┬─▶ translate ─▶ events
//!                        (wire: names) ─┴─ content: what a message is         ─┘   (identity: ids)
//! ```
//!
//! Pure but for the edges: `edge.rs` (a stage), `print.rs` (a command). No state, no settings but which accounts are
//! ours. Not here: whether an event was seen before, whose echo it is (`conversation`).

mod json;
mod lenient;
mod wire;
mod envelope;
mod sides;
mod content;
mod identity;
mod translate;
pub mod edge;
pub mod peek;
pub mod print;

pub use sides::Accounts;

use std::borrow::Cow;

use crate::domain::event::{DeadLetterReason, Event};
use crate::domain::time::Timestamp;

/// What one webhook body says, in the body's order.
///
/// Never empty. What cannot be read is among the events as `dead_letter`, with a JSON path or a byte position.
/// Bytes that are no UTF-8 read as U+FFFD.
#[must_use]
pub fn normalize(body: &[u8], received_at: Timestamp, accounts: &Accounts) -> Vec<Event> {
    match read(body, received_at, accounts) {
        Ok(events) => events,
        Err(dead_letter) => vec![*dead_letter],
    }
}

/// The body as text; what is none reads as U+FFFD. Nearly all are, and are looked at as a whole, which is faster.
fn text_of(body: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(body).map_or_else(|_| String::from_utf8_lossy(body), Cow::Borrowed)
}

/// As [`normalize`]; a body that is no webhook at all is an error.
fn read(
    body: &[u8],
    received_at: Timestamp,
    accounts: &Accounts,
) -> Result<Vec<Event>, Box<Event>> {
    let text = text_of(body);
    let dead =
        |reason, detail| Box::new(translate::unreadable((reason, detail), &text, received_at));
    let root = json::parse(&text)
        .map_err(|found| dead(DeadLetterReason::BadJson, format!("byte {}", found.at)))?;
    let parts = envelope::parts(&root)
        .map_err(|found| dead(found.reason, translate::path(&"$", found.at)))?;
    let mut events = Vec::with_capacity(parts.len());
    for part in &parts {
        translate::translate(part, received_at, accounts, &mut events);
    }
    Ok(events)
}

#[cfg(test)]
mod examples_test;
#[cfg(test)]
mod items_test;
