//! Measures the product against what limits it, both in one run on this machine, alternating.
//!
//! Promise: a figure stands beside its limit, with the spread of its runs and the command that makes it; nothing is
//! asserted. The limit's side shares nothing with the product but the client library.
//!
//! | command   | the product                            | its limit                                             |
//! |-----------|----------------------------------------|-------------------------------------------------------|
//! | normalize | normalizing webhooks                   | parsing the same JSON alone                           |
//! | ingress   | HTTP, signature, durable append        | HTTP and signature                                    |
//! | pipeline  | raw webhooks to routing decisions      | the same records copied in transactions over the hops |
//! | latency   | webhook answered to decision readable  | none: milliseconds, at half load                      |
//! | restore   | lanes back from an empty disk          | reading the changelog alone                           |
//! | state     | many conversations                     | a hundredth of them                                   |

mod cluster;
mod filled;
mod ingress;
mod latency;
mod load;
mod machine;
mod normalize;
mod pass_through;
mod pipeline;
mod post;
mod product;
mod report;
mod restore;
mod state;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::Error;
use crate::cli::{BenchArgs, BenchCommand};
use crate::telemetry::{self, LogFormat};

/// Measures what was asked for and prints a table.
///
/// # Errors
///
/// When it cannot be measured; no figure is an error.
pub(super) fn measure(command: &BenchCommand) -> Result<ExitCode, Error> {
    telemetry::start("off", LogFormat::Text)
        .map_err(|error| Error::Failed(format!("log filter: {error}")))?;
    match command {
        BenchCommand::Normalize(args) => normalize::measure(args)?,
        BenchCommand::Ingress(args) => ingress::measure(args)?,
        BenchCommand::Pipeline(args) => pipeline::measure(args)?,
        BenchCommand::Latency(args) => latency::measure(args)?,
        BenchCommand::Restore(args) => restore::measure(args)?,
        BenchCommand::State(args) => state::measure(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The cluster to measure on.
fn cluster(args: &BenchArgs) -> Result<cluster::Cluster, Error> {
    let missing = || {
        Error::Failed(
            "give the cluster to measure on: --kafka HOST:PORT (scripts/kafka starts one)"
                .to_owned(),
        )
    };
    let bootstrap = args.kafka.clone().ok_or_else(missing)?;
    Ok(cluster::Cluster { bootstrap })
}

/// How far a side is, on standard error; nothing where that is no terminal.
fn progress(of: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(of);
    let style =
        ProgressStyle::with_template("{msg:<24} {wide_bar} {human_pos}/{human_len} {per_sec}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// What was measured, and the command that does it again.
fn print(command: &str, args: &BenchArgs, table: &report::Table, notes: &str) -> Result<(), Error> {
    let kafka =
        args.kafka.as_ref().map(|address| format!(" --kafka {address}")).unwrap_or_default();
    let build = if cfg!(debug_assertions) { "debug build: figures say nothing\n" } else { "" };
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{build}dmstream bench {command}{kafka} --records {} --runs {}   (medians; spread = (most - least) / median)\n\n\
         {table}\n{notes}",
        args.records, args.runs
    )?;
    Ok(())
}
