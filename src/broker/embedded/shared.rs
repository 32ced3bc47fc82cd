//! The one log all handles share: what is true, what waits to become true, and how it does.
//!
//! ```text
//! commit, append ─▶ queue ─▶ (write lock) check seats, number records ─▶ journal, sync ─▶ segments ─▶ state ─▶ answers
//! ```
//!
//! Promise: a change is seen by nobody before it is synced, and by everybody together. Whoever holds the write lock writes
//! all that waits: one sync for all. Locks are taken in the order round, keeper, writer, state, queue.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::time::Duration;

use crate::broker::partitioner::partition_of;
use crate::broker::record::Output;
use crate::broker::{Error, NextOffsets, PollBounds};
use crate::topics::{Topic, catalogue};

use super::disk::{Body, Disk};
use super::group::{Group, Patience, Seat};
use super::keeper::Keeper;
use super::segment::{Log, Segment};
use super::settings::EmbeddedSettings;
use super::sync::locked;
use super::writer::Writer;

/// What all handles share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: EmbeddedSettings,
    pub(super) disk: Disk,
    pub(super) state: Mutex<State>,
    /// Told whenever `state` changed.
    pub(super) changed: Condvar,
    pub(super) queue: Mutex<Queue>,
    /// Told when something was queued, or the threads are to stop.
    pub(super) queued: Condvar,
    /// Told when the keeper is due, or the threads are to stop.
    pub(super) keeping: Condvar,
    pub(super) writer: Mutex<Writer>,
    pub(super) keeper: Mutex<Keeper>,
    /// One round of keeping house at a time.
    pub(super) round: Mutex<()>,
    /// The journal has grown beyond its bound: the keeper is due.
    pub(super) keeper_due: AtomicBool,
    /// When the keeper last looked, in milliseconds.
    pub(super) kept_at: AtomicU64,
    pub(super) stopping: AtomicBool,
}

/// What is true.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Counts changes, so that no wake-up is lost.
    pub(super) version: u64,
    pub(super) logs: BTreeMap<(Topic, u32), Log>,
    pub(super) partitions: BTreeMap<Topic, u32>,
    pub(super) groups: BTreeMap<String, Group>,
    /// Openings so far.
    pub(super) instances: u64,
    /// Why nothing is answered any more.
    pub(super) broken: Option<Broken>,
}

/// Why nothing is answered any more.
#[derive(Debug, Clone)]
pub(super) enum Broken {
    /// It was closed.
    Closed,
    /// Writing failed.
    Failed(String),
}

/// What waits to become true.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) requests: VecDeque<Request>,
    pub(super) bytes: usize,
}

/// Something that is to become true at once.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) outputs: Vec<(u32, Output)>,
    pub(super) bytes: usize,
    /// A session's; a producer has none.
    pub(super) seat: Option<SeatClaim>,
    pub(super) answer: Answer,
}

/// What a session says of itself when it commits.
#[derive(Debug)]
pub(super) struct SeatClaim {
    pub(super) group: String,
    pub(super) seat: Seat,
    /// Lanes it must own.
    pub(super) lanes: BTreeSet<u32>,
    pub(super) next: NextOffsets,
}

/// Who waits for it. Whoever has gone is not told.
#[derive(Debug)]
pub(super) enum Answer {
    Thread(mpsc::Sender<Result<(), Error>>),
    Task(tokio::sync::oneshot::Sender<Result<(), Error>>),
}

impl Answer {
    pub(super) fn tell(self, result: Result<(), Error>) {
        match self {
            Self::Thread(to) => drop(to.send(result)),
            Self::Task(to) => drop(to.send(result)),
        }
    }
}

/// Where an offset is.
#[derive(Debug)]
pub(super) enum Located {
    /// Beyond everything; the offset the next record gets.
    End(u64),
    /// In this segment, in this file.
    In(Segment, Arc<Body>),
}

impl State {
    /// That the log still answers.
    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.broken {
            None => Ok(()),
            Some(Broken::Closed) => Err(Error::Fatal("the embedded log was closed".to_owned())),
            Some(Broken::Failed(why)) => {
                Err(Error::Storage(format!("{why}; it accepts nothing more until a restart")))
            }
        }
    }

    /// A group, made when first asked for.
    pub(super) fn group(&mut self, name: &str) -> &mut Group {
        self.groups.entry(name.to_owned()).or_default()
    }
}

impl Shared {
    /// The state, when the log still answers.
    pub(super) fn state(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = locked(&self.state);
        state.check()?;
        Ok(state)
    }

    /// Now, and the patience for hand-overs.
    pub(super) fn patience(&self) -> Patience {
        let span = self.settings.hand_over_patience.as_millis();
        let span_ms = u64::try_from(span).unwrap_or(u64::MAX);
        Patience { now: self.settings.clock.now(), span_ms }
    }

    /// How long a poll with these bounds waits.
    pub(super) const fn wait_of(&self, bounds: &PollBounds) -> Duration {
        if self.settings.waits { bounds.wait } else { Duration::ZERO }
    }

    /// Tells everyone that `state` changed.
    pub(super) fn announce(&self, state: &mut State) {
        state.version += 1;
        self.changed.notify_all();
    }

    /// Waits for a change after `version`, for `wait` at most.
    pub(super) fn await_change(&self, version: u64, wait: Duration) {
        let state = locked(&self.state);
        let waiting = |state: &mut State| state.version == version && state.broken.is_none();
        drop(self.changed.wait_timeout_while(state, wait, waiting));
    }

    /// Nothing is answered any more.
    pub(super) fn give_out(&self, why: Broken) {
        let mut state = locked(&self.state);
        if let Broken::Failed(why) = &why {
            tracing::error!(log.failure = %why, "the embedded log failed and accepts nothing more");
        }
        state.broken.get_or_insert(why);
        self.announce(&mut state);
    }

    /// How many partitions `topic` has.
    pub(super) fn partitions(&self, topic: Topic) -> Result<u32, Error> {
        let found = self.state()?.partitions.get(&topic).copied();
        found.ok_or_else(|| Error::Topics(format!("{} is not in this log", topic.name())))
    }

    /// Where `output` goes, when it may go anywhere.
    pub(super) fn place(&self, output: &Output) -> Result<u32, Error> {
        let bytes = output.bytes();
        if bytes > catalogue().defaults.max_message_bytes as usize {
            return Err(Error::TooLarge { bytes });
        }
        let count = self.partitions(output.topic)?;
        match output.partition {
            None => Ok(partition_of(&output.key, count)),
            Some(partition) if partition < count => Ok(partition),
            Some(partition) => Err(Error::Topics(format!(
                "{} has {count} partitions, none is {partition}",
                output.topic.name()
            ))),
        }
    }

    /// Where `offset` of a partition is; the file is opened before anyone can remove it.
    pub(super) fn locate(&self, at: (Topic, u32), offset: u64) -> Result<Located, Error> {
        let state = self.state()?;
        let Some(log) = state.logs.get(&at) else {
            return Err(Error::Topics(format!("{} has no partition {}", at.0.name(), at.1)));
        };
        match log.holding(offset) {
            None => Ok(Located::End(log.end)),
            Some(segment) => Ok(Located::In(*segment, self.disk.open(&segment.file_name())?)),
        }
    }

    /// What is true of a segment now, while it is still part of the log.
    pub(super) fn segment_now(
        &self,
        at: (Topic, u32),
        offset: u64,
    ) -> Result<Option<Segment>, Error> {
        let state = self.state()?;
        Ok(state.logs.get(&at).and_then(|log| log.holding(offset)).copied())
    }

    /// Puts a request into the queue, when there is room; a session's always finds room.
    pub(super) fn submit(&self, request: Request) -> Result<(), Error> {
        drop(self.state()?);
        let mut queue = locked(&self.queue);
        let full = queue.bytes.saturating_add(request.bytes) > self.settings.queue_bytes_max
            || queue.requests.len() >= self.settings.queue_records_max;
        if full && request.seat.is_none() {
            return Err(Error::QueueFull);
        }
        queue.bytes += request.bytes;
        queue.requests.push_back(request);
        drop(queue);
        self.queued.notify_one();
        Ok(())
    }
}
