//! Messages the business wrote elsewhere, and how our own are told from them. Pure.
//!
//! | echo                                  | own send                      | then                                      |
//! |---------------------------------------|-------------------------------|-------------------------------------------|
//! | its mid is known as ours              | answered                      | skipped, `own_echo`                       |
//! | looks like one, each absorbs one echo | no answer yet                 | held until the answer, at most `echo_hold`|
//! | looks like one                        | outcome unknown               | settles it as sent                        |
//! | held until the end                    | still no answer               | settles it as sent                        |
//! | anything else                         |                               | native; once merged: see `whose`          |

use serde::{Deserialize, Serialize};

use crate::conversation::compose::echo_digest;
use crate::conversation::error::Error;
use crate::conversation::ledger::{Author, Entry, item_key};
use crate::conversation::life_cycle::Began;
use crate::conversation::state::{Care, Doubt, HeldEcho, PendingSend, Sending, bound};
use crate::conversation::turn::Turn;
use crate::domain::event::{Direction, Event, EventKind, MessageBody};
use crate::domain::fact::Initiator;
use crate::domain::routing::AssignReason;
use crate::domain::thread::Thread;
use crate::domain::time::{MINUTE_MS, Timestamp};
use crate::engine::stage::Exit;

/// How far the platform's clock may be behind ours for an echo to be of a send.
const CLOCK_SKEW_MS: u64 = MINUTE_MS;

impl Turn<'_> {
    /// The business wrote, by whatever route.
    pub(super) fn echoed(&mut self, event: &Event, body: &MessageBody) -> Exit {
        if let Some(exit) = self.repeated(event) {
            return exit;
        }
        let key = item_key(event);
        match self.state.ledger.get(key).map(|entry| entry.author) {
            Some(Author::Desk) => return Exit::Skipped("own_echo"),
            Some(Author::Customer | Author::NativeApp) => return Exit::Skipped("duplicate"),
            None => (),
        }
        if self.state.held.iter().any(|held| held.key == key) {
            return Exit::Skipped("duplicate");
        }
        // A test from the account to itself: nobody is there to be served.
        if body.to_self {
            return Exit::Skipped("self");
        }
        let own = self.world.thread;
        let via = if self.is_given_back(event) { Some(own) } else { self.world.via };
        if self.absorb(event, body, via) {
            return Exit::Emitted;
        }
        self.take_as_native(event, body, via)
    }

    /// Whether an echo is, or may turn out to be, of a send of this thread's own.
    pub(super) fn may_be_own(&self, event: &Event, body: &MessageBody) -> bool {
        let key = item_key(event);
        self.state.ledger.get(key).is_some()
            || self.state.held.iter().any(|held| held.key == key)
            || self.looks_like(event.occurred_at.min(self.world.now), body).is_some()
    }

    /// An echo of nothing known here was written in the app, unless who was this thread's home knows of it.
    fn take_as_native(&mut self, event: &Event, body: &MessageBody, via: Option<&Thread>) -> Exit {
        let is_given_back = via == Some(self.world.thread);
        if !is_given_back && self.ask_whose(event) {
            return Exit::Emitted;
        }
        self.native(event, body, event.occurred_at.min(self.world.now))
    }

    /// Settles by an echo or holds it, if it is of an own send or may be; then nothing more is to be done.
    ///
    /// `via`: the thread that passed it on or asked about it; one's own, when it was given back.
    pub(super) fn absorb(
        &mut self,
        event: &Event,
        body: &MessageBody,
        via: Option<&Thread>,
    ) -> bool {
        let (key, at) = (item_key(event), event.occurred_at.min(self.world.now));
        let is_held = self.state.held.iter().any(|held| held.key == key);
        if is_held || self.state.ledger.get(key).is_some() {
            return true;
        }
        match self.looks_like(at, body).map(|send| (send.send_id.clone(), send.doubt)) {
            Some((send_id, Doubt::Unknown { .. } | Doubt::Asked)) => {
                self.settle_by(event, &send_id);
                true
            }
            Some((send_id, Doubt::None)) if self.state.held.len() < bound::HELD => {
                let until = self.world.now.plus_ms(self.account(at).echo_hold_ms.min(MINUTE_MS));
                let kept = Kept { event: event.clone(), via: via.cloned() };
                // Our own types are always written; what was not could not be taken up again, and is not held.
                let Ok(event_json) = serde_json::to_vec(&kept) else { return false };
                self.state.held.push(HeldEcho { key, send_id, until, event: event_json });
                true
            }
            Some((_, Doubt::None)) | None => false,
        }
    }

    /// The oldest own send without result that an echo may be of; each absorbs one.
    fn looks_like(&self, at: Timestamp, body: &MessageBody) -> Option<&PendingSend> {
        let seen = echo_digest(body);
        let alike = self.state.sends.iter().filter(|send| match &send.what {
            Sending::Words { digest, human: _ } => *digest == seen,
            Sending::Heart { .. } => false,
        });
        let possible = alike.filter(|send| {
            at.plus_ms(CLOCK_SKEW_MS) >= send.requested_at
                && !self.state.held.iter().any(|held| held.send_id == send.send_id)
        });
        possible.min_by_key(|send| send.requested_at)
    }

    /// Somebody of the business wrote in the app.
    fn native(&mut self, event: &Event, body: &MessageBody, at: Timestamp) -> Exit {
        if !self.account(at).echo {
            return Exit::Skipped("echo_disabled");
        }
        let initiator = Initiator::NativeApp;
        let began = self.join_or_start(Direction::Outbound, &initiator, at);
        let number = self.contact_number();
        let mut entry = Entry::new(item_key(event), Author::NativeApp, body.content.kind, at);
        entry.contact = number;
        self.count_item(at, true);
        self.show(event, body, entry, &initiator);
        self.answer_for_good(&initiator, at, number);
        self.route_echo(began, at);
        Exit::Emitted
    }

    /// A contact an echo began stays with its agent, or is routed while that is wished.
    fn route_echo(&mut self, began: Began, at: Timestamp) {
        match (began, self.agent()) {
            (Began::Joined, _) => (),
            (Began::Now, Some(agent_id)) => self.assign(agent_id, AssignReason::MessageOutbound),
            (Began::Now, None) => {
                if self.account(at).route_on_echo_only {
                    self.enqueue(at);
                } else if let Some(contact) = self.contact_mut() {
                    contact.care = Care::Unasked;
                }
            }
        }
    }

    /// An echo waited long enough: the send it looks like went out.
    pub(super) fn end_hold(&mut self, due: Timestamp) -> Result<(), Error> {
        let over = |held: &HeldEcho| held.until <= due;
        let Some(place) = self.state.held.iter().position(over) else { return Ok(()) };
        let held = self.state.held.remove(place);
        if self.state.sends.iter().any(|send| send.send_id == held.send_id) {
            let event = read(&held)?.event;
            self.settle_by(&event, &held.send_id);
            return Ok(());
        }
        self.release(&held)
    }

    /// A held echo is not of the send it looked like: of another, or native.
    pub(super) fn release(&mut self, held: &HeldEcho) -> Result<(), Error> {
        let Kept { event, via } = read(held)?;
        let EventKind::MessageEchoed(body) = &event.kind else { return Ok(()) };
        let its_own = event.thread().filter(|thread| thread != self.world.thread);
        let via = via.or_else(|| its_own.clone());
        let before = std::mem::replace(&mut self.origin, its_own);
        let parted = via.as_ref().filter(|via| *via != self.world.thread && !self.is_guest(via));
        if !self.absorb(&event, body, via.as_ref()) {
            match parted {
                Some(parted) => self.not_ours(&event, parted, 0),
                None => self.take_as_native(&event, body, via.as_ref()),
            };
        }
        self.origin = before;
        Ok(())
    }
}

/// A held echo, and by which thread it came (see `absorb`).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(flatten)]
    pub(super) event: Event,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    via: Option<Thread>,
}

/// What of a held echo was kept.
pub(super) fn read(held: &HeldEcho) -> Result<Kept, Error> {
    serde_json::from_slice(&held.event).map_err(|_json| Error::HeldEcho)
}
