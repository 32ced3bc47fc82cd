//! What a merged thread passes on to its home, and what the home remembers of it. Pure. See ADR 0006.
//!
//! A thread answers for what it has shown and begun; whatever is new goes home.

use crate::conversation::error::Error;
use crate::conversation::ledger::{item_key, mid_key};
use crate::conversation::state::bound;
use crate::conversation::turn::Turn;
use crate::domain::command::{DeskCommand, DeskWish, ThreadNote};
use crate::domain::derive;
use crate::domain::event::{Event, EventKind};
use crate::domain::id::{AgentId, CommandId, MessageId};
use crate::domain::outbound::SendResult;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::engine::stage::Exit;

/// Most often a word is passed on: longer chains are no chains but rings, made by merges that crossed.
pub(super) const HOPS_MAX: u8 = 8;
/// Who speaks where no agent does.
const NOBODY: &str = "system";

impl Turn<'_> {
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

    /// Passes an event on to the home; the reply window stays the thread's own.
    pub(super) fn pass_on(&mut self, event: &Event) -> Result<Exit, Error> {
        if let Some(exit) = self.repeated(event) {
            return Ok(exit);
        }
        if let Some(opens) = self.opens(event) {
            self.opened(opens, self.at);
        }
        let Some(home) = self.state.ties.home.clone() else { return Ok(Exit::Skipped("ignored")) };
        let note = ThreadNote::Event { event: Box::new(event.clone()), hops: self.world.hops + 1 };
        self.say_to(&home, (&["event", event.event_id.as_str()], None), note)?;
        Ok(Exit::Emitted)
    }

    /// The outcome of a send of the home's, to this thread's person.
    pub(super) fn pass_on_outcome(&mut self, result: &SendResult) -> Result<Exit, Error> {
        let home = self.state.ties.home.clone().filter(|_| self.world.hops < HOPS_MAX);
        let Some(home) = home else { return Ok(Exit::Skipped("stale")) };
        let settled_at = result.settled_at.as_ms().to_string();
        let id = ["outcome", result.send_id.as_str(), result.outcome.name(), &settled_at];
        let note =
            ThreadNote::Outcome { result: Box::new(result.clone()), hops: self.world.hops + 1 };
        self.say_to(&home, (&id, None), note)?;
        Ok(Exit::Emitted)
    }

    /// Says something to another thread; `about` names it, so that it is said and heard once.
    pub(super) fn say_to(
        &mut self,
        to: &Thread,
        (about, by): (&[&str], Option<&AgentId>),
        note: ThreadNote,
    ) -> Result<(), Error> {
        let from = self.world.thread.key();
        let digest = derive::digest(&[&[from.as_str()], about].concat());
        let agent_id = match by {
            Some(agent_id) => agent_id.clone(),
            None => AgentId::parse(NOBODY)?,
        };
        self.note(DeskCommand {
            wish: DeskWish::Note(note),
            command_id: CommandId::parse(&format!("note-{digest:032x}"))?,
            thread: to.clone(),
            conversation_id: derive::conversation_id(to, 1)?,
            agent_id,
            issued_at: self.at,
        });
        Ok(())
    }

    /// Remembers that an inbound item came, and from which guest.
    pub(super) fn came_from(&mut self, mid: Option<&MessageId>, at: Timestamp, opens: bool) {
        let origin = self.origin.clone();
        let ties = &mut self.state.ties;
        if ties.guests.is_empty() && origin.is_none() {
            return;
        }
        if ties.newest_from.as_ref().is_none_or(|(newest, _)| *newest <= at) {
            ties.newest_from = Some((at, origin.clone()));
        }
        let Some(origin) = origin else { return };
        if !ties.guests.iter().any(|guest| guest.thread == origin) {
            self.welcome(&origin, None);
        }
        let guests = &mut self.state.ties.guests;
        if let Some(guest) = guests.iter_mut().find(|guest| guest.thread == origin) {
            guest.opened_at = guest.opened_at.max(Some(at).filter(|_| opens));
            if guest.mids.len() >= bound::GUEST_MIDS {
                guest.mids.remove(0);
            }
            guest.mids.extend(mid.cloned());
        }
    }

    /// The thread a message came on.
    pub(super) fn thread_of(&self, mid: &MessageId) -> Thread {
        let guests = &self.state.ties.guests;
        let its = guests.iter().find(|guest| guest.mids.contains(mid));
        its.map_or_else(|| self.world.thread.clone(), |guest| guest.thread.clone())
    }
}
