//! Agents, their offers, what they wish about their own work, and what became of commands.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;

use crate::desk::extract::{Asked, Body, Envelope, Ids, id};
use crate::desk::issue;
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

pub(super) async fn log_in(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    (envelope, Asked(query)): (Envelope, Asked<CompanyQuery>),
    Body(NothingBody {}): Body<NothingBody>,
) -> Answer {
    wish(&desk, &caller, (&text, query), &envelope, AgentWish::LogIn).await
}

pub(super) async fn log_out(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    (envelope, Asked(query)): (Envelope, Asked<CompanyQuery>),
    Body(NothingBody {}): Body<NothingBody>,
) -> Answer {
    wish(&desk, &caller, (&text, query), &envelope, AgentWish::LogOut).await
}

pub(super) async fn availability(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    (envelope, Asked(query)): (Envelope, Asked<CompanyQuery>),
    Body(body): Body<AvailabilityBody>,
) -> Answer {
    let set = AgentWish::SetAvailability { available: body.available };
    wish(&desk, &caller, (&text, query), &envelope, set).await
}

pub(super) async fn away(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    (envelope, Asked(query)): (Envelope, Asked<CompanyQuery>),
    Body(body): Body<AwayBody>,
) -> Answer {
    let set = AgentWish::SetAway { away: body.away };
    wish(&desk, &caller, (&text, query), &envelope, set).await
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

pub(super) async fn focus(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    (envelope, Asked(query)): (Envelope, Asked<CompanyQuery>),
    Body(body): Body<FocusBody>,
) -> Answer {
    let set = AgentWish::SetFocus { focus: body.focus };
    wish(&desk, &caller, (&text, query), &envelope, set).await
}

pub(super) async fn settings_page(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    (envelope, Asked(query)): (Envelope, Asked<CompanyQuery>),
    Body(body): Body<SettingsPageBody>,
) -> Answer {
    let set = AgentWish::SetSettingsPage { open: body.open };
    wish(&desk, &caller, (&text, query), &envelope, set).await
}

pub(super) async fn activity(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    (envelope, Asked(query)): (Envelope, Asked<CompanyQuery>),
    Body(NothingBody {}): Body<NothingBody>,
) -> Answer {
    wish(&desk, &caller, (&text, query), &envelope, AgentWish::StayActive).await
}

pub(super) async fn inboxes(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    (envelope, Asked(query)): (Envelope, Asked<CompanyQuery>),
    Body(body): Body<InboxesBody>,
) -> Answer {
    caller.require_admin()?;
    let set = AgentWish::SetInboxes { inbox_ids: body.inbox_ids };
    wish(&desk, &caller, (&text, query), &envelope, set).await
}

pub(super) async fn deactivate(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    (envelope, Asked(query)): (Envelope, Asked<CompanyQuery>),
    Body(NothingBody {}): Body<NothingBody>,
) -> Answer {
    caller.require_admin()?;
    wish(&desk, &caller, (&text, query), &envelope, AgentWish::Deactivate).await
}

pub(super) async fn reactivate(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    (envelope, Asked(query)): (Envelope, Asked<CompanyQuery>),
    Body(NothingBody {}): Body<NothingBody>,
) -> Answer {
    caller.require_admin()?;
    wish(&desk, &caller, (&text, query), &envelope, AgentWish::Reactivate).await
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

pub(super) async fn accept(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    envelope: Envelope,
    Body(body): Body<ActBody>,
) -> Answer {
    let agent_id = caller.acting_for(body.agent_id)?;
    let offer_id = id(&text, OfferId::parse)?;
    let who = (company(&desk, &caller, None, &agent_id)?, agent_id);
    issue::about_agent(&desk, &envelope, who, AgentWish::Accept { offer_id }).await
}

pub(super) async fn decline(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    envelope: Envelope,
    Body(body): Body<ActBody>,
) -> Answer {
    let agent_id = caller.acting_for(body.agent_id)?;
    let offer_id = id(&text, OfferId::parse)?;
    let who = (company(&desk, &caller, None, &agent_id)?, agent_id);
    issue::about_agent(&desk, &envelope, who, AgentWish::Decline { offer_id }).await
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

async fn wish(
    desk: &Desk,
    caller: &Caller,
    (text, query): (&str, CompanyQuery),
    envelope: &Envelope,
    wish: AgentWish,
) -> Answer {
    let agent_id = caller.acting_for(Some(id(text, AgentId::parse)?))?;
    let company = company(desk, caller, query.company_id, &agent_id)?;
    issue::about_agent(desk, envelope, (company, agent_id), wish).await
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
