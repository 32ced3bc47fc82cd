//! Agents, their offers, what they wish about their own work, and what became of commands.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use serde::de::DeserializeOwned;

use crate::desk::extract::{Asked, Body, Envelope, Ids, id};
use crate::desk::issue;
use crate::desk::routes::Handler;
use crate::desk::wire::{
    ActBody, ActQuery, AgentList, AvailabilityBody, AwayBody, CommandAnswer, CompanyQuery,
    FocusBody, InboxesBody, NothingBody, OfferList, SettingsPageBody,
};
use crate::desk::{Caller, Desk, Error};
use crate::domain::command::AgentWish;
use crate::domain::id::{AgentId, CommandId, CompanyId, OfferId};
use crate::domain::routing::AgentSnapshot;

type Answer = Result<Response, Error>;

pub(super) async fn list(State(desk): State<Arc<Desk>>, caller: Caller) -> Json<AgentList> {
    Json(AgentList { agents: desk.views.agents(caller.company()) })
}

pub(super) async fn one(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
) -> Result<Json<AgentSnapshot>, Error> {
    let agent_id = id(&text, AgentId::parse)?;
    desk.views.agent(caller.company(), &agent_id).map(Json).ok_or(Error::AgentNotFound)
}

pub(super) fn log_in() -> Handler {
    own(|NothingBody {}| AgentWish::LogIn)
}

pub(super) fn log_out() -> Handler {
    own(|NothingBody {}| AgentWish::LogOut)
}

pub(super) fn availability() -> Handler {
    own(|body: AvailabilityBody| AgentWish::SetAvailability { available: body.available })
}

pub(super) fn away() -> Handler {
    own(|body: AwayBody| AgentWish::SetAway { away: body.away })
}

pub(super) fn focus() -> Handler {
    own(|body: FocusBody| AgentWish::SetFocus { focus: body.focus })
}

pub(super) fn settings_page() -> Handler {
    own(|body: SettingsPageBody| AgentWish::SetSettingsPage { open: body.open })
}

pub(super) fn activity() -> Handler {
    own(|NothingBody {}| AgentWish::StayActive)
}

pub(super) fn inboxes() -> Handler {
    own(|body: InboxesBody| AgentWish::SetInboxes { inbox_ids: body.inbox_ids })
}

pub(super) fn deactivate() -> Handler {
    own(|NothingBody {}| AgentWish::Deactivate)
}

pub(super) fn reactivate() -> Handler {
    own(|NothingBody {}| AgentWish::Reactivate)
}

pub(super) fn accept() -> Handler {
    answer_offer(|offer_id| AgentWish::Accept { offer_id })
}

pub(super) fn decline() -> Handler {
    answer_offer(|offer_id| AgentWish::Decline { offer_id })
}

pub(super) async fn next(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    (envelope, Asked(query)): (Envelope, Asked<CompanyQuery>),
    Body(NothingBody {}): Body<NothingBody>,
) -> Answer {
    let agent_id = caller.acting_for(Some(id(&text, AgentId::parse)?))?;
    let company = company(&desk, &caller, query.company_id, &agent_id)?;
    match desk.views.unseen_of(&company, &agent_id) {
        Some(own) => issue::go_back_to(&envelope, &agent_id, own),
        None => issue::about_agent(&desk, &envelope, (company, agent_id), AgentWish::Next).await,
    }
}

pub(super) async fn offers(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Asked(query): Asked<ActQuery>,
) -> Result<Json<OfferList>, Error> {
    let agent = match &caller {
        Caller::Admin => query.agent_id,
        Caller::Agent { .. } => Some(caller.acting_for(query.agent_id)?),
    };
    let offers = desk.views.offers(caller.company(), agent.as_ref(), desk.clock.now());
    Ok(Json(OfferList { offers }))
}

pub(super) async fn command(
    State(desk): State<Arc<Desk>>,
    _caller: Caller,
    Ids(text): Ids<String>,
) -> Result<Json<CommandAnswer>, Error> {
    let command_id = id(&text, CommandId::parse)?;
    let result = desk.views.command(&command_id).ok_or(Error::CommandNotFound)?;
    Ok(Json(issue::decided(&result)))
}

/// The handler of what an agent wishes about their own work, by what its body says.
fn own<B: DeserializeOwned + Send + 'static>(wish: fn(B) -> AgentWish) -> Handler {
    post(
        move |State(desk): State<Arc<Desk>>,
              caller: Caller,
              Ids(text): Ids<String>,
              (envelope, Asked(query)): (Envelope, Asked<CompanyQuery>),
              Body(body): Body<B>| async move {
            let wish = wish(body);
            if wish.is_administrators() {
                caller.require_admin()?;
            }
            let agent_id = caller.acting_for(Some(id(&text, AgentId::parse)?))?;
            let company = company(&desk, &caller, query.company_id, &agent_id)?;
            issue::about_agent(&desk, &envelope, (company, agent_id), wish).await
        },
    )
}

/// The handler of an agent's answer to an offer.
fn answer_offer(wish: fn(OfferId) -> AgentWish) -> Handler {
    post(
        move |State(desk): State<Arc<Desk>>,
              caller: Caller,
              Ids(text): Ids<String>,
              envelope: Envelope,
              Body(body): Body<ActBody>| async move {
            let agent_id = caller.acting_for(body.agent_id)?;
            let offer_id = id(&text, OfferId::parse)?;
            let who = (company(&desk, &caller, None, &agent_id)?, agent_id);
            issue::about_agent(&desk, &envelope, who, wish(offer_id)).await
        },
    )
}

/// Whose agent: the token's company, the one an administrator names, else where the agent is known.
fn company(
    desk: &Desk,
    caller: &Caller,
    named: Option<CompanyId>,
    agent_id: &AgentId,
) -> Result<CompanyId, Error> {
    match (caller, named) {
        (Caller::Agent { company_id, .. }, None) => Ok(company_id.clone()),
        (Caller::Agent { company_id, .. }, Some(named)) if named == *company_id => Ok(named),
        (Caller::Agent { .. }, Some(_)) => Err(Error::Forbidden),
        (Caller::Admin, Some(named)) => Ok(named),
        (Caller::Admin, None) => desk.company_of(agent_id),
    }
}
