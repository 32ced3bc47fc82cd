//! Customers: who they are, merges, and their end.
//!
//! A customer merged into another answers reads with a redirect. Erasing a customer erases every thread that is
//! theirs, and is the administrator's alone.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Map, Value};

use crate::desk::extract::{Asked, Body, Envelope, Ids, id};
use crate::desk::issue::{self, Target};
use crate::desk::wire::{ActBody, Asking, CustomerList, HandleQuery, MergeBody};
use crate::desk::{Caller, Desk, Error, details};
use crate::domain::command::{DeskWish, Refusal};
use crate::domain::derive;
use crate::domain::id::{AgentId, CompanyId, ConversationId, CustomerId};
use crate::domain::thread::Thread;
use crate::project::CustomerPlace;

/// In whose name an administrator erases who names no agent.
const ADMINISTRATOR: &str = "administrator";

type Answer = Result<Response, Error>;

pub(super) async fn one(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
) -> Answer {
    let (customer_id, place) = find(&desk, &caller, &text)?;
    if let Some(moved_to) = place.moved_to {
        return Ok(Redirect::temporary(&format!("/v1/customers/{moved_to}")).into_response());
    }
    let company = company_of(&desk, &place);
    let mut found = desk.views.customer(&customer_id).ok_or(Error::CustomerNotFound)?;
    // Another company's customer is nobody to merge with, whoever asks.
    found.merge_suggestions.retain(|other| {
        let place = desk.views.customer_place(&other.customer_id);
        place.is_some_and(|place| company_of(&desk, &place) == company)
    });
    Ok(Json(found).into_response())
}

/// Whoever has a number, an address or an id: the same profile, whatever the channel they come by.
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Asked(query): Asked<HandleQuery>,
) -> Result<Json<CustomerList>, Error> {
    let handle = details::handle(query).ok_or(Error::InvalidQuery(HandleQuery::TAKES))?;
    let found = desk.views.customers_with(&handle).into_iter();
    let seen = found.filter(|customer| find(&desk, &caller, customer.as_str()).is_ok());
    let customers = seen.filter_map(|customer| desk.views.customer(&customer)).collect();
    Ok(Json(CustomerList { customers }))
}

/// Notes what a customer told of themselves.
pub(super) async fn edit(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    envelope: Envelope,
    Body(fields): Body<Map<String, Value>>,
) -> Answer {
    let (named, edits) = details::edits(fields)?;
    let agent_id = caller.acting_for(named)?;
    let (_, place) = find(&desk, &caller, &text)?;
    let detail = serde_json::to_string(&edits).map_err(|_unlikely| Error::Internal)?;
    let about = (place.thread, place.conversation_id);
    ask(&desk, &envelope, about, agent_id, (DeskWish::EditDetails { edits }, &detail)).await
}

pub(super) async fn merge(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    envelope: Envelope,
    Body(body): Body<MergeBody>,
) -> Answer {
    let agent_id = caller.acting_for(body.agent_id)?;
    let (_, source) = find(&desk, &caller, &text)?;
    let (_, into) = find(&desk, &caller, body.into.as_str())?;
    if into.moved_to.is_some() {
        // Their items would go on where nobody looked.
        return Err(Error::Refused(Refusal::CustomerMerged));
    }
    let wish = DeskWish::Merge { into: into.thread, confirmed: body.confirmed };
    let about = [body.into.as_str(), if body.confirmed { " confirmed" } else { "" }].concat();
    ask(&desk, &envelope, (source.thread, source.conversation_id), agent_id, (wish, &about)).await
}

pub(super) async fn unmerge(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    envelope: Envelope,
    Body(body): Body<ActBody>,
) -> Answer {
    let agent_id = caller.acting_for(body.agent_id)?;
    let (_, place) = find(&desk, &caller, &text)?;
    let about = (place.thread, place.conversation_id);
    ask(&desk, &envelope, about, agent_id, (DeskWish::Unmerge, "")).await
}

pub(super) async fn erase(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    envelope: Envelope,
    Body(body): Body<ActBody>,
) -> Answer {
    caller.require_admin()?;
    let agent_id = match body.agent_id {
        Some(named) => named,
        None => id(ADMINISTRATOR, AgentId::parse)?,
    };
    let (_, place) = find(&desk, &caller, &text)?;
    // Their own thread last: its answer is the customer's, and until then the others are found by it.
    for guest in place.threads.into_iter().skip(1).rev() {
        let erased = (DeskWish::Erase, "");
        ask(&desk, &envelope, (guest, None), agent_id.clone(), erased).await?;
    }
    let about = (place.thread, place.conversation_id);
    ask(&desk, &envelope, about, agent_id, (DeskWish::Erase, "")).await
}

/// Issues a wish about a thread; `detail` tells wishes of one kind apart under one idempotency key.
async fn ask(
    desk: &Desk,
    envelope: &Envelope,
    (thread, conversation): (Thread, Option<ConversationId>),
    agent_id: AgentId,
    (wish, detail): (DeskWish, &str),
) -> Answer {
    let conversation_id = conversation.unwrap_or_else(|| derive::conversation_id(&thread, 1));
    let customer = derive::customer_id(&thread);
    let about = [customer.as_str(), " ", detail].concat();
    let target = Target { agent_id: &agent_id, wish: wish.name(), about: &about };
    let command_id = issue::command_id(envelope, target)?;
    let about = (thread, conversation_id);
    issue::about_conversation(desk, envelope, about, agent_id, (wish, command_id)).await
}

/// The customer, if there is one and the caller may know of them.
fn find(desk: &Desk, caller: &Caller, text: &str) -> Result<(CustomerId, CustomerPlace), Error> {
    let customer_id = id(text, CustomerId::parse)?;
    let place = desk.views.customer_place(&customer_id).ok_or(Error::CustomerNotFound)?;
    let is_seen = caller.company().is_none_or(|own| *own == company_of(desk, &place));
    if is_seen { Ok((customer_id, place)) } else { Err(Error::CustomerNotFound) }
}

fn company_of(desk: &Desk, place: &CustomerPlace) -> CompanyId {
    place.company_id.clone().unwrap_or_else(|| {
        let settings = desk.settings.load();
        settings.account_at(&place.thread.account_id, desk.clock.now()).company_id.clone()
    })
}
