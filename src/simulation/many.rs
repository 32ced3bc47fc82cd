//! Many seeds, split over threads: each run is one thread's alone, so what it comes to does not depend on the others.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Error, Parts, Planted, Tally, run};

/// What many seeds came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// Seeds that ran to their end.
    pub seeds: u64,
    /// What went wrong on purpose, in all of them.
    pub tally: Tally,
    /// Records that became true.
    pub records: u64,
    /// Seeds that found something, and what; in the order of the seeds.
    pub violated: Vec<(u64, String)>,
    /// Those of them that panicked.
    pub panicked: Vec<u64>,
}

/// Runs seeds `from` and the `count - 1` after it; stops early when `enough` findings are there.
///
/// `ran` is told after each seed.
///
/// # Errors
///
/// [`Error`], when a run could not be made.
pub fn judge_many(
    (from, count): (u64, u64),
    planted: Option<Planted>,
    (threads, enough): (usize, usize),
    ran: &(dyn Fn() + Sync),
) -> Result<Judged, Error> {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let judged = Mutex::new(Judged::default());
    let work = || -> Result<(), Error> {
        let parts = Parts::new()?;
        while !stop.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                break;
            }
            let seed = from.wrapping_add(at);
            let verdict = run(seed, planted, false, &parts)?;
            let mut all = judged.lock().unwrap_or_else(PoisonError::into_inner);
            all.seeds += 1;
            all.records += verdict.records;
            all.tally.add(&verdict.tally);
            if verdict.panicked {
                all.panicked.push(seed);
            }
            all.violated.extend(verdict.violated.map(|what| (seed, what)));
            if all.violated.len() >= enough {
                stop.store(true, Ordering::Relaxed);
            }
            drop(all);
            ran();
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or(Ok(())))
    })?;
    let mut judged = judged.into_inner().unwrap_or_else(PoisonError::into_inner);
    judged.violated.sort();
    Ok(judged)
}
