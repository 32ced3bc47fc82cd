//! One input's work on a pool: the pool, the settings in force, the time, and what is said. Pure.

use crate::domain::command::CommandResult;
use crate::domain::id::ConversationId;
use crate::domain::routing::{AgentSnapshot, RoutingDecision, RoutingVerdict};
use crate::domain::settings::CompanySettings;
use crate::domain::time::Timestamp;
use crate::route::pool::Pool;
use crate::route::row::ConversationRow;

/// What the world is to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// About a conversation.
    Decision {
        /// What was decided.
        decision: RoutingDecision,
        /// Trace of the conversation's newest request.
        trace: Option<String>,
    },
    /// About a command.
    Result(CommandResult),
    /// About an agent; the last effects of an input, at most one an agent.
    Agent {
        /// As they are now.
        snapshot: AgentSnapshot,
        /// Counts the company's snapshots.
        number: u64,
    },
}

/// Why an input changed nothing and was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// The command came before.
    Duplicate,
    /// About a contact older than the one known.
    Stale,
    /// About a conversation that routing does not have.
    Unknown,
    /// It has an agent already.
    AlreadyAssigned,
    /// It waits already.
    AlreadyQueued,
}

impl Skip {
    /// The reason as a label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Stale => "stale",
            Self::Unknown => "unknown_conversation",
            Self::AlreadyAssigned => "already_assigned",
            Self::AlreadyQueued => "already_queued",
        }
    }
}

/// One input's work.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) pool: &'a mut Pool,
    pub(super) settings: &'a CompanySettings,
    pub(super) now: Timestamp,
    /// The input's trace.
    pub(super) trace: Option<&'a str>,
    pub(super) effects: Vec<Effect>,
}

impl Turn<'_> {
    /// Says what was decided about a conversation.
    pub(super) fn say(
        &mut self,
        id: &ConversationId,
        conversation: &ConversationRow,
        verdict: RoutingVerdict,
    ) {
        let number = self.pool.number_decision();
        self.say_as(number, id, conversation, verdict);
    }

    /// The same under a number drawn before, for an offer that carries it.
    pub(super) fn say_as(
        &mut self,
        number: u64,
        id: &ConversationId,
        conversation: &ConversationRow,
        verdict: RoutingVerdict,
    ) {
        let decision = RoutingDecision {
            verdict,
            company_id: self.pool.company_id.clone(),
            thread: conversation.thread.clone(),
            conversation_id: id.clone(),
            contact_id: conversation.contact_id.clone(),
            decided_at: self.now,
            number,
        };
        self.effects.push(Effect::Decision { decision, trace: conversation.trace.clone() });
    }

    /// Shows every agent who looks different now.
    pub(super) fn show_agents(&mut self) {
        for id in std::mem::take(&mut self.pool.stirred) {
            let snapshot = self.pool.snapshot(&id, self.settings, self.now);
            let Some(snapshot) = snapshot else { continue };
            let number = self.pool.number_snapshot();
            self.effects.push(Effect::Agent { snapshot, number });
        }
    }
}
