//! The demo: the whole pipeline, a simulated Instagram and robot agents on this machine, told line by line.
//!
//! Promise: it ends by itself, its books are compared item by item with the timelines, and the exit code says whether they
//! agree. With restarts the pipeline runs as a process of its own, which is killed without warning and started again.
//!
//! Not here: what people and robots do, and how books are compared (`simulator`).

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::pipeline::{Pipeline, wait_until_ready};
use super::{Error, kafka_settings};
use crate::broker::kafka::KafkaBroker;
use crate::cli::DemoArgs;
use crate::clock::{Clock, Stopwatch};
use crate::config::Config;
use crate::domain::id::AccountId;
use crate::send::{RATE_MAX, RATE_WINDOW_MS};
use crate::simulator::{self, Happening, Narrator, Outcome, SimulatorSettings};
use crate::telemetry;

/// The first shop people write to; the others have the numbers behind it.
const FIRST_ACCOUNT: u64 = 17_841_400_000_000_001;
/// Calls that the robots make for each message of a person, at most: replies, hearts, repetitions. About 1.4 were seen.
const CALLS_A_MESSAGE: f64 = 2.0;
/// Calls that an account is to make within the window of the send rate: less than those after which its replies wait for
/// minutes, with room for shops that more people write to.
const CALLS_AN_ACCOUNT: usize = RATE_MAX * 3 / 5;
/// The robots.
const AGENTS: [&str; 6] = ["ada", "ben", "chi", "dov", "eva", "fin"];
/// Lines a second at most: what a person can follow.
const LINES_PER_S: u32 = 12;
/// How long the pipeline may take to be ready after a start or a crash.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// Runs the demo.
///
/// # Errors
///
/// When the demo could not be set up; differences in the books are an exit code, not an error.
pub(super) async fn show(args: DemoArgs) -> Result<ExitCode, Error> {
    if !(args.rate.is_finite() && args.rate > 0.0) {
        return Err(Error::Failed("--rate must be a number above 0".to_owned()));
    }
    let stage = Stage::set_up(&args).await?;
    say(&stage.where_things_are());
    let (stop, stopped) = watch::channel(false);
    let interrupted = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.send_replace(true);
        }
    });
    let since = Stopwatch::start();
    let played = stage.play(&args, stopped).await;
    interrupted.abort();
    let outcome = played?;
    say(&format!("\n{}", outcome.summary));
    say(&closing(&args, &outcome, since.elapsed()));
    Ok(if outcome.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What holds during the demo: directory, addresses, secrets.
struct Stage {
    config: Config,
    file: PathBuf,
    graph: TcpListener,
    address: SocketAddr,
    /// Goes away with the demo, unless a directory was given.
    _temporary: Option<tempfile::TempDir>,
}

impl Stage {
    async fn set_up(args: &DemoArgs) -> Result<Self, Error> {
        let temporary = match &args.data_dir {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("dmstream-demo-").tempdir()?),
        };
        let dir = match (&args.data_dir, &temporary) {
            (Some(given), _) => given.clone(),
            (None, Some(made)) => made.path().to_owned(),
            (None, None) => PathBuf::from("data"),
        };
        std::fs::create_dir_all(&dir)?;
        let graph = TcpListener::bind("127.0.0.1:0").await?;
        let address = free_address(args.listen).await?;
        let file = dir.join("dmstream.toml");
        write_private(&file, &settings_file(args, &dir, address, graph.local_addr()?))?;
        // The developer's environment is no part of a demo.
        let config = Config::read(Some(&file), std::iter::empty())?;
        telemetry::start(&config.log, config.log_format)
            .map_err(|error| Error::Failed(error.to_string()))?;
        if config.kafka_bootstrap.is_some() {
            let kafka = KafkaBroker::connect(kafka_settings(&config))?;
            tokio::task::spawn_blocking(move || kafka.apply_topics())
                .await
                .map_err(|error| Error::Failed(error.to_string()))??;
        }
        Ok(Self { config, file, graph, address, _temporary: temporary })
    }

    fn where_things_are(&self) -> String {
        let broker = match &self.config.kafka_bootstrap {
            Some(bootstrap) => {
                format!("Kafka at {bootstrap}, topics {}*", self.config.topic_prefix)
            }
            None => "embedded".to_owned(),
        };
        format!(
            "console  http://{0}/\nAPI      http://{0}/v1/  (the admin token is in {1})\nmetrics  http://{0}/metrics\n\
             data     {2}\nbroker   {broker}\n",
            self.address,
            self.file.display(),
            self.config.data_dir.display(),
        )
    }

    async fn play(self, args: &DemoArgs, stopped: watch::Receiver<bool>) -> Result<Outcome, Error> {
        let first = if args.restarts == 0 {
            Pipeline::here(&self.config).await?
        } else {
            Pipeline::child(&self.file, &self.config.data_dir)?
        };
        wait_until_ready(self.address, READY_WITHIN).await?;
        let narrator = Arc::new(Mutex::new(Narrator::new(LINES_PER_S)));
        let quiet = args.quiet;
        let tell = move |happening: Happening| {
            if quiet {
                return;
            }
            let mut narrator = narrator.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(line) = narrator.line(&happening, Clock::System.now()) {
                say(&line);
            }
        };
        let plan = Restarts::of(args, &self);
        let restarted = restart(first, self.address, plan);
        let simulated = simulator::run(simulated(args, &self), self.graph, stopped, tell);
        // A pipeline that does not come back ends the demo at once.
        let (pipeline, outcome) = tokio::try_join!(restarted, async {
            simulated.await.map_err(|error| Error::Failed(error.to_string()))
        })?;
        pipeline.stop().await?;
        Ok(outcome)
    }
}

/// When to kill the pipeline.
struct Restarts {
    file: PathBuf,
    dir: PathBuf,
    /// Pauses, one before each kill.
    pauses: Vec<Duration>,
}

impl Restarts {
    /// Spread over the time in which people write, at moments the seed decides.
    fn of(args: &DemoArgs, stage: &Stage) -> Self {
        let mut dice = StdRng::seed_from_u64(args.seed);
        let times = f64::from(args.restarts.max(1));
        let share = args.for_.as_secs_f64() / times;
        let pauses = (0..args.restarts)
            .map(|_| Duration::from_secs_f64(share * dice.random_range(0.4..0.9)));
        Self {
            file: stage.file.clone(),
            dir: stage.config.data_dir.clone(),
            pauses: pauses.collect(),
        }
    }
}

/// Kills and restarts `pipeline` as planned; gives back the one that lives.
async fn restart(
    mut pipeline: Pipeline,
    address: SocketAddr,
    plan: Restarts,
) -> Result<Pipeline, Error> {
    for pause in plan.pauses {
        tokio::time::sleep(pause).await;
        pipeline.kill().await?;
        say("  ⚡ the pipeline is killed without warning, and started again");
        pipeline = Pipeline::child(&plan.file, &plan.dir)?;
        wait_until_ready(address, READY_WITHIN).await?;
    }
    Ok(pipeline)
}

fn simulated(args: &DemoArgs, stage: &Stage) -> SimulatorSettings {
    let base = format!("http://{}", stage.address);
    let config = &stage.config;
    let exposed = |secret: Option<&crate::secret::Secret>| {
        secret.map_or_else(String::new, |secret| secret.expose().to_owned())
    };
    SimulatorSettings {
        desk_token: exposed(config.admin_token.as_ref()),
        app_secret: exposed(config.app_secrets.first()),
        accounts: config
            .accounts
            .iter()
            .map(|(id, account): (&AccountId, _)| (id.clone(), account.token.expose().to_owned()))
            .collect(),
        people: usize::try_from(args.people).unwrap_or(usize::MAX),
        rate_per_s: args.rate,
        duration: args.for_,
        seed: args.seed,
        agents: AGENTS.map(str::to_owned).to_vec(),
        ..SimulatorSettings::new(&format!("{base}/webhooks/instagram"), &base)
    }
}

/// A configuration like anybody's, so that the same pipeline can be started again with `dmstream run --config`.
fn settings_file(args: &DemoArgs, dir: &Path, listen: SocketAddr, graph: SocketAddr) -> String {
    let mut text = format!(
        "# Written by `dmstream demo`; secrets are of this demo alone.\n\
         listen = \"{listen}\"\ndata_dir = {dir:?}\nlog = \"warn\"\ngraph_url = \"http://{graph}/v25.0\"\n\
         app_secrets = [\"{}\"]\nverify_token = \"{}\"\nadmin_token = \"{}\"\n",
        word(),
        word(),
        word(),
    );
    if let Some(kafka) = &args.kafka {
        text.push_str(&format!(
            "kafka_bootstrap = {kafka:?}\nkafka_replication = 1\ntopic_prefix = \"dm-demo-{}.\"\n",
            &word()[..8]
        ));
    }
    for account in (FIRST_ACCOUNT..).take(shops(args)) {
        text.push_str(&format!("\n[accounts.{account}]\ntoken = \"{}\"\n", word()));
    }
    // Robots are quicker than people: without this most of a short demo would be waiting.
    text.push_str("\n[companies.default]\nrouting_delay_ms = 1000\nstandard_capacity = 6\nmaximum_capacity = 8\n");
    text
}

/// How many shops it takes that no reply has to wait for its account's send rate: two at least, one a person at most.
fn shops(args: &DemoArgs) -> usize {
    let window = args.for_.min(Duration::from_millis(RATE_WINDOW_MS));
    let calls = (args.rate * window.as_secs_f64() * CALLS_A_MESSAGE).ceil();
    let people = usize::try_from(args.people).unwrap_or(usize::MAX).max(2);
    let needed = (1..=people).find(|shops| (shops * CALLS_AN_ACCOUNT) as f64 >= calls);
    needed.unwrap_or(people).max(2)
}

/// A random word nobody guesses.
fn word() -> String {
    hex::encode(StdRng::from_os_rng().random::<[u8; 16]>())
}

/// The address asked for, with a port that was free a moment ago where 0 was asked for: it must survive restarts.
async fn free_address(asked: SocketAddr) -> Result<SocketAddr, Error> {
    let listener = TcpListener::bind(asked)
        .await
        .map_err(|source| Error::Listen { address: asked, source })?;
    Ok(listener.local_addr()?)
}

/// Writes a file that its owner alone reads: it holds secrets.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn closing(args: &DemoArgs, outcome: &Outcome, took: Duration) -> String {
    let happened: u64 = outcome.summary.counts.happened.values().sum();
    let mut text = format!("seed {}, {:.1} s in all", args.seed, took.as_secs_f64());
    let people_s = args.for_.as_secs_f64().max(f64::MIN_POSITIVE);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    text.push_str(&format!(
        ", {:.1} events a second while people wrote",
        happened as f64 / people_s
    ));
    if args.restarts > 0 {
        text.push_str(&format!("; killed and restarted {} times", args.restarts));
    }
    if !outcome.compared {
        text.push_str("\nthe desk did not answer at the end: nothing could be compared");
    }
    text
}

/// One line for people. Whoever closed standard output does not wish to read on.
fn say(line: &str) {
    drop(writeln!(std::io::stdout().lock(), "{line}"));
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn a_demo_has_shops_enough_for_its_replies() {
        check("demo", 4);
        check("demo --for 2m", 16);
        check("demo --for 1h --people 2000", 41);
        check("demo --for 1h --people 10", 10);
        check("demo --for 1s", 2);

        #[track_caller]
        fn check(line: &str, expected: usize) {
            let words = std::iter::once("dmstream").chain(line.split(' '));
            let Command::Demo(args) = Cli::parse_from(words).command else { panic!("{line}") };
            assert_eq!(shops(&args), expected, "{line}");
        }
    }
}
