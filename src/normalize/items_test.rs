//! One item at a time: when two are the same event, what is refused and where, what is passed on.

use super::*;
use crate::domain::event::{Direction, EventKind};

const RECEIVED_AT: Timestamp = Timestamp::from_ms(1_700_000_009_000);

fn events_in(list: &str, item: &str) -> Vec<Event> {
    let body = format!(r#"{{"object":"instagram","entry":[{{"id":"1","{list}":[{item}]}}]}}"#);
    normalize(body.as_bytes(), RECEIVED_AT, &Accounts::All)
}

/// The item's one event, its sides and time filled in around `payload`.
fn event(payload: &str) -> Event {
    let head = r#""sender":{"id":"9"},"recipient":{"id":"1"},"timestamp":1700000000001"#;
    let events = events_in("messaging", &format!("{{{head},{payload}}}"));
    let [event] = events.as_slice() else { panic!("one event") };
    event.clone()
}

#[test]
fn two_items_are_one_event_when_what_makes_them_is_equal() {
    // A second delivery may have other times, links and keys; the mid says that it is the same.
    let text = r#""message":{"mid":"m","text":"hi"}"#;
    check(text, r#""message":{"text":"hi","mid":"m","new_key":1}"#, true);
    check(text, r#""message":{"mid":"m","text":"hi"},"timestamp":1700000000999"#, true);
    check(text, r#""message":{"mid":"n","text":"hi"}"#, false);
    check(text, r#""message":{"mid":"m","is_deleted":true}"#, false);
    check(text, r#""message_edit":{"mid":"m","text":"hi","num_edit":1}"#, false);
    check(text, r#""read":{"mid":"m"}"#, false);
    check(text, r#""postback":{"mid":"m","payload":"hi"}"#, false);

    // Without mid it is what is said, by whom and when.
    let nameless = r#""message":{"text":"hi","attachments":[{"type":"image"}]}"#;
    check(nameless, r#""message":{"attachments":[{"type":"image"}],"text":"hi","is_new":1}"#, true);
    check(nameless, r#""message":{"text":"hi"}"#, false);
    check(nameless, &format!(r#"{nameless},"timestamp":1700000000002"#), false);
    check(nameless, &format!(r#"{nameless},"timestamp":"1700000000001""#), true);
    check(nameless, &format!(r#"{nameless},"sender":{{"id":"8"}}"#), false);
    check(nameless, &format!(r#"{nameless},"sender":9"#), true);
    check(r#""read":{"watermark":1700000000000}"#, r#""read":{"watermark":"1700000000000"}"#, true);
    check(r#""read":{"watermark":1700000000000}"#, r#""read":{"watermark":1700000000001}"#, false);

    let edit = r#""message_edit":{"mid":"m","text":"a","num_edit":1}"#;
    check(edit, r#""message_edit":{"mid":"m","text":"a","num_edit":"1"}"#, true);
    check(edit, r#""message_edit":{"mid":"m","text":"a","num_edit":2}"#, false);

    // A heart given, taken and given again is three events.
    let love = r#""reaction":{"mid":"m","action":"react","reaction":"love","emoji":"❤"}"#;
    check(love, love, true);
    check(love, &format!(r#"{love},"timestamp":1700000000002"#), false);
    check(love, r#""reaction":{"mid":"m","action":"unreact"}"#, false);
    check(love, r#""reaction":{"mid":"m","action":"react","reaction":"love","emoji":"🦖"}"#, false);
    check(love, r#""reaction":{"mid":"n","action":"react","reaction":"love","emoji":"❤"}"#, false);
    check(love, &format!(r#"{love},"sender":{{"id":"8"}}"#), false);

    #[track_caller]
    fn check(one: &str, other: &str, same: bool) {
        assert_eq!(event(one).event_id == event(other).event_id, same);
    }
}

#[test]
fn what_is_refused_is_told_by_its_path_and_never_by_its_content() {
    check(r#""message":[]"#, "bad_shape", ".message");
    check(r#""message":{"mid":{}}"#, "bad_shape", ".message.mid");
    check(r#""message":{"mid":1.5}"#, "bad_shape", ".message.mid");
    check(r#""message":{"mid":"m","text":["secret"]}"#, "bad_shape", ".message.text");
    check(r#""message":{"is_deleted":true}"#, "bad_shape", ".message.mid");
    check(r#""message":{},"sender":{"id":"9\n"}"#, "bad_shape", ".sender.id");
    check(r#""message":{},"sender":{"id":""}"#, "missing_sender", ".sender.id");
    check(r#""message":{},"sender":null"#, "missing_sender", ".sender.id");
    check(r#""message":{},"sender":{}"#, "missing_sender", ".sender.id");
    check(r#""message":{},"recipient":{"id":"1:2"}"#, "bad_shape", ".recipient.id");
    check(r#""message":{"is_echo":true},"recipient":{}"#, "missing_sender", ".recipient.id");
    check(r#""message_edit":{"text":"a","num_edit":1}"#, "bad_shape", ".message_edit.mid");
    check(r#""message_edit":{"mid":"m","num_edit":1}"#, "bad_shape", ".message_edit.text");
    let edit = |number| format!(r#""message_edit":{{"mid":"m","text":"a","num_edit":{number}}}"#);
    for number in ["-1", "1.5", "4294967296", r#""many""#, "[]"] {
        check(&edit(number), "bad_shape", ".message_edit.num_edit");
    }
    check(r#""reaction":{"action":"react"}"#, "bad_shape", ".reaction.mid");
    check(r#""reaction":{"mid":"m"}"#, "bad_shape", ".reaction.action");
    check(r#""read":{}"#, "bad_shape", ".read");
    check(r#""read":7"#, "bad_shape", ".read");
    check(r#""postback":"START""#, "bad_shape", ".postback");
    check(r#""postback":{"payload":{}}"#, "bad_shape", ".postback.payload");
    check(r#""referral":{}"#, "bad_shape", ".referral");

    #[track_caller]
    fn check(payload: &str, expected: &str, below: &str) {
        let EventKind::DeadLetter { reason, detail } = event(payload).kind else {
            panic!("a dead letter")
        };
        assert_eq!(reason.name(), expected);
        assert_eq!(detail.as_deref(), Some([r"$.entry[0].messaging[0]", below].concat().as_str()));
    }
}

#[test]
fn decoration_of_an_odd_shape_is_left_out_and_the_message_stays() {
    let odd = r#""message":{"mid":"m","text":"hi","quick_reply":7,"referral":"ad","reply_to":[1],"folder":{},"app_id":[]}"#;
    assert_eq!(event(odd).kind, event(r#""message":{"mid":"m","text":"hi"}"#).kind);
}

#[test]
fn an_edit_may_empty_a_text_and_without_number_is_the_first() {
    let EventKind::MessageEdited { text, num_edit } =
        event(r#""message_edit":{"mid":"m","text":""}"#).kind
    else {
        panic!("an edit")
    };
    assert_eq!((text.as_str(), num_edit), ("", 1));
}

#[test]
fn an_item_that_says_two_things_becomes_two_events_whatever_their_order() {
    let item = r#"{"referral":{"ref":"r"},"sender":{"id":"9"},"recipient":{"id":"1"},"message":{"mid":"m"}}"#;
    let names: Vec<&str> =
        events_in("messaging", item).iter().map(|event| event.kind.name()).collect();
    assert_eq!(names, ["message.received", "referral.received"]);
}

#[test]
fn a_standby_item_is_marked_and_one_in_messaging_is_not() {
    let item = r#"{"sender":{"id":"9"},"recipient":{"id":"1"},"message":{"mid":"m"}}"#;
    for (list, expected) in [("standby", true), ("messaging", false)] {
        let events = events_in(list, item);
        let EventKind::MessageReceived(message) = &events[0].kind else { panic!("a message") };
        assert_eq!(message.standby, expected);
    }
}

#[test]
fn who_unsent_a_message_is_told_by_who_had_sent_it() {
    check("9", "1", Direction::Inbound);
    check("1", "9", Direction::Outbound);

    #[track_caller]
    fn check(sender: &str, recipient: &str, expected: Direction) {
        let item = format!(
            r#"{{"sender":{{"id":"{sender}"}},"recipient":{{"id":"{recipient}"}},"message":{{"mid":"m","is_deleted":true}}}}"#
        );
        let event = events_in("messaging", &item).remove(0);
        assert_eq!(event.kind, EventKind::MessageDeleted { direction: expected });
        assert_eq!(event.thread().unwrap().key(), "1:9");
    }
}
