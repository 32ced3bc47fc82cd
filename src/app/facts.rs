//! Facts for whoever has no Kafka client at hand: the timeline as JSON, one object a line.
//!
//! Promise: every committed fact once, those of one thread in order; each line is whole or not there. What people wrote is
//! printed: who may run this may read it.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use super::scan::{Scan, Stretch, read};
use super::{Error, open_broker};
use crate::broker::record::Record;
use crate::cli::{FactsArgs, StartAt};
use crate::clock::Clock;
use crate::config::Config;
use crate::project::outward_events;
use crate::topics::Topic;

/// Prints facts, or what they are outwardly.
///
/// # Errors
///
/// The broker's. What does not read as a fact is named on standard error, passed over, and an exit code of 1.
pub(super) fn print(args: &FactsArgs) -> Result<ExitCode, Error> {
    let config = Config::from_process(args.config.config.as_deref())?;
    let broker = open_broker(&config, &Clock::System)?;
    let key = args.thread.as_ref().map(|thread| thread.key().into_bytes());
    let stretch = Stretch { from: args.from, follow: args.follow || args.from == StartAt::Latest };
    let mut out = std::io::stdout().lock();
    let mut all_read = true;
    read(&broker, &[Topic::Timeline], stretch, |record| {
        if key.is_some() && record.key != key {
            return Ok(Scan::Continue);
        }
        let Ok(lines) = lines(record, args.outward) else {
            let (partition, offset) = (record.partition, record.offset);
            writeln!(std::io::stderr(), "timeline/{partition}@{offset} reads as no fact")?;
            all_read = false;
            return Ok(Scan::Continue);
        };
        match out.write_all(&lines) {
            // Whoever read it has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Scan::Stop),
            written => Ok(written.map(|()| Scan::Continue)?),
        }
    })?;
    Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A record's lines: the fact as it stands, or its outward events.
fn lines(record: &Record, outward: bool) -> Result<Vec<u8>, serde_json::Error> {
    if !outward {
        let mut line = record.bytes().to_vec();
        line.push(b'\n');
        return Ok(line);
    }
    let fact = serde_json::from_slice(record.bytes())?;
    let mut lines = Vec::new();
    for event in outward_events(&fact) {
        serde_json::to_writer(&mut lines, &event)?;
        lines.push(b'\n');
    }
    Ok(lines)
}
