//! The stopwatch of the pipeline: starts when its first hop wrote something, stops when the last record is readable.

use std::time::Duration;

use indicatif::ProgressBar;
use rdkafka::consumer::BaseConsumer;
use rdkafka::message::Message;

use super::cluster::{Cluster, failed};
use super::machine;
use crate::app::Error;
use crate::clock::Stopwatch;

/// Nothing new for so long: that was the last record.
const SILENCE: Duration = Duration::from_millis(1_500);
/// A side that brings nothing forth for so long is broken.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a run took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    /// From the first record of the first hop to the last one readable at the end.
    pub(super) seconds: f64,
    /// Processor time of this process meanwhile.
    pub(super) cpu_seconds: f64,
}

/// Waits until `first` holds something, then reads `ends` (committed records only) until at least `wanted` records came
/// and no more follow.
pub(super) fn until_done(
    cluster: &Cluster,
    first: &str,
    ends: &[String],
    (wanted, bar): (u64, &ProgressBar),
) -> Result<Took, Error> {
    let reader = cluster.reader(ends, false)?;
    let patience = Stopwatch::start();
    while cluster.written(&reader, first)? == 0 {
        if patience.elapsed() > PATIENCE {
            return Err(Error::Failed(format!("nothing was written to {first}")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let (since, cpu) = (Stopwatch::start(), machine::cpu_seconds());
    let (mut records, mut last, mut last_cpu) = (0_u64, since.elapsed(), cpu);
    loop {
        let arrived = drain(&reader)?;
        if arrived > 0 {
            records += arrived;
            (last, last_cpu) = (since.elapsed(), machine::cpu_seconds());
            bar.set_position(records.min(wanted));
        }
        let silent = since.elapsed().saturating_sub(last);
        if silent > SILENCE && records >= wanted {
            let cpu_seconds = last_cpu.zip(cpu).map_or(0.0, |(end, begin)| end - begin);
            return Ok(Took { seconds: last.as_secs_f64(), cpu_seconds });
        }
        if silent > PATIENCE {
            return Err(Error::Failed(format!("only {records} of {wanted} records arrived")));
        }
    }
}

/// How many records are at hand; waits a little for a first one.
fn drain(reader: &BaseConsumer) -> Result<u64, Error> {
    let mut arrived = 0;
    let mut wait = Duration::from_millis(20);
    while let Some(polled) = reader.poll(wait) {
        let message = polled.map_err(|error| failed(&error))?;
        arrived += u64::from(message.payload().is_some());
        wait = Duration::ZERO;
        if arrived == 10_000 {
            break;
        }
    }
    Ok(arrived)
}
