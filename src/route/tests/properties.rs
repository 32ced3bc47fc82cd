//! Any sequence of requests, commands and time: invariants, the second book, the same again after every reload.

use proptest::prelude::*;

use super::ledger::Ledger;
use super::world::{World, agent, conversation, inbox};
use crate::domain::command::AgentWish;
use crate::domain::routing::{AssignReason, RoutingAsk};
use crate::domain::settings::AfterReject;
use crate::domain::time::Timestamp;
use crate::route::row::{ConversationRow, Place};

const AGENTS: [&str; 3] = ["ana", "ben", "cem"];
const INBOXES: [&str; 2] = ["main", "other"];

#[derive(Debug, Clone)]
enum Op {
    Enqueue { name: String, inbox: &'static str, due: Option<u8>, previous: Option<usize> },
    Update { name: String, due: Option<u8> },
    Assign { name: String, to: usize, reason: AssignReason },
    Withdraw { name: String },
    Wish { who: usize, wish: AgentWish },
    Accept { who: usize },
    Decline { who: usize },
    Wait { ms: u64 },
    Standard { slots: u32 },
}

fn name() -> impl Strategy<Value = String> {
    (0..7_u8, 1..4_u8).prop_map(|(id, contact)| format!("c{id}#{contact}"))
}

fn wish() -> impl Strategy<Value = AgentWish> {
    prop_oneof![
        2 => Just(AgentWish::LogIn),
        1 => Just(AgentWish::LogOut),
        4 => prop::bool::weighted(0.8).prop_map(|available| AgentWish::SetAvailability { available }),
        2 => any::<bool>().prop_map(|away| AgentWish::SetAway { away }),
        4 => Just(AgentWish::Next),
        1 => any::<bool>().prop_map(|focus| AgentWish::SetFocus { focus }),
        1 => prop::bool::weighted(0.3).prop_map(|open| AgentWish::SetSettingsPage { open }),
        1 => Just(AgentWish::StayActive),
        1 => prop::option::of(prop::sample::subsequence(INBOXES.to_vec(), 0..=2)).prop_map(|names| {
            let inbox_ids = names.map(|names| names.into_iter().map(inbox).collect());
            AgentWish::SetInboxes { inbox_ids }
        }),
        1 => Just(AgentWish::Deactivate),
        2 => Just(AgentWish::Reactivate),
        1 => (0..7_u8, -2..3_i32).prop_map(|(id, priority_score)| AgentWish::Prioritize {
            conversation_id: conversation(&format!("c{id}")),
            priority_score,
        }),
        1 => (0..7_u8, 0..99_u64).prop_map(|(id, ms)| AgentWish::See {
            conversation_id: conversation(&format!("c{id}")),
            seen_at: Timestamp::from_ms(ms),
        }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let who = || 0..AGENTS.len();
    let due = || prop::option::weighted(0.8, any::<u8>());
    let reason = prop::sample::select(vec![
        AssignReason::ContactInbound,
        AssignReason::MessageOutbound,
        AssignReason::Manual,
    ]);
    let spans = vec![1, 500, 15_000, 15_001, 30_000, 30_001, 300_001];
    prop_oneof![
        8 => (name(), prop::sample::select(INBOXES.to_vec()), due(), prop::option::of(who()))
            .prop_map(|(name, inbox, due, previous)| Op::Enqueue { name, inbox, due, previous }),
        3 => (name(), due()).prop_map(|(name, due)| Op::Update { name, due }),
        2 => (name(), who(), reason).prop_map(|(name, to, reason)| Op::Assign { name, to, reason }),
        3 => name().prop_map(|name| Op::Withdraw { name }),
        8 => (who(), wish()).prop_map(|(who, wish)| Op::Wish { who, wish }),
        6 => who().prop_map(|who| Op::Accept { who }),
        3 => who().prop_map(|who| Op::Decline { who }),
        5 => prop::sample::select(spans).prop_map(|ms| Op::Wait { ms }),
        1 => (1..5_u32).prop_map(|slots| Op::Standard { slots }),
    ]
}

fn due_at(due: Option<u8>) -> Option<Timestamp> {
    due.map(|due| Timestamp::from_ms(super::world::START_MS + u64::from(due) * 1_000))
}

/// Plays one op; says it in words.
fn play(world: &mut World, op: &Op) -> Vec<String> {
    match op {
        Op::Enqueue { name, inbox: into, due, previous } => {
            let mut ask = super::world::enqueue_ask(due_at(*due), world.now());
            if let RoutingAsk::Enqueue { previous_agent_id, inbox_id, .. } = &mut ask {
                *inbox_id = inbox(into);
                *previous_agent_id = previous.map(|who| agent(AGENTS[who]));
            }
            world.ask(name, ask)
        }
        Op::Update { name, due } => world.update(name, due_at(*due)),
        Op::Assign { name, to, reason } => world.assign(name, AGENTS[*to], *reason),
        Op::Withdraw { name } => world.ask(name, RoutingAsk::Withdraw),
        Op::Wish { who, wish } => world.wish(AGENTS[*who], wish.clone()),
        Op::Accept { who } => world.accept(AGENTS[*who]),
        Op::Decline { who } => world.decline(AGENTS[*who]),
        Op::Wait { ms } => {
            world.at_ms += ms;
            Vec::new()
        }
        Op::Standard { slots } => {
            world.settings.standard_capacity = *slots;
            Vec::new()
        }
    }
}

fn world_of(pauses: bool, offers: bool) -> World {
    World::with(|s| {
        s.after_reject = if pauses { AfterReject::PauseUntilNext } else { AfterReject::DelayOnly };
        s.inbound_assignment = offers;
        s.idle_away_ms = offers.then_some(60_000);
        s.idle_logout_ms = pauses.then_some(120_000);
    })
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    // Holds
    #[test]
    fn the_books_agree_whatever_happens(ops in ops(), pauses: bool, offers in prop::bool::weighted(0.9)) {
        let mut world = world_of(pauses, offers);
        let mut ledger = Ledger::default();
        for op in ops {
            // Timers first and apart, so that the book knows which came before the op.
            world.tick();
            ledger.book(&world, None);
            let withdrawn =
                if let Op::Withdraw { name } = &op { Some(conversation(&name[..2])) } else { None };
            let known = |world: &World| {
                withdrawn.as_ref().and_then(|id| world.pool.conversation(id)).map(|row| row.contact_id.clone())
            };
            let contact_before = known(&world);
            let is_granted = if let Op::Wish { who, wish: AgentWish::Next } = &op {
                Some(agent(AGENTS[*who]))
            } else {
                None
            };
            let out_before = withdrawn.as_ref().is_some_and(|id| ledger.is_out(id));
            world.answers.clear();
            let said = play(&mut world, &op);
            let gone = withdrawn.filter(|_| contact_before.is_some() && !said.iter().any(|s| s.starts_with("skipped")));
            if let Some(gone) = gone.as_ref().filter(|_| !out_before) {
                ledger.strike(gone);
            }
            if let Some(granted) = is_granted.filter(|_| said.iter().any(|s| s == "done")) {
                ledger.granted.insert(granted);
            }
            ledger.book(&world, gone.as_ref());
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_words_and_rows_also_when_reloaded_before_each(ops in ops(), pauses: bool, offers: bool) {
        let (mut one, mut other) = (world_of(pauses, offers), world_of(pauses, offers));
        for op in ops {
            other.pool = other.reloaded();
            one.effects.clear();
            other.effects.clear();
            play(&mut one, &op);
            play(&mut other, &op);
            prop_assert_eq!(&one.effects, &other.effects);
            prop_assert_eq!(&one.rows, &other.rows);
        }
    }

    // Holds
    #[test]
    fn in_the_end_everybody_is_served(ops in ops(), pauses: bool) {
        let mut world = world_of(pauses, true);
        for op in ops {
            play(&mut world, &op);
        }
        world.settings.standard_capacity = 99;
        world.settings.maximum_capacity = 99;
        for who in AGENTS {
            world.wish(who, AgentWish::Reactivate);
            world.wish(who, AgentWish::SetInboxes { inbox_ids: None });
        }
        world.start(&AGENTS);
        for _ in 0..20 {
            world.after(15_001).tick();
            for who in AGENTS {
                world.wish(who, AgentWish::SetFocus { focus: false });
                world.wish(who, AgentWish::SetSettingsPage { open: false });
                world.wish(who, AgentWish::SetAway { away: false });
                world.wish(who, AgentWish::SetAvailability { available: true });
                world.wish(who, AgentWish::Next);
                world.accept(who);
            }
        }
        prop_assert_eq!(world.pool.queued(), 0);
        let is_held = |row: &ConversationRow| matches!(row.place, Place::Held { .. });
        prop_assert!(world.pool.conversations.values().all(is_held));
    }
}
