//! Echoes that come when threads have parted, of replies sent while they were one. Each test names its rules.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one of many")]

use crate::conversation::decide::Input;
use crate::conversation::echo::read;
use crate::conversation::ledger::{Author, mid_key};
use crate::conversation::rehearsed::{agent, at, echo, mid, text};
use crate::conversation::state::HeldEcho;
use crate::conversation::threads_rehearsed::{Threads, of, thread, two};
use crate::domain::command::DeskWish;
use crate::domain::fact::{FactBody, Initiator};
use crate::domain::id::SendId;
use crate::domain::outbound::OutboundSend;

/// `a` was merged into `b`, a reply to it is on its way, and they parted.
fn parted() -> (Threads, OutboundSend) {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.hear("a", &text("a2", at(7)));
    let send = threads.reply("b", "for a", at(8));
    assert_eq!(send.thread, thread("a"));
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(9)), None);
    threads.told();
    (threads, send)
}

/// Who is said to have written what was sent, since the last call.
fn writers(threads: &mut Threads) -> Vec<(String, Initiator)> {
    let sent = threads.facts.iter().filter_map(|fact| match &fact.body {
        FactBody::MessageSent(_) => {
            Some((fact.thread.person_id.as_str().to_owned(), fact.initiator.clone()))
        }
        _ => None,
    });
    let sent = sent.collect();
    threads.facts.clear();
    sent
}

// Holds
#[test]
fn an_echo_after_the_parting_is_of_the_reply_that_the_home_had_sent() {
    let ours = [("b".to_owned(), Initiator::Agent(agent("ana")))];
    // The answer came first.
    let (mut threads, send) = parted();
    threads.outcome(&send, "out1", at(10));
    threads.hear("a", &echo("out1", "for a", at(10)));
    assert_eq!(writers(&mut threads), ours);
    // The echo came first.
    let (mut threads, send) = parted();
    threads.hear("a", &echo("out1", "for a", at(10)));
    assert_eq!(writers(&mut threads), [], "it waits for the answer");
    threads.outcome(&send, "out1", at(10));
    assert_eq!(writers(&mut threads), ours);
    assert!(threads.state("b").held.is_empty());
    // No answer comes at all.
    let (mut threads, _) = parted();
    threads.hear("a", &echo("out1", "for a", at(10)));
    threads.apply(&thread("b"), &Input::Timer, at(11), 0);
    threads.settle(at(11));
    assert_eq!(writers(&mut threads), ours, "the echo tells");
}

// Holds
#[test]
fn an_echo_that_crosses_the_parting_is_of_the_reply_that_the_home_had_sent() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.hear("a", &text("a2", at(7)));
    let send = threads.reply("b", "for a", at(8));
    threads.wish_only("a", DeskWish::Unmerge, at(9));
    let late = of("a", echo("out1", "for a", at(9)));
    threads.apply(&thread("a"), &Input::Event(&late), at(9), 0);
    threads.settle(at(9));
    threads.outcome(&send, "out1", at(10));
    let sent = writers(&mut threads);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_ne!(sent[0].1, Initiator::NativeApp);
}

// Holds
#[test]
fn what_was_written_in_the_app_after_the_parting_is_shown_once_on_its_own_thread() {
    let native = [("a".to_owned(), Initiator::NativeApp)];
    let (mut threads, send) = parted();
    threads.hear("a", &echo("app1", "something else", at(10)));
    assert_eq!(writers(&mut threads), native);
    threads.hear("a", &echo("app1", "something else", at(10)));
    assert_eq!(threads.told(), vec![], "once");
    // It looked like the reply, until the answer said which that is.
    threads.hear("a", &echo("app2", "for a", at(10)));
    assert_eq!(writers(&mut threads), []);
    threads.outcome(&send, "out1", at(10));
    let sent = writers(&mut threads);
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent.contains(&native[0]), "{sent:?}");
    let entry = threads.state("a").ledger.get(mid_key(&mid("app2"))).unwrap();
    assert_eq!(entry.author, Author::NativeApp);
    assert!(threads.state("b").ledger.get(mid_key(&mid("app2"))).is_none());
    assert!(threads.state("b").ties.guests.is_empty());
}

// Holds
#[test]
fn a_chain_that_parted_asks_as_far_as_the_reply_was_sent() {
    let mut threads = two();
    threads.hear("c", &text("c1", at(5)));
    threads.merge("a", "b", at(6));
    threads.merge("b", "c", at(7));
    threads.hear("a", &text("a2", at(8)));
    let send = threads.reply("c", "for a", at(9));
    assert_eq!(send.thread, thread("a"));
    assert_eq!(threads.wish("b", DeskWish::Unmerge, at(10)), None);
    threads.told();
    threads.hear("a", &echo("out1", "for a", at(10)));
    assert_eq!(threads.told(), vec![], "a is in b, which asks c");
    // Written in the app: b shows it.
    let native = |person: &str| [(person.to_owned(), Initiator::NativeApp)];
    threads.hear("a", &echo("app1", "other words", at(10)));
    assert_eq!(writers(&mut threads), native("b"));
    // It looks like the reply, and c finds out that it is not: b shows it, who asked.
    threads.outcome(&send, "out2", at(10));
    let sent = writers(&mut threads);
    assert!(sent.contains(&native("b")[0]), "{sent:?}");
    // And a asks b, who asks c, once a is its own, too.
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(11)), None);
    threads.told();
    threads.hear("a", &echo("out2", "for a", at(12)));
    assert_eq!(threads.told(), vec![]);
    threads.hear("a", &echo("app2", "more words", at(12)));
    assert_eq!(writers(&mut threads), native("a"));
}

#[test]
fn an_echo_held_by_an_earlier_build_is_read() {
    let event = echo("app1", "words", at(1));
    let (key, until, send_id) = (1, at(2), SendId::parse("sn-1").unwrap());
    let held = HeldEcho { key, send_id, until, event: serde_json::to_vec(&event).unwrap() };
    assert_eq!(read(&held).unwrap().event, event);
}
