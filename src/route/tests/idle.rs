//! whoever does nothing is Away after a while, and then logged out.

use super::world::World;
use crate::domain::command::AgentWish;

const AWAY_MS: u64 = 10 * 60_000;
const LOGOUT_MS: u64 = 30 * 60_000;

fn idling() -> World {
    World::with(|s| (s.idle_away_ms, s.idle_logout_ms) = (Some(AWAY_MS), Some(LOGOUT_MS)))
}

/// Here, Away or out, as last shown.
fn standing(world: &World) -> Option<&'static str> {
    world.shown("ana").map(|ana| match (ana.logged_in, ana.away) {
        (true, false) => "here",
        (true, true) => "away",
        (false, _) => "out",
    })
}

// Holds: R-131
#[test]
fn an_idle_agent_is_away_after_one_span_and_out_after_the_other_never_early() {
    let mut world = idling();
    world.start(&["ana"]);
    world.after(AWAY_MS).tick();
    assert_eq!(standing(&world), None, "to the millisecond: not yet");
    world.after(1).tick();
    assert_eq!(standing(&world), Some("away"));
    world.after(LOGOUT_MS - AWAY_MS - 1).tick();
    assert_eq!(standing(&world), None, "both run from the last activity");
    world.after(1).tick();
    assert_eq!(standing(&world), Some("out"));
    assert_eq!(world.pool.next_due(), None);
}

// Holds: R-131
#[test]
fn anything_an_agent_asks_for_is_activity_and_what_others_do_is_none() {
    check(Some(AgentWish::StayActive), None);
    check(Some(AgentWish::Next), None);
    check(Some(AgentWish::SetFocus { focus: true }), None);
    check(Some(AgentWish::SetInboxes { inbox_ids: None }), Some("away"));
    check(None, Some("away"));

    #[track_caller]
    fn check(wish: Option<AgentWish>, expected: Option<&str>) {
        let mut world = idling();
        world.start(&["ana"]);
        world.after(AWAY_MS);
        let name = wish.as_ref().map_or("nothing", AgentWish::name);
        match wish {
            Some(wish) => {
                world.wish("ana", wish);
            }
            None => {
                world.enqueue("c1");
            }
        }
        world.after(1).tick();
        assert_eq!(standing(&world), expected, "{name}");
    }
}

// Holds
#[test]
fn away_by_idling_is_away_offers_and_waiting_customers_go_on() {
    let mut world = idling();
    world.settings.offer_timeout_ms = 2 * AWAY_MS;
    world.start(&["ana", "ben"]);
    world.enqueue("c1");
    world.accept("ana");
    world.after(15_000);
    let until_away = world.settings.requeue_grace_away_ms;
    world.after(AWAY_MS + 1);
    world.wish("ben", AgentWish::StayActive);
    assert_eq!(world.after(until_away).tick(), [""; 0], "the grace of R-128");
    world.wish("ben", AgentWish::SetAway { away: false });
    assert_eq!(world.after(1).tick(), ["c1 unassigned ana", "c1 queued", "c1 offered ben round 1"]);
}

// Holds: R-131
#[test]
fn coming_back_begins_anew_and_staying_away_ends_in_logging_out() {
    let mut world = idling();
    world.start(&["ana"]);
    world.after(AWAY_MS + 1).tick();
    world.wish("ana", AgentWish::SetAway { away: false });
    assert_eq!(standing(&world), Some("here"));
    world.after(AWAY_MS).tick();
    assert_eq!(standing(&world), None);
    world.wish("ana", AgentWish::SetAway { away: true });
    world.after(LOGOUT_MS).tick();
    assert_eq!(standing(&world), None);
    world.after(1).tick();
    assert_eq!(standing(&world), Some("out"));
}

// Holds: R-131
#[test]
fn both_spans_passed_at_once_is_logged_out_once() {
    let mut world = idling();
    world.start(&["ana"]);
    world.after(LOGOUT_MS + 1).tick();
    assert_eq!(standing(&world), Some("out"));
}

// Holds
#[test]
fn idling_is_off_by_default_and_a_running_span_keeps_its_deadline() {
    let mut world = World::new();
    world.start(&["ana"]);
    assert_eq!(world.pool.next_due(), None);
    world.settings.idle_away_ms = Some(AWAY_MS);
    world.wish("ana", AgentWish::StayActive);
    world.settings.idle_away_ms = None;
    world.after(AWAY_MS + 1).tick();
    assert_eq!(standing(&world), Some("away"));
}
