//! What others see of a worker: its heartbeat, its lag, lanes that stand still, what it counts.
//!
//! Not here: any effect on what it does.

use std::sync::atomic::Ordering;

use crate::broker::Session;
use crate::engine::restore::Restorer;
use crate::engine::stage::Stage;
use crate::engine::worker::{Worker, seconds};
use crate::metrics::TransactionResult;
use crate::store::StoreWriter;

impl<S: Stage> Worker<S> {
    /// Looks from time to time how far behind the lanes are, and tells.
    pub(super) fn look_round(&mut self, session: &Session) {
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

    /// What is not waited for any longer.
    pub(super) fn say_what_is_left(&self) {
        if self.in_flight > 0 {
            let (stage, actions) = (self.spec.stage.name(), self.in_flight);
            tracing::warn!(stage, actions, "stopped before all that was begun had ended");
        }
    }

    pub(super) fn beat(&self) {
        let now = self.around.clock.now();
        self.pulse.beat_at_ms.store(now.as_ms(), Ordering::Relaxed);
        let lanes = self.lanes.len();
        self.pulse.lanes.store(u64::try_from(lanes).unwrap_or(u64::MAX), Ordering::Relaxed);
        let at_seconds = i64::try_from(now.as_ms() / 1_000).unwrap_or(i64::MAX);
        let worker = &self.spec.session.member;
        self.around.metrics.worker_alive(self.spec.stage, worker, at_seconds, lanes);
    }

    pub(super) fn count(&self, result: TransactionResult, commit_seconds: f64) {
        self.around.metrics.transaction_ended(self.spec.stage, result, commit_seconds);
    }
}
