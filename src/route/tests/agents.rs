//! agents come, go, and ask for more.

use super::world::{World, agent};
use crate::domain::command::AgentWish;
use crate::domain::routing::{AssignReason, RoutingAsk};

const LOG_OUT: AgentWish = AgentWish::LogOut;
const NEXT: AgentWish = AgentWish::Next;

fn available(available: bool) -> AgentWish {
    AgentWish::SetAvailability { available }
}

fn away(away: bool) -> AgentWish {
    AgentWish::SetAway { away }
}

// Holds: R-104
#[test]
fn only_an_agent_who_is_there_available_and_free_is_offered_something() {
    check(&[], true);
    check(&[available(false)], false);
    check(&[away(true)], false);
    check(&[away(true), away(false)], true);
    check(&[LOG_OUT], false);
    check(&[LOG_OUT, AgentWish::LogIn], false);
    check(&[LOG_OUT, AgentWish::LogIn, available(true)], true);

    #[track_caller]
    fn check(wishes: &[AgentWish], is_offered: bool) {
        let mut world = World::new();
        world.start(&["ana"]);
        for wish in wishes {
            assert_eq!(world.wish("ana", wish.clone()), ["done"]);
        }
        let said = world.enqueue("c1");
        assert_eq!(said.len() == 2, is_offered, "{wishes:?}: {said:?}");
    }
}

#[test]
fn an_agent_who_is_not_logged_in_can_do_nothing_but_log_in() {
    for wish in [LOG_OUT, available(true), away(true), NEXT] {
        assert_eq!(World::new().wish("ana", wish.clone()), ["refused NotLoggedIn"], "{wish:?}");
    }
    assert_eq!(World::new().accept("ana"), ["refused NotLoggedIn"]);
    assert_eq!(World::new().decline("ana"), ["refused NotLoggedIn"]);
    assert_eq!(World::new().wish("ana", AgentWish::LogIn), ["done"]);
}

// Holds
#[test]
fn automatic_offers_stop_at_the_standard_capacity_and_next_stops_at_the_maximum() {
    let mut world = World::with(|s| s.routing_delay_ms = 0);
    world.start(&["ana"]);
    for name in ["c1", "c2", "c3"] {
        assert_eq!(world.enqueue(name).len(), 2, "{name}");
        world.accept("ana");
    }
    assert_eq!(world.enqueue("c4"), ["c4 queued"], "three is standard");
    assert_eq!(world.enqueue("c5"), ["c5 queued"]);
    assert_eq!(world.wish("ana", NEXT), ["done", "c4 offered ana round 1"]);
    assert_eq!(world.accept("ana"), ["c4 accepted ana", "done"], "one Next, one slot");
    assert_eq!(world.wish("ana", NEXT), ["done", "c5 offered ana round 1"]);
    assert_eq!(world.wish("ana", NEXT), ["refused AtMaximum"], "the offer counts (R-106)");
    world.accept("ana");
    assert_eq!(world.wish("ana", NEXT), ["refused AtMaximum"], "five is the maximum");
}

// Holds: R-109
#[test]
fn the_end_of_a_contact_frees_its_slot() {
    let mut world = World::with(|s| s.routing_delay_ms = 0);
    world.start(&["ana"]);
    world.hold("ana", &["c1", "c2", "c3"]);
    world.enqueue("c4");
    assert_eq!(world.ask("c2", RoutingAsk::Withdraw), ["c4 offered ana round 1"]);
}

// Holds
#[test]
fn direct_assignment_ignores_capacity_and_automatic_routing_resumes_below_standard() {
    let mut world = World::with(|s| s.routing_delay_ms = 0);
    world.start(&["ana"]);
    let names = ["c1", "c2", "c3", "c4", "c5", "c6", "c7"];
    for name in names {
        let said = world.assign(name, "ana", AssignReason::ContactInbound);
        assert_eq!(said, [format!("{name} assigned ana ContactInbound")]);
    }
    world.enqueue("d1");
    for name in &names[..4] {
        assert_eq!(world.ask(name, RoutingAsk::Withdraw), [""; 0], "{name}: still at standard");
    }
    assert_eq!(world.ask("c5", RoutingAsk::Withdraw), ["d1 offered ana round 1"]);
}

// Holds
#[test]
fn next_needs_availability_and_a_refused_one_changes_nothing() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.wish("ana", available(false));
    assert_eq!(world.wish("ana", NEXT), ["refused NotAvailable"]);
    world.wish("ana", available(true));
    world.wish("ana", away(true));
    assert_eq!(world.wish("ana", NEXT), ["refused NotAvailable"]);
}

// Holds: R-125
#[test]
fn an_extra_slot_is_used_up_by_the_next_offer_whatever_its_answer() {
    let mut world = World::with(|s| s.routing_delay_ms = 0);
    world.start(&["ana"]);
    world.hold("ana", &["c1", "c2", "c3"]);
    assert_eq!(world.wish("ana", NEXT), ["done"], "nobody waits yet: the slot is kept");
    assert_eq!(world.wish("ana", NEXT), ["done"], "and is one slot");
    assert_eq!(world.enqueue("c4"), ["c4 queued", "c4 offered ana round 1"]);
    assert_eq!(world.decline("ana"), ["c4 rejected ana Declined", "c4 queued", "done"]);
    world.wish("ana", available(false));
    assert_eq!(world.wish("ana", available(true)), ["done"], "no pause, but no slot either");
}

// Holds: R-125
#[test]
fn an_extra_slot_is_lost_when_the_agent_becomes_unavailable() {
    check(&[available(false), available(true)]);
    check(&[away(true), away(false)]);
    check(&[LOG_OUT, AgentWish::LogIn, available(true)]);

    #[track_caller]
    fn check(wishes: &[AgentWish]) {
        let mut world = World::new();
        world.start(&["ana"]);
        world.hold("ana", &["c1", "c2", "c3"]);
        world.wish("ana", NEXT);
        for wish in wishes {
            world.wish("ana", wish.clone());
        }
        assert_eq!(world.enqueue("c4"), ["c4 queued"], "{wishes:?}");
    }
}

// Holds: R-128
#[test]
fn waiting_customers_of_an_absent_agent_are_queued_again_after_the_grace() {
    check(away(true), 5 * 60_000);
    check(LOG_OUT, 0);

    #[track_caller]
    fn check(leaving: AgentWish, grace_ms: u64) {
        let mut world = World::new();
        world.start(&["ana", "ben"]);
        world.enqueue("c1");
        world.accept("ana");
        world.wish("ana", leaving);
        assert_eq!(world.after(grace_ms).tick(), [""; 0], "not yet");
        assert_eq!(
            world.after(1).tick(),
            ["c1 unassigned ana", "c1 queued", "c1 offered ben round 1"]
        );
    }
}

// Holds: R-128
#[test]
fn answered_ones_stay_until_the_customer_writes() {
    let mut world = World::new();
    world.start(&["ana", "ben"]);
    world.enqueue("c1");
    world.accept("ana");
    world.update("c1", None);
    world.wish("ana", away(true));
    assert_eq!(world.after(3_600_000).tick(), [""; 0], "answered");
    let due = Some(world.now().plus_ms(3_600_000));
    world.update("c1", due);
    assert_eq!(world.after(5 * 60_000).tick(), [""; 0], "the grace runs from the question");
    assert_eq!(world.after(1).tick(), ["c1 unassigned ana", "c1 queued", "c1 offered ben round 1"]);
}

// Holds: R-128
#[test]
fn coming_back_or_an_answer_cancels_the_grace() {
    for cancel in ["back", "answer", "end"] {
        let mut world = World::new();
        world.start(&["ana", "ben"]);
        world.enqueue("c1");
        world.accept("ana");
        world.wish("ana", away(true));
        world.after(5 * 60_000);
        match cancel {
            "back" => world.wish("ana", away(false)),
            "answer" => world.update("c1", None),
            _ => world.ask("c1", RoutingAsk::Withdraw),
        };
        assert_eq!(world.after(3_600_000).tick(), [""; 0], "{cancel}");
    }
}

// Holds: R-128
#[test]
fn a_conversation_queued_again_keeps_its_due_date_and_age() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.enqueue("c1");
    world.accept("ana");
    world.after(1_000);
    world.enqueue("c2");
    world.wish("ana", LOG_OUT);
    world.after(1).tick();
    world.start(&["ben"]);
    assert_eq!(world.offer_of("ben"), world.pool.offer_id(world.pool.company.decisions));
    assert!(world.shown("ben").unwrap().offer.as_ref().unwrap().conversation_id.as_str() == "c1");
}

// Holds: R-4
#[test]
fn a_running_grace_keeps_its_deadline_when_the_setting_changes() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.enqueue("c1");
    world.accept("ana");
    world.wish("ana", away(true));
    world.settings.requeue_grace_away_ms = 3_600_000;
    let due = Some(world.now().plus_ms(1));
    world.update("c1", due);
    assert_eq!(world.after(5 * 60_000 + 1).tick(), ["c1 unassigned ana", "c1 queued"]);
}

#[test]
fn the_same_command_twice_acts_and_answers_once() {
    let mut world = World::new();
    world.wish_as("x", "ana", AgentWish::LogIn);
    assert_eq!(world.wish_as("y", "ana", available(true)), ["done"]);
    assert_eq!(world.wish_as("z", "ana", available(false)), ["done"]);
    assert_eq!(world.wish_as("y", "ana", available(true)), ["skipped duplicate"]);
    assert_eq!(world.enqueue("c1"), ["c1 queued"], "still off");
    for n in 0..40 {
        world.wish_as(&format!("n{n}"), "ana", NEXT);
    }
    assert_eq!(world.wish_as("y", "ana", available(true)).len(), 2, "beyond 32 it is forgotten");
}

// Holds: R-26
#[test]
fn an_agent_is_shown_when_and_only_when_they_look_different() {
    let mut world = World::new();
    world.wish("ana", AgentWish::LogIn);
    assert!(world.shown("ana").is_some_and(|ana| ana.logged_in && !ana.available));
    world.wish("ana", available(true));
    assert!(world.shown("ana").is_some_and(|ana| ana.available));
    world.wish("ana", available(true));
    assert!(world.shown("ana").is_none(), "nothing changed");
    world.enqueue("c1");
    assert!(world.shown("ana").is_some_and(|ana| ana.offer.is_some()));
    world.update("c1", None);
    assert_eq!(world.shown("ana").unwrap().offer.as_ref().unwrap().preview, "more", "R-26");
    world.accept("ana");
    assert!(world.shown("ana").is_some_and(|ana| ana.offer.is_none() && ana.held.len() == 1));
    world.update("c1", None);
    assert!(world.shown("ana").is_none(), "a held conversation's due date is not shown");
}

// Holds
#[test]
fn a_slot_by_next_that_returns_filled_up_is_no_slot_beyond_the_maximum() {
    let mut world = World::with(|s| s.routing_delay_ms = 0);
    world.start(&["ana"]);
    world.hold("ana", &["c1", "c2", "c3"]);
    world.wish("ana", NEXT);
    world.hold("ana", &["c4", "c5"]);
    assert_eq!(world.enqueue("c6"), ["c6 queued"]);
    assert_eq!(world.ask("c5", RoutingAsk::Withdraw), ["c6 offered ana round 1"]);
}

#[test]
fn an_offer_id_fits_whatever_the_company_is_called() {
    let company = crate::domain::id::CompanyId::parse(&"c".repeat(64)).unwrap();
    let offer = crate::route::pool::Pool::empty(company).offer_id(u64::MAX);
    assert_eq!(offer.as_str().len(), 88);
}

// Holds
#[test]
fn next_closes_nothing_and_takes_nothing_away() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.hold("ana", &["c1", "c2"]);
    world.enqueue("c3");
    let said = world.wish("ana", AgentWish::Next);
    assert!(!said.iter().any(|said| said.starts_with("c1") || said.starts_with("c2")), "{said:?}");
    let held = world.pool.agent(&agent("ana")).map(|agent| agent.held.len());
    assert_eq!(held, Some(2));
}
