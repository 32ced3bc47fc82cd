//! What a merged thread passes on to its home, and what the home remembers of it. Pure. See ADR 0006.
//!
//! A thread answers for what it has shown and begun; whatever is new goes home.

use crate::conversation::ledger::{item_key, mid_key};
use crate::conversation::seen::Memory;
use crate::conversation::state::{EarlyChange, GuestWindow, TiedGuest, bound};
use crate::conversation::turn::Turn;
use crate::domain::command::{DeskCommand, DeskWish};
use crate::domain::derive;
use crate::domain::event::{Direction, Event, EventKind, Reaction};
use crate::domain::id::{AgentId, MessageId};
use crate::domain::outbound::SendResult;
use crate::domain::settings::WindowOpener;
use crate::domain::thread::Thread;
use crate::domain::thread_note::ThreadNote;
use crate::domain::time::{MINUTE_MS, Timestamp};
use crate::engine::stage::Exit;

/// Most often a word is passed on: longer chains are no chains but rings, made by merges that crossed.
pub(super) const HOPS_MAX: u8 = 8;
/// How long after a parting an event may still come that was passed on before it.
const CROSS_MS: u64 = MINUTE_MS;

impl Turn<'_> {
    /// Where a word for a merged thread goes on to, unless it was passed on too often.
    pub(super) fn home_within(&self, hops: u8) -> Option<Thread> {
        self.state.ties.home.clone().filter(|_| hops < HOPS_MAX)
    }

    /// An event of a merged thread that begins nothing it has to end itself.
    pub(super) fn is_for_home(&self, event: &Event) -> bool {
        if self.state.ties.home.is_none() || self.world.hops >= HOPS_MAX {
            return false;
        }
        let known = |mid: &MessageId| self.state.ledger.get(mid_key(mid)).is_some();
        match &event.kind {
            EventKind::MessageReceived(_) | EventKind::PostbackReceived { .. } => {
                self.state.ledger.get(item_key(event)).is_none()
            }
            EventKind::MessageEchoed(body) => !self.may_be_own(event, body),
            EventKind::MessageEdited { .. }
            | EventKind::MessageDeleted { .. }
            | EventKind::MessageRead { .. } => !event.mid.as_ref().is_some_and(known),
            EventKind::ReactionAdded(reaction) | EventKind::ReactionRemoved(reaction) => {
                !known(&reaction.target_mid)
            }
            EventKind::ReferralReceived { .. }
            | EventKind::ThreadControl(_)
            | EventKind::AccountPolicy { .. }
            | EventKind::WebhookTest { .. }
            | EventKind::Ignored { .. }
            | EventKind::DeadLetter { .. } => false,
        }
    }

    /// Passes an event on to the home; each thread's reply window stays its own.
    pub(super) fn pass_on(&mut self, event: &Event) -> Exit {
        if let Some(exit) = self.repeated(event) {
            return exit;
        }
        if let Some(opens) = self.opens(event) {
            self.opened_on_the_way(opens);
        }
        let Some(home) = self.state.ties.home.clone() else { return Exit::Skipped("ignored") };
        let waited = self.waited_for(event);
        self.remember_change(event);
        // What goes round by a ring of merges goes by itself, and is not brought along again.
        let waited: Vec<Event> =
            waited.into_iter().filter(|event| self.recall(event) == Memory::New).collect();
        // By a ring of merges it may come here again, and is another word then.
        let hops = (self.world.hops + 1).to_string();
        for event in std::iter::once(event.clone()).chain(waited) {
            let id = event.event_id.clone();
            let note = self.passing(event);
            self.say_to(&home, (&["event", id.as_str(), &hops], None), note);
        }
        Exit::Emitted
    }

    /// The guest that passed an event on before it heard that it was let go.
    pub(super) fn is_for_the_gone(&self) -> Option<Thread> {
        let (gone, at) = self.state.ties.last_gone.as_ref()?;
        let from_it = self.origin.as_ref() == Some(gone) || self.world.via == Some(gone);
        let crossed = from_it && self.world.now <= at.plus_ms(CROSS_MS);
        (crossed && self.world.hops < HOPS_MAX).then(|| gone.clone())
    }

    /// Each window is known where its thread is, and where that is a guest: the day these part from the home, they answer.
    fn opened_on_the_way(&mut self, opens: (WindowOpener, bool)) {
        match &self.origin {
            None => {
                self.opened(opens, self.at);
                self.came_from(self.at, Some(opens));
            }
            Some(from) if self.is_guest(from) => self.came_from(self.at, Some(opens)),
            // Who came when this thread was merged already is a guest of the home's.
            Some(_) => (),
        }
    }

    /// An event as this thread passes it on.
    fn passing(&self, event: Event) -> ThreadNote {
        let (hops, via) = (self.world.hops + 1, Some(self.world.thread.clone()));
        ThreadNote::Event { event: Box::new(event), hops, via }
    }

    /// Gives an event back to the thread that passed it on, which answers for it again.
    pub(super) fn give_back(&mut self, event: &Event, to: &Thread) -> Exit {
        let hops = self.world.hops + 1;
        let note = self.passing(event.clone());
        // By a ring of merges it may come here again, and is another word then.
        let id = ["back", event.event_id.as_str(), &hops.to_string()];
        self.say_to(to, (&id, None), note);
        Exit::Emitted
    }

    /// An event that this thread passed on, its own or a guest's, and that comes back unheard.
    pub(super) fn is_given_back(&self, event: &Event) -> bool {
        let by_last_home = self.world.via.is_some_and(|via| {
            let ties = &self.state.ties;
            ties.last_home.as_ref() == Some(via)
        });
        let is_own = event.thread().as_ref() == Some(self.world.thread);
        self.world.hops > 0 && (is_own || by_last_home)
    }

    /// A change waits here too, for the day the threads part: its message may come only then.
    fn remember_change(&mut self, event: &Event) {
        let Some((mid, change)) = change_of(event) else { return };
        if change == EarlyChange::Read {
            // Of what was read meanwhile the newest says all.
            let at = self.at;
            self.state.early.retain(|it| it.change != EarlyChange::Read || it.occurred_at > at);
        }
        self.wait_for(mid_key(mid), self.at, change);
    }

    /// What had waited here for a message that goes home, as the events it came by: it goes along.
    fn waited_for(&self, event: &Event) -> Vec<Event> {
        let is_message = matches!(
            event.kind,
            EventKind::MessageReceived(_)
                | EventKind::MessageEchoed(_)
                | EventKind::PostbackReceived { .. }
        );
        let Some(mid) = event.mid.as_ref().filter(|_| is_message) else { return Vec::new() };
        let mut waited: Vec<Event> = Vec::new();
        for early in self.state.early.iter().filter(|early| early.key == mid_key(mid)) {
            let kind = kind_of(&early.change, mid);
            let (when, what) = (early.occurred_at.as_ms().to_string(), told_apart(&early.change));
            let id = [event.event_id.as_str(), kind.name(), &when, &what];
            let event_id = derive::event_id(&id);
            // What came twice under two ids is one change.
            if waited.iter().all(|known| known.event_id != event_id) {
                let occurred_at = early.occurred_at;
                waited.push(Event { kind, event_id, occurred_at, ..event.clone() });
            }
        }
        waited
    }

    /// The outcome of a send of the home's, to this thread's person.
    pub(super) fn pass_on_outcome(&mut self, result: &SendResult) -> Exit {
        let ties = &self.state.ties;
        // A send that was on its way when the threads parted is still its own.
        let home = ties.home.clone().or_else(|| ties.last_home.clone());
        let home = home.filter(|_| self.world.hops < HOPS_MAX);
        let Some(home) = home else { return Exit::Skipped("stale") };
        let (settled_at, hops) = (result.settled_at.as_ms().to_string(), self.world.hops + 1);
        let name = result.outcome.name();
        let id = ["outcome", result.send_id.as_str(), name, &settled_at, &hops.to_string()];
        let note = ThreadNote::Outcome { result: Box::new(result.clone()), hops };
        self.say_to(&home, (&id, None), note);
        Exit::Emitted
    }

    /// Says something to another thread; `about` names it, so that it is said and heard once.
    pub(super) fn say_to(
        &mut self,
        to: &Thread,
        (about, by): (&[&str], Option<&AgentId>),
        note: ThreadNote,
    ) {
        let digest = derive::digest(&[&[self.world.key], about].concat());
        let agent_id = by.cloned().unwrap_or_else(AgentId::nobody);
        self.note(DeskCommand {
            wish: DeskWish::Note(note),
            command_id: derive::note_id(digest),
            thread: to.clone(),
            conversation_id: derive::conversation_id(to, 1),
            agent_id,
            issued_at: self.at,
        });
    }

    /// Remembers that an inbound item came, from which guest, and that it opened the guest's window.
    pub(super) fn came_from(&mut self, at: Timestamp, opens: Option<(WindowOpener, bool)>) {
        let origin = self.origin.clone();
        let ties = &mut self.state.ties;
        if ties.guests.is_empty() && origin.is_none() {
            return;
        }
        if ties.newest_from.as_ref().is_none_or(|(newest, _)| *newest <= at) {
            ties.newest_from = Some((at, origin.clone()));
        }
        let ad_until = at.plus_ms(self.account(at).ad_window_ms);
        let Some((guest, (opener, by_ad))) = origin.and_then(|it| self.guest(&it)).zip(opens)
        else {
            return;
        };
        if guest.opened_at < Some(at) {
            guest.opened_at = Some(at);
            guest.window.opened_by = Some(opener.into());
        }
        guest.window.ad_until = guest.window.ad_until.max(Some(ad_until).filter(|_| by_ad));
    }

    /// Remembers a message as a guest's, to or from its person.
    pub(super) fn is_of(&mut self, thread: &Thread, mid: &MessageId) {
        let guests = &mut self.state.ties.guests;
        let Some(guest) = guests.iter_mut().find(|guest| guest.thread == *thread) else { return };
        if guest.mids.contains(mid) {
            return;
        }
        if guest.mids.len() >= bound::GUEST_MIDS {
            guest.mids.remove(0);
        }
        guest.mids.push(mid.clone());
    }

    /// Whether a thread is known as merged into this one.
    pub(super) fn is_guest(&self, thread: &Thread) -> bool {
        self.state.ties.guests.iter().any(|guest| guest.thread == *thread)
    }

    /// A guest; a longer chain makes it known by what it brings.
    pub(super) fn guest(&mut self, thread: &Thread) -> Option<&mut TiedGuest> {
        if !self.is_guest(thread) {
            let (thread, window) = (thread.clone(), GuestWindow::default());
            self.welcome(TiedGuest { thread, opened_at: None, mids: Vec::new(), window });
        }
        self.state.ties.guests.iter_mut().find(|guest| guest.thread == *thread)
    }

    /// The thread a message came on, or went to.
    pub(super) fn thread_of(&self, mid: &MessageId) -> Thread {
        let guests = &self.state.ties.guests;
        let its = guests.iter().find(|guest| guest.mids.contains(mid));
        its.map_or_else(|| self.world.thread.clone(), |guest| guest.thread.clone())
    }
}

/// What an event changes of a message, and of which; `None` for what is a message itself.
fn change_of(event: &Event) -> Option<(&MessageId, EarlyChange)> {
    let change = match &event.kind {
        EventKind::MessageDeleted { .. } => EarlyChange::Deleted,
        EventKind::MessageEdited { text, num_edit } => {
            EarlyChange::Edited { text: text.clone(), num_edit: *num_edit }
        }
        EventKind::MessageRead { .. } => EarlyChange::Read,
        EventKind::ReactionAdded(reaction) => return reacted(reaction, false),
        EventKind::ReactionRemoved(reaction) => return reacted(reaction, true),
        EventKind::MessageReceived(_)
        | EventKind::MessageEchoed(_)
        | EventKind::PostbackReceived { .. }
        | EventKind::ReferralReceived { .. }
        | EventKind::ThreadControl(_)
        | EventKind::AccountPolicy { .. }
        | EventKind::WebhookTest { .. }
        | EventKind::Ignored { .. }
        | EventKind::DeadLetter { .. } => return None,
    };
    Some((event.mid.as_ref()?, change))
}

fn reacted(reaction: &Reaction, removed: bool) -> Option<(&MessageId, EarlyChange)> {
    let is_persons = reaction.direction == Direction::Inbound;
    let change = EarlyChange::Reacted { emoji: reaction.emoji.clone(), removed };
    is_persons.then_some((&reaction.target_mid, change))
}

/// What tells two changes of one kind and moment apart.
fn told_apart(change: &EarlyChange) -> String {
    match change {
        EarlyChange::Edited { text, num_edit } => format!("{num_edit} {text}"),
        EarlyChange::Reacted { emoji: Some(emoji), .. } => emoji.clone(),
        EarlyChange::Reacted { emoji: None, .. } | EarlyChange::Deleted | EarlyChange::Read => {
            String::new()
        }
    }
}

/// The event a change came by.
fn kind_of(change: &EarlyChange, mid: &MessageId) -> EventKind {
    match change {
        EarlyChange::Deleted => EventKind::MessageDeleted { direction: Direction::Inbound },
        EarlyChange::Edited { text, num_edit } => {
            EventKind::MessageEdited { text: text.clone(), num_edit: *num_edit }
        }
        EarlyChange::Read => EventKind::MessageRead { watermark_at: None },
        EarlyChange::Reacted { emoji, removed } => {
            let reaction = Reaction {
                target_mid: mid.clone(),
                reaction: None,
                emoji: emoji.clone(),
                direction: Direction::Inbound,
            };
            if *removed {
                EventKind::ReactionRemoved(reaction)
            } else {
                EventKind::ReactionAdded(reaction)
            }
        }
    }
}
