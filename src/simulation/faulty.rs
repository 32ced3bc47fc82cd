//! A session in which things go wrong, between a worker and the broker; and where a commit becomes known.

use std::rc::Rc;

use crate::broker::record::{Output, Record};
use crate::broker::{Error, NextOffsets, PollBounds, Polled, Session};
use crate::engine::exchange::Exchange;
use crate::metrics::StageName;
use crate::topics::{Cleanup, Topic};

use super::fault::Fault;
use super::planted::Planted;
use super::universe::Universe;

/// What goes wrong in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing.
    Calm,
    /// The process ends before the record of this number is sent.
    CrashSending(u64),
    /// It ends before the commit.
    CrashBeforeCommit,
    /// It ends right after the commit.
    CrashAfterCommit,
    /// It ends when its actions have begun in part.
    CrashActing,
    /// It ends when it has restored lanes and is about to read.
    CrashTaking,
    /// No answer to the commit, which held or did not.
    AnswerLost { held: bool },
    /// The commit fails, for now or for good.
    CommitFails { retriable: bool },
    /// The record of this number is refused.
    SendRefused(u64),
    /// The poll fails, for now or for good.
    PollFails { retriable: bool },
    /// It stands still before or after the commit while others take so many steps.
    Pause { after: bool, steps: u64 },
}

/// Who hears that a turn became true.
pub(super) trait Witness {
    /// It did: these records and offsets.
    fn committed(&self, sent: &[Output], next: &NextOffsets);
    /// A new turn begins; what the last one noted and did not become true is dropped.
    fn begins(&self);
}

/// A session in which things go wrong.
pub(super) struct Faulty {
    universe: Rc<Universe>,
    inner: Session,
    witness: Box<dyn Witness>,
    /// Whose; see [`super::fleet::Fleet`].
    process: u64,
    stage: StageName,
    pub(super) plan: Plan,
    /// The process is at its end.
    pub(super) crashed: bool,
    /// Something became true in this round.
    pub(super) has_committed: bool,
    /// The last poll brought nothing.
    pub(super) was_idle: bool,
    sent: Vec<Output>,
    sends: u64,
    /// For planted mistakes.
    aborted: Vec<Output>,
    waits: Option<Output>,
    read: Vec<(Topic, u32, u64)>,
}

impl Faulty {
    pub(super) fn new(
        universe: Rc<Universe>,
        inner: Session,
        witness: Box<dyn Witness>,
        (process, stage): (u64, StageName),
    ) -> Self {
        Self {
            universe,
            inner,
            witness,
            process,
            stage,
            plan: Plan::Calm,
            crashed: false,
            has_committed: false,
            was_idle: false,
            sent: Vec::new(),
            sends: 0,
            aborted: Vec::new(),
            waits: None,
            read: Vec::new(),
        }
    }

    /// The session alone, as it stands.
    pub(super) fn into_inner(self) -> Session {
        self.inner
    }

    /// Nothing was sent that is not committed.
    pub(super) const fn is_closed(&self) -> bool {
        self.sent.is_empty()
    }

    /// The plan, which happens once.
    const fn happens(&mut self) -> Plan {
        std::mem::replace(&mut self.plan, Plan::Calm)
    }

    fn crash<T>(&mut self, fault: Fault) -> Result<T, Error> {
        self.universe.count(fault);
        self.crashed = true;
        Err(Error::Fatal("the process ends here".to_owned()))
    }

    /// Others go on; whoever ended this process meanwhile ended it here.
    fn pause(&mut self, steps: u64) -> Result<(), Error> {
        self.universe.count(Fault::Paused);
        self.universe.meanwhile(steps);
        if self.universe.fleet.borrow().is_doomed(self.process) {
            self.crashed = true;
            return Err(Error::Fatal("the process ended in its sleep".to_owned()));
        }
        Ok(())
    }

    fn plants(&self, mistake: Planted) -> bool {
        self.universe.planted == Some(mistake)
    }

    fn inner_commit(&mut self, next: &NextOffsets) -> Result<(), Error> {
        let mut next = next.clone();
        if self.plants(Planted::OffsetsNotSent) && self.universe.roll(4) == 0 {
            next.clear();
        }
        if self.plants(Planted::OffsetsAhead) && self.universe.roll(4) == 0 {
            next.values_mut().for_each(|offset| *offset += 1);
        }
        if let Some(output) = self.waits.take() {
            self.inner.send(&output)?;
        }
        let done = self.inner.commit(&next);
        if done.is_err() && self.plants(Planted::FenceIgnored) {
            for output in self.sent.clone() {
                self.universe.append(output);
            }
            return Ok(());
        }
        done
    }

    /// Records a broken client would not hand over.
    fn skip(&mut self, records: &mut Vec<Record>) {
        if self.plants(Planted::InputSkipped) && records.len() > 1 && self.universe.roll(8) == 0 {
            records.remove(0);
        }
        if self.plants(Planted::AbortWithoutRewind) && !self.aborted.is_empty() {
            records.retain(|record| {
                !self.read.contains(&(record.topic, record.partition, record.offset))
            });
            self.aborted.clear();
        }
    }

    /// Under a load there is always more to read.
    fn may_be_drained(&self) -> bool {
        self.universe.load.get() == 0 || self.universe.calm.get()
    }

    fn inner_send(&mut self, output: &Output) -> Result<(), Error> {
        if self.plants(Planted::OutputLost)
            && output.topic == Topic::Timeline
            && self.universe.roll(20) == 0
        {
            return Ok(());
        }
        if self.plants(Planted::OutputsSwapped) && output.topic == Topic::Timeline {
            return match self.waits.take() {
                Some(before) => {
                    self.inner.send(output)?;
                    self.inner.send(&before)
                }
                None => {
                    self.waits = Some(output.clone());
                    Ok(())
                }
            };
        }
        if self.plants(Planted::OfferedTwice)
            && let Some(other) = super::agents::offer_to_another(output)
        {
            self.inner.send(&other)?;
            self.sent.push(other);
        }
        self.inner.send(output)
    }
}

impl Exchange for Faulty {
    fn poll(&mut self, bounds: &PollBounds) -> Result<Polled, Error> {
        self.witness.begins();
        self.sent.clear();
        self.waits = None;
        self.sends = 0;
        self.has_committed = false;
        self.was_idle = false;
        if let Plan::PollFails { retriable } = self.plan {
            self.happens();
            let fault = if retriable { Fault::PollRetriable } else { Fault::ClientBroken };
            self.universe.count(fault);
            return Err(if retriable {
                Error::Retriable("told to fail".to_owned())
            } else {
                Error::Fatal("told to break".to_owned())
            });
        }
        let most = if self.universe.calm.get() { 50 } else { 6 };
        let records_max = usize::try_from(1 + self.universe.roll(most)).unwrap_or(1);
        let mut polled = self.inner.poll(&PollBounds { records_max, ..*bounds })?;
        match &mut polled {
            Polled::Records { records, drained } => {
                *drained &= self.may_be_drained();
                self.skip(records);
                self.read = places(records).collect();
            }
            Polled::Idle => self.was_idle = true,
            Polled::Assigned(_) | Polled::Revoked(_) => (),
            Polled::Lost(lanes) => {
                self.universe.count(Fault::MemberLost);
                self.universe.fleet.borrow_mut().lost(self.process, self.stage, lanes);
            }
        }
        Ok(polled)
    }

    fn read_on(
        &mut self,
        bounds: &PollBounds,
        used: Vec<Record>,
    ) -> Result<(Vec<Record>, bool), Error> {
        if self.universe.roll(2) == 0 {
            return Ok((Vec::new(), false));
        }
        let records_max = usize::try_from(1 + self.universe.roll(3)).unwrap_or(1);
        let bounds = PollBounds { records_max, ..*bounds };
        let (mut records, drained) = self.inner.read_on(&bounds, used)?;
        self.skip(&mut records);
        self.read.extend(places(&records));
        Ok((records, drained && self.may_be_drained()))
    }

    fn take(&mut self, lanes: &[u32]) -> Result<(), Error> {
        if self.plan == Plan::CrashTaking {
            return self.crash(Fault::CrashTaking);
        }
        self.inner.take(lanes)
    }

    fn give_up(&mut self, lanes: &[u32]) -> Result<(), Error> {
        self.inner.give_up(lanes)
    }

    fn send(&mut self, output: &Output) -> Result<(), Error> {
        self.sends += 1;
        if self.plan == Plan::CrashSending(self.sends) {
            return self.crash(Fault::CrashSending);
        }
        if self.plan == Plan::SendRefused(self.sends) {
            self.happens();
            self.universe.count(Fault::SendRefused);
            return Err(Error::Abortable("told to refuse".to_owned()));
        }
        self.sent.push(output.clone());
        self.inner_send(output)
    }

    fn commit(&mut self, next: &NextOffsets) -> Result<(), Error> {
        let plan = self.happens();
        match plan {
            Plan::CrashBeforeCommit => return self.crash(Fault::CrashBeforeCommit),
            Plan::AnswerLost { held: false } => {
                self.universe.count(Fault::AnswerLostBeforeCommit);
                return Err(Error::Fatal("no answer to the commit".to_owned()));
            }
            Plan::CommitFails { retriable } => {
                let fault = if retriable { Fault::CommitRetriable } else { Fault::CommitAborted };
                self.universe.count(fault);
                return Err(if retriable {
                    Error::Retriable("told to fail".to_owned())
                } else {
                    Error::Abortable("told to fail".to_owned())
                });
            }
            Plan::Pause { after: false, steps } => self.pause(steps)?,
            Plan::Pause { after: true, .. }
            | Plan::AnswerLost { held: true }
            | Plan::CrashAfterCommit
            | Plan::CrashSending(_)
            | Plan::CrashActing
            | Plan::CrashTaking
            | Plan::SendRefused(_)
            | Plan::PollFails { .. }
            | Plan::Calm => (),
        }
        self.inner_commit(next)?;
        self.has_committed = true;
        let sent = std::mem::take(&mut self.sent);
        self.witness.committed(&sent, next);
        match plan {
            Plan::CrashAfterCommit => self.crash(Fault::CrashAfterCommit),
            Plan::AnswerLost { held: true } => {
                self.universe.count(Fault::AnswerLostAfterCommit);
                Err(Error::Fatal("no answer to the commit".to_owned()))
            }
            Plan::Pause { after: true, steps } => self.pause(steps),
            Plan::Pause { after: false, .. }
            | Plan::AnswerLost { held: false }
            | Plan::CommitFails { .. }
            | Plan::CrashBeforeCommit
            | Plan::CrashSending(_)
            | Plan::CrashActing
            | Plan::CrashTaking
            | Plan::SendRefused(_)
            | Plan::PollFails { .. }
            | Plan::Calm => Ok(()),
        }
    }

    fn abort(&mut self) -> Result<(), Error> {
        let sent = std::mem::take(&mut self.sent);
        self.inner.abort()?;
        if self.plants(Planted::AbortKeepsOutputs) {
            let kept =
                sent.iter().filter(|output| output.topic.declaration().cleanup == Cleanup::Delete);
            for output in kept {
                self.inner.send(output)?;
            }
        }
        if self.plants(Planted::AbortWithoutRewind) {
            self.aborted = sent;
        }
        Ok(())
    }
}

/// Where records were read.
fn places(records: &[Record]) -> impl Iterator<Item = (Topic, u32, u64)> {
    records.iter().map(|record| (record.topic, record.partition, record.offset))
}
