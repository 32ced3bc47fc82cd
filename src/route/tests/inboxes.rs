//! queues by inbox, who serves them, and the move from one to another.

use super::world::{World, agent, enqueue_ask, inbox};
use crate::domain::command::AgentWish;
use crate::domain::id::InboxId;
use crate::domain::routing::{AssignReason, RoutingAsk, RoutingVerdict};
use crate::domain::time::Timestamp;
use crate::route::decide::Effect;

impl World {
    /// Due in an hour, waiting since now, in an inbox by name.
    #[track_caller]
    fn enqueue_in(&mut self, into: &str, name: &str) -> Vec<String> {
        let now = self.now();
        self.enqueue_as(into, name, (now.plus_ms(3_600_000), now))
    }

    #[track_caller]
    fn enqueue_as(
        &mut self,
        into: &str,
        name: &str,
        (due_at, since): (Timestamp, Timestamp),
    ) -> Vec<String> {
        let mut ask = enqueue_ask(Some(due_at), since);
        if let RoutingAsk::Enqueue { inbox_id, .. } = &mut ask {
            *inbox_id = inbox(into);
        }
        self.ask(name, ask)
    }

    #[track_caller]
    fn serve(&mut self, who: &str, inboxes: &[&str]) -> Vec<String> {
        let inbox_ids = Some(inboxes.iter().map(|name| inbox(name)).collect());
        self.wish(who, AgentWish::SetInboxes { inbox_ids })
    }

    #[track_caller]
    fn prioritize(&mut self, name: &str, priority_score: i32) -> Vec<String> {
        let conversation_id = super::world::conversation(name);
        self.wish("ana", AgentWish::Prioritize { conversation_id, priority_score })
    }

    /// Into which inboxes the last step queued something.
    fn queued_into(&self) -> Vec<InboxId> {
        let decisions = self.effects.iter().filter_map(|effect| match effect {
            Effect::Decision { decision, .. } => Some(&decision.verdict),
            Effect::Result(_) | Effect::Agent { .. } => None,
        });
        let inboxes = decisions.filter_map(|verdict| {
            if let RoutingVerdict::Queued { inbox_id } = verdict {
                Some(inbox_id.clone())
            } else {
                None
            }
        });
        inboxes.collect()
    }
}

// Holds
#[test]
fn an_agent_is_offered_what_waits_in_an_inbox_they_serve_and_nothing_else() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.serve("ana", &["sales"]);
    assert_eq!(world.enqueue_in("support", "c1"), ["c1 queued"]);
    assert_eq!(world.enqueue_in("sales", "c2"), ["c2 queued", "c2 offered ana round 1"]);
    assert_eq!(world.shown("ana").unwrap().inbox_ids, Some(vec![inbox("sales")]));
    world.start(&["ben"]);
    let offer = world.shown("ben").unwrap().offer.clone();
    assert_eq!(offer.unwrap().conversation_id.as_str(), "c1", "ben serves every inbox");
}

// Holds: R-104
#[test]
fn an_agent_without_inboxes_is_offered_nothing_and_keeps_what_they_have() {
    let mut world = World::with(|s| s.routing_delay_ms = 0);
    world.start(&["ana"]);
    world.enqueue("c1");
    world.accept("ana");
    world.enqueue("c2");
    world.serve("ana", &[]);
    assert_eq!(world.accept("ana"), ["c2 accepted ana", "done"], "the offer stands");
    assert_eq!(world.enqueue("c3"), ["c3 queued"]);
    let said = world.assign("c4", "ana", AssignReason::ContactInbound);
    assert_eq!(said, ["c4 assigned ana ContactInbound"], "a return is no matter of inboxes");
}

// Holds: R-127
#[test]
fn a_new_membership_tries_the_queue_again() {
    let mut world = World::new();
    world.start(&["ana"]);
    world.serve("ana", &["sales"]);
    world.enqueue_in("support", "c1");
    assert_eq!(world.serve("ana", &["sales", "support"]), ["done", "c1 offered ana round 1"]);
    let mut world = World::new();
    world.start(&["ana"]);
    world.serve("ana", &[]);
    world.enqueue("c1");
    let every = AgentWish::SetInboxes { inbox_ids: None };
    assert_eq!(world.wish("ana", every), ["done", "c1 offered ana round 1"]);
}

#[test]
fn inboxes_can_be_given_before_the_agent_was_ever_seen_and_are_bounded() {
    let mut world = World::new();
    assert_eq!(world.serve("ana", &["sales"]), ["done"]);
    world.start(&["ana"]);
    assert_eq!(world.enqueue_in("support", "c1"), ["c1 queued"]);
    let many = (0..=AgentWish::INBOXES_MAX).map(|n| inbox(&format!("i{n}"))).collect();
    let many = AgentWish::SetInboxes { inbox_ids: Some(many) };
    assert_eq!(world.wish("ana", many), ["refused Overloaded"]);
}

// Holds: R-118
#[test]
fn a_round_is_over_when_everybody_of_the_inbox_has_rejected_it() {
    let mut world = World::with(|s| {
        s.after_reject = crate::domain::settings::AfterReject::DelayOnly;
        s.routing_delay_ms = 0;
    });
    world.start(&["ana", "ben"]);
    world.serve("ben", &["sales"]);
    world.enqueue_in("support", "c1");
    let said = world.decline("ana");
    let again = "c1 offered ana round 2";
    assert_eq!(said, ["c1 rejected ana Declined", "c1 queued", "done", again], "ben is not asked");
}

// Holds: R-126
#[test]
fn whoever_serves_several_inboxes_gets_the_earliest_due_of_all_of_them() {
    let mut world = World::new();
    let (due, now) = (|ms| Timestamp::from_ms(ms), world.now());
    world.enqueue_as("a", "late", (due(9), now));
    world.enqueue_as("b", "early", (due(5), now));
    world.enqueue_as("c", "first", (due(1), now));
    world.serve("ana", &["a", "b"]);
    world.wish("ana", AgentWish::LogIn);
    let said = world.wish("ana", AgentWish::SetAvailability { available: true });
    assert_eq!(said, ["done", "early offered ana round 1"]);
}

// Holds: R-126
#[test]
fn the_more_urgent_goes_first_whatever_is_due() {
    let mut world = World::new();
    world.enqueue_due("early", Some(Timestamp::from_ms(1)));
    world.enqueue_due("urgent", None);
    world.enqueue_due("less", Some(Timestamp::from_ms(0)));
    assert_eq!(world.prioritize("urgent", 5), ["done"]);
    assert_eq!(world.prioritize("less", -1), ["done"]);
    assert_eq!(world.prioritize("nobody", 1), ["refused ConversationNotFound"]);
    for (who, expected) in [("ana", "urgent"), ("ben", "early"), ("cem", "less")] {
        world.wish(who, AgentWish::LogIn);
        let said = world.wish(who, AgentWish::SetAvailability { available: true });
        assert_eq!(said, ["done".to_owned(), format!("{expected} offered {who} round 1")]);
    }
}

// Holds: R-126
#[test]
fn urgency_lasts_as_long_as_the_contact() {
    let mut world = World::new();
    world.enqueue("c1");
    world.prioritize("c1", 5);
    world.update("c1", None);
    world.enqueue("c1");
    world.enqueue_in("other", "c1");
    let score = |world: &World| {
        let row = world.pool.conversation(&super::world::conversation("c1"));
        row.unwrap().more.priority_score
    };
    assert_eq!(score(&world), 5);
    world.enqueue("c1#2");
    assert_eq!(score(&world), 0);
}

// Holds
#[test]
fn a_transfer_moves_it_to_the_other_queue_wherever_it_was() {
    check(&[], &["c1 queued"]);
    check(&["offer"], &["c1 rescinded ana Manual", "c1 queued", "c1 offered ben round 1"]);
    check(
        &["offer", "accept"],
        &["c1 unassigned ana Manual", "c1 queued", "c1 offered ben round 1"],
    );

    #[track_caller]
    fn check(before: &[&str], expected: &[&str]) {
        let mut world = World::new();
        world.enqueue_in("sales", "c1");
        if before.contains(&"offer") {
            world.start(&["ana", "ben"]);
            world.serve("ana", &["sales"]);
            world.serve("ben", &["support"]);
        }
        if before.contains(&"accept") {
            world.accept("ana");
        }
        assert_eq!(world.enqueue_in("support", "c1"), expected, "{before:?}");
        assert_eq!(world.queued_into(), [inbox("support")]);
        assert_eq!(world.pool.agent(&agent("ana")).map_or(0, |ana| ana.used()), 0);
    }
}

// Holds: R-100
#[test]
fn a_transferred_conversation_has_the_age_and_due_date_it_was_moved_with() {
    let mut world = World::new();
    let at = |ms| Timestamp::from_ms(ms);
    world.enqueue_as("sales", "c1", (at(500), at(1)));
    world.after(60_000);
    world.enqueue_as("support", "other", (at(700), at(50)));
    world.enqueue_as("support", "c1", (at(700), at(1)));
    world.serve("ana", &["support"]);
    world.wish("ana", AgentWish::LogIn);
    let said = world.wish("ana", AgentWish::SetAvailability { available: true });
    assert_eq!(said, ["done", "c1 offered ana round 1"], "equally due, and older");
}

// Holds
#[test]
fn who_rejected_it_in_one_inbox_may_be_asked_in_another() {
    let mut world = World::with(|s| {
        s.after_reject = crate::domain::settings::AfterReject::DelayOnly;
        s.routing_delay_ms = 0;
    });
    world.start(&["ana", "ben"]);
    world.enqueue_in("sales", "c1");
    world.decline("ana");
    assert_eq!(world.offer_of("ben").as_str(), "of-acme-5");
    let said = world.enqueue_in("support", "c1");
    assert_eq!(said, ["c1 rescinded ben Manual", "c1 queued", "c1 offered ana round 1"]);
}
