//! Dead letters for operators: listed without their content, and put back where they came from once the cause is mended.
//!
//! Promise: a replayed record has the bytes, key and time it had, so every stage's dedupe sees it as the same; nothing is
//! removed, so replaying twice does no harm.

use std::io::Write;
use std::process::ExitCode;

use futures::executor::block_on;

use super::scan::{Scan, scan};
use super::{Error, open_broker};
use crate::broker::record::{Headers, Output, Record, header, rfc3339};
use crate::cli::{ConfigArgs, ReplayArgs};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::time::Timestamp;
use crate::topics::Topic;

/// Prints one line a dead letter.
pub(super) fn list(args: &ConfigArgs) -> Result<ExitCode, Error> {
    let config = Config::from_process(args.config.as_deref())?;
    let broker = open_broker(&config, &Clock::System)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    scan(&broker, &[Topic::DeadLetters], |record| {
        writeln!(out, "{}", line(record))?;
        Ok(Scan::Continue)
    })?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Puts dead letters back; prints one line each, and how many there were.
pub(super) fn replay(args: &ReplayArgs) -> Result<ExitCode, Error> {
    let config = Config::from_process(args.config.config.as_deref())?;
    let broker = open_broker(&config, &Clock::System)?;
    let producer = broker.producer()?;
    let mut out = std::io::stdout().lock();
    let (mut replayed, mut left) = (0_u64, 0_u64);
    scan(&broker, &[Topic::DeadLetters], |record| {
        let is_asked = args
            .reason
            .as_deref()
            .is_none_or(|asked| record.headers.text(header::REASON) == Some(asked));
        if !is_asked {
            return Ok(Scan::Continue);
        }
        let Some(output) = put_back(record) else {
            left += 1;
            writeln!(out, "cannot be put back: {}", line(record))?;
            return Ok(Scan::Continue);
        };
        if !args.dry_run {
            block_on(producer.append(output))?;
        }
        replayed += 1;
        writeln!(out, "{}", line(record))?;
        Ok(Scan::Continue)
    })?;
    let verb = if args.dry_run { "would be replayed" } else { "replayed" };
    writeln!(out, "{replayed} {verb}, {left} cannot be put back")?;
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The record as it was; `None` when the dead letter does not say where it came from.
fn put_back(record: &Record) -> Option<Output> {
    let source = record.headers.text(header::SOURCE_TOPIC)?;
    let topic = Topic::ALL.into_iter().find(|topic| topic.name() == source)?;
    let key = record.headers.get(header::SOURCE_KEY)?.to_vec();
    let said_at = record.headers.text(header::SOURCE_TIME)?.parse().ok()?;
    let mut headers = Headers::default();
    headers.extend_with(&record.headers, |name| !name.starts_with(header::OURS));
    Some(Output {
        topic,
        partition: None,
        key,
        value: record.value.clone(),
        headers,
        timestamp: Timestamp::from_ms(said_at),
    })
}

/// What is known about a dead letter, without its content.
fn line(record: &Record) -> String {
    let said = |name| record.headers.text(name).unwrap_or("-");
    format!(
        "{} {}/{} reason={} source={}/{}@{} bytes={} detail={}",
        rfc3339(record.timestamp),
        record.partition,
        record.offset,
        said(header::REASON),
        said(header::SOURCE_TOPIC),
        said(header::SOURCE_PARTITION),
        said(header::SOURCE_OFFSET),
        record.bytes().len(),
        said(header::DETAIL),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_put_back_is_the_record_it_was() {
        let mut headers = Headers::default();
        headers
            .push(header::TRACE_PARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let record = Record {
            topic: Topic::WebhooksRaw,
            partition: 2,
            offset: 9,
            timestamp: Timestamp::from_ms(1_700_000_000_123),
            key: Some(b"1784".to_vec()),
            value: Some(b"{ no json".to_vec()),
            headers,
        };
        let letter = record.dead_letter("bad_json", None);
        let kept = Record {
            topic: letter.topic,
            partition: 0,
            offset: 0,
            timestamp: letter.timestamp,
            key: Some(letter.key),
            value: letter.value,
            headers: letter.headers,
        };
        let back = put_back(&kept).unwrap();
        assert_eq!(back.topic, Topic::WebhooksRaw);
        assert_eq!((Some(back.key), back.value), (record.key, record.value));
        assert_eq!((back.headers, back.timestamp), (record.headers, record.timestamp));
    }
}
