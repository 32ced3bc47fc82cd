//! The send stage rehearsed: records in, calls and results out, rows read back from their bytes at every step.

use prometheus::Registry;
use serde_json::{Value, json};

use crate::broker::record::{Headers, Output, Record, header};
use crate::domain::event::DeadLetterReason;
use crate::domain::id::MessageId;
use crate::domain::settings::{AccountSettings, CompanySettings, SettingsTable};
use crate::domain::time::{DAY_MS, SECOND_MS, Timestamp};
use crate::engine::rehearsal::{Rehearsal, Step};
use crate::engine::stage::Exit;
use crate::send::call::{Call, Completion};
use crate::send::edge::SendStage;
use crate::send::error::Error;
use crate::send::metrics::Metrics;
use crate::topics::Topic;

const AT: u64 = 1_700_000_000_000;
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct Stage(Rehearsal<SendStage>);

impl Stage {
    fn new() -> Self {
        let metrics = Metrics::register(&Registry::new()).unwrap();
        let account = AccountSettings { send_rate: 2, ..AccountSettings::default() };
        let settings = SettingsTable::with_fallback(account, CompanySettings::default());
        Self(Rehearsal::new(SendStage::new(metrics), settings))
    }

    fn apply(&mut self, value: &Value, at_ms: u64) -> Step<Call> {
        self.0.apply(&record(&value.to_string(), at_ms)).unwrap()
    }

    fn fire(&mut self, at_ms: u64) -> Step<Call> {
        self.0.fire_due(Timestamp::from_ms(at_ms)).unwrap()
    }

    fn complete(&mut self, call: &Call, answered: Result<&str, Error>, at_ms: u64) -> Step<Call> {
        let completion = Completion {
            account_id: call.send.thread.account_id.clone(),
            send_id: call.send.send_id.clone(),
            attempt: call.attempt,
            answered: answered.map(|mid| MessageId::parse(mid).ok()),
        };
        self.0.complete(completion, Timestamp::from_ms(at_ms)).unwrap()
    }

    /// One part, called.
    fn called(&mut self, number: u32) -> Call {
        self.apply(&send(number), AT);
        let [call] = self.fire(AT + 1).actions.try_into().unwrap();
        call
    }
}

fn send(number: u32) -> Value {
    json!({
        "type": "text", "text": "hello", "send_id": format!("it-{number}.0"),
        "item_id": format!("it-{number}"), "account_id": "1784", "person_id": "9",
        "conversation_id": "cv-1", "requested_at": AT, "expires_at": AT + 7 * DAY_MS,
        "tag_from_at": AT + DAY_MS,
    })
}

fn record(value: &str, at_ms: u64) -> Record {
    let mut headers = Headers::default();
    headers.push(header::TRACE_PARENT, TRACE);
    Record {
        topic: Topic::OutboundSends,
        partition: 0,
        offset: 0,
        timestamp: Timestamp::from_ms(at_ms),
        key: Some(b"1784".to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers,
    }
}

#[track_caller]
fn only(outputs: &[Output]) -> (&Output, Value) {
    let [output] = outputs else { panic!("one result, not {}", outputs.len()) };
    (output, serde_json::from_slice(output.value.as_deref().unwrap()).unwrap())
}

#[test]
fn a_send_becomes_a_call_and_its_answer_a_result_under_the_threads_key() {
    let mut stage = Stage::new();
    let step = stage.apply(&send(1), AT);
    assert_eq!((step.exit, step.actions.len()), (Some(Exit::Emitted), 0));
    let [call] = stage.fire(AT + 1).actions.try_into().unwrap();
    assert_eq!(serde_json::to_value(&call.send).unwrap(), send(1));
    assert_eq!((call.attempt, call.tagged), (1, false));

    let step = stage.complete(&call, Ok("aWdf1"), AT + 500);
    let (output, value) = only(&step.outputs);
    assert_eq!(
        value,
        json!({
            "outcome": "accepted", "mid": "aWdf1", "send_id": "it-1.0", "item_id": "it-1",
            "account_id": "1784", "person_id": "9", "conversation_id": "cv-1", "attempts": 1,
            "settled_at": AT + 500,
        })
    );
    assert_eq!(output.topic, Topic::OutboundResults);
    assert_eq!(output.key, b"1784:9");
    assert_eq!(output.headers.text(header::ID), Some("it-1.0.accepted"));
    assert_eq!(output.headers.text(header::TYPE), Some("send.accepted"));
    assert_eq!(output.headers.text(header::SOURCE), Some("/dmstream/send"));
    assert_eq!(output.headers.text(header::TRACE_PARENT), Some(TRACE));
}

#[test]
fn a_lost_call_is_unknown_and_a_late_answer_still_tells() {
    let mut stage = Stage::new();
    let call = stage.called(1);
    let step = stage.fire(AT + 31 * SECOND_MS);
    let (output, value) = only(&step.outputs);
    assert_eq!(value["outcome"], "unknown");
    assert_eq!(output.headers.text(header::ID), Some("it-1.0.unknown"));
    assert_eq!(step.actions, [], "never repeated");

    let step = stage.complete(&call, Ok("aWdf1"), AT + 40 * SECOND_MS);
    let (output, value) = only(&step.outputs);
    assert_eq!((&value["outcome"], &value["mid"]), (&json!("accepted"), &json!("aWdf1")));
    assert_eq!(output.headers.text(header::ID), Some("it-1.0.accepted"));
    let again = stage.complete(&call, Ok("aWdf1"), AT + 41 * SECOND_MS);
    assert_eq!((again.outputs.len(), again.actions.len()), (0, 0));
}

#[test]
fn the_same_send_acts_once_while_remembered_and_is_too_old_afterwards() {
    let mut stage = Stage::new();
    let call = stage.called(1);
    assert_eq!(stage.apply(&send(1), AT + 2).exit, Some(Exit::Skipped("duplicate")), "under way");
    stage.complete(&call, Ok("aWdf1"), AT + 500);
    assert_eq!(stage.apply(&send(1), AT + 600).exit, Some(Exit::Skipped("duplicate")), "settled");

    // Two days later its row is gone; the request, read once more with its old time, is not tried.
    let forgotten_at = AT + 500 + 2 * DAY_MS + 1;
    stage.fire(forgotten_at);
    assert_eq!(stage.0.next_due().unwrap(), None, "nothing is remembered for ever");
    assert_eq!(stage.apply(&send(1), AT).exit, Some(Exit::Emitted));
    let step = stage.fire(forgotten_at + 1);
    assert_eq!(step.actions, []);
    assert_eq!(only(&step.outputs).1["code"], "window_expired");
}

#[test]
fn a_part_that_was_never_begun_is_called_again_with_the_next_number() {
    let mut stage = Stage::new();
    let call = stage.called(1);
    let step = stage.complete(&call, Err(Error::NotSent), AT + 10);
    assert_eq!((step.outputs.len(), step.actions.len()), (0, 0));
    let [again] = stage.fire(AT + 3 * SECOND_MS).actions.try_into().unwrap();
    assert_eq!((again.attempt, &again.send), (2, &call.send));
    let stale = stage.complete(&call, Ok("aWdf1"), AT + 4 * SECOND_MS);
    assert_eq!(stale.outputs, [], "an answer to the first call says nothing about the second");
}

#[test]
fn the_rate_is_the_accounts_setting() {
    let mut stage = Stage::new();
    for number in 1..=3 {
        let mut send = send(number);
        send["person_id"] = json!(number.to_string());
        stage.apply(&send, AT);
    }
    assert_eq!(stage.fire(AT + 1).actions.len(), 2);
}

#[test]
fn what_is_no_send_is_set_aside() {
    let mut stage = Stage::new();
    for value in ["", "{}", "not json", r#"{"type":"fax"}"#] {
        let step = stage.0.apply(&record(value, AT)).unwrap();
        assert_eq!(step.exit, Some(Exit::Rejected(DeadLetterReason::BadRecord)), "{value}");
    }
}
