//! Every example webhook and what becomes of it; and what must hold whatever a body says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::event::EventKind;
use crate::domain::id::AccountId;

/// Longest text taken; the platform stops at 1000 characters.
const TEXT_BYTES_MAX: usize = 64 * 1024;
const RECEIVED_AT: Timestamp = Timestamp::from_ms(1_700_000_009_000);

fn examples() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/examples/webhooks");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

fn events(body: impl AsRef<[u8]>) -> Vec<Event> {
    normalize(body.as_ref(), RECEIVED_AT, &Accounts::All)
}

#[test]
fn every_example_becomes_what_its_snapshot_says() {
    for (name, body) in examples() {
        insta::assert_json_snapshot!(name, events(&body));
    }
}

#[test]
fn every_event_of_every_example_reads_back_from_its_record() {
    for (name, body) in examples() {
        for event in events(&body) {
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event, "{name}");
        }
    }
}

#[test]
fn no_event_shares_its_id_with_another_of_its_body_nor_changes_it_on_a_second_delivery() {
    let ids = |events: &[Event]| -> Vec<String> {
        events.iter().map(|event| event.event_id.as_str().to_owned()).collect()
    };
    for (name, body) in examples() {
        let first = events(&body);
        let later = normalize(&body, RECEIVED_AT.plus_ms(60_000), &Accounts::All);
        assert_eq!(ids(&first), ids(&later), "{name}");
        let distinct: BTreeSet<String> = ids(&first).into_iter().collect();
        assert_eq!(distinct.len(), first.len(), "{name}");
    }
}

#[test]
fn the_published_signature_body_says_what_was_written() {
    // Source: platform notes, section 1.2.
    let body = r#"{"object":"instagram","entry":[{"id":"17841400000000001","time":1700000000123,"messaging":[{"sender":{"id":"9000000000000001"},"recipient":{"id":"17841400000000001"},"timestamp":1700000000001,"message":{"mid":"m_1","text":"\u00e4\u00f6\u00e5 \ud83d\ude00"}}]}]}"#;
    assert_eq!(body.len(), 261);
    let events = events(body);
    let [Event { kind: EventKind::MessageReceived(message), .. }] = events.as_slice() else {
        panic!("one message")
    };
    assert_eq!(message.content.text.as_deref(), Some("äöå 😀"));
}

#[test]
fn accounts_that_are_not_ours_are_ignored_and_say_nothing_of_who_wrote() {
    let ours = Accounts::Only([AccountId::parse("17841400000000002").unwrap()].into());
    let (_, body) =
        examples().into_iter().find(|(name, _)| name == "batch-of-two-accounts").unwrap();
    let events = normalize(&body, RECEIVED_AT, &ours);
    let names: Vec<&str> = events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(names, ["ignored", "ignored", "message.received"]);
    assert!(events[..2].iter().all(|event| event.person_id.is_none()));
}

#[test]
fn texts_and_bodies_have_bounds() {
    let body = |text: &str| {
        format!(
            r#"{{"object":"instagram","entry":[{{"id":"1","messaging":[{{"sender":{{"id":"9"}},"recipient":{{"id":"1"}},"message":{{"mid":"m","text":"{text}"}}}}]}}]}}"#
        )
    };
    assert_eq!(events(body(&"x".repeat(TEXT_BYTES_MAX)))[0].kind.name(), "message.received");
    assert_eq!(events(body(&"x".repeat(TEXT_BYTES_MAX + 1)))[0].kind.name(), "dead_letter");

    let many = "7,".repeat(envelope::PARTS_MAX + 5);
    let many = format!(r#"{{"object":"instagram","entry":[{{"messaging":[{many}7]}}]}}"#);
    assert_eq!(events(many).len(), envelope::PARTS_MAX);
}

#[test]
fn bytes_that_are_no_text_cost_their_characters_alone() {
    let body = b"{\"object\":\"instagram\",\"entry\":[{\"id\":\"1\",\"messaging\":[{\"sender\":{\"id\":\"9\"},\"recipient\":{\"id\":\"1\"},\"message\":{\"mid\":\"m\",\"text\":\"a\xffb\"}}]}]}";
    let events = events(body);
    let EventKind::MessageReceived(message) = &events[0].kind else { panic!("a message") };
    assert_eq!(message.content.text.as_deref(), Some("a\u{fffd}b"));
}

/// The example as JSON text with the keys of every object in another order.
fn permuted(value: &Value, seed: u64) -> String {
    match value {
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| permuted(value, seed)).collect();
            format!("[{}]", values.join(","))
        }
        Value::Object(fields) => {
            let mut fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| {
                    format!("{}:{}", Value::from(key.as_str()), permuted(value, seed))
                })
                .collect();
            fields
                .sort_by_key(|field| xxhash_rust::xxh3::xxh3_64_with_seed(field.as_bytes(), seed));
            format!("{{{}}}", fields.join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

/// An example and the numbers of its `messaging` items.
fn with_item(value: &Value, index: usize, item: &str) -> String {
    let mut value = value.clone();
    value["entry"][0]["messaging"][index] = Value::from("@ITEM@");
    value.to_string().replace("\"@ITEM@\"", item)
}

proptest! {
    #[test]
    fn any_bytes_become_events_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(!events(&bytes).is_empty());
    }

    #[test]
    fn any_json_in_any_place_of_the_envelope_becomes_events(
        value in json::tests::any_json(), place in 0..7_usize,
    ) {
        let body = match place {
            0 => value.to_string(),
            1 => format!(r#"{{"object":"instagram","entry":{value}}}"#),
            2 => format!(r#"{{"object":"instagram","entry":[{value}]}}"#),
            3 => format!(r#"{{"object":"instagram","entry":[{{"messaging":{value},"changes":{value}}}]}}"#),
            4 => format!(r#"{{"object":"instagram","entry":[{{"standby":[{value}]}}]}}"#),
            5 => format!(r#"{{"object":"instagram","entry":[{{"messaging":[{{"sender":{{"id":"9"}},"recipient":{{"id":"1"}},"message":{value}}}]}}]}}"#),
            _ => format!(r#"{{"object":"instagram","entry":[{{"messaging":[{{"sender":{value},"recipient":{value},"timestamp":{value},"message":{{"mid":{value},"text":{value},"attachments":{value},"reply_to":{value},"referral":{value}}}}}]}}]}}"#),
        };
        prop_assert!(!events(&body).is_empty());
        prop_assert!(peek::key_of(body.as_bytes(), &Accounts::All).is_none_or(|key| !key.is_empty()));
    }

    #[test]
    fn a_flipped_byte_of_an_example_becomes_events(
        example in prop::sample::select(examples()), at in any::<prop::sample::Index>(), byte: u8,
    ) {
        let mut body = example.1;
        let at = at.index(body.len());
        body[at] = byte;
        prop_assert!(!events(&body).is_empty());
    }

    #[test]
    fn the_order_of_keys_changes_no_event(
        example in prop::sample::select(examples()), seed: u64,
    ) {
        // Where a key stands twice, its order is the meaning.
        prop_assume!(example.0 != "message-duplicate-keys" && example.0 != "message-text-half-surrogate");
        if let Ok(value) = serde_json::from_slice::<Value>(&example.1) {
            let permuted = permuted(&value, seed);
            let (before, after) = (events(&example.1), events(&permuted));
            let is_unreadable = value.get("entry").is_none() && !value.is_array();
            if is_unreadable {
                prop_assert_eq!(before.len(), after.len());
            } else {
                prop_assert_eq!(before, after);
            }
        }
    }

    #[test]
    fn whatever_becomes_of_an_item_its_neighbours_stay(
        item in prop_oneof![
            json::tests::any_json().prop_map(|value| value.to_string()),
            json::tests::any_json().prop_map(|value| format!(r#"{{"message":{value}}}"#)),
            json::tests::any_json().prop_map(|value| format!(r#"{{"sender":{value},"reaction":{value}}}"#)),
            Just(r#"{"message":{"text":"\ud83d"}}"#.to_owned()),
            Just(r#"{"timestamp":1e999,"message":{"mid":-1e999}}"#.to_owned()),
        ],
        index in 0..8_usize,
    ) {
        let (_, body) = examples().into_iter().find(|(name, _)| name == "batch-with-bad-items").unwrap();
        let value: Value = serde_json::from_slice(&body).unwrap();
        let before = events(&body);
        let after = events(with_item(&value, index, &item));
        // One event each in the example; the item at `index` may have become several.
        prop_assert_eq!(&before[..index], &after[..index]);
        let behind = before.len() - index - 1;
        prop_assert_eq!(&before[index + 1..], &after[after.len() - behind..]);
    }
}
