//! Two threads that were one customer part again, or one of them is erased. Pure. Why so: ADR 0006.
//!
//! | who      | at                | does                                                                          |
//! |----------|-------------------|-------------------------------------------------------------------------------|
//! | source   | `unmerge`         | asks its home to `let_go`                                                     |
//! | home     | `let_go`          | lets the newest guest go with its items and its wait, or refuses              |
//! | source   | `gone`            | is its own again; who waits is waited for here                                |
//! | home     | `forget`          | forgets the items of a guest who is erased                                    |

use crate::conversation::error::Error;
use crate::conversation::ledger::{Author, Entry, mid_key};
use crate::conversation::state::{Due, TiedGuest};
use crate::conversation::turn::Turn;
use crate::domain::command::{DeskCommand, GuestContact, Refusal, ThreadNote};
use crate::domain::derive;
use crate::domain::fact::{FactBody, Initiator};
use crate::domain::id::CommandId;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

impl Turn<'_> {
    /// Asks the home to let this thread go; it answers the command.
    pub(super) fn unmerge(&mut self, command: &DeskCommand) -> Result<Option<Refusal>, Error> {
        let Some(home) = self.state.ties.home.clone() else {
            return Ok(Some(Refusal::CannotUnmerge));
        };
        let (guest, answer) = (self.world.thread.clone(), command.command_id.clone());
        let id = ["let-go", command.command_id.as_str()];
        let note = ThreadNote::LetGo { guest, answer };
        self.say_to(&home, (&id, Some(&command.agent_id)), note)?;
        Ok(None)
    }

    pub(super) fn let_go(
        &mut self,
        command: &DeskCommand,
        guest: &Thread,
        answer: &CommandId,
    ) -> Result<(), Error> {
        let ties = &mut self.state.ties;
        let is_merged = ties.home.is_some();
        let Some(gone) = ties.guests.pop_if(|last| !is_merged && last.thread == *guest) else {
            self.answer(answer, Some(Refusal::CannotUnmerge));
            return Ok(());
        };
        ties.newest_from.take_if(|(_, from)| from.as_ref() == Some(guest));
        let waiting = self.take_out(&gone).map(Box::new);
        let body = FactBody::CustomerUnmerged {
            source: guest.clone(),
            source_customer_id: derive::customer_id(guest)?,
        };
        self.tell(Initiator::Agent(command.agent_id.clone()), self.at, body);
        let id = ["gone", command.command_id.as_str()];
        let note = ThreadNote::Gone { answer: answer.clone(), waiting };
        self.say_to(guest, (&id, Some(&command.agent_id)), note)
    }

    /// Takes the items of a thread that parts out of the state; and its wait, if its person waits.
    fn take_out(&mut self, gone: &TiedGuest) -> Option<GuestContact> {
        let keys: Vec<u128> = gone.mids.iter().map(mid_key).collect();
        let preview = self.forget_preview(&keys);
        let first = self.take_items(&keys);
        let (since, due_at) = match (self.contact()?.due, first) {
            (Some(due), first) if first == Some(due.since) || self.is_from_before(due) => {
                self.end_wait(due);
                (due.since, due.due_at)
            }
            (_, Some(since)) => (since, self.due_since(since).due_at),
            (_, None) => return None,
        };
        let (waiting_since_at, due_at) = (Some(since), Some(due_at));
        Some(GuestContact { agent_id: self.agent(), waiting_since_at, due_at, preview })
    }

    /// The due date is of an item from before the merge, which this ledger never knew; of several merges that stand, nobody
    /// can tell of which.
    fn is_from_before(&self, due: Due) -> bool {
        let mut items = self.state.ledger.entries().iter();
        let is_own =
            |entry: &Entry| entry.author == Author::Customer && entry.occurred_at == due.since;
        self.state.ties.guests.is_empty() && !items.any(is_own)
    }

    /// Takes items out; the first that waits for an answer.
    fn take_items(&mut self, keys: &[u128]) -> Option<Timestamp> {
        let number = self.contact_number();
        let answered = self.state.answered_up_to.max(self.answered_for_now());
        let taken = keys.iter().filter_map(|key| self.state.ledger.remove(*key));
        let waiting = taken.filter(|entry| {
            entry.contact == number && answered.is_none_or(|answered| entry.occurred_at > answered)
        });
        waiting.map(|entry| entry.occurred_at).min()
    }

    /// The due date goes with the thread it was of; who waits here still has one.
    fn end_wait(&mut self, due: Due) {
        if let Some(contact) = self.contact_mut() {
            contact.due = None;
        }
        self.tell(Initiator::System, self.at, FactBody::SlaCleared { due_at: due.due_at });
        self.find_waiting();
    }

    /// The preview, if it was of one of these; then nothing is shown here any more.
    fn forget_preview(&mut self, keys: &[u128]) -> String {
        let of = self.state.preview.of.map(|(_, of)| of);
        if of.is_some_and(|of| keys.contains(&of)) {
            return std::mem::take(&mut self.state.preview).text;
        }
        String::new()
    }

    /// The home let this thread go.
    pub(super) fn be_own_again(
        &mut self,
        command: &DeskCommand,
        answer: &CommandId,
        waiting: Option<&GuestContact>,
    ) {
        self.state.ties.home = None;
        self.state.more.was_guest = true;
        self.answer(answer, None);
        if let Some(waiting) = waiting {
            self.take_over(command, waiting);
        }
    }

    /// What the person of a guest wrote leaves the views and the state.
    pub(super) fn forget_guest(&mut self, thread: &Thread) {
        let ties = &mut self.state.ties;
        ties.newest_from.take_if(|(_, from)| from.as_ref() == Some(thread));
        let Some(place) = ties.guests.iter().position(|guest| guest.thread == *thread) else {
            return;
        };
        for mid in ties.guests.remove(place).mids {
            let key = mid_key(&mid);
            self.forget_preview(&[key]);
            self.state.ledger.remove(key);
            self.state.stories.retain(|story| story.mid != mid);
            self.tell(Initiator::System, self.at, FactBody::MessageDeleted { mid });
        }
    }
}
