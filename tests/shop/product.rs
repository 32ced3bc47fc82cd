//! A dmstream process of its own: started, killed, asked and stopped from outside.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Doors, eventually};

/// A `dmstream` command line, with nothing of the developer's environment.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmstream"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DMSTREAM_") {
            command.env_remove(name);
        }
    }
    command
}

/// A running `dmstream run`; dies with this value.
pub(crate) struct Product {
    pub(crate) address: SocketAddr,
    child: Child,
    file: PathBuf,
    log: PathBuf,
}

impl Product {
    /// Starts what `file` configures; what it logs goes beside the file.
    pub(crate) fn start(file: &Path, address: SocketAddr) -> Self {
        let log = file.with_extension("log");
        Self { address, child: spawn(file, &log), file: file.to_owned(), log }
    }

    /// Waits until it has its lanes and its views.
    pub(crate) async fn ready(&self) {
        let doors = Doors::at(self.address);
        let what = format!("{} is ready", self.file.display());
        eventually(&what, async || (doors.get("/readyz").await.0 == 200).then_some(())).await;
    }

    /// Ends it without warning.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it on what the one before left behind.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(&self.file, &self.log);
    }

    /// Ends it without warning and starts it again.
    pub(crate) async fn crash(&mut self) {
        self.kill();
        self.start_again();
        self.ready().await;
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// How it ended, once it has.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Stops it in order: it ends well, and never cried for help.
    pub(crate) async fn stop(mut self) {
        self.signal("TERM");
        let ended = eventually("it stops", async || self.child.try_wait().unwrap()).await;
        let log = std::fs::read_to_string(&self.log).unwrap();
        assert!(ended.success(), "{ended}\n{log}");
        // The client library cries out at every fence; what becomes of it is ours to say.
        let ours = log.lines().filter(|line| !line.contains("rdkafka"));
        let cries: Vec<&str> =
            ours.filter(|line| line.contains("ERROR") || line.contains("panicked")).collect();
        assert!(cries.is_empty(), "{cries:#?}");
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(file: &Path, log: &Path) -> Child {
    let log = OpenOptions::new().create(true).append(true).open(log).unwrap();
    let mut run = command(&["run", "--config"]);
    run.arg(file).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}
