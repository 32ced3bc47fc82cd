//! What befalls processes and disks: rounds in which something goes wrong, ends, starts, zombies, lost and old stores.

use std::path::Path;
use std::rc::Rc;

use crate::domain::time::{MINUTE_MS, SECOND_MS};
use crate::metrics::StageName;
use crate::store::{Checkpoint, Copied, RowChange};
use crate::topics::Topic;

use super::fault::Fault;
use super::faulty::Plan;
use super::fleet::{Process, Slot};
use super::member::{Member, STAGES, Seat, Went, member};
use super::planted::Planted;
use super::universe::Universe;

impl Universe {
    /// One of the workers that wait goes round once.
    pub(super) fn go_round(self: &Rc<Self>) {
        let waiting = self.fleet.borrow().waiting();
        if self.fleet.borrow().processes.len() < 2 && self.roll(6) == 0 {
            self.start_one();
        }
        let picked = self.roll(waiting.len() as u64);
        if let Some(at) = usize::try_from(picked).ok().and_then(|at| waiting.get(at)) {
            let plan = self.plan();
            self.round_of(*at, plan);
        }
    }

    fn plan(&self) -> Plan {
        if !self.by_bad_luck(90) {
            return Plan::Calm;
        }
        match self.roll(16) {
            0 => Plan::CrashSending(1 + self.roll(8)),
            1 => Plan::CrashBeforeCommit,
            2 => Plan::CrashAfterCommit,
            3 => Plan::CrashActing,
            4 => Plan::CrashTaking,
            5 => Plan::AnswerLost { held: true },
            6 => Plan::AnswerLost { held: false },
            7 => Plan::CommitFails { retriable: true },
            8 => Plan::CommitFails { retriable: false },
            9 | 10 => Plan::SendRefused(1 + self.roll(8)),
            11 => Plan::PollFails { retriable: self.roll(2) == 0 },
            12 | 13 => Plan::Pause { after: false, steps: 1 + self.roll(40) },
            _ => Plan::Pause { after: true, steps: 1 + self.roll(40) },
        }
    }

    /// One round of one worker, and what follows from how it went. Says whether it was quiet.
    pub(super) fn round_of(self: &Rc<Self>, (process, at): (u64, usize), plan: Plan) -> bool {
        let taken = self.fleet.borrow_mut().take((process, at));
        let Some(mut member) = taken else { return true };
        let calls = self.calls_under_way();
        let went = member.round(plan);
        let began = self.calls_under_way() > calls;
        let crashed = went == Went::Crashed || self.fleet.borrow().is_doomed(process);
        if crashed || (plan == Plan::CrashActing && began) {
            if !crashed {
                self.count(Fault::CrashActing);
            }
            self.bury(member);
            self.fleet.borrow_mut().give_back((process, at), Slot::Gone);
            self.crash(process);
            return false;
        }
        let is_ghost = self.fleet.borrow().processes.get(&process).is_some_and(|one| one.is_ghost);
        let slot = match went {
            Went::Stopped => Slot::Gone,
            Went::Ended if is_ghost => Slot::Gone,
            Went::On { .. } | Went::Ended | Went::Crashed => Slot::There(member),
        };
        self.fleet.borrow_mut().give_back((process, at), slot);
        went == Went::On { quiet: true }
    }

    /// Calls and questions that left, of all processes.
    fn calls_under_way(&self) -> usize {
        self.instagram.borrow().outbox().len() + self.directory.borrow().questions().len()
    }

    /// The group does not hear of it yet.
    fn bury(&self, member: Box<dyn Member>) {
        self.fleet.borrow_mut().graveyard.extend(member.crash());
    }

    /// A process ends without a word.
    pub(super) fn crash(&self, process: u64) {
        let root = {
            let mut fleet = self.fleet.borrow_mut();
            let root = fleet.processes.get(&process).map(|one| one.root.clone());
            fleet.crash(process);
            root
        };
        self.say(|| format!("p{process} is gone"));
        let rolls = self.roll(u64::MAX);
        self.instagram.borrow_mut().caller_is_gone(process, rolls);
        self.directory.borrow().caller_is_gone(process);
        if let Some(root) = root {
            self.look_at_disks(&root);
        }
    }

    /// Whether the stores under a directory hold what they may (I6).
    pub(super) fn look_at_disks(&self, root: &Path) {
        let stores = self.fleet.borrow().stores(root);
        for (path, stage, lane) in stores {
            let Some(copy) = self.fleet.borrow().disk.copy(&path) else { continue };
            if let Err(what) = self.judge_disk(stage, lane, &copy) {
                self.find(format!("{}: {what}", path.display()));
            }
        }
    }

    fn judge_disk(&self, stage: StageName, lane: u32, copy: &Copied) -> Result<(), String> {
        let Some(changelog) = changelog_of(stage) else { return Ok(()) };
        let end = self.heard.borrow().end((changelog, lane));
        match stage {
            StageName::Conversation => {
                self.bench.conversation.borrow().look_at_disk(lane, copy, end)
            }
            StageName::Route => self.bench.route.borrow().look_at_disk(lane, copy, end),
            StageName::Send => self.bench.send.borrow().look_at_disk(lane, copy, end),
            StageName::Profile => self.bench.profile.borrow().look_at_disk(lane, copy, end),
            StageName::Normalize | StageName::Project => Ok(()),
        }
    }

    /// A store is written behind its worker.
    pub(super) fn write_behind(&self) {
        let waiting = self.fleet.borrow().waiting();
        let Some(at) = self.one_of(&waiting) else { return };
        let fleet = self.fleet.borrow();
        if let Some(member) = fleet.look_at(at) {
            member.write();
        }
        let root = fleet.processes.get(&at.0).map(|process| process.root.clone());
        drop(fleet);
        let stores = root.map(|root| self.fleet.borrow().stores(&root)).unwrap_or_default();
        if let Some((path, ..)) = self.one_of(&stores) {
            self.fleet.borrow_mut().remember(&path);
        }
    }

    pub(super) fn one_of<T: Clone>(&self, all: &[T]) -> Option<T> {
        let at = usize::try_from(self.roll(all.len() as u64)).unwrap_or(0);
        all.get(at).cloned()
    }

    /// Something befalls the machines.
    pub(super) fn misfortune(self: &Rc<Self>) {
        match self.roll(100) {
            0..16 => self.crash_one(Fault::CrashIdle),
            16..23 => self.tear(),
            23..27 => self.refuse(),
            27..56 => self.start_one(),
            56..62 => self.stop_one(),
            62..70 => self.make_a_zombie(),
            70..80 => drop(std::mem::take(&mut self.fleet.borrow_mut().graveyard)),
            80..86 => self.set_a_clock_back(),
            86..90 => self.compact(),
            90..94 => {
                self.count(Fault::LastingLoad);
                self.load.set(100 + self.roll(200));
            }
            _ => self.change_settings(),
        }
    }

    fn a_process(&self) -> Option<u64> {
        let all: Vec<u64> = self.fleet.borrow().processes.keys().copied().collect();
        self.one_of(&all)
    }

    fn crash_one(&self, fault: Fault) {
        if let Some(process) = self.a_process() {
            self.count(fault);
            self.crash(process);
        }
    }

    /// A process ends while its store is written: some rows are newer than the checkpoint.
    fn tear(&self) {
        let Some(process) = self.a_process() else { return };
        if self.cut_a_write(process) {
            self.count(Fault::StoreTorn);
            self.crash(process);
            self.mend_disks();
        }
    }

    /// The disk refuses in the middle of a write; the process lives.
    fn refuse(&self) {
        let Some(process) = self.a_process() else { return };
        if self.cut_a_write(process) {
            self.count(Fault::StoreRefused);
            self.mend_disks();
        }
    }

    fn cut_a_write(&self, process: u64) -> bool {
        let root = self.fleet.borrow().processes.get(&process).map(|one| one.root.clone());
        let stores = root.map(|root| self.fleet.borrow().stores(&root)).unwrap_or_default();
        let Some((path, stage, _)) = self.one_of(&stores) else { return false };
        let changes = self.roll(6);
        let fleet = self.fleet.borrow();
        fleet.disk.fail_after(&path, Some(changes));
        let at = STAGES.iter().position(|one| *one == stage).unwrap_or(0);
        if let Some(member) = fleet.look_at((process, at)) {
            member.write();
        }
        true
    }

    fn mend_disks(&self) {
        let disk = self.fleet.borrow().disk.clone();
        for path in disk.folders() {
            disk.fail_after(&path, None);
        }
    }

    fn start_one(self: &Rc<Self>) {
        let free = self.fleet.borrow().free_machines();
        if let Some(machine) = self.one_of(&free) {
            if !self.fleet.borrow().processes.is_empty() {
                self.count(Fault::ScaledOut);
            }
            self.start(machine);
        }
    }

    /// Starts a process on a machine, on a directory it had before or on a new one.
    pub(super) fn start(self: &Rc<Self>, machine: u64) {
        let roll = self.roll(4);
        let root = self.fleet.borrow_mut().root(machine, roll);
        let open = self.fleet.borrow().processes.values().any(|process| process.root == root);
        if !open {
            self.spoil(&root);
        }
        self.start_at(machine, &root);
    }

    /// Starts a process on a machine in this directory.
    pub(super) fn start_at(self: &Rc<Self>, machine: u64, root: &Path) {
        let number = self.fleet.borrow_mut().number();
        self.say(|| format!("p{number} starts on {}", root.display()));
        let mut process = Process::new(machine, root.to_owned(), self.now(), self.planted);
        let place = self.fleet.borrow().place(root);
        let seat = Seat { process: number, machine, clock: &process.clock, place: &place };
        let members = STAGES.map(|stage| member(self, stage, &seat));
        process.slots = members.into_iter().map(Slot::There).collect();
        self.fleet.borrow_mut().add(number, process);
    }

    /// What may have happened to a directory while nobody looked.
    fn spoil(&self, root: &Path) {
        let stores = self.fleet.borrow().stores(root);
        let disk = self.fleet.borrow().disk.clone();
        for (path, stage, lane) in stores {
            if self.by_bad_luck(40) {
                self.count(Fault::StoreLost);
                disk.lose(&path);
            } else if self.by_bad_luck(40) {
                self.count(Fault::StoreDamaged);
                disk.damage(&path);
            } else if self.by_bad_luck(250)
                && let Some(old) = self.fleet.borrow().old_copy(&path)
            {
                self.count(Fault::StoreStale);
                disk.put_back(&path, old);
            }
            self.plant(&path, (stage, lane));
        }
    }

    /// Plants a mistake in a store: what a broken writer or a broken restore would have left.
    fn plant(&self, path: &Path, (stage, lane): (StageName, u32)) {
        let (Some(planted), Some(changelog)) = (self.planted, changelog_of(stage)) else { return };
        let disk = self.fleet.borrow().disk.clone();
        let Some(copy) = disk.copy(path) else { return };
        let Some(checkpoint) = copy.checkpoint() else { return };
        let end = self.heard.borrow().end((changelog, lane));
        let spoilt = match planted {
            Planted::TimersForgotten => Some(copy.without_timers()),
            Planted::CheckpointAhead => {
                let ahead = checkpoint.next_offset + self.roll(3);
                Some(copy.with_checkpoint(Checkpoint { next_offset: ahead.min(end), ..checkpoint }))
            }
            Planted::RestoreShort => {
                Some(copy.with_checkpoint(Checkpoint { next_offset: end, ..checkpoint }))
            }
            Planted::StaleUnderNewCheckpoint => {
                let old = self.fleet.borrow().old_copy(path);
                old.map(|old| old.with_checkpoint(checkpoint))
            }
            Planted::DeletedResurrected => {
                self.deleted_of(stage, lane, checkpoint.next_offset).map(|row| copy.with_row(&row))
            }
            Planted::ZombieCheckpoint => {
                let was_lost = self.fleet.borrow().lost.iter().any(|lost| lost == path);
                let at_end = Checkpoint { next_offset: end, ..checkpoint };
                was_lost.then(|| copy.with_checkpoint(at_end))
            }
            Planted::OffsetsNotSent
            | Planted::OffsetsAhead
            | Planted::InputSkipped
            | Planted::OutputLost
            | Planted::OutputsSwapped
            | Planted::AbortKeepsOutputs
            | Planted::AbortKeepsRows
            | Planted::AbortWithoutRewind
            | Planted::FenceIgnored
            | Planted::TimerEarly
            | Planted::TimerTwice
            | Planted::DedupeForgotten
            | Planted::UnknownSentAgain
            | Planted::EchoNotMatched
            | Planted::OfferedTwice
            | Planted::TurnUnbounded
            | Planted::AnswersUnbounded
            | Planted::StoreUnbounded
            | Planted::ProfilesMixedUp
            | Planted::ProfileAskedTwice => None,
        };
        if let Some(spoilt) = spoilt {
            disk.put_back(path, spoilt);
        }
    }

    fn deleted_of(&self, stage: StageName, lane: u32, before: u64) -> Option<RowChange> {
        match stage {
            StageName::Conversation => self.bench.conversation.borrow().deleted(lane, before),
            StageName::Route => self.bench.route.borrow().deleted(lane, before),
            StageName::Send => self.bench.send.borrow().deleted(lane, before),
            StageName::Profile => self.bench.profile.borrow().deleted(lane, before),
            StageName::Normalize | StageName::Project => None,
        }
    }

    fn stop_one(&self) {
        let mut fleet = self.fleet.borrow_mut();
        let running = |process: &&mut Process| !process.is_ghost && !process.is_stopping;
        if let Some(process) = fleet.processes.values_mut().find(running) {
            process.stop();
            drop(fleet);
            self.count(Fault::ScaledIn);
        }
    }

    /// A process stands still; its successor begins elsewhere under the same name.
    fn make_a_zombie(self: &Rc<Self>) {
        let Some(number) = self.a_process() else { return };
        let mut fleet = self.fleet.borrow_mut();
        let Some(process) = fleet.processes.get_mut(&number).filter(|one| !one.is_ghost) else {
            return;
        };
        process.is_ghost = true;
        let (machine, same) = (process.machine, process.root.clone());
        let root = fleet.new_root(machine);
        drop(fleet);
        self.count(Fault::Zombie);
        // On the same disk it finds the stores open, and leaves them alone.
        let root = if self.roll(4) == 0 { same } else { root };
        self.start_at(machine, &root);
    }

    fn set_a_clock_back(&self) {
        let behind_ms = self.roll(3) * self.roll(2 * MINUTE_MS).max(SECOND_MS);
        let Some(number) = self.a_process() else { return };
        if let Some(process) = self.fleet.borrow_mut().processes.get_mut(&number) {
            process.behind_ms = behind_ms;
        }
        self.fleet.borrow().set_clocks(self.now());
        self.count(Fault::ClockBehind);
    }

    fn compact(&self) {
        self.count(Fault::Compacted);
        if let Err(error) = self.broker.keep() {
            self.find(format!("the log cannot be kept: {error}"));
        }
    }
}

impl Process {
    /// Tells every worker to stop in order.
    pub(super) fn stop(&mut self) {
        self.is_stopping = true;
        for slot in &self.slots {
            if let Slot::There(member) = slot {
                member.stop();
            }
        }
    }
}

/// Where a stage's state is written.
pub(super) const fn changelog_of(stage: StageName) -> Option<Topic> {
    match stage {
        StageName::Conversation => Some(Topic::ConversationChangelog),
        StageName::Route => Some(Topic::RouteChangelog),
        StageName::Send => Some(Topic::SendChangelog),
        StageName::Profile => Some(Topic::ProfileChangelog),
        StageName::Normalize | StageName::Project => None,
    }
}
