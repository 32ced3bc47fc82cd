//! From a wish to an answer: make the command, record it, wait a little for its result.
//!
//! The same idempotency key on the same target gives the same command id; the stage acts once, and whoever asks again
//! gets the first answer.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::broker::record::{CloudEvent, Output};
use crate::desk::extract::Envelope;
use crate::desk::wire::{CommandAnswer, CommandState};
use crate::desk::{Desk, Error};
use crate::domain::command::{AgentCommand, AgentWish, CommandResult, DeskCommand, DeskWish};
use crate::domain::derive::digest;
use crate::domain::id::{AgentId, CommandId, CompanyId, ConversationId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::topics::Topic;

const SOURCE: &str = "/dmstream/desk";

/// What a wish is about: part of what an idempotency key stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// Who wishes.
    pub(super) agent_id: &'a AgentId,
    /// The wish's name.
    pub(super) wish: &'a str,
    /// The conversation, company or offer.
    pub(super) about: &'a str,
}

/// The command's id: the client's key made ours, else 128 random bits.
pub(super) fn command_id(envelope: &Envelope, target: Target<'_>) -> Result<CommandId, Error> {
    let text = match &envelope.idempotency_key {
        Some(key) => {
            let parts = [target.agent_id.as_str(), target.wish, target.about, key];
            format!("key-{:032x}", digest(&parts))
        }
        None => {
            let mut bits = [0_u8; 16];
            OsRng.try_fill_bytes(&mut bits).map_err(|_no_entropy| Error::Internal)?;
            format!("cmd-{}", hex::encode(bits))
        }
    };
    CommandId::parse(&text).map_err(|_unlikely| Error::Internal)
}

/// Records a wish about a conversation and answers with what became of it.
pub(super) async fn about_conversation(
    desk: &Desk,
    envelope: &Envelope,
    (thread, conversation_id): (Thread, ConversationId),
    agent_id: AgentId,
    (wish, command_id): (DeskWish, CommandId),
) -> Result<Response, Error> {
    if let Some(place) = desk.views.place(&conversation_id) {
        stay_active(desk, envelope, (place.company_id, agent_id.clone())).await?;
    }
    let kind = wish.name();
    let (key, issued_at) = (thread.key(), desk.clock.now());
    let command = DeskCommand {
        wish,
        command_id: command_id.clone(),
        thread,
        conversation_id,
        agent_id,
        issued_at,
    };
    let event = CloudEvent {
        id: command_id.as_str(),
        kind,
        source: SOURCE,
        time: issued_at,
        traceparent: Some(&envelope.traceparent),
    };
    let output = Output::event(Topic::DeskCommands, &key, &event, &command);
    record(desk, &command_id, output).await
}

/// Records a wish of an agent about its own work and answers with what became of it.
pub(super) async fn about_agent(
    desk: &Desk,
    envelope: &Envelope,
    (company_id, agent_id): (CompanyId, AgentId),
    wish: AgentWish,
) -> Result<Response, Error> {
    let (kind, issued_at) = (wish.name(), desk.clock.now());
    let about = match &wish {
        AgentWish::Accept { offer_id } | AgentWish::Decline { offer_id } => offer_id.as_str(),
        AgentWish::SetAvailability { available: set }
        | AgentWish::SetAway { away: set }
        | AgentWish::SetFocus { focus: set }
        | AgentWish::SetSettingsPage { open: set } => {
            if *set {
                "on"
            } else {
                "off"
            }
        }
        AgentWish::See { conversation_id, .. } | AgentWish::Prioritize { conversation_id, .. } => {
            conversation_id.as_str()
        }
        AgentWish::LogIn
        | AgentWish::LogOut
        | AgentWish::Next
        | AgentWish::StayActive
        | AgentWish::SetInboxes { .. }
        | AgentWish::Deactivate
        | AgentWish::Reactivate => company_id.as_str(),
    };
    let target = Target { agent_id: &agent_id, wish: kind, about };
    let command_id = command_id(envelope, target)?;
    let output =
        agent_output(envelope, (company_id, agent_id), (wish, command_id.clone()), issued_at);
    record(desk, &command_id, output).await
}

/// Where idle agents are sent away, whoever does something about a conversation is not idle: routing hears of it
/// before the wish is recorded.
async fn stay_active(
    desk: &Desk,
    envelope: &Envelope,
    (company_id, agent_id): (CompanyId, AgentId),
) -> Result<(), Error> {
    let now = desk.clock.now();
    let idles = {
        let settings = desk.settings.load();
        let company = settings.company_at(&company_id, now);
        company.idle_away_ms.is_some() || company.idle_logout_ms.is_some()
    };
    if !idles {
        return Ok(());
    }
    let nameless = Envelope { idempotency_key: None, traceparent: envelope.traceparent.clone() };
    let target = Target { agent_id: &agent_id, wish: "stay_active", about: company_id.as_str() };
    let command_id = command_id(&nameless, target)?;
    let wish = (AgentWish::StayActive, command_id);
    let output = agent_output(&nameless, (company_id, agent_id), wish, now);
    append(desk, output).await
}

fn agent_output(
    envelope: &Envelope,
    (company_id, agent_id): (CompanyId, AgentId),
    (wish, command_id): (AgentWish, CommandId),
    issued_at: Timestamp,
) -> Result<Output, serde_json::Error> {
    let (kind, key, id) = (wish.name(), company_id.as_str().to_owned(), command_id.clone());
    let command = AgentCommand { wish, command_id, company_id, agent_id, issued_at };
    let event = CloudEvent {
        id: id.as_str(),
        kind,
        source: SOURCE,
        time: issued_at,
        traceparent: Some(&envelope.traceparent),
    };
    Output::event(Topic::AgentsCommands, &key, &event, &command)
}

async fn record(
    desk: &Desk,
    command_id: &CommandId,
    output: Result<Output, serde_json::Error>,
) -> Result<Response, Error> {
    if let Some(known) = desk.views.command(command_id) {
        return answer(&known);
    }
    append(desk, output).await?;
    match desk.views.wait_for(command_id, desk.limits.result_wait).await {
        Some(result) => answer(&result),
        None => Ok((StatusCode::ACCEPTED, Json(pending(command_id))).into_response()),
    }
}

async fn append(desk: &Desk, output: Result<Output, serde_json::Error>) -> Result<(), Error> {
    let output = output.map_err(|_unlikely| Error::Internal)?;
    (desk.append)(output).await.map_err(|error| {
        tracing::warn!(error = %error, "a command could not be recorded");
        Error::Unavailable
    })
}

/// The answer to Next where an own conversation comes first: nothing is recorded, for nothing changes.
pub(super) fn go_back_to(
    envelope: &Envelope,
    agent_id: &AgentId,
    conversation_id: ConversationId,
) -> Result<Response, Error> {
    let target = Target { agent_id, wish: "go_back", about: conversation_id.as_str() };
    let command_id = command_id(envelope, target)?;
    let answer = CommandAnswer {
        command_id,
        state: CommandState::Done,
        refusal: None,
        decided_at: None,
        conversation_id: Some(conversation_id),
    };
    Ok(Json(answer).into_response())
}

fn answer(result: &CommandResult) -> Result<Response, Error> {
    match result.refusal {
        Some(refusal) => Err(Error::Refused(refusal)),
        None => Ok(Json(decided(result)).into_response()),
    }
}

/// A command whose result is known.
pub(super) fn decided(result: &CommandResult) -> CommandAnswer {
    let state = if result.refusal.is_some() { CommandState::Refused } else { CommandState::Done };
    CommandAnswer {
        command_id: result.command_id.clone(),
        state,
        refusal: result.refusal,
        decided_at: Some(result.decided_at),
        conversation_id: None,
    }
}

fn pending(command_id: &CommandId) -> CommandAnswer {
    CommandAnswer {
        command_id: command_id.clone(),
        state: CommandState::Pending,
        refusal: None,
        decided_at: None,
        conversation_id: None,
    }
}
