//! Reads whole topics once, from their beginning to where they end now, with a progress bar for whoever watches; or as they grow.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::Error;
use crate::broker::record::Record;
use crate::broker::{Broker, NextOffsets, PollBounds};
use crate::cli::StartAt;
use crate::topics::Topic;

const BATCH: PollBounds =
    PollBounds { records_max: 5_000, bytes_max: 8 << 20, wait: Duration::from_millis(500) };

/// Hands every committed record of `topics` to `each`, in order per partition; stops early when `each` says so.
///
/// The bar is on standard error, and only when that is a terminal.
///
/// # Errors
///
/// The broker's, or what `each` answers.
pub(super) fn scan(
    broker: &Broker,
    topics: &[Topic],
    each: impl FnMut(&Record) -> Result<Scan, Error>,
) -> Result<(), Error> {
    read(broker, topics, Stretch { from: StartAt::Earliest, follow: false }, each)
}

/// What of a topic to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Where to begin.
    pub(super) from: StartAt,
    /// Whether to go on behind where it ends now.
    pub(super) follow: bool,
}

/// The same for another stretch of them.
///
/// # Errors
///
/// The broker's, or what `each` answers.
pub(super) fn read(
    broker: &Broker,
    topics: &[Topic],
    stretch: Stretch,
    mut each: impl FnMut(&Record) -> Result<Scan, Error>,
) -> Result<(), Error> {
    let (mut from, mut ends) = (NextOffsets::new(), BTreeMap::new());
    for &topic in topics {
        for partition in 0..broker.partitions(topic)? {
            let end = broker.end_offset(topic, partition)?;
            let begin = match stretch.from {
                StartAt::Earliest => 0,
                StartAt::Latest => end,
            };
            from.insert((topic, partition), begin);
            ends.insert((topic, partition), end);
        }
    }
    let bar = ProgressBar::new(ends.values().sum());
    bar.set_style(ProgressStyle::default_bar());
    let mut reader = broker.reader(&from)?;
    let mut next = from;
    loop {
        let batch = reader.poll(&BATCH)?;
        for record in &batch.records {
            match each(record)? {
                Scan::Continue => (),
                Scan::Stop => return Ok(()),
            }
        }
        next.extend(batch.next);
        bar.set_position(next.values().sum());
        // What is written while we read is not waited for: a busy log has no end.
        let is_there = ends.iter().all(|(at, end)| next.get(at).is_some_and(|next| next >= end));
        if batch.at_end || is_there {
            bar.finish_and_clear();
            if !stretch.follow {
                return Ok(());
            }
        }
    }
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// To the next record.
    Continue,
    /// Enough was seen.
    Stop,
}
