//! Merges between threads of two people, word by word: each test names its rules.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one of many")]

use crate::conversation::rehearsed::{agent, at, delete, echo, edit, mid, react, text};
use crate::conversation::threads_rehearsed::{Threads, says, thread, two};
use crate::domain::command::{DeskWish, Refusal};
use crate::domain::derive;
use crate::domain::fact::{EndReason, FactBody, Status};
use crate::domain::id::ClientMessageId;
use crate::domain::routing::{AssignReason, RoutingAsk};

const DAY: u64 = 24 * 60;

// Holds
#[test]
fn nothing_but_a_confirmed_merge_makes_two_threads_one_customer() {
    let mut threads = two();
    let customers = |threads: &Threads| [threads.status("a"), threads.status("b")];
    let before = customers(&threads);
    let unconfirmed = DeskWish::Merge { into: thread("b"), confirmed: false };
    assert_eq!(threads.wish("a", unconfirmed, at(6)), Some(Refusal::NotConfirmed));
    assert_eq!(threads.merge("a", "a", at(6)), Some(Refusal::CannotMerge), "into itself");
    assert_eq!(threads.merge("x", "b", at(6)), Some(Refusal::CannotMerge), "never wrote");
    assert_eq!((customers(&threads), threads.told()), (before, vec![]));
    assert_ne!(derive::customer_id(&thread("a")), derive::customer_id(&thread("b")));
}

// Holds
#[test]
fn of_two_open_conversations_the_destinations_survives_with_the_earlier_due_date() {
    let mut threads = two();
    assert_eq!(threads.merge("a", "b", at(6)), None);
    let ended = threads.facts.iter().find_map(|fact| match &fact.body {
        FactBody::ContactEnded { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(ended, Some(EndReason::Merged));
    let mut expected =
        says("a", &["sla.cleared", "contact.fulfilled", "contact.ended", "conversation.closed"]);
    expected.extend(says("b", &["customer.merged", "sla.started"]));
    assert_eq!(threads.told(), expected);
    assert_eq!(threads.due_at("b"), Some(at(60)), "a's was due at 60, b's at 65");
    let asks = threads.asked();
    assert_eq!(asks[0], ("a".to_owned(), RoutingAsk::Withdraw), "one slot");
    let RoutingAsk::Assign { agent_id, reason, .. } = &asks[1].1 else { panic!("{asks:?}") };
    assert_eq!((agent_id, *reason), (&agent("ben"), AssignReason::Manual), "the only agent");
    assert_eq!(threads.counts("b"), (1, 1), "the same conversation and contact");
    assert_eq!(threads.status("a"), Some(Status::Closed));
}

// Holds: R-151
#[test]
fn the_survivor_keeps_its_own_agent() {
    let mut threads = two();
    threads.assigned("b", "cem", at(5));
    threads.asked();
    threads.merge("a", "b", at(6));
    let asks = threads.asked();
    let preview = "says b1".to_owned();
    let update = RoutingAsk::Update { due_at: Some(at(60)), preview };
    assert_eq!(asks, [("a".to_owned(), RoutingAsk::Withdraw), ("b".to_owned(), update)]);
}

// Holds
#[test]
fn later_messages_of_the_source_join_the_homes_conversation_and_are_answered_on_their_thread() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.assigned("b", "ben", at(6));
    threads.told();
    threads.hear("a", &text("a2", at(7)));
    let received = threads.facts.iter().find_map(|fact| match &fact.body {
        FactBody::MessageReceived(item) => Some((fact.customer_id.clone(), item.origin.clone())),
        _ => None,
    });
    let expected = (derive::customer_id(&thread("b")), Some(thread("a")));
    assert_eq!(received, Some(expected));
    assert_eq!(threads.told(), says("b", &["message.received"]));
    assert_eq!(threads.counts("a"), (1, 1), "nothing new begins there");
    let send = threads.reply("b", "to a", at(8));
    assert_eq!(send.thread, thread("a"));
    threads.told();
    threads.outcome(&send, "out1", at(9));
    assert_eq!(threads.told(), says("b", &["message.sent", "contact.fulfilled"]));
    threads.hear("a", &echo("out1", "to a", at(9)));
    assert_eq!(threads.told(), vec![], "the home knows its own echo");
    threads.hear("b", &text("b2", at(10)));
    assert_eq!(threads.reply("b", "to b", at(11)).thread, thread("b"));
}

// Holds: R-88
#[test]
fn the_reply_window_stays_the_threads_own() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    let late = at(7 * DAY + 3);
    let reply = || DeskWish::Reply {
        client_message_id: ClientMessageId::parse("c1").unwrap(),
        text: "hi".to_owned(),
        image_urls: Vec::new(),
        automatic: false,
        declared_bytes: 0,
    };
    assert_eq!(threads.wish("b", reply(), late), None, "b wrote last, at minute 5");
    let mut threads = two();
    threads.merge("b", "a", at(6));
    assert_eq!(threads.wish("a", reply(), late), None, "b wrote last, and its window goes on");
    threads.hear("b", &text("b2", late));
    assert_eq!(threads.state("b").window.unwrap().opened_at, late);
}

// Holds
#[test]
fn what_the_source_began_it_ends_itself_and_what_it_does_not_know_goes_home() {
    let mut threads = two();
    let send = threads.reply("a", "on its way", at(5));
    threads.merge("a", "b", at(6));
    threads.hear("a", &text("a2", at(7)));
    threads.told();
    threads.outcome(&send, "out1", at(8));
    assert!(threads.told().contains(&("a".to_owned(), "message.sent")));
    threads.hear("a", &react("a1", at(9), false));
    threads.hear("a", &react("a2", at(9), false));
    let both = [says("a", &["reaction.added"]), says("b", &["reaction.added"])].concat();
    assert_eq!(threads.told(), both);
    assert_eq!(threads.wish("b", DeskWish::Like { mid: mid("a2") }, at(10)), None);
    assert_eq!(threads.sends.pop().unwrap().thread, thread("a"));
    let closed = DeskWish::Close { force: true };
    assert_eq!(threads.wish("a", closed, at(11)), Some(Refusal::CustomerMerged));
}

// Holds: R-152
#[test]
fn only_the_last_merge_is_taken_back_and_items_return_by_their_thread() {
    let mut threads = two();
    threads.hear("c", &text("c1", at(5)));
    threads.merge("a", "b", at(6));
    threads.merge("c", "b", at(7));
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(8)), Some(Refusal::CannotUnmerge));
    assert_eq!(threads.wish("b", DeskWish::Unmerge, at(8)), Some(Refusal::CannotUnmerge));
    assert_eq!(threads.wish("c", DeskWish::Unmerge, at(9)), None);
    threads.told();
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(10)), None);
    let told = threads.told();
    assert!(told.contains(&("a".to_owned(), "conversation.reopened")), "a waits: {told:?}");
    threads.hear("a", &text("a2", at(11)));
    assert_eq!(threads.told(), says("a", &["message.received"]));
    assert_eq!(threads.merge("a", "b", at(12)), None, "and may be merged again");
}

// Holds: R-152
#[test]
fn a_home_that_is_merged_itself_lets_nobody_go() {
    let mut threads = two();
    threads.hear("c", &text("c1", at(5)));
    threads.merge("a", "b", at(6));
    threads.merge("b", "c", at(7));
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(8)), Some(Refusal::CannotUnmerge));
    threads.told();
    threads.hear("a", &text("a2", at(9)));
    assert_eq!(threads.told(), says("c", &["message.received"]), "through b to c");
    let send = threads.reply("c", "hi a", at(10));
    assert_eq!(send.thread, thread("a"));
    threads.told();
    threads.outcome(&send, "out1", at(11));
    assert!(threads.told().contains(&("c".to_owned(), "message.sent")));
}

// Holds: R-149
#[test]
fn merges_that_cross_end_in_one_home_and_never_in_a_ring() {
    let mut threads = two();
    threads.wish_only("a", DeskWish::Merge { into: thread("b"), confirmed: true }, at(6));
    threads.wish_only("b", DeskWish::Merge { into: thread("a"), confirmed: true }, at(6));
    threads.settle(at(6));
    assert_eq!(threads.state("a").ties.home, None, "the lesser key is home");
    assert_eq!(threads.state("b").ties.home, Some(thread("a")));
    threads.told();
    threads.hear("b", &text("b2", at(7)));
    let told = threads.told();
    assert!(told.contains(&("a".to_owned(), "message.received")), "{told:?}");
    assert!(told.iter().all(|(person, _)| person == "a"), "{told:?}");
    // Three at once make a ring: what goes round is taken in in the end, once.
    let mut threads = two();
    threads.hear("c", &text("c1", at(5)));
    for (from, into) in [("a", "b"), ("b", "c"), ("c", "a")] {
        threads.wish_only(from, DeskWish::Merge { into: thread(into), confirmed: true }, at(6));
    }
    threads.settle(at(6));
    threads.told();
    threads.hear("a", &text("a2", at(7)));
    let told = threads.told();
    let received = told.iter().filter(|(_, name)| *name == "message.received");
    assert_eq!(received.count(), 1, "{told:?}");
    // An edit that was there before its message goes round as often, each time under an id of its own.
    threads.hear("a", &edit("a3", 1, at(9)));
    threads.hear("a", &text("a3", at(8)));
    let told = threads.told();
    let edited = told.iter().filter(|(_, name)| *name == "message.edited");
    assert_eq!(edited.count(), 1, "{told:?}");
}

// Holds
#[test]
fn a_preview_that_a_merge_brought_says_what_becomes_of_its_message() {
    let mut threads = two();
    threads.hear("c", &text("c1", at(6)));
    threads.assigned("c", "ben", at(6));
    let send = threads.reply("c", "hello c", at(6));
    threads.outcome(&send, "out1", at(6));
    threads.merge("b", "a", at(7));
    assert_eq!(threads.snapshots[&thread("a")].preview, "says b1");
    threads.offered("a", "ben", at(7));
    threads.asked();
    threads.hear("b", &edit("b1", 1, at(8)));
    assert_eq!(threads.snapshots[&thread("a")].preview, "b1 edit 1");
    threads.hear("b", &delete("b1", at(9)));
    assert_eq!(threads.snapshots[&thread("a")].preview, "Message was deleted");
    let RoutingAsk::Update { preview, .. } = &threads.asked().pop().unwrap().1 else { panic!() };
    assert_eq!(preview, "Message was deleted", "on the banner, too");
    // What is older than the preview changes nothing there.
    threads.hear("a", &text("a2", at(10)));
    threads.hear("a", &delete("a1", at(11)));
    assert_eq!(threads.snapshots[&thread("a")].preview, "says a2");
}

// Holds
#[test]
fn a_preview_that_came_through_two_merges_says_what_becomes_of_its_message() {
    let mut threads = Threads::default();
    for (person, minute) in [("c", 0), ("a", 1)] {
        threads.hear(person, &text(&format!("{person}1"), at(minute)));
        threads.assigned(person, "ben", at(2));
        let send = threads.reply(person, "hello", at(3));
        threads.outcome(&send, &format!("out-{person}"), at(3));
    }
    threads.hear("b", &text("b1", at(5)));
    threads.merge("b", "a", at(6));
    threads.merge("a", "c", at(7));
    assert_eq!(threads.snapshots[&thread("c")].preview, "says b1");
    threads.hear("b", &delete("b1", at(8)));
    assert_eq!(threads.snapshots[&thread("c")].preview, "Message was deleted");
    threads.wish("a", DeskWish::Unmerge, at(9));
    assert_eq!(threads.snapshots[&thread("c")].preview, "");
    assert_eq!(threads.snapshots[&thread("a")].preview, "Message was deleted");
}
