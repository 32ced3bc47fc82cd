//! Two threads become one customer. Pure. Why so: ADR 0006. How they part: `part`.
//!
//! | who      | at                | does                                                                          |
//! |----------|-------------------|-------------------------------------------------------------------------------|
//! | source   | `merge`           | ends its contact `MERGED`, closes, remembers its home, sends it `take_in`     |
//! | home     | `take_in`         | takes the guest in; its conversation survives with the earlier due date       |
//! | source   | its preview       | says at home, too, what becomes of the message that the merge brought there   |
//! | source   | anything new      | passes it on to its home; what it began before it ends itself                 |

use crate::conversation::life_cycle::Began;
use crate::conversation::part::{BROUGHT, brought_by};
use crate::conversation::sla;
use crate::conversation::state::{Care, Due, GuestWindow, Phase, Preview, TiedGuest, bound};
use crate::conversation::turn::Turn;
use crate::domain::command::{DeskCommand, Refusal};
use crate::domain::derive;
use crate::domain::event::Direction;
use crate::domain::fact::{EndReason, FactBody, Initiator};
use crate::domain::id::AgentId;
use crate::domain::routing::AssignReason;
use crate::domain::thread::Thread;
use crate::domain::thread_note::{Guest, GuestContact, GuestThread, ThreadNote};
use crate::domain::time::Timestamp;

impl Turn<'_> {
    /// This thread's person is another's.
    pub(super) fn merge(
        &mut self,
        command: &DeskCommand,
        (into, confirmed): (&Thread, bool),
    ) -> Option<Refusal> {
        if let Some(refusal) = self.unmergeable(into, confirmed) {
            return Some(refusal);
        }
        let (at, by) = (self.at, Initiator::Agent(command.agent_id.clone()));
        let contact = self.what_the_contact_leaves();
        let number = self.state.conversation.as_ref().map(|conversation| conversation.number);
        let conversation_id = number.map(|n| derive::conversation_id(self.world.thread, n));
        self.end_contact(EndReason::Merged, &by, at);
        self.close_for_good(&by, at);
        self.state.ties.home = Some(into.clone());
        let newcomer = Box::new(Guest {
            thread: GuestThread {
                guest: self.world.thread.clone(),
                opened_at: self.state.window.map(|window| window.opened_at),
                opened_by: self.state.more.opened_by,
                ad_until_at: self.state.more.ad_until,
            },
            conversation_id,
            contact,
            companions: self.state.ties.guests.iter().map(on_the_way).collect(),
        });
        let id = ["take-in", command.command_id.as_str()];
        let note = ThreadNote::TakeIn { newcomer, hops: 0 };
        self.say_to(into, (&id, Some(&command.agent_id)), note);
        None
    }

    fn unmergeable(&self, into: &Thread, confirmed: bool) -> Option<Refusal> {
        let ties = &self.state.ties;
        let settings = self.world.settings;
        let theirs = &settings.account_at(&into.account_id, self.at).company_id;
        if ties.home.is_some() {
            return Some(Refusal::CustomerMerged);
        }
        let impossible = into == self.world.thread
            || !self.state.customer_known
            || ties.guests.iter().any(|guest| guest.thread == *into)
            || *theirs != self.account(self.at).company_id;
        if impossible {
            return Some(Refusal::CannotMerge);
        }
        (!confirmed).then_some(Refusal::NotConfirmed)
    }

    /// What of the open contact goes on in the surviving one.
    ///
    /// An answer on its way counts as none: whether it arrives shows here, and nobody is forgotten there.
    fn what_the_contact_leaves(&self) -> Option<GuestContact> {
        let contact = self.contact()?;
        let due = match (contact.due, contact.suspended) {
            (Some(running), suspended) => Some(sla::earlier(suspended, running)),
            (None, suspended) => suspended,
        };
        Some(GuestContact {
            agent_id: self.agent(),
            waiting_since_at: due.map(|due| due.since),
            due_at: due.map(|due| due.due_at),
            preview: self.state.preview.text.clone(),
        })
    }

    /// The conversation of a thread that goes on elsewhere, or whose person is erased.
    pub(super) fn close_for_good(&mut self, by: &Initiator, at: Timestamp) {
        if self.not_closed().is_err() || self.state.conversation.is_none() {
            return;
        }
        self.tell(by.clone(), at, FactBody::ConversationClosed);
        if let Some(conversation) = &mut self.state.conversation {
            conversation.last_agent = conversation.agent.take().or(conversation.last_agent.take());
            conversation.phase = Phase::Closed { at };
        }
    }

    /// What another thread says to this one.
    pub(super) fn heed(&mut self, command: &DeskCommand, note: &ThreadNote) {
        match note {
            ThreadNote::TakeIn { newcomer, hops } => self.take_in(command, newcomer, *hops),
            ThreadNote::LetGo { guest, answer, inside, hops } => {
                self.let_go(command, (guest, answer), (inside, *hops));
            }
            ThreadNote::Gone { answer, waiting, items } => {
                self.be_own_again(command, answer, (waiting.as_deref(), items));
            }
            ThreadNote::Forget { guest, hops } => self.forget_guest(command, guest, *hops),
            ThreadNote::Preview { guest, text, hops } => {
                self.show_brought(command, (guest, text), *hops);
            }
            ThreadNote::Echo { event, from, hops } => self.whose(event, from, *hops),
            // The edge hands these over as the event and the outcome they are.
            ThreadNote::Event { .. } | ThreadNote::Outcome { .. } => (),
        }
    }

    fn take_in(&mut self, command: &DeskCommand, from: &Guest, hops: u8) {
        // Two merges crossed: the thread with the lesser key is the home of both.
        if self.state.ties.home.as_ref() == Some(&from.thread.guest) {
            if *self.world.thread > from.thread.guest {
                return;
            }
            self.state.ties.home = None;
        }
        // Merged on meanwhile: who comes goes on to where conversations are, and is a guest there.
        if let Some(home) = self.home_within(hops) {
            let id = ["take-in", command.command_id.as_str()];
            let note = ThreadNote::TakeIn { newcomer: Box::new(from.clone()), hops: hops + 1 };
            return self.say_to(&home, (&id, Some(&command.agent_id)), note);
        }
        let by = Initiator::Agent(command.agent_id.clone());
        self.know_customer(&by, self.at);
        // Who comes along stands before who was merged: of the two only that one can part.
        for it in from.companions.iter().filter(|it| it.guest != *self.world.thread) {
            self.welcome(arrived(it));
        }
        self.welcome(arrived(&from.thread));
        let body = FactBody::CustomerMerged {
            source: from.thread.guest.clone(),
            source_customer_id: derive::customer_id(&from.thread.guest),
            source_conversation_id: from.conversation_id.clone(),
        };
        self.tell(by, self.at, body);
        if let Some(contact) = &from.contact {
            self.take_over(command, contact, Some(brought_by(&from.thread.guest)));
        }
    }

    /// What a merge brought into the preview says something else now.
    fn show_brought(&mut self, command: &DeskCommand, (guest, text): (&Thread, &str), hops: u8) {
        let of = self.state.preview.of.map(|(_, of)| of);
        let text = match of {
            Some(of) if of == brought_by(guest) => text,
            // A build before this did not note whose it was: nothing is shown rather than what was unsent.
            Some(BROUGHT) => "",
            Some(_) | None => return self.pass_on_preview(command, (guest, text), hops),
        };
        if self.state.preview.text == text {
            return;
        }
        text.clone_into(&mut self.state.preview.text);
        self.publish_snapshot();
        self.tell_home_of_preview(command.command_id.as_str(), Some(&command.agent_id), hops);
    }

    /// Who came when this thread was merged itself is known at its home alone.
    fn pass_on_preview(&mut self, command: &DeskCommand, (guest, text): (&Thread, &str), hops: u8) {
        let home = self.home_within(hops);
        let Some(home) = home.filter(|_| !self.is_guest(guest)) else { return };
        let id = ["preview", command.command_id.as_str()];
        let (guest, text) = (guest.clone(), text.to_owned());
        let note = ThreadNote::Preview { guest, text, hops: hops + 1 };
        self.say_to(&home, (&id, Some(&command.agent_id)), note);
    }

    /// If this thread is merged, its home shows what its preview says now, as long as it shows that at all.
    pub(super) fn tell_home_of_preview(&mut self, cause: &str, by: Option<&AgentId>, hops: u8) {
        let home = self.home_within(hops);
        let Some(home) = home else { return };
        let (guest, text) = (self.world.thread.clone(), self.state.preview.text.clone());
        let note = ThreadNote::Preview { guest, text, hops: hops + 1 };
        self.say_to(&home, (&["preview", cause], by), note);
    }

    pub(super) fn welcome(&mut self, it: TiedGuest) {
        let (thread, opened_at) = (it.thread.clone(), it.opened_at);
        self.state.ties.last_gone.take_if(|(gone, _)| *gone == thread);
        let guests = &mut self.state.ties.guests;
        guests.retain(|guest| guest.thread != thread);
        if guests.len() >= bound::GUESTS {
            guests.remove(0);
        }
        guests.push(it);
        let newest = self.state.ties.newest_from.as_ref().map(|(newest, _)| *newest);
        if opened_at > newest.max(self.state.window.map(|window| window.opened_at)) {
            self.state.ties.newest_from = opened_at.map(|opened| (opened, Some(thread)));
        }
    }

    /// The surviving contact: the earlier due date, its own agent or the only one, one slot.
    ///
    /// The preview comes along under a key; under none, one's own stays.
    pub(super) fn take_over(
        &mut self,
        command: &DeskCommand,
        left: &GuestContact,
        preview: Option<u128>,
    ) {
        let (at, by) = (self.at, Initiator::Agent(command.agent_id.clone()));
        let waits = left.waiting_since_at.zip(left.due_at);
        if let Some(((since, _), key)) = waits.zip(preview)
            && self.state.preview.of.is_none_or(|(newest, _)| newest < since)
        {
            self.state.preview = Preview { of: Some((since, key)), text: left.preview.clone() };
        }
        let direction = if waits.is_some() { Direction::Inbound } else { Direction::Outbound };
        let began = self.join_or_start_due(direction, waits.map(|(_, due)| due), &by, at);
        if let Some((since, due_at)) = waits {
            // What was answered on one thread was not on the other: it waits from just after that answer.
            let answered = self.state.answered_up_to.map(|answered| answered.plus_ms(1));
            let since = answered.map_or(since, |answered| since.max(answered));
            self.wait_until(Due { since, due_at, soon_at: None, breached: false }, at);
        }
        let unasked = self.contact().is_some_and(|contact| contact.care == Care::Unasked);
        match (self.agent(), left.agent_id.clone()) {
            (Some(own), _) if began == Began::Now => self.assign(own, AssignReason::ContactInbound),
            (Some(_), _) => (),
            (None, Some(only)) => self.assign(only, AssignReason::Manual),
            (None, None) if began == Began::Now || unasked => self.enqueue(at),
            (None, None) => (),
        }
    }
}

/// A guest as it goes along to another home.
fn on_the_way(guest: &TiedGuest) -> GuestThread {
    GuestThread {
        guest: guest.thread.clone(),
        opened_at: guest.opened_at,
        opened_by: guest.window.opened_by,
        ad_until_at: guest.window.ad_until,
    }
}

/// The same where it arrives.
fn arrived(it: &GuestThread) -> TiedGuest {
    let window = GuestWindow { opened_by: it.opened_by, ad_until: it.ad_until_at };
    TiedGuest { thread: it.guest.clone(), opened_at: it.opened_at, mids: Vec::new(), window }
}
