//! All HTTP on one address: webhooks, desk API, health, metrics. Which routes are there depends on the roles.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::Registry;

use super::health::Health;
use super::{Error, own_accounts};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::{Config, Role};
use crate::desk::{self, AgentToken, Desk};
use crate::domain::settings::{AccountSettings, SettingsTable};
use crate::ingress::{self, Ingress, Limits, Secrets, VerifyToken};
use crate::project::Views;
use crate::secret::Secret;
use crate::{metrics, normalize};

/// What the routes need.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) broker: &'a Broker,
    pub(super) clock: &'a Clock,
    pub(super) settings: &'a Arc<ArcSwap<SettingsTable>>,
    pub(super) registry: &'a Registry,
    pub(super) views: Option<Views>,
    pub(super) health: &'a Arc<Health>,
}

/// The routes of the configured roles, and the desk among them, whose listeners must be sent away before the end.
pub(super) fn router(parts: &Parts<'_>) -> Result<(Router, Option<Arc<Desk>>), Error> {
    let mut router = health(parts);
    if parts.config.roles().contains(&Role::Ingress) {
        router = router.merge(webhooks(parts)?);
    }
    let desk = parts.views.as_ref().map(|views| desk_of(parts, views)).transpose()?;
    if let Some(desk) = &desk {
        router = router.merge(desk::router(Arc::clone(desk)));
    }
    Ok((router, desk))
}

fn health(parts: &Parts<'_>) -> Router {
    let (ready, live) = (Arc::clone(parts.health), Arc::clone(parts.health));
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
    let accounts = own_accounts(config);
    let ingress = Ingress {
        secrets: Secrets::new(config.app_secrets.iter().map(Secret::expose)).map_err(refused)?,
        verify_token: VerifyToken::new(config.verify_token.as_ref().map_or("", Secret::expose))
            .map_err(refused)?,
        limits: Limits::default(),
        append: Arc::new(move |output| producer.append(output)),
        key_of: Arc::new(move |body| normalize::peek::key_of(body, &accounts)),
        clock: parts.clock.clone(),
        metrics: ingress::Metrics::register(parts.registry)?,
        pulse: parts.health.ingress.clone().unwrap_or_default(),
    };
    Ok(ingress::router(Arc::new(ingress)))
}

fn desk_of(parts: &Parts<'_>, views: &Views) -> Result<Arc<Desk>, Error> {
    let config = parts.config;
    let producer = parts.broker.producer()?;
    let agents = config.agents.iter().map(|(id, agent)| AgentToken {
        company_id: agent
            .company_id
            .clone()
            .unwrap_or_else(|| AccountSettings::default().company_id),
        agent_id: id.clone(),
        secret: agent.token.clone(),
    });
    let tokens = desk::Tokens { admin: config.admin_token.clone(), agents: agents.collect() };
    Ok(Arc::new(Desk::new(
        views.clone(),
        Arc::new(move |output| producer.append(output)),
        tokens,
        (parts.clock.clone(), Arc::clone(parts.settings)),
        desk::Limits::default(),
    )))
}
