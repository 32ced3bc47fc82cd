//! offers and how they end.

use super::world::World;
use crate::domain::command::AgentWish;
use crate::domain::routing::AssignReason;
use crate::domain::settings::AfterReject;
use crate::route::decide::{Input, decide};

// Holds: R-111
#[test]
fn an_offer_shows_name_and_preview_and_the_preview_can_be_hidden() {
    check(true, "hello");
    check(false, "");

    #[track_caller]
    fn check(notification_preview: bool, expected: &str) {
        let mut world = World::with(|s| s.notification_preview = notification_preview);
        world.start(&["ana"]);
        world.enqueue("c1");
        let offer = world.shown("ana").unwrap().offer.clone().unwrap();
        assert_eq!((offer.customer_name.as_str(), offer.preview.as_str()), ("Kim", expected));
        assert_eq!(offer.expires_at.as_ms(), super::world::START_MS + 30_000);
        assert_eq!(offer.conversation_id.as_str(), "c1");
    }
}

// Holds: R-112
#[test]
fn one_offer_at_a_time_for_an_agent_and_for_a_conversation() {
    let mut world = World::new();
    world.start(&["ana", "ben"]);
    assert_eq!(world.enqueue("c1"), ["c1 queued", "c1 offered ana round 1"]);
    assert_eq!(world.enqueue("c2"), ["c2 queued", "c2 offered ben round 1"]);
    assert_eq!(world.enqueue("c3"), ["c3 queued"]);
}

// Holds: R-113
#[test]
fn an_accept_within_thirty_seconds_wins_and_later_is_expired() {
    check(0, &["done", "c1 accepted ana"]);
    check(29_999, &["done", "c1 accepted ana"]);
    check(30_000, &["done", "c1 accepted ana"]);
    check(30_001, &["c1 rejected ana Missed", "c1 queued", "refused OfferExpired"]);

    #[track_caller]
    fn check(after_ms: u64, expected: &[&str]) {
        let mut world = World::new();
        world.start(&["ana"]);
        world.enqueue("c1");
        let mut said = world.after(after_ms).accept("ana");
        said.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(said, expected, "after {after_ms} ms");
    }
}

// Holds: R-113
#[test]
fn an_accept_of_another_offer_or_a_rescinded_one_is_expired() {
    let mut world = World::new();
    world.start(&["ana", "ben"]);
    world.enqueue("c1");
    let offer_id = world.offer_of("ana");
    assert_eq!(
        world.wish("ben", AgentWish::Accept { offer_id: offer_id.clone() }),
        ["refused OfferExpired"]
    );
    world.assign("c1", "ben", AssignReason::Manual);
    assert_eq!(world.wish("ana", AgentWish::Accept { offer_id }), ["refused OfferExpired"]);
}

// Holds: R-114
#[test]
fn silence_is_a_miss_only_after_thirty_seconds_and_goes_to_another_agent() {
    let mut world = World::new();
    world.start(&["ana", "ben"]);
    world.enqueue("c1");
    assert_eq!(world.after(30_000).tick(), [""; 0]);
    assert_eq!(
        world.after(1).tick(),
        ["c1 rejected ana Missed", "c1 queued", "c1 offered ben round 1"]
    );
    assert!(world.shown("ana").unwrap().paused_until_next);
}

// Holds: R-115
#[test]
fn a_decline_takes_effect_at_once() {
    let mut world = World::new();
    world.start(&["ana", "ben"]);
    world.enqueue("c1");
    assert_eq!(
        world.decline("ana"),
        ["c1 rejected ana Declined", "c1 queued", "done", "c1 offered ben round 1"]
    );
}

// Holds: R-116
#[test]
fn after_a_decline_or_miss_nothing_until_next_or_a_new_toggle() {
    check(AgentWish::Next, &["done", "c2 offered ana round 1"]);
    check(AgentWish::SetAvailability { available: true }, &["done"]);
    check(AgentWish::SetAvailability { available: false }, &["done"]);
    check(AgentWish::LogIn, &["done"]);

    #[track_caller]
    fn check(wish: AgentWish, expected: &[&str]) {
        let mut world = World::new();
        world.start(&["ana"]);
        world.enqueue("c1");
        world.decline("ana");
        world.ask("c1", crate::domain::routing::RoutingAsk::Withdraw);
        assert_eq!(world.enqueue("c2"), ["c2 queued"]);
        assert_eq!(world.wish("ana", wish), expected);
    }
}

// Holds: R-116
#[test]
fn switching_off_and_on_ends_the_pause_and_returns_still_arrive_in_it() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.enqueue("c1");
    world.decline("ana");
    assert_eq!(
        world.assign("c2", "ana", AssignReason::ContactInbound),
        ["c2 assigned ana ContactInbound"]
    );
    world.wish("ana", AgentWish::SetAvailability { available: false });
    assert_eq!(
        world.wish("ana", AgentWish::SetAvailability { available: true }),
        ["done", "c1 offered ana round 2"]
    );
}

// Holds: R-116
#[test]
fn with_delay_only_a_decline_costs_the_routing_delay() {
    let mut world = World::with(|s| s.after_reject = AfterReject::DelayOnly);
    world.start(&["ana"]);
    world.enqueue("c1");
    assert_eq!(world.decline("ana"), ["c1 rejected ana Declined", "c1 queued", "done"]);
    assert_eq!(world.after(15_000).tick(), [""; 0]);
    assert_eq!(world.after(1).tick(), ["c1 offered ana round 2"]);
}

// Holds: R-117
#[test]
fn an_accept_or_an_end_is_followed_by_a_pause_which_next_skips() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.enqueue("c1");
    world.accept("ana");
    assert_eq!(world.enqueue("c2"), ["c2 queued"]);
    assert_eq!(world.after(15_000).tick(), [""; 0]);
    assert_eq!(world.after(1).tick(), ["c2 offered ana round 1"]);
    world.accept("ana");
    world.enqueue("c3");
    assert_eq!(world.wish("ana", AgentWish::Next), ["done", "c3 offered ana round 1"]);
    world.decline("ana");
    world.wish("ana", AgentWish::Next);
    world.accept("ana");
    world.after(20_000).tick();
    world.ask("c1", crate::domain::routing::RoutingAsk::Withdraw);
    assert_eq!(world.enqueue("c4"), ["c4 queued"], "an end pauses too");
}

// Holds: R-118
#[test]
fn who_rejected_it_is_not_asked_again_until_everybody_has() {
    let mut world = World::new();
    world.start(&["ana", "ben"]);
    world.enqueue("c1");
    world.decline("ana");
    assert_eq!(
        world.wish("ana", AgentWish::Next),
        ["done"],
        "ben has it on the banner: ana is not asked"
    );
    assert_eq!(
        world.decline("ben"),
        ["c1 rejected ben Declined", "c1 queued", "done", "c1 offered ana round 2"]
    );
}

// Holds: R-119
#[test]
fn what_is_no_fault_of_the_agents_rescinds_without_a_pause() {
    check("away", &["c1 rescinded ana", "c1 queued", "done"]);
    check("logout", &["c1 rescinded ana", "c1 queued", "done"]);
    check("withdraw", &["c1 rescinded ana Manual"]);
    check("manual", &["c1 rescinded ana Manual", "c1 assigned ben Manual"]);
    check("reply", &["c1 rescinded ana Manual", "c1 assigned ben MessageOutbound"]);

    #[track_caller]
    fn check(how: &str, expected: &[&str]) {
        let mut world = World::new();
        world.start(&["ana"]);
        world.wish("ben", AgentWish::LogIn);
        world.enqueue("c1");
        let said = match how {
            "away" => world.wish("ana", AgentWish::SetAway { away: true }),
            "logout" => world.wish("ana", AgentWish::LogOut),
            "withdraw" => world.ask("c1", crate::domain::routing::RoutingAsk::Withdraw),
            "manual" => world.assign("c1", "ben", AssignReason::Manual),
            _ => world.assign("c1", "ben", AssignReason::MessageOutbound),
        };
        assert_eq!(said, expected, "{how}");
        assert!(!world.shown("ana").unwrap().paused_until_next, "{how}");
    }
}

// Holds: R-130
#[test]
fn with_offers_off_conversations_are_assigned_straight_inside_the_standard_capacity() {
    let mut world = World::with(|s| {
        s.inbound_assignment = false;
        s.routing_delay_ms = 0;
        s.standard_capacity = 2;
    });
    world.start(&["ana"]);
    assert_eq!(world.enqueue("c1"), ["c1 queued", "c1 assigned ana AutomatedAssignment"]);
    assert_eq!(world.enqueue("c2"), ["c2 queued", "c2 assigned ana AutomatedAssignment"]);
    assert_eq!(world.enqueue("c3"), ["c3 queued"]);
    assert_eq!(world.wish("ana", AgentWish::Next), ["done", "c3 assigned ana AutomatedAssignment"]);
}

#[test]
fn after_an_outage_an_offer_stands_its_full_time_from_when_it_is_made() {
    let mut world = World::new();
    world.start(&["ana"]);
    let asked_at = world.now();
    let now = world.after(600_000).now();
    let request = super::world::request("c1", super::world::enqueue_ask(None, asked_at), asked_at);
    // What was written ten minutes ago is read now: first the record, then the timers.
    let input = Input::Request { request: &request, trace: None };
    let read = decide(&mut world.pool, input, &world.settings, asked_at);
    assert_eq!(read.effects.len(), 1, "queued, and nobody is bothered yet");
    assert!(world.pool.next_due().is_some_and(|due| due < asked_at), "due at once");
    assert_eq!(world.tick(), ["c1 offered ana round 1"]);
    let offer = world.shown("ana").unwrap().offer.clone().unwrap();
    assert_eq!(offer.expires_at, now.plus_ms(30_000));
}
