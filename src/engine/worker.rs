//! One worker: a thread with one session, its lanes and its stage; it goes round until it is told to stop.
//!
//! ```text
//! poll ─▶ records ─▶ stage ─▶ overlay, outputs, changelog ─▶ commit ─▶ stores take over, actions start
//!   └──▶ lanes come: restore, take          lanes go: close, give up
//! ```
//!
//! A turn is committed before the next poll, so when lanes move nothing is uncommitted. Whatever fails ends in one of three
//! ways: abort and read again, rebuild the session, or stop and say why ([`Remedy`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::broker::record::Output;
use crate::broker::{Broker, PollBounds, Polled, Remedy, Session, SessionSpec};
use crate::clock::{Clock, Stopwatch};
use crate::domain::settings::SettingsTable;
use crate::domain::time::{HOUR_MS, SECOND_MS, Timestamp};
use crate::engine::context::{Committed, Rows};
use crate::engine::error::Error;
use crate::engine::exchange::Exchange;
use crate::engine::lane;
use crate::engine::progress::Progress;
use crate::engine::restore::{Restorer, Tools};
use crate::engine::stage::{Exit, Stage};
use crate::engine::turn::{self, Lanes, Turn};
use crate::engine::watermark::Watermarks;
use crate::metrics::{Metrics, StageName, TransactionResult};
use crate::store::{Checkpoint, Place, StoreWriter};
use crate::topics::Topic;

/// What a turn takes in at most. It ends when the input is empty or a bound is reached, not by a clock.
const TURN: PollBounds =
    PollBounds { records_max: 5_000, bytes_max: 8 << 20, wait: Duration::from_millis(20) };

/// What a turn may hold that is not true yet, in bytes; beyond it a part of the turn is committed early. A quarter of what
/// the producer's queue takes, an eighth of what the embedded broker takes.
const UNCOMMITTED_MAX: usize = 32 << 20;

/// What a row is taken to weigh until a commit has shown it.
const ROW_BYTES_AT_FIRST: usize = 1 << 10;

/// What came of actions is taken in so many at a time; the rest in the next turn.
const COMPLETIONS_MAX: usize = 5_000;

/// After so many records of a turn the broker is handed what came of them: it compresses and delivers while the next ones are
/// decided, and what is at work at a time stays in the processor's cache.
const SLICE_RECORDS: usize = 256;

/// While lanes are restored, the others wait so long for a first record.
const WAIT_BETWEEN_REPLAYS: Duration = Duration::from_millis(1);

/// A checkpoint that stays in its place is said to be true again this often, or a store that rests would grow too old.
const CHECKPOINT_AGES_MS: u64 = HOUR_MS;

/// How long actions under way may hold up the end. What comes of them later is seen to by their timers.
const ACTIONS_WITHIN_MS: u64 = 10 * SECOND_MS;

/// How long the last rows of all lanes may take to disk at the end, and those of lanes that are asked back.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// How often a lane's checkpoint moves up to the changelog's end: what a crash replays at most.
const CHECKPOINT_EVERY_MS: u64 = 2_000;

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
}

impl Limits {
    /// Those of the program.
    pub const USUAL: Self = Self {
        uncommitted_bytes: UNCOMMITTED_MAX,
        completions: COMPLETIONS_MAX,
        slice_records: SLICE_RECORDS,
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
        self.restorer = self.spec.changelog.map(|changelog| Restorer::new(changelog, place));
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
        let polled = session.poll(&PollBounds { wait, ..TURN })?;
        match polled {
            Polled::Records { records, drained } => self.turn(session, &records, drained)?,
            Polled::Idle => self.turn(session, &[], true)?,
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

    fn turn(
        &mut self,
        session: &mut impl Exchange,
        records: &[crate::broker::record::Record],
        drained: bool,
    ) -> Result<(), Error> {
        let settings = self.around.settings.load_full();
        let now = self.around.clock.now();
        self.marks.take_in(records, drained, now);
        self.progress.came(records, now);
        let mut turn = Turn::default();
        let (mut begun, mut bytes) = (0, 0);
        let stopwatch = Stopwatch::start();
        for (at, slice) in records.chunks(self.limits.slice_records).enumerate() {
            turn::apply(&mut self.stage, (&mut self.lanes, &settings), slice, &mut turn)?;
            for output in turn.take_ready() {
                bytes += output.bytes();
                session.send(output)?;
            }
            let end = at * self.limits.slice_records + slice.len();
            let uncommitted = self.uncommitted(bytes, turn.outputs.waiting());
            if end < records.len() && uncommitted > self.limits.uncommitted_bytes {
                // What came of these is more than a turn may hold: it becomes true before the rest is looked at.
                let part = records.get(begun..end).unwrap_or_default();
                self.commit(session, std::mem::take(&mut turn), (part, now, stopwatch))?;
                (begun, bytes) = (end, 0);
            }
        }
        let room = self.limits.completions.saturating_sub(self.heard.len());
        let before = self.heard.len();
        self.heard.extend(self.completions.1.try_iter().take(room));
        self.in_flight = self.in_flight.saturating_sub(self.heard.len() - before);
        let (stage, lanes) = (&mut self.stage, &mut self.lanes);
        turn::complete(stage, (lanes, &settings), self.heard.clone(), now, &mut turn)?;
        turn.hears = true;
        let mark = |lane| if S::TIMERS_WAIT { self.marks.of(lane, now) } else { now };
        self.hurries = turn::fire_due(stage, (lanes, &settings), (now, mark), &mut turn)?;
        self.uncommitted(bytes, turn.outputs.waiting());
        let part = records.get(begun..).unwrap_or_default();
        self.commit(session, turn, (part, now, stopwatch))?;
        self.look_at_ends(now.as_ms());
        Ok(())
    }

    /// Bytes of this turn that are not true yet: what was sent; rows, and records that wait for the turn's end, at the size that
    /// rows had in the commit before.
    fn uncommitted(&mut self, sent: usize, waiting: usize) -> usize {
        let rows: usize = self.lanes.values().map(|rows| rows.overlay.len()).sum();
        let bytes = sent.saturating_add((rows + waiting).saturating_mul(self.row_bytes));
        self.uncommitted_most = self.uncommitted_most.max(bytes);
        bytes
    }

    /// Makes a turn, or a part of one, true: what came of `records`.
    fn commit(
        &mut self,
        session: &mut impl Exchange,
        mut turn: Turn<S::Action>,
        (records, now, stopwatch): (&[crate::broker::record::Record], Timestamp, Stopwatch),
    ) -> Result<(), Error> {
        let (changelog, changes) = match self.spec.changelog {
            Some(changelog) => turn::take_changes(&mut self.lanes, changelog, now),
            None => (Vec::new(), BTreeMap::new()),
        };
        if turn.is_empty() && changelog.is_empty() {
            self.forget_heard(turn.hears);
            return Ok(());
        }
        if !changelog.is_empty() {
            let bytes: usize = changelog.iter().map(Output::bytes).sum();
            self.row_bytes = bytes / changelog.len();
        }
        for output in turn.take_rest()?.into_iter().chain(changelog) {
            session.send(output)?;
        }
        session.commit(&turn.next_offsets)?;
        // At once: a store that fails below must not have it heard again.
        self.forget_heard(turn.hears);
        self.count(TransactionResult::Committed, stopwatch.elapsed().as_secs_f64());
        self.progress.committed(&turn.next_offsets);
        let has_consumed = !turn.next_offsets.is_empty();
        // First what the commit allows: a store that fails ends this session.
        self.after_commit(turn, records);
        for (lane, rows) in changes {
            let at = self.checkpoints.get(&lane).copied().unwrap_or(Checkpoint::at(0));
            if let Some(Rows { committed: Committed::Lane(desk), .. }) = self.lanes.get(&lane) {
                desk.submit(rows, at)?;
            }
        }
        if has_consumed {
            self.move_checkpoints()?;
        }
        Ok(())
    }

    /// What came of actions has been taken in, if the turn did. Without lanes it was not: they come back, or another one's
    /// timers see to it.
    fn forget_heard(&mut self, heard: bool) {
        if heard && (!self.lanes.is_empty() || self.told_to_stop()) {
            self.heard.clear();
        }
    }

    /// Carries actions out and counts, now that the turn is true.
    fn after_commit(&mut self, turn: Turn<S::Action>, records: &[crate::broker::record::Record]) {
        let (metrics, stage) = (&self.around.metrics, self.spec.stage);
        for (exit, count) in turn.exits {
            match exit {
                Exit::Emitted => metrics.records_left(stage, "emitted", count),
                Exit::Skipped(why) => {
                    metrics.records_left(stage, "skipped", count);
                    metrics.records_skipped(stage, why, count);
                }
                Exit::Rejected(_) => metrics.records_left(stage, "rejected", count),
            }
        }
        for reason in &turn.dead_letters {
            metrics.dead_letter(reason);
        }
        for late_ms in &turn.lateness_ms {
            metrics.timer_fired(stage, seconds(*late_ms));
        }
        let now = self.around.clock.now();
        for record in records {
            metrics.committed_after(seconds(now.since_ms(record.timestamp)));
        }
        for (lane, action) in turn.actions {
            self.in_flight += 1;
            (self.act)(lane, action, self.completions.0.clone());
        }
    }

    /// Looks where the changelogs of the lanes end, from time to time.
    ///
    /// An end is not a checkpoint yet: whoever stood still for too long may have lost the lane without knowing, and see
    /// what its successor wrote. The next commit for the group tells.
    fn look_at_ends(&mut self, now_ms: u64) {
        let Some(changelog) = self.spec.changelog else { return };
        if now_ms < self.checkpoint_at_ms.saturating_add(CHECKPOINT_EVERY_MS) {
            return;
        }
        self.checkpoint_at_ms = now_ms;
        for &lane in self.lanes.keys() {
            match self.around.broker.end_offset(changelog, lane) {
                Ok(end) => drop(self.seen_ends.insert(lane, Checkpoint::at(end).true_at(now_ms))),
                // A crash replays more; that is all.
                Err(error) => {
                    tracing::debug!(lane, %error, "the changelog's end is not known now");
                    return;
                }
            }
        }
    }

    /// Moves checkpoints up to the ends seen before a commit that the group took from us: the lanes were ours all the
    /// time, we alone wrote there and nothing was under way, so all before the end is pending or on disk.
    fn move_checkpoints(&mut self) -> Result<(), Error> {
        for (lane, seen) in std::mem::take(&mut self.seen_ends) {
            let known = self.checkpoints.entry(lane).or_insert(Checkpoint::at(0));
            let aged = seen.true_at_ms.saturating_sub(known.true_at_ms) >= CHECKPOINT_AGES_MS;
            if (known.next_offset < seen.next_offset || aged)
                && let Some(Rows { committed: Committed::Lane(desk), .. }) = self.lanes.get(&lane)
            {
                desk.submit(Vec::new(), seen)?;
                *known = seen;
            }
        }
        Ok(())
    }

    /// Lanes are ours from now on: those without state at once, the others when they are restored.
    fn receive(&mut self, session: &mut impl Exchange, lanes: &[u32]) -> Result<(), Error> {
        if let Some(restorer) = &mut self.restorer {
            restorer.begin(lanes);
            return Ok(());
        }
        for &lane in lanes {
            let rows = Rows::new(Committed::Memory(BTreeMap::new()));
            self.lanes.insert(lane, rows);
        }
        self.marks.begin(lanes.iter().copied(), self.around.clock.now());
        Ok(session.take(lanes)?)
    }

    /// Goes on restoring, and takes what is whole.
    fn bring_back(&mut self, session: &mut impl Exchange) -> Result<(), Error> {
        let (Some(restorer), Some(writer)) = (&mut self.restorer, &self.writer) else {
            return Ok(());
        };
        if restorer.is_idle() {
            return Ok(());
        }
        let Surroundings { broker, clock, metrics, .. } = &self.around;
        let (stage, now) = (self.spec.stage, clock.now());
        let tools = Tools { broker, writer, now };
        restorer.step(tools, |doubt| metrics.store_set_aside(stage, doubt.name()))?;
        while let Some(lane) = restorer.whole() {
            session.take(&[lane])?;
            let Some(restored) = restorer.take(lane) else { break };
            metrics.lane_restored(stage, restored.records);
            self.marks.begin([lane].into_iter(), now);
            self.checkpoints.insert(lane, restored.checkpoint);
            self.lanes.insert(lane, restored.rows);
        }
        let worker = &self.spec.session.member;
        metrics.restoring(stage, worker, restorer.remaining());
        Ok(())
    }

    /// Looks from time to time how far behind the lanes are, and tells.
    fn look_round(&mut self, session: &Session) {
        let now = self.around.clock.now();
        let restored = self.restorer.as_ref().is_none_or(Restorer::is_idle);
        self.pulse.joined.store(session.has_joined() && restored, Ordering::Relaxed);
        if !self.progress.is_due(now) {
            return;
        }
        let report = self.progress.look(&session.lag(), now);
        let (stage, worker) = (self.spec.stage, &self.spec.session.member);
        let metrics = &self.around.metrics;
        for ((topic, lane), records, age_ms) in report.lag {
            metrics.lag(stage, (topic, lane), records, seconds(age_ms));
        }
        for input in report.gone {
            metrics.lag_gone(stage, input);
        }
        metrics.lanes_standing(stage, worker, report.standing);
        let unwritten = self.writer.as_ref().map_or(0, StoreWriter::pending_bytes);
        metrics.state_bytes(stage, worker, std::mem::take(&mut self.uncommitted_most), unwritten);
        let name = stage.name();
        for (topic, lane) in report.stopped {
            let topic = topic.name();
            tracing::warn!(
                stage = name,
                topic,
                lane,
                "a lane has records to read and stands still"
            );
        }
        for (topic, lane) in report.resumed {
            let topic = topic.name();
            tracing::info!(stage = name, topic, lane, "a lane that stood still goes on");
        }
    }

    /// Nothing of the turn became true: drops it, and reads its input again.
    fn abort(&mut self, session: &mut impl Exchange, error: &Error) -> Result<(), Error> {
        tracing::warn!(stage = self.spec.stage.name(), %error, "turn aborted, read again");
        for rows in self.lanes.values_mut() {
            rows.overlay.clear();
        }
        self.stage.forget();
        self.marks.begin(self.lanes.keys().copied(), self.around.clock.now());
        self.count(TransactionResult::Aborted, 0.0);
        Ok(session.abort()?)
    }

    /// Writes what is pending and closes the stores: the session ends in order.
    pub fn close_lanes(&mut self) {
        let restored = self.restorer.iter().flat_map(Restorer::lanes);
        let lanes: Vec<u32> = self.lanes.keys().copied().chain(restored).collect();
        self.close_these(&lanes);
    }

    /// All of them within one bound: whatever is not on disk by then is replayed.
    fn close_these(&mut self, lanes: &[u32]) {
        let since = Stopwatch::start();
        if let Some(restorer) = &mut self.restorer {
            restorer.give_up(lanes);
        }
        for lane in lanes {
            self.checkpoints.remove(lane);
            self.seen_ends.remove(lane);
            let Some(rows) = self.lanes.remove(lane) else { continue };
            if let Err(error) = lane::close(rows, CLOSE_WITHIN.saturating_sub(since.elapsed())) {
                tracing::warn!(lane, %error, "store closed badly; its next owner replays more");
            }
        }
    }

    /// Forgets lanes and all that is in memory: the session is gone.
    pub fn drop_lanes(&mut self) {
        self.stage.forget();
        self.lanes.clear();
        self.checkpoints.clear();
        self.seen_ends.clear();
        self.restorer = None;
        self.writer = None;
        self.marks.forget();
        for input in self.progress.forget() {
            self.around.metrics.lag_gone(self.spec.stage, input);
        }
        self.pulse.joined.store(false, Ordering::Relaxed);
        self.pulse.lanes.store(0, Ordering::Relaxed);
    }

    /// Waits before a session is built again, unless told to stop.
    fn pause(&self, pause: Duration) {
        let since = Stopwatch::start();
        while !self.told_to_stop() && since.elapsed() < pause {
            self.beat();
            std::thread::sleep(REBUILD_PAUSE.0.min(pause.saturating_sub(since.elapsed())));
        }
    }

    /// What is not waited for any longer.
    fn say_what_is_left(&self) {
        if self.in_flight > 0 {
            let (stage, actions) = (self.spec.stage.name(), self.in_flight);
            tracing::warn!(stage, actions, "stopped before all that was begun had ended");
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

    fn beat(&self) {
        let now = self.around.clock.now();
        self.pulse.beat_at_ms.store(now.as_ms(), Ordering::Relaxed);
        let lanes = self.lanes.len();
        self.pulse.lanes.store(u64::try_from(lanes).unwrap_or(u64::MAX), Ordering::Relaxed);
        let at_seconds = i64::try_from(now.as_ms() / 1_000).unwrap_or(i64::MAX);
        let worker = &self.spec.session.member;
        self.around.metrics.worker_alive(self.spec.stage, worker, at_seconds, lanes);
    }

    fn count(&self, result: TransactionResult, commit_seconds: f64) {
        self.around.metrics.transaction_ended(self.spec.stage, result, commit_seconds);
    }
}

/// Milliseconds as Prometheus wants them.
fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

#[cfg(test)]
#[path = "worker_abort_test.rs"]
mod tests;
