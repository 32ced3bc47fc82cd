//! What of their own conversations an agent has not seen. Pure. Source: desk rule R-124.
//!
//! Unseen is an inbound item newer than what the agent has looked at (said by the desk, kept by routing) and newer than the
//! newest outbound one: whoever answers has read.

use crate::domain::event::Direction;
use crate::domain::fact::Status;
use crate::domain::id::{AgentId, CompanyId, ConversationId};
use crate::domain::routing::HeldConversation;
use crate::domain::time::Timestamp;
use crate::project::board::Board;
use crate::project::row::{ConversationRow, EntryRowBody};

impl Board {
    /// The agent's own conversation with something unseen that is due first; without due date after all others.
    pub(crate) fn unseen_of(&self, company: &CompanyId, agent: &AgentId) -> Option<ConversationId> {
        let mut agents = self.agents();
        let agent = agents.find(|held| held.company_id == *company && held.agent_id == *agent)?;
        let unseen = agent.held.iter().filter_map(|held| self.unseen(held));
        unseen.min().map(|(_, _, id)| id.clone())
    }

    fn unseen<'a>(
        &self,
        held: &'a HeldConversation,
    ) -> Option<(bool, Option<Timestamp>, &'a ConversationId)> {
        let id = &held.conversation_id;
        let (_, thread) = self.thread_of(id)?;
        let conversation = thread.conversations.get(id)?;
        // What the agent has just closed routing may not have taken away yet.
        if conversation.snapshot.status != Status::Open {
            return None;
        }
        let inbound_at = conversation.newest_at(Direction::Inbound)?;
        let seen_at = held.seen_at.max(conversation.newest_at(Direction::Outbound));
        let due_at = conversation.snapshot.due_at;
        (Some(inbound_at) > seen_at).then_some((due_at.is_none(), due_at, id))
    }
}

impl ConversationRow {
    /// When the newest item of one direction happened, as far as the view goes back.
    pub(crate) fn newest_at(&self, direction: Direction) -> Option<Timestamp> {
        let items = self.entries.iter().filter(|entry| match &entry.body {
            EntryRowBody::Item(item) => item.direction == direction,
            EntryRowBody::Event(..) => false,
        });
        items.map(|entry| entry.occurred_at).max()
    }
}
