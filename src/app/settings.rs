//! The loop that follows what administrators choose: reads the topic from its beginning, folds it, and stores the table
//! that every stage decides by.
//!
//! Promise: when [`start`] returns, the log was read once to its end, so that no stage decides by an older table than the
//! one before it did. Not here: what records say (`domain::settings`), how they are folded (`project::Follower`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::Error;
use crate::broker::{self, Broker, NextOffsets, PollBounds, Reader};
use crate::clock::Stopwatch;
use crate::domain::settings::SettingsTable;
use crate::project::Follower;
use crate::topics::Topic;

const BATCH: PollBounds =
    PollBounds { records_max: 1_000, bytes_max: 8 << 20, wait: Duration::from_millis(20) };

/// Pause after a failed read.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the first reading may take before the program says that it cannot start.
const FIRST_WITHIN: Duration = Duration::from_secs(60);

/// The loop, under way. Ends by itself soon after it is dropped.
#[derive(Debug)]
pub(super) struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// The loop ends soon.
    pub(super) fn tell_to_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Ends the loop and waits for its end.
    pub(super) fn stop(mut self) {
        self.tell_to_stop();
        let thread = self.thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the reader of settings panicked");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Reads what is chosen so far into `settings`, then goes on following it. What `settings` says already counts until a
/// record says otherwise. To be awaited before any stage begins.
///
/// # Errors
///
/// When the log could not be read to its end in time.
pub(super) async fn start(
    broker: &Broker,
    settings: &Arc<ArcSwap<SettingsTable>>,
) -> Result<Running, Error> {
    let follower = Follower::new(SettingsTable::clone(&settings.load()));
    let stop = Arc::new(AtomicBool::new(false));
    let feed = Feed {
        broker: broker.clone(),
        follower,
        next: NextOffsets::new(),
        settings: Arc::clone(settings),
        stop: Arc::clone(&stop),
    };
    let caught_up = tokio::task::spawn_blocking(move || feed.catch_up());
    let feed = caught_up.await.map_err(|error| Error::Failed(error.to_string()))??;
    let thread = std::thread::Builder::new().name("settings".to_owned());
    let thread = thread.spawn(move || feed.run())?;
    Ok(Running { stop, thread: Some(thread) })
}

struct Feed {
    broker: Broker,
    follower: Follower,
    next: NextOffsets,
    settings: Arc<ArcSwap<SettingsTable>>,
    stop: Arc<AtomicBool>,
}

impl Feed {
    /// Reads to the end once.
    fn catch_up(mut self) -> Result<Self, Error> {
        let waited = Stopwatch::start();
        loop {
            match self.read_until(|at_end| at_end) {
                Ok(()) => return Ok(self),
                Err(error) if waited.elapsed() > FIRST_WITHIN => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(%error, "the start waits for the settings in the log");
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    fn run(mut self) {
        let stop = Arc::clone(&self.stop);
        while !stop.load(Ordering::Relaxed) {
            if let Err(error) = self.read_until(|_at_end| stop.load(Ordering::Relaxed)) {
                tracing::warn!(%error, "settings wait for the broker; those known stay in force");
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn read_until(&mut self, is_over: impl Fn(bool) -> bool) -> Result<(), broker::Error> {
        let mut reader = self.open()?;
        loop {
            let batch = reader.poll(&BATCH)?;
            let unreadable = self.follower.unreadable();
            if self.follower.apply(&batch.records) {
                self.settings.store(Arc::new(self.follower.table().clone()));
                tracing::info!(settings.set = self.follower.table().len(), "settings taken over");
            }
            if self.follower.unreadable() > unreadable {
                tracing::warn!("settings in the log do not read; those known stay in force");
            }
            self.next.extend(batch.next);
            if is_over(batch.at_end) {
                return Ok(());
            }
        }
    }

    /// A reader from where the follower stands.
    fn open(&self) -> Result<Reader, broker::Error> {
        let mut from = NextOffsets::new();
        for partition in 0..self.broker.partitions(Topic::Settings)? {
            from.insert((Topic::Settings, partition), 0);
        }
        from.extend(&self.next);
        self.broker.reader(&from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::open_embedded;
    use crate::broker::record::{CloudEvent, Output};
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::domain::id::CompanyId;
    use crate::domain::settings::{CompanySettings, SettingsRecord, Version};
    use crate::domain::time::Timestamp;

    fn company() -> CompanyId {
        CompanyId::parse("acme").unwrap()
    }

    fn capacity(table: &ArcSwap<SettingsTable>) -> u32 {
        table.load().company_at(&company(), Timestamp::from_ms(1)).standard_capacity
    }

    async fn set(broker: &Broker, standard_capacity: u32) {
        let settings = CompanySettings { standard_capacity, ..CompanySettings::default() };
        let versions = vec![Version { effective_at: Timestamp::from_ms(0), settings }];
        let record = SettingsRecord::Company { company_id: company(), versions };
        let time = Timestamp::from_ms(1);
        let event = CloudEvent { id: "ev-1", kind: "k", source: "/t", time, traceparent: None };
        let output = Output::event(Topic::Settings, &record.key(), &event, &record).unwrap();
        broker.producer().unwrap().append(output).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_chosen_counts_before_anything_starts_and_what_is_chosen_follows() {
        let dir = tempfile::tempdir().unwrap();
        let broker = open_embedded(&Config::default(), &Clock::System, dir.path()).unwrap();
        set(&broker, 1).await;
        set(&broker, 2).await;
        let table = Arc::new(ArcSwap::from_pointee(SettingsTable::default()));
        let running = start(&broker, &table).await.unwrap();
        assert_eq!(capacity(&table), 2);

        set(&broker, 4).await;
        let waited = Stopwatch::start();
        while capacity(&table) != 4 {
            assert!(waited.elapsed() < Duration::from_secs(20), "the change never came");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.stop();
        let Broker::Embedded(broker) = broker else { panic!("the embedded broker") };
        broker.close().unwrap();
    }
}
