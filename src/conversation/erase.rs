//! A person's content leaves the state and the world's newest word about it. Pure.
//!
//! What stays names nobody and says nothing: numbers, so that no id is used twice; digests of what was applied, so that
//! nothing is applied twice; ties to other threads, so that their items arrive. Topics that are deleted by time forget
//! by themselves; `timeline` tells views and analysts to forget (`customer.deleted`).

use crate::conversation::state::ThreadState;
use crate::conversation::turn::Turn;
use crate::domain::command::DeskCommand;
use crate::domain::fact::{EndReason, FactBody, Initiator};
use crate::domain::thread_note::ThreadNote;

impl ThreadState {
    /// What of a person is still kept, by name: nothing of it once they are erased and have not written again.
    #[must_use]
    pub fn content(&self) -> Vec<&'static str> {
        let kept = [
            ("name", self.customer_name.is_some()),
            ("details", !self.more.details.is_empty()),
            ("preview", !self.preview.text.is_empty()),
            ("conversation", self.conversation.is_some()),
            ("items", !self.ledger.entries().is_empty()),
            ("edits", !self.early.is_empty()),
            ("echoes", !self.held.is_empty()),
            ("sends", !self.sends.is_empty()),
            ("stories", !self.stories.is_empty()),
        ];
        kept.into_iter().filter(|(_, is_kept)| *is_kept).map(|(name, _)| name).collect()
    }
}

impl Turn<'_> {
    /// Erases this thread's person.
    pub(super) fn erase(&mut self, command: &DeskCommand) {
        let (at, by) = (self.at, Initiator::Agent(command.agent_id.clone()));
        self.end_contact(EndReason::CustomerDeleted, &by, at);
        self.close_for_good(&by, at);
        let items = u64::try_from(self.state.ledger.entries().len()).unwrap_or(u64::MAX);
        if let Some(home) = self.state.ties.home.take() {
            let guest = self.world.thread.clone();
            let id = ["forget", command.command_id.as_str()];
            self.say_to(
                &home,
                (&id, Some(&command.agent_id)),
                ThreadNote::Forget { guest, hops: 0 },
            );
        }
        self.state.conversation = None;
        self.tell(by, at, FactBody::CustomerDeleted { items });
        if !self.state.more.details.is_empty() {
            self.publish_details();
        }
        let state = std::mem::take(&mut self.state);
        *self.state = ThreadState {
            facts: state.facts,
            conversations: state.conversations,
            contacts: state.contacts,
            seen_events: state.seen_events,
            seen_commands: state.seen_commands,
            decided: state.decided,
            ties: state.ties,
            ..ThreadState::default()
        };
        for guest in &mut self.state.ties.guests {
            guest.mids.clear();
        }
        self.forget_snapshot();
    }
}
