//! What is always true of a thread. Pure. Held by `debug_assert!` in `decide` and by the property tests.
//!
//! By construction: at most one open contact; `closed` and `waiting` have none; `open` has an agent, `new` has
//! none.

use std::collections::BTreeSet;

use crate::conversation::decide::Effect;
use crate::conversation::ledger::Ledger;
use crate::conversation::seen::Seen;
use crate::conversation::state::{Care, Conversation, Phase, ThreadState, bound};

/// An invariant: its name, and whether it holds.
type Rule = (&'static str, fn(&ThreadState) -> bool);

/// The first invariant that does not hold.
#[must_use]
pub fn broken(state: &ThreadState) -> Option<&'static str> {
    let rules: [Rule; 7] = [
        ("C-1: a closed conversation has no agent", closed_has_no_agent),
        ("C-2: every list keeps its bound", lists_are_bounded),
        ("C-3: no due date for what is answered", due_means_unanswered),
        ("C-4: a contact ends by itself only in an agent's hands, nothing unanswered", auto_end),
        ("C-5: nobody unassigned is forgotten by routing", nobody_is_forgotten),
        ("C-6: one send absorbs one echo, one item has one place", nothing_twice),
        ("C-7: the ledger is in order", ledger_is_sorted),
    ];
    rules.into_iter().find(|(_, holds)| !holds(state)).map(|(name, _)| name)
}

/// C-8: facts are numbered without gaps.
#[must_use]
pub fn facts_are_counted(before: u64, after: &ThreadState, effects: &[Effect]) -> bool {
    let mut next = before;
    for effect in effects {
        if let Effect::Fact(fact) = effect {
            next += 1;
            if fact.number != next {
                return false;
            }
        }
    }
    next == after.facts
}

fn closed_has_no_agent(state: &ThreadState) -> bool {
    state.conversation.as_ref().is_none_or(|conversation| match conversation.phase {
        Phase::Closed { .. } => conversation.agent.is_none(),
        Phase::Live(_) | Phase::Waiting => true,
    })
}

fn lists_are_bounded(state: &ThreadState) -> bool {
    let topics = state.conversation.as_ref().map_or(0, |conversation| conversation.topics.len());
    state.early.len() <= bound::EARLY
        && state.sends.len() <= bound::SENDS
        && state.held.len() <= bound::HELD
        && state.stories.len() <= bound::STORIES
        && topics <= bound::TOPICS
        && state.ties.guests.len() <= bound::GUESTS
        && state.ties.guests.iter().all(|guest| guest.mids.len() <= bound::GUEST_MIDS)
        && state.ledger.entries().len() <= Ledger::BOUND
        && state.seen_events.len() <= Seen::BOUND
        && state.seen_commands.len() <= Seen::BOUND
}

fn due_means_unanswered(state: &ThreadState) -> bool {
    let due = state.conversation.as_ref().and_then(Conversation::contact).and_then(|c| c.due);
    due.is_none_or(|due| state.answered_up_to.is_none_or(|answered| due.since > answered))
}

fn auto_end(state: &ThreadState) -> bool {
    let Some(conversation) = &state.conversation else { return true };
    conversation.contact().is_none_or(|contact| {
        contact.auto_end_at.is_none()
            || (conversation.agent.is_some()
                && contact.due.is_none()
                && contact.suspended.is_none())
    })
}

fn nobody_is_forgotten(state: &ThreadState) -> bool {
    let Some(conversation) = &state.conversation else { return true };
    conversation.contact().is_none_or(|contact| match contact.care {
        Care::Unasked => contact.due.is_none(),
        Care::Held => conversation.agent.is_some(),
        Care::Asked | Care::Queued | Care::Offered { .. } => true,
    })
}

fn nothing_twice(state: &ThreadState) -> bool {
    let absorbed: BTreeSet<_> = state.held.iter().map(|held| &held.send_id).collect();
    let items: BTreeSet<u128> = state.ledger.entries().iter().map(|entry| entry.key).collect();
    absorbed.len() == state.held.len() && items.len() == state.ledger.entries().len()
}

fn ledger_is_sorted(state: &ThreadState) -> bool {
    state.ledger.entries().is_sorted_by_key(|entry| (entry.occurred_at, entry.key))
}
