//! Threads that were one part again: who answers for what came meanwhile. Each test names its rules.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one of many")]

use std::collections::BTreeMap;

use serde_json::json;

use crate::conversation::decide::Input;
use crate::conversation::ledger::mid_key;
use crate::conversation::permutation_test::permutations;
use crate::conversation::rehearsed::{
    agent, at, by_ad, delete, echo, edit, mention, mid, react, read, text,
};
use crate::conversation::threads_rehearsed::{Threads, of, says, thread, two};
use crate::conversation::window::reply_until;
use crate::domain::command::{DeskWish, Refusal};
use crate::domain::event::Event;
use crate::domain::fact::{Fact, FactBody, Status, WindowReason};
use crate::domain::id::{ClientMessageId, MessageId};
use crate::domain::routing::RoutingAsk;
use crate::domain::settings::{AccountSettings, CompanySettings, SettingsTable};
use crate::domain::thread_note::ThreadNote;
use crate::domain::time::{DAY_MS, Timestamp};

const DAY: u64 = 24 * 60;

// Holds
#[test]
fn who_waits_when_threads_part_waits_on_their_own_thread_with_the_same_date_and_agent() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.assigned("b", "ben", at(6));
    let send = threads.reply("b", "hello both", at(7));
    threads.outcome(&send, "out1", at(7));
    threads.hear("a", &text("a2", at(10)));
    assert_eq!(threads.due_at("b"), Some(at(70)));
    threads.told();
    threads.asked();
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(12)), None);
    assert_eq!((threads.due_at("a"), threads.due_at("b")), (Some(at(70)), None));
    let told = threads.told();
    assert!(told.contains(&("b".to_owned(), "sla.cleared")), "{told:?}");
    for name in ["conversation.reopened", "contact.started", "sla.started"] {
        assert!(told.contains(&("a".to_owned(), name)), "{name} is not in {told:?}");
    }
    let asks = threads.asked();
    let RoutingAsk::Assign { agent_id, .. } = &asks.last().unwrap().1 else { panic!("{asks:?}") };
    assert_eq!(agent_id, &agent("ben"), "who had them");
    assert!(!threads.state("b").preview.text.contains("a2"), "nothing of a's is shown on b");
    // Unsent after all: b's line of it must go, and a alone hears of it.
    threads.hear("a", &delete("a2", at(13)));
    assert_eq!(threads.told(), says("a", &["message.deleted"]));
}

// Holds: R-152
#[test]
fn who_waited_before_the_merge_waits_after_it_and_the_homes_own_wait_stays() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    assert_eq!(threads.due_at("b"), Some(at(60)), "a's, the earlier");
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(8)), None);
    assert_eq!((threads.due_at("a"), threads.due_at("b")), (Some(at(60)), Some(at(65))));
    // Nobody waits: nothing begins.
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.assigned("b", "ben", at(6));
    let send = threads.reply("b", "hello both", at(7));
    threads.outcome(&send, "out1", at(7));
    threads.wish("a", DeskWish::Unmerge, at(8));
    assert_eq!(threads.status("a"), Some(Status::Closed));
}

/// `a` wrote `a2` while merged into `b`, got an answer there, and is their own again.
fn parted() -> Threads {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.assigned("b", "ben", at(6));
    threads.hear("a", &text("a2", at(7)));
    let send = threads.reply("b", "for a", at(8));
    assert_eq!(send.thread, thread("a"));
    threads.outcome(&send, "out1", at(8));
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(10)), None);
    threads.told();
    threads.sends.clear();
    threads
}

// Holds
#[test]
fn what_came_during_a_merge_is_edited_reacted_to_liked_read_and_unsent_on_its_own_thread() {
    let mut threads = parted();
    threads.hear("a", &edit("a2", 1, at(11)));
    assert_eq!(threads.told(), says("a", &["message.edited"]));
    threads.hear("a", &react("a2", at(12), false));
    assert_eq!(threads.told(), says("a", &["reaction.added"]));
    assert_eq!(threads.wish("a", DeskWish::Like { mid: mid("a2") }, at(13)), None);
    assert_eq!(threads.told(), says("a", &["message.liked"]));
    assert_eq!(threads.sends.pop().unwrap().thread, thread("a"));
    threads.hear("a", &read("out1", at(14)));
    assert_eq!(threads.told(), says("a", &["message.read"]));
    assert_eq!(threads.state("a").read_up_to_at, Some(at(8)), "the answer that b's agent sent");
    threads.hear("a", &delete("a2", at(15)));
    assert_eq!(threads.told(), says("a", &["message.deleted"]));
    let like = DeskWish::Like { mid: mid("a2") };
    assert_eq!(threads.wish("a", like, at(16)), Some(Refusal::TargetUnavailable));
    // The home knows nothing of it any more.
    let like = DeskWish::Like { mid: mid("a2") };
    assert_eq!(threads.wish("b", like, at(17)), Some(Refusal::TargetUnavailable));
    threads.hear("a", &echo("out1", "for a", at(9)));
    assert_eq!(threads.told(), vec![], "an answer of ours, from wherever it went");
}

// Holds
#[test]
fn what_the_home_knew_of_it_goes_along() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.hear("a", &text("a2", at(7)));
    threads.hear("a", &text("a3", at(8)));
    threads.hear("a", &edit("a2", 2, at(8)));
    threads.hear("a", &react("a2", at(9), false));
    threads.hear("a", &delete("a3", at(9)));
    assert_eq!(threads.wish("b", DeskWish::Like { mid: mid("a2") }, at(9)), None);
    let known = threads.state("b").ledger.get(mid_key(&mid("a2"))).unwrap().clone();
    threads.wish("a", DeskWish::Unmerge, at(10));
    threads.told();
    let entry = threads.state("a").ledger.get(mid_key(&mid("a2"))).unwrap().clone();
    let of_no_contact = |entry| super::ledger::Entry { contact: 0, ..entry };
    assert_eq!(of_no_contact(entry), of_no_contact(known));
    threads.hear("a", &edit("a2", 1, at(11)));
    threads.hear("a", &react("a2", at(8), true));
    assert_eq!(threads.wish("a", DeskWish::Like { mid: mid("a2") }, at(12)), None);
    assert_eq!(threads.told(), vec![], "all of it is old");
    let like = DeskWish::Like { mid: mid("a3") };
    assert_eq!(threads.wish("a", like, at(13)), Some(Refusal::TargetUnavailable));
    let newest = DeskWish::NoReplyNeeded { mid: mid("a3") };
    assert_eq!(threads.wish("a", newest, at(14)), None, "a's newest, wherever it came");
}

// Holds
#[test]
fn the_preview_that_comes_back_says_what_became_of_its_message() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.hear("a", &text("a2", at(7)));
    threads.wish("a", DeskWish::Unmerge, at(10));
    assert_eq!(threads.state("a").preview.text, "says a2");
    threads.hear("a", &edit("a2", 1, at(11)));
    assert_eq!(threads.state("a").preview.text, "a2 edit 1");
    threads.hear("a", &delete("a2", at(12)));
    assert_eq!(threads.state("a").preview.text, "Message was deleted");
}

// Holds
#[test]
fn a_preview_that_a_merge_brought_does_not_outlive_it() {
    for wish in [DeskWish::Unmerge, DeskWish::Erase] {
        let mut threads = two();
        threads.merge("b", "a", at(6));
        assert_eq!(threads.state("a").preview.text, "says b1", "the newest");
        assert_eq!(threads.snapshots[&thread("a")].preview, "says b1");
        assert_eq!(threads.wish("b", wish, at(7)), None);
        assert_eq!(threads.state("a").preview.text, "");
        assert_eq!(threads.snapshots[&thread("a")].preview, "", "nor where it was published");
    }
}

// Holds
#[test]
fn a_story_is_watched_by_the_thread_that_answers_for_it() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.hear("a", &mention("s1", at(7)));
    threads.wish("a", DeskWish::Unmerge, at(10));
    assert_eq!((threads.state("a").stories.len(), threads.state("b").stories.len()), (1, 0));
    threads.told();
    assert_eq!(threads.wish("a", DeskWish::StoryGone { mid: mid("s1") }, at(11)), None);
    assert_eq!(threads.told(), says("a", &["story.unavailable"]));
    // One that ends between two words is told once, by who hears of it last.
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.hear("a", &mention("s1", at(7)));
    threads.wish_only("a", DeskWish::Unmerge, at(7 + DAY).minus_ms(1));
    threads.settle(at(7 + DAY));
    let told = threads.told();
    let expired = told.iter().filter(|(_, name)| *name == "story.expired");
    assert_eq!(expired.collect::<Vec<_>>(), [&("a".to_owned(), "story.expired")]);
}

// Holds
#[test]
fn a_change_that_crosses_the_parting_arrives() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.hear("a", &text("a2", at(7)));
    threads.told();
    threads.wish_only("a", DeskWish::Unmerge, at(10));
    // Not yet its own, the source passes it on to a home that has let it go by then.
    let late = of("a", edit("a2", 1, at(10)));
    threads.apply(&thread("a"), &Input::Event(&late), at(10), 0);
    threads.settle(at(10));
    assert!(threads.told().contains(&("a".to_owned(), "message.edited")));
}

// Holds
#[test]
fn a_message_that_crosses_the_parting_is_waited_for_on_its_own_thread() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.assigned("b", "ben", at(6));
    let send = threads.reply("b", "hello both", at(7));
    threads.outcome(&send, "out1", at(7));
    threads.told();
    threads.wish_only("a", DeskWish::Unmerge, at(10));
    let late = of("a", text("a2", at(10)));
    threads.apply(&thread("a"), &Input::Event(&late), at(10), 0);
    threads.settle(at(10));
    let told = threads.told();
    let received = told.iter().filter(|(_, name)| *name == "message.received");
    assert_eq!(received.collect::<Vec<_>>(), [&("a".to_owned(), "message.received")]);
    assert_eq!((threads.due_at("a"), threads.due_at("b")), (Some(at(70)), None));
    threads.hear("a", &late);
    threads.hear("a", &edit("a2", 1, at(11)));
    assert_eq!(threads.told(), says("a", &["message.edited"]), "and it came once");
}

// Holds
#[test]
fn an_outcome_that_comes_after_the_parting_finds_its_send() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.hear("a", &text("a2", at(7)));
    let send = threads.reply("b", "for a", at(8));
    threads.wish("a", DeskWish::Unmerge, at(9));
    threads.told();
    threads.outcome(&send, "out1", at(10));
    assert!(threads.told().contains(&("b".to_owned(), "message.sent")));
    assert!(threads.state("b").sends.is_empty());
}

// Holds
#[test]
fn an_echo_that_was_held_is_shown_on_the_thread_it_came_on() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    let send = threads.reply("b", "hello", at(7));
    assert_eq!(send.thread, thread("b"), "b wrote last");
    threads.hear("a", &echo("app1", "hello", at(7)));
    assert_eq!(threads.state("b").held.len(), 1, "it looks like the answer");
    threads.outcome(&send, "out1", at(7));
    let shown = threads.facts.iter().find_map(|fact| match &fact.body {
        FactBody::MessageSent(item) if item.mid == Some(mid("app1")) => Some(item.origin.clone()),
        _ => None,
    });
    assert_eq!(shown, Some(Some(thread("a"))));
    threads.wish("a", DeskWish::Unmerge, at(9));
    assert!(threads.state("a").ledger.get(mid_key(&mid("app1"))).is_some());
}

/// What is shown of a message in the end.
pub(super) type Shown = (Option<String>, bool, bool);

/// Every message by what was told of it on either thread, and up to where the person has read.
pub(super) fn shown(facts: &[Fact]) -> (BTreeMap<MessageId, Shown>, Option<Timestamp>) {
    let mut messages: BTreeMap<MessageId, Shown> = BTreeMap::new();
    let mut read_up_to: Option<Timestamp> = None;
    for fact in facts {
        let (mid, change): (_, &dyn Fn(&mut Shown)) = match &fact.body {
            FactBody::MessageReceived(item) | FactBody::MessageSent(item) => {
                let (text, deleted) = (item.text.clone(), item.deleted);
                let shown = messages.entry(item.mid.clone().unwrap()).or_default();
                assert_eq!(shown.0, None, "told once");
                (shown.0, shown.1) = (text, shown.1 || deleted);
                continue;
            }
            FactBody::MessageRead { read_up_to_at } => {
                read_up_to = read_up_to.max(Some(*read_up_to_at));
                continue;
            }
            FactBody::MessageEdited { mid, text, .. } => {
                (mid, &move |shown| shown.0 = Some(text.clone()))
            }
            FactBody::MessageDeleted { mid } => (mid, &|shown| shown.1 = true),
            FactBody::ReactionAdded { mid, .. } => (mid, &|shown| shown.2 = true),
            FactBody::ReactionRemoved { mid } => (mid, &|shown| shown.2 = false),
            _ => continue,
        };
        change(messages.entry(mid.clone()).or_default());
    }
    for shown in messages.values_mut().filter(|shown| shown.1) {
        (shown.0, shown.2) = (None, false);
    }
    (messages, read_up_to)
}

/// Hears events of `a` in this order; `source` is merged into `home` before one of them and parts before another; `crossing`:
/// that one is passed on while the threads part.
pub(super) fn heard(
    mut threads: Threads,
    (source, home): (&str, &str),
    order: &[Event],
    (merged, parted, crossing): (usize, usize, bool),
) -> Threads {
    for (place, event) in order.iter().map(Some).chain([None]).enumerate() {
        if place == merged {
            assert_eq!(threads.merge(source, home, at(20)), None);
        }
        if place == parted {
            threads.wish_only(source, DeskWish::Unmerge, at(20));
            if !crossing {
                threads.settle(at(20));
            }
        }
        if let Some(event) = event {
            threads.apply(&thread("a"), &Input::Event(&of("a", event.clone())), at(20), 0);
        }
        threads.settle(at(20));
    }
    threads
}

/// Whatever is heard when, and whenever the threads are merged and part: it ends as if they never had been.
pub(super) fn every_order_ends_the_same(
    begin: &dyn Fn() -> Threads,
    pair: (&str, &str),
    mut events: Vec<Event>,
) {
    let count = events.len();
    let never = count + 1;
    let alone = shown(&heard(begin(), pair, &events, (never, never, false)).facts);
    permutations(&mut events, count, &mut |order| {
        for merged in 0..=count {
            for parted in merged..=never {
                for crossing in [false, true] {
                    let way = (merged, parted, crossing);
                    let told = shown(&heard(begin(), pair, order, way).facts);
                    assert_eq!(told, alone, "{way:?}: {order:#?}");
                }
            }
        }
    });
}

// Holds
#[test]
fn whenever_threads_are_merged_and_part_every_order_of_events_ends_the_same() {
    let sets = [
        vec![text("a2", at(7)), edit("a2", 1, at(8)), edit("a2", 2, at(9)), delete("a2", at(11))],
        vec![
            text("a2", at(7)),
            edit("a2", 1, at(8)),
            react("a2", at(9), false),
            react("a2", at(10), true),
            react("a2", at(11), false),
        ],
        vec![echo("app1", "hi", at(7)), read("app1", at(8)), delete("app1", at(9))],
    ];
    for events in sets {
        every_order_ends_the_same(&two, ("a", "b"), events);
    }
}

#[test]
fn a_word_of_an_earlier_build_is_read_without_what_was_added() {
    let old = json!({ "note": "gone", "answer": "cmd-1" });
    let ThreadNote::Gone { waiting, items, .. } = serde_json::from_value(old).unwrap() else {
        panic!("another note")
    };
    assert_eq!((waiting, items.len()), (None, 0));
    let guest = json!({ "account_id": "1784", "person_id": "9" });
    let old = json!({ "note": "take_in", "newcomer": { "guest": guest }, "hops": 0 });
    let ThreadNote::TakeIn { newcomer, .. } = serde_json::from_value(old).unwrap() else {
        panic!("another note")
    };
    assert_eq!((newcomer.thread.opened_by, newcomer.thread.ad_until_at), (None, None));
}

/// `b` wrote at 0; an ad brought `a` at 6, for three days where others have one; `a` was merged into `b` at 7.
fn with_ad() -> Threads {
    let account =
        AccountSettings { human_agent: false, ad_window_ms: 3 * DAY_MS, ..Default::default() };
    let mut threads = Threads::default();
    threads.settings = SettingsTable::with_fallback(account, CompanySettings::default());
    threads.hear("b", &text("b1", at(0)));
    threads.hear("a", &by_ad("a1", 6));
    threads.merge("a", "b", at(7));
    threads
}

fn window(threads: &Threads, person: &str) -> Option<(Timestamp, Option<WindowReason>)> {
    reply_until(threads.state(person), &thread(person), &threads.settings)
}

fn reply(words: &str, automatic: bool) -> DeskWish {
    DeskWish::Reply {
        client_message_id: ClientMessageId::parse(words).unwrap(),
        text: words.to_owned(),
        image_urls: Vec::new(),
        automatic,
        declared_bytes: 0,
    }
}

// Holds
#[test]
fn the_window_an_ad_opened_goes_along_through_a_merge() {
    let mut threads = with_ad();
    let until = at(6 + 3 * DAY);
    assert_eq!(window(&threads, "b"), Some((until, Some(WindowReason::Ad))));
    assert_eq!(threads.wish("b", reply("by a rule", true), until), None);
    let send = threads.sends.pop().unwrap();
    assert_eq!((send.thread, send.expires_at), (thread("a"), until));
    assert_eq!(send.tag_from_at, until.plus_ms(1), "no tag is needed while an ad keeps it open");
    let late = threads.wish("b", reply("late", false), until.plus_ms(1));
    assert_eq!(late, Some(Refusal::ReplyWindowExpired));
    // The home's own window was never the longer one.
    threads.wish("a", DeskWish::Unmerge, at(8 + 3 * DAY));
    let late = threads.wish("b", reply("later", false), at(9 + 3 * DAY));
    assert_eq!(late, Some(Refusal::ReplyWindowExpired));
}

// Holds
#[test]
fn what_comes_during_a_merge_moves_its_own_threads_window_alone() {
    let mut threads = with_ad();
    threads.hear("a", &text("a2", at(DAY)));
    assert_eq!(window(&threads, "b"), Some((at(6 + 3 * DAY), Some(WindowReason::Ad))));
    threads.hear("a", &text("a3", at(2 * DAY + 7)));
    let by_message = Some((at(3 * DAY + 7), Some(WindowReason::Message)));
    assert_eq!(window(&threads, "b"), by_message, "now the longer one");
    threads.hear("a", &by_ad("a4", 2 * DAY + 8));
    let by_ad = Some((at(5 * DAY + 8), Some(WindowReason::Ad)));
    assert_eq!(window(&threads, "b"), by_ad);
    // A heart goes by the window of the thread it goes to.
    assert_eq!(threads.wish("b", DeskWish::Like { mid: mid("a4") }, at(2 * DAY + 9)), None);
    let send = threads.sends.pop().unwrap();
    assert_eq!((send.thread, send.expires_at), (thread("a"), at(5 * DAY + 8)));
    assert_eq!(threads.state("b").window.unwrap().opened_at, at(0));
    threads.wish("a", DeskWish::Unmerge, at(2 * DAY + 10));
    assert_eq!(window(&threads, "a"), by_ad, "and back");
}
