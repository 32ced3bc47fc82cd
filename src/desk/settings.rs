//! What an administrator reads and sets: the settings of companies and accounts, from a moment on.
//!
//! Promise: what is set was checked field by field, counts from now on or later, never earlier, and is answered with
//! 200 once this machine decides by it. One change at a time; of two machines that change the same company or account in
//! the same instant, the later record counts. Not here: how settings are folded (`project::Follower`).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::broker::record::{CloudEvent, Output};
use crate::clock::Stopwatch;
use crate::desk::extract::{Body, Envelope, Ids, id, name_of};
use crate::desk::wire::SettingsAnswer;
use crate::desk::{Caller, Desk, Error};
use crate::domain::derive::event_id;
use crate::domain::id::{AccountId, CompanyId, IdError};
use crate::domain::settings::{
    AccountSettings, CompanySettings, History, OutOfRange, SettingsRecord, SettingsTable,
};
use crate::domain::time::Timestamp;
use crate::topics::Topic;

const SOURCE: &str = "/dmstream/desk";
/// The one field of a body that is no setting.
const EFFECTIVE_AT: &str = "effective_at";
/// Companies and accounts that can be set.
const SCOPES_MAX: usize = 10_000;
/// How often it is looked whether a change has arrived.
const LOOK_EVERY: Duration = Duration::from_millis(5);

type Answer = Result<Response, Error>;
type Fields = Map<String, Value>;

/// What a company and an account have in common here.
trait Chosen: Clone + PartialEq + Serialize + DeserializeOwned {
    type Id: Clone;
    const PARSE: fn(&str) -> Result<Self::Id, IdError>;
    fn history(table: &SettingsTable, id: &Self::Id) -> History<Self>;
    fn is_set(table: &SettingsTable, id: &Self::Id) -> bool;
    fn record(id: Self::Id, history: &History<Self>) -> SettingsRecord;
    fn check(&self) -> Result<(), OutOfRange>;
}

impl Chosen for CompanySettings {
    type Id = CompanyId;
    const PARSE: fn(&str) -> Result<CompanyId, IdError> = CompanyId::parse;

    fn history(table: &SettingsTable, id: &CompanyId) -> History<Self> {
        table.company_history(id)
    }

    fn is_set(table: &SettingsTable, id: &Self::Id) -> bool {
        table.has_company(id)
    }

    fn record(company_id: CompanyId, history: &History<Self>) -> SettingsRecord {
        SettingsRecord::Company { company_id, versions: history.versions() }
    }

    fn check(&self) -> Result<(), OutOfRange> {
        Self::check(self)
    }
}

impl Chosen for AccountSettings {
    type Id = AccountId;
    const PARSE: fn(&str) -> Result<AccountId, IdError> = AccountId::parse;

    fn history(table: &SettingsTable, id: &AccountId) -> History<Self> {
        table.account_history(id)
    }

    fn is_set(table: &SettingsTable, id: &Self::Id) -> bool {
        table.has_account(id)
    }

    fn record(account_id: AccountId, history: &History<Self>) -> SettingsRecord {
        SettingsRecord::Account { account_id, versions: history.versions() }
    }

    fn check(&self) -> Result<(), OutOfRange> {
        Self::check(self)
    }
}

pub(super) async fn company(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
) -> Answer {
    read::<CompanySettings>(&desk, &caller, &text)
}

pub(super) async fn account(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
) -> Answer {
    read::<AccountSettings>(&desk, &caller, &text)
}

pub(super) async fn set_company(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    envelope: Envelope,
    Body(fields): Body<Fields>,
) -> Answer {
    set::<CompanySettings>(&desk, &caller, &text, &envelope, fields).await
}

pub(super) async fn set_account(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    envelope: Envelope,
    Body(fields): Body<Fields>,
) -> Answer {
    set::<AccountSettings>(&desk, &caller, &text, &envelope, fields).await
}

fn read<S: Chosen>(desk: &Desk, caller: &Caller, text: &str) -> Answer {
    caller.require_admin()?;
    let id = id(text, S::PARSE)?;
    let history = S::history(&desk.settings.load(), &id);
    Ok(Json(shown(&history, desk.clock.now())?).into_response())
}

async fn set<S: Chosen>(
    desk: &Desk,
    caller: &Caller,
    text: &str,
    envelope: &Envelope,
    mut fields: Fields,
) -> Answer {
    caller.require_admin()?;
    let target = id(text, S::PARSE)?;
    let _one_at_a_time = desk.settings_turn.lock().await;
    let now = desk.clock.now();
    let effective_at = effective_at(fields.remove(EFFECTIVE_AT), now)?;
    let before = room_for::<S>(&desk.settings.load(), &target)?;
    let settings: S = changed(before.at(effective_at).ok_or(Error::Internal)?, fields)?;
    settings.check().map_err(|OutOfRange { field, takes }| Error::OutOfRange { field, takes })?;
    let after = before.with((effective_at, settings), now);
    let after = after.map_err(|_full| Error::TooManySettings)?;
    if after == before {
        return Ok(Json(shown(&after, now)?).into_response());
    }
    append(desk, envelope, &S::record(target.clone(), &after), now).await?;
    let is_here = arrives(desk, || S::history(&desk.settings.load(), &target) == after).await;
    let status = if is_here { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(shown(&after, now)?)).into_response())
}

/// What is set so far, where one more may be set.
fn room_for<S: Chosen>(table: &SettingsTable, id: &S::Id) -> Result<History<S>, Error> {
    let has_room = table.len() < SCOPES_MAX || S::is_set(table, id);
    if has_room { Ok(S::history(table, id)) } else { Err(Error::TooManySettings) }
}

/// From when on; now where nothing is said.
fn effective_at(said: Option<Value>, now: Timestamp) -> Result<Timestamp, Error> {
    let Some(said) = said.filter(|said| !said.is_null()) else { return Ok(now) };
    let moment: Option<Timestamp> = serde_json::from_value(said).ok();
    let takes = "milliseconds since 1970, not before now; left out, it is now";
    moment.filter(|at| *at >= now).ok_or(Error::OutOfRange { field: EFFECTIVE_AT, takes })
}

/// `before` with `fields` in it; what is not named stays.
fn changed<S: Chosen>(before: &S, fields: Fields) -> Result<S, Error> {
    let before = serde_json::to_value(before).map_err(|_unlikely| Error::Internal)?;
    let Value::Object(mut all) = before else { return Err(Error::Internal) };
    for (name, value) in fields {
        if !all.contains_key(&name) {
            return Err(Error::UnknownField(name_of(&name)));
        }
        // Every setting has a default, so each can be read by itself: that tells which one does not read.
        let alone = Value::Object(Fields::from_iter([(name.clone(), value.clone())]));
        if serde_json::from_value::<S>(alone).is_err() {
            return Err(Error::WrongKind(name));
        }
        all.insert(name, value);
    }
    serde_json::from_value(Value::Object(all)).map_err(|_unlikely| Error::Internal)
}

async fn append(
    desk: &Desk,
    envelope: &Envelope,
    record: &SettingsRecord,
    now: Timestamp,
) -> Result<(), Error> {
    let (key, at) = (record.key(), now.as_ms().to_string());
    let event_id = event_id(&["settings", &key, &at]);
    let event = CloudEvent {
        id: event_id.as_str(),
        kind: record.name(),
        source: SOURCE,
        time: now,
        traceparent: Some(&envelope.traceparent),
    };
    let output = Output::event(Topic::Settings, &key, &event, record);
    let output = output.map_err(|_unlikely| Error::Internal)?;
    (desk.append)(output).await.map_err(|error| {
        tracing::warn!(error = %error, "settings could not be recorded");
        Error::Unavailable
    })?;
    tracing::info!(settings.key = key, "settings changed");
    Ok(())
}

/// Waits until a change has come back from the log; whether it did in time.
async fn arrives(desk: &Desk, is_here: impl Fn() -> bool) -> bool {
    let waited = Stopwatch::start();
    while !is_here() {
        if waited.elapsed() > desk.limits.result_wait {
            return false;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    true
}

fn shown<S: Chosen>(history: &History<S>, now: Timestamp) -> Result<SettingsAnswer<S>, Error> {
    let in_force = history.version_at(now).ok_or(Error::Internal)?;
    Ok(SettingsAnswer { in_force, to_come: history.after(now) })
}
