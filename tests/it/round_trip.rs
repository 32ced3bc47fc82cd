//! The conversation and route stages together, no broker, no clock.
//!
//! What one stage promises the other shows here: every request is answered, every decision is taken in, nobody is left
//! between them.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one of many")]

use dmstream::domain::command::{AgentWish, DeskWish};
use dmstream::domain::fact::{FactBody, Status};
use dmstream::domain::thread::Thread;
use dmstream::engine::stage::Exit;

use crate::desk::{Desk, agent, at};

const MINUTE_S: u64 = 60;

// Holds
#[test]
fn a_message_is_queued_offered_accepted_answered_echoed_and_closed() {
    let mut desk = Desk::new(&["ana"]);
    desk.says("m1", 10);
    let first = [
        "customer.created",
        "conversation.created",
        "contact.started",
        "message.received",
        "sla.started",
        "contact.queued",
        "contact.offered",
    ];
    assert_eq!(desk.told(), first);
    let offer = desk.offer("ana").unwrap();
    assert_eq!((offer.customer_name.as_str(), offer.preview.as_str()), ("Instagram user", "hello"));
    desk.accept("ana", 20);
    assert_eq!(desk.told(), ["contact.accepted"]);
    assert_eq!(desk.status(), (Status::Open, Some(agent("ana"))));
    let send = desk.reply("ana", "how can I help?", 30);
    assert_eq!(desk.told(), ["message.queued", "sla.cleared"]);
    desk.accepted(&send, "out1", 31);
    assert_eq!(desk.told(), ["message.sent", "contact.fulfilled"]);
    let exits = desk.echoes("out1", "how can I help?", 32);
    assert_eq!((exits, desk.told()), (vec![Exit::Skipped("own_echo")], vec![]));
    desk.desk("ana", DeskWish::Close { force: false }, 40);
    assert_eq!(desk.told(), ["contact.ended", "conversation.closed"]);
    assert_eq!(desk.seen("ana").held, []);
    assert_eq!(desk.status(), (Status::Closed, None));
}

// Holds
#[test]
fn an_offer_ignored_or_declined_goes_to_another_agent() {
    let mut desk = Desk::new(&["ana", "ben", "cem"]);
    desk.says("m1", 10);
    desk.told();
    assert!(desk.offer("ana").is_some());
    desk.time(41);
    assert_eq!(desk.told(), ["contact.rejected", "contact.queued", "contact.offered"]);
    let offer_id = desk.offer("ben").unwrap().offer_id;
    desk.agent("ben", AgentWish::Decline { offer_id }, 42);
    assert_eq!(desk.told(), ["contact.rejected", "contact.queued", "contact.offered"]);
    desk.accept("cem", 43);
    assert_eq!(desk.status(), (Status::Open, Some(agent("cem"))));
    assert!(desk.seen("ana").paused_until_next && desk.seen("ben").paused_until_next);
}

// Holds
#[test]
fn an_answer_in_the_app_clears_the_clock_and_the_agent_is_told_why_it_came() {
    let mut desk = Desk::new(&[]);
    desk.says("m1", 10);
    desk.echoes("app1", "we are on it", 20);
    desk.told();
    assert_eq!(desk.snapshot.as_ref().unwrap().due_at, None);
    desk.agent("ana", AgentWish::LogIn, 30);
    desk.agent("ana", AgentWish::SetAvailability { available: true }, 30);
    desk.accept("ana", 31);
    let accepted = desk.facts.iter().find_map(|fact| match &fact.body {
        FactBody::ContactAccepted { text, .. } => text.clone(),
        _ => None,
    });
    let expected = "Routed to you because of an outgoing Instagram message.";
    assert_eq!(accepted.as_deref(), Some(expected));
}

// Holds
#[test]
fn closed_while_it_waits_it_leaves_the_queue_and_closed_on_a_banner_it_is_withdrawn() {
    let mut desk = Desk::new(&[]);
    desk.says("m1", 10);
    desk.desk("ana", DeskWish::Close { force: true }, 11);
    desk.told();
    desk.agent("ana", AgentWish::LogIn, 12);
    desk.agent("ana", AgentWish::SetAvailability { available: true }, 12);
    assert_eq!((desk.offer("ana"), desk.told()), (None, vec![]));
    desk.says("m2", 13);
    assert!(desk.offer("ana").is_some(), "reopened, and queued again");
    desk.told();
    desk.desk("ben", DeskWish::Close { force: true }, 14);
    assert_eq!(desk.offer("ana"), None);
    assert!(!desk.seen("ana").paused_until_next);
    let told = desk.told();
    assert_eq!(told.last(), Some(&"contact.rescinded"), "{told:?}");
}

// Holds
#[test]
fn back_soon_after_a_close_the_customer_returns_to_an_agent_who_is_there_and_else_is_queued() {
    check(true, (Status::Open, Some("ana")), "contact.assigned");
    check(false, (Status::New, None), "contact.queued");

    #[track_caller]
    fn check(stays: bool, (status, holder): (Status, Option<&str>), last: &str) {
        let mut desk = Desk::new(&["ana"]);
        desk.says("m1", 10);
        desk.accept("ana", 11);
        let send = desk.reply("ana", "hi", 12);
        desk.accepted(&send, "out1", 13);
        desk.desk("ana", DeskWish::Close { force: false }, 14);
        if !stays {
            desk.agent("ana", AgentWish::LogOut, 15);
        }
        desk.told();
        desk.says("m2", 10 * MINUTE_S);
        let told = desk.told();
        assert!(told.contains(&"conversation.reopened"), "{told:?}");
        assert!(told.ends_with(&[last]), "{told:?}");
        assert_eq!(desk.status(), (status, holder.map(agent)));
        if !stays {
            desk.agent("ben", AgentWish::LogIn, 11 * MINUTE_S);
            desk.agent("ben", AgentWish::SetAvailability { available: true }, 11 * MINUTE_S);
            let offer = desk.offer("ben").unwrap();
            assert_eq!(offer.preview, "hello", "the banner is that of the new contact");
        }
    }
}

// Holds: R-128
#[test]
fn routing_knows_who_waits_when_an_agent_leaves() {
    let mut desk = Desk::new(&["ana"]);
    desk.says("m1", 10);
    desk.accept("ana", 11);
    let send = desk.reply("ana", "hi", 12);
    desk.accepted(&send, "out1", 13);
    desk.agent("ana", AgentWish::LogOut, 20);
    desk.told();
    desk.time(30);
    assert_eq!(desk.status(), (Status::Open, Some(agent("ana"))), "answered: it stays");
    desk.says("m2", 40);
    desk.time(41);
    let expected = ["message.received", "sla.started", "contact.unassigned", "contact.queued"];
    assert_eq!(desk.told(), expected);
    assert_eq!(desk.status(), (Status::New, None));
    assert_eq!(desk.snapshot.as_ref().unwrap().due_at, Some(at(40 + 60 * MINUTE_S)));
}

// Holds
#[test]
fn a_merge_withdraws_the_sources_offer_and_leaves_one_slot_used() {
    let mut desk = Desk::new(&["ana"]);
    let (other, own) = (Thread::from_key("17841400000000001:8000").unwrap(), desk.thread.clone());
    desk.says("m1", 10);
    desk.accept("ana", 11);
    desk.agent("ana", AgentWish::Next, 11);
    desk.thread = other.clone();
    desk.says("n1", 12);
    assert!(desk.offer("ana").is_some());
    desk.desk("ana", DeskWish::Merge { into: own.clone(), confirmed: true }, 13);
    assert_eq!(desk.offer("ana"), None);
    assert_eq!(desk.seen("ana").held.len(), 1);
    assert!(!desk.seen("ana").paused_until_next, "no fault of hers");
    assert!(desk.told().contains(&"contact.rescinded"));
    desk.says("n2", 14);
    assert_eq!(desk.told(), ["message.received"], "in the one conversation");
    assert_eq!(desk.snapshot.as_ref().unwrap().thread, own);
    desk.thread = own;
    let send = desk.reply("ana", "hello", 15);
    assert_eq!(send.thread, other, "where they wrote last");
}
