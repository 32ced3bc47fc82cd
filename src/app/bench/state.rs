//! Many conversations against few: throughput when every message meets another one, and resident memory.

use super::cluster::Cluster;
use super::filled::Filled;
use super::load::Load;
use super::report::{Runs, Table, grouped, percent, ratio};
use super::{machine, print, progress, watch};
use crate::app::Error;
use crate::cli::{BenchArgs, StateArgs};
use crate::clock::Clock;
use crate::topics::Topic;

/// How many times more conversations are many.
const TIMES: u32 = 100;

/// Prints rates and memory of both.
pub(super) fn measure(args: &StateArgs) -> Result<(), Error> {
    let cluster = super::cluster(&args.bench)?;
    let many = args.conversations.unwrap_or(5_000_000);
    let few = (many / TIMES).max(1);
    let mut sides = [(few, Side::default()), (many, Side::default())];
    for (conversations, side) in &mut sides {
        let mut filled = Filled::set_up(&cluster, *conversations)?;
        filled.start()?;
        filled.wait_until_written();
        for run in 0..args.bench.runs {
            side.rates.0.push(run_one(&cluster, &filled, &args.bench, (*conversations, run))?);
            side.resident.0.extend(filled.process().and_then(machine::resident_mib));
        }
        filled.kill()?;
        cluster.delete(&filled.prefix)?;
    }
    let mut table = Table::new(&["conversations", "webhooks/s", "spread", "ratio", "resident MiB"]);
    let fewest = sides.first().map_or(0.0, |(_, side)| side.rates.median());
    for (conversations, side) in &sides {
        table.line(&[
            grouped(f64::from(*conversations)),
            grouped(side.rates.median()),
            percent(side.rates.spread()),
            ratio(side.rates.median(), fewest),
            grouped(side.resident.median()),
        ]);
    }
    print(
        "state",
        &args.bench,
        &table,
        "each webhook meets another conversation than the one before\n",
    )
}

/// Rates and memory with so many conversations.
#[derive(Debug, Default)]
struct Side {
    rates: Runs,
    resident: Runs,
}

/// Writes webhooks while the product runs, and says how many a second got through.
fn run_one(
    cluster: &Cluster,
    filled: &Filled,
    args: &BenchArgs,
    (conversations, run): (u32, u32),
) -> Result<f64, Error> {
    let bar = progress(u64::from(args.records), "filling");
    let load = Load::new(conversations, Clock::System.now()).round(run);
    let ends = [filled.named(Topic::Timeline)];
    let before: u64 = cluster.survey(&ends)?.values().map(|held| held.records).sum();
    let raw = filled.named(Topic::WebhooksRaw);
    let (to, records) = (cluster.clone(), args.records);
    let writer = std::thread::spawn(move || to.fill(&raw, load, records, |_| ()));
    let took = watch::until_done(
        cluster,
        &filled.named(Topic::WebhooksRaw),
        &ends,
        (before + u64::from(args.records), &bar),
    );
    bar.finish_and_clear();
    writer.join().map_err(|_panic| Error::Failed("the writer panicked".to_owned()))??;
    Ok(f64::from(args.records) / took?.seconds.max(f64::MIN_POSITIVE))
}
