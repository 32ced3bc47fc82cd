//! What the command line asks for, one function a command.

use std::io::{BufReader, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::{
    App, Error, bench, dead_letters, demo, erasure, facts, kafka_settings, open_broker, simulate,
    trace,
};
use crate::broker::Change;
use crate::broker::kafka::KafkaBroker;
use crate::cli::{
    Command, ConfigArgs, DeadLettersCommand, NormalizeArgs, RunArgs, SchemasCommand, TopicsCommand,
};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::id::AccountId;
use crate::normalize::Accounts;
use crate::normalize::print::print;
use crate::{schemas, telemetry};

/// How long tasks that nobody waits for may hold up the end.
const LEFT_BEHIND_WITHIN: Duration = Duration::from_secs(1);

/// How a process ends that did not stop in time.
const NOT_STOPPED: i32 = 3;

/// How long a health check waits.
const HEALTH_WITHIN: Duration = Duration::from_secs(3);

/// Does what was asked; the exit code says whether it held. Errors go to standard error, saying what to do next.
#[must_use]
pub fn execute(command: Command) -> ExitCode {
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            let mut err = std::io::stderr().lock();
            // Nobody is left to tell when standard error is gone.
            drop(writeln!(err, "dmstream: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Run(args) => on_runtime(serve(args)),
        Command::Demo(args) => on_runtime(demo::show(args)),
        Command::Normalize(args) => print_events(&args),
        Command::Topics(TopicsCommand::Check(args)) => check_topics(&args),
        Command::Topics(TopicsCommand::Apply(args)) => apply_topics(&args),
        Command::DeadLetters(DeadLettersCommand::List(args)) => dead_letters::list(&args),
        Command::DeadLetters(DeadLettersCommand::Replay(args)) => dead_letters::replay(&args),
        Command::Trace(args) => trace::show(&args),
        Command::Facts(args) => facts::print(&args),
        Command::EraseCheck(args) => erasure::show(&args),
        Command::Config(args) => {
            let config = Config::from_process(args.config.as_deref())?;
            writeln!(std::io::stdout(), "{config:#?}")?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Health { url } => on_runtime(health(&url)),
        Command::Simulate(args) => simulate::judge(&args),
        Command::Bench(command) => bench::measure(&command),
        Command::Schemas(SchemasCommand::Write { dir }) => write_schemas(&dir),
    }
}

/// Runs to the end of `work`; what it left behind on the runtime is not waited for.
fn on_runtime(work: impl Future<Output = Result<ExitCode, Error>>) -> Result<ExitCode, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LEFT_BEHIND_WITHIN);
    done
}

async fn serve(args: RunArgs) -> Result<ExitCode, Error> {
    let mut config = Config::from_process(args.config.config.as_deref())?;
    if !args.roles.is_empty() {
        config.roles = args.roles;
    }
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    config.require_complete()?;
    telemetry::start(&config.log, config.log_format)
        .map_err(|error| Error::Failed(format!("log filter: {error}")))?;
    let clock = Clock::System;
    let broker = open_broker(&config, &clock)?;
    let app = App::start(&config, broker, clock).await?;
    tracing::info!(address = %app.address, "dmstream runs");
    let mut watch = tokio::time::interval(Duration::from_secs(1));
    let stop = stop_signal();
    tokio::pin!(stop);
    let lost = loop {
        tokio::select! {
            signal = &mut stop => break signal.map(|()| false)?,
            _ = watch.tick() => if app.lost_worker() { break true },
        }
    };
    tracing::info!("stopping");
    end_after(Duration::from_millis(config.stop_within_ms))?;
    let ended = app.stop().await;
    tracing::info!("stopped");
    ended?;
    Ok(if lost { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Ends at the first SIGTERM or SIGINT; a second one ends the process at once, by the system's default.
async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => (),
        _ = int.recv() => (),
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => (),
            _ = int.recv() => (),
        }
        std::process::exit(130);
    });
    Ok(())
}

/// Ends the process when it has not ended by itself within `patience`. Safe at any time: a start goes on from the last
/// commit. Every wait on the way has a bound of its own; this one is for what nobody thought of, and for libraries.
fn end_after(patience: Duration) -> std::io::Result<()> {
    let watchdog = std::thread::Builder::new().name("stop-watchdog".to_owned());
    let watching = watchdog.spawn(move || {
        std::thread::sleep(patience);
        let waited_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        tracing::error!(waited_ms, "not everything stopped in time; the process ends without it");
        std::process::exit(NOT_STOPPED);
    })?;
    // Nobody joins it: it ends with the process.
    drop(watching);
    Ok(())
}

fn print_events(args: &NormalizeArgs) -> Result<ExitCode, Error> {
    let config = Config::from_process(args.config.config.as_deref())?;
    let mut ours: Vec<AccountId> = config.accounts.keys().cloned().collect();
    for id in &args.accounts {
        let id = AccountId::parse(id);
        ours.push(id.map_err(|error| Error::Failed(format!("--account: {error}")))?);
    }
    let accounts = Accounts::of(ours);
    let received_at = Clock::System.now();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let stdin = Path::new("-").to_owned();
    let files = if args.files.is_empty() { std::slice::from_ref(&stdin) } else { &args.files };
    for path in files {
        let printed = if *path == stdin {
            print(std::io::stdin().lock(), &mut out, &accounts, received_at)
        } else {
            std::fs::File::open(path)
                .and_then(|file| print(BufReader::new(file), &mut out, &accounts, received_at))
        };
        printed.map_err(|error| Error::Failed(format!("{}: {error}", path.display())))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The cluster the settings name; `None`, and said so, for the embedded broker, which makes its own topics.
fn cluster(args: &ConfigArgs) -> Result<Option<KafkaBroker>, Error> {
    let config = Config::from_process(args.config.as_deref())?;
    if config.kafka_bootstrap.is_some() {
        return Ok(Some(KafkaBroker::connect(kafka_settings(&config))?));
    }
    writeln!(
        std::io::stdout(),
        "the embedded broker makes its own topics; set DMSTREAM_KAFKA_BOOTSTRAP to look after those of a cluster"
    )?;
    Ok(None)
}

fn check_topics(args: &ConfigArgs) -> Result<ExitCode, Error> {
    let Some(cluster) = cluster(args)? else { return Ok(ExitCode::SUCCESS) };
    let differences = cluster.check_topics()?;
    let mut out = std::io::stdout().lock();
    for difference in &differences {
        writeln!(out, "{difference}")?;
    }
    if differences.is_empty() {
        writeln!(out, "topics are as declared")?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

fn apply_topics(args: &ConfigArgs) -> Result<ExitCode, Error> {
    let Some(cluster) = cluster(args)? else { return Ok(ExitCode::SUCCESS) };
    let changes = cluster.apply_topics()?;
    let mut out = std::io::stdout().lock();
    for change in &changes {
        writeln!(out, "{change}")?;
    }
    if changes.is_empty() {
        writeln!(out, "topics are as declared; nothing changed")?;
    }
    let refused = changes.iter().any(|change| matches!(change.change, Change::Refused { .. }));
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn health(url: &str) -> Result<ExitCode, Error> {
    let client = reqwest::Client::builder().timeout(HEALTH_WITHIN).build();
    let client = client.map_err(|error| Error::Failed(error.to_string()))?;
    match client.get(url).send().await {
        Ok(answer) if answer.status().is_success() => Ok(ExitCode::SUCCESS),
        Ok(answer) => Err(Error::Failed(format!("{url} answers {}", answer.status()))),
        Err(error) => Err(Error::Failed(format!("{url}: {error}"))),
    }
}

fn write_schemas(dir: &Path) -> Result<ExitCode, Error> {
    std::fs::create_dir_all(dir)?;
    for (name, schema) in schemas::all().into_iter().chain(schemas::outward()) {
        let mut text = serde_json::to_string_pretty(&schema)
            .map_err(|error| Error::Failed(error.to_string()))?;
        text.push('\n');
        std::fs::write(dir.join(format!("{name}.json")), text)?;
    }
    Ok(ExitCode::SUCCESS)
}
