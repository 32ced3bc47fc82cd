//! One turn of a worker: records in, what came of them committed at once or in parts, what follows a commit.
//!
//! Promise: nothing is told to a store or to the world before the commit that holds it; an aborted turn leaves nothing behind.
//! What decides is in [`crate::engine::turn`].

use std::collections::BTreeMap;

use crate::broker::record::{Output, Record};
use crate::clock::Stopwatch;
use crate::domain::settings::SettingsTable;
use crate::domain::time::Timestamp;
use crate::engine::context::{Committed, Rows};
use crate::engine::error::Error;
use crate::engine::exchange::Exchange;
use crate::engine::stage::{Exit, Stage};
use crate::engine::turn::{self, Turn};
use crate::engine::worker::{TURN, Worker, seconds};
use crate::metrics::TransactionResult;
use crate::store::{Checkpoint, RowChange};

/// What becomes true with the next commit: a turn, or a part of one.
pub(super) struct Part {
    /// When its turn began.
    now: Timestamp,
    watch: Stopwatch,
    /// Bytes sent.
    bytes: usize,
    /// When its records were written.
    times: Vec<Timestamp>,
}

impl Part {
    fn begin(now: Timestamp) -> Self {
        Self { now, watch: Stopwatch::start(), bytes: 0, times: Vec::new() }
    }

    /// Gives this part away; the next one begins.
    fn next(&mut self) -> Self {
        let next = Self { now: self.now, watch: self.watch, bytes: 0, times: Vec::new() };
        std::mem::replace(self, next)
    }
}

impl<S: Stage> Worker<S> {
    /// Decides what was read, and what is at hand behind it, and makes that true.
    ///
    /// It reads slice by slice, each in the memory of the one before, while that is in the processor's cache. A turn of thousands
    /// of records taken in at once costs a tenth more (docs/benchmarks.md).
    pub(super) fn turn(
        &mut self,
        session: &mut impl Exchange,
        (mut slice, mut drained): (Vec<Record>, bool),
    ) -> Result<(), Error> {
        let settings = self.around.settings.load_full();
        let now = self.around.clock.now();
        let (mut turn, mut part) = (Turn::default(), Part::begin(now));
        let mut room = TURN;
        loop {
            self.marks.take_in(&slice, drained, now);
            self.progress.came(&slice, now);
            let has_room = room.takes(&slice) && part.watch.elapsed() < self.limits.lasts;
            let last = slice.is_empty() || drained || !has_room;
            self.decide(session, (&slice, last), (&mut turn, &mut part), &settings)?;
            if last {
                break;
            }
            (slice, drained) = session.read_on(&self.slice_of(&room), slice)?;
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
        self.uncommitted(part.bytes, turn.outputs.waiting());
        self.commit(session, turn, &part, &settings)?;
        self.look_at_ends(now.as_ms());
        Ok(())
    }

    /// Decides a slice and hands the broker what came of it; commits early where that is more than a turn may hold, unless the
    /// turn ends here anyway.
    fn decide(
        &mut self,
        session: &mut impl Exchange,
        (slice, last): (&[Record], bool),
        (turn, part): (&mut Turn<S::Action>, &mut Part),
        settings: &SettingsTable,
    ) -> Result<(), Error> {
        let mut chunks = slice.chunks(self.limits.slice_records).peekable();
        while let Some(chunk) = chunks.next() {
            turn::apply(&mut self.stage, (&mut self.lanes, settings), chunk, turn)?;
            part.times.extend(chunk.iter().map(|record| record.timestamp));
            for output in turn.take_ready() {
                part.bytes += output.bytes();
                session.send(&output)?;
            }
            let uncommitted = self.uncommitted(part.bytes, turn.outputs.waiting());
            let ends = last && chunks.peek().is_none();
            if !ends && uncommitted > self.limits.uncommitted_bytes {
                // It becomes true before the rest is looked at.
                let (turn, part) = (std::mem::take(turn), part.next());
                self.commit(session, turn, &part, settings)?;
            }
        }
        Ok(())
    }

    /// Bytes of this turn that are not true yet: what was sent; rows, and records that wait for the turn's end, at the size that
    /// rows had in the commit before.
    pub(super) fn uncommitted(&mut self, sent: usize, waiting: usize) -> usize {
        let rows: usize = self.lanes.values().map(Rows::waiting).sum();
        let bytes = sent.saturating_add((rows + waiting).saturating_mul(self.row_bytes));
        self.uncommitted_most = self.uncommitted_most.max(bytes);
        bytes
    }

    /// Makes a turn, or a part of one, true.
    pub(super) fn commit(
        &mut self,
        session: &mut impl Exchange,
        mut turn: Turn<S::Action>,
        part: &Part,
        settings: &SettingsTable,
    ) -> Result<(), Error> {
        if turn.is_empty() && turn::is_untouched(&self.lanes) {
            self.forget_heard(turn.hears);
            return Ok(());
        }
        let changes = self.settle(session, &mut turn, part.now, settings)?;
        for output in turn.take_rest() {
            session.send(&output)?;
        }
        session.commit(&turn.next_offsets)?;
        // At once: a store that fails below must not have it heard again.
        self.forget_heard(turn.hears);
        self.count(TransactionResult::Committed, part.watch.elapsed().as_secs_f64());
        self.progress.committed(&turn.next_offsets);
        let has_consumed = !turn.next_offsets.is_empty();
        // First what the commit allows: a store that fails ends this session.
        self.after_commit(turn, &part.times);
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

    /// Hands the broker what the turn made of rows: the changes that the stores take over after the commit, by lane.
    fn settle(
        &mut self,
        session: &mut impl Exchange,
        turn: &mut Turn<S::Action>,
        now: Timestamp,
        settings: &SettingsTable,
    ) -> Result<BTreeMap<u32, Vec<RowChange>>, Error> {
        let Some(changelog) = self.spec.changelog else { return Ok(BTreeMap::new()) };
        let (mut rows, mut bytes) = (0_usize, 0_usize);
        let send = |output: &Output| {
            if output.topic == changelog {
                rows += 1;
                bytes = bytes.saturating_add(output.bytes());
            }
            session.send(output).map_err(Error::from)
        };
        let changes = turn::settle((&mut self.lanes, settings), (changelog, now), turn, send)?;
        self.row_bytes = bytes.checked_div(rows).unwrap_or(self.row_bytes);
        Ok(changes)
    }

    /// What came of actions has been taken in, if the turn did. Without lanes it was not: they come back, or another one's
    /// timers see to it.
    pub(super) fn forget_heard(&mut self, heard: bool) {
        if heard && (!self.lanes.is_empty() || self.told_to_stop()) {
            self.heard.clear();
        }
    }

    /// Carries actions out and counts, now that the turn is true.
    pub(super) fn after_commit(&mut self, turn: Turn<S::Action>, times: &[Timestamp]) {
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
        for time in times {
            metrics.committed_after(seconds(now.since_ms(*time)));
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
            rows.forget();
        }
        self.stage.forget();
        self.marks.begin(self.lanes.keys().copied(), self.around.clock.now());
        self.count(TransactionResult::Aborted, 0.0);
        Ok(session.abort()?)
    }
}
