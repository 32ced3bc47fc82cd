//! The due date: when an answer is due, what clears it, what brings it back. Pure.
//!
//! An inbound item is *answered* by a confirmed human outbound at or after its time, and *answered for now* by a reply
//! that has not failed yet. The first unanswered item runs the due date; one answered only for now suspends it.

use crate::conversation::ledger::Author;
use crate::conversation::state::{Due, Overdue, PendingSend, Phase};
use crate::conversation::turn::Turn;
use crate::domain::fact::{FactBody, Fulfilment, Initiator};
use crate::domain::time::Timestamp;

/// The one due first; the earlier wins.
pub(super) fn earlier(one: Option<Due>, other: Due) -> Due {
    one.filter(|one| one.due_at <= other.due_at).unwrap_or(other)
}

impl Turn<'_> {
    /// Time to answer an item: the account's target, else the inbox's; of a conversation that was moved, the new inbox's
    ///
    fn target_ms(&self, since: Timestamp) -> u64 {
        let (account, company) = (self.account(since), self.company(since));
        let reopen_ms = company.reopen_window_ms;
        let current = self.state.conversation.as_ref().filter(|it| match it.phase {
            Phase::Live(_) | Phase::Waiting => true,
            Phase::Closed { at } => since <= at.plus_ms(reopen_ms),
        });
        let inbox_ms = company.inbox_sla_ms(current.map_or(&account.inbox_id, |it| &it.inbox_id));
        let moved = current.is_some() && self.state.more.transferred;
        account.account_sla_ms.filter(|_| !moved).unwrap_or(inbox_ms)
    }

    /// The due date of an item.
    pub(super) fn due_since(&self, since: Timestamp) -> Due {
        self.due_by(since, self.target_ms(since))
    }

    /// The same by a given target.
    pub(super) fn due_by(&self, since: Timestamp, target_ms: u64) -> Due {
        let company = self.company(since);
        let share_ms = target_ms.saturating_mul(u64::from(company.sla_due_soon_permille)) / 1000;
        let due_at = since.plus_ms(target_ms);
        // What is late at its arrival is not announced as near.
        let soon_at = (self.world.now <= due_at).then(|| due_at.minus_ms(share_ms));
        Due { since, due_at, soon_at, breached: false }
    }

    /// The newest reply that has not failed yet.
    pub(super) fn answered_for_now(&self) -> Option<Timestamp> {
        let replies = self.state.sends.iter().filter(|send| send.answers_for_now());
        replies.map(|send: &PendingSend| send.requested_at).max()
    }

    /// When an inbound item of this time would be due, if it waits.
    pub(super) fn would_be_due(&self, occurred_at: Timestamp) -> Option<Timestamp> {
        let answered = self.state.answered_up_to.max(self.answered_for_now());
        let waits = answered.is_none_or(|answered| occurred_at > answered);
        waits.then(|| self.due_since(occurred_at).due_at)
    }

    /// An inbound item came.
    pub(super) fn inbound_waits(&mut self, occurred_at: Timestamp) {
        if self.state.answered_up_to.is_some_and(|answered| occurred_at <= answered) {
            return;
        }
        let due = self.due_since(occurred_at);
        let for_now = self.answered_for_now().is_some_and(|answered| occurred_at <= answered);
        let Some(contact) = self.contact_mut() else { return };
        if for_now {
            contact.suspended = Some(earlier(contact.suspended, due));
        } else if contact.due.is_none_or(|running| due.due_at < running.due_at) {
            contact.due = Some(due);
            let (at, due_at) = (occurred_at, due.due_at);
            self.tell(Initiator::Customer, at, FactBody::SlaStarted { due_at });
        }
    }

    /// A customer waits who waited on another thread before.
    pub(super) fn wait_until(&mut self, due: Due, at: Timestamp) {
        let Some(contact) = self.contact_mut() else { return };
        if contact.due.is_some_and(|running| running.due_at <= due.due_at) {
            return;
        }
        contact.due = Some(due);
        self.tell(Initiator::System, at, FactBody::SlaStarted { due_at: due.due_at });
    }

    /// A reply was sent: clears for now what it answers.
    pub(super) fn answer_for_now(&mut self, initiator: Initiator, at: Timestamp) {
        let Some(contact) = self.contact_mut() else { return };
        if let Some(due) = contact.due.filter(|due| due.since <= at) {
            contact.due = None;
            contact.suspended = Some(earlier(contact.suspended, due));
            self.tell(initiator, at, FactBody::SlaCleared { due_at: due.due_at });
        }
        self.find_waiting();
    }

    /// A human outbound is certain: clears what it answers for good.
    pub(super) fn answer_for_good(&mut self, initiator: &Initiator, at: Timestamp, sent_in: u32) {
        self.state.answered_up_to = self.state.answered_up_to.max(Some(at));
        let parting = self.state.parting.filter(|parting| parting.contact == sent_in);
        let mut met: Option<Due> = None;
        if let Some(contact) = self.contact_mut() {
            contact.last_out_at = contact.last_out_at.max(Some(at));
            let suspended = contact.suspended.take_if(|due| due.since <= at);
            let running = contact.due.take_if(|due| due.since <= at);
            if let Some(due) = running {
                met = Some(due);
                self.tell(initiator.clone(), at, FactBody::SlaCleared { due_at: due.due_at });
            }
            met = suspended.map(|due| earlier(met, due)).or(met);
        }
        self.note_out(at);
        if let Some(due) = met {
            let body = self.fulfilled(Fulfilment::Responded, at, due);
            self.tell(initiator.clone(), at, body);
        } else if let Some(parting) = parting {
            self.state.parting = None;
            let body = parted(at, parting.due_at);
            self.tell_of(Some(parting.contact), initiator.clone(), at, body);
        }
        self.find_waiting();
    }

    /// Items that still wait after a clear have a due date of their own (R-76: newer ones stay due).
    pub(super) fn find_waiting(&mut self) {
        let (answered, for_now) = (self.state.answered_up_to, self.answered_for_now());
        let number = self.contact_number();
        let first_after = |after: Option<Timestamp>| {
            let items = self.state.ledger.entries().iter();
            let mut waiting = items.filter(|entry| {
                entry.author == Author::Customer
                    && entry.contact == number
                    && after.is_none_or(|after| entry.occurred_at > after)
            });
            waiting.next().map(|entry| entry.occurred_at)
        };
        let running = first_after(answered.max(for_now)).map(|since| self.due_since(since));
        let covered = first_after(answered).filter(|since| for_now.is_some_and(|at| *since <= at));
        let suspended = covered.map(|since| self.due_since(since));
        let at = self.at;
        let Some(contact) = self.contact_mut() else { return };
        contact.suspended = contact.suspended.or(suspended);
        if contact.due.is_none()
            && let Some(due) = running
        {
            contact.due = Some(due);
            self.tell(Initiator::System, at, FactBody::SlaStarted { due_at: due.due_at });
        }
    }

    /// A reply did not go out: the old due date returns, unless another reply still answers it.
    pub(super) fn reinstate(&mut self) {
        let (at, for_now) = (self.at, self.answered_for_now());
        let Some(contact) = self.contact_mut() else { return };
        let lost = |due: &mut Due| for_now.is_none_or(|answered| due.since > answered);
        let Some(mut due) = contact.suspended.take_if(lost) else { return };
        due.soon_at = due.soon_at.filter(|_| due.due_at >= at);
        contact.due = Some(earlier(contact.due, due));
        self.tell(Initiator::System, at, FactBody::SlaReinstated { due_at: due.due_at });
    }

    /// The contact ends: no due date outlives it.
    pub(super) fn stop_clock(&mut self, initiator: &Initiator, at: Timestamp) {
        let Some(contact) = self.contact_mut() else { return };
        let (running, suspended) = (contact.due.take(), contact.suspended.take());
        let number = contact.number;
        if let Some(due) = suspended {
            self.state.parting =
                Some(super::state::Parting { contact: number, due_at: due.due_at });
        }
        if let Some(due) = running {
            self.tell(initiator.clone(), at, FactBody::SlaCleared { due_at: due.due_at });
            let body = self.fulfilled(Fulfilment::Canceled, at, due);
            self.tell(initiator.clone(), at, body);
        }
    }

    /// The due date is near.
    pub(super) fn due_soon(&mut self, at: Timestamp) {
        let Some(due) = self.contact_mut().and_then(|contact| contact.due.as_mut()) else { return };
        due.soon_at = None;
        let due_at = due.due_at;
        self.tell(Initiator::System, at, FactBody::SlaDueSoon { due_at });
    }

    /// The due date passed.
    pub(super) fn breach(&mut self, at: Timestamp) {
        let Some(due) = self.contact_mut().and_then(|contact| contact.due.as_mut()) else { return };
        due.breached = true;
        due.soon_at = None;
        let (since, due_at) = (due.since, due.due_at);
        self.tell(Initiator::System, at, FactBody::SlaBreached { due_at, by_ms: None });
        self.await_step(since, due_at, 0);
    }

    /// A breached due date passed by a further step.
    pub(super) fn overdue(&mut self, at: Timestamp) {
        let due = self.contact().and_then(|contact| contact.due);
        let Some((due, step)) = due.zip(self.state.more.overdue) else { return };
        let by_ms = Some(at.since_ms(due.due_at));
        self.tell(Initiator::System, at, FactBody::SlaBreached { due_at: due.due_at, by_ms });
        self.await_step(due.since, due.due_at, step.told.saturating_add(1));
    }

    /// The steps are those in force when the wait began.
    fn await_step(&mut self, since: Timestamp, due_at: Timestamp, told: u32) {
        let steps_ms = &self.company(since).sla_overdue_steps_ms;
        let next = usize::try_from(told).ok().and_then(|told| steps_ms.get(told));
        let next_at = next.map(|step_ms| due_at.plus_ms(*step_ms));
        self.state.more.overdue = next_at.map(|_| Overdue { due_at, told, next_at });
    }

    /// The contact is fulfilled, with what reports want to know of the wait.
    fn fulfilled(&self, how: Fulfilment, fulfilled_at: Timestamp, due: Due) -> FactBody {
        let moved = self.state.more.due_before.filter(|(moved_to, _)| *moved_to == due.due_at);
        FactBody::ContactFulfilled {
            how,
            fulfilled_at,
            due_at: Some(due.due_at),
            due_at_before: moved.map(|(_, before)| before),
            business_ms: self.business_ms(due.since, fulfilled_at),
        }
    }

    /// How much of a span fell into the inbox's business hours.
    pub(super) fn business_ms(&self, from: Timestamp, to: Timestamp) -> Option<u64> {
        let inbox_id = &self.state.conversation.as_ref()?.inbox_id;
        self.company(to).hours_of(inbox_id)?.open_ms(from, to)
    }
}

/// Of a contact that had ended nothing else is remembered.
const fn parted(fulfilled_at: Timestamp, due_at: Timestamp) -> FactBody {
    FactBody::ContactFulfilled {
        how: Fulfilment::Responded,
        fulfilled_at,
        due_at: Some(due_at),
        due_at_before: None,
        business_ms: None,
    }
}
