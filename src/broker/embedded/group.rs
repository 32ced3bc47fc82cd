//! Who of a group reads which lane. Pure.
//!
//! Promise: a lane has one owner at most; it changes hands only after its owner gave it up, left, was replaced, or had
//! its patience run out; and nobody has two lanes more than another once all is settled.
//!
//! ```text
//! | lane         | owner wanted elsewhere | given up or overdue | its owner leaves or reopens |
//! | free         | -                      | -                   | -> whoever it is meant for  |
//! | owned        | revoked, deadline set  | -> the one meant    | -> the one meant            |
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::broker::{Error, NextOffsets};
use crate::domain::time::Timestamp;
use crate::topics::Topic;

/// A group: its members, its lanes, and where it has committed to.
#[derive(Debug, Default)]
pub(super) struct Group {
    lanes: Vec<Lane>,
    inputs: Vec<Topic>,
    members: BTreeMap<String, Member>,
    /// Committed offsets.
    pub(super) offsets: NextOffsets,
}

#[derive(Debug, Default, Clone)]
struct Lane {
    owner: Option<String>,
    meant_for: Option<String>,
    deadline: Option<Timestamp>,
}

#[derive(Debug)]
struct Member {
    instance: u64,
    assigned: BTreeSet<u32>,
    revoked: BTreeSet<u32>,
    lost: BTreeSet<u32>,
}

/// One opening of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seat {
    /// The member's name.
    pub(super) member: String,
    /// Which opening of it.
    pub(super) instance: u64,
}

/// What a member is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// Lanes to take.
    Assigned(Vec<u32>),
    /// Lanes to give up.
    Revoked(Vec<u32>),
    /// Lanes that are gone.
    Lost(Vec<u32>),
}

/// Now, and how long a revoked lane may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Now.
    pub(super) now: Timestamp,
    /// How long, in milliseconds.
    pub(super) span_ms: u64,
}

impl Group {
    /// A group without members that has committed to `offsets`.
    pub(super) fn resumed(offsets: NextOffsets) -> Self {
        Self { offsets, ..Self::default() }
    }

    /// Lets a member in; an older opening of it is fenced off.
    pub(super) fn join(
        &mut self,
        seat: &Seat,
        (inputs, lanes): (&[Topic], u32),
        patience: Patience,
    ) -> Result<(), Error> {
        let others = self.members.keys().any(|name| *name != seat.member);
        if others && self.inputs != inputs {
            return Err(Error::Fatal("the group's other members read other inputs".to_owned()));
        }
        inputs.clone_into(&mut self.inputs);
        self.lanes.resize(lanes as usize, Lane::default());
        self.release(&seat.member);
        let sets = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (instance, (assigned, revoked, lost)) = (seat.instance, sets);
        let member = Member { instance, assigned, revoked, lost };
        drop(self.members.insert(seat.member.clone(), member));
        self.balance(patience);
        Ok(())
    }

    /// Lets a member go; a fenced one has nothing to leave.
    pub(super) fn leave(&mut self, seat: &Seat, patience: Patience) {
        if self.check(seat).is_ok() {
            self.release(&seat.member);
            drop(self.members.remove(&seat.member));
            self.balance(patience);
        }
    }

    /// Takes `lanes` back from a member; those it does not own are gone already.
    pub(super) fn give_up(
        &mut self,
        seat: &Seat,
        lanes: &[u32],
        patience: Patience,
    ) -> Result<(), Error> {
        self.check(seat)?;
        for number in lanes {
            let mine = self.lanes.get_mut(*number as usize);
            if let Some(lane) = mine.filter(|lane| lane.owner.as_ref() == Some(&seat.member)) {
                lane.owner = None;
                lane.deadline = None;
                if let Some(member) = self.members.get_mut(&seat.member) {
                    member.revoked.remove(number);
                    member.assigned.remove(number);
                }
            }
        }
        self.settle(patience);
        Ok(())
    }

    /// Takes revoked lanes whose owners did not answer in time. Says whether there were any.
    pub(super) fn expire(&mut self, patience: Patience) -> bool {
        let mut any = false;
        for (number, lane) in (0_u32..).zip(&mut self.lanes) {
            if lane.deadline.is_some_and(|deadline| deadline <= patience.now) {
                any = true;
                lane.deadline = None;
                let owner = lane.owner.take().and_then(|owner| self.members.get_mut(&owner));
                if let Some(member) = owner {
                    member.revoked.remove(&number);
                    member.lost.insert(number);
                }
            }
        }
        if any {
            self.settle(patience);
        }
        any
    }

    /// Whether somebody is expected to give a lane up.
    pub(super) fn is_waiting(&self) -> bool {
        self.lanes.iter().any(|lane| lane.deadline.is_some())
    }

    /// Whether this opening is the member's newest.
    pub(super) fn check(&self, seat: &Seat) -> Result<(), Error> {
        match self.members.get(&seat.member) {
            Some(member) if member.instance == seat.instance => Ok(()),
            Some(_) | None => {
                Err(Error::Fatal("fenced: this member was opened again elsewhere".to_owned()))
            }
        }
    }

    /// Whether this opening owns every one of `lanes`.
    pub(super) fn check_owns(&self, seat: &Seat, lanes: &BTreeSet<u32>) -> Result<(), Error> {
        self.check(seat)?;
        for number in lanes {
            let lane = self.lanes.get(*number as usize);
            if lane.and_then(|lane| lane.owner.as_ref()) != Some(&seat.member) {
                return Err(Error::Abortable(format!("lane {number} is no longer this member's")));
            }
        }
        Ok(())
    }

    /// Whether the next news are lanes to take.
    pub(super) fn assigns_next(&self, seat: &Seat) -> bool {
        let member = self.members.get(&seat.member);
        member.is_some_and(|member| {
            member.lost.is_empty() && member.revoked.is_empty() && !member.assigned.is_empty()
        })
    }

    /// What to tell the member next: losses, then what to give up, then what to take.
    pub(super) fn news(&mut self, seat: &Seat) -> Result<Option<News>, Error> {
        self.check(seat)?;
        let Some(member) = self.members.get_mut(&seat.member) else { return Ok(None) };
        let told =
            |lanes: &mut BTreeSet<u32>| -> Vec<u32> { std::mem::take(lanes).into_iter().collect() };
        if !member.lost.is_empty() {
            return Ok(Some(News::Lost(told(&mut member.lost))));
        }
        if !member.revoked.is_empty() {
            return Ok(Some(News::Revoked(told(&mut member.revoked))));
        }
        if !member.assigned.is_empty() {
            return Ok(Some(News::Assigned(told(&mut member.assigned))));
        }
        Ok(None)
    }

    fn release(&mut self, name: &str) {
        for lane in &mut self.lanes {
            if lane.owner.as_deref() == Some(name) {
                lane.owner = None;
                lane.deadline = None;
            }
        }
    }

    /// Means each lane for a member: as few moves as an even share allows.
    fn balance(&mut self, patience: Patience) {
        let mut held: BTreeMap<&String, usize> =
            self.members.keys().map(|name| (name, 0)).collect();
        for lane in &self.lanes {
            if let Some(count) = lane.meant_for.as_ref().and_then(|name| held.get_mut(name)) {
                *count += 1;
            }
        }
        let mut by_held: Vec<(usize, &String)> =
            held.into_iter().map(|(name, count)| (count, name)).collect();
        by_held.sort_by(|(more, a), (less, b)| less.cmp(more).then(a.cmp(b)));
        let members = by_held.len().max(1);
        let (share, extra) = (self.lanes.len() / members, self.lanes.len() % members);
        // Who holds most keeps the odd lanes.
        let shares = by_held.into_iter().enumerate();
        let mut room: BTreeMap<String, usize> =
            shares.map(|(at, (_, name))| (name.clone(), share + usize::from(at < extra))).collect();
        for lane in &mut self.lanes {
            let kept = lane.meant_for.take().filter(|name| take_room(&mut room, name));
            lane.meant_for = kept;
        }
        for lane in self.lanes.iter_mut().filter(|lane| lane.meant_for.is_none()) {
            let next = room.iter().find(|(_, left)| **left > 0).map(|(name, _)| name.clone());
            lane.meant_for = next.filter(|name| take_room(&mut room, name));
        }
        self.settle(patience);
    }

    /// Gives free lanes to whom they are meant for, and asks owners for those meant for others.
    fn settle(&mut self, patience: Patience) {
        let Self { lanes, members, .. } = self;
        for (number, lane) in (0_u32..).zip(lanes) {
            let kept = lane.owner == lane.meant_for;
            if let Some(member) = lane.owner.as_ref().and_then(|name| members.get_mut(name)) {
                if kept {
                    lane.deadline = None;
                    member.revoked.remove(&number);
                } else if member.assigned.remove(&number) {
                    // It was never told: nothing to give up.
                    lane.owner = None;
                } else if lane.deadline.is_none() {
                    lane.deadline = Some(patience.now.plus_ms(patience.span_ms));
                    member.revoked.insert(number);
                }
            }
            if lane.owner.is_none() {
                lane.owner.clone_from(&lane.meant_for);
                if let Some(member) = lane.owner.as_ref().and_then(|name| members.get_mut(name)) {
                    member.assigned.insert(number);
                }
            }
        }
    }
}

fn take_room(room: &mut BTreeMap<String, usize>, name: &str) -> bool {
    match room.get_mut(name).filter(|left| **left > 0) {
        Some(left) => {
            *left -= 1;
            true
        }
        None => false,
    }
}
