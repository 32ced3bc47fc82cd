//! Starts and stops the pipeline: the only place that names every room.
//!
//! Promise: whatever starts here is joined here. Stopping refuses new requests first, lets every turn and every call end, closes
//! the stores, and leaves no open transaction.

mod commands;
mod demo;
mod http;
mod views;
mod workers;
mod bench;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus::Registry;
use tokio::sync::watch;

use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::kafka::{KafkaBroker, KafkaSettings};
use crate::broker::{self, Broker};
use crate::clock::Clock;
use crate::config::{self, Config, Role};
use crate::domain::id::AccountId;
use crate::domain::settings::{AccountSettings, CompanySettings, SettingsTable};
use crate::domain::time::Timestamp;
use crate::engine;
use crate::metrics::Metrics;

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
    views: Option<views::Running>,
    http_stop: watch::Sender<bool>,
    http: tokio::task::JoinHandle<()>,
    broker: Broker,
    ready: Arc<http::Readiness>,
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
        let listener = tokio::net::TcpListener::bind(config.listen)
            .await
            .map_err(|source| Error::Listen { address: config.listen, source })?;
        let address = listener.local_addr()?;
        let settings = Arc::new(ArcSwap::from_pointee(settings_table(config)));
        let around = engine::worker::Surroundings {
            broker: broker.clone(),
            clock: clock.clone(),
            settings: settings.clone(),
            metrics: metrics.clone(),
        };
        let workers = workers::start(config, &around)?;
        let views = if config.roles().contains(&Role::Desk) {
            Some(views::start(broker.clone(), metrics.clone())?)
        } else {
            None
        };
        let ready = Arc::new(http::Readiness::new(
            workers.iter().map(|worker| worker.pulse.clone()).collect(),
            views.as_ref().map(|views| views.caught_up.clone()),
            clock.clone(),
        ));
        let router = http::router(&http::Parts {
            config,
            broker: &broker,
            clock: &clock,
            settings: &settings,
            registry: &registry,
            views: views.as_ref().map(|views| views.views.clone()),
            ready: &ready,
        })?;
        let (http_stop, stopped) = watch::channel(false);
        let http = http::serve(listener, router, stopped);
        Ok(Self { address, workers, views, http_stop, http, broker, ready })
    }

    /// Waits until every worker has its lanes and the views have caught up; bounded.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] when that takes longer than `patience`.
    pub async fn ready(&self, patience: Duration) -> Result<(), Error> {
        let waited = crate::clock::Stopwatch::start();
        while !self.ready.is_ready() {
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
    /// The first error a worker ended with.
    pub async fn stop(self) -> Result<(), Error> {
        self.ready.stopping.store(true, Ordering::Relaxed);
        self.http_stop.send_replace(true);
        if self.http.await.is_err() {
            tracing::error!("the HTTP server panicked");
        }
        let broker = self.broker;
        let (workers, views) = (self.workers, self.views);
        let joined = tokio::task::spawn_blocking(move || {
            let ended = workers::stop(workers);
            if let Some(views) = views {
                views.stop();
            }
            ended
        });
        let ended = joined.await.map_err(|error| Error::Failed(error.to_string()))?;
        drop(broker);
        ended
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
        bootstrap: config.kafka_bootstrap.clone().unwrap_or_default(),
        topic_prefix: config.topic_prefix.clone(),
        properties: config.kafka_properties.clone(),
        replication: config.kafka_replication,
        partitions: config.partitions,
        ..KafkaSettings::default()
    }
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

/// Our accounts; `None`: every account is ours.
fn own_accounts(config: &Config) -> Option<std::collections::BTreeSet<AccountId>> {
    let accounts: std::collections::BTreeSet<AccountId> = config.accounts.keys().cloned().collect();
    if accounts.is_empty() { None } else { Some(accounts) }
}
