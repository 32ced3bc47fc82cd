//! A Prometheus server of our own, on a free port, with our rules and a quicker clock, gone with the value.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dmstream::clock::Stopwatch;
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(45);

/// How often it is asked for.
const PAUSE: Duration = Duration::from_millis(250);

/// How often the port may be taken between look and bind.
const ATTEMPTS: usize = 3;

/// Where our settings are.
const SETTINGS: &str = "ops/prometheus";

pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    dir: TempDir,
    client: reqwest::Client,
}

impl Server {
    /// Starts it on our rules, with `target` as the only process to scrape, and waits until it answers.
    #[expect(clippy::disallowed_methods, reason = "the server is told by the environment")]
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let Ok(program) = std::env::var("DMSTREAM_TEST_PROMETHEUS") else {
            panic!("DMSTREAM_TEST_PROMETHEUS is not set: `scripts/check-prometheus` finds a server")
        };
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            let mut server = Self::spawn(&program, target);
            if server.answers().await {
                return server;
            }
            said = server.log();
        }
        panic!("{program} did not start on {ATTEMPTS} ports:\n{said}");
    }

    fn spawn(program: &str, target: SocketAddr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_settings(dir.path(), target);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let log = File::create(dir.path().join("log")).unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", dir.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy();
        Self { child, address, dir, client: client.build().unwrap() }
    }

    /// Whether it came up; `false` when it ended by itself.
    async fn answers(&mut self) -> bool {
        let waited = Stopwatch::start();
        while waited.elapsed() < PATIENCE {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let ready = self.client.get(format!("http://{}/-/ready", self.address)).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("Prometheus is not ready after {PATIENCE:?}:\n{}", self.log());
    }

    /// The `data` of its answer.
    pub(crate) async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = format!("http://{}/api/v1/{path}", self.address);
        let answer = self.client.get(url).query(query).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["status"], "success", "{path} {query:?}: {answer:#}");
        answer["data"].clone()
    }

    /// Asks until `holds`, and gives the answer for which it did.
    pub(crate) async fn until(
        &self,
        path: &str,
        query: &[(&str, &str)],
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let waited = Stopwatch::start();
        loop {
            let answer = self.ask(path, query).await;
            if holds(&answer) {
                return answer;
            }
            assert!(waited.elapsed() < PATIENCE, "{path} {query:?}: {answer:#}\n{}", self.log());
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Our settings and rules as they are, but for the addresses and a second for each interval.
fn write_settings(dir: &Path, target: SocketAddr) {
    let settings = fs::read_to_string(format!("{SETTINGS}/prometheus.yml")).unwrap();
    let mut settings: serde_norway::Value = serde_norway::from_str(&settings).unwrap();
    for interval in ["scrape_interval", "evaluation_interval"] {
        let told = settings["global"].get_mut(interval).unwrap();
        *told = "1s".into();
    }
    let targets = settings["scrape_configs"][0]["static_configs"][0].get_mut("targets").unwrap();
    *targets = vec![target.to_string()].into();
    fs::write(dir.join("prometheus.yml"), serde_norway::to_string(&settings).unwrap()).unwrap();
    fs::copy(format!("{SETTINGS}/rules.yml"), dir.join("rules.yml")).unwrap();
}
