//! The product as it is measured: its stages started in this process, as `dmstream run` starts them.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::cluster::Cluster;
use crate::app::{App, Error, kafka_settings, open_broker};
use crate::broker::kafka::KafkaBroker;
use crate::clock::Clock;
use crate::config::{Config, Role};
use crate::secret::Secret;

/// How long it may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(600);
/// The secret webhooks are signed with.
pub(super) const APP_SECRET: &str = "bench-secret";

/// A product with topics and a directory of its own.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) config: Config,
    runtime: Runtime,
    app: Option<App>,
    /// Goes away with it.
    _dir: tempfile::TempDir,
}

impl Product {
    /// One that has not started: its topics are there, empty.
    pub(super) fn set_up(cluster: &Cluster, prefix: &str, roles: &[Role]) -> Result<Self, Error> {
        let dir = tempfile::Builder::new().prefix("dmstream-bench-").tempdir()?;
        let config = Config {
            listen: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: dir.path().to_owned(),
            kafka_bootstrap: Some(cluster.bootstrap.clone()),
            kafka_replication: Some(1),
            topic_prefix: prefix.to_owned(),
            roles: roles.to_vec(),
            app_secrets: vec![Secret::new(APP_SECRET.to_owned())],
            verify_token: Some(Secret::new("bench-token".to_owned())),
            log: "error".to_owned(),
            ..Config::default()
        };
        KafkaBroker::connect(kafka_settings(&config))?.apply_topics()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(Self { config, runtime, app: None, _dir: dir })
    }

    /// Starts its roles; its lanes may not be there yet.
    pub(super) fn start(&mut self) -> Result<std::net::SocketAddr, Error> {
        let broker = open_broker(&self.config, &Clock::System)?;
        let app = self.runtime.block_on(App::start(&self.config, broker, Clock::System))?;
        let address = app.address;
        self.app = Some(app);
        Ok(address)
    }

    /// Waits until it has its lanes.
    pub(super) fn wait_until_ready(&self) -> Result<(), Error> {
        match &self.app {
            Some(app) => self.runtime.block_on(app.ready(READY_WITHIN)),
            None => Ok(()),
        }
    }

    /// Stops it in order.
    pub(super) fn stop(&mut self) -> Result<(), Error> {
        match self.app.take() {
            Some(app) => self.runtime.block_on(app.stop()),
            None => Ok(()),
        }
    }
}
