//! One worker of a process, driven by hand: the real worker, a watched stage, a session in which things go wrong.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::broker::record::Output;
use crate::broker::{Broker, NextOffsets, Remedy, Session, SessionSpec};
use crate::clock::Clock;
use crate::conversation::ConversationStage;
use crate::engine::context::Committed;
use crate::engine::stage::Stage;
use crate::engine::worker::{Act, Pulse, Surroundings, Worker, WorkerSpec};
use crate::metrics::StageName;
use crate::normalize::Accounts;
use crate::normalize::edge::NormalizeStage;
use crate::profile::{self, ProfileStage};
use crate::route::edge::RouteStage;
use crate::send::SendStage;
use crate::store::Place;
use crate::topics::Topic;

use super::bench::SharedJudge;
use super::bounds::{self, Pending};
use super::faulty::{Faulty, Plan, Witness};
use super::judge::Played;
use super::planted::Planted;
use super::tape::{SharedTape, Spied, Tape, held};
use super::universe::Universe;

/// The stages of a process, in the order of its members.
pub(super) const STAGES: [StageName; 5] = [
    StageName::Normalize,
    StageName::Conversation,
    StageName::Route,
    StageName::Send,
    StageName::Profile,
];

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// It goes on; whether anything became true or moved.
    On { quiet: bool },
    /// The process ended in it.
    Crashed,
    /// The session ended; the next round begins another.
    Ended,
    /// It was told to stop, and has.
    Stopped,
}

/// A worker of whatever stage.
pub(super) trait Member {
    /// Goes round once.
    fn round(&mut self, plan: Plan) -> Went;
    /// Tells it to stop in order.
    fn stop(&self);
    /// Writes its stores.
    fn write(&self);
    /// Whether all it holds in memory is as it must be.
    fn look(&self) -> Result<(), String>;
    /// Ends it on the spot; its session stays behind, as the group sees it.
    fn crash(self: Box<Self>) -> Option<Session>;
}

struct Worked<S: Stage> {
    universe: Rc<Universe>,
    worker: Worker<Spied<S>>,
    exchange: Option<Faulty>,
    pulse: Arc<Pulse>,
    tape: SharedTape<S>,
    judge: SharedJudge<S>,
    pending: Pending,
    spec: WorkerSpec,
    process: u64,
}

/// Where a member works.
pub(super) struct Seat<'a> {
    pub(super) process: u64,
    pub(super) machine: u64,
    pub(super) clock: &'a Clock,
    pub(super) place: &'a Place,
}

/// A member for `stage`.
pub(super) fn member(
    universe: &Rc<Universe>,
    stage: StageName,
    seat: &Seat<'_>,
) -> Box<dyn Member> {
    let bench = &universe.bench;
    match stage {
        StageName::Conversation => {
            let inputs = vec![
                Topic::EventsNormalized,
                Topic::DeskCommands,
                Topic::RoutingDecisions,
                Topic::OutboundResults,
            ];
            let spec = spec(stage, seat, inputs, Some(Topic::ConversationChangelog));
            let idle = Box::new(|_, (), _| ());
            Box::new(Worked::new(
                universe,
                (spec, seat),
                ConversationStage,
                idle,
                &bench.conversation,
            ))
        }
        StageName::Route => {
            let inputs = vec![Topic::RoutingRequests, Topic::AgentsCommands];
            let spec = spec(stage, seat, inputs, Some(Topic::RouteChangelog));
            let idle = Box::new(|_, (), _| ());
            Box::new(Worked::new(universe, (spec, seat), RouteStage::new(), idle, &bench.route))
        }
        StageName::Send => {
            let spec = spec(stage, seat, vec![Topic::OutboundSends], Some(Topic::SendChangelog));
            let stage = SendStage::new(universe.sends.clone());
            let outbox = universe.instagram.borrow().outbox();
            let (clock, process) = (seat.clock.clone(), seat.process);
            let act: Act<Spied<SendStage>> = Box::new(move |lane, call, answer| {
                outbox.put(process, clock.clone(), (lane, call, answer));
            });
            Box::new(Worked::new(universe, (spec, seat), stage, act, &bench.send))
        }
        StageName::Profile => {
            let changelog = Some(Topic::ProfileChangelog);
            let spec = spec(stage, seat, profile::INPUTS.to_vec(), changelog);
            let questions = universe.directory.borrow().questions();
            let (clock, process) = (seat.clock.clone(), seat.process);
            let times = if universe.planted == Some(Planted::ProfileAskedTwice) { 2 } else { 1 };
            let act: Act<Spied<ProfileStage>> = Box::new(move |lane, call, answer| {
                for _ in 0..times {
                    let asked = (lane, call.clone(), answer.clone());
                    questions.put((process, clock.clone()), asked);
                }
            });
            Box::new(Worked::new(universe, (spec, seat), ProfileStage, act, &bench.profile))
        }
        StageName::Normalize | StageName::Project => {
            let spec = spec(StageName::Normalize, seat, vec![Topic::WebhooksRaw], None);
            let stage = NormalizeStage::new(Accounts::of([]));
            let idle = Box::new(|_, (), _| ());
            Box::new(Worked::new(universe, (spec, seat), stage, idle, &bench.normalize))
        }
    }
}

/// So little that a lane of some conversations comes back in several pieces.
const UNWRITTEN_BYTES: u64 = 4 << 10;

fn spec(
    stage: StageName,
    seat: &Seat<'_>,
    inputs: Vec<Topic>,
    changelog: Option<Topic>,
) -> WorkerSpec {
    let member = format!("m{}-{}", seat.machine, stage.name());
    WorkerSpec {
        stage,
        session: SessionSpec { group: stage.name().to_owned(), member, inputs },
        changelog,
        stores: seat.place.clone(),
        unwritten_bytes: UNWRITTEN_BYTES,
    }
}

impl<S: Stage> Worked<S> {
    fn new(
        universe: &Rc<Universe>,
        (spec, seat): (WorkerSpec, &Seat<'_>),
        stage: S,
        act: Act<Spied<S>>,
        judge: &SharedJudge<S>,
    ) -> Self {
        let tape = Tape::shared();
        let versions = Arc::clone(&universe.versions);
        let spied = Spied::new(stage, Arc::clone(&tape), versions, universe.planted);
        let around = Surroundings {
            broker: Broker::Embedded(universe.broker.clone()),
            clock: seat.clock.clone(),
            settings: Arc::clone(&universe.settings),
            metrics: universe.metrics.clone(),
        };
        let pulse = Arc::new(Pulse::default());
        let worker = Worker::new(spec.clone(), around, spied, act, Arc::clone(&pulse))
            .with_limits(bounds::limits(universe.planted));
        let (universe, judge) = (Rc::clone(universe), Rc::clone(judge));
        let (pending, process) = (Pending::default(), seat.process);
        Self { universe, worker, exchange: None, pulse, tape, judge, pending, spec, process }
    }

    fn begin(&mut self) -> Went {
        match self.worker.begin() {
            Ok(session) => {
                let witness = Reporter {
                    universe: Rc::clone(&self.universe),
                    tape: Arc::clone(&self.tape),
                    judge: Rc::clone(&self.judge),
                    begun: Cell::new(false),
                };
                let universe = Rc::clone(&self.universe);
                let of = (self.process, self.spec.stage);
                let exchange = Faulty::new(universe, session, Box::new(witness), of);
                self.exchange = Some(exchange);
                Went::On { quiet: false }
            }
            Err(error) => {
                self.universe.find(format!("{} cannot begin: {error}", self.spec.stage.name()));
                Went::Ended
            }
        }
    }

    /// Between two rounds nothing is uncommitted, and what waits to be written is no more than may (I12).
    fn look_at_bounds(&mut self) -> Result<(), String> {
        let (lanes, judge, name) =
            (self.worker.lanes(), self.judge.borrow(), self.spec.stage.name());
        self.pending.keep(|lane| lanes.contains_key(&lane));
        for (lane, rows) in lanes {
            if rows.waiting() > 0 {
                return Err(format!("{name}/{lane}: rows are written and not committed"));
            }
            let Committed::Lane(desk) = &rows.committed else { continue };
            let looked = self.pending.look(*lane, desk.pending_bytes(), judge.largest(*lane));
            looked.map_err(|what| format!("{name}: {what}"))?;
        }
        Ok(())
    }

    /// As a worker's own loop does at a session's end.
    fn end(&mut self) {
        self.worker.close_lanes();
        if let Some(exchange) = self.exchange.take() {
            // Whoever was fenced has nothing to leave.
            drop(exchange.into_inner().close());
        }
        self.worker.drop_lanes();
        self.pending.keep(|_| false);
    }
}

impl<S: Stage> Member for Worked<S> {
    fn round(&mut self, plan: Plan) -> Went {
        let Some(exchange) = self.exchange.as_mut() else { return self.begin() };
        if self.worker.is_done() {
            if !exchange.is_closed() {
                self.universe.find("a stopping worker leaves an open transaction".to_owned());
            }
            self.end();
            return Went::Stopped;
        }
        exchange.plan = plan;
        // Lanes that came back in this round are read in the next one.
        let restored = self.worker.is_restoring();
        let went = self.worker.round(exchange);
        let still = exchange.was_idle && !exchange.has_committed;
        let (crashed, quiet) =
            (exchange.crashed, still && !restored && !self.worker.is_restoring());
        exchange.plan = Plan::Calm;
        if !crashed
            && went.is_ok()
            && let Err(what) = self.look_at_bounds()
        {
            self.universe.find(what);
        }
        match went {
            _ if crashed => Went::Crashed,
            Ok(()) => Went::On { quiet },
            Err(error) => {
                let name = self.spec.stage.name();
                match error.remedy() {
                    Remedy::Stop => self.universe.find(format!("{name} stopped: {error}")),
                    Remedy::Retry | Remedy::Abort | Remedy::Rebuild => {
                        self.universe.say(|| format!("p{} {name}: {error}", self.process));
                    }
                }
                self.end();
                Went::Ended
            }
        }
    }

    fn stop(&self) {
        self.pulse.stop.store(true, Ordering::Relaxed);
    }

    fn write(&self) {
        if let Some(writer) = self.worker.writer() {
            writer.write();
        }
    }

    fn look(&self) -> Result<(), String> {
        let judge = self.judge.borrow();
        let name = self.spec.stage.name();
        for (lane, rows) in self.worker.lanes() {
            let Committed::Lane(desk) = &rows.committed else { continue };
            let held = desk.scan_prefix(&[], usize::MAX).map_err(|error| error.to_string())?;
            let expected: Vec<_> = judge.rows(*lane).into_iter().collect();
            if held != expected {
                return Err(format!(
                    "{name}/{lane}: the worker's rows are not what the fold says ({} and {})",
                    held.len(),
                    expected.len()
                ));
            }
        }
        Ok(())
    }

    fn crash(mut self: Box<Self>) -> Option<Session> {
        self.exchange.take().map(Faulty::into_inner)
    }
}

/// Reports to the judge and to everybody.
struct Reporter<S: Stage> {
    universe: Rc<Universe>,
    tape: SharedTape<S>,
    judge: Rc<RefCell<super::judge::Judge<S>>>,
    /// A turn has begun, and no part of it was committed yet.
    begun: Cell<bool>,
}

impl<S: Stage> Witness for Reporter<S> {
    fn committed(&self, sent: &[Output], next: &NextOffsets) {
        let (steps, true_now) = (held(&self.tape).take(), self.universe.now());
        let is_first = self.begun.replace(false);
        let played = Played { steps, sent, next, true_now, is_first };
        if let Err(what) = self.judge.borrow_mut().judge(played) {
            self.universe.find(what);
        }
        for output in sent {
            let (at, offset) = self.universe.heard.borrow_mut().appended(output);
            let row = (output.key.as_slice(), output.value.as_deref());
            self.judge.borrow_mut().note(at, offset, row);
        }
        self.universe.hear(sent);
    }

    fn begins(&self) {
        drop(held(&self.tape).take());
        self.begun.set(true);
    }
}
