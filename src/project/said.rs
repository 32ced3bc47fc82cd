//! Which facts are lines of the timeline of their own, and in which words. Pure.

use crate::domain::fact::{EndReason, FactBody};
use crate::domain::id::AgentId;
use crate::domain::routing::{AssignReason, RejectReason};

/// What an event line says, and whom it is about; `None` for facts that are no line of their own.
pub(crate) fn said(body: &FactBody) -> Option<(String, Option<&AgentId>)> {
    let plain = |text: &str| Some((text.to_owned(), None));
    match body {
        FactBody::ConversationCreated => plain("Conversation started"),
        FactBody::ConversationClosed => plain("Conversation closed"),
        FactBody::ConversationReopened => plain("Conversation reopened"),
        FactBody::ContactAccepted { agent_id, text, .. } => {
            Some((text.clone().unwrap_or_else(|| "Accepted".to_owned()), Some(agent_id)))
        }
        FactBody::ContactRejected { agent_id, reason, .. } => {
            Some((rejected(*reason).to_owned(), Some(agent_id)))
        }
        FactBody::ContactAssigned { agent_id, text, reason } => {
            Some((text.clone().unwrap_or_else(|| assigned(*reason).to_owned()), Some(agent_id)))
        }
        FactBody::ContactUnassigned { agent_id, reason: _ } => {
            Some(("Taken back into the queue".to_owned(), Some(agent_id)))
        }
        FactBody::ContactEnded { reason, .. } => plain(ended(*reason)),
        FactBody::ContactTransferred { to_inbox_id, to_agent_id, .. } => {
            Some((format!("Moved to inbox {to_inbox_id}"), to_agent_id.as_ref()))
        }
        FactBody::SlaBreached { by_ms: None, .. } => plain("Answer overdue"),
        FactBody::ReplyWindowExpiring { .. } => plain("Soon too late to answer"),
        FactBody::ReplyWindowExpired { .. } => plain("Too late to answer"),
        FactBody::TopicAdded { topic } => Some((format!("Topic added: {topic}"), None)),
        FactBody::TopicRemoved { topic } => Some((format!("Topic removed: {topic}"), None)),
        FactBody::NoteCreated { text } => Some((text.clone(), None)),
        FactBody::CustomerMerged { .. } => plain("Profiles merged"),
        FactBody::CustomerUnmerged { .. } => plain("Profiles separated"),
        FactBody::CustomerUpdated { .. } => plain("Customer details changed"),
        FactBody::SlaBreached { by_ms: Some(_), .. }
        | FactBody::CustomerCreated { .. }
        | FactBody::CustomerDeleted { .. }
        | FactBody::MessageRecognised { .. }
        | FactBody::MessageRefused { .. }
        | FactBody::StoryUnavailable { .. }
        | FactBody::ContactStarted { .. }
        | FactBody::ContactQueued
        | FactBody::ContactOffered { .. }
        | FactBody::ContactRescinded { .. }
        | FactBody::ContactFulfilled { .. }
        | FactBody::MessageReceived(_)
        | FactBody::MessageQueued(_)
        | FactBody::MessageSent(_)
        | FactBody::MessageFailed { .. }
        | FactBody::MessageUnknown { .. }
        | FactBody::MessageDeleted { .. }
        | FactBody::MessageEdited { .. }
        | FactBody::MessageRead { .. }
        | FactBody::ReactionAdded { .. }
        | FactBody::ReactionRemoved { .. }
        | FactBody::MessageLiked { .. }
        | FactBody::MessageUnliked { .. }
        | FactBody::StoryExpired { .. }
        | FactBody::SlaStarted { .. }
        | FactBody::SlaDueSoon { .. }
        | FactBody::SlaCleared { .. }
        | FactBody::SlaReinstated { .. } => None,
    }
}

const fn rejected(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::Declined => "Offer declined",
        RejectReason::Missed => "Offer missed",
    }
}

const fn assigned(reason: AssignReason) -> &'static str {
    match reason {
        AssignReason::AutomatedAssignment => "Assigned",
        AssignReason::ContactInbound => "Returned to the same agent",
        AssignReason::MessageOutbound => "Assigned by replying",
        AssignReason::Manual => "Assigned by hand",
    }
}

const fn ended(reason: EndReason) -> &'static str {
    match reason {
        EndReason::CustomerNoReply => "Session ended: no response from the customer",
        EndReason::NoReplyNeeded => "Session ended: no reply needed",
        EndReason::ConversationClosed => "Session ended: conversation closed",
        EndReason::Merged => "Session ended: merged",
        EndReason::CustomerDeleted => "Session ended: customer deleted",
        EndReason::StartedNew => "Session ended: a new one started",
    }
}
