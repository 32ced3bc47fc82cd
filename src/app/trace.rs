//! Where one message went: every record that names it, and every record that came of those, in the order of time.
//!
//! Promise: prints where records stand and what they are, never what they say. Not here: the stages' reasons, which are
//! facts on the timeline and reasons of dead letters.
//!
//! Every public record carries the `traceparent` of the webhook or command that it came of, so two readings of the log
//! suffice: which traces name the id, then all records of those traces.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;

use super::scan::{Scan, scan};
use super::{Error, open_broker};
use crate::broker::record::{Record, header, rfc3339};
use crate::cli::TraceArgs;
use crate::clock::Clock;
use crate::config::Config;
use crate::topics::Topic;

/// Records shown at most: an account's id would name them all.
const SHOWN_MAX: usize = 2_000;

/// Prints the way of a message.
///
/// # Errors
///
/// The broker's; an id that nothing names is an exit code of 1, not an error.
pub(super) fn show(args: &TraceArgs) -> Result<ExitCode, Error> {
    let config = Config::from_process(args.config.config.as_deref())?;
    let broker = open_broker(&config, &Clock::System)?;
    let topics: Vec<Topic> = Topic::ALL.into_iter().filter(|topic| !is_private(*topic)).collect();
    let id = args.id.as_bytes();
    let mut traces = BTreeSet::new();
    scan(&broker, &topics, |record| {
        if names(record, id) {
            traces.extend(trace_of(record).map(str::to_owned));
        }
        Ok(if traces.len() < SHOWN_MAX { Scan::Continue } else { Scan::Stop })
    })?;
    let mut found: Vec<(u64, String)> = Vec::new();
    scan(&broker, &topics, |record| {
        let is_of_it = trace_of(record).is_some_and(|trace| traces.contains(trace));
        if is_of_it || names(record, id) {
            found.push((record.timestamp.as_ms(), line(record)));
        }
        Ok(if found.len() < SHOWN_MAX { Scan::Continue } else { Scan::Stop })
    })?;
    found.sort();
    let mut out = std::io::stdout().lock();
    for (_, line) in &found {
        writeln!(out, "{line}")?;
    }
    if found.len() >= SHOWN_MAX {
        writeln!(
            out,
            "… and more: only the first {SHOWN_MAX} are shown; ask for something more exact"
        )?;
    }
    if found.is_empty() {
        writeln!(out, "no record names it; records older than their topic's retention are gone")?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// A stage's own state: not JSON, and nothing that is not said elsewhere.
const fn is_private(topic: Topic) -> bool {
    matches!(topic, Topic::ConversationChangelog | Topic::RouteChangelog | Topic::SendChangelog)
}

/// Whether a record names `id`: as its own id, its key, or a whole word of what it says.
fn names(record: &Record, id: &[u8]) -> bool {
    record.headers.text(header::ID).is_some_and(|own| own.as_bytes() == id)
        || trace_of(record).is_some_and(|trace| trace.as_bytes() == id)
        || record.key.as_deref() == Some(id)
        || holds_word(record.bytes(), id)
}

/// Whether `id` stands in `text` with no letter, digit, `_` or `-` at either side.
fn holds_word(text: &[u8], id: &[u8]) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if id.is_empty() {
        return false;
    }
    text.windows(id.len()).enumerate().any(|(at, window)| {
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        let after = text.get(at + id.len());
        window == id && !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// The trace's id within `traceparent`. Source: W3C Trace Context, `version-traceid-parentid-flags`.
fn trace_of(record: &Record) -> Option<&str> {
    record.headers.text(header::TRACE_PARENT)?.split('-').nth(1)
}

fn line(record: &Record) -> String {
    let said = |name| record.headers.text(name).unwrap_or("-");
    let place = format!("{}/{}@{}", record.topic.name(), record.partition, record.offset);
    let what = match record.headers.text(header::REASON) {
        Some(reason) => format!("dead letter: {reason}"),
        None => said(header::TYPE).to_owned(),
    };
    let trace = trace_of(record).unwrap_or("-");
    format!(
        "{}  {place:<34} {what:<28} id={} trace={trace} bytes={}",
        rfc3339(record.timestamp),
        said(header::ID),
        record.bytes().len(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::record::Headers;
    use crate::domain::time::Timestamp;

    #[test]
    fn an_id_is_found_as_a_whole_word_only() {
        check(r#"{"mid":"m_1"}"#, "m_1", true);
        check(r#"{"mid":"m_12"}"#, "m_1", false);
        check(r#"{"mid":"am_1"}"#, "m_1", false);
        check("m_1", "m_1", true);
        check("1784:77", "77", true);
        check("anything", "", false);

        #[track_caller]
        fn check(text: &str, id: &str, expected: bool) {
            assert_eq!(holds_word(text.as_bytes(), id.as_bytes()), expected);
        }
    }

    #[test]
    fn a_line_says_where_and_what_but_not_what_was_said() {
        let mut headers = Headers::default();
        headers.push(header::TYPE, "message.received");
        headers.push(header::ID, "ev-1");
        headers
            .push(header::TRACE_PARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let record = Record {
            topic: Topic::EventsNormalized,
            partition: 3,
            offset: 42,
            timestamp: Timestamp::from_ms(1_700_000_000_123),
            key: Some(b"1784:77".to_vec()),
            value: Some(br#"{"text":"a secret"}"#.to_vec()),
            headers,
        };
        let line = line(&record);
        for part in ["2023-11-14T22:13:20.123Z", "/3@42", "message.received", "id=ev-1", "4bf92f35"]
        {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert!(!line.contains("secret") && !line.contains("77 "), "{line}");
    }
}
