//! Coming back: from an empty disk against reading the changelog alone, and after `kill -9` with what is on disk.
//!
//! Members that are known to the group get the lanes they had; those of a new group share them out while they come.

use super::filled::Filled;
use super::report::{Runs, Table, grouped, percent, ratio};
use super::{machine, print};
use crate::app::Error;
use crate::cli::StateArgs;
use crate::clock::Stopwatch;
use crate::topics::Topic;

/// Prints rates and times.
pub(super) fn measure(args: &StateArgs) -> Result<(), Error> {
    let cluster = super::cluster(&args.bench)?;
    let conversations = args.conversations.unwrap_or(1_000_000);
    let (mut empty, mut raw, mut lost) = (Runs::default(), Runs::default(), Runs::default());
    let (mut first, mut again) = (Runs::default(), Runs::default());
    let (mut resident, mut disk) = (Runs::default(), Runs::default());
    let mut row_bytes = 0;
    for _ in 0..args.bench.runs {
        let mut filled = Filled::set_up(&cluster, conversations)?;
        row_bytes = filled.row_bytes;
        let since = Stopwatch::start();
        cluster.survey(&[filled.named(Topic::ConversationChangelog)])?;
        raw.0.push(f64::from(conversations) / since.elapsed().as_secs_f64());
        // Nobody was a member of its groups before.
        first.0.push(filled.start()?.ready.as_secs_f64());
        disk.0.push(filled.wait_until_written() as f64 / f64::from(1 << 20));
        resident.0.extend(filled.process().and_then(machine::resident_mib));
        filled.kill()?;
        again.0.push(filled.start()?.ready.as_secs_f64());
        filled.kill()?;
        filled.lose_disk()?;
        let came = filled.start()?;
        empty.0.push(f64::from(conversations) / came.restoring.as_secs_f64());
        lost.0.push(came.ready.as_secs_f64());
        filled.kill()?;
        cluster.delete(&filled.prefix)?;
    }
    let mut table = Table::new(&["", "median", "spread", "ratio"]);
    let compared = ratio(empty.median(), raw.median());
    for (name, runs, compared, digits) in [
        ("from an empty disk, conversations/s", &empty, compared.as_str(), 0),
        ("limit: reading the changelog alone, records/s", &raw, "1.00", 0),
        ("from an empty disk, seconds until ready", &lost, "", 2),
        ("the same for a group that is new, seconds", &first, "", 2),
        ("after kill -9, seconds until ready", &again, "", 2),
        ("resident memory after the restore, MiB", &resident, "", 0),
        ("on disk, MiB", &disk, "", 0),
    ] {
        let median =
            if digits == 0 { grouped(runs.median()) } else { format!("{:.2}", runs.median()) };
        table.line(&[name.to_owned(), median, percent(runs.spread()), compared.to_owned()]);
    }
    let notes = format!(
        "{} conversations in rows of {row_bytes} bytes; rates from the first lane asked for to the last one whole, seconds from the start of the process\n",
        grouped(f64::from(conversations))
    );
    print("restore", &args.bench, &table, &notes)
}
