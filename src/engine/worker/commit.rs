//! One turn of a worker: records in, what came of them committed at once or in parts, what follows a commit.
//!
//! Promise: nothing is told to a store or to the world before the commit that holds it; an aborted turn leaves nothing behind.
//! What decides is in [`crate::engine::turn`].

use std::collections::BTreeMap;

use crate::broker::record::{Output, Record};
use crate::clock::Stopwatch;
use crate::domain::time::Timestamp;
use crate::engine::context::{Committed, Rows};
use crate::engine::error::Error;
use crate::engine::exchange::Exchange;
use crate::engine::stage::{Exit, Stage};
use crate::engine::turn::{self, Turn};
use crate::engine::worker::{Worker, seconds};
use crate::metrics::TransactionResult;
use crate::store::Checkpoint;

impl<S: Stage> Worker<S> {
    pub(super) fn turn(
        &mut self,
        session: &mut impl Exchange,
        records: &[Record],
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
    pub(super) fn uncommitted(&mut self, sent: usize, waiting: usize) -> usize {
        let rows: usize = self.lanes.values().map(|rows| rows.overlay.len()).sum();
        let bytes = sent.saturating_add((rows + waiting).saturating_mul(self.row_bytes));
        self.uncommitted_most = self.uncommitted_most.max(bytes);
        bytes
    }

    /// Makes a turn, or a part of one, true: what came of `records`.
    pub(super) fn commit(
        &mut self,
        session: &mut impl Exchange,
        mut turn: Turn<S::Action>,
        (records, now, stopwatch): (&[Record], Timestamp, Stopwatch),
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
    pub(super) fn forget_heard(&mut self, heard: bool) {
        if heard && (!self.lanes.is_empty() || self.told_to_stop()) {
            self.heard.clear();
        }
    }

    /// Carries actions out and counts, now that the turn is true.
    pub(super) fn after_commit(&mut self, turn: Turn<S::Action>, records: &[Record]) {
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

    /// Nothing of the turn became true: drops it, and reads its input again.
    pub(super) fn abort(
        &mut self,
        session: &mut impl Exchange,
        error: &Error,
    ) -> Result<(), Error> {
        tracing::warn!(stage = self.spec.stage.name(), %error, "turn aborted, read again");
        for rows in self.lanes.values_mut() {
            rows.overlay.clear();
        }
        self.stage.forget();
        self.marks.begin(self.lanes.keys().copied(), self.around.clock.now());
        self.count(TransactionResult::Aborted, 0.0);
        Ok(session.abort()?)
    }
}
