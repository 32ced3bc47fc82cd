//! Focus, the settings page, what was seen, and agents who are deactivated.

use super::world::{World, agent, conversation};
use crate::domain::command::AgentWish;
use crate::domain::routing::AssignReason;
use crate::domain::time::Timestamp;

const fn focus(focus: bool) -> AgentWish {
    AgentWish::SetFocus { focus }
}

const fn settings_page(open: bool) -> AgentWish {
    AgentWish::SetSettingsPage { open }
}

const fn available(available: bool) -> AgentWish {
    AgentWish::SetAvailability { available }
}

// Holds
#[test]
fn nothing_is_routed_in_focus_or_on_the_settings_page_and_leaving_restores_what_was() {
    check(&[focus(true)], false);
    check(&[focus(true), focus(false)], true);
    check(&[available(false), focus(true), focus(false)], false);
    check(&[settings_page(true)], false);
    check(&[settings_page(true), settings_page(false)], true);
    check(&[settings_page(true), focus(true), focus(false)], false);

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

// Holds
#[test]
fn leaving_focus_tries_the_queue_and_both_are_shown() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.wish("ana", focus(true));
    assert!(world.shown("ana").is_some_and(|ana| ana.focus && ana.available));
    world.enqueue("c1");
    assert_eq!(world.wish("ana", focus(false)), ["done", "c1 offered ana round 1"]);
    assert!(world.shown("ana").is_some_and(|ana| !ana.focus));
}

// Holds
#[test]
fn an_offer_stays_on_the_banner_of_whoever_enters_focus() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.enqueue("c1");
    assert_eq!(world.wish("ana", focus(true)), ["done"]);
    assert_eq!(world.accept("ana"), ["c1 accepted ana", "done"]);
}

// Holds
#[test]
fn next_is_refused_in_focus_and_a_return_arrives() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.hold("ana", &["c1", "c2", "c3"]);
    world.wish("ana", AgentWish::Next);
    world.wish("ana", focus(true));
    assert_eq!(world.wish("ana", AgentWish::Next), ["refused NotAvailable"]);
    let said = world.assign("c4", "ana", AssignReason::ContactInbound);
    assert_eq!(said, ["c4 assigned ana ContactInbound"]);
    world.wish("ana", focus(false));
    assert_eq!(world.enqueue("c5"), ["c5 queued"], "the slot by Next is lost");
}

// Holds: R-110
#[test]
fn logging_out_ends_focus_and_the_settings_page() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.wish("ana", focus(true));
    world.wish("ana", settings_page(true));
    world.wish("ana", AgentWish::LogOut);
    assert!(world.shown("ana").is_some_and(|ana| !ana.focus && !ana.on_settings_page));
    world.start(&["ana"]);
    assert_eq!(world.enqueue("c1").len(), 2);
}

// Holds: R-129
#[test]
fn a_deactivated_agent_loses_everything_at_once_and_cannot_log_in() {
    let mut world = World::with(|s| s.routing_delay_ms = 0);
    world.start(&["ana"]);
    world.enqueue("c1");
    world.accept("ana");
    world.hold("ana", &["c2"]);
    world.enqueue("c3");
    let said = world.wish("ana", AgentWish::Deactivate);
    let expected = [
        "c1 unassigned ana UserDeactivation",
        "c1 queued",
        "c2 unassigned ana UserDeactivation",
        "c2 queued",
        "c3 rescinded ana",
        "c3 queued",
        "done",
    ];
    assert_eq!(said, expected, "answered or not");
    assert!(world.shown("ana").is_some_and(|ana| ana.deactivated && !ana.logged_in));
    assert_eq!(world.wish("ana", AgentWish::LogIn), ["refused UserDeactivated"]);
    assert_eq!(world.wish("ana", AgentWish::Next), ["refused NotLoggedIn"]);
    assert_eq!(world.wish("ana", AgentWish::Reactivate), ["done"]);
    world.start(&["ana"]);
    assert!(world.pool.agent(&agent("ana")).unwrap().used() > 0);
}

// Holds: R-129
#[test]
fn nothing_comes_to_a_deactivated_agent() {
    for reason in
        [AssignReason::Manual, AssignReason::MessageOutbound, AssignReason::ContactInbound]
    {
        let mut world = World::new();
        world.wish("ana", AgentWish::Deactivate);
        assert_eq!(world.assign("c1", "ana", reason), ["c1 queued"], "{reason:?}");
        assert_eq!(world.assign("c1", "ana", reason), ["skipped already_queued"], "{reason:?}");
        world.assign("c1", "ben", AssignReason::Manual);
        assert_eq!(world.assign("c1", "ana", reason), ["skipped already_assigned"], "{reason:?}");
    }
}

// Holds: R-124
#[test]
fn what_an_agent_has_seen_of_their_own_is_shown_and_nobody_elses() {
    let mut world = World::new();
    world.start(&["ana", "ben"]);
    world.enqueue("c1");
    world.accept("ana");
    let seen = |world: &World| world.shown("ana").unwrap().held[0].seen_at;
    assert_eq!(seen(&world), Some(world.now()), "taking it opens it (R-113)");
    let later = world.now().plus_ms(5);
    assert_eq!(see(&mut world, "ana", later), ["done"]);
    assert_eq!(seen(&world), Some(later));
    assert_eq!(see(&mut world, "ana", Timestamp::from_ms(1)), ["done"]);
    assert!(world.shown("ana").is_none(), "nobody unsees");
    assert_eq!(see(&mut world, "ben", later), ["refused ConversationNotFound"]);
    world.assign("c1", "ben", AssignReason::Manual);
    assert_eq!(world.shown("ben").unwrap().held[0].seen_at, None, "ben has not looked yet");

    #[track_caller]
    fn see(world: &mut World, who: &str, seen_at: Timestamp) -> Vec<String> {
        let conversation_id = conversation("c1");
        world.wish(who, AgentWish::See { conversation_id, seen_at })
    }
}
