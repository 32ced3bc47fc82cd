//! Starts and stops the pipeline: the only place that names every room.
//!
//! Promise: whatever starts here is joined here. Stopping refuses new requests first, lets every turn and every call end, closes
//! the stores, and leaves no open transaction.

mod bench;
mod commands;
mod demo;
mod dead_letters;
mod erasure;
mod facts;
mod health;
mod http;
mod pipeline;
mod scan;
mod server;
mod settings;
mod simulate;
mod trace;
mod views;
mod workers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus::Registry;
use tokio::sync::watch;

use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::kafka::{KafkaBroker, KafkaSettings};
use crate::broker::{self, Broker};
use crate::clock::Clock;
use crate::config::{self, Config, Role};
use crate::desk::Desk;
use crate::domain::settings::{AccountSettings, CompanySettings, SettingsTable};
use crate::domain::time::Timestamp;
use crate::engine::worker::Surroundings;
use crate::metrics::Metrics;
use crate::normalize::Accounts;
use crate::secret::Secret;
use crate::{engine, send, simulation};

use health::Health;

pub use commands::execute;

/// Why the program stopped, or did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Told to start in a way it cannot.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The log.
    #[error(transparent)]
    Broker(#[from] broker::Error),
    /// A stage met what a person must look at.
    #[error("a stage stopped: {0}")]
    Engine(#[from] engine::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with DMSTREAM_LISTEN")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Files, standard output, threads.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The registry refused a metric: a mistake of ours.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A simulation could not be made.
    #[error("simulation: {0}")]
    Simulation(#[from] simulation::Error),
    /// What was asked for did not hold; the text says what.
    #[error("{0}")]
    Failed(String),
}

/// A running pipeline.
#[derive(Debug)]
pub struct App {
    /// Where HTTP is served.
    pub address: SocketAddr,
    workers: Vec<workers::Running>,
    settings: settings::Running,
    views: Option<views::Running>,
    desk: Option<Arc<Desk>>,
    http_stop: watch::Sender<bool>,
    http: tokio::task::JoinHandle<()>,
    broker: Broker,
    health: Arc<Health>,
}

impl App {
    /// Starts the roles that `config` names.
    ///
    /// # Errors
    ///
    /// [`Error`]; whatever had been started is stopped again.
    pub async fn start(config: &Config, broker: Broker, clock: Clock) -> Result<Self, Error> {
        config.require_complete()?;
        let registry = Registry::new();
        let metrics = Metrics::register(&registry)?;
        let sends = send::Metrics::register(&registry)?;
        let listener = tokio::net::TcpListener::bind(config.listen)
            .await
            .map_err(|source| Error::Listen { address: config.listen, source })?;
        let address = listener.local_addr()?;
        let settings = Arc::new(ArcSwap::from_pointee(settings_table(config)));
        // No stage begins before this: each decision uses the value in force at its time.
        let followed = settings::start(&broker, &settings).await?;
        let views = match config.roles().contains(&Role::Desk) {
            true => Some(views::start(broker.clone(), metrics.clone())?),
            false => None,
        };
        let around = Surroundings {
            broker: broker.clone(),
            clock: clock.clone(),
            settings: Arc::clone(&settings),
            metrics,
        };
        let workers = workers::start(config, &around, &sends)?;
        let health = Arc::new(Health {
            workers: workers.iter().map(|worker| Arc::clone(&worker.pulse)).collect(),
            views: views.as_ref().map(|views| Arc::clone(&views.caught_up)),
            ingress: config.roles().contains(&Role::Ingress).then(Arc::default),
            clock: clock.clone(),
            stopping: AtomicBool::new(false),
        });
        let routed = http::router(&http::Parts {
            config,
            broker: &broker,
            clock: &clock,
            settings: &settings,
            registry: &registry,
            views: views.as_ref().map(|views| views.views.clone()),
            health: &health,
        });
        let (router, desk) = match routed {
            Ok(routed) => routed,
            Err(error) => {
                // What failed first is what to say.
                drop(workers::stop(workers));
                return Err(error);
            }
        };
        let (http_stop, stopped) = watch::channel(false);
        let http = server::serve(listener, router, stopped);
        Ok(Self {
            address,
            workers,
            settings: followed,
            views,
            desk,
            http_stop,
            http,
            broker,
            health,
        })
    }

    /// Waits until every worker has its lanes and the views have caught up; bounded.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] when that takes longer than `patience`.
    pub async fn ready(&self, patience: Duration) -> Result<(), Error> {
        let waited = crate::clock::Stopwatch::start();
        while !self.health.is_ready() {
            if waited.elapsed() > patience {
                return Err(Error::Failed("the pipeline did not become ready in time".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// A worker that stopped by itself: the pipeline is not whole any more.
    #[must_use]
    pub fn lost_worker(&self) -> bool {
        self.workers.iter().any(workers::Running::is_finished)
    }

    /// Stops everything, in order.
    ///
    /// # Errors
    ///
    /// The first error a worker ended with, or the broker's when its last records did not reach the disk.
    pub async fn stop(self) -> Result<(), Error> {
        self.health.stopping.store(true, Ordering::Relaxed);
        if let Some(desk) = self.desk {
            desk.hang_up();
        }
        self.http_stop.send_replace(true);
        if self.http.await.is_err() {
            tracing::error!("the HTTP server panicked");
        }
        let (workers, views, broker) = (self.workers, self.views, self.broker);
        let settings = self.settings;
        let joined = tokio::task::spawn_blocking(move || {
            // All are told first: where a broker is away, each has a wait of its own to end.
            if let Some(views) = &views {
                views.tell_to_stop();
            }
            settings.tell_to_stop();
            let ended = workers::stop(workers);
            if let Some(views) = views {
                views.stop();
            }
            settings.stop();
            let closed = match broker {
                Broker::Kafka(_) => Ok(()),
                Broker::Embedded(broker) => broker.close(),
            };
            ended.and(closed.map_err(Error::from))
        });
        joined.await.map_err(|error| Error::Failed(error.to_string()))?
    }
}

/// Opens the broker `config` names: Kafka where a bootstrap server is set, the embedded one otherwise.
///
/// # Errors
///
/// When it does not answer, or its directory cannot be opened.
pub fn open_broker(config: &Config, clock: &Clock) -> Result<Broker, Error> {
    match &config.kafka_bootstrap {
        Some(_) => Ok(Broker::Kafka(KafkaBroker::connect(kafka_settings(config))?)),
        None => open_embedded(config, clock, &config.data_dir.join("log")),
    }
}

fn open_embedded(config: &Config, clock: &Clock, dir: &Path) -> Result<Broker, Error> {
    let settings = EmbeddedSettings {
        partitions: config.partitions,
        clock: clock.clone(),
        ..EmbeddedSettings::default()
    };
    Ok(Broker::Embedded(EmbeddedBroker::open(dir, &settings)?))
}

fn kafka_settings(config: &Config) -> KafkaSettings {
    KafkaSettings {
        topic_prefix: config.topic_prefix.clone(),
        properties: exposed(&config.kafka_properties),
        replication: config.kafka_replication,
        partitions: config.partitions,
        group_protocol: config.kafka_group_protocol,
        session_timeout: Duration::from_millis(config.kafka_session_timeout_ms),
        transaction_timeout: Duration::from_millis(config.kafka_transaction_timeout_ms),
        ..KafkaSettings::new(config.kafka_bootstrap.as_deref().unwrap_or_default())
    }
}

fn exposed(properties: &BTreeMap<String, Secret>) -> BTreeMap<String, String> {
    properties.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
}

/// What administrators chose at first: the file's values, in force from the beginning.
fn settings_table(config: &Config) -> SettingsTable {
    let fallback = (AccountSettings::default(), CompanySettings::default());
    let mut table = SettingsTable::with_fallback(fallback.0, fallback.1);
    let beginning = Timestamp::from_ms(0);
    for (id, account) in &config.accounts {
        table.set_account(id.clone(), beginning, account.settings.clone());
    }
    for (id, company) in &config.companies {
        table.set_company(id.clone(), beginning, company.clone());
    }
    table
}

/// Our accounts; with none configured every account is.
fn own_accounts(config: &Config) -> Accounts {
    Accounts::of(config.accounts.keys().cloned())
}
