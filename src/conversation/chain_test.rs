//! Chains of merges: a thread with guests is merged itself, and parts again with them. Each test names its rules.

use serde_json::json;

use crate::conversation::decide::Input;
use crate::conversation::ledger::mid_key;
use crate::conversation::part_test::every_order_ends_the_same;
use crate::conversation::rehearsed::{at, delete, echo, edit, mid, react, read, text};
use crate::conversation::threads_rehearsed::{Threads, of, says, thread, two};
use crate::domain::command::{DeskWish, Refusal};
use crate::domain::fact::Status;
use crate::domain::thread_note::ThreadNote;

/// `a` wrote at 0 and was merged into `b` at 6; `b` wrote at 5 and was merged into `c` at 7, where ben has them.
fn chain() -> Threads {
    let mut threads = two();
    threads.hear("c", &text("c1", at(5)));
    assert_eq!(threads.merge("a", "b", at(6)), None);
    assert_eq!(threads.merge("b", "c", at(7)), None);
    threads.assigned("c", "ben", at(7));
    threads.told();
    threads
}

// Holds
#[test]
fn the_last_merge_of_a_chain_is_taken_back_though_who_is_further_in_has_written() {
    let mut threads = chain();
    threads.hear("a", &text("a2", at(8)));
    let send = threads.reply("c", "to a", at(9));
    threads.outcome(&send, "out1", at(9));
    threads.hear("b", &text("b2", at(10)));
    threads.hear("a", &text("a3", at(11)));
    assert_eq!(threads.told().last(), says("c", &["message.received"]).last());
    assert_eq!(threads.wish("b", DeskWish::Unmerge, at(12)), None);
    assert_eq!((threads.due_at("b"), threads.due_at("c")), (Some(at(70)), None), "b2 waits there");
    threads.told();
    threads.hear("a", &edit("a2", 1, at(13)));
    threads.hear("a", &react("out1", at(13), false));
    threads.hear("b", &edit("b2", 1, at(13)));
    threads.hear("a", &text("a4", at(14)));
    let names = ["message.edited", "reaction.added", "message.edited", "message.received"];
    assert_eq!(threads.told(), says("b", &names));
    for (name, to) in [("a3", "a"), ("b2", "b")] {
        assert_eq!(threads.wish("b", DeskWish::Like { mid: mid(name) }, at(15)), None);
        assert_eq!(threads.sends.pop().unwrap().thread, thread(to));
    }
    assert_eq!(threads.reply("b", "to a again", at(16)).thread, thread("a"), "a wrote last");
    let like = DeskWish::Like { mid: mid("a2") };
    assert_eq!(threads.wish("c", like, at(17)), Some(Refusal::TargetUnavailable));
    assert_eq!(threads.reply("c", "to c", at(17)).thread, thread("c"));
    // And a parts from b with all that came meanwhile, wherever it came.
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(18)), None);
    for name in ["a2", "out1", "a3", "a4"] {
        let is_known = |person| threads.state(person).ledger.get(mid_key(&mid(name))).is_some();
        assert_eq!((is_known("a"), is_known("b")), (true, false), "{name}");
    }
}

// Holds
#[test]
fn who_is_further_in_wrote_last_is_answered_there_after_the_parting() {
    let mut threads = chain();
    threads.hear("a", &text("a2", at(8)));
    assert_eq!(threads.wish("b", DeskWish::Unmerge, at(9)), None);
    assert_eq!(threads.reply("b", "to a", at(10)).thread, thread("a"));
}

// Holds
#[test]
fn what_crosses_the_parting_of_a_chain_comes_back_to_who_answers_for_it() {
    let mut threads = chain();
    threads.wish_only("b", DeskWish::Unmerge, at(10));
    let late = of("a", text("a2", at(10)));
    threads.apply(&thread("a"), &Input::Event(&late), at(10), 0);
    threads.settle(at(10));
    let told = threads.told();
    let received = told.iter().filter(|(_, name)| *name == "message.received");
    assert_eq!(received.collect::<Vec<_>>(), [&("b".to_owned(), "message.received")]);
    threads.hear("a", &edit("a2", 1, at(11)));
    assert_eq!(threads.told(), says("b", &["message.edited"]));
    assert_eq!(threads.status("c"), Some(Status::Open), "c's own goes on");
}

// Holds: R-152
#[test]
fn who_comes_to_a_merged_thread_comes_to_its_home_and_parts_from_there_first() {
    let mut threads = chain();
    threads.hear("d", &text("d1", at(8)));
    assert_eq!(threads.merge("d", "b", at(9)), None);
    threads.hear("d", &text("d2", at(10)));
    assert_eq!(threads.told().last(), says("c", &["message.received"]).last());
    assert_eq!(threads.wish("b", DeskWish::Unmerge, at(11)), Some(Refusal::CannotUnmerge));
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(11)), Some(Refusal::CannotUnmerge));
    assert_eq!(threads.wish("d", DeskWish::Unmerge, at(12)), None, "the last merge");
    threads.told();
    threads.hear("d", &edit("d2", 1, at(13)));
    assert_eq!(threads.told(), says("d", &["message.edited"]));
    assert_eq!(threads.wish("b", DeskWish::Unmerge, at(14)), None);
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(15)), None);
}

// Holds: R-154
#[test]
fn erasing_who_is_further_in_takes_their_items_out_of_the_last_home() {
    let mut threads = chain();
    threads.hear("a", &text("a2", at(8)));
    threads.told();
    assert_eq!(threads.wish("a", DeskWish::Erase, at(9)), None);
    let told = threads.told();
    assert!(told.contains(&("c".to_owned(), "message.deleted")), "{told:?}");
    assert!(threads.state("c").ledger.get(mid_key(&mid("a2"))).is_none());
    assert!(!threads.snapshots[&thread("c")].preview.contains("a2"));
    assert_eq!(threads.wish("b", DeskWish::Unmerge, at(10)), None, "b is not held back by it");
}

// Holds
#[test]
fn whenever_a_chain_is_made_and_parts_every_order_of_events_ends_the_same() {
    let sets = [
        vec![text("a2", at(7)), edit("a2", 1, at(8)), edit("a2", 2, at(9)), delete("a2", at(11))],
        vec![text("a2", at(7)), react("a2", at(10), true), react("a2", at(11), false)],
        vec![echo("app1", "hi", at(7)), read("app1", at(8)), delete("app1", at(9))],
    ];
    let a_is_in_b = || {
        let mut threads = two();
        threads.hear("c", &text("c1", at(5)));
        threads.merge("a", "b", at(6));
        threads
    };
    for events in sets {
        every_order_ends_the_same(&a_is_in_b, ("b", "c"), events);
    }
}

#[test]
fn a_word_of_an_earlier_build_says_nothing_of_chains() {
    let guest = json!({ "account_id": "1784", "person_id": "9" });
    let old = json!({ "note": "let_go", "guest": guest, "answer": "cmd-1" });
    let ThreadNote::LetGo { inside, hops, .. } = serde_json::from_value(old).unwrap() else {
        panic!("another note")
    };
    assert_eq!((inside.len(), hops), (0, 0));
    let old = json!({ "note": "event", "event": text("m1", at(1)), "hops": 1 });
    let ThreadNote::Event { via, hops, .. } = serde_json::from_value(old).unwrap() else {
        panic!("another note")
    };
    assert_eq!((via, hops), (None, 1));
}

// Holds
#[test]
fn right_after_a_merge_a_reply_goes_to_who_wrote_last_of_all_that_came_along() {
    let mut threads = two();
    threads.hear("c", &text("c1", at(7)));
    threads.merge("a", "b", at(6));
    threads.hear("a", &text("a2", at(8)));
    threads.merge("b", "c", at(9));
    let send = threads.reply("c", "to a", at(10));
    assert_eq!(send.thread, thread("a"));
    let week = at(8 + 7 * 24 * 60);
    assert_eq!(send.expires_at, week, "in a's window");
    threads.hear("a", &text("a3", at(11)));
    assert_eq!(threads.state("b").window.unwrap().opened_at, at(5), "b's window is b's own");
}

// Holds
#[test]
fn when_who_wrote_last_parts_a_reply_goes_to_who_wrote_last_of_those_who_stay() {
    let mut threads = Threads::default();
    for (person, name, minute) in [("c", "c1", 1), ("a", "a1", 2), ("b", "b1", 3)] {
        threads.hear(person, &text(name, at(minute)));
    }
    threads.merge("a", "c", at(4));
    threads.merge("b", "c", at(5));
    assert_eq!(threads.reply("c", "to b", at(6)).thread, thread("b"));
    threads.wish("b", DeskWish::Unmerge, at(7));
    assert_eq!(threads.reply("c", "to a", at(8)).thread, thread("a"));
    threads.hear("a", &delete("a1", at(9)));
    assert_eq!(threads.reply("c", "to a still", at(10)).thread, thread("a"));
}
