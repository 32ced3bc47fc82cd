//! The books find planted losses, doubles and wrong words, and nothing where nothing is wrong.

use serde_json::{Value, json};

use crate::domain::id::{AccountId, MessageId, PersonId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

use super::account::{Answer, Ledger, reference_of};
use super::occurrence::{Author, Body, Occurrence, What};
use super::reconcile::Wrong;
use super::summary::Summary;

const ACCOUNT: &str = "17841400000000001";
const PERSON: &str = "90000000000000001";

fn at(what: What) -> Occurrence {
    let thread = Thread {
        account_id: AccountId::parse(ACCOUNT).unwrap(),
        person_id: PersonId::parse(PERSON).unwrap(),
    };
    Occurrence { thread, at: Timestamp::from_ms(1), what }
}

fn mid(text: &str) -> MessageId {
    MessageId::parse(text).unwrap()
}

fn said(id: &str, by: Author, text: &str) -> Occurrence {
    at(What::Message { mid: mid(id), by, body: Body::text(text) })
}

/// Happened and acknowledged.
fn came(ledger: &mut Ledger, occurrence: &Occurrence) {
    ledger.happened(occurrence);
    ledger.acknowledged(occurrence);
}

/// Taken by the Graph API, its echo acknowledged.
fn took(ledger: &mut Ledger, id: &str, text: &str, answer: Answer) {
    let echo = said(id, Author::Api, text);
    ledger.took(&echo);
    ledger.answered(echo.mid(), answer);
    ledger.acknowledged(&echo);
}

/// The books of a small talk: two messages, one changed, one taken back, a reply, a word from the app.
fn books() -> Ledger {
    let mut ledger = Ledger::default();
    came(&mut ledger, &said("in-1", Author::Person, "first"));
    came(&mut ledger, &said("in-2", Author::Person, "second"));
    let text = "first, changed".to_owned();
    came(&mut ledger, &at(What::Edited { mid: mid("in-1"), text, num_edit: 1 }));
    came(&mut ledger, &at(What::Unsent { mid: mid("in-2"), by: Author::Person }));
    ledger.asked("#ana-1");
    took(&mut ledger, "out-1", "hello #ana-1", Answer::Given);
    came(&mut ledger, &said("app-1", Author::NativeApp, "by hand"));
    ledger
}

/// The items a correct desk shows for [`books`].
fn right() -> Vec<Value> {
    vec![
        json!({"entry": "event", "event": "conversation.created", "text": "Conversation started"}),
        json!({"entry": "item", "mid": "in-1", "direction": "inbound", "text": "first, changed",
            "edited": true, "deleted": false, "native_app": false}),
        json!({"entry": "item", "mid": "in-2", "direction": "inbound", "text": "Message was deleted",
            "edited": false, "deleted": true, "native_app": false}),
        json!({"entry": "item", "mid": "out-1", "direction": "outbound", "text": "hello #ana-1",
            "state": "sent", "native_app": false}),
        json!({"entry": "item", "mid": "app-1", "direction": "outbound", "text": "by hand",
            "state": "sent", "native_app": true}),
    ]
}

fn answer(person: &str, items: &[Value]) -> Value {
    json!({
        "conversation": {"conversation_id": "cv-1", "account_id": ACCOUNT, "person_id": person},
        "items": items,
        "omitted": 0,
    })
}

#[track_caller]
fn check(ledger: &Ledger, conversations: &[Value], expected: &[(Wrong, &str)]) {
    let found = ledger.reconcile(conversations);
    let found: Vec<_> =
        found.differences.iter().map(|one| (one.what, one.which.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_correct_timeline_agrees() {
    let found = books().reconcile(&[answer(PERSON, &right())]);
    assert_eq!(found.differences, []);
    assert_eq!((found.agreed, found.items, found.conversations), (4, 4, 1));
}

#[test]
fn items_may_be_spread_over_several_conversations() {
    let mut first = right();
    let second = first.split_off(3);
    check(&books(), &[answer(PERSON, &first), answer(PERSON, &second)], &[]);
}

#[test]
fn whatever_is_missing_is_listed() {
    // which line is missing, what it is called, by what mid
    without(1, Wrong::Lost, "in-1");
    without(2, Wrong::Lost, "in-2");
    without(3, Wrong::SentNotShown, "out-1");
    without(4, Wrong::NativeLost, "app-1");

    #[track_caller]
    fn without(line: usize, wrong: Wrong, which: &str) {
        let mut items = right();
        items.remove(line);
        check(&books(), &[answer(PERSON, &items)], &[(wrong, which)]);
    }
}

#[test]
fn whatever_is_there_twice_is_listed() {
    for (line, which) in [(1, "in-1"), (2, "in-2"), (3, "out-1"), (4, "app-1")] {
        let mut items = right();
        items.push(items[line].clone());
        check(&books(), &[answer(PERSON, &items)], &[(Wrong::ShownTwice, which)]);
        let twin = items.pop().unwrap();
        let apart = [answer(PERSON, &items), answer(PERSON, &[twin])];
        check(&books(), &apart, &[(Wrong::ShownTwice, which)]);
    }
}

#[test]
fn whatever_is_shown_wrongly_is_listed() {
    with(1, "edited", json!(false), &[(Wrong::EditNotShown, "in-1")]);
    with(1, "text", json!("first"), &[(Wrong::EditNotShown, "in-1")]);
    with(1, "direction", json!("outbound"), &[(Wrong::WrongDirection, "in-1")]);
    with(2, "deleted", json!(false), &[(Wrong::StillReadable, "in-2")]);
    with(2, "text", json!("second"), &[(Wrong::StillReadable, "in-2")]);
    with(3, "state", json!("queued"), &[(Wrong::NotShownAsSent, "out-1")]);
    with(3, "state", json!("unknown"), &[(Wrong::NotShownAsSent, "out-1")]);
    with(3, "native_app", json!(true), &[(Wrong::WrongAuthor, "out-1")]);
    with(4, "native_app", json!(false), &[(Wrong::WrongAuthor, "app-1")]);

    #[track_caller]
    fn with(line: usize, field: &str, value: Value, expected: &[(Wrong, &str)]) {
        let mut items = right();
        items[line][field] = value;
        check(&books(), &[answer(PERSON, &items)], expected);
    }
}

#[test]
fn a_message_in_another_persons_timeline_is_listed() {
    let mut items = right();
    let astray = items.remove(1);
    let other = answer("90000000000000002", &[astray]);
    check(&books(), &[answer(PERSON, &items), other], &[(Wrong::WrongThread, "in-1")]);
}

#[test]
fn a_message_nobody_wrote_is_listed() {
    let mut items = right();
    items.push(json!({"mid": "ghost", "direction": "inbound", "text": "boo"}));
    check(&books(), &[answer(PERSON, &items)], &[(Wrong::NeverWritten, "ghost")]);
}

#[test]
fn a_reply_that_went_out_twice_is_listed_although_each_is_shown() {
    let mut ledger = books();
    took(&mut ledger, "out-2", "hello #ana-1", Answer::Given);
    let mut items = right();
    let mut twin = items[3].clone();
    twin["mid"] = json!("out-2");
    items.push(twin);
    check(&ledger, &[answer(PERSON, &items)], &[(Wrong::SentTwice, "#ana-1")]);
}

#[test]
fn a_reply_that_never_went_out_is_listed_unless_refused_or_put_before_the_agent() {
    let mut ledger = books();
    ledger.asked("#ana-2");
    check(&ledger, &[answer(PERSON, &right())], &[(Wrong::NeverSent, "#ana-2")]);

    let mut items = right();
    items.push(json!({"direction": "outbound", "text": "sorry #ana-2", "state": "failed"}));
    check(&ledger, &[answer(PERSON, &items)], &[]);

    let mut items = right();
    items.push(json!({"direction": "outbound", "text": "sorry #ana-2", "state": "unknown"}));
    let found = ledger.reconcile(&[answer(PERSON, &items)]);
    assert_eq!((found.put_to_agents, found.agrees()), (1, true), "{found:?}");

    items.pop();
    items.push(json!({"direction": "outbound", "text": "sorry #ana-2", "state": "queued"}));
    check(&ledger, &[answer(PERSON, &items)], &[(Wrong::NeverSent, "#ana-2")]);

    ledger.ask_not_taken("#ana-2");
    check(&ledger, &[answer(PERSON, &right())], &[]);
}

#[test]
fn what_was_never_acknowledged_may_be_there_or_not() {
    let mut ledger = books();
    let late = said("in-3", Author::Person, "late");
    ledger.happened(&late);
    ledger.gave_up(&late);
    check(&ledger, &[answer(PERSON, &right())], &[]);
    let mut items = right();
    items.push(json!({"mid": "in-3", "direction": "inbound", "text": "late"}));
    check(&ledger, &[answer(PERSON, &items)], &[]);
}

#[test]
fn a_send_whose_answer_was_lost_is_expected_once_its_echo_was_acknowledged() {
    let mut ledger = books();
    let echo = said("out-2", Author::Api, "again #ana-2");
    ledger.took(&echo);
    ledger.answered(echo.mid(), Answer::Broken);
    check(&ledger, &[answer(PERSON, &right())], &[]);
    ledger.acknowledged(&echo);
    check(&ledger, &[answer(PERSON, &right())], &[(Wrong::SentNotShown, "out-2")]);
}

#[test]
fn an_answer_that_cannot_be_read_is_listed() {
    let conversations = [answer(PERSON, &right()), json!({"items": []})];
    check(&books(), &conversations, &[(Wrong::Unreadable, "a conversation")]);
}

#[test]
fn a_reference_is_the_last_word() {
    for (text, expected) in [
        ("hello #ana-1", Some("#ana-1")),
        ("https://a.example/x [https://a.example/x] #b-2", Some("#b-2")),
        ("hello", None),
        ("only #", None),
    ] {
        assert_eq!(reference_of(text), expected, "{text}");
    }
}

#[test]
fn the_summary_adds_up_and_says_what_is_wrong() {
    let mut ledger = books();
    let late = said("in-3", Author::Person, "late");
    ledger.happened(&late);
    let agrees = Summary::of(&ledger, ledger.reconcile(&[answer(PERSON, &right())]));
    assert_eq!(agrees.on_the_way(), 1);
    ledger.gave_up(&late);
    let agrees = Summary { counts: ledger.counts().clone(), ..agrees };
    assert_eq!(agrees.on_the_way(), 0, "6 acknowledged, 1 given up, 7 happened");
    assert!(agrees.to_string().ends_with("none sent twice"), "{agrees}");

    let differs = Summary::of(&ledger, ledger.reconcile(&[answer(PERSON, &[])]));
    let shown = differs.to_string();
    assert!(shown.contains("4 differences:\n  in-1: acknowledged, but not"), "{shown}");
}
