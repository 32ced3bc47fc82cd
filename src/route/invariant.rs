//! What must be true of a company after every input, numbered. Pure. Source: desk rule R-132 and the rules named.

use std::collections::BTreeSet;

use crate::route::pool::{Agent, Pool};
use crate::route::queue::QueueKey;
use crate::route::ready::Ready;
use crate::route::row::{AgentRow, Place, Presence, RowId};

/// An invariant that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// I-1: what an agent holds, and nothing else, says it is held by that agent.
    OneHolder,
    /// I-2: the offer on a banner, and no other, is outstanding to that agent.
    OneOffer,
    /// I-3: no offer stands with an absent agent.
    OfferToAbsent,
    /// I-4: whoever is neither outstanding nor held is in their inbox's queue alone, in its order, and
    /// nobody else is in any.
    Forgotten,
    /// I-5: while somebody waits in an inbox where somebody is ready, and only then, the queue is about to be tried.
    WaitsInVain,
    /// I-6: exactly those are ready who are eligible, for the inboxes they serve, in the order of their load.
    Ready,
    /// I-7: exactly the timers that rows ask for are set.
    Timers,
    /// I-8: exactly the waiting customers of absent agents are about to be queued again.
    Grace,
    /// I-9: an extra slot belongs to an agent who is there and available, also by Focus and settings page.
    ExtraSlot,
    /// I-10: what is kept of an agent's commands is bounded.
    Unbounded,
    /// I-11: whoever rejected it is in no conversation's set once it is held; rounds count from one.
    Round,
    /// I-12: a deactivated agent is logged out and has nothing.
    Deactivated,
    /// I-13: only whoever is there can become Away by idling, and nobody who is out can be logged out.
    Idle,
    /// I-14: only what is held was seen by its agent.
    Seen,
}

/// An invariant and whether it holds.
type Check = (Broken, fn(&Pool) -> bool);

/// The first invariant that does not hold.
#[must_use]
pub fn broken(pool: &Pool) -> Option<Broken> {
    let checks: [Check; 14] = [
        (Broken::OneHolder, one_holder),
        (Broken::OneOffer, one_offer),
        (Broken::OfferToAbsent, no_offer_to_absent),
        (Broken::Forgotten, nobody_forgotten),
        (Broken::WaitsInVain, nobody_waits_in_vain),
        (Broken::Ready, ready_is_eligible),
        (Broken::Timers, timers_are_asked_for),
        (Broken::Grace, grace_is_for_the_waiting),
        (Broken::ExtraSlot, extra_slot_is_usable),
        (Broken::Unbounded, memory_is_bounded),
        (Broken::Round, rounds_begin_anew),
        (Broken::Deactivated, deactivated_have_nothing),
        (Broken::Idle, idling_fits_presence),
        (Broken::Seen, seen_is_held),
    ];
    checks.into_iter().find(|(_, holds)| !holds(pool)).map(|(broken, _)| broken)
}

fn one_holder(pool: &Pool) -> bool {
    let said = pool.conversations.iter().filter_map(|(id, row)| match &row.place {
        Place::Held { by, .. } => Some((by, id)),
        Place::Queued | Place::Outstanding { .. } => None,
    });
    let held = pool.agents.iter().flat_map(|(by, agent)| agent.held.iter().map(move |id| (by, id)));
    said.collect::<BTreeSet<_>>() == held.collect()
}

fn one_offer(pool: &Pool) -> bool {
    let said = pool.conversations.iter().filter_map(|(id, row)| match &row.place {
        Place::Outstanding { to, .. } => Some((to, id)),
        Place::Queued | Place::Held { .. } => None,
    });
    let offered = pool.agents.iter().filter_map(|(to, agent)| Some((to, agent.offer.as_ref()?)));
    said.collect::<BTreeSet<_>>() == offered.collect()
}

fn no_offer_to_absent(pool: &Pool) -> bool {
    let absent = |agent: &&Agent| agent.row.presence != Presence::Here;
    pool.agents.values().filter(absent).all(|agent| agent.offer.is_none())
}

fn nobody_forgotten(pool: &Pool) -> bool {
    let waiting = pool.conversations.iter().filter(|(_, row)| row.place == Place::Queued);
    let said: BTreeSet<_> =
        waiting.map(|(id, row)| (&row.inbox_id, QueueKey::of(id, row))).collect();
    let queued: Vec<_> = pool.queue.iter().map(|(inbox, key)| (inbox, key.clone())).collect();
    // A set in order against a list: nobody stands twice, not even in two inboxes.
    queued.len() == said.len() && queued.into_iter().eq(said)
}

fn nobody_waits_in_vain(pool: &Pool) -> bool {
    let could_match = pool.queue.iter().any(|(inbox, _)| {
        let serves = |agent: &Agent| agent.inboxes().is_none_or(|own| own.contains(inbox));
        pool.agents.values().any(|agent| agent.is_ready(pool.capacity) && serves(agent))
    });
    could_match == pool.company.retry_at.is_some()
}

fn ready_is_eligible(pool: &Pool) -> bool {
    let mut expected = Ready::new();
    for (id, agent) in pool.agents.iter().filter(|(_, agent)| agent.is_ready(pool.capacity)) {
        expected.insert(&agent.ready_key(id), agent.inboxes());
    }
    pool.ready == expected
}

fn timers_are_asked_for(pool: &Pool) -> bool {
    let delays = pool
        .agents
        .iter()
        .filter_map(|(id, agent)| Some((agent.row.due_timer()?, RowId::Agent(id.clone()))));
    let others = pool
        .conversations
        .iter()
        .filter_map(|(id, row)| Some((row.due_timer()?, RowId::Conversation(id.clone()))));
    let own = pool.company.retry_at.map(|due| (due, RowId::Company));
    pool.timers == delays.chain(others).chain(own).collect()
}

fn grace_is_for_the_waiting(pool: &Pool) -> bool {
    pool.conversations.values().all(|row| match &row.place {
        Place::Queued | Place::Outstanding { .. } => true,
        Place::Held { by, requeue_at } => {
            let holder = pool.agents.get(by);
            let is_absent = holder.is_some_and(|agent| agent.row.presence != Presence::Here);
            requeue_at.is_some() == (is_absent && row.unanswered)
        }
    })
}

fn extra_slot_is_usable(pool: &Pool) -> bool {
    pool.agents.values().all(|agent| !agent.row.extra_slot || agent.is_available())
}

fn memory_is_bounded(pool: &Pool) -> bool {
    let bound = AgentRow::RECENT_COMMANDS_MAX;
    pool.agents.values().all(|agent| agent.row.recent_commands.len() <= bound)
}

fn rounds_begin_anew(pool: &Pool) -> bool {
    pool.conversations.values().all(|row| match row.place {
        Place::Held { .. } => row.rejected.is_empty() && row.round == 1,
        Place::Queued | Place::Outstanding { .. } => row.round >= 1,
    })
}

fn deactivated_have_nothing(pool: &Pool) -> bool {
    let deactivated = pool.agents.values().filter(|agent| agent.row.more.standing.deactivated);
    let mut deactivated = deactivated.map(|agent| (agent.row.presence, agent.used()));
    deactivated.all(|(presence, used)| matches!((presence, used), (Presence::Out { .. }, 0)))
}

fn idling_fits_presence(pool: &Pool) -> bool {
    pool.agents.values().all(|agent| {
        let (away_at, logout_at) = (agent.row.more.idle_away_at, agent.row.more.idle_logout_at);
        match agent.row.presence {
            Presence::Here => true,
            Presence::Away { .. } => away_at.is_none(),
            Presence::Out { .. } => away_at.is_none() && logout_at.is_none(),
        }
    })
}

fn seen_is_held(pool: &Pool) -> bool {
    pool.conversations.values().all(|row| match row.place {
        Place::Held { .. } => true,
        Place::Queued | Place::Outstanding { .. } => row.more.seen_at.is_none(),
    })
}
