//! The product as it is measured: its stages started in this process, as `dmstream run` starts them.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::cluster::{Cluster, PARTITIONS};
use crate::app::{App, Error, kafka_settings, open_broker};
use crate::broker::kafka::KafkaBroker;
use crate::clock::{Clock, Stopwatch};
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
    apps: Vec<App>,
    /// Goes away with it.
    _dir: tempfile::TempDir,
}

impl Product {
    /// One that has not started: its topics are there, empty.
    pub(super) fn set_up(cluster: &Cluster, prefix: &str) -> Result<Self, Error> {
        let dir = tempfile::Builder::new().prefix("dmstream-bench-").tempdir()?;
        let config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: dir.path().to_owned(),
            kafka_bootstrap: Some(cluster.bootstrap.clone()),
            kafka_replication: Some(1),
            topic_prefix: prefix.to_owned(),
            app_secrets: vec![Secret::new(APP_SECRET.to_owned())],
            verify_token: Some(Secret::new("bench-token".to_owned())),
            log: "error".to_owned(),
            conversation_workers: cores(),
            ..Config::default()
        };
        KafkaBroker::connect(kafka_settings(&config))?.apply_topics()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(Self { config, runtime, apps: Vec::new(), _dir: dir })
    }

    /// Starts some of its roles and waits until they have their lanes; says where they serve HTTP.
    pub(super) fn start(&mut self, roles: &[Role]) -> Result<SocketAddr, Error> {
        let config = Config { roles: roles.to_vec(), ..self.config.clone() };
        let broker = open_broker(&config, &Clock::System)?;
        let app = self.runtime.block_on(async {
            let app = App::start(&config, broker, Clock::System).await?;
            app.ready(READY_WITHIN).await?;
            Ok::<_, Error>(app)
        })?;
        let address = app.address;
        // Ready is said as soon as the group was asked; what is measured begins with every lane in hand.
        let stages = roles.iter().filter(|role| **role != Role::Ingress).count();
        let lanes = u64::from(PARTITIONS.unsigned_abs()) * u64::try_from(stages).unwrap_or(0);
        let owned = || -> u64 {
            app.workers.iter().map(|worker| worker.pulse.lanes.load(Ordering::Relaxed)).sum()
        };
        let since = Stopwatch::start();
        while owned() < lanes {
            if since.elapsed() > READY_WITHIN {
                return Err(Error::Failed("a stage did not get its lanes".to_owned()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.apps.push(app);
        Ok(address)
    }

    /// Stops what was started, in order.
    pub(super) fn stop(&mut self) -> Result<(), Error> {
        let mut ended = Ok(());
        for app in self.apps.drain(..) {
            ended = ended.and(self.runtime.block_on(app.stop()));
        }
        ended
    }
}

/// As many conversation workers as there are cores, as whoever runs the program under load would have.
pub(super) fn cores() -> Option<u32> {
    let cores = std::thread::available_parallelism().ok()?.get();
    u32::try_from(cores.min(4)).ok()
}
