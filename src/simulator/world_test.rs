//! The world keeps its own rules, for any seed, and says the same twice.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::domain::id::{AccountId, MessageId, PersonId};
use crate::domain::thread::Thread;
use crate::domain::time::{DAY_MS, HOUR_MS, Timestamp};

use super::habits::{Habits, WorldSettings};
use super::occurrence::{Author, Body, Media, Occurrence, What};
use super::take::{Action, RefusedBy, SendCall, TakeError, Taken};
use super::world::World;

const BEGIN: u64 = 1_700_000_000_000;

fn accounts() -> Vec<AccountId> {
    ["17841400000000001", "17841400000000002"].map(|id| AccountId::parse(id).unwrap()).to_vec()
}

fn busy() -> Habits {
    Habits { edit: 0.5, unsend: 0.4, react: 0.5, native: 0.4, burst: 0.5, ..Habits::default() }
}

fn world(seed: u64, rate_per_s: f64) -> World {
    let settings = WorldSettings {
        accounts: accounts(),
        people: 20,
        rate_per_s,
        habits: busy(),
        calls_per_s: 5,
    };
    World::new(settings, StdRng::seed_from_u64(seed), Timestamp::from_ms(BEGIN)).unwrap()
}

/// Lives for a minute in steps of `step_ms`.
fn minute(seed: u64, step_ms: u64) -> Vec<Occurrence> {
    let mut world = world(seed, 5.0);
    let mut happened = Vec::new();
    let mut at = BEGIN;
    while at < BEGIN + 60_000 {
        at += step_ms;
        happened.extend(world.step(Timestamp::from_ms(at)).unwrap());
    }
    happened
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_same_seed_gives_the_same_occurrences_however_time_is_cut(seed in any::<u64>()) {
        let whole = minute(seed, 60_000);
        prop_assert!(whole.len() > 100, "five a second for a minute, and answers");
        prop_assert_eq!(&whole, &minute(seed, 60_000));
        prop_assert_eq!(&whole, &minute(seed, 50));
    }

    #[test]
    fn the_worlds_own_rules_hold(seed in any::<u64>()) {
        hold(&minute(seed, 1_000));
    }
}

/// W-1 to W-3, and times that only grow.
fn hold(happened: &[Occurrence]) {
    let mut said: BTreeMap<&MessageId, (&Thread, Author, bool)> = BTreeMap::new();
    let mut gone = BTreeSet::new();
    let mut edits: BTreeMap<&MessageId, u32> = BTreeMap::new();
    let mut before = Timestamp::from_ms(BEGIN);
    for one in happened {
        assert!(one.at >= before, "oldest first");
        before = one.at;
        let standing = |mid| said.contains_key(mid) && !gone.contains(mid);
        match &one.what {
            What::Message { mid, by, body } => {
                let new = said.insert(mid, (&one.thread, *by, body.text.is_some()));
                assert_eq!(new, None, "W-1");
            }
            What::Postback { mid, .. } => {
                assert_eq!(said.insert(mid, (&one.thread, Author::Person, false)), None, "W-1");
            }
            What::Unsent { mid, by } => {
                assert!(standing(mid), "W-2");
                assert_eq!((said[mid].0, said[mid].1), (&one.thread, *by));
                gone.insert(mid);
            }
            What::Edited { mid, num_edit, .. } => {
                assert!(standing(mid), "W-2");
                assert_eq!(said[mid], (&one.thread, Author::Person, true), "W-3");
                let counted = edits.entry(mid).or_default();
                *counted += 1;
                assert_eq!(num_edit, counted, "W-3");
            }
            What::Read { mid } | What::Reacted { mid, .. } | What::Unreacted { mid } => {
                assert!(standing(mid), "W-2");
                assert_eq!(said[mid].0, &one.thread);
            }
        }
    }
}

#[test]
fn ids_are_as_long_and_as_large_as_the_real_ones() {
    let happened = minute(7, 1_000);
    let mid = happened[0].mid().as_str();
    assert_eq!(mid.len(), 160);
    assert!(mid.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    for thread in world(7, 1.0).threads() {
        let number: u64 = thread.person_id.as_str().parse().unwrap();
        assert!(number > 1 << 53, "a double would lose digits");
    }
}

#[test]
fn some_people_write_to_two_accounts_under_two_ids() {
    let world = world(3, 1.0);
    assert_eq!(world.threads().len(), 22, "two of twenty");
    let ids: BTreeSet<_> = world.threads().iter().map(|thread| &thread.person_id).collect();
    assert_eq!(ids.len(), 22);
}

/// A world in which the first thread's person wrote once, and when.
fn after_one_message() -> (World, Thread, Timestamp, MessageId) {
    let mut world = world(1, 5.0);
    let first = world.step(Timestamp::from_ms(BEGIN + 20_000)).unwrap();
    let spoke = |one: &&Occurrence| matches!(one.what, What::Message { by: Author::Person, .. });
    let gone: BTreeSet<_> = first
        .iter()
        .filter(|one| matches!(one.what, What::Unsent { .. }))
        .map(Occurrence::mid)
        .collect();
    let last = first.iter().rfind(|one| spoke(one) && !gone.contains(one.mid())).unwrap();
    (world, last.thread.clone(), last.at, last.mid().clone())
}

fn call(thread: &Thread, action: Action, tag: Option<&str>) -> SendCall {
    let Thread { account_id, person_id } = thread.clone();
    SendCall { account_id, person_id, action, tag: tag.map(str::to_owned) }
}

#[test]
fn a_send_is_judged_by_window_and_tag() {
    // milliseconds since the person wrote, tag, expected refusal
    check(0, None, None);
    check(24 * HOUR_MS, None, None);
    check(24 * HOUR_MS + 1, None, Some(RefusedBy::Window));
    check(24 * HOUR_MS + 1, Some("HUMAN_AGENT"), None);
    check(7 * DAY_MS, Some("HUMAN_AGENT"), None);
    check(7 * DAY_MS + 1, Some("HUMAN_AGENT"), Some(RefusedBy::Window));
    check(0, Some("ACCOUNT_UPDATE"), Some(RefusedBy::Parameter));

    #[track_caller]
    fn check(after_ms: u64, tag: Option<&str>, expected: Option<RefusedBy>) {
        let (mut world, thread, at, _) = after_one_message();
        let say = call(&thread, Action::Say(Body::text("hi")), tag);
        let judged = world.take(say, at.plus_ms(after_ms));
        assert_eq!(judged.err(), expected.map(TakeError::Refused));
    }
}

#[test]
fn a_send_is_judged_by_what_it_holds() {
    let image = |url: &str| Media { kind: "image".to_owned(), url: Some(url.to_owned()) };
    let images = |count| vec![image("https://cdn.example/a.png"); count];
    let with = |media| Body { media, ..Body::default() };
    check(Body::text(&"ä".repeat(500)), None);
    check(Body::text(&format!("{}a", "ä".repeat(500))), Some(RefusedBy::MessageData));
    check(Body::text("  "), Some(RefusedBy::MessageData));
    check(with(images(10)), None);
    check(with(images(11)), Some(RefusedBy::MessageData));
    check(with(vec![image("http://cdn.example/a.png")]), Some(RefusedBy::MessageData));
    check(with(vec![Media { kind: "like_heart".to_owned(), url: None }]), None);

    #[track_caller]
    fn check(body: Body, expected: Option<RefusedBy>) {
        let (mut world, thread, at, _) = after_one_message();
        let judged = world.take(call(&thread, Action::Say(body), None), at);
        assert_eq!(judged.err(), expected.map(TakeError::Refused));
    }
}

#[test]
fn nobody_is_written_to_who_never_wrote_or_does_not_exist() {
    let mut world = world(1, 0.0);
    let now = Timestamp::from_ms(BEGIN);
    let silent = world.threads()[0].clone();
    assert_eq!(world.look_up(&silent), Err(RefusedBy::Consent));
    let stranger = Thread { person_id: PersonId::parse("1").unwrap(), ..silent.clone() };
    assert_eq!(world.look_up(&stranger), Err(RefusedBy::UnknownPerson));
    for thread in [silent, stranger] {
        let judged = world.take(call(&thread, Action::Say(Body::text("hi")), None), now);
        assert_eq!(judged, Err(TakeError::Refused(RefusedBy::UnknownPerson)), "W-4");
    }
}

#[test]
fn refused_calls_lengthen_the_block() {
    let (mut world, thread, at, mid) = after_one_message();
    let mut react = |at| world.take(call(&thread, Action::React { mid: mid.clone() }, None), at);
    for _ in 0..5 {
        assert_eq!(react(at), Ok(Taken::Noted));
    }
    let blocked = Err(TakeError::Refused(RefusedBy::RateLimit));
    assert_eq!(react(at.plus_ms(500)), blocked);
    assert_eq!(react(at.plus_ms(999)), blocked);
    assert_eq!(react(at.plus_ms(1_000)), Ok(Taken::Noted), "the first five are a second old");
}

#[test]
fn people_answer_what_was_really_sent() {
    let (mut world, thread, at, _) = after_one_message();
    let mut mids = BTreeSet::new();
    for number in 0..40 {
        let say = call(&thread, Action::Say(Body::text("hello")), None);
        let Taken::Said(echo) = world.take(say, at.plus_ms(number * 1_000)).unwrap() else {
            panic!("a message echoes");
        };
        mids.insert(echo.mid().clone());
    }
    let after = world.step(at.plus_ms(80_000)).unwrap();
    let about = |one: &&Occurrence| mids.contains(one.mid());
    assert!(after.iter().filter(about).any(|one| matches!(one.what, What::Read { .. })));
    assert!(after.iter().filter(about).any(|one| matches!(one.what, What::Reacted { .. })));
    let quoted = |one: &Occurrence| {
        let What::Message { body, .. } = &one.what else { return false };
        body.reply_to.as_ref().is_some_and(|to| mids.contains(to))
    };
    assert!(after.iter().any(quoted));
}
