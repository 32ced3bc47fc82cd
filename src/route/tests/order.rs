//! who is next, on both sides of the desk; and what a change costs.

use proptest::prelude::*;

use super::world::{World, agent};
use crate::domain::command::AgentWish;
use crate::domain::routing::{AssignReason, RoutingAsk};
use crate::domain::time::Timestamp;

// Holds: R-126
#[test]
fn earlier_due_first_then_the_older_then_by_id_and_without_due_date_last() {
    let mut world = World::new();
    let due = |ms: u64| Some(Timestamp::from_ms(ms));
    // name, due, seconds after the start at which it begins to wait
    for (name, due_at, second) in [
        ("nodue-old", None, 0),
        ("late", due(2_000), 1),
        ("b", due(1_000), 2),
        ("a", due(1_000), 2),
        ("young", due(1_000), 3),
        ("nodue-young", None, 4),
        ("overdue", due(1), 5),
    ] {
        world.at_ms = second * 1_000;
        world.enqueue_due(name, due_at);
    }
    let expected = ["overdue", "a", "b", "young", "late", "nodue-old", "nodue-young"];
    for (number, name) in expected.into_iter().enumerate() {
        let who = format!("agent-{number}");
        world.wish(&who, AgentWish::LogIn);
        let said = world.wish(&who, AgentWish::SetAvailability { available: true });
        assert_eq!(said, ["done".to_owned(), format!("{name} offered {who} round 1")]);
    }
}

// Holds: R-26
#[test]
fn a_new_due_date_moves_a_waiting_conversation() {
    let mut world = World::new();
    world.enqueue_due("c1", Some(Timestamp::from_ms(1)));
    world.enqueue_due("c2", Some(Timestamp::from_ms(2)));
    world.update("c1", Some(Timestamp::from_ms(3)));
    world.wish("ana", AgentWish::LogIn);
    let said = world.wish("ana", AgentWish::SetAvailability { available: true });
    assert_eq!(said, ["done", "c2 offered ana round 1"]);
}

// Holds: R-105
#[test]
fn fewest_open_first_then_longest_without_then_by_id() {
    let mut world = World::new();
    world.start(&["ana", "ben", "cem"]);
    world.hold("ana", &["x1"]);
    assert_eq!(world.enqueue("c1"), ["c1 queued", "c1 offered ben round 1"], "by id");
    world.after(1).ask("c1", RoutingAsk::Withdraw);
    assert_eq!(world.enqueue("c2"), ["c2 queued", "c2 offered cem round 1"], "longest without");
    world.after(1).ask("c2", RoutingAsk::Withdraw);
    assert_eq!(world.enqueue("c3"), ["c3 queued", "c3 offered ben round 1"], "then ben again");
    world.enqueue("c4");
    assert_eq!(world.enqueue("c5"), ["c5 queued", "c5 offered ana round 1"], "most open last");
}

// Holds
#[test]
fn the_previous_agent_only_breaks_a_tie_of_load() {
    check(&[], "cem");
    check(&["x1"], "ana");

    #[track_caller]
    fn check(held_by_cem: &[&str], expected: &str) {
        let mut world = World::new();
        world.start(&["ana", "ben", "cem"]);
        world.hold("cem", held_by_cem);
        let now = world.now();
        let mut ask = super::world::enqueue_ask(None, now);
        if let RoutingAsk::Enqueue { previous_agent_id, .. } = &mut ask {
            *previous_agent_id = Some(agent("cem"));
        }
        let said = world.ask("c1", ask);
        assert_eq!(said, ["c1 queued".to_owned(), format!("c1 offered {expected} round 1")]);
    }
}

// Holds: R-127
#[test]
fn whatever_lets_something_match_tries_the_queue() {
    check("login", |world| {
        world.start(&["ben"]);
        world.offer_of("ben").as_str() != "of-none"
    });
    check("slot freed", |world| world.ask("h1", RoutingAsk::Withdraw).len() == 1);
    check("moved away", |world| world.assign("h1", "zoe", AssignReason::Manual).len() == 2);
    check("next", |world| world.wish("ana", AgentWish::Next).len() == 2);
    check("settings", |world| {
        world.settings.standard_capacity = 4;
        world.tick().len() == 1
    });

    #[track_caller]
    fn check(what: &str, is_matched: impl FnOnce(&mut World) -> bool) {
        let mut world = World::with(|s| s.routing_delay_ms = 0);
        world.start(&["ana"]);
        world.hold("ana", &["h1", "h2", "h3"]);
        assert_eq!(world.enqueue("c1"), ["c1 queued"]);
        assert!(is_matched(&mut world), "{what}");
    }
}

#[test]
fn among_twenty_thousand_who_wait_a_change_touches_a_handful_of_rows() {
    let mut world = World::with(|s| s.routing_delay_ms = 0);
    for number in 0..20_000_u64 {
        let due = Some(Timestamp::from_ms(number * 7_919 % 20_000));
        world.enqueue_due(&format!("c{number}"), due);
        assert!(world.rows_written.len() <= 2, "company and conversation");
    }
    assert_eq!(world.pool.queued(), 20_000);
    world.start(&["ana"]);
    let check = |world: &World| assert!(world.rows_written.len() <= 4, "{:?}", world.rows_written);
    for _ in 0..3 {
        world.accept("ana");
        check(&world);
    }
    world.update("c777", Some(Timestamp::from_ms(0)));
    check(&world);
    world.ask("c778", RoutingAsk::Withdraw);
    check(&world);
    world.wish("ana", AgentWish::LogOut);
    world.after(1).tick();
    assert!(world.rows_written.len() <= 4, "three come back, and the company counts");
    assert_eq!(world.pool.queued(), 19_999);
    assert_eq!(world.reloaded(), world.pool);
}

proptest! {
    #[test]
    fn the_queue_is_a_total_order_by_rule(waits: Vec<(Option<u8>, u8)>) {
        let mut world = World::new();
        for (number, (due, second)) in waits.iter().enumerate() {
            world.at_ms = u64::from(*second) * 1_000;
            let due = due.map(|due| Timestamp::from_ms(due.into()));
            world.enqueue_due(&format!("c{number:03}"), due);
        }
        let mut expected: Vec<_> = waits.iter().enumerate().collect();
        expected.sort_by_key(|(number, (due, second))| (due.map_or(999, u32::from), *second, *number));
        let expected: Vec<_> = expected.iter().map(|(number, _)| format!("c{number:03}")).collect();
        let queue: Vec<_> = world.pool.queue.iter().map(|(_, key)| key.id.to_string()).collect();
        prop_assert_eq!(queue, expected);
    }
}
