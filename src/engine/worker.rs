//! One worker: a thread with one session, its lanes and its stage; it goes round until it is told to stop.
//!
//! ```text
//! poll ─▶ records ─▶ stage ─▶ overlay, outputs, changelog ─▶ commit ─▶ stores take over, actions start
//!   └──▶ lanes come: restore, take          lanes go: close, give up
//! ```
//!
//! A turn is committed before the next poll, so when lanes move nothing is uncommitted. Whatever fails ends in one of three
//! ways: abort and read again, rebuild the session, or stop and say why ([`Remedy`]).

mod commit;
mod lanes;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::broker::{Broker, PollBounds, Polled, Remedy, Session, SessionSpec};
use crate::clock::{Clock, Stopwatch};
use crate::domain::settings::SettingsTable;
use crate::domain::time::{SECOND_MS, Timestamp};
use crate::engine::error::Error;
use crate::engine::exchange::Exchange;
use crate::engine::progress::Progress;
use crate::engine::restore::Restorer;
use crate::engine::stage::Stage;
use crate::engine::turn::Lanes;
use crate::engine::watermark::Watermarks;
use crate::metrics::{Metrics, StageName, TransactionResult};
use crate::store::{Checkpoint, Place, StoreWriter};
use crate::topics::Topic;

/// What a turn takes in at most. It ends when the input is empty or a bound is reached.
const TURN: PollBounds =
    PollBounds { records_max: 10_000, bytes_max: 16 << 20, wait: Duration::from_millis(20) };

/// How long a turn goes on reading: on a machine so busy that it gets no further, its transaction must not time out.
const TURN_LASTS: Duration = Duration::from_millis(500);

/// What a turn may hold that is not true yet, in bytes; beyond it a part of the turn is committed early. A quarter of what
/// the producer's queue takes, an eighth of what the embedded broker takes.
const UNCOMMITTED_MAX: usize = 32 << 20;

/// What a row is taken to weigh until a commit has shown it.
const ROW_BYTES_AT_FIRST: usize = 1 << 10;

/// What came of actions is taken in so many at a time; the rest in the next turn.
const COMPLETIONS_MAX: usize = 5_000;

/// So many records of a turn are read at a time, and the broker is handed what came of them: it compresses and delivers while
/// the next ones are decided, and what is at work at a time stays in the processor's cache.
const SLICE_RECORDS: usize = 256;

/// While lanes are restored, the others wait so long for a first record.
const WAIT_BETWEEN_REPLAYS: Duration = Duration::from_millis(1);

/// How long actions under way may hold up the end. What comes of them later is seen to by their timers.
const ACTIONS_WITHIN_MS: u64 = 10 * SECOND_MS;

/// Pause before a failed session is rebuilt, doubled each time up to the second value.
const REBUILD_PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Where an action's outcome comes back: lane and completion.
pub type Completions<S> = Sender<(u32, <S as Stage>::Completion)>;

/// Carries an action out in the world, after the commit; must not block.
pub type Act<S> = Box<dyn Fn(u32, <S as Stage>::Action, Completions<S>) + Send>;

/// What a turn may hold at most; a simulation makes it so small that it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that are not true yet, beyond which a part of the turn is committed early.
    pub uncommitted_bytes: usize,
    /// Outcomes of actions taken in at a time.
    pub completions: usize,
    /// Records between two looks at the bytes.
    pub slice_records: usize,
    /// How long a turn goes on reading.
    pub lasts: Duration,
}

impl Limits {
    /// Those of the program.
    pub const USUAL: Self = Self {
        uncommitted_bytes: UNCOMMITTED_MAX,
        completions: COMPLETIONS_MAX,
        slice_records: SLICE_RECORDS,
        lasts: TURN_LASTS,
    };
}

/// What a worker is for.
#[derive(Debug, Clone)]
pub struct WorkerSpec {
    /// Which stage.
    pub stage: StageName,
    /// Its group, stable name and inputs.
    pub session: SessionSpec,
    /// Where its state is written; none for a stage without state.
    pub changelog: Option<Topic>,
    /// Where its stores are; a folder a lane.
    pub stores: Place,
    /// Bytes of what is replayed that may wait for the disk, in all its lanes. Up to here lanes are whole before anything is
    /// written.
    pub unwritten_bytes: u64,
}

/// What a worker works with.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The log.
    pub broker: Broker,
    /// The time.
    pub clock: Clock,
    /// What administrators chose.
    pub settings: Arc<ArcSwap<SettingsTable>>,
    /// What is counted.
    pub metrics: Metrics,
}

/// What others see of a worker, and how they stop it.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Set to stop: the turn at hand is committed, lanes are closed.
    pub stop: AtomicBool,
    /// When it last went round, milliseconds.
    pub beat_at_ms: AtomicU64,
    /// Lanes owned and restored.
    pub lanes: AtomicU64,
    /// It has its lanes, all restored, or learnt that there are none for it.
    pub joined: AtomicBool,
    /// Its thread has ended, in order or by a panic.
    pub ended: AtomicBool,
}

/// A worker; [`Worker::run`] is its life.
pub struct Worker<S: Stage> {
    spec: WorkerSpec,
    around: Surroundings,
    stage: S,
    act: Act<S>,
    limits: Limits,
    lanes: Lanes<S::Row>,
    completions: (Completions<S>, Receiver<(u32, S::Completion)>),
    in_flight: usize,
    /// What came of actions and is not in a commit yet: an aborted turn must not lose it.
    heard: Vec<(u32, S::Completion)>,
    writer: Option<StoreWriter>,
    restorer: Option<Restorer<S::Row>>,
    checkpoint_at_ms: u64,
    checkpoints: BTreeMap<u32, Checkpoint>,
    /// Ends of changelogs seen, which the next commit proves to be ours.
    seen_ends: BTreeMap<u32, Checkpoint>,
    marks: Watermarks,
    progress: Progress,
    /// Timers wait that were too many for the last turn.
    hurries: bool,
    /// The mean size of a row in the last commit.
    row_bytes: usize,
    /// The most that was not true yet since it was last told.
    uncommitted_most: usize,
    pulse: Arc<Pulse>,
}

impl<S: Stage> std::fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl<S: Stage> Worker<S> {
    /// A worker that has not begun.
    pub fn new(
        spec: WorkerSpec,
        around: Surroundings,
        stage: S,
        act: Act<S>,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self {
            spec,
            around,
            stage,
            act,
            limits: Limits::USUAL,
            lanes: Lanes::new(),
            completions: std::sync::mpsc::channel(),
            in_flight: 0,
            heard: Vec::new(),
            writer: None,
            restorer: None,
            checkpoint_at_ms: 0,
            checkpoints: BTreeMap::new(),
            seen_ends: BTreeMap::new(),
            marks: Watermarks::default(),
            progress: Progress::default(),
            hurries: false,
            row_bytes: ROW_BYTES_AT_FIRST,
            uncommitted_most: 0,
            pulse,
        }
    }

    /// The same with other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Goes round until told to stop. Blocks the thread it runs on.
    ///
    /// # Errors
    ///
    /// Only what a person must look at ([`Remedy::Stop`]); everything else is retried for ever, counted and logged.
    pub fn run(mut self) -> Result<(), Error> {
        let mut pause = REBUILD_PAUSE.0;
        while !self.told_to_stop() {
            // One that tries again and again goes round too: it is not stuck when the broker is away.
            self.beat();
            let ended = self.session_life();
            self.drop_lanes();
            match ended {
                Ok(()) => return Ok(()),
                Err(error) if error.remedy() == Remedy::Stop => return Err(error),
                Err(error) => {
                    tracing::warn!(stage = self.spec.stage.name(), %error, "session rebuilt");
                    self.count(TransactionResult::Fenced, 0.0);
                    self.pause(pause);
                    pause = (pause * 2).min(REBUILD_PAUSE.1);
                }
            }
        }
        Ok(())
    }

    /// From joining the group to leaving it; `Ok` when told to stop.
    fn session_life(&mut self) -> Result<(), Error> {
        let mut session = self.begin()?;
        let mut stopping: Option<Timestamp> = None;
        let ended = loop {
            self.beat();
            if self.told_to_stop() {
                let now = self.around.clock.now();
                let waited_ms = now.since_ms(*stopping.get_or_insert(now));
                if self.is_done() || waited_ms > ACTIONS_WITHIN_MS {
                    self.say_what_is_left();
                    break Ok(());
                }
            }
            if let Err(error) = self.round(&mut session) {
                break Err(error);
            }
            self.look_round(&session);
        };
        self.close_lanes();
        let closed = session.close();
        ended?;
        if let Err(error) = closed {
            tracing::warn!(stage = self.spec.stage.name(), %error, "left the group late");
        }
        Ok(())
    }

    /// Joins the group, with no lanes yet.
    ///
    /// # Errors
    ///
    /// The broker's or the store's; nothing has begun.
    pub fn begin(&mut self) -> Result<Session, Error> {
        if self.spec.changelog.is_some() {
            let clock = self.around.clock.clone();
            let now_ms = move || clock.now().as_ms();
            self.writer = Some(self.spec.stores.writer(now_ms)?);
        }
        let place = self.spec.stores.join(self.spec.stage.name());
        let room = self.spec.unwritten_bytes;
        self.restorer = self.spec.changelog.map(|changelog| Restorer::new(changelog, place, room));
        Ok(self.around.broker.session(&self.spec.session)?)
    }

    /// Goes round once: a turn, or lanes that come or go. What can be mended by an abort is.
    ///
    /// # Errors
    ///
    /// What ends the session: [`Remedy::Rebuild`] and [`Remedy::Stop`].
    pub fn round(&mut self, session: &mut impl Exchange) -> Result<(), Error> {
        let Err(error) = self.go_round(session) else { return Ok(()) };
        match error.remedy() {
            Remedy::Retry | Remedy::Abort => self.abort(session, &error),
            Remedy::Rebuild | Remedy::Stop => Err(error),
        }
    }

    fn go_round(&mut self, session: &mut impl Exchange) -> Result<(), Error> {
        let restores = self.restorer.as_ref().is_some_and(|restorer| !restorer.is_idle());
        let wait = match (restores, self.hurries) {
            (_, true) => Duration::ZERO,
            (true, false) => WAIT_BETWEEN_REPLAYS,
            (false, false) => TURN.wait,
        };
        let polled = session.poll(&PollBounds { wait, ..self.slice_of(&TURN) })?;
        match polled {
            Polled::Records { records, drained } => self.turn(session, (records, drained))?,
            Polled::Idle => self.turn(session, (Vec::new(), true))?,
            Polled::Assigned(lanes) => self.receive(session, &lanes)?,
            Polled::Revoked(lanes) => {
                self.stage.forget();
                self.close_these(&lanes);
                session.give_up(&lanes)?;
            }
            Polled::Lost(lanes) => {
                self.stage.forget();
                for lane in &lanes {
                    self.lanes.remove(lane);
                    self.checkpoints.remove(lane);
                    self.seen_ends.remove(lane);
                }
                if let Some(restorer) = &mut self.restorer {
                    restorer.give_up(&lanes);
                }
                session.give_up(&lanes)?;
            }
        }
        self.bring_back(session)
    }

    /// What is read at a time of a turn that has this room.
    pub(super) fn slice_of(&self, room: &PollBounds) -> PollBounds {
        PollBounds { records_max: room.records_max.min(self.limits.slice_records), ..*room }
    }

    /// Waits before a session is built again, unless told to stop.
    fn pause(&self, pause: Duration) {
        let since = Stopwatch::start();
        while !self.told_to_stop() && since.elapsed() < pause {
            self.beat();
            std::thread::sleep(REBUILD_PAUSE.0.min(pause.saturating_sub(since.elapsed())));
        }
    }

    #[cfg(test)]
    pub(super) const fn uncommitted_most(&self) -> usize {
        self.uncommitted_most
    }

    /// All rows of all lanes, by lane and key.
    #[cfg(test)]
    pub(super) fn rows(&self) -> BTreeMap<(u32, String), S::Row> {
        let mut all = BTreeMap::new();
        for (lane, rows) in &self.lanes {
            for (key, row) in rows.scan_prefix(&[], usize::MAX).unwrap_or_default() {
                all.insert((*lane, String::from_utf8_lossy(&key).into_owned()), row);
            }
        }
        all
    }

    /// Told to stop, and nothing it began is under way.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.told_to_stop() && self.in_flight == 0 && self.heard.is_empty()
    }

    /// Lanes are on their way back.
    #[must_use]
    pub fn is_restoring(&self) -> bool {
        self.restorer.as_ref().is_some_and(|restorer| !restorer.is_idle())
    }

    /// What writes behind it, in a session.
    #[must_use]
    pub const fn writer(&self) -> Option<&StoreWriter> {
        self.writer.as_ref()
    }

    /// The lanes it owns.
    #[must_use]
    pub const fn lanes(&self) -> &Lanes<S::Row> {
        &self.lanes
    }

    fn told_to_stop(&self) -> bool {
        self.pulse.stop.load(Ordering::Relaxed)
    }
}

/// Milliseconds as Prometheus wants them.
fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

#[cfg(test)]
#[path = "worker_abort_test.rs"]
mod tests;
