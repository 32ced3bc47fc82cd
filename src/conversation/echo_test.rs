//! Echoes, own and native, and the stage's edge: each test named after its rule.

use std::collections::BTreeMap;

use crate::broker::record::{CloudEvent, Output, Record, header};
use crate::conversation::edge::ConversationStage;
use crate::conversation::rehearsed::{Story, accepted, at, echo, mid, text, thread};
use crate::conversation::routing::ROUTED_BY_ECHO;
use crate::domain::command::{DeskCommand, DeskWish};
use crate::domain::derive;
use crate::domain::event::DeadLetterReason;
use crate::domain::fact::{FactBody, Initiator, Status};
use crate::domain::id::{AgentId, ClientMessageId, CommandId};
use crate::domain::outbound::{OutboundSend, SendResult};
use crate::domain::settings::{AccountSettings, CompanySettings, SettingsTable};
use crate::domain::time::{SECOND_MS, Timestamp};
use crate::engine::context::{Committed, Context, Rows};
use crate::engine::outputs::Outputs;
use crate::engine::rehearsal::Rehearsal;
use crate::engine::stage::{Exit, Row, Stage};
use crate::topics::Topic;

fn with(account: AccountSettings) -> Story {
    Story::with(account, CompanySettings::default())
}

/// Ana's `hello` is on its way.
fn sending() -> (Story, OutboundSend) {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    story.assigned("ana", at(1));
    let send = story.reply("ana", "hello", at(2)).sends()[0].clone();
    (story, send)
}

// Holds
#[test]
fn an_echo_shows_and_clears_what_came_before_it_alone() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    story.hear(&text("m2", at(5)));
    let late = echo("e1", "from the app", at(3));
    let step = story.apply(&super::decide::Input::Event(&late), at(6));
    assert_eq!(step.facts(), ["message.sent", "sla.cleared", "contact.fulfilled", "sla.started"]);
    assert_eq!(step.whole_facts()[0].initiator, Initiator::NativeApp);
    assert_eq!(story.due_at(), Some(at(65)));
    assert_eq!(story.status(), Some(Status::New), "R-77: it still routes");
}

// Holds: R-77
#[test]
fn the_agent_is_told_why_when_an_echo_is_the_newest_item() {
    check(true, Some(ROUTED_BY_ECHO));
    check(false, None);

    #[track_caller]
    fn check(echo_last: bool, expected: Option<&str>) {
        let mut story = Story::new();
        let echo_at = if echo_last { at(2) } else { at(0) };
        story.hear(&text("m1", at(1)));
        story.apply(&super::decide::Input::Event(&echo("e1", "app", echo_at)), at(3));
        let FactBody::ContactAssigned { text, .. } = &story.assigned("ana", at(4)).bodies()[0]
        else {
            panic!("not assigned")
        };
        assert_eq!(text.as_deref(), expected);
    }
}

// Holds: R-79
#[test]
fn with_echo_off_an_echo_is_counted_and_nothing_else() {
    let mut story = with(AccountSettings { echo: false, ..AccountSettings::default() });
    let step = story.hear(&echo("e1", "app", at(0)));
    assert_eq!((step.exit, step.facts()), (Exit::Skipped("echo_disabled"), vec![]));
    assert_eq!(story.state.conversation, None);
}

// Holds: R-80
#[test]
fn the_echo_after_the_answer_is_known_by_its_mid() {
    let (mut story, send) = sending();
    story.outcome(&send, accepted("out1"), at(3));
    let step = story.hear(&echo("out1", "hello", at(3)));
    assert_eq!((step.exit, step.facts()), (Exit::Skipped("own_echo"), vec![]));
}

// Holds: R-80
#[test]
fn the_echo_before_the_answer_is_held_and_absorbed() {
    let (mut story, send) = sending();
    assert_eq!(story.hear(&echo("out1", " hello\n", at(3))).facts(), Vec::<&str>::new());
    let when = at(3).plus_ms(SECOND_MS);
    let step = story.outcome(&send, accepted("out1"), when);
    assert_eq!(step.facts(), ["message.sent", "contact.fulfilled"]);
    assert_eq!(story.state.held, vec![]);
}

// Holds: R-80
#[test]
fn an_equal_text_from_the_app_is_native_once_the_answer_names_another_mid() {
    let (mut story, send) = sending();
    story.hear(&echo("app1", "hello", at(3)));
    let step = story.outcome(&send, accepted("out1"), at(3).plus_ms(SECOND_MS));
    assert_eq!(step.facts(), ["message.sent", "contact.fulfilled", "message.sent"]);
    assert_eq!(step.whole_facts()[2].initiator, Initiator::NativeApp);
}

// Holds: R-80
#[test]
fn an_echo_whose_answer_never_comes_settles_the_send() {
    let (mut story, send) = sending();
    story.hear(&echo("out1", "hello", at(3)));
    let end = at(3).plus_ms(10 * SECOND_MS);
    assert_eq!(story.timers(end).facts(), Vec::<&str>::new());
    assert_eq!(story.timers(end.plus_ms(1)).facts(), ["message.sent", "contact.fulfilled"]);
    assert_eq!(story.outcome(&send, accepted("out1"), at(9)).exit, Exit::Skipped("stale"));
    assert_eq!(story.hear(&echo("out1", "hello", at(9))).exit, Exit::Skipped("own_echo"));
}

// Holds: R-80
#[test]
fn one_send_absorbs_one_echo_and_another_text_is_native_at_once() {
    let (mut story, _) = sending();
    story.hear(&echo("e1", "hello", at(3)));
    assert_eq!(story.hear(&echo("e2", "hello", at(3))).facts()[0], "message.sent");
    assert_eq!(story.hear(&echo("e3", "other", at(3))).facts()[0], "message.sent");
    assert_eq!(story.state.held.len(), 1);
}

// Holds: R-81
#[test]
fn an_echo_without_conversation_begins_one_without_due_date_routed_if_wished() {
    check(true, &["enqueue"]);
    check(false, &[]);

    #[track_caller]
    fn check(route_on_echo_only: bool, asks: &[&str]) {
        let mut story = with(AccountSettings { route_on_echo_only, ..AccountSettings::default() });
        let step = story.hear(&echo("e1", "app", at(0)));
        assert!(step.facts().contains(&"contact.started"));
        assert_eq!((step.asks(), story.due_at()), (asks.to_vec(), None));
        let joined = story.hear(&text("m1", at(1)));
        let expected = if route_on_echo_only { "update" } else { "enqueue" };
        assert_eq!(joined.asks(), [expected], "the customer is never forgotten");
    }
}

// Holds: R-82
#[test]
fn an_echo_arms_the_auto_end_of_an_assigned_contact() {
    let (mut story, _) = sending();
    story.hear(&text("m2", at(3)));
    story.hear(&echo("e1", "app", at(4)));
    assert_eq!(story.state.conversation.unwrap().contact().unwrap().auto_end_at, Some(at(19)));
}

/// A record as another stage would write it.
fn record(topic: Topic, kind: &str, when: Timestamp, value: &impl serde::Serialize) -> Record {
    let about =
        CloudEvent { id: "x", kind, source: "/test", time: when, traceparent: Some("00-aa-bb-01") };
    let output = Output::event(topic, &thread().key(), &about, value).unwrap();
    Record {
        topic,
        partition: 0,
        offset: 0,
        timestamp: when,
        key: Some(output.key),
        value: output.value,
        headers: output.headers,
    }
}

fn topics(outputs: &[Output]) -> Vec<Topic> {
    let mut topics: Vec<Topic> = outputs.iter().map(|output| output.topic).collect();
    topics.dedup();
    topics
}

#[test]
fn the_stage_turns_a_message_into_timeline_and_request_and_a_reply_into_a_send() {
    let mut stage = Rehearsal::new(ConversationStage, SettingsTable::default());
    let message = record(Topic::EventsNormalized, "message.received", at(0), &text("m1", at(0)));
    let step = stage.apply(&message).unwrap();
    let expected = [Topic::Timeline, Topic::RoutingRequests, Topic::Conversations];
    assert_eq!(topics(&step.outputs), expected);
    for output in &step.outputs {
        assert_eq!(output.headers.text(header::TRACE_PARENT), Some("00-aa-bb-01"));
    }
    assert_eq!(step.outputs[0].key, thread().key().into_bytes());
    assert_eq!(stage.apply(&message).unwrap().exit, Some(Exit::Skipped("duplicate")));

    let command = DeskCommand {
        wish: DeskWish::Reply {
            client_message_id: ClientMessageId::parse("c1").unwrap(),
            text: "hello".into(),
            image_urls: Vec::new(),
            automatic: false,
            declared_bytes: 0,
        },
        command_id: CommandId::parse("cmd-1").unwrap(),
        thread: thread(),
        conversation_id: derive::conversation_id(&thread(), 1),
        agent_id: AgentId::parse("ana").unwrap(),
        issued_at: at(1),
    };
    let step = stage.apply(&record(Topic::DeskCommands, "reply", at(1), &command)).unwrap();
    let expected = [
        Topic::Timeline,
        Topic::RoutingRequests,
        Topic::OutboundSends,
        Topic::CommandResults,
        Topic::Conversations,
    ];
    assert_eq!(topics(&step.outputs), expected);
    let sent = step.outputs.iter().find(|output| output.topic == Topic::OutboundSends).unwrap();
    assert_eq!(sent.key, b"17841400000000001");
    let send: OutboundSend = serde_json::from_slice(sent.value.as_ref().unwrap()).unwrap();
    let result = SendResult {
        outcome: accepted("out1"),
        send_id: send.send_id,
        item_id: send.item_id,
        thread: thread(),
        conversation_id: send.conversation_id,
        attempts: 1,
        settled_at: at(2),
    };
    let step = stage.apply(&record(Topic::OutboundResults, "accepted", at(2), &result)).unwrap();
    assert_eq!(step.exit, Some(Exit::Emitted));
    let own =
        record(Topic::EventsNormalized, "message.echoed", at(2), &echo("out1", "hello", at(2)));
    assert_eq!(stage.apply(&own).unwrap().exit, Some(Exit::Skipped("own_echo")));
    let due = stage.next_due().unwrap().unwrap();
    let warning = at(6 * 24 * 60);
    assert_eq!(due, (warning, thread().key().into_bytes()));
    assert_eq!(topics(&stage.fire_due(warning.plus_ms(1)).unwrap().outputs).len(), 2);
    assert!(mid("out1").as_str().len() > 3);
}

#[test]
fn a_decision_that_fails_leaves_the_row_as_it_was() {
    let (mut story, _) = sending();
    story.hear(&echo("e1", "hello", at(3)));
    story.state.held[0].event = b"nothing that reads".to_vec();
    let (key, state) = (thread().key().into_bytes(), Box::new(story.state));
    let mut bytes = Vec::new();
    state.encode(&mut bytes);
    for committed in [BTreeMap::from([(key.clone(), bytes)]), BTreeMap::new()] {
        let is_committed = !committed.is_empty();
        let mut rows = Rows::new(Committed::Memory(committed));
        let (settings, mut outputs, mut actions) =
            (SettingsTable::default(), Outputs::default(), Vec::new());
        let mut context =
            Context::new((at(9), 0), &settings, &mut rows, &mut outputs, &mut actions);
        if !is_committed {
            context.put(&key, state.clone());
        }
        let late = record(Topic::EventsNormalized, "message.received", at(9), &text("m2", at(9)));
        let exit = ConversationStage.apply(&late, &mut context).unwrap();
        assert_eq!(exit, Exit::Rejected(DeadLetterReason::BadRecord));
        assert_eq!(context.get(&key).unwrap().as_ref(), Some(&state));
        assert_eq!(rows.written().count(), usize::from(!is_committed));
        assert!(outputs.is_empty());
    }
}

#[test]
fn the_stage_rejects_what_does_not_read() {
    let mut stage = Rehearsal::new(ConversationStage, SettingsTable::default());
    for topic in [Topic::EventsNormalized, Topic::DeskCommands, Topic::OutboundResults] {
        let step = stage.apply(&record(topic, "x", at(0), &"nonsense")).unwrap();
        assert_eq!(step.exit, Some(Exit::Rejected(DeadLetterReason::BadRecord)));
    }
}
