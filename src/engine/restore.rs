//! How a lane's rows come back after a crash or a move: the changelog is replayed into its store, a batch at a time.
//!
//! Truth is the changelog; the store is a view of it with a checkpoint. A store that cannot be trusted is set aside and
//! everything is replayed. Between two batches the worker goes round: its other lanes are served, the group sees it, and
//! a lane that cannot be restored now holds up no other.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::broker::{Broker, NextOffsets, PollBounds, Reader, Remedy};
use crate::domain::time::{HOUR_MS, SECOND_MS, Timestamp};
use crate::engine::context::{Committed, Rows};
use crate::engine::error::Error;
use crate::engine::stage::Row;
use crate::store::{Checkpoint, Doubt, Gathered, Lane, Opened, Place, Store, StoreWriter, Trusted};
use crate::topics::Topic;

/// How much is replayed at a time: small enough for the writer's bound, large enough to batch. The wait is short, for another
/// lane may have something at hand.
const REPLAY: PollBounds =
    PollBounds { records_max: 10_000, bytes_max: 8 << 20, wait: Duration::from_millis(2) };
/// How much of a lane is gathered before it goes to the store, and how much of it waits to be written before no more is
/// replayed: rows come in no order of keys, so that each write touches every leaf of the store, and fewer and larger ones spare
/// most of the work. Both together are less than what makes a submission wait.
const LANE_BYTES_MAX: u64 = 60 << 20;
/// Lanes restored at the same time: one is read while another is written.
const AT_ONCE: usize = 2;
/// What is gathered of a lane is at most this share of what may wait in all: of several lanes at once it is a part, and what
/// follows waits for room that comes.
const GATHERED_SHARE: u64 = 4;
/// How much earlier than the changelog may forget a deletion a store is given up: clocks differ, and a restore takes time.
const MARGIN_MS: u64 = HOUR_MS;
/// Pause before a failed restore is tried again, doubled each time up to the second value.
const PAUSE_MS: (u64, u64) = (SECOND_MS, 30 * SECOND_MS);
/// How long a write under way may take when its lane is given up, or its next owner finds the store locked.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// How often a long restore says where it is.
const TELL_EVERY_MS: u64 = 5 * SECOND_MS;

/// What restoring works with.
#[derive(Debug, Clone, Copy)]
pub struct Tools<'a> {
    /// Where the changelog is.
    pub broker: &'a Broker,
    /// Who writes the stores.
    pub writer: &'a StoreWriter,
    /// When it is.
    pub now: Timestamp,
}

/// A lane that is back.
#[derive(Debug)]
pub struct Restored<R> {
    /// Its rows.
    pub rows: Rows<R>,
    /// What its store has.
    pub checkpoint: Checkpoint,
    /// Changelog records replayed.
    pub records: u64,
}

/// Lanes on their way back.
#[derive(Debug)]
pub struct Restorer<R> {
    changelog: Topic,
    /// A folder a lane.
    stores: Place,
    lanes: BTreeMap<u32, Way<R>>,
    /// Bytes that may wait for the disk, in all lanes.
    room: u64,
    told_at: Timestamp,
}

/// How far a lane is.
#[derive(Debug)]
enum Way<R> {
    /// To be begun, after a failure not before this moment.
    Waiting { not_before: Timestamp, pause_ms: u64 },
    /// Being replayed.
    Replayed(Box<Replay>, u64),
    /// Whole; it waits to be taken.
    Whole(Restored<R>),
}

impl<R: Row> Restorer<R> {
    /// Nothing to restore yet; each lane has its store inside `stores`, and `room` bytes of all of them may wait for the disk.
    #[must_use]
    pub const fn new(changelog: Topic, stores: Place, room: u64) -> Self {
        let told_at = Timestamp::from_ms(0);
        Self { changelog, stores, lanes: BTreeMap::new(), room, told_at }
    }

    /// These lanes are to come back.
    pub fn begin(&mut self, lanes: &[u32]) {
        for lane in lanes {
            let not_before = Timestamp::from_ms(0);
            self.lanes.insert(*lane, Way::Waiting { not_before, pause_ms: PAUSE_MS.0 });
        }
    }

    /// These lanes are another's: their stores are closed. What was replayed and is not on disk yet is not written; whoever gets
    /// them reads it again.
    pub fn give_up(&mut self, lanes: &[u32]) {
        for lane in lanes {
            let desk = match self.lanes.remove(lane) {
                Some(Way::Replayed(replay, _)) => replay.desk,
                Some(Way::Whole(Restored {
                    rows: Rows { committed: Committed::Lane(desk), .. },
                    ..
                })) => desk,
                Some(Way::Whole(_) | Way::Waiting { .. }) | None => continue,
            };
            let closed = desk.let_go(CLOSE_WITHIN).and_then(Store::close);
            if let Err(error) = closed {
                tracing::debug!(lane, %error, "a lane on its way back was closed badly");
            }
        }
    }

    /// The lanes on their way.
    pub fn lanes(&self) -> impl Iterator<Item = u32> + '_ {
        self.lanes.keys().copied()
    }

    /// Whether none are.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Records still to be replayed, as far as lanes have begun.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        let of = |way: &Way<R>| match way {
            Way::Replayed(replay, _) => replay.end.saturating_sub(replay.next),
            Way::Waiting { .. } | Way::Whole(_) => 0,
        };
        self.lanes.values().map(of).sum()
    }

    /// Replays one batch of each lane under way. `set_aside` hears of each store that was not trusted.
    ///
    /// # Errors
    ///
    /// What a person must look at. Whatever else stops a lane is logged, and that lane begins again after a pause.
    pub fn step(
        &mut self,
        tools: Tools<'_>,
        mut set_aside: impl FnMut(Doubt),
    ) -> Result<(), Error> {
        let gathered_max = (self.room / GATHERED_SHARE).min(LANE_BYTES_MAX);
        let is_full = tools.writer.pending_bytes().saturating_add(self.gathered()) > self.room;
        let bounds = Bounds { is_full, gathered_max };
        let begun = self.lanes.values().filter(|way| matches!(way, Way::Replayed(..))).count();
        let mut room = AT_ONCE.saturating_sub(begun);
        for (lane, way) in &mut self.lanes {
            let (stepped, pause_ms) = match way {
                Way::Whole(_) => continue,
                Way::Waiting { not_before, .. } if *not_before > tools.now || room == 0 => continue,
                Way::Waiting { pause_ms, .. } => {
                    room -= 1;
                    let place = ((self.changelog, *lane), &self.stores.join(&lane.to_string()));
                    (Replay::begin(tools, place, &mut set_aside).map(Some), *pause_ms)
                }
                Way::Replayed(replay, pause_ms) => match replay.step::<R>(tools.writer, &bounds) {
                    Ok(false) => continue,
                    Ok(true) => (Ok(None), *pause_ms),
                    Err(error) => (Err(error), *pause_ms),
                },
            };
            match stepped {
                Ok(Some(replay)) => *way = Way::Replayed(Box::new(replay), pause_ms),
                Ok(None) => way.end(tools.now),
                Err(error) if error.remedy() == Remedy::Stop => return Err(error),
                Err(error) => {
                    tracing::warn!(lane, %error, pause_ms, "a lane is not restored yet; it begins again");
                    let not_before = tools.now.plus_ms(pause_ms);
                    let pause_ms = pause_ms.saturating_mul(2).min(PAUSE_MS.1);
                    *way = Way::Waiting { not_before, pause_ms };
                }
            }
        }
        self.tell(tools.now);
        Ok(())
    }

    /// Nothing is written while lanes come back, unless too much waits; and then at once, if it is much. To be said in every
    /// round: lanes may be another's before they are whole.
    pub fn pace(&self, writer: &StoreWriter) {
        let reads = self.lanes.values().any(|way| !matches!(way, Way::Whole(_)));
        let read = writer.hold_back(reads);
        if read && !reads && writer.pending_bytes() > self.room / 4 {
            writer.hurry();
        }
    }

    /// A lane that is whole; it stays here until it is [`Restorer::take`]n.
    #[must_use]
    pub fn whole(&self) -> Option<u32> {
        self.lanes.iter().find(|(_, way)| matches!(way, Way::Whole(_))).map(|(lane, _)| *lane)
    }

    /// Takes a whole lane out.
    #[must_use]
    pub fn take(&mut self, lane: u32) -> Option<Restored<R>> {
        match self.lanes.remove(&lane)? {
            Way::Whole(restored) => Some(restored),
            unfinished @ (Way::Waiting { .. } | Way::Replayed(..)) => {
                self.lanes.insert(lane, unfinished);
                None
            }
        }
    }

    /// Bytes that are not given to a store yet.
    fn gathered(&self) -> u64 {
        let of = |way: &Way<R>| match way {
            Way::Replayed(replay, _) => replay.gathered.bytes(),
            Way::Waiting { .. } | Way::Whole(_) => 0,
        };
        self.lanes.values().map(of).sum()
    }

    fn tell(&mut self, now: Timestamp) {
        let remaining = self.remaining();
        if remaining > 0 && now.since_ms(self.told_at) >= TELL_EVERY_MS {
            let begun = self.told_at.as_ms() > 0;
            self.told_at = now;
            if begun {
                let (changelog, lanes) = (self.changelog.name(), self.lanes.len());
                tracing::info!(
                    changelog,
                    lanes,
                    restore.remaining_records = remaining,
                    "lanes are being restored"
                );
            }
        }
    }
}

impl<R> Way<R> {
    /// The end of the changelog was reached.
    fn end(&mut self, now: Timestamp) {
        let waiting = Self::Waiting { not_before: now, pause_ms: PAUSE_MS.0 };
        if let Self::Replayed(replay, _) = std::mem::replace(self, waiting) {
            let Replay { place: (_, lane), desk, next, opened_at, records, .. } = *replay;
            let took_ms = now.since_ms(opened_at);
            tracing::debug!(
                lane,
                restore.records = records,
                restore.took_ms = took_ms,
                "lane restored"
            );
            let checkpoint = Checkpoint::at(next).true_at(opened_at.as_ms());
            *self = Self::Whole(Restored {
                rows: Rows::new(Committed::Lane(desk)),
                checkpoint,
                records,
            });
        }
    }
}

/// How much of what is replayed may wait.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// All lanes together have no room.
    is_full: bool,
    /// Bytes of one lane, to be given to its store.
    gathered_max: u64,
}

/// One lane's changelog on its way into its store.
#[derive(Debug)]
struct Replay {
    place: (Topic, u32),
    desk: Lane,
    reader: Reader,
    next: u64,
    /// Replayed and not yet given to the store.
    gathered: Gathered,
    /// Where the changelog ended at first; more may come.
    end: u64,
    /// Since when the reader was open: what was deleted before is below the end it finds.
    opened_at: Timestamp,
    /// When the store was true on disk: until the end is reached it is not truer than that.
    true_at_ms: u64,
    records: u64,
}

impl Replay {
    fn begin(
        tools: Tools<'_>,
        ((changelog, lane), store): ((Topic, u32), &Place),
        set_aside: &mut impl FnMut(Doubt),
    ) -> Result<Self, Error> {
        let (start, end) = tools.broker.extent(changelog, lane)?;
        let trusted = trusted(changelog, (start, end), tools.now);
        let (store, from) = match store.open(trusted)? {
            Opened::Fresh(store) => (store, Checkpoint::at(0)),
            Opened::Resumed(store, checkpoint) => (store, checkpoint),
            Opened::Quarantined { store, doubt, reason, .. } => {
                tracing::warn!(lane, %reason, "store set aside; rebuilding it from the changelog");
                set_aside(doubt);
                (store, Checkpoint::at(0))
            }
        };
        let next = from.next_offset;
        let reader = tools.broker.reader(&NextOffsets::from([((changelog, lane), next)]))?;
        let (place, desk, true_at_ms) =
            ((changelog, lane), tools.writer.lane(store), from.true_at_ms);
        let (opened_at, gathered) = (tools.now, Gathered::default());
        Ok(Self { place, desk, reader, next, gathered, end, opened_at, true_at_ms, records: 0 })
    }

    /// Replays one batch, unless too much of what was replayed is still to be written; whether the end is reached.
    fn step<R: Row>(&mut self, writer: &StoreWriter, bounds: &Bounds) -> Result<bool, Error> {
        if bounds.is_full || self.desk.pending_bytes() > LANE_BYTES_MAX {
            writer.hurry();
            return Ok(false);
        }
        let (gathered, mut unread) = (&mut self.gathered, None);
        let shown = self.reader.show(&REPLAY, |key, value| {
            match value.map_or(Ok(None), |bytes| R::due_in(bytes)) {
                Ok(due) => gathered.push(key, value, due.map(Timestamp::as_ms)),
                Err(error) => unread = unread.take().or(Some(error)),
            }
        })?;
        if let Some(error) = unread {
            return Err(error.into());
        }
        self.records += u64::try_from(shown.records).unwrap_or(u64::MAX);
        self.next = shown.next.get(&self.place).copied().unwrap_or(self.next).max(self.next);
        if shown.at_end {
            self.true_at_ms = self.opened_at.as_ms();
        }
        if shown.at_end || self.gathered.bytes() >= bounds.gathered_max {
            self.give_to_the_store()?;
        }
        Ok(shown.at_end)
    }

    /// What was gathered is written behind, as far as it goes.
    fn give_to_the_store(&mut self) -> Result<(), Error> {
        let gathered = std::mem::take(&mut self.gathered);
        let checkpoint = Checkpoint::at(self.next).true_at(self.true_at_ms);
        Ok(self.desk.load(gathered, checkpoint)?)
    }
}

/// Which stores the changelog can still bring up to date.
fn trusted(changelog: Topic, (start, end): (u64, u64), now: Timestamp) -> Trusted {
    let kept_ms = changelog.declaration().deletions_kept_ms;
    let since_ms = kept_ms.map_or(0, |ms| now.minus_ms(ms.saturating_sub(MARGIN_MS)).as_ms());
    Trusted { start, end, since_ms, until_ms: now.plus_ms(MARGIN_MS).as_ms() }
}
