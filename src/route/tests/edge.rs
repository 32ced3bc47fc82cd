//! The stage as the engine runs it: records in, records out, timers, and a stage that forgets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::broker::record::{Headers, Output, Record, header};
use crate::domain::event::DeadLetterReason;
use crate::domain::id::{AgentId, CompanyId, ConversationId};
use crate::domain::settings::SettingsTable;
use crate::domain::time::Timestamp;
use crate::engine::context::{Committed, Context, Rows};
use crate::engine::outputs::Outputs;
use crate::engine::rehearsal::Rehearsal;
use crate::engine::stage::{Exit, Stage};
use crate::route::edge::RouteStage;
use crate::route::row::{RowId, key};
use crate::topics::Topic;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn record(topic: Topic, at_ms: u64, key: &str, value: &str) -> Record {
    let mut headers = Headers::default();
    headers.push(header::TRACE_PARENT, TRACE);
    let (key, value) = (Some(key.as_bytes().to_vec()), Some(value.as_bytes().to_vec()));
    let timestamp = Timestamp::from_ms(at_ms);
    Record { topic, partition: 0, offset: at_ms, timestamp, key, value, headers }
}

/// What a turn wrote, by key.
fn written<R: Clone>(rows: &Rows<R>) -> BTreeMap<Vec<u8>, Option<R>> {
    rows.written().map(|(key, written)| (key.to_vec(), written.row.clone())).collect()
}

fn command(id: &str, at_ms: u64, wish: &Value) -> Record {
    let mut value = json!({
        "command_id": id, "company_id": "acme", "agent_id": "ana", "issued_at": at_ms,
    });
    value.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
    record(Topic::AgentsCommands, at_ms, "acme", &value.to_string())
}

fn enqueue(company: &str, at_ms: u64) -> Record {
    let value = json!({
        "type": "enqueue", "inbox_id": "main", "due_at": 9_000_000, "waiting_since_at": at_ms,
        "customer_name": "Kim", "preview": "hello", "company_id": company, "account_id": "1784",
        "person_id": "9001", "conversation_id": "c1", "contact_id": "ct-c1-1",
        "requested_at": at_ms,
    });
    record(Topic::RoutingRequests, at_ms, company, &value.to_string())
}

fn withdraw(company: &str, at_ms: u64) -> Record {
    let value = json!({
        "type": "withdraw", "company_id": company, "account_id": "1784", "person_id": "9001",
        "conversation_id": "c1", "contact_id": "ct-c1-1", "requested_at": at_ms,
    });
    record(Topic::RoutingRequests, at_ms, company, &value.to_string())
}

fn a_day() -> Vec<Record> {
    let accept = json!({"type": "accept", "offer_id": "of-acme-2"});
    vec![
        command("k1", 1_000, &json!({"type": "log_in"})),
        command("k2", 1_001, &json!({"type": "set_availability", "available": true})),
        enqueue("acme", 1_002),
        command("k3", 31_002, &accept),
        command("k3", 31_003, &accept),
        command("k4", 31_004, &accept),
        command("k5", 31_005, &json!({"type": "log_out"})),
        enqueue("other", 31_006),
        command("k6", 31_007, &json!({"type": "log_in"})),
    ]
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(output.value.as_deref().unwrap()).unwrap()
}

#[test]
fn a_day_at_the_desk_in_records() {
    let mut route = Rehearsal::new(RouteStage::new(), SettingsTable::default());
    let mut outputs = Vec::new();
    let mut exits = Vec::new();
    for record in a_day() {
        let step = route.apply(&record).unwrap();
        exits.push(step.exit.unwrap());
        outputs.extend(step.outputs);
        outputs.extend(route.fire_due(record.timestamp).unwrap().outputs);
    }
    let emitted = Exit::Emitted;
    let expected = [emitted, emitted, emitted, emitted, Exit::Skipped("duplicate"), emitted];
    assert_eq!(exits[..6], expected);
    let lines: Vec<String> = outputs.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "command.results k1 cr-k1 command.result",
            "agents acme/ana as-acme-1 agent.snapshot",
            "command.results k2 cr-k2 command.result",
            "agents acme/ana as-acme-2 agent.snapshot",
            "routing.decisions 1784:9001 rd-acme-1 routing.queued",
            "routing.decisions 1784:9001 rd-acme-2 routing.offered",
            "agents acme/ana as-acme-3 agent.snapshot",
            "routing.decisions 1784:9001 rd-acme-3 routing.accepted",
            "command.results k3 cr-k3 command.result",
            "agents acme/ana as-acme-4 agent.snapshot",
            "command.results k4 cr-k4 command.result",
            "command.results k5 cr-k5 command.result",
            "agents acme/ana as-acme-5 agent.snapshot",
            "routing.decisions 1784:9001 rd-other-1 routing.queued",
            // Logged out at 31 005 without grace: by 31 007 the customer waits again.
            "routing.decisions 1784:9001 rd-acme-4 routing.unassigned",
            "routing.decisions 1784:9001 rd-acme-5 routing.queued",
            "agents acme/ana as-acme-6 agent.snapshot",
            "command.results k6 cr-k6 command.result",
            "agents acme/ana as-acme-7 agent.snapshot",
        ]
    );
    let offered = parsed(&outputs[5]);
    assert_eq!((&offered["type"], &offered["offer_id"]), (&json!("offered"), &json!("of-acme-2")));
    assert_eq!(offered["expires_at"], json!(31_002));
    assert_eq!(parsed(&outputs[10])["refusal"], json!("OFFER_EXPIRED"));

    for output in outputs.iter().filter(|output| output.topic == Topic::RoutingDecisions) {
        let trace = output.headers.text(header::TRACE_PARENT);
        assert_eq!(trace, Some(TRACE), "by timer too: a message is traced through all topics");
    }

    fn line(output: &Output) -> String {
        let header = |name| output.headers.text(name).unwrap();
        let key = String::from_utf8_lossy(&output.key);
        let topic = output.topic.name();
        format!("{topic} {key} {} {}", header(header::ID), header(header::TYPE))
    }
}

#[test]
fn an_offer_nobody_answers_is_missed_by_the_engines_timer() {
    let mut route = Rehearsal::new(RouteStage::new(), SettingsTable::default());
    for record in &a_day()[..3] {
        route.apply(record).unwrap();
    }
    let offered = route.fire_due(Timestamp::from_ms(1_002)).unwrap().outputs;
    assert_eq!(parsed(&offered[0])["type"], json!("offered"));
    assert_eq!(route.next_due().unwrap().unwrap().0, Timestamp::from_ms(31_002));
    assert_eq!(route.fire_due(Timestamp::from_ms(31_002)).unwrap().outputs, []);
    let outputs = route.fire_due(Timestamp::from_ms(31_003)).unwrap().outputs;
    assert_eq!(parsed(&outputs[0])["reason"], json!("MISSED"));
    assert_eq!(parsed(&outputs[1])["type"], json!("queued"));
    assert_eq!(parsed(&outputs[2])["paused_until_next"], json!(true));
    assert_eq!(route.next_due().unwrap(), None);
}

#[test]
fn what_does_not_read_is_rejected_and_changes_nothing() {
    let misplaced = Record { key: Some(b"other".to_vec()), ..enqueue("acme", 1) };
    let tombstone = Record { value: None, ..enqueue("acme", 1) };
    for bad in [
        record(Topic::RoutingRequests, 1, "acme", "{"),
        record(Topic::RoutingRequests, 1, "acme", r#"{"type":"enqueue"}"#),
        record(Topic::AgentsCommands, 1, "acme", r#"{"type":"dance"}"#),
        record(Topic::Timeline, 1, "acme", "{}"),
        misplaced,
        tombstone,
    ] {
        let mut route = Rehearsal::new(RouteStage::new(), SettingsTable::default());
        let step = route.apply(&bad).unwrap();
        assert_eq!(step.exit, Some(Exit::Rejected(DeadLetterReason::BadRecord)), "{bad:?}");
        assert_eq!((step.outputs, route.next_due().unwrap()), (Vec::new(), None));
    }
}

#[test]
fn a_stage_that_forgets_before_every_record_says_the_same() {
    assert_eq!(run(false), run(true));

    fn run(forgets: bool) -> Vec<Output> {
        let mut stage = RouteStage::new();
        let settings = SettingsTable::default();
        let mut rows = Rows::new(Committed::Memory(BTreeMap::new()));
        let (mut outputs, mut actions) = (Outputs::default(), Vec::new());
        for record in a_day() {
            if forgets {
                stage.forget();
            }
            let at = (record.timestamp, record.partition);
            let mut context = Context::new(at, &settings, &mut rows, &mut outputs, &mut actions);
            stage.apply(&record, &mut context).unwrap();
        }
        outputs.take_all()
    }
}

#[test]
fn a_timer_whose_row_or_company_is_gone_does_nothing() {
    // what happened before, whether the stage has the company in memory
    check(&[], false);
    check(&[], true);
    let withdraw = withdraw("acme", 1_003);
    check(&[enqueue("acme", 1_002), withdraw.clone()], false);
    check(&[enqueue("acme", 1_002), withdraw.clone()], true);
    let here = a_day()[..2].to_vec();
    check(&[here, vec![enqueue("acme", 1_002), withdraw]].concat(), true);

    fn check(records: &[Record], remembers: bool) {
        let mut stage = RouteStage::new();
        let mut rows = Rows::new(Committed::Memory(BTreeMap::new()));
        let (mut outputs, mut actions) = (Outputs::default(), Vec::new());
        let (settings, late) = (SettingsTable::default(), Timestamp::from_ms(9_000_000));
        for record in records {
            let at = (record.timestamp, record.partition);
            let mut context = Context::new(at, &settings, &mut rows, &mut outputs, &mut actions);
            stage.apply(record, &mut context).unwrap();
        }
        if !remembers {
            stage.forget();
        }
        drop(outputs.take_all());
        let (before, company) = (written(&rows), CompanyId::parse("acme").unwrap());
        for id in [
            RowId::Conversation(ConversationId::parse("c1").unwrap()),
            RowId::Agent(AgentId::parse("nobody").unwrap()),
        ] {
            let mut context =
                Context::new((late, 0), &settings, &mut rows, &mut outputs, &mut actions);
            stage.fire(&key(&company, &id), &mut context).unwrap();
        }
        assert!(outputs.is_empty(), "{} records", records.len());
        assert_eq!(written(&rows), before, "{} records", records.len());
    }
}

#[test]
fn a_timer_always_leaves_its_row_later_due_or_not_at_all() {
    let mut route = Rehearsal::new(RouteStage::new(), SettingsTable::default());
    for record in a_day() {
        route.apply(&record).unwrap();
        let now = record.timestamp.plus_ms(100_000);
        route.fire_due(now).unwrap();
        let due = route.next_due().unwrap();
        assert!(due.is_none_or(|(due, _)| due >= now));
    }
}
