//! Two threads that were one customer part again, or one of them is erased. Pure. Why so: ADR 0006.
//!
//! | who      | at                | does                                                                          |
//! |----------|-------------------|-------------------------------------------------------------------------------|
//! | source   | `unmerge`         | asks its home to `let_go`                                                     |
//! | home     | `let_go`          | lets the newest guest go with its items and its wait, or refuses              |
//! | source   | `gone`            | is its own again, answers for its items; who waits is waited for here         |
//! | home     | `forget`          | forgets the items of a guest who is erased                                    |

use crate::conversation::change::writer;
use crate::conversation::error::Error;
use crate::conversation::item::DELETED_TEXT;
use crate::conversation::ledger::{Author, Entry, mid_key};
use crate::conversation::state::{Due, Preview, TiedGuest};
use crate::conversation::turn::Turn;
use crate::domain::command::{DeskCommand, GuestContact, GuestItem, Refusal, ThreadNote};
use crate::domain::derive;
use crate::domain::fact::{FactBody, Initiator};
use crate::domain::id::{CommandId, MessageId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// The key of a preview that a merge brought: whose it is nobody can tell, so it goes with whoever goes.
pub(super) const BROUGHT: u128 = 0;

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
        ties.last_gone = Some((guest.clone(), self.world.now));
        let (waiting, items) = self.take_out(&gone);
        let body = FactBody::CustomerUnmerged {
            source: guest.clone(),
            source_customer_id: derive::customer_id(guest)?,
        };
        self.tell(Initiator::Agent(command.agent_id.clone()), self.at, body);
        let id = ["gone", command.command_id.as_str()];
        let (answer, waiting) = (answer.clone(), waiting.map(Box::new));
        let note = ThreadNote::Gone { answer, waiting, items };
        self.say_to(guest, (&id, Some(&command.agent_id)), note)
    }

    /// Takes the items of a thread that parts out of the state; and its wait, if its person waits.
    fn take_out(&mut self, gone: &TiedGuest) -> (Option<GuestContact>, Vec<GuestItem>) {
        let keys: Vec<u128> = gone.mids.iter().map(mid_key).collect();
        let preview = self.forget_preview(&keys);
        self.forget_preview(&[BROUGHT]);
        self.state.stories.retain(|story| !gone.mids.contains(&story.mid));
        let taken = gone.mids.iter().filter_map(|mid| {
            let entry = self.state.ledger.remove(mid_key(mid))?;
            Some((mid.clone(), entry))
        });
        let taken: Vec<(MessageId, Entry)> = taken.collect();
        let waiting = self.take_wait(self.first_waiting(&taken), preview);
        (waiting, taken.into_iter().map(|(mid, entry)| entry.for_guest(mid)).collect())
    }

    /// Takes the wait of a thread that parts, if its person waits.
    fn take_wait(&mut self, first: Option<Timestamp>, preview: String) -> Option<GuestContact> {
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

    /// Of items the first that waits for an answer.
    fn first_waiting(&self, items: &[(MessageId, Entry)]) -> Option<Timestamp> {
        let number = self.contact_number();
        let answered = self.state.answered_up_to.max(self.answered_for_now());
        let waiting = items.iter().filter(|(_, entry)| {
            entry.author == Author::Customer
                && entry.contact == number
                && answered.is_none_or(|answered| entry.occurred_at > answered)
        });
        waiting.map(|(_, entry)| entry.occurred_at).min()
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
        (waiting, items): (Option<&GuestContact>, &[GuestItem]),
    ) {
        self.state.ties.last_home = self.state.ties.home.take();
        self.state.more.was_guest = true;
        self.answer(answer, None);
        if let Some(waiting) = waiting {
            self.take_over(command, waiting);
        }
        let since = waiting.and_then(|waiting| waiting.waiting_since_at);
        for item in items {
            self.take_back(item, (since, command.issued_at));
        }
        self.know_preview(waiting, items);
    }

    /// Answers again for a message that came or went meanwhile, and does to it what was heard here of it.
    fn take_back(&mut self, item: &GuestItem, (since, let_go_at): (Option<Timestamp>, Timestamp)) {
        let mut entry = Entry::of_guest(item);
        if self.state.ledger.get(entry.key).is_some() {
            return;
        }
        let waits = since.is_some_and(|since| item.occurred_at >= since);
        if waits && entry.author == Author::Customer {
            entry.contact = self.contact_number();
        }
        let waited = self.apply_waiting(&mut entry);
        let (deleted, by) = (entry.deleted, writer(&entry));
        self.state.ledger.insert(entry);
        if deleted && !item.deleted {
            self.tell(by.clone(), self.at, FactBody::MessageDeleted { mid: item.mid.clone() });
        }
        self.tell_waited(&item.mid, item.occurred_at, waited, &by);
        // What ended before, the home has told.
        let shown = item.story_expires_at.filter(|until| *until > let_go_at && !deleted);
        if let Some(until) = shown.filter(|_| item.author == Author::Customer) {
            self.story_shown(&item.mid, until);
        }
    }

    /// The preview that came with the wait is of the newest of these: what becomes of that one shows there.
    fn know_preview(&mut self, waiting: Option<&GuestContact>, items: &[GuestItem]) {
        let inbound = items.iter().filter(|item| item.author == Author::Customer);
        let newest = inbound.map(|item| (item.occurred_at, mid_key(&item.mid))).max();
        let text = waiting.map(|waiting| &waiting.preview).filter(|text| !text.is_empty());
        let (Some(of), Some(text)) = (newest, text) else { return };
        if self.state.preview.of > newest {
            return;
        }
        let deleted = self.state.ledger.get(of.1).is_some_and(|entry| entry.deleted);
        let text = if deleted { DELETED_TEXT.to_owned() } else { text.clone() };
        self.state.preview = Preview { of: Some(of), text };
    }

    /// What the person of a guest wrote leaves the views and the state.
    pub(super) fn forget_guest(&mut self, thread: &Thread) {
        let ties = &mut self.state.ties;
        ties.newest_from.take_if(|(_, from)| from.as_ref() == Some(thread));
        let Some(place) = ties.guests.iter().position(|guest| guest.thread == *thread) else {
            return;
        };
        let gone = ties.guests.remove(place);
        if !self.forget_preview(&[BROUGHT]).is_empty() {
            // Where it wrote nothing since, no fact is told: what a merge brought stands in `conversations` still.
            self.publish_snapshot();
        }
        for mid in gone.mids {
            let key = mid_key(&mid);
            self.forget_preview(&[key]);
            self.state.ledger.remove(key);
            self.state.stories.retain(|story| story.mid != mid);
            self.tell(Initiator::System, self.at, FactBody::MessageDeleted { mid });
        }
    }
}
