//! Every fact outwardly: its types by R-155's table, its envelope, and what each type says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::outward_events;
use crate::domain::fact::Fact;
use crate::schemas;

/// A fact of ana's conversation.
fn fact(body: &Value) -> Fact {
    let mut fact = json!({
        "fact_id": "ev-1", "number": 7, "channel": "INSTAGRAM_DIRECT", "company_id": "acme",
        "account_id": "1784", "person_id": "9", "customer_id": "cu-9", "conversation_id": "cv-9-1",
        "contact_id": "ct-9-1", "initiator": { "initiator": "system" }, "inbox_id": "support",
        "assignee_id": "ana", "occurred_at": 5_000, "recorded_at": 6_000,
    });
    for (name, value) in body.as_object().unwrap() {
        fact[name] = value.clone();
    }
    serde_json::from_value(fact).unwrap()
}

fn outward(body: &Value) -> Vec<Value> {
    let events = outward_events(&fact(body));
    let schema = schemas::outward().remove("outward-event").unwrap();
    let events: Vec<Value> =
        events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    for event in &events {
        let wrong = jsonschema::validate(&schema, event).err().map(|error| error.to_string());
        assert_eq!(wrong, None, "{event:#}");
    }
    events
}

/// Every fact there is, and what it is outwardly; `None`: an extension under its own name.
#[expect(clippy::too_many_lines, reason = "one table")]
fn table() -> Vec<(Value, Option<&'static [&'static str]>)> {
    const STATUS: &str = "CONVERSATION_STATUS/UPDATED";
    const ASSIGNEE: &str = "CONVERSATION_ASSIGNEE/UPDATED";
    let offer = |kind: &str, more: Value| {
        let mut body = json!({ "type": kind, "offer_id": "of-1", "agent_id": "ben" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let item =
        |kind: &str| json!({ "type": kind, "item_id": "it-1", "kind": "text", "text": "hi" });
    let of_mid = |kind: &str| json!({ "type": kind, "mid": "m-1" });
    let due = |kind: &str| json!({ "type": kind, "due_at": 9_000 });
    let source = json!({ "account_id": "1784", "person_id": "8" });
    let merged = json!({
        "type": "customer.merged", "source": source, "source_customer_id": "cu-8",
        "source_conversation_id": "cv-8-1",
    });
    let unmerged =
        json!({ "type": "customer.unmerged", "source": source, "source_customer_id": "cu-8" });
    let transferred = json!({
        "type": "contact.transferred", "transfer": "WARM", "reason": "MANUAL",
        "to_inbox_id": "billing", "to_agent_id": "cem",
    });
    let part = |kind: &str| json!({ "type": kind, "item_id": "it-1", "send_id": "it-1.0" });
    let mut failed = part("message.failed");
    failed["code"] = json!("refused");
    let edited = json!({ "type": "message.edited", "mid": "m-1", "text": "ho", "num_edit": 1 });
    let recognised = json!({
        "type": "message.recognised", "item_id": "it-1", "mid": "m-1", "instead_of": "it-2",
    });
    let window = |kind: &str| json!({ "type": kind, "expires_at": 9_000 });
    vec![
        (
            json!({ "type": "customer.created", "display_name": "M" }),
            Some(&["CUSTOMER_PROFILE/CREATED"]),
        ),
        (json!({ "type": "customer.updated", "fields": [] }), Some(&["CUSTOMER_PROFILE/UPDATED"])),
        (json!({ "type": "customer.deleted", "items": 1 }), Some(&["CUSTOMER_PROFILE/DELETED"])),
        (merged, Some(&["CUSTOMER/MERGED"])),
        (unmerged, None),
        (json!({ "type": "conversation.created" }), Some(&["CONVERSATION/CREATED"])),
        (json!({ "type": "conversation.closed" }), Some(&["CONVERSATION/CLOSED", STATUS])),
        (json!({ "type": "conversation.reopened" }), Some(&["CONVERSATION/REOPENED"])),
        (
            json!({ "type": "contact.started", "due_at": 9_000, "direction": "inbound" }),
            Some(&["CONTACT/STARTED", STATUS]),
        ),
        (json!({ "type": "contact.queued" }), None),
        (
            offer("contact.offered", json!({ "expires_at": 9_000, "round": 1 })),
            Some(&["CONTACT/OFFERED", ASSIGNEE]),
        ),
        (offer("contact.accepted", json!({})), Some(&["CONTACT/OFFER_ACCEPTED", "CONTACT/JOINED"])),
        (
            offer("contact.rejected", json!({ "reason": "MISSED" })),
            Some(&["CONTACT/OFFER_REJECTED", ASSIGNEE]),
        ),
        (offer("contact.rescinded", json!({ "reason": "MANUAL" })), Some(&[ASSIGNEE])),
        (
            json!({ "type": "contact.assigned", "agent_id": "ben", "reason": "MESSAGE_OUTBOUND" }),
            Some(&[ASSIGNEE]),
        ),
        (
            json!({ "type": "contact.unassigned", "agent_id": "ana", "reason": "USER_DEACTIVATION" }),
            Some(&[ASSIGNEE]),
        ),
        (transferred, Some(&["CONTACT/TRANSFERRED"])),
        (
            json!({ "type": "contact.fulfilled", "how": "RESPONDED", "fulfilled_at": 8_000, "due_at": 9_000 }),
            Some(&["CONTACT/FULFILLED"]),
        ),
        (
            json!({ "type": "contact.ended", "reason": "NO_REPLY_NEEDED", "status": "ANSWERED" }),
            Some(&["CONTACT/ENDED", STATUS]),
        ),
        (item("message.received"), Some(&["CONTACT/MESSAGE_RECEIVED"])),
        (item("message.sent"), Some(&["CONTACT/MESSAGE_SENT"])),
        (item("message.queued"), None),
        (failed, None),
        (part("message.unknown"), None),
        (recognised, None),
        (json!({ "type": "message.refused", "code": "REPLY_WINDOW_EXPIRED" }), None),
        (of_mid("message.deleted"), None),
        (edited, None),
        (json!({ "type": "message.read", "read_up_to_at": 4_000 }), None),
        (of_mid("reaction.added"), None),
        (of_mid("reaction.removed"), None),
        (of_mid("message.liked"), None),
        (json!({ "type": "message.unliked", "mid": "m-1", "rejected": true }), None),
        (of_mid("story.expired"), None),
        (of_mid("story.unavailable"), None),
        (due("sla.started"), None),
        (due("sla.due_soon"), None),
        (due("sla.cleared"), None),
        (due("sla.reinstated"), None),
        (due("sla.breached"), None),
        (window("reply_window.expiring"), None),
        (window("reply_window.expired"), None),
        (json!({ "type": "topic.added", "topic": "vip" }), Some(&["CONVERSATION/TOPIC_ADDED"])),
        (json!({ "type": "topic.removed", "topic": "vip" }), Some(&["CONVERSATION/TOPIC_REMOVED"])),
        (json!({ "type": "note.created", "text": "n" }), Some(&["CONVERSATION/NOTE_CREATED"])),
    ]
}

// Holds: R-155
#[test]
fn every_fact_is_outwardly_what_the_table_says_or_an_extension_under_its_own_name() {
    let mut tried = BTreeSet::new();
    for (body, kinds) in table() {
        let own = body["type"].as_str().unwrap().to_owned();
        let events = outward(&body);
        let told: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(told, kinds.unwrap_or(&[own.as_str()]), "{own}");
        let extension = &events[0]["content"]["extension"]["type"];
        assert_eq!(extension.as_str(), kinds.is_none().then_some(own.as_str()), "{own}");
        let ids: BTreeSet<&str> =
            events.iter().map(|event| event["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), events.len(), "{own}: an id is for one event");
        tried.insert(own);
    }
    let schema = schemas::all().remove("fact").unwrap();
    let all = schema["oneOf"].as_array().unwrap().iter();
    let all: BTreeSet<String> =
        all.map(|one| one["properties"]["type"]["const"].as_str().unwrap().to_owned()).collect();
    assert_eq!(tried, all, "a fact is missing in the table");
}

// Holds
#[test]
fn the_envelope_says_which_when_who_and_whose_it_was_just_before() {
    let offered = json!({
        "type": "contact.offered", "offer_id": "of-1", "agent_id": "ben", "expires_at": 9_000,
        "round": 1, "assignee_id": null,
    });
    let place = json!({
        "channel": "INSTAGRAM_DIRECT", "customerId": "cu-9", "conversationId": "cv-9-1",
        "contactId": "ct-9-1", "context": { "assignee": { "inboxId": "support" } },
    });
    let with = |more: Value| {
        let mut content = place.clone();
        content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        content
    };
    let envelope = |id: &str, kind: &str, content: Value| {
        json!({
            "id": id, "type": kind, "timestamp": "1970-01-01T00:00:05.000Z",
            "initiator": { "type": "SYSTEM" }, "content": content,
        })
    };
    let first = with(json!({ "agentId": "ben", "matchReasons": [] }));
    let second = with(json!({
        "reason": "CONTACT_OFFERED", "assignee": { "inboxId": "support", "agentId": "ben" },
    }));
    let expected = vec![
        envelope("ev-1", "CONTACT/OFFERED", first),
        envelope("ev-1.1", "CONVERSATION_ASSIGNEE/UPDATED", second),
    ];
    assert_eq!(outward(&offered), expected);
    let rejected = json!({
        "type": "contact.rejected", "offer_id": "of-1", "agent_id": "ben", "reason": "DECLINED",
        "assignee_id": null,
    });
    let events = outward(&rejected);
    assert_eq!(events[0]["content"]["reason"], "DECLINED");
    assert_eq!(events[1]["content"]["reason"], "CONTACT_DECLINED");
    assert_eq!(events[1]["content"]["assignee"], json!({ "inboxId": "support" }), "nobody's");
    let before = &events[0]["content"]["context"]["assignee"]["agentId"];
    assert_eq!(before, "ben", "the offer had made it theirs");
    let who = |initiator: Value| {
        let note = json!({ "type": "note.created", "text": "n", "initiator": initiator });
        outward(&note)[0]["initiator"].clone()
    };
    assert_eq!(who(json!({ "initiator": "native_app" })), json!({ "type": "SYSTEM" }));
    assert_eq!(
        who(json!({ "initiator": "customer" })),
        json!({ "type": "CUSTOMER", "id": "cu-9" })
    );
    let agent = json!({ "initiator": "agent", "initiator_id": "ana" });
    assert_eq!(who(agent), json!({ "type": "AGENT", "id": "ana" }));
}

// Holds: R-155
#[test]
fn each_type_says_what_belongs_to_it() {
    let content = |kind: &str| {
        let (body, _) = table().into_iter().find(|(body, _)| body["type"] == kind).unwrap();
        outward(&body).remove(0)["content"].clone()
    };
    check(&content("contact.started"), "dueAt", &json!("1970-01-01T00:00:09.000Z"));
    check(&content("contact.started"), "entryPoint", &json!("1784"));
    check(&content("message.received"), "messageId", &json!("it-1"));
    assert_eq!(content("message.received").get("text"), None, "ids, no words");
    check(&content("contact.fulfilled"), "fulfilledType", &json!("RESPONDED"));
    check(&content("contact.ended"), "reason", &json!("NO_REPLY_NEEDED"));
    check(&content("contact.ended"), "status", &json!("ANSWERED"));
    check(&content("contact.assigned"), "reason", &json!("MESSAGE_OUTBOUND"));
    check(&content("contact.unassigned"), "reason", &json!("USER_DEACTIVATION"));
    let moved = content("contact.transferred");
    check(&moved, "transferType", &json!("WARM"));
    check(&moved, "assignee", &json!({ "inboxId": "billing", "agentId": "cem" }));
    check(&moved, "context", &json!({ "assignee": { "inboxId": "support", "agentId": "ana" } }));
    check(&content("topic.added"), "topicId", &json!("vip"));
    check(&content("note.created"), "noteId", &json!("ev-1"));
    let merged = json!({
        "sourceCustomerId": "cu-8", "sourceConversationId": "cv-8-1",
        "destinationCustomerId": "cu-9", "destinationConversationId": "cv-9-1",
    });
    assert_eq!(content("customer.merged"), merged);
    assert_eq!(content("customer.created"), json!({ "customerId": "cu-9" }));
    let (closed, _) =
        table().into_iter().find(|(it, _)| it["type"] == "conversation.closed").unwrap();
    let ids = json!({ "customerId": "cu-9", "conversationId": "cv-9-1" });
    assert_eq!(outward(&closed)[1]["content"], ids, "a status: ids only");

    #[track_caller]
    fn check(content: &Value, name: &str, expected: &Value) {
        assert_eq!(&content[name], expected, "{content:#}");
    }
}
