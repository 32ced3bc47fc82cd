//! A pipeline for a demo or a measurement: in this process, or in one of its own that can be killed.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::{App, Error, open_broker};
use crate::clock::{Clock, Stopwatch};
use crate::config::Config;

/// How long a stopping process may take.
const STOP_WITHIN: Duration = Duration::from_secs(60);
/// Pause between two questions whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// A running pipeline.
#[derive(Debug)]
pub(super) enum Pipeline {
    /// In this process.
    Here(Box<App>),
    /// In a process of its own, which dies with this value.
    Child(Child),
}

impl Pipeline {
    /// Starts it in this process.
    pub(super) async fn here(config: &Config) -> Result<Self, Error> {
        let broker = open_broker(config, &Clock::System)?;
        Ok(Self::Here(Box::new(App::start(config, broker, Clock::System).await?)))
    }

    /// Starts it in a process of its own; what it logs goes to `pipeline.log` in `dir`.
    pub(super) fn child(config: &Path, dir: &Path) -> Result<Self, Error> {
        let log = OpenOptions::new().create(true).append(true).open(dir.join("pipeline.log"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("run").arg("--config").arg(config);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DMSTREAM_") {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        Ok(Self::Child(command.spawn()?))
    }

    /// The id of its own process, where it has one.
    pub(super) fn process(&self) -> Option<u32> {
        match self {
            Self::Here(_) => None,
            Self::Child(child) => child.id(),
        }
    }

    /// Ends it without warning, as a crash would. One in this process cannot be killed; it is stopped.
    pub(super) async fn kill(self) -> Result<(), Error> {
        match self {
            Self::Here(app) => app.stop().await,
            Self::Child(mut child) => Ok(child.kill().await?),
        }
    }

    /// Stops it in order.
    pub(super) async fn stop(self) -> Result<(), Error> {
        let mut child = match self {
            Self::Here(app) => return app.stop().await,
            Self::Child(child) => child,
        };
        if let Some(id) = child.id() {
            // A signal in order is `kill`'s business: the standard library sends none but the hard one.
            let asked = Command::new("kill").arg("-TERM").arg(id.to_string()).status().await?;
            if !asked.success() {
                return Err(Error::Failed(
                    "the pipeline had ended before it was told to".to_owned(),
                ));
            }
        }
        match tokio::time::timeout(STOP_WITHIN, child.wait()).await {
            Ok(ended) => match ended?.success() {
                true => Ok(()),
                false => {
                    Err(Error::Failed("the pipeline ended badly; see pipeline.log".to_owned()))
                }
            },
            Err(_elapsed) => {
                child.kill().await?;
                Err(Error::Failed("the pipeline did not stop in time and was killed".to_owned()))
            }
        }
    }
}

/// Waits until the pipeline at `address` has its lanes and its views.
pub(super) async fn wait_until_ready(address: SocketAddr, within: Duration) -> Result<(), Error> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build();
    let client = client.map_err(|error| Error::Failed(error.to_string()))?;
    let since = Stopwatch::start();
    loop {
        let answer = client.get(format!("http://{address}/readyz")).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        if since.elapsed() > within {
            return Err(Error::Failed(format!(
                "the pipeline at {address} was not ready within {} s",
                within.as_secs()
            )));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
