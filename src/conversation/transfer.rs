//! A conversation moves to another inbox. Pure.
//!
//! Who waits is due by the new inbox's target, counted from the oldest unanswered item; the account's own target no longer
//! applies. The date before is kept beside the new one.

use crate::conversation::state::Due;
use crate::conversation::turn::Turn;
use crate::domain::command::{DeskCommand, Refusal};
use crate::domain::fact::{FactBody, Initiator, TransferKind, TransferReason};
use crate::domain::id::{AgentId, InboxId};
use crate::domain::routing::{AssignReason, UnassignReason};

impl Turn<'_> {
    /// To the queue of an inbox, or there to an agent.
    pub(super) fn transfer(
        &mut self,
        command: &DeskCommand,
        (inbox_id, to): (&InboxId, Option<&AgentId>),
    ) -> Result<(), Refusal> {
        self.current(command)?;
        self.not_closed()?;
        let conversation = self.state.conversation.as_ref().ok_or(Refusal::ConversationNotFound)?;
        let stays = conversation.inbox_id == *inbox_id;
        if stays && to.is_none_or(|to| conversation.agent.as_ref() == Some(to)) {
            return Ok(());
        }
        let before = self.contact().map(|contact| (contact.due, contact.suspended));
        let moved = |due: Due| if stays { due } else { self.due_in(inbox_id, due) };
        let (due, suspended) = before.unwrap_or_default();
        let (new_due, new_suspended) = (due.map(moved), suspended.map(moved));
        let body = FactBody::ContactTransferred {
            transfer: if to.is_some() { TransferKind::Warm } else { TransferKind::Cold },
            reason: TransferReason::Manual,
            to_inbox_id: inbox_id.clone(),
            to_agent_id: to.cloned(),
            due_at_before: due.map(|due| due.due_at),
            due_at: new_due.map(|due| due.due_at),
        };
        self.tell(Initiator::Agent(command.agent_id.clone()), self.at, body);
        if !stays {
            self.enter_inbox(inbox_id, due, (new_due, new_suspended));
        }
        self.hand_on(to);
        Ok(())
    }

    /// What a due date becomes in another inbox.
    fn due_in(&self, inbox_id: &InboxId, due: Due) -> Due {
        self.due_by(due.since, self.company(due.since).inbox_sla_ms(inbox_id))
    }

    fn enter_inbox(
        &mut self,
        inbox_id: &InboxId,
        before: Option<Due>,
        (due, suspended): (Option<Due>, Option<Due>),
    ) {
        self.state.more.transferred = true;
        let Some(conversation) = &mut self.state.conversation else { return };
        conversation.inbox_id = inbox_id.clone();
        let Some(contact) = conversation.contact_mut() else { return };
        (contact.due, contact.suspended) = (due, suspended);
        let Some((before, due)) = before.zip(due) else { return };
        self.state.more.due_before = Some((due.due_at, before.due_at));
        self.tell(Initiator::System, self.at, FactBody::SlaStarted { due_at: due.due_at });
    }

    /// An open contact goes to the queue or the agent; of a waiting conversation only the agent changes.
    fn hand_on(&mut self, to: Option<&AgentId>) {
        match (self.contact().is_some(), to) {
            (true, Some(to)) => self.assign(to.clone(), AssignReason::Manual),
            (true, None) => {
                self.unassign_for(UnassignReason::Manual, self.at);
                self.enqueue(self.at);
            }
            (false, to) => {
                self.unassign(self.at);
                if let Some(conversation) = &mut self.state.conversation {
                    conversation.agent = to.cloned();
                }
            }
        }
    }
}
