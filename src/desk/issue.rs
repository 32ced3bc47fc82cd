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
        AgentWish::SetAvailability { available: set } | AgentWish::SetAway { away: set } => {
            if *set { "on" } else { "off" }
        }
        AgentWish::LogIn | AgentWish::LogOut | AgentWish::Next => company_id.as_str(),
    };
    let target = Target { agent_id: &agent_id, wish: kind, about };
    let command_id = command_id(envelope, target)?;
    let key = company_id.as_str().to_owned();
    let command =
        AgentCommand { wish, command_id: command_id.clone(), company_id, agent_id, issued_at };
    let event = CloudEvent {
        id: command_id.as_str(),
        kind,
        source: SOURCE,
        time: issued_at,
        traceparent: Some(&envelope.traceparent),
    };
    let output = Output::event(Topic::AgentsCommands, &key, &event, &command);
    record(desk, &command_id, output).await
}

async fn record(
    desk: &Desk,
    command_id: &CommandId,
    output: Result<Output, serde_json::Error>,
) -> Result<Response, Error> {
    if let Some(known) = desk.views.command(command_id) {
        return answer(&known);
    }
    let output = output.map_err(|_unlikely| Error::Internal)?;
    (desk.append)(output).await.map_err(|error| {
        tracing::warn!(error = %error, "a command could not be recorded");
        Error::Unavailable
    })?;
    match desk.views.wait_for(command_id, desk.limits.result_wait).await {
        Some(result) => answer(&result),
        None => Ok((StatusCode::ACCEPTED, Json(pending(command_id))).into_response()),
    }
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
    }
}

fn pending(command_id: &CommandId) -> CommandAnswer {
    CommandAnswer {
        command_id: command_id.clone(),
        state: CommandState::Pending,
        refusal: None,
        decided_at: None,
    }
}
