//! A member of a group: reads the lanes it owns, and commits what came of them with how far it read.
//!
//! Promise: a commit is all or nothing; it fails when a lane it worked on is another's by now, and for good when the
//! same member was opened again. After a failed one nothing is committed before an abort.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use crate::broker::record::{Output, Record};
use crate::broker::{Error, Lag, NextOffsets, PollBounds, Polled, SessionSpec};
use crate::clock::Stopwatch;
use crate::topics::Topic;

use super::Handle;
use super::cursor::{Cursor, Room, Stop};
use super::group::{News, Seat};
use super::shared::{Answer, Request, SeatClaim, Shared};
use super::sync::locked;

/// While a hand-over is awaited, its patience is looked at so often.
const HAND_OVER_LOOK: Duration = Duration::from_millis(20);

/// A member of a group, opened once.
#[derive(Debug)]
pub struct Session {
    handle: Arc<Handle>,
    group: String,
    seat: Seat,
    inputs: Vec<Topic>,
    /// By lane, a cursor for each input.
    lanes: BTreeMap<u32, Vec<Cursor>>,
    outputs: Vec<(u32, Output)>,
    outputs_bytes: usize,
    /// A commit failed; only an abort helps.
    failed: bool,
    /// Where the next poll begins, so that no partition waits for ever.
    turn: usize,
}

impl Session {
    /// Opens `spec`'s member; an older opening of it is fenced off.
    pub(super) fn open(handle: &Arc<Handle>, spec: &SessionSpec) -> Result<Self, Error> {
        let shared = &handle.shared;
        let Some(lead) = spec.inputs.first() else {
            return Err(Error::Topics(format!("the group {} reads nothing", spec.group)));
        };
        let lanes = shared.partitions(*lead)?;
        for input in &spec.inputs {
            if shared.partitions(*input)? != lanes {
                return Err(Error::Topics(format!(
                    "{} and {} are read together and have different partition counts",
                    lead.name(),
                    input.name()
                )));
            }
        }
        let mut state = shared.state()?;
        state.instances += 1;
        let seat = Seat { member: spec.member.clone(), instance: state.instances };
        let patience = shared.patience();
        state.group(&spec.group).join(&seat, (&spec.inputs, lanes), patience)?;
        shared.announce(&mut state);
        drop(state);
        Ok(Self {
            handle: Arc::clone(handle),
            group: spec.group.clone(),
            seat,
            inputs: spec.inputs.clone(),
            lanes: BTreeMap::new(),
            outputs: Vec::new(),
            outputs_bytes: 0,
            failed: false,
            turn: 0,
        })
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// Waits for news of lanes, which come first, or for records.
    ///
    /// # Errors
    ///
    /// `Fatal` when this opening was fenced or the log closed; `Storage` when the log failed.
    pub fn poll(&mut self, bounds: &PollBounds) -> Result<Polled, Error> {
        let watch = Stopwatch::start();
        loop {
            let (version, waits, news) = self.look()?;
            if let Some(news) = news {
                return Ok(match news {
                    News::Assigned(lanes) => Polled::Assigned(lanes),
                    News::Revoked(lanes) => Polled::Revoked(lanes),
                    News::Lost(lanes) => Polled::Lost(lanes),
                });
            }
            let (records, drained) = self.read(bounds)?;
            if !records.is_empty() {
                return Ok(Polled::Records { records, drained });
            }
            let left = self.shared().wait_of(bounds).saturating_sub(watch.elapsed());
            if left.is_zero() {
                return Ok(Polled::Idle);
            }
            let wait = if waits { left.min(HAND_OVER_LOOK) } else { left };
            self.shared().await_change(version, wait);
        }
    }

    /// More of what is at hand, without waiting, and whether nothing was left behind it.
    ///
    /// # Errors
    ///
    /// As [`Session::poll`].
    pub fn read_on(&mut self, bounds: &PollBounds) -> Result<(Vec<Record>, bool), Error> {
        self.read(bounds)
    }

    /// The state's version, whether the group awaits a hand-over, and what there is to tell.
    fn look(&self) -> Result<(u64, bool, Option<News>), Error> {
        let shared = self.shared();
        let patience = shared.patience();
        let mut state = shared.state()?;
        if state.group(&self.group).expire(patience) {
            shared.announce(&mut state);
        }
        let (version, waits) = (state.version, state.group(&self.group).is_waiting());
        if !state.group(&self.group).assigns_next(&self.seat) {
            let news = state.group(&self.group).news(&self.seat)?;
            return Ok((version, waits, news));
        }
        // The owner before may be in the middle of a commit that was allowed while the lanes were its own: let it end,
        // so that whoever restores from now on sees all of it.
        drop(state);
        let writer = locked(&shared.writer);
        let news = shared.state()?.group(&self.group).news(&self.seat)?;
        drop(writer);
        Ok((version, waits, news))
    }

    fn read(&mut self, bounds: &PollBounds) -> Result<(Vec<Record>, bool), Error> {
        let shared = &self.handle.shared;
        let mut cursors: Vec<&mut Cursor> = self.lanes.values_mut().flatten().collect();
        let count = cursors.len().max(1);
        cursors.rotate_left(self.turn % count);
        self.turn = self.turn.wrapping_add(1);
        let mut room = Room::of(bounds);
        let share = (room.records / count).max(1);
        let mut records = Vec::new();
        while !cursors.is_empty() {
            let mut more = Vec::with_capacity(cursors.len());
            for cursor in cursors {
                match cursor.read(shared, share, &mut room, &mut records)? {
                    Stop::AtEnd => (),
                    Stop::Share => more.push(cursor),
                    Stop::Full => return Ok((records, false)),
                }
            }
            cursors = more;
        }
        Ok((records, true))
    }

    /// Begins reading `lanes` of all inputs where the group has committed to.
    ///
    /// # Errors
    ///
    /// `Abortable` when a lane is not this member's; else as [`Session::poll`].
    pub fn take(&mut self, lanes: &[u32]) -> Result<(), Error> {
        let wanted: BTreeSet<u32> = lanes.iter().copied().collect();
        let shared = &self.handle.shared;
        let mut state = shared.state()?;
        let group = state.group(&self.group);
        group.check_owns(&self.seat, &wanted)?;
        for lane in wanted {
            let cursors = self.inputs.iter().map(|input| {
                let at = (*input, lane);
                Cursor::new(at, group.offsets.get(&at).copied().unwrap_or(0))
            });
            drop(self.lanes.insert(lane, cursors.collect()));
        }
        Ok(())
    }

    /// Lets `lanes` go; who they are meant for may take them.
    ///
    /// # Errors
    ///
    /// As [`Session::poll`].
    pub fn give_up(&mut self, lanes: &[u32]) -> Result<(), Error> {
        self.lanes.retain(|lane, _| !lanes.contains(lane));
        let shared = &self.handle.shared;
        let patience = shared.patience();
        let mut state = shared.state()?;
        state.group(&self.group).give_up(&self.seat, lanes, patience)?;
        shared.announce(&mut state);
        Ok(())
    }

    /// Adds `output` to the open transaction.
    ///
    /// # Errors
    ///
    /// `TooLarge`, `QueueFull` when the transaction is, `Topics` for a partition that is not there; `Abortable` after a
    /// failed commit.
    pub fn send(&mut self, output: &Output) -> Result<(), Error> {
        self.check_failed()?;
        let partition = self.shared().place(output)?;
        let bytes = self.outputs_bytes.saturating_add(output.bytes());
        if bytes > self.shared().settings.transaction_bytes_max {
            return Err(Error::QueueFull);
        }
        self.outputs_bytes = bytes;
        self.outputs.push((partition, output.clone()));
        Ok(())
    }

    /// Makes the outputs and `next` true in one durable step.
    ///
    /// # Errors
    ///
    /// `Abortable` when a lane taken or named is no longer this member's; else as [`Session::poll`]. After `Storage`
    /// whether it became true is known at the next opening.
    pub fn commit(&mut self, next: &NextOffsets) -> Result<(), Error> {
        self.check_failed()?;
        let mut lanes: BTreeSet<u32> = self.lanes.keys().copied().collect();
        lanes.extend(next.keys().map(|(_, partition)| *partition));
        if self.outputs.is_empty() && next.is_empty() {
            let owns = self.shared().state()?.group(&self.group).check_owns(&self.seat, &lanes);
            self.failed = owns.is_err();
            return owns;
        }
        let (tell, answer) = mpsc::channel();
        let claim = SeatClaim {
            group: self.group.clone(),
            seat: self.seat.clone(),
            lanes,
            next: next.clone(),
        };
        let request = Request {
            outputs: std::mem::take(&mut self.outputs),
            bytes: std::mem::take(&mut self.outputs_bytes),
            seat: Some(claim),
            answer: Answer::Thread(tell),
        };
        let shared = &self.handle.shared;
        let done = shared.submit(request).and_then(|()| shared.write_until(&answer));
        self.failed = done.is_err();
        done
    }

    /// A member has its lanes from the first poll on.
    pub(in crate::broker) const fn has_joined(&self) -> bool {
        true
    }

    /// Records committed and not processed, by input of the taken lanes; nothing when the log answers no more.
    pub(in crate::broker) fn lag(&self) -> Lag {
        let Ok(mut state) = self.shared().state() else { return Lag::new() };
        let places = self.lanes.values().flatten().map(|cursor| cursor.at);
        let ends: Vec<_> =
            places.map(|at| (at, state.logs.get(&at).map_or(0, |log| log.end))).collect();
        let committed = &state.group(&self.group).offsets;
        let behind = |(at, end): ((Topic, u32), u64)| {
            (at, end.saturating_sub(committed.get(&at).copied().unwrap_or(0)))
        };
        ends.into_iter().map(behind).collect()
    }

    fn check_failed(&self) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Abortable("the commit before failed; abort first".to_owned()));
        }
        Ok(())
    }

    /// Drops the open transaction, and reads on from what is committed.
    ///
    /// # Errors
    ///
    /// As [`Session::poll`].
    pub fn abort(&mut self) -> Result<(), Error> {
        self.outputs.clear();
        self.outputs_bytes = 0;
        self.failed = false;
        let shared = &self.handle.shared;
        let mut state = shared.state()?;
        let group = state.group(&self.group);
        group.check(&self.seat)?;
        for cursor in self.lanes.values_mut().flatten() {
            cursor.rewind(group.offsets.get(&cursor.at).copied().unwrap_or(0));
        }
        Ok(())
    }

    /// Leaves the group; an open transaction is dropped.
    ///
    /// # Errors
    ///
    /// `Fatal` when this opening was fenced or the log closed; `Storage` when the log failed.
    pub fn close(self) -> Result<(), Error> {
        let mut state = self.handle.shared.state()?;
        state.group(&self.group).check(&self.seat)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let shared = &self.handle.shared;
        let patience = shared.patience();
        let mut state = locked(&shared.state);
        state.group(&self.group).leave(&self.seat, patience);
        shared.announce(&mut state);
    }
}
