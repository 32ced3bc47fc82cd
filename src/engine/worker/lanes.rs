//! Lanes of a worker come and go: restored and taken, closed and given up, their checkpoints moved on.
//!
//! Promise: a lane is taken when its rows are whole, and given up when its store is closed or nothing of it is pending.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::domain::time::HOUR_MS;
use crate::engine::context::{Committed, Rows};
use crate::engine::error::Error;
use crate::engine::exchange::Exchange;
use crate::engine::lane;
use crate::engine::restore::{Restorer, Tools};
use crate::engine::stage::Stage;
use crate::engine::worker::{Surroundings, Worker};
use crate::store::Checkpoint;

/// How long the last rows of all lanes may take to disk at the end, and those of lanes that are asked back.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// How often a lane's checkpoint moves up to the changelog's end: what a crash replays at most.
const CHECKPOINT_EVERY_MS: u64 = 2_000;

/// A checkpoint that stays in its place is said to be true again this often, or a store that rests would grow too old.
const CHECKPOINT_AGES_MS: u64 = HOUR_MS;

impl<S: Stage> Worker<S> {
    /// Looks where the changelogs of the lanes end, from time to time.
    ///
    /// An end is not a checkpoint yet: whoever stood still for too long may have lost the lane without knowing, and see
    /// what its successor wrote. The next commit for the group tells.
    pub(super) fn look_at_ends(&mut self, now_ms: u64) {
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
    pub(super) fn move_checkpoints(&mut self) -> Result<(), Error> {
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
    pub(super) fn receive(
        &mut self,
        session: &mut impl Exchange,
        lanes: &[u32],
    ) -> Result<(), Error> {
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
    pub(super) fn bring_back(&mut self, session: &mut impl Exchange) -> Result<(), Error> {
        let (Some(restorer), Some(writer)) = (&mut self.restorer, &self.writer) else {
            return Ok(());
        };
        restorer.pace(writer);
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

    /// Writes what is pending and closes the stores: the session ends in order.
    pub fn close_lanes(&mut self) {
        let restored = self.restorer.iter().flat_map(Restorer::lanes);
        let lanes: Vec<u32> = self.lanes.keys().copied().chain(restored).collect();
        self.close_these(&lanes);
    }

    /// All of them within one bound: whatever is not on disk by then is replayed.
    pub(super) fn close_these(&mut self, lanes: &[u32]) {
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
}
