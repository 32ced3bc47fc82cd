//! The command line: what the program can be asked, and help that teaches.
//!
//! Parsing alone; what is asked is done by `app` and the rooms.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Role;
use crate::domain::thread::Thread;

/// The Instagram Direct channel of a customer-service desk, as an exactly-once stream-processing pipeline.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    max_term_width = 110,
    after_help = "\
First steps:
  dmstream demo                      see everything work, with a simulated Instagram and robot agents
  dmstream normalize webhook.json    what would this webhook become?
  dmstream run --config dmstream.toml

Settings come from defaults < file < environment (DMSTREAM_…) < flags; `dmstream config` prints what is in force."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the pipeline: all roles in one process, or some of them with --roles.
    Run(RunArgs),
    /// See everything work: all roles, a simulated Instagram, robot agents; ends with a summary that adds up.
    Demo(DemoArgs),
    /// Print the events a webhook body becomes, one JSON object a line; no broker needed.
    Normalize(NormalizeArgs),
    /// Compare topics.yaml with the cluster, or make the cluster so.
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Look at records that could not be processed.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Find out where one message went: every record that names an id, and what came of it. Shows no content.
    Trace(TraceArgs),
    /// Print facts, one JSON object a line, in order per thread; they hold what people wrote. On the built-in broker, while it stands still.
    Facts(FactsArgs),
    /// Show whether an erased person has left state and compacted topics; exit code 1 when something is left. Shows no content.
    EraseCheck(EraseCheckArgs),
    /// Print the settings in force, secrets masked.
    Config(ConfigArgs),
    /// Ask a running dmstream whether it is alive; for container health checks.
    Health {
        /// Where it listens.
        #[arg(long, default_value = "http://127.0.0.1:8080/livez")]
        url: String,
    },
    /// Run the whole pipeline with everything going wrong, one world a seed, and judge what came of it.
    Simulate(SimulateArgs),
    /// Measure the program against what limits it, side by side, on this machine.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// JSON Schemas of the public records, as generated from the code.
    #[command(subcommand)]
    Schemas(SchemasCommand),
}

/// Where settings come from.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArgs {
    /// TOML file with settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// How to run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Roles to run here, comma-separated; all when not given.
    #[arg(long, value_delimiter = ',', value_name = "ROLE,…")]
    pub roles: Vec<Role>,
    /// Address to listen on.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
}

/// How to show.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How long people write, e.g. 30s or 2m.
    #[arg(long = "for", default_value = "30s", value_parser = duration, value_name = "TIME")]
    pub for_: Duration,
    /// How many people write.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub people: u32,
    /// Messages of people a second, all together.
    #[arg(long, default_value_t = 8.0, value_name = "PER_SECOND")]
    pub rate: f64,
    /// The same seed makes the same people say the same things.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Run on this Kafka instead of the embedded broker.
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// Keep state in this directory instead of a temporary one.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address of the API and metrics; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Stop and start the pipeline at random moments, so many times.
    #[arg(long, default_value_t = 0, value_name = "TIMES")]
    pub restarts: u32,
    /// Print the summary only.
    #[arg(long)]
    pub quiet: bool,
}

/// What to normalize.
#[derive(Debug, Args)]
pub struct NormalizeArgs {
    /// Files, one body each; `-` or none reads standard input: one document, or one body a line.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// An account of ours; repeat for several. None given: every account is ours.
    #[arg(long = "account", value_name = "ID")]
    pub accounts: Vec<String>,
    /// Where settings come from; accounts configured there are ours.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Which way to reconcile topics.
#[derive(Debug, Subcommand)]
pub enum TopicsCommand {
    /// Print every difference; exit code 1 when there is one.
    Check(ConfigArgs),
    /// Create what is missing and set what differs; never changes a partition count.
    Apply(ConfigArgs),
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// One line each: reason, source topic, partition, offset, time, size. Never the content.
    List(ConfigArgs),
    /// Put dead letters back into the topics they came from, once their cause is mended; what was seen before is not seen twice.
    Replay(ReplayArgs),
}

/// Which dead letters to put back.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Only those with this reason, e.g. `bad_shape`.
    #[arg(long)]
    pub reason: Option<String>,
    /// Say what would be put back, and put nothing back.
    #[arg(long)]
    pub dry_run: bool,
    /// Where settings come from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What to look for.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// A message id (mid), send id, command id, record id (`ce_id`), conversation id, or trace id.
    pub id: String,
    /// Where settings come from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Which facts to print, and how.
#[derive(Debug, Args)]
pub struct FactsArgs {
    /// Of this thread alone: `ACCOUNT:PERSON`.
    #[arg(long, value_name = "KEY", value_parser = thread)]
    pub thread: Option<Thread>,
    /// Those that are kept, or from now on.
    #[arg(long, value_enum, default_value_t = StartAt::Earliest)]
    pub from: StartAt,
    /// Go on with what is told later, until stopped; always so with `--from latest`.
    #[arg(long)]
    pub follow: bool,
    /// In the words other desks use: `{id, type, timestamp, initiator, content}`; schemas/README.md.
    #[arg(long)]
    pub outward: bool,
    /// Where settings come from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StartAt {
    /// At the oldest kept.
    Earliest,
    /// At the next one.
    Latest,
}

/// Whom to look for.
#[derive(Debug, Args)]
pub struct EraseCheckArgs {
    /// The account they wrote to.
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// Their Instagram-scoped id.
    #[arg(value_name = "PERSON")]
    pub person: String,
    /// Where settings come from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Normalizing against parsing the same JSON alone.
    Normalize(BenchArgs),
    /// Durable ingress against the same HTTP server without a broker.
    Ingress(BenchArgs),
    /// Raw webhooks to routing decisions against a transactional pass-through over the same hops.
    Pipeline(BenchArgs),
    /// From a webhook's answer to its routing decision, at half load.
    Latency(LatencyArgs),
    /// Lanes back from an empty disk against reading the changelog alone, and after kill -9.
    Restore(StateArgs),
    /// Throughput and memory with many conversations against a hundredth of them.
    State(StateArgs),
}

/// How to measure latency.
#[derive(Debug, Clone, Args)]
pub struct LatencyArgs {
    /// Where and how much.
    #[command(flatten)]
    pub bench: BenchArgs,
    /// Webhooks a second; half of what this machine bears when not given.
    #[arg(long)]
    pub rate: Option<u32>,
}

/// How to measure with many conversations.
#[derive(Debug, Clone, Args)]
pub struct StateArgs {
    /// Where and how much.
    #[command(flatten)]
    pub bench: BenchArgs,
    /// How many conversations; 1,000,000 for restore and 5,000,000 for state when not given.
    #[arg(long)]
    pub conversations: Option<u32>,
}

/// How to measure.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Kafka to measure on; topics are made and removed again.
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// Records a run.
    #[arg(long, default_value_t = 100_000)]
    pub records: u32,
    /// Runs; medians are printed.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub runs: u32,
}

/// Which worlds to run.
#[derive(Debug, Args)]
#[command(after_help = "\
Each seed is a world of its own: people, agents, processes, and crashes, lost answers, zombies, torn and old stores, jumping
clocks, late and doubled webhooks. No broker, no disk and no real time is needed. At the end faults stop, everything must
settle, and every output, row, offset, timer and message is compared with a plain fold over the input.

  dmstream simulate                        a thousand worlds, in a minute or two
  dmstream simulate --seeds 100000         over night
  dmstream simulate --seed 4711 --log      one world, step by step; the same seed gives the same lines

Exit code 1 when a seed finds a violation: its number, what is violated and how to run it alone are printed.")]
pub struct SimulateArgs {
    /// How many worlds.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// The first seed; the others follow it.
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub from: u64,
    /// Run this seed alone.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    pub seed: Option<u64>,
    /// Print what happens, line by line.
    #[arg(long, requires = "seed")]
    pub log: bool,
    /// Worlds at a time; as many as the machine has cores when not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
}

/// What to do with schemas.
#[derive(Debug, Subcommand)]
pub enum SchemasCommand {
    /// Write them into a directory.
    Write {
        /// Where to.
        #[arg(default_value = "schemas")]
        dir: PathBuf,
    },
}

/// `ACCOUNT:PERSON`.
fn thread(text: &str) -> Result<Thread, String> {
    Thread::from_key(text).map_err(|error| error.to_string())
}

/// `30s`, `2m`, `1h`, `250ms`, or a number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_no_number| format!("`{text}` is no time: write 30s or 2m"))?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3_600))),
        _ => Err(format!("`{unit}` is no unit of time: ms, s, m or h")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read_with_their_unit() {
        check("30s", Some(30_000));
        check("2m", Some(120_000));
        check("250ms", Some(250));
        check("7", Some(7_000));
        check("soon", None);
        check("3 days", None);

        #[track_caller]
        fn check(text: &str, expected_ms: Option<u64>) {
            assert_eq!(duration(text).ok(), expected_ms.map(Duration::from_millis));
        }
    }
}
