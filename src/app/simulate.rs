//! `dmstream simulate`: worlds by seed, a table of what went wrong on purpose, and what was violated.

use std::io::Write;
use std::process::ExitCode;
use std::thread::available_parallelism;

use indicatif::{ProgressBar, ProgressStyle};

use super::Error;
use crate::cli::SimulateArgs;
use crate::clock::Stopwatch;
use crate::simulation::{Fault, Judged, Parts, Tally, Verdict, judge_many, run};

/// Findings after which more are not looked for.
const ENOUGH: usize = 20;

/// Runs what was asked for; the exit code says whether everything held.
pub(super) fn judge(args: &SimulateArgs) -> Result<ExitCode, Error> {
    match args.seed {
        Some(seed) => one(seed, args.log),
        None => many(args),
    }
}

fn one(seed: u64, logged: bool) -> Result<ExitCode, Error> {
    let Verdict { violated, tally, records, log, .. } = run(seed, None, logged, &Parts::new()?)?;
    let mut out = std::io::stdout().lock();
    for line in log {
        writeln!(out, "{line}")?;
    }
    match violated {
        None => {
            writeln!(out, "seed {seed}: all held ({} faults, {records} records)", tally.total())?;
            Ok(ExitCode::SUCCESS)
        }
        Some(what) => {
            writeln!(out, "seed {seed}: VIOLATED: {what}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn many(args: &SimulateArgs) -> Result<ExitCode, Error> {
    let cores = || available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = args.threads.map_or_else(cores, usize::from);
    let bar = ProgressBar::new(args.seeds);
    if let Ok(style) = ProgressStyle::with_template(
        "simulate {wide_bar} {human_pos}/{human_len} seeds, {per_sec}, {eta} left",
    ) {
        bar.set_style(style);
    }
    let watch = Stopwatch::start();
    let judged = judge_many((args.from, args.seeds), None, (threads, ENOUGH), &|| bar.inc(1))?;
    bar.finish_and_clear();
    let seconds = watch.elapsed().as_secs_f64().max(0.001);
    print(&judged, args.from, seconds)?;
    Ok(if judged.violated.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(judged: &Judged, from: u64, seconds: f64) -> Result<(), Error> {
    let Judged { seeds, tally, records, violated, .. } = judged;
    let mut out = std::io::stdout().lock();
    write_table(&mut out, tally)?;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = *seeds as f64 / seconds;
    writeln!(
        out,
        "\n{seeds} seeds from {from} in {seconds:.0} s ({rate:.0} a second), {} faults, {records} records: {} violated",
        tally.total(),
        violated.len()
    )?;
    for (seed, what) in violated {
        writeln!(out, "\nseed {seed}: {what}\n  dmstream simulate --seed {seed} --log")?;
    }
    Ok(())
}

fn write_table(out: &mut impl Write, tally: &Tally) -> std::io::Result<()> {
    writeln!(out, "{:<42} {:>10}", "what went wrong on purpose", "times")?;
    for fault in Fault::ALL {
        writeln!(out, "{:<42} {:>10}", fault.name(), tally.of(fault))?;
    }
    Ok(())
}
