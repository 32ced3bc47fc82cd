//! The processes: which run, on which disk, by which clock; those that ended, as their group still sees them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::broker::Session;
use crate::clock::Clock;
use crate::domain::time::{HOUR_MS, Timestamp};
use crate::metrics::StageName;
use crate::store::{Copied, MemoryDisk, Place, StoreSettings};

use super::bounds;
use super::member::{Member, STAGES};
use super::planted::Planted;

/// Old copies of stores kept to come back later.
const COPIES_MAX: usize = 12;

/// All processes there are and were.
pub(super) struct Fleet {
    pub(super) processes: BTreeMap<u64, Process>,
    next: u64,
    /// How many may run at once; each has a name of its own.
    pub(super) machines: u64,
    pub(super) disk: MemoryDisk,
    /// Sessions whose process ended without a word.
    pub(super) graveyard: Vec<Session>,
    /// Directories of each machine that a start may find.
    roots: BTreeMap<u64, Vec<PathBuf>>,
    copies: Vec<(PathBuf, Copied)>,
    /// Lanes a process learnt to be lost, for a planted mistake.
    pub(super) lost: Vec<PathBuf>,
}

/// A running process.
pub(super) struct Process {
    pub(super) machine: u64,
    pub(super) root: PathBuf,
    pub(super) clock: Clock,
    pub(super) behind_ms: u64,
    pub(super) slots: Vec<Slot>,
    /// Its successor has begun.
    pub(super) is_ghost: bool,
    pub(super) is_stopping: bool,
    /// It ended while one of its workers was at work.
    is_doomed: bool,
}

/// A worker's place in its process.
pub(super) enum Slot {
    /// Waits for its turn.
    There(Box<dyn Member>),
    /// Is at work.
    Busy,
    /// Has ended.
    Gone,
}

impl Fleet {
    pub(super) fn new(machines: u64, planted: Option<Planted>) -> Self {
        // So small that a write has many parts and a submission waits.
        let store = StoreSettings { batch_rows: 2, flush_rows: 6, ..StoreSettings::default() };
        Self {
            processes: BTreeMap::new(),
            next: 0,
            machines,
            disk: MemoryDisk::new(store, bounds::writer(planted)),
            graveyard: Vec::new(),
            roots: BTreeMap::new(),
            copies: Vec::new(),
            lost: Vec::new(),
        }
    }

    /// The number of the next process.
    pub(super) const fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A directory for a process of `machine`: one it had, or a new one.
    pub(super) fn root(&mut self, machine: u64, roll: u64) -> PathBuf {
        let roots = self.roots.entry(machine).or_default();
        let known = usize::try_from(roll).ok().and_then(|at| roots.get(at)).cloned();
        known.unwrap_or_else(|| {
            let root = PathBuf::from(format!("m{machine}.{}", roots.len()));
            roots.push(root.clone());
            root
        })
    }

    /// A directory nobody ever had.
    pub(super) fn new_root(&mut self, machine: u64) -> PathBuf {
        self.root(machine, u64::MAX)
    }

    pub(super) fn place(&self, root: &Path) -> Place {
        Place::Memory(self.disk.clone(), root.to_owned())
    }

    /// Machines on which nobody runs, but for ghosts.
    pub(super) fn free_machines(&self) -> Vec<u64> {
        let taken = |machine: &u64| {
            let mut all = self.processes.values();
            all.any(|process| process.machine == *machine && !process.is_ghost)
        };
        (0..self.machines).filter(|machine| !taken(machine)).collect()
    }

    pub(super) fn add(&mut self, number: u64, process: Process) {
        self.processes.insert(number, process);
    }

    /// Workers that wait, as process and place in it.
    pub(super) fn waiting(&self) -> Vec<(u64, usize)> {
        let all = self.processes.iter();
        all.flat_map(|(number, process)| {
            let there = |(at, slot): (usize, &Slot)| matches!(slot, Slot::There(_)).then_some(at);
            process.slots.iter().enumerate().filter_map(there).map(|at| (*number, at))
        })
        .collect()
    }

    /// Takes a worker to work.
    pub(super) fn take(&mut self, (process, at): (u64, usize)) -> Option<Box<dyn Member>> {
        let slot = self.processes.get_mut(&process)?.slots.get_mut(at)?;
        match std::mem::replace(slot, Slot::Busy) {
            Slot::There(member) => Some(member),
            other @ (Slot::Busy | Slot::Gone) => {
                *slot = other;
                None
            }
        }
    }

    /// Gives a worker back, or says that it has ended.
    pub(super) fn give_back(&mut self, (process, at): (u64, usize), slot: Slot) {
        if let (Slot::There(member), true) = (&slot, self.is_stopping(process)) {
            member.stop();
        }
        if let Some(place) = self.processes.get_mut(&process).and_then(|one| one.slots.get_mut(at))
        {
            *place = slot;
        }
        let gone =
            |process: &mut Process| process.slots.iter().all(|slot| matches!(slot, Slot::Gone));
        if self.processes.get_mut(&process).is_some_and(gone) {
            self.processes.remove(&process);
        }
    }

    /// A look at a worker that waits.
    pub(super) fn look_at(&self, (process, at): (u64, usize)) -> Option<&dyn Member> {
        match self.processes.get(&process)?.slots.get(at)? {
            Slot::There(member) => Some(member.as_ref()),
            Slot::Busy | Slot::Gone => None,
        }
    }

    /// Ends a process without a word. A worker at work ends when it looks up.
    pub(super) fn crash(&mut self, number: u64) {
        let Some(process) = self.processes.get_mut(&number) else { return };
        process.is_doomed = true;
        let mut busy = false;
        for slot in &mut process.slots {
            match std::mem::replace(slot, Slot::Gone) {
                Slot::There(member) => self.graveyard.extend(member.crash()),
                Slot::Busy => {
                    *slot = Slot::Busy;
                    busy = true;
                }
                Slot::Gone => (),
            }
        }
        if !busy {
            self.processes.remove(&number);
        }
    }

    /// Whether a process has ended.
    pub(super) fn is_doomed(&self, number: u64) -> bool {
        self.processes.get(&number).is_none_or(|process| process.is_doomed)
    }

    fn is_stopping(&self, number: u64) -> bool {
        self.processes.get(&number).is_some_and(|process| process.is_stopping)
    }

    /// Sets every process's clock.
    pub(super) fn set_clocks(&self, now: Timestamp) {
        for process in self.processes.values() {
            process.clock.set(now.minus_ms(process.behind_ms));
        }
    }

    /// A process learns that lanes are lost.
    pub(super) fn lost(&mut self, number: u64, stage: StageName, lanes: &[u32]) {
        if let Some(process) = self.processes.get(&number) {
            let dir = process.root.join(stage.name());
            self.lost.extend(lanes.iter().map(|lane| dir.join(lane.to_string())));
        }
    }

    /// Keeps a copy of a store, to come back later.
    pub(super) fn remember(&mut self, path: &Path) {
        if let Some(copy) = self.disk.copy(path) {
            if self.copies.len() == COPIES_MAX {
                self.copies.remove(0);
            }
            self.copies.push((path.to_owned(), copy));
        }
    }

    /// The oldest copy there is of a store.
    pub(super) fn old_copy(&self, path: &Path) -> Option<Copied> {
        self.copies.iter().find(|(of, _)| of == path).map(|(_, copy)| copy.clone())
    }

    /// Every directory any process had.
    pub(super) fn roots(&self) -> Vec<PathBuf> {
        self.roots.values().flatten().cloned().collect()
    }

    /// The stores under a directory.
    pub(super) fn stores(&self, root: &Path) -> Vec<(PathBuf, StageName, u32)> {
        let found = self.disk.folders().into_iter().filter_map(|path| {
            let (stage, lane) = store_of(path.strip_prefix(root).ok()?)?;
            Some((path, stage, lane))
        });
        found.collect()
    }
}

/// Stage and lane of a store's path inside its root.
fn store_of(path: &Path) -> Option<(StageName, u32)> {
    let mut parts = path.iter();
    let (stage, lane) = (parts.next()?.to_str()?, parts.next()?.to_str()?);
    let stage = STAGES.into_iter().find(|one| one.name() == stage)?;
    Some((stage, lane.parse().ok()?))
}

impl Process {
    pub(super) fn new(
        machine: u64,
        root: PathBuf,
        now: Timestamp,
        planted: Option<Planted>,
    ) -> Self {
        // A clock ahead of the world's is no fault that may happen: timers would be early.
        let ahead_ms = if planted == Some(Planted::TimerEarly) { HOUR_MS } else { 0 };
        Self {
            machine,
            root,
            clock: Clock::manual(now.plus_ms(ahead_ms)),
            behind_ms: 0,
            slots: Vec::new(),
            is_ghost: false,
            is_stopping: false,
            is_doomed: false,
        }
    }
}
