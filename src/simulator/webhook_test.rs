//! Webhook bodies against the skeletons and the signature vector of Meta's documentation.

use serde_json::{Value, json};

use crate::domain::id::{AccountId, MessageId, PersonId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

use super::occurrence::{Author, Body, Media, Occurrence, StoryRef, What};
use super::webhook::{body, signature};

const ACCOUNT: &str = "17841400000000001";
const PERSON: &str = "9000000000000001";

fn at(account: &str, what: What) -> Occurrence {
    let thread = Thread {
        account_id: AccountId::parse(account).unwrap(),
        person_id: PersonId::parse(PERSON).unwrap(),
    };
    Occurrence { thread, at: Timestamp::from_ms(1_700_000_000_001), what }
}

fn mid(text: &str) -> MessageId {
    MessageId::parse(text).unwrap()
}

fn said(by: Author, body: Body) -> What {
    What::Message { mid: mid("m_1"), by, body }
}

/// The signature vector of `instagram-platform` section 1.2, reproducible with `openssl dgst`.
#[test]
fn the_documented_body_and_its_signature_come_out_byte_by_byte() {
    let occurrence = at(ACCOUNT, said(Author::Person, Body::text("äöå 😀")));
    let bytes = body(&[occurrence], Timestamp::from_ms(1_700_000_000_123)).unwrap();
    let documented = r#"{"object":"instagram","entry":[{"id":"17841400000000001","time":1700000000123,"messaging":[{"sender":{"id":"9000000000000001"},"recipient":{"id":"17841400000000001"},"timestamp":1700000000001,"message":{"mid":"m_1","text":"\u00e4\u00f6\u00e5 \ud83d\ude00"}}]}]}"#;
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), documented);
    assert_eq!(bytes.len(), 261);
    assert_eq!(
        signature("test-app-secret", &bytes),
        "sha256=49c41922fa23d7b599e7a91bcdd47f58eafe55785fc16898a4ee50544d49f25b"
    );
    let decoded = documented.replace(r"\u00e4\u00f6\u00e5 \ud83d\ude00", "äöå 😀");
    assert_eq!(
        signature("test-app-secret", decoded.as_bytes()),
        "sha256=56e2d4c1a772662079bcf3a6eabef286432c4169fd603042dd993a53d7ca15a5"
    );
}

#[test]
fn every_kind_has_the_documented_shape() {
    let url = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1&signature=s";
    let media = |kind: &str| Body {
        media: vec![Media { kind: kind.to_owned(), url: Some(url.to_owned()) }],
        ..Body::default()
    };
    let person = Author::Person;
    check(said(person, Body::text("hi")), &json!({"message": {"mid": "m_1", "text": "hi"}}));
    check(
        said(person, Body { reply_to: Some(mid("m_0")), ..Body::text("this one") }),
        &json!({"message": {"mid": "m_1", "text": "this one", "reply_to": {"mid": "m_0"}}}),
    );
    let story = Some(StoryRef { id: "180".to_owned(), url: url.to_owned() });
    check(
        said(person, Body { story, ..Body::text("nice") }),
        &json!({"message": {"mid": "m_1", "text": "nice", "reply_to": {"story": {"id": "180", "url": url}}}}),
    );
    for kind in ["image", "story_mention"] {
        check(
            said(person, media(kind)),
            &json!({"message": {"mid": "m_1", "attachments": [{"type": kind, "payload": {"url": url}}]}}),
        );
    }
    check(
        What::Unsent { mid: mid("m_1"), by: person },
        &json!({"message": {"mid": "m_1", "is_deleted": true}}),
    );
    check(
        What::Edited { mid: mid("m_1"), text: "new text".to_owned(), num_edit: 1 },
        &json!({"message_edit": {"mid": "m_1", "text": "new text", "num_edit": 1}}),
    );
    check(What::Read { mid: mid("m_7") }, &json!({"read": {"mid": "m_7"}}));
    check(
        What::Reacted { mid: mid("m_1"), reaction: "love".to_owned(), emoji: "❤️".to_owned() },
        &json!({"reaction": {"mid": "m_1", "action": "react", "reaction": "love", "emoji": "\u{2764}\u{FE0F}"}}),
    );
    check(
        What::Unreacted { mid: mid("m_1") },
        &json!({"reaction": {"mid": "m_1", "action": "unreact"}}),
    );
    check(
        What::Postback {
            mid: mid("m_1"),
            title: "Talk to an agent".to_owned(),
            payload: "CARE_HELP".to_owned(),
        },
        &json!({"postback": {"mid": "m_1", "title": "Talk to an agent", "payload": "CARE_HELP"}}),
    );

    #[track_caller]
    fn check(what: What, expected: &Value) {
        let item = only_item(at(ACCOUNT, what));
        let mut whole = json!({
            "sender": {"id": PERSON},
            "recipient": {"id": ACCOUNT},
            "timestamp": 1_700_000_000_001_u64,
        });
        let fields = expected.as_object().unwrap().clone();
        whole.as_object_mut().unwrap().extend(fields);
        assert_eq!(item, whole);
    }
}

#[test]
fn an_echo_flips_its_ids_and_says_so() {
    for by in [Author::NativeApp, Author::Api] {
        let item = only_item(at(ACCOUNT, said(by, Body::text("hello"))));
        assert_eq!(item["sender"]["id"], ACCOUNT);
        assert_eq!(item["recipient"]["id"], PERSON);
        assert_eq!(item["message"], json!({"mid": "m_1", "text": "hello", "is_echo": true}));
    }
}

#[test]
fn one_body_holds_an_entry_for_each_account() {
    let read = || What::Read { mid: mid("m_7") };
    let other = "17841400000000002";
    let occurrences = [at(ACCOUNT, read()), at(ACCOUNT, read()), at(other, read())];
    let sent_at = Timestamp::from_ms(5);
    let whole: Value = serde_json::from_slice(&body(&occurrences, sent_at).unwrap()).unwrap();
    let shape: Vec<_> = whole["entry"].as_array().unwrap().iter().collect();
    assert_eq!(shape.len(), 2);
    assert_eq!((&shape[0]["id"], &shape[1]["id"]), (&json!(ACCOUNT), &json!(other)));
    assert_eq!(shape[0]["messaging"].as_array().unwrap().len(), 2);
    assert_eq!(shape[0]["time"], 5);
}

#[test]
fn the_bytes_are_ascii_with_slashes_escaped() {
    let text = "größer / kleiner \"quoted\" 🙏🏽";
    let bytes = body(&[at(ACCOUNT, said(Author::Person, Body::text(text)))], Timestamp::from_ms(1));
    let bytes = bytes.unwrap();
    assert!(bytes.is_ascii());
    let wire = String::from_utf8(bytes.clone()).unwrap();
    assert!(wire.contains(r"gr\u00f6\u00dfer \/ kleiner"), "{wire}");
    let back: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(back["entry"][0]["messaging"][0]["message"]["text"], text);
}

fn only_item(occurrence: Occurrence) -> Value {
    let bytes = body(&[occurrence], Timestamp::from_ms(1_700_000_000_123)).unwrap();
    let mut whole: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(whole["object"], "instagram");
    assert_eq!(whole["entry"][0]["id"], ACCOUNT);
    whole["entry"][0]["messaging"][0].take()
}
