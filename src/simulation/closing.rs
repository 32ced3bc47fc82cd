//! The end of a run: faults are over, everything settles within a bound, and then everything is compared.

use std::rc::Rc;

use serde_json::Value;

use crate::broker::embedded::EmbeddedBroker;
use crate::broker::record::Record;
use crate::broker::{NextOffsets, PollBounds};
use crate::domain::time::{DAY_MS, MINUTE_MS, Timestamp};
use crate::profile;
use crate::project::{Bounds, Filter, Look, TOPICS, Views};
use crate::topics::Topic;

use super::faulty::Plan;
use super::fleet::Slot;
use super::universe::Universe;

/// Rounds of everybody within which all must be still (I13): offers that nobody answers expire every few seconds, for each agent.
const PASSES_MAX: u64 = 6_000;
/// How far timers are followed.
const FOLLOWED_MS: u64 = 40 * MINUTE_MS;
/// Then time jumps, so that windows end and what is remembered is forgotten.
const JUMP_MS: u64 = 9 * DAY_MS;

impl Universe {
    /// Ends the faults and judges what is left.
    pub(super) fn close(self: &Rc<Self>) -> Result<(), String> {
        self.calm.set(true);
        self.bring_order();
        self.settle(FOLLOWED_MS)?;
        self.compare_all()?;
        if self.roll(3) == 0 {
            self.say(|| "nine days pass".to_owned());
            self.pass(JUMP_MS);
            self.settle(FOLLOWED_MS)?;
            self.compare_all()?;
        }
        self.stop_all()?;
        if self.nothing_is_left().is_err() {
            // What came of a call was with a worker that had no lanes, and got some when others stopped: it was told then,
            // and who hears of it had stopped already. Whoever comes next hears it; after that, nothing is left.
            self.settle(FOLLOWED_MS)?;
            self.compare_all()?;
            self.stop_all()?;
        }
        self.nothing_is_left()?;
        self.begin_anew()
    }

    /// Zombies end, clocks are right, somebody runs.
    fn bring_order(self: &Rc<Self>) {
        let ghosts: Vec<u64> = {
            let mut fleet = self.fleet.borrow_mut();
            drop(std::mem::take(&mut fleet.graveyard));
            for process in fleet.processes.values_mut() {
                process.behind_ms = 0;
            }
            let all = fleet.processes.iter();
            all.filter(|(_, process)| process.is_ghost).map(|(number, _)| *number).collect()
        };
        for ghost in ghosts {
            self.crash(ghost);
        }
        self.pass(1);
        drop(std::mem::take(&mut self.fleet.borrow_mut().graveyard));
        let (nobody, free) = {
            let fleet = self.fleet.borrow();
            let nobody = fleet.processes.values().all(|process| process.is_stopping);
            (nobody, fleet.free_machines().first().copied())
        };
        if let Some(machine) = free.filter(|_| nobody) {
            self.start(machine);
        }
    }

    /// Goes on until nothing moves and no timer is due for a while.
    fn settle(self: &Rc<Self>, followed_ms: u64) -> Result<(), String> {
        let until = self.now().plus_ms(followed_ms);
        for _ in 0..PASSES_MAX {
            self.steps.set(self.steps.get() + 1);
            let quiet = self.pass_quietly();
            if let Some(what) = self.found.borrow().clone() {
                return Err(what);
            }
            if !quiet {
                continue;
            }
            if self.fleet.borrow().processes.is_empty() {
                self.start(0);
                continue;
            }
            match self.next_due().filter(|due| *due < until) {
                Some(due) => self.pass(due.plus_ms(1).since_ms(self.now()).max(1)),
                None => return self.nothing_is_left(),
            }
        }
        Err(format!("does not settle within {PASSES_MAX} rounds of everybody (I13)"))
    }

    /// One round of everybody. Whether nothing moved.
    fn pass_quietly(self: &Rc<Self>) -> bool {
        let mut quiet = self.is_quiet_outside();
        self.live();
        for _ in 0..20 {
            self.deliver();
            self.call();
            self.inform();
        }
        let waiting = self.fleet.borrow().waiting();
        for at in waiting {
            quiet &= self.round_of(at, Plan::Calm);
        }
        self.write_behind();
        quiet && self.is_quiet_outside()
    }

    fn is_quiet_outside(&self) -> bool {
        self.instagram.borrow().is_quiet() && self.nobody_is_asked_for()
    }

    fn next_due(&self) -> Option<Timestamp> {
        let bench = &self.bench;
        let due = [
            bench.conversation.borrow().next_due(),
            bench.route.borrow().next_due(),
            bench.send.borrow().next_due(),
            bench.profile.borrow().next_due(),
        ];
        due.into_iter().flatten().min()
    }

    /// Every input is consumed and no timer is overdue (I8, I13).
    fn nothing_is_left(&self) -> Result<(), String> {
        if let Some(due) = self.next_due().filter(|due| *due < self.now()) {
            return Err(format!("a timer due at {due:?} was forgotten; it is {:?}", self.now()));
        }
        let bench = &self.bench;
        let normalize = bench.normalize.borrow();
        let (conversation, route) = (bench.conversation.borrow(), bench.route.borrow());
        let (send, people) = (bench.send.borrow(), bench.profile.borrow());
        let consumed = [
            (normalize.consumed(), &[Topic::WebhooksRaw][..]),
            (
                conversation.consumed(),
                &[
                    Topic::EventsNormalized,
                    Topic::DeskCommands,
                    Topic::RoutingDecisions,
                    Topic::OutboundResults,
                ],
            ),
            (route.consumed(), &[Topic::RoutingRequests, Topic::AgentsCommands]),
            (send.consumed(), &[Topic::OutboundSends]),
            (people.consumed(), &profile::INPUTS),
        ];
        for (consumed, inputs) in consumed {
            self.all_consumed(consumed, inputs)?;
        }
        Ok(())
    }

    fn all_consumed(&self, consumed: &NextOffsets, inputs: &[Topic]) -> Result<(), String> {
        let heard = self.heard.borrow();
        for topic in inputs {
            for lane in 0..heard.partitions(*topic) {
                let (end, at) = (heard.end((*topic, lane)), (*topic, lane));
                let next = consumed.get(&at).copied().unwrap_or(0);
                if next != end {
                    return Err(format!(
                        "{}/{lane}: consumed up to {next}, and it ends at {end}",
                        topic.name()
                    ));
                }
            }
        }
        Ok(())
    }

    fn compare_all(&self) -> Result<(), String> {
        self.look_at_members()?;
        self.compare_logs()?;
        self.reconcile()
    }

    fn look_at_members(&self) -> Result<(), String> {
        let fleet = self.fleet.borrow();
        fleet
            .waiting()
            .into_iter()
            .filter_map(|at| fleet.look_at(at))
            .try_for_each(|one| one.look())
    }

    /// Every topic, read committed, is what was written (I3).
    fn compare_logs(&self) -> Result<(), String> {
        for (at, _) in self.heard.borrow().places() {
            self.heard.borrow().compare(at, &read(&self.broker, at)?)?;
        }
        Ok(())
    }

    /// The books of the platform against what the desk shows.
    fn reconcile(&self) -> Result<(), String> {
        if self.agents.borrow().merges {
            // What is erased is not shown, and what is merged is shown elsewhere.
            return Ok(());
        }
        let bounds = Bounds { conversations_max: 1_000, entries_max: 100_000, ..Bounds::default() };
        let views = Views::new(bounds);
        for (at, _) in self.heard.borrow().places() {
            if TOPICS.contains(&at.0) {
                views.apply(&read(&self.broker, at)?, &NextOffsets::new());
            }
        }
        if views.unreadable() > 0 {
            return Err(format!("{} records do not read", views.unreadable()));
        }
        let look = Look { now: self.now(), show_reactions: true };
        let mut shown: Vec<Value> = Vec::new();
        for conversation in views.conversations(&Filter::default(), None, usize::MAX).conversations
        {
            let detail = views.conversation(&conversation.conversation_id, look);
            let value = serde_json::to_value(&detail).map_err(|error| error.to_string())?;
            shown.push(value);
        }
        let found = self.instagram.borrow().ledger.reconcile(&shown);
        match found.differences.first() {
            Some(first) => {
                shown.iter().for_each(|one| self.say(|| format!("the desk shows {one}")));
                Err(format!("the desk and the platform differ: {first}"))
            }
            None => Ok(()),
        }
    }

    /// Everybody stops in order, and leaves no open transaction (I14).
    fn stop_all(self: &Rc<Self>) -> Result<(), String> {
        for process in self.fleet.borrow_mut().processes.values_mut() {
            process.stop();
        }
        for _ in 0..PASSES_MAX {
            if self.fleet.borrow().processes.is_empty() {
                let roots = self.fleet.borrow().roots();
                roots.iter().for_each(|root| self.look_at_disks(root));
                return self.found.borrow().clone().map_or(Ok(()), Err);
            }
            self.pass_quietly();
        }
        Err("workers do not stop".to_owned())
    }

    /// Whoever begins on an empty disk, and again on the one it leaves, holds what the fold holds and has nothing to do:
    /// changelog, store and offsets agree (I4, I5).
    fn begin_anew(self: &Rc<Self>) -> Result<(), String> {
        let (ends, root) = (self.ends(), self.fleet.borrow_mut().new_root(0));
        for _ in 0..2 {
            self.start_at(0, &root);
            for _ in 0..300 {
                let waiting = self.fleet.borrow().waiting();
                let rounds = waiting.into_iter().map(|at| self.round_of(at, Plan::Calm));
                if rounds.fold(true, |quiet, one| quiet & one) {
                    break;
                }
            }
            self.look_at_members()?;
            if self.ends() != ends {
                return Err(
                    "a new process finds something to do where all was done (I5)".to_owned()
                );
            }
            self.stop_all()?;
        }
        self.found.borrow().clone().map_or(Ok(()), Err)
    }

    fn ends(&self) -> NextOffsets {
        let heard = self.heard.borrow();
        heard.places().into_keys().map(|at| (at, heard.end(at))).collect()
    }

    /// Lets everything go, whatever it was doing.
    pub(super) fn dissolve(&self) {
        let mut fleet = self.fleet.borrow_mut();
        for process in fleet.processes.values_mut() {
            process.slots.iter_mut().for_each(|slot| *slot = Slot::Gone);
        }
        fleet.processes.clear();
        fleet.graveyard.clear();
    }
}

/// All of a partition, from its start.
fn read(broker: &EmbeddedBroker, at: (Topic, u32)) -> Result<Vec<Record>, String> {
    let reader = broker.reader(&NextOffsets::from([(at, 0)]));
    let mut reader = reader.map_err(|error| error.to_string())?;
    let wait = std::time::Duration::ZERO;
    let bounds = PollBounds { records_max: 100_000, bytes_max: usize::MAX, wait };
    let mut records = Vec::new();
    loop {
        let batch = reader.poll(&bounds).map_err(|error| error.to_string())?;
        records.extend(batch.records);
        if batch.at_end {
            return Ok(records);
        }
    }
}
