//! The stage run by hand: what it writes, where to, under which headers.

use super::*;
use crate::broker::record::Headers;
use crate::domain::settings::SettingsTable;
use crate::engine::rehearsal::{Rehearsal, Step};

const TEXT: &str = r#"{"sender":{"id":"9"},"recipient":{"id":"1"},"timestamp":1700000000001,"message":{"mid":"m","text":"hi"}}"#;
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn body(items: &[&str]) -> String {
    let items = items.join(",");
    format!(r#"{{"object":"instagram","entry":[{{"id":"1","messaging":[{items}]}}]}}"#)
}

fn record(body: &str) -> Record {
    let mut headers = Headers::default();
    headers.push(header::TRACE_PARENT, TRACE);
    headers.push("x-edge", "one");
    Record {
        topic: Topic::WebhooksRaw,
        partition: 5,
        offset: 77,
        timestamp: Timestamp::from_ms(1_700_000_009_000),
        key: None,
        value: Some(body.as_bytes().to_vec()),
        headers,
    }
}

fn run(record: &Record) -> Step<()> {
    let mut rehearsal = Rehearsal::new(NormalizeStage::default(), SettingsTable::default());
    rehearsal.apply(record).unwrap()
}

#[test]
fn an_event_goes_out_under_its_thread_with_its_id_time_and_trace() {
    let step = run(&record(&body(&[TEXT])));
    assert_eq!(step.exit, Some(Exit::Emitted));
    let [output] = step.outputs.as_slice() else { panic!("one output") };
    assert_eq!(output.topic, Topic::EventsNormalized);
    assert_eq!(output.key, b"1:9");
    assert_eq!(output.partition, None);
    assert_eq!(output.timestamp, Timestamp::from_ms(1_700_000_009_000));
    assert_eq!(output.headers.text(header::TYPE), Some("message.received"));
    assert_eq!(output.headers.text(header::SOURCE), Some("/dmstream/normalize"));
    assert_eq!(output.headers.text(header::TIME), Some("2023-11-14T22:13:20.001Z"));
    assert_eq!(output.headers.text(header::TRACE_PARENT), Some(TRACE));
    let event: Event = serde_json::from_slice(output.value.as_deref().unwrap()).unwrap();
    assert_eq!(output.headers.text(header::ID), Some(event.event_id.as_str()));
}

#[test]
fn an_event_without_person_goes_under_its_account_and_without_both_under_its_id() {
    let policy = r#"{"recipient":{"id":"1"},"policy_enforcement":{"action":"block"}}"#;
    assert_eq!(run(&record(&body(&[policy]))).outputs[0].key, b"1");
    let page = run(&record(r#"{"object":"page","entry":[]}"#));
    let id = page.outputs[0].headers.text(header::ID).unwrap().to_owned();
    assert_eq!(page.outputs[0].key, id.into_bytes());
}

#[test]
fn a_body_that_is_no_webhook_is_left_to_the_engine() {
    check("{", DeadLetterReason::BadJson);
    check("", DeadLetterReason::BadJson);
    check("null", DeadLetterReason::BadShape);
    check(r#"{"object":"instagram"}"#, DeadLetterReason::BadShape);

    #[track_caller]
    fn check(body: &str, reason: DeadLetterReason) {
        let step = run(&record(body));
        assert_eq!(step.exit, Some(Exit::Rejected(reason)));
        assert!(step.outputs.is_empty());
    }
}

#[test]
fn a_tombstone_is_no_webhook() {
    let step = run(&Record { value: None, ..record("") });
    assert_eq!(step.exit, Some(Exit::Rejected(DeadLetterReason::BadJson)));
}

#[test]
fn a_bad_item_becomes_a_dead_letter_with_bytes_and_place_beside_its_neighbours() {
    let text = body(&[r#"{"message":{"text":"from nobody"}}"#, TEXT, "7", "8"]);
    let record = record(&text);
    let step = run(&record);
    assert_eq!(step.exit, Some(Exit::Emitted));
    let topics: Vec<Topic> = step.outputs.iter().map(|output| output.topic).collect();
    assert_eq!(topics, [Topic::EventsNormalized, Topic::DeadLetters, Topic::DeadLetters]);

    let shape = &step.outputs[1];
    assert_eq!(shape.key, b"webhooks.raw-5");
    assert_eq!(shape.value.as_deref(), Some(text.as_bytes()));
    let header_is = |name, expected| assert_eq!(shape.headers.text(name), Some(expected), "{name}");
    header_is(header::REASON, "bad_shape");
    header_is(header::DETAIL, "$.entry[0].messaging[2] $.entry[0].messaging[3]");
    header_is(header::SOURCE_TOPIC, "webhooks.raw");
    header_is(header::SOURCE_PARTITION, "5");
    header_is(header::SOURCE_OFFSET, "77");
    header_is(header::SOURCE_TIME, "1700000009000");
    header_is(header::TRACE_PARENT, TRACE);
    header_is("x-edge", "one");

    let nobody = &step.outputs[2].headers;
    assert_eq!(nobody.text(header::REASON), Some("missing_sender"));
    assert_eq!(nobody.text(header::DETAIL), Some("$.entry[0].messaging[0].sender.id"));
}

#[test]
fn a_thousand_bad_items_are_one_dead_letter() {
    let step = run(&record(&body(&["7"; 1000])));
    let [output] = step.outputs.as_slice() else { panic!("one output") };
    let detail = output.headers.text(header::DETAIL).unwrap();
    assert!(detail.ends_with(".messaging[7] …"), "{detail}");
}

#[test]
fn the_row_that_is_never_written_refuses_what_is_no_row() {
    assert_eq!(NoRow::decode(&[]), Ok(NoRow));
    assert_eq!(NoRow::decode(&[3]), Err(RowError::UnknownVersion(3)));
    assert_eq!(NoRow.due_at(), None);
}
