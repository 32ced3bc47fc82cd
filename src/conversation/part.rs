//! Two threads that were one customer part again, or one of them is erased. Pure. Why so: ADR 0006.
//!
//! | who      | at                | does                                                                          |
//! |----------|-------------------|-------------------------------------------------------------------------------|
//! | source   | `unmerge`         | asks its home to `let_go`                                                     |
//! | home     | `let_go`          | lets the newest guest go with its items and its wait, or refuses; of whom it  |
//! |          |                   | does not know, merged itself, its own home decides                            |
//! | source   | `gone`            | is its own again, answers for its items; who waits is waited for here         |
//! | home     | `forget`          | forgets the items of a guest who is erased                                    |

use crate::conversation::change::writer;
use crate::conversation::item::DELETED_TEXT;
use crate::conversation::ledger::{Author, Entry, mid_key};
use crate::conversation::state::{Due, Preview, TiedGuest};
use crate::conversation::turn::Turn;
use crate::domain::command::{DeskCommand, Refusal};
use crate::domain::derive;
use crate::domain::fact::{FactBody, Initiator};
use crate::domain::id::CommandId;
use crate::domain::thread::Thread;
use crate::domain::thread_note::{GuestContact, GuestItem, ThreadNote};
use crate::domain::time::Timestamp;

/// The key of a preview that is of no message known here: whose it is nobody can tell, so it goes with whoever goes.
pub(super) const BROUGHT: u128 = 0;

/// The key of a preview that a guest's merge brought: its message is known to the guest alone.
pub(super) fn brought_by(guest: &Thread) -> u128 {
    derive::digest(&["brought", &guest.key()])
}

impl Turn<'_> {
    /// Asks the home to let this thread go; it answers the command.
    pub(super) fn unmerge(&mut self, command: &DeskCommand) -> Option<Refusal> {
        let Some(home) = self.state.ties.home.clone() else {
            return Some(Refusal::CannotUnmerge);
        };
        let (guest, answer) = (self.world.thread.clone(), command.command_id.clone());
        let inside = self.state.ties.guests.iter().map(|guest| guest.thread.clone()).collect();
        let id = ["let-go", command.command_id.as_str()];
        let note = ThreadNote::LetGo { guest, answer, inside, hops: 0 };
        self.say_to(&home, (&id, Some(&command.agent_id)), note);
        None
    }

    pub(super) fn let_go(
        &mut self,
        command: &DeskCommand,
        (guest, answer): (&Thread, &CommandId),
        (inside, hops): (&[Thread], u8),
    ) {
        let is_known = self.is_guest(guest);
        let home = self.home_within(hops).filter(|_| !is_known);
        if let Some(home) = home {
            // It came when this thread was merged already, and is a guest there.
            let id = ["let-go", command.command_id.as_str()];
            let (guest, answer, inside) = (guest.clone(), answer.clone(), inside.to_vec());
            let note = ThreadNote::LetGo { guest, answer, inside, hops: hops + 1 };
            return self.say_to(&home, (&id, Some(&command.agent_id)), note);
        }
        let Some(gone) = self.part_with(guest, inside) else {
            self.answer(answer, Some(Refusal::CannotUnmerge));
            return;
        };
        self.state.ties.last_gone = Some((guest.clone(), self.world.now));
        let (waiting, items) = self.take_out(guest, &gone);
        let body = FactBody::CustomerUnmerged {
            source: guest.clone(),
            source_customer_id: derive::customer_id(guest),
        };
        self.tell(Initiator::Agent(command.agent_id.clone()), self.at, body);
        let id = ["gone", command.command_id.as_str()];
        let (answer, waiting) = (answer.clone(), waiting.map(Box::new));
        let note = ThreadNote::Gone { answer, waiting, items };
        self.say_to(guest, (&id, Some(&command.agent_id)), note);
    }

    /// The guest that was merged last, and those inside it; `None` if another came since, or this thread is merged itself.
    fn part_with(&mut self, guest: &Thread, inside: &[Thread]) -> Option<Vec<TiedGuest>> {
        let ties = &mut self.state.ties;
        // Who is inside is known here as well once it has written: that was no merge of its own.
        let last = ties.guests.iter().rev().find(|known| !inside.contains(&known.thread));
        if ties.home.is_some() || last.is_none_or(|last| last.thread != *guest) {
            return None;
        }
        let goes = |known: &TiedGuest| known.thread == *guest || inside.contains(&known.thread);
        let (gone, stay): (Vec<_>, Vec<_>) = ties.guests.drain(..).partition(goes);
        ties.guests = stay;
        for gone in &gone {
            self.find_newest_without(&gone.thread);
        }
        Some(gone)
    }

    /// If who wrote last is gone: who did of those who stay, as their reply windows tell.
    fn find_newest_without(&mut self, gone: &Thread) {
        let ties = &mut self.state.ties;
        if ties.newest_from.take_if(|(_, from)| from.as_ref() == Some(gone)).is_none() {
            return;
        }
        let own = self.state.window.map(|window| window.opened_at);
        let newest = ties.guests.iter().max_by_key(|guest| guest.opened_at);
        let newest = newest.filter(|newest| newest.opened_at > own);
        ties.newest_from =
            newest.and_then(|it| it.opened_at.map(|opened| (opened, Some(it.thread.clone()))));
    }

    /// Takes the items of a thread that parts, and of those inside it, out of the state; and its wait, if anybody of them waits.
    fn take_out(
        &mut self,
        guest: &Thread,
        gone: &[TiedGuest],
    ) -> (Option<GuestContact>, Vec<GuestItem>) {
        let mids = || gone.iter().flat_map(|gone| &gone.mids);
        let keys: Vec<u128> = mids().map(mid_key).collect();
        let preview = self.forget_preview(&keys);
        self.forget_preview(&[BROUGHT]);
        let brought: Vec<u128> = gone.iter().map(|gone| brought_by(&gone.thread)).collect();
        self.forget_preview(&brought);
        self.state.stories.retain(|story| mids().all(|mid| *mid != story.mid));
        let (mut entries, mut items) = (Vec::new(), Vec::new());
        for gone in gone {
            let origin = Some(&gone.thread).filter(|thread| *thread != guest);
            for mid in &gone.mids {
                let Some(entry) = self.state.ledger.remove(mid_key(mid)) else { continue };
                let item = entry.for_guest(mid.clone());
                items.push(GuestItem { origin: origin.cloned(), ..item });
                entries.push(entry);
            }
        }
        (self.take_wait(self.first_waiting(&entries), preview), items)
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
    fn first_waiting(&self, items: &[Entry]) -> Option<Timestamp> {
        let number = self.contact_number();
        let answered = self.state.answered_up_to.max(self.answered_for_now());
        let waiting = items.iter().filter(|entry| {
            entry.author == Author::Customer
                && entry.contact == number
                && answered.is_none_or(|answered| entry.occurred_at > answered)
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
        (waiting, items): (Option<&GuestContact>, &[GuestItem]),
    ) {
        self.state.ties.last_home = self.state.ties.home.take();
        self.state.more.was_guest = true;
        self.answer(answer, None);
        if let Some(waiting) = waiting {
            // Nothing came meanwhile: what was shown before says what became of it since.
            let has_newer = items.iter().any(|item| item.author == Author::Customer);
            self.take_over(command, waiting, has_newer.then_some(BROUGHT));
        }
        let since = waiting.and_then(|waiting| waiting.waiting_since_at);
        for item in items {
            let before = std::mem::replace(&mut self.origin, item.origin.clone());
            self.take_back(item, (since, command.issued_at));
            self.origin = before;
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
        if item.author == Author::Customer {
            self.came_from(item.occurred_at, None);
        }
        if let Some(origin) = self.origin.clone() {
            self.guest(&origin);
            self.is_of(&origin, &item.mid);
        }
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

    /// What the person of a guest wrote leaves the views and the state, here and where it went on to.
    pub(super) fn forget_guest(&mut self, command: &DeskCommand, guest: &Thread, hops: u8) {
        let before = self.state.preview.text.clone();
        self.forget_items_of(guest);
        if self.state.preview.text != before {
            let cause = command.command_id.as_str();
            self.tell_home_of_preview(cause, Some(&command.agent_id), hops);
        }
        let Some(home) = self.home_within(hops) else {
            return;
        };
        let id = ["forget", command.command_id.as_str()];
        let note = ThreadNote::Forget { guest: guest.clone(), hops: hops + 1 };
        self.say_to(&home, (&id, Some(&command.agent_id)), note);
    }

    fn forget_items_of(&mut self, thread: &Thread) {
        let guests = &mut self.state.ties.guests;
        let place = guests.iter().position(|guest| guest.thread == *thread);
        let gone = place.map(|place| guests.remove(place));
        self.find_newest_without(thread);
        let Some(gone) = gone else { return };
        if !self.forget_preview(&[BROUGHT, brought_by(thread)]).is_empty() {
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
