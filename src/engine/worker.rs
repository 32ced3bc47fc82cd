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

use crate::broker::{Broker, PollBounds, Polled, Remedy, Session, SessionSpec};
use crate::clock::{Clock, Stopwatch};
use crate::domain::settings::SettingsTable;
use crate::engine::context::{Committed, Rows};
use crate::engine::error::Error;
use crate::engine::exchange::Exchange;
use crate::engine::lane;
use crate::engine::stage::{Exit, Stage};
use crate::engine::turn::{self, Lanes, Turn};
use crate::metrics::{Metrics, StageName, TransactionResult};
use crate::store::{Checkpoint, Place, StoreWriter};
use crate::topics::Topic;

/// What a turn takes in at most. It ends when the input is empty or a bound is reached, not by a clock.
const TURN: PollBounds =
    PollBounds { records_max: 5_000, bytes_max: 8 << 20, wait: Duration::from_millis(20) };

/// After so many records of a turn the broker is handed what came of them: it compresses and delivers while the next ones are
/// decided, and what is at work at a time stays in the processor's cache.
const SLICE_RECORDS: usize = 256;

/// How often a lane's checkpoint moves up to the changelog's end: what a crash replays at most.
const CHECKPOINT_EVERY_MS: u64 = 2_000;

/// How often the checkpoint of a lane whose changelog does not grow is renewed, so that it does not grow old.
const CHECKPOINT_RENEWED_MS: u64 = 60 * 60 * 1_000;

/// Pause before a failed session is rebuilt, doubled each time up to the second value.
const REBUILD_PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Where an action's outcome comes back: lane and completion.
pub type Completions<S> = Sender<(u32, <S as Stage>::Completion)>;

/// Carries an action out in the world, after the commit; must not block.
pub type Act<S> = Box<dyn Fn(u32, <S as Stage>::Action, Completions<S>) + Send>;

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
    /// It has been given its lanes once, or learnt that there are none for it.
    pub joined: AtomicBool,
}

/// A worker; [`Worker::run`] is its life.
pub struct Worker<S: Stage> {
    spec: WorkerSpec,
    around: Surroundings,
    stage: S,
    act: Act<S>,
    lanes: Lanes<S::Row>,
    completions: (Completions<S>, Receiver<(u32, S::Completion)>),
    in_flight: usize,
    /// What came of actions and is not in a commit yet: an aborted turn must not lose it.
    heard: Vec<(u32, S::Completion)>,
    writer: Option<StoreWriter>,
    checkpoint_at_ms: u64,
    checkpoints: BTreeMap<u32, Checkpoint>,
    /// Ends of changelogs seen, which the next commit proves to be ours.
    seen_ends: BTreeMap<u32, Checkpoint>,
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
            lanes: Lanes::new(),
            completions: std::sync::mpsc::channel(),
            in_flight: 0,
            heard: Vec::new(),
            writer: None,
            checkpoint_at_ms: 0,
            checkpoints: BTreeMap::new(),
            seen_ends: BTreeMap::new(),
            pulse,
        }
    }

    /// Goes round until told to stop. Blocks the thread it runs on.
    ///
    /// # Errors
    ///
    /// Only what a person must look at ([`Remedy::Stop`]); everything else is retried for ever, counted and logged.
    pub fn run(mut self) -> Result<(), Error> {
        let mut pause = REBUILD_PAUSE.0;
        while !self.told_to_stop() {
            let ended = self.session_life();
            self.drop_lanes();
            match ended {
                Ok(()) => return Ok(()),
                Err(error) if error.remedy() == Remedy::Stop => return Err(error),
                Err(error) => {
                    tracing::warn!(stage = self.spec.stage.name(), %error, "session rebuilt");
                    self.count(TransactionResult::Fenced, 0.0);
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(REBUILD_PAUSE.1);
                }
            }
        }
        Ok(())
    }

    /// From joining the group to leaving it; `Ok` when told to stop.
    fn session_life(&mut self) -> Result<(), Error> {
        let mut session = self.begin()?;
        let ended = loop {
            self.beat();
            if self.is_done() {
                break Ok(());
            }
            if let Err(error) = self.round(&mut session) {
                break Err(error);
            }
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
        let polled = session.poll(&TURN)?;
        match polled {
            Polled::Records { records, drained } => self.turn(session, &records, drained),
            Polled::Idle => {
                self.pulse.joined.store(true, Ordering::Relaxed);
                self.turn(session, &[], true)
            }
            Polled::Assigned(lanes) => {
                // They are offered once: whoever could not take them is offered them again as a new session.
                self.restore(&lanes).map_err(|error| match error.remedy() {
                    Remedy::Retry | Remedy::Abort => {
                        crate::broker::Error::Fatal(format!("lanes were not restored: {error}"))
                            .into()
                    }
                    Remedy::Rebuild | Remedy::Stop => error,
                })?;
                self.pulse.joined.store(true, Ordering::Relaxed);
                Ok(session.take(&lanes)?)
            }
            Polled::Revoked(lanes) => {
                self.stage.forget();
                for lane in &lanes {
                    self.close_lane(*lane);
                }
                Ok(session.give_up(&lanes)?)
            }
            Polled::Lost(lanes) => {
                self.stage.forget();
                for lane in &lanes {
                    self.lanes.remove(lane);
                    self.seen_ends.remove(lane);
                }
                Ok(session.give_up(&lanes)?)
            }
        }
    }

    fn turn(
        &mut self,
        session: &mut impl Exchange,
        records: &[crate::broker::record::Record],
        drained: bool,
    ) -> Result<(), Error> {
        let settings = self.around.settings.load_full();
        let now = self.around.clock.now();
        let mut turn = Turn::default();
        let before = self.heard.len();
        self.heard.extend(self.completions.1.try_iter());
        self.in_flight = self.in_flight.saturating_sub(self.heard.len() - before);
        let (stage, lanes) = (&mut self.stage, &mut self.lanes);
        let stopwatch = Stopwatch::start();
        for slice in records.chunks(SLICE_RECORDS) {
            turn::apply(stage, (lanes, &settings), slice, &mut turn)?;
            for output in turn.take_ready() {
                session.send(output)?;
            }
        }
        turn::complete(stage, (lanes, &settings), self.heard.clone(), now, &mut turn)?;
        turn::fire_due(stage, (lanes, &settings), (now, drained), &mut turn)?;
        let (changelog, changes) = match self.spec.changelog {
            Some(changelog) => turn::take_changes(lanes, changelog, now),
            None => (Vec::new(), BTreeMap::new()),
        };
        if turn.is_empty() && changelog.is_empty() {
            self.forget_heard();
            self.look_at_ends(now.as_ms());
            return Ok(());
        }
        for output in turn.take_rest().into_iter().chain(changelog) {
            session.send(output)?;
        }
        session.commit(&turn.next_offsets)?;
        self.count(TransactionResult::Committed, stopwatch.elapsed().as_secs_f64());
        self.forget_heard();
        let has_consumed = !turn.next_offsets.is_empty();
        // First what the commit allows, for a store that fails ends this session.
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
        self.look_at_ends(now.as_ms());
        Ok(())
    }

    /// What came of actions has been taken in. Without lanes it was not: they come back, or another one's timers see to it.
    fn forget_heard(&mut self) {
        if !self.lanes.is_empty() || self.told_to_stop() {
            self.heard.clear();
        }
    }

    /// Carries actions out and counts, now that the turn is true.
    fn after_commit(&mut self, turn: Turn<S::Action>, records: &[crate::broker::record::Record]) {
        let (metrics, stage) = (&self.around.metrics, self.spec.stage);
        for exit in &turn.exits {
            match exit {
                Exit::Emitted => metrics.record_left(stage, "emitted"),
                Exit::Skipped(why) => {
                    metrics.record_left(stage, "skipped");
                    metrics.record_skipped(stage, why);
                }
                Exit::Rejected(_) => metrics.record_left(stage, "rejected"),
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
                Ok(end) => {
                    self.seen_ends.insert(lane, Checkpoint::at(end).as_of(now_ms));
                }
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
        for (lane, end) in std::mem::take(&mut self.seen_ends) {
            let known = self.checkpoints.entry(lane).or_insert(Checkpoint::at(0));
            let moved = known.next_offset < end.next_offset
                || known.as_of_ms.saturating_add(CHECKPOINT_RENEWED_MS) < end.as_of_ms;
            if moved
                && let Some(Rows { committed: Committed::Lane(desk), .. }) = self.lanes.get(&lane)
            {
                desk.submit(Vec::new(), end)?;
                *known = end;
            }
        }
        Ok(())
    }

    fn restore(&mut self, lanes: &[u32]) -> Result<(), Error> {
        for &lane in lanes {
            let (Some(changelog), Some(writer)) = (self.spec.changelog, &self.writer) else {
                let rows = Rows::new(Committed::Memory(BTreeMap::new()));
                self.lanes.insert(lane, rows);
                continue;
            };
            let place = self.spec.stores.join(self.spec.stage.name()).join(&lane.to_string());
            let (pulse, clock) = (&self.pulse, &self.around.clock);
            let now_ms = clock.now().as_ms();
            let alive = |_| pulse.beat_at_ms.store(clock.now().as_ms(), Ordering::Relaxed);
            let (rows, restored) = lane::restore(
                (&self.around.broker, writer),
                (changelog, lane),
                (&place, now_ms),
                alive,
            )?;
            let metrics = &self.around.metrics;
            metrics.lane_restored(self.spec.stage, restored.records, restored.quarantined);
            tracing::debug!(
                stage = self.spec.stage.name(),
                lane,
                restored.records = restored.records,
                "lane restored"
            );
            let end = self.around.broker.end_offset(changelog, lane)?;
            self.checkpoints.insert(lane, Checkpoint::at(end).as_of(now_ms));
            self.lanes.insert(lane, rows);
        }
        Ok(())
    }

    /// Nothing of the turn became true: drops it, and reads its input again.
    fn abort(&mut self, session: &mut impl Exchange, error: &Error) -> Result<(), Error> {
        tracing::warn!(stage = self.spec.stage.name(), %error, "turn aborted, read again");
        for rows in self.lanes.values_mut() {
            rows.overlay.clear();
        }
        self.stage.forget();
        self.count(TransactionResult::Aborted, 0.0);
        Ok(session.abort()?)
    }

    /// Writes what is pending and closes the stores: the session ends in order.
    pub fn close_lanes(&mut self) {
        let lanes: Vec<u32> = self.lanes.keys().copied().collect();
        for lane in lanes {
            self.close_lane(lane);
        }
    }

    fn close_lane(&mut self, lane: u32) {
        self.checkpoints.remove(&lane);
        self.seen_ends.remove(&lane);
        let Some(rows) = self.lanes.remove(&lane) else { return };
        if let Err(error) = lane::close(rows) {
            tracing::warn!(lane, %error, "store closed badly; its next owner replays more");
        }
    }

    /// Forgets lanes and all that is in memory: the session is gone.
    pub fn drop_lanes(&mut self) {
        self.stage.forget();
        self.lanes.clear();
        self.checkpoints.clear();
        self.seen_ends.clear();
        self.writer = None;
        self.pulse.lanes.store(0, Ordering::Relaxed);
    }

    /// Told to stop, and nothing it began is under way.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.told_to_stop() && self.in_flight == 0 && self.heard.is_empty()
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
#[path = "worker_test.rs"]
mod tests;
