//! The loop that feeds the views: reads public topics from their beginning, committed records only, for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::broker::{self, Broker, NextOffsets, PollBounds, Reader};
use crate::metrics::{Metrics, StageName};
use crate::project::{self, Views};

const BATCH: PollBounds =
    PollBounds { records_max: 5_000, bytes_max: 8 << 20, wait: Duration::from_millis(20) };

/// Pause after a failed read.
const PAUSE: Duration = Duration::from_millis(500);

/// The loop, under way.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) views: Views,
    pub(super) caught_up: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Running {
    pub(super) fn tell_to_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn stop(self) {
        self.tell_to_stop();
        if self.thread.join().is_err() {
            tracing::error!("the views' reader panicked");
        }
    }
}

/// Starts the loop.
pub(super) fn start(broker: Broker, metrics: Metrics) -> std::io::Result<Running> {
    let views = Views::default();
    let (caught_up, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let feed = Feed {
        broker,
        metrics,
        views: views.clone(),
        caught_up: Arc::clone(&caught_up),
        stop: Arc::clone(&stop),
    };
    let thread =
        std::thread::Builder::new().name("project".to_owned()).spawn(move || feed.run())?;
    Ok(Running { views, caught_up, stop, thread })
}

struct Feed {
    broker: Broker,
    metrics: Metrics,
    views: Views,
    caught_up: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

impl Feed {
    fn run(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            if let Err(error) = self.open().and_then(|(reader, ends)| self.read(reader, &ends)) {
                tracing::warn!(%error, "views wait for the broker");
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// A reader from where the views stand, and where the log ends now.
    fn open(&self) -> Result<(Reader, NextOffsets), broker::Error> {
        let (mut from, mut ends) = (NextOffsets::new(), NextOffsets::new());
        for topic in project::TOPICS {
            for partition in 0..self.broker.partitions(topic)? {
                from.insert((topic, partition), 0);
                ends.insert((topic, partition), self.broker.end_offset(topic, partition)?);
            }
        }
        from.extend(self.views.positions());
        Ok((self.broker.reader(&from)?, ends))
    }

    fn read(&self, mut reader: Reader, ends: &NextOffsets) -> Result<(), broker::Error> {
        while !self.stop.load(Ordering::Relaxed) {
            let batch = reader.poll(&BATCH)?;
            self.views.apply(&batch.records, &batch.next);
            let count = u64::try_from(batch.records.len()).unwrap_or(u64::MAX);
            self.metrics.records_left(StageName::Project, "emitted", count);
            // Under load the ends of all partitions are never reached at once: what was there at first is enough.
            let passed = |(place, end)| batch.next.get(place).is_some_and(|next| next >= end);
            if batch.at_end || ends.iter().all(passed) {
                self.caught_up.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}
