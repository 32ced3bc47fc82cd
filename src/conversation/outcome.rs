//! What became of our own sends. Pure.

use crate::conversation::echo;
use crate::conversation::error::Error;
use crate::conversation::ledger::{Author, Entry, mid_key};
use crate::conversation::state::{Doubt, PendingSend, Sending};
use crate::conversation::turn::Turn;
use crate::domain::derive::{self, digest};
use crate::domain::event::{ContentKind, Event};
use crate::domain::fact::{FactBody, Initiator, Item};
use crate::domain::id::{MessageId, SendId};
use crate::domain::outbound::{FailureCode, SendOutcome, SendResult};
use crate::domain::time::Timestamp;
use crate::engine::stage::Exit;

/// The ledger key of an own part that has no mid yet.
pub(super) fn send_key(send_id: &SendId) -> u128 {
    digest(&["send", send_id.as_str()])
}

impl Turn<'_> {
    /// Takes in the outcome of a part.
    pub(super) fn outcome(&mut self, result: &SendResult) -> Result<Exit, Error> {
        let pending = self.state.sends.iter().find(|send| send.send_id == result.send_id);
        let Some(pending) = pending.cloned() else { return Ok(self.pass_on_outcome(result)) };
        match (&pending.what, &result.outcome) {
            (Sending::Words { .. }, SendOutcome::Accepted { mid }) => {
                self.accepted(&pending.send_id, mid.as_ref())?;
                if let Some(mid) = mid {
                    self.is_of(&result.thread, mid);
                }
            }
            (Sending::Words { .. }, SendOutcome::Failed { code, .. }) => {
                self.failed(&pending, *code)?;
            }
            (Sending::Words { .. }, SendOutcome::Unknown) => {
                return self.unknown(&pending);
            }
            (Sending::Heart { .. }, SendOutcome::Accepted { .. } | SendOutcome::Unknown) => {
                self.take(&pending.send_id);
            }
            (Sending::Heart { mid, on }, SendOutcome::Failed { .. }) => {
                self.take(&pending.send_id);
                self.heart_refused(mid, *on);
            }
        }
        Ok(Exit::Emitted)
    }

    fn take(&mut self, send_id: &SendId) -> Option<PendingSend> {
        let place = self.state.sends.iter().position(|send| send.send_id == *send_id)?;
        Some(self.state.sends.remove(place))
    }

    /// Instagram took it: an echo with its mid is its own, another that was held for it is not.
    fn accepted(&mut self, send_id: &SendId, mid: Option<&MessageId>) -> Result<(), Error> {
        let key = mid.map(mid_key);
        self.state.held.retain(|held| Some(held.key) != key);
        self.settle(send_id, mid);
        self.release_held_for(send_id)
    }

    fn release_held_for(&mut self, send_id: &SendId) -> Result<(), Error> {
        let held = self.state.held.iter().position(|held| held.send_id == *send_id);
        match held.map(|place| self.state.held.remove(place)) {
            Some(held) => self.release(&held),
            None => Ok(()),
        }
    }

    /// A part went out, by the answer or by its echo.
    fn settle(&mut self, send_id: &SendId, mid: Option<&MessageId>) {
        let Some(send) = self.take(send_id) else { return };
        let Sending::Words { human, .. } = send.what else { return };
        let initiator = by(&send, human);
        let own = self.state.ledger.remove(send_key(send_id));
        let mut entry = own.unwrap_or_else(|| {
            Entry::new(send_key(send_id), Author::Desk, ContentKind::Text, send.requested_at)
        });
        let kind = entry.kind;
        let (mut waited, mut taken_for) = (None, None);
        if let Some(mid) = mid {
            entry.key = mid_key(mid);
            taken_for = self.state.ledger.remove(entry.key);
            waited = Some((mid, self.apply_waiting(&mut entry)));
        }
        if let Some(native) = &taken_for {
            entry.deleted |= native.deleted;
            entry.num_edit = entry.num_edit.max(native.num_edit);
            entry.reaction = entry.reaction.max(native.reaction);
        }
        let deleted = entry.deleted;
        self.state.ledger.insert(entry);
        let item = Item {
            item_id: send.item_id.clone(),
            mid: mid.cloned(),
            send_id: Some(send_id.clone()),
            kind,
            text: None,
            attachments: Vec::new(),
            reply_to_mid: None,
            story: None,
            story_expires_at: None,
            deleted,
            standby: false,
            request_folder: None,
            origin: None,
        };
        self.tell_of(contact_of(&send), initiator.clone(), self.at, FactBody::MessageSent(item));
        if human {
            self.answer_for_good(&initiator, send.requested_at, send.contact);
        }
        if let Some((mid, waited)) = waited {
            if let Some(native) = taken_for {
                self.recognise(&send, mid, &native);
            }
            if deleted {
                let body = FactBody::MessageDeleted { mid: mid.clone() };
                self.tell(Initiator::NativeApp, self.at, body);
            }
            self.tell_waited(mid, send.requested_at, waited, &Initiator::NativeApp);
        }
    }

    /// The same by its echo.
    pub(super) fn settle_by(&mut self, echo: &Event, send_id: &SendId) {
        self.settle(send_id, echo.mid.as_ref());
        if let Some((thread, mid)) = echo.thread().zip(echo.mid.as_ref()) {
            self.is_of(&thread, mid);
        }
    }

    /// What was taken for written in the app was this send: one message, told of once.
    fn recognise(&mut self, send: &PendingSend, mid: &MessageId, native: &Entry) {
        let thread = self.thread_of(mid).key();
        let body = FactBody::MessageRecognised {
            item_id: send.item_id.clone(),
            mid: mid.clone(),
            instead_of: derive::item_id(&[&thread, "item", mid.as_str()]),
        };
        self.tell_of(contact_of(send), Initiator::System, self.at, body);
        if let Some(conversation) = &mut self.state.conversation {
            conversation.items = conversation.items.saturating_sub(1);
            if let Some(contact) = conversation.contact_mut()
                && contact.newest == (native.occurred_at, true)
            {
                contact.newest.1 = false;
            }
        }
        if native.reaction.is_some_and(|(_, removed)| !removed) {
            let body = FactBody::ReactionAdded { mid: mid.clone(), emoji: None };
            self.tell(Initiator::Customer, self.at, body);
        }
    }

    /// Instagram will never take it.
    fn failed(&mut self, send: &PendingSend, code: FailureCode) -> Result<(), Error> {
        self.take(&send.send_id);
        self.state.ledger.remove(send_key(&send.send_id));
        let (item_id, send_id) = (send.item_id.clone(), send.send_id.clone());
        let body = FactBody::MessageFailed { item_id, send_id, code };
        self.tell_of(contact_of(send), Initiator::System, self.at, body);
        self.reinstate();
        self.release_held_for(&send.send_id)
    }

    /// Nobody knows: a held echo tells, else the agent is asked later.
    fn unknown(&mut self, send: &PendingSend) -> Result<Exit, Error> {
        match send.doubt {
            Doubt::Unknown { .. } | Doubt::Asked => return Ok(Exit::Skipped("stale")),
            Doubt::None => (),
        }
        let held = self.state.held.iter().position(|held| held.send_id == send.send_id);
        if let Some(held) = held.map(|place| self.state.held.remove(place)) {
            let event = echo::read(&held)?.event;
            self.settle_by(&event, &send.send_id);
            return Ok(Exit::Emitted);
        }
        let ask_at = self.at.plus_ms(self.account(self.at).unknown_after_ms);
        let pending = self.state.sends.iter_mut().find(|known| known.send_id == send.send_id);
        if let Some(pending) = pending {
            pending.doubt = Doubt::Unknown { ask_at };
        }
        Ok(Exit::Emitted)
    }

    /// No echo came: the agent is asked, and the customer counts as waiting again.
    pub(super) fn ask_about_unknown(&mut self, due: Timestamp) {
        let mut asked = Vec::new();
        for send in &mut self.state.sends {
            if matches!(send.doubt, Doubt::Unknown { ask_at } if ask_at <= due) {
                send.doubt = Doubt::Asked;
                asked.push((contact_of(send), send.item_id.clone(), send.send_id.clone()));
            }
        }
        for (contact, item_id, send_id) in asked {
            let body = FactBody::MessageUnknown { item_id, send_id };
            self.tell_of(contact, Initiator::System, due, body);
        }
        self.reinstate();
    }
}

/// The contact a part was sent in.
fn contact_of(send: &PendingSend) -> Option<u32> {
    (send.contact > 0).then_some(send.contact)
}

/// Who sent a part: an agent, or a rule.
fn by(send: &PendingSend, human: bool) -> Initiator {
    if human { Initiator::Agent(send.agent_id.clone()) } else { Initiator::System }
}
