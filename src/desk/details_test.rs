//! Details of customers, moves to other inboxes and outward items over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use super::world_test::{Behind, NOW, OPEN, World, answer, apply, thread};
use crate::domain::command::{DeskCommand, DeskWish};
use crate::domain::customer::{CustomerDetails, CustomerRecord};
use crate::domain::derive::customer_id;
use crate::domain::details::{DetailEdit, Details};
use crate::domain::thread::Thread;
use crate::topics::Topic;

fn second() -> Thread {
    Thread::from_key("1999:9000000000000002").unwrap()
}

fn path(thread: &Thread) -> String {
    format!("/v1/customers/{}", customer_id(thread))
}

fn note(world: &World, thread: &Thread, details: Details) {
    let noted = CustomerRecord::Details(CustomerDetails {
        customer_id: customer_id(thread),
        thread: thread.clone(),
        details,
        edited_at: NOW,
    });
    apply(&world.views, Topic::Customers, &noted.key().text(), &noted);
}

async fn patch(world: &World, body: Value) -> (u16, Value) {
    answer(world.request(Method::PATCH, &path(&thread()), "ana").json(&body)).await
}

// Holds
#[tokio::test]
async fn agents_note_details_and_numbers_and_addresses_reach_the_log_comparable() {
    let mut world = World::new(Behind::Stage).await;
    let body = json!({
        "phone": "0049 30 123-456", "phone_verified": true, "email": null,
        "username": "marie.b", "named": { "shoe size": "38", "old": null },
    });
    assert_eq!(patch(&world, body).await.0, 200);
    let (output, command): (_, DeskCommand) = world.recorded();
    assert_eq!(output.key, thread().key().into_bytes());
    let some = |text: &str| Some(text.to_owned());
    let named = |name: &str, to| DetailEdit::Named { name: name.to_owned(), to };
    let edits = vec![
        DetailEdit::Email { to: None },
        named("old", None),
        named("shoe size", some("38")),
        DetailEdit::Phone { to: some("+4930123456") },
        DetailEdit::Username { to: some("marie.b") },
        DetailEdit::PhoneVerified { verified: true },
    ];
    assert_eq!(command.wish, DeskWish::EditDetails { edits });
}

// Holds: R-12
#[tokio::test]
async fn what_came_from_instagram_is_read_only_and_odd_details_are_named() {
    let mut world = World::new(Behind::Stage).await;
    for field in ["name", "display_name", "person_id", "verified", "instagram_username"] {
        let (status, body) = patch(&world, json!({ field: "x" })).await;
        assert_eq!((status, &body["error"]["code"]), (422, &json!("FIELD_READ_ONLY")), "{field}");
    }
    for (body, code) in [
        (json!({ "phone": "030 123456" }), "INVALID_FIELD"),
        (json!({ "email": "nobody" }), "INVALID_FIELD"),
        (json!({ "shoe": "38" }), "UNKNOWN_FIELD"),
        (json!({ "username": 7 }), "INVALID_FIELD"),
        (json!({ "named": { "": "x" } }), "INVALID_FIELD"),
    ] {
        let (status, answered) = patch(&world, body.clone()).await;
        assert_eq!((status, &answered["error"]["code"]), (400, &json!(code)), "{body}");
    }
    assert!(world.commands.try_recv().is_err(), "nothing of this was recorded");
}

// Holds: R-14
#[tokio::test]
async fn an_equal_number_or_address_opens_the_same_profile() {
    let world = World::new(Behind::Stage).await;
    let details = Details {
        phone: Some("+4930123456".to_owned()),
        email: Some("marie@example.com".to_owned()),
        ..Details::default()
    };
    note(&world, &thread(), details);
    for query in ["phone=%2B49%2030%20123456", "phone=+4930123456", "email=Marie@Example.com"] {
        let (status, body) = world.get(&format!("/v1/customers?{query}"), "ana").await;
        assert_eq!(status, 200);
        let found = body["customers"].as_array().unwrap();
        assert_eq!(found.len(), 1, "{query}");
        let own = customer_id(&thread());
        assert_eq!(found[0]["customer"]["customer_id"], json!(own), "{query}");
        assert_eq!(found[0]["details"]["phone"], "+4930123456");
    }
    let (_, body) = world.get("/v1/customers?phone=+491", "ana").await;
    assert_eq!(body["error"]["code"], "INVALID_QUERY");
    let (_, body) = world.get("/v1/customers?email=marie@example.com", "eve").await;
    assert_eq!(body["customers"], json!([]), "another company's");
}

// Holds: R-149
#[tokio::test]
async fn a_merge_is_suggested_only_within_the_company_and_by_what_is_verified() {
    let world = World::new(Behind::Stage).await;
    let details = |email_verified| Details {
        email: Some("marie@example.com".to_owned()),
        email_verified,
        ..Details::default()
    };
    note(&world, &thread(), details(true));
    note(&world, &second(), details(false));
    let suggested = async |world: &World| {
        let (_, body) = world.get(&path(&thread()), "admin").await;
        body["merge_suggestions"].clone()
    };
    assert_eq!(suggested(&world).await, json!([]));
    note(&world, &second(), details(true));
    let other = customer_id(&second());
    assert_eq!(suggested(&world).await, json!([{ "customer_id": other, "both_have": ["email"] }]));
}

// Holds: R-100
#[tokio::test]
async fn a_move_to_another_inbox_reaches_the_log() {
    let mut world = World::new(Behind::Stage).await;
    let path = format!("/v1/conversations/{OPEN}/transfer");
    let body = json!({ "inbox_id": "billing", "to_agent_id": "ben" });
    assert_eq!(world.post(&path, "ana", body).await.0, 200);
    let (_, command): (_, DeskCommand) = world.recorded();
    let DeskWish::Transfer { inbox_id, to_agent_id } = command.wish else {
        panic!("{:?}", command.wish)
    };
    assert_eq!(inbox_id.as_str(), "billing");
    assert_eq!(to_agent_id.unwrap().as_str(), "ben");
    assert_eq!(command.agent_id.as_str(), "ana", "who wished it");
    assert_eq!(world.post(&path, "ana", json!({})).await.0, 400, "where to");
}

// Holds: R-138
#[tokio::test]
async fn images_said_to_be_too_large_are_refused() {
    let mut world = World::new(Behind::Stage).await;
    let path = format!("/v1/conversations/{OPEN}/replies");
    let image = |bytes: u64| json!({ "url": "https://cdn.example/1.png", "bytes": bytes });
    let body = json!({ "attachments": [image(5_242_880), image(1)] });
    let (status, answered) = world.post(&path, "ana", body).await;
    assert_eq!((status, &answered["error"]["code"]), (422, &json!("ATTACHMENTS_TOO_LARGE")));
    let body = json!({ "attachments": [image(5_242_879), image(1)] });
    assert_eq!(world.post(&path, "ana", body).await.0, 200);
    let (_, command): (_, DeskCommand) = world.recorded();
    let command = serde_json::to_value(&command).unwrap();
    assert_eq!(command["image_urls"].as_array().unwrap().len(), 2);
    assert_eq!(command["declared_bytes"], 5_242_880);
}

// Holds: R-156
#[tokio::test]
async fn items_are_served_in_the_words_other_desks_use() {
    let world = World::new(Behind::Stage).await;
    let (status, body) = world.get(&format!("/v1/conversations/{OPEN}/items"), "ana").await;
    assert_eq!(status, 200);
    for item in body["items"].as_array().unwrap() {
        assert_eq!(item["content"]["type"], "INSTAGRAM_DIRECT");
        assert!(item["content"]["content"].is_string() && item["timestamp"].is_string());
    }
    assert_eq!(world.get(&format!("/v1/conversations/{OPEN}/items"), "eve").await.0, 404);
}
