//! Everything there is in one run: the log, the time, the dice, the processes, the platform, the agents; and one step of it.
//!
//! One thread. Whoever is in the middle of something may let the others go on meanwhile: nothing here is borrowed while
//! a stage is at work.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arc_swap::ArcSwap;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings, Producer};
use crate::broker::record::Output;
use crate::clock::Clock;
use crate::domain::settings::SettingsTable;
use crate::domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::metrics::Metrics;
use crate::send;

use super::agents::Agents;
use super::bench::Bench;
use super::directory::Directory;
use super::fault::{Fault, Tally};
use super::faulty::Plan;
use super::fleet::Fleet;
use super::heard::Heard;
use super::instagram::Instagram;
use super::planted::Planted;
use super::tape::{Versions, held};
use super::{Error, Parts};

/// How deep steps may stand inside steps.
const DEPTH_MAX: u32 = 2;

/// Rounds of everybody before machines fail.
const OPENING_MAX: u64 = 14;

/// When every run begins.
pub(super) const BEGINS_AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);

/// Time that may pass while faults happen: less than any input is kept.
const TIME_MAX_MS: u64 = 5 * DAY_MS;

/// One run's everything.
pub(super) struct Universe {
    pub(super) dice: RefCell<StdRng>,
    pub(super) clock: Clock,
    pub(super) broker: EmbeddedBroker,
    producer: Producer,
    pub(super) settings: Arc<ArcSwap<SettingsTable>>,
    pub(super) versions: Versions,
    pub(super) metrics: Metrics,
    pub(super) sends: send::Metrics,
    pub(super) planted: Option<Planted>,
    /// Faults are over.
    pub(super) calm: Cell<bool>,
    pub(super) found: RefCell<Option<String>>,
    pub(super) tally: RefCell<Tally>,
    log: RefCell<Option<Vec<String>>>,
    pub(super) bench: Bench,
    pub(super) heard: RefCell<Heard>,
    pub(super) fleet: RefCell<Fleet>,
    pub(super) instagram: RefCell<Instagram>,
    pub(super) agents: RefCell<Agents>,
    pub(super) directory: RefCell<Directory>,
    depth: Cell<u32>,
    /// Steps for which workers see no end of their inputs.
    pub(super) load: Cell<u64>,
    pub(super) steps: Cell<u64>,
}

impl Universe {
    pub(super) fn new(
        (seed, planted): (u64, Option<Planted>),
        logged: bool,
        parts: &Parts,
    ) -> Result<Rc<Self>, Error> {
        let mut dice = StdRng::seed_from_u64(seed);
        let clock = Clock::manual(BEGINS_AT);
        let settings = EmbeddedSettings {
            partitions: Some(dice.random_range(1..=3)),
            clock: clock.clone(),
            waits: false,
            segment_bytes_max: 8 << 10,
            journal_bytes_max: 256 << 10,
            keep_every: std::time::Duration::from_millis(u64::MAX),
            tombstones_kept: std::time::Duration::from_millis(DAY_MS),
            ..EmbeddedSettings::default()
        };
        let broker = EmbeddedBroker::in_memory(&settings);
        let instagram = Instagram::new(&mut dice)?;
        let agents = Agents::new(&mut dice)?;
        let table = Arc::new(super::agents::first_settings(&mut dice, &instagram.accounts));
        Ok(Rc::new(Self {
            producer: broker.producer()?,
            heard: RefCell::new(Heard::new(&broker)),
            bench: Bench::new(parts),
            broker,
            clock,
            settings: Arc::new(ArcSwap::new(Arc::clone(&table))),
            versions: Arc::new(std::sync::Mutex::new(vec![table])),
            metrics: parts.metrics.clone(),
            sends: parts.sends.clone(),
            planted,
            calm: Cell::new(false),
            found: RefCell::new(None),
            tally: RefCell::default(),
            log: RefCell::new(logged.then(Vec::new)),
            fleet: RefCell::new(Fleet::new(dice.random_range(1..=3), planted)),
            instagram: RefCell::new(instagram),
            agents: RefCell::new(agents),
            directory: RefCell::default(),
            depth: Cell::new(0),
            load: Cell::new(0),
            steps: Cell::new(0),
            dice: RefCell::new(dice),
        }))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A number below `end`.
    pub(super) fn roll(&self, end: u64) -> u64 {
        self.dice.borrow_mut().random_range(0..end.max(1))
    }

    /// Whether it happens, `permille` times of a thousand; never when faults are over.
    pub(super) fn by_bad_luck(&self, permille: u64) -> bool {
        !self.calm.get() && self.roll(1_000) < permille
    }

    pub(super) fn count(&self, fault: Fault) {
        self.tally.borrow_mut().count(fault);
        self.say(|| format!("fault: {}", fault.name()));
    }

    /// Writes a line of the log, where one is kept.
    pub(super) fn say(&self, line: impl FnOnce() -> String) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            let (step, ms) = (self.steps.get(), self.now().since_ms(BEGINS_AT));
            log.push(format!("{step:>5} {:>9}.{:03} {}", ms / 1_000, ms % 1_000, line()));
        }
    }

    pub(super) fn take_log(&self) -> Vec<String> {
        self.log.borrow_mut().take().unwrap_or_default()
    }

    /// Notes what is violated; the first finding counts.
    pub(super) fn find(&self, what: String) {
        self.say(|| format!("VIOLATED: {what}"));
        self.found.borrow_mut().get_or_insert(what);
    }

    pub(super) fn is_over(&self) -> bool {
        self.found.borrow().is_some()
    }

    /// Appends a record outside of any transaction.
    pub(super) fn append(&self, output: Output) {
        self.heard.borrow_mut().appended(&output);
        let mut appended = std::pin::pin!(self.producer.append(output));
        match appended.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => (),
            Poll::Ready(Err(error)) => self.find(format!("a record was not taken: {error}")),
            Poll::Pending => self.find("a record was neither taken nor refused".to_owned()),
        }
    }

    /// Moves time, and every process's clock with it.
    pub(super) fn pass(&self, ms: u64) {
        self.clock.set(self.now().plus_ms(ms));
        self.fleet.borrow().set_clocks(self.now());
    }

    /// Lets the others go on while somebody stands still.
    pub(super) fn meanwhile(self: &Rc<Self>, steps: u64) {
        if self.depth.get() >= DEPTH_MAX {
            return;
        }
        self.depth.set(self.depth.get() + 1);
        for _ in 0..steps {
            if self.is_over() {
                break;
            }
            self.step();
        }
        self.depth.set(self.depth.get() - 1);
    }

    /// The shop opens: people write and agents take what they are offered, before machines begin to fail. In some worlds
    /// it has hardly opened, in others agents hold conversations and answer.
    pub(super) fn open(self: &Rc<Self>) {
        for _ in 0..self.roll(OPENING_MAX) {
            self.live();
            self.deliver();
            self.work();
            self.pass(1 + self.roll(3 * SECOND_MS));
            let waiting = self.fleet.borrow().waiting();
            for at in waiting {
                self.round_of(at, Plan::Calm);
            }
        }
    }

    /// One step of a world in which things go wrong.
    pub(super) fn step(self: &Rc<Self>) {
        self.steps.set(self.steps.get() + 1);
        self.load.set(self.load.get().saturating_sub(1));
        match self.roll(100) {
            0..50 => self.go_round(),
            50..56 => self.live(),
            56..64 => self.deliver(),
            64..73 => {
                self.call();
                self.inform();
            }
            73..83 => self.work(),
            83..87 => self.write_behind(),
            87..96 => self.time_passes(),
            _ => self.misfortune(),
        }
    }

    fn time_passes(&self) {
        let ms = match self.roll(100) {
            0..75 => 1 + self.roll(2_000),
            75..90 => self.roll(20 * SECOND_MS),
            90..97 => self.jump(self.roll(10 * MINUTE_MS)),
            97..99 => self.jump(self.roll(6 * HOUR_MS)),
            _ => self.jump(self.roll(30 * HOUR_MS)),
        };
        if self.now().since_ms(BEGINS_AT) + ms < TIME_MAX_MS {
            self.pass(ms);
        }
    }

    fn jump(&self, ms: u64) -> u64 {
        self.count(Fault::ClockJump);
        ms
    }

    /// Puts new settings in force.
    pub(super) fn choose(&self, table: SettingsTable) {
        let table = Arc::new(table);
        held(&self.versions).push(Arc::clone(&table));
        self.settings.store(table);
    }
}
