//! what conversations ask, in and out of order.

use super::world::{World, agent, conversation};
use crate::domain::command::AgentWish;
use crate::domain::routing::{AssignReason, RoutingAsk};

const WITHDRAW: RoutingAsk = RoutingAsk::Withdraw;

// Holds: R-120
#[test]
fn a_return_goes_straight_to_an_agent_who_is_there_and_else_to_the_queue() {
    check(&[], &["c1 assigned ana ContactInbound"]);
    check(&[AgentWish::SetAvailability { available: false }], &["c1 assigned ana ContactInbound"]);
    check(&[AgentWish::SetAway { away: true }], &["c1 queued"]);
    check(&[AgentWish::LogOut], &["c1 queued"]);

    #[track_caller]
    fn check(wishes: &[AgentWish], expected: &[&str]) {
        let mut world = World::new();
        world.start(&["ana"]);
        for wish in wishes {
            world.wish("ana", wish.clone());
        }
        assert_eq!(world.assign("c1", "ana", AssignReason::ContactInbound), expected);
    }
}

// Holds: R-120
#[test]
fn to_an_agent_never_seen_is_to_the_queue() {
    let mut world = World::new();
    assert_eq!(world.assign("c1", "zoe", AssignReason::ContactInbound), ["c1 queued"]);
}

// Holds
#[test]
fn a_reply_takes_an_unassigned_conversation_and_never_an_assigned_one() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.enqueue("c1");
    let reply = AssignReason::MessageOutbound;
    assert_eq!(
        world.assign("c1", "ben", reply),
        ["c1 rescinded ana Manual", "c1 assigned ben MessageOutbound"]
    );
    assert_eq!(world.assign("c1", "ana", reply), ["skipped already_assigned"]);
    assert_eq!(
        world.assign("c1#2", "ana", reply),
        ["c1 assigned ana MessageOutbound"],
        "a newer contact begins with whoever replies (R-36)"
    );
}

// Holds: R-108
#[test]
fn by_hand_moves_an_assigned_conversation_and_one_holder_remains() {
    let mut world = World::new();
    world.start(&["ana", "ben"]);
    world.hold("ana", &["c1"]);
    assert_eq!(world.assign("c1", "ben", AssignReason::Manual), ["c1 assigned ben Manual"]);
    assert_eq!(world.assign("c1", "ben", AssignReason::Manual), ["skipped already_assigned"]);
    let held = |world: &World, who| world.pool.agent(&agent(who)).unwrap().used();
    assert_eq!((held(&world, "ana"), held(&world, "ben")), (0, 1));
}

#[test]
fn a_waiting_customer_given_by_hand_to_an_absent_agent_is_not_forgotten() {
    let mut world = World::new();
    world.enqueue("c1");
    assert_eq!(world.assign("c1", "zoe", AssignReason::Manual), ["c1 assigned zoe Manual"]);
    assert_eq!(world.after(1).tick(), ["c1 unassigned zoe", "c1 queued"]);
    assert_eq!(world.pool.queued(), 1);
}

#[test]
fn a_request_about_an_older_contact_is_stale() {
    for ask in [WITHDRAW, RoutingAsk::Update { due_at: None, preview: String::new() }] {
        let mut world = World::new();
        world.enqueue("c1#10");
        assert_eq!(world.ask("c1#9", ask.clone()), ["skipped stale"]);
        assert_ne!(world.ask("c1#10", ask), ["skipped stale"]);
    }
    let mut world = World::new();
    world.enqueue("c1#10");
    assert_eq!(world.enqueue("c1#9"), ["skipped stale"]);
    assert_eq!(world.assign("c1#9", "ana", AssignReason::Manual), ["skipped stale"]);
}

#[test]
fn what_is_unknown_is_skipped() {
    let mut world = World::new();
    assert_eq!(world.ask("c1", WITHDRAW), ["skipped unknown_conversation"]);
    assert_eq!(world.update("c1", None), ["skipped unknown_conversation"]);
    assert_eq!(world.rows.len(), 0);
}

#[test]
fn a_newer_contact_replaces_the_one_known_wherever_it_is() {
    let mut world = World::with(|s| s.routing_delay_ms = 0);
    assert_eq!(world.enqueue("c1"), ["c1 queued"]);
    assert_eq!(world.enqueue("c1#2"), ["c1 queued"], "queued");
    world.start(&["ana"]);
    assert_eq!(
        world.enqueue("c1#3"),
        ["c1 rescinded ana", "c1 queued", "c1 offered ana round 1"],
        "outstanding"
    );
    world.accept("ana");
    assert_eq!(
        world.enqueue("c1#4"),
        ["c1 unassigned ana", "c1 queued", "c1 offered ana round 1"],
        "held"
    );
    assert_eq!(world.pool.queued(), 0);
}

// Holds: R-103
#[test]
fn the_same_contact_again_is_no_second_place_in_the_queue() {
    let mut world = World::new();
    world.enqueue("c1");
    assert_eq!(world.enqueue("c1"), [""; 0]);
    world.start(&["ana"]);
    world.after(10_000);
    assert_eq!(world.enqueue("c1"), [""; 0], "outstanding: the offer stands");
    assert_eq!(world.after(20_000).accept("ana"), ["c1 accepted ana", "done"], "its deadline too");
    assert_eq!(world.enqueue("c1"), ["skipped already_assigned"]);
}

// Holds: R-109
#[test]
fn a_withdrawn_conversation_leaves_no_row() {
    let mut world = World::new();
    world.start(&["ana"]);
    let before = world.rows.len();
    for held in [false, true] {
        world.enqueue("c1");
        if held {
            world.accept("ana");
        }
        world.ask("c1", WITHDRAW);
        assert_eq!(world.rows.len(), before, "held: {held}");
        assert_eq!(world.pool.conversation(&conversation("c1")), None);
    }
}

// Holds: R-111
#[test]
fn names_and_previews_are_cut_to_their_bounds_by_code_points() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.enqueue("c1");
    world.ask("c1", RoutingAsk::Update { due_at: None, preview: "ü".repeat(200) });
    let offer = world.shown("ana").unwrap().offer.clone().unwrap();
    assert_eq!(offer.preview, "ü".repeat(80));
}
