//! The profile stage rehearsed: records in, questions and profiles out, rows read back from their bytes at every step.

use serde_json::{Value, json};

use crate::broker::record::{Headers, Output, Record, header};
use crate::domain::customer::Profile;
use crate::domain::derive::customer_id;
use crate::domain::settings::SettingsTable;
use crate::domain::thread::Thread;
use crate::domain::time::{SECOND_MS, Timestamp};
use crate::engine::rehearsal::{Rehearsal, Step};
use crate::engine::stage::Exit;
use crate::profile::call::{Call, Completion};
use crate::profile::edge::ProfileStage;
use crate::profile::error::Error;
use crate::topics::Topic;

const AT: u64 = 1_700_000_000_000;

struct Stage(Rehearsal<ProfileStage>);

impl Stage {
    fn new() -> Self {
        Self(Rehearsal::new(ProfileStage, SettingsTable::default()))
    }

    fn apply(&mut self, record: &Record) -> Option<Exit> {
        let step = self.0.apply(record).unwrap();
        assert_eq!((step.outputs.len(), step.actions.len()), (0, 0), "nothing is asked unwoken");
        step.exit
    }

    fn fire(&mut self, at_ms: u64) -> Vec<Call> {
        self.0.fire_due(Timestamp::from_ms(at_ms)).unwrap().actions
    }

    fn complete(
        &mut self,
        call: &Call,
        answered: Result<Profile, Error>,
        at_ms: u64,
    ) -> Step<Call> {
        let completion =
            Completion { thread: call.thread.clone(), asked_at: call.asked_at, answered };
        self.0.complete(completion, Timestamp::from_ms(at_ms)).unwrap()
    }
}

fn record(kind: &str, key: &str, at_ms: u64) -> Record {
    let mut headers = Headers::default();
    headers.push(header::TYPE, kind);
    Record {
        topic: Topic::EventsNormalized,
        partition: 0,
        offset: 0,
        timestamp: Timestamp::from_ms(at_ms),
        key: Some(key.as_bytes().to_vec()),
        value: Some(b"{}".to_vec()),
        headers,
    }
}

fn maria() -> Profile {
    Profile { name: Some("Maria".to_owned()), follower_count: Some(7), ..Profile::default() }
}

fn value(output: &Output) -> Value {
    serde_json::from_slice(output.value.as_deref().unwrap()).unwrap()
}

#[test]
fn an_item_becomes_a_question_and_its_answer_a_record_under_the_customers_key() {
    let mut stage = Stage::new();
    assert_eq!(stage.apply(&record("message.received", "1784:9", AT)), Some(Exit::Emitted));
    let [call] = stage.fire(AT + 5).try_into().unwrap();
    let thread = Thread::from_key("1784:9").unwrap();
    assert_eq!((&call.thread, call.asked_at), (&thread, Timestamp::from_ms(AT + 5)));

    let step = stage.complete(&call, Ok(maria()), AT + 300);
    let [output] = step.outputs.try_into().unwrap();
    let customer = customer_id(&thread);
    assert_eq!(
        (output.topic, output.key.as_slice()),
        (Topic::Customers, customer.as_str().as_bytes())
    );
    assert_eq!(output.headers.text(header::TYPE), Some("customer.profile"));
    assert_eq!(
        value(&output),
        json!({
            "type": "customer.profile", "customer_id": customer.as_str(), "account_id": "1784",
            "person_id": "9", "fetched_at": AT + 5, "name": "Maria", "follower_count": 7,
        })
    );
    assert!(output.headers.text(header::ID).unwrap().starts_with("ev-"));
    let again = stage.complete(&call, Ok(maria()), AT + 301);
    assert_eq!(again.outputs.len(), 0, "told once");
}

#[test]
fn only_what_a_person_sends_asks_and_each_thread_asks_for_itself() {
    let mut stage = Stage::new();
    for kind in ["message.echoed", "message.read", "reaction.added", "message.deleted", "ignored"] {
        let exit = stage.apply(&record(kind, "1784:9", AT));
        assert_eq!(exit, Some(Exit::Skipped("not_inbound")), "{kind}");
    }
    assert_eq!(
        stage.apply(&record("message.received", "1784", AT)),
        Some(Exit::Skipped("no_thread"))
    );
    assert_eq!(stage.apply(&record("postback.received", "1784:9", AT)), Some(Exit::Emitted));
    assert_eq!(
        stage.apply(&record("message.received", "1784:9", AT + 1)),
        Some(Exit::Skipped("coalesced"))
    );
    assert_eq!(stage.apply(&record("message.received", "1999:9", AT)), Some(Exit::Emitted));
    assert_eq!(stage.fire(AT + 5).len(), 2);
}

#[test]
fn a_refused_person_and_a_lost_question_cost_nothing_but_the_profile() {
    let mut stage = Stage::new();
    stage.apply(&record("message.received", "1784:9", AT));
    let [call] = stage.fire(AT + 1).try_into().unwrap();
    let step = stage.complete(&call, Err(Error::Refused { code: Some(230) }), AT + 9);
    assert_eq!(step.outputs.len(), 0);
    assert_eq!(stage.0.next_due().unwrap(), None, "nothing is left waiting");

    stage.apply(&record("message.received", "1784:8", AT));
    let [lost] = stage.fire(AT + 1).try_into().unwrap();
    assert_eq!(stage.fire(AT + 40 * SECOND_MS), [], "the deadline passed; not yet asked again");
    let [again] = stage.fire(AT + 120 * SECOND_MS).try_into().unwrap();
    assert_eq!(again.thread, lost.thread);
    let step = stage.complete(&again, Ok(maria()), AT + 121 * SECOND_MS);
    assert_eq!(step.outputs.len(), 1);
}

fn id_of(output: &Output) -> Option<&str> {
    output.headers.text(header::ID)
}

// Holds: R-154
#[test]
fn whoever_is_erased_is_forgotten_whatever_is_under_way() {
    let mut stage = Stage::new();
    stage.apply(&record("message.received", "1784:9", AT));
    let [call] = stage.fire(AT + 1).try_into().unwrap();
    let erase = Record { topic: Topic::DeskCommands, ..record("erase", "1784:9", AT) };
    let step = stage.0.apply(&erase).unwrap();
    let [gone] = step.outputs.try_into().unwrap();
    let customer = customer_id(&call.thread);
    assert_eq!((gone.topic, gone.key.as_slice()), (Topic::Customers, customer.as_str().as_bytes()));
    assert_eq!(gone.value, None);
    // The same wish once more, in the same moment: another record of another id.
    let again = stage.0.apply(&Record { offset: 1, ..erase }).unwrap();
    assert_eq!(again.outputs.len(), 1);
    assert_ne!(id_of(&again.outputs[0]), id_of(&gone));
    let late = stage.complete(&call, Ok(maria()), AT + 300);
    assert_eq!(late.outputs.len(), 0, "what was asked for before is not told after");
    let reply = Record { topic: Topic::DeskCommands, ..record("reply", "1784:9", AT) };
    assert_eq!(stage.apply(&reply), Some(Exit::Skipped("not_inbound")));
}
