//! The desk's HTTP API: reads come from views, wishes become records, live updates are notices to read again.
//!
//! Promise: an answer `done` means the stage that owns the state carried the command out; nothing is changed here. No
//! answer of an error names a person or quotes what somebody wrote; no token prints itself.
//!
//! | status | when                                                                            |
//! |--------|---------------------------------------------------------------------------------|
//! | 200    | read, or carried out (`done`)                                                   |
//! | 307    | this customer was merged into another: read there                               |
//! | 202    | recorded, outcome not known yet (`pending`): ask `/v1/commands/{id}`            |
//! | 400    | not understood: JSON, field, query, id                                          |
//! | 401    | no token, or none of ours                                                       |
//! | 403    | an agent's token for another agent, or for an administrator's address           |
//! | 404    | no such thing, or not this company's                                            |
//! | 409    | refused: the state of things does not allow it                                  |
//! | 410    | refused: the offer is gone                                                      |
//! | 413    | body too large                                                                  |
//! | 422    | refused: what is to be sent can never be sent                                   |
//! | 503    | the log takes nothing now, or too many wait: again after `Retry-After`          |
//!
//! Not here: what a command does (`conversation`, `route`), how views are made (`project`), the listener (`app`).

mod check;
mod error;
mod token;
mod wire;
mod extract;
mod issue;
mod conversations;
mod agents;
mod customers;
mod details;
mod settings;
mod live;
mod console;
mod routes;
mod openapi;

#[cfg(test)]
mod world_test;
#[cfg(test)]
mod api_test;
#[cfg(test)]
mod settings_test;
#[cfg(test)]
mod customers_test;
#[cfg(test)]
mod agents_test;
#[cfg(test)]
mod details_test;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, watch};

pub use error::Error;
pub use openapi::document;
pub use routes::router;
pub use token::{AgentToken, Caller, Tokens};

use crate::broker;
use crate::broker::record::Output;
use crate::clock::Clock;
use crate::domain::id::{AccountId, AgentId, CompanyId};
use crate::domain::settings::SettingsTable;
use crate::project::{Look, Views};

/// Appends a record to the log; done once the broker has it for good.
pub type Append =
    Arc<dyn Fn(Output) -> BoxFuture<'static, Result<(), broker::Error>> + Send + Sync>;

/// What bounds the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long an answer waits for a command's result.
    pub result_wait: Duration,
    /// Listeners to live updates at once.
    pub listeners_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { result_wait: Duration::from_secs(2), listeners_max: 1_000 }
    }
}

/// Everything the handlers need.
pub struct Desk {
    views: Views,
    append: Append,
    tokens: Tokens,
    clock: Clock,
    settings: Arc<ArcSwap<SettingsTable>>,
    /// Changes of settings are made one after the other: each builds on the one before.
    settings_turn: tokio::sync::Mutex<()>,
    limits: Limits,
    listeners: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

impl Desk {
    /// A desk over `views`, whose commands go to `append`.
    #[must_use]
    pub fn new(
        views: Views,
        append: Append,
        tokens: Tokens,
        (clock, settings): (Clock, Arc<ArcSwap<SettingsTable>>),
        limits: Limits,
    ) -> Self {
        let listeners = Arc::new(Semaphore::new(limits.listeners_max));
        let (closing, _) = watch::channel(false);
        let settings_turn = tokio::sync::Mutex::default();
        Self { views, append, tokens, clock, settings, settings_turn, limits, listeners, closing }
    }

    /// Ends all live updates, so that the server can drain; listeners come back to whoever is up.
    pub fn hang_up(&self) {
        self.closing.send_replace(true);
    }

    /// From where a company's conversations are looked at now.
    fn look(&self, company: &CompanyId) -> Look {
        let now = self.clock.now();
        let show_reactions = self.settings.load().company_at(company, now).show_customer_reactions;
        Look { now, show_reactions }
    }

    /// Whose agent somebody is: by the views, by their token, else of the company that owns whatever nobody configured.
    fn company_of(&self, agent: &AgentId) -> Result<CompanyId, Error> {
        let seen = self.views.agent(None, agent).map(|seen| seen.company_id);
        let known = seen.or_else(|| self.tokens.company_of(agent).cloned());
        if let Some(company) = known {
            return Ok(company);
        }
        let nobodys = AccountId::parse("-").map_err(|_unlikely| Error::Internal)?;
        let settings = self.settings.load();
        Ok(settings.account_at(&nobodys, self.clock.now()).company_id.clone())
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("limits", &self.limits).finish_non_exhaustive()
    }
}
