//! The API over loopback, with a stage of its own behind it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::world_test::{
    Behind, CLOSED, FOREIGN, NOW, OPEN, World, answer, apply, path, received, thread,
};
use super::{document, routes};
use crate::broker::record::header;
use crate::domain::command::{AgentCommand, AgentWish, DeskCommand};
use crate::domain::fact::Fact;
use crate::domain::id::{CompanyId, OfferId};
use crate::topics::Topic;

#[tokio::test]
async fn a_reply_becomes_a_record_and_is_answered_with_its_result() {
    let mut world = World::new(Behind::Stage).await;
    let body = json!({ "text": "hi", "client_message_id": "c-1" });
    let (status, answer) = world.post(&path("replies"), "ana", body).await;
    assert_eq!((status, &answer["state"]), (200, &json!("done")));
    let (output, command): (_, DeskCommand) = world.recorded();
    assert_eq!(output.topic, Topic::DeskCommands);
    assert_eq!(output.key, thread().key().into_bytes());
    assert_eq!(output.headers.text(header::ID), answer["command_id"].as_str());
    assert_eq!(output.headers.text(header::TYPE), Some("reply"));
    assert_eq!(command.agent_id.as_str(), "ana", "an agent's token implies its agent");
    assert_eq!(command.issued_at, NOW, "R-1");
    let command_path = format!("/v1/commands/{}", answer["command_id"].as_str().unwrap());
    assert_eq!(world.get(&command_path, "ana").await.1["state"], "done");
}

#[tokio::test]
async fn every_wish_about_a_conversation_reaches_the_log_under_its_name() {
    let mut world = World::new(Behind::Stage).await;
    let mid = json!({ "mid": "m-1" });
    check(&mut world, Method::POST, "replies", json!({ "text": "hi" }), "reply").await;
    check(&mut world, Method::POST, "likes", mid.clone(), "like").await;
    check(&mut world, Method::DELETE, "likes/m-1", json!(null), "unlike").await;
    check(&mut world, Method::POST, "close", json!({ "force": true }), "close").await;
    check(&mut world, Method::POST, "close", json!(null), "close").await;
    check(&mut world, Method::POST, "reopen", json!(null), "reopen").await;
    check(&mut world, Method::POST, "no-reply-needed", mid, "no_reply_needed").await;
    check(&mut world, Method::POST, "topics", json!({ "topic": "Order" }), "add_topic").await;
    check(&mut world, Method::DELETE, "topics/Order", json!(null), "remove_topic").await;
    check(&mut world, Method::POST, "notes", json!({ "text": "a note" }), "add_note").await;

    async fn check(world: &mut World, method: Method, tail: &str, body: Value, wish: &str) {
        let request = world.request(method, &path(tail), "ana");
        let request = if body.is_null() { request } else { request.json(&body) };
        assert_eq!(answer(request).await.0, 200, "{tail}");
        let (_, command): (_, DeskCommand) = world.recorded();
        assert_eq!(command.wish.name(), wish);
        assert_eq!(command.conversation_id.as_str(), OPEN);
    }
}

#[tokio::test]
async fn every_wish_of_an_agent_reaches_the_log_under_its_company() {
    let mut world = World::new(Behind::Stage).await;
    let offer_id = OfferId::parse("of-1").unwrap();
    let agents = |tail: &str| format!("/v1/agents/ana/{tail}");
    let (yes, none) = (true, json!({}));
    let availability = AgentWish::SetAvailability { available: yes };
    check(&mut world, &agents("log-in"), none.clone(), AgentWish::LogIn).await;
    check(&mut world, &agents("log-out"), none.clone(), AgentWish::LogOut).await;
    let body = json!({ "available": yes });
    check(&mut world, &agents("availability"), body, availability).await;
    let body = json!({ "away": yes });
    check(&mut world, &agents("away"), body, AgentWish::SetAway { away: yes }).await;
    check(&mut world, &agents("next"), none.clone(), AgentWish::Next).await;
    let accept = AgentWish::Accept { offer_id: offer_id.clone() };
    check(&mut world, "/v1/offers/of-1/accept", none.clone(), accept).await;
    let decline = AgentWish::Decline { offer_id };
    check(&mut world, "/v1/offers/of-1/decline", none, decline).await;

    async fn check(world: &mut World, path: &str, body: Value, wish: AgentWish) {
        assert_eq!(world.post(path, "ana", body).await.0, 200, "{path}");
        let (output, command): (_, AgentCommand) = world.recorded();
        assert_eq!((output.topic, output.key.as_slice()), (Topic::AgentsCommands, &b"default"[..]));
        assert_eq!((command.wish, command.agent_id.as_str()), (wish, "ana"));
    }
}

#[tokio::test]
async fn a_refusal_is_answered_with_its_code() {
    let world = World::new(Behind::Stage).await;
    let closed = format!("/v1/conversations/{CLOSED}/replies");
    check(&world, &closed, json!({ "text": "hi" }), 409, "CONVERSATION_CLOSED").await;
    check(&world, "/v1/offers/of-late/accept", json!({}), 410, "OFFER_EXPIRED").await;
    let unknown = "/v1/conversations/cv-nobody/close";
    check(&world, unknown, json!({}), 404, "CONVERSATION_NOT_FOUND").await;
    let replies = path("replies");
    check(&world, &replies, json!({ "text": "a".repeat(641) }), 422, "TEXT_TOO_LONG").await;
    check(&world, &replies, json!({ "text": "ä".repeat(501) }), 422, "TEXT_TOO_MANY_BYTES").await;
    check(&world, &replies, json!({ "text": "  " }), 422, "EMPTY_MESSAGE").await;
    let eleven = json!({ "image_urls": vec!["https://x.example/1.png"; 11] });
    check(&world, &replies, eleven, 422, "TOO_MANY_ATTACHMENTS").await;
    let plain = json!({ "image_urls": ["http://x.example/1.png"] });
    check(&world, &replies, plain, 422, "ATTACHMENT_TYPE_NOT_SUPPORTED").await;

    async fn check(world: &World, path: &str, body: Value, status: u16, code: &str) {
        let (answered, body) = world.post(path, "ana", body).await;
        assert_eq!((answered, body["error"]["code"].as_str()), (status, Some(code)), "{path}");
    }
}

#[tokio::test]
async fn a_token_acts_for_its_agent_and_sees_its_company() {
    let mut world = World::new(Behind::Stage).await;
    let replies = path("replies");
    let for_ben = json!({ "text": "hi", "agent_id": "ben" });
    assert_eq!(world.post(&replies, "no-token", json!({})).await.0, 401);
    assert_eq!(world.post(&replies, "ana", for_ben.clone()).await.0, 403);
    assert_eq!(world.post("/v1/agents/ben/next", "ana", json!({})).await.0, 403);
    assert_eq!(world.get("/v1/offers?agent_id=ben", "ana").await.0, 403);
    let elsewhere = world.post("/v1/agents/ana/next?company_id=other", "ana", json!({})).await;
    assert_eq!(elsewhere.0, 403);
    assert!(world.commands.try_recv().is_err(), "nothing of this was recorded");

    let unnamed = world.post(&replies, "admin", json!({ "text": "hi" })).await;
    assert_eq!((unnamed.0, &unnamed.1["error"]["code"]), (400, &json!("AGENT_ID_REQUIRED")));
    assert_eq!(world.post(&replies, "admin", for_ben).await.0, 200);
    assert_eq!(world.recorded::<DeskCommand>().1.agent_id.as_str(), "ben");
    assert_eq!(world.post("/v1/agents/eve/log-in", "admin", json!({})).await.0, 200);
    assert_eq!(world.recorded::<AgentCommand>().1.company_id.as_str(), "other", "by its token");

    let foreign = format!("/v1/conversations/{FOREIGN}");
    assert_eq!(world.get(&foreign, "ana").await.0, 404, "another company's");
    assert_eq!(world.get(&foreign, "eve").await.0, 200);
    let listed = |list: Value| list["conversations"].as_array().unwrap().len();
    assert_eq!(listed(world.get("/v1/conversations", "ana").await.1), 2);
    assert_eq!(listed(world.get("/v1/conversations", "admin").await.1), 3);
    assert_eq!(world.get("/v1/agents/ana", "eve").await.0, 404);
    assert_eq!(world.get("/v1/agents", "eve").await.1["agents"], json!([]));
}

#[tokio::test]
async fn conversations_are_read_in_stretches_and_one_with_its_timeline() {
    let world = World::new(Behind::Stage).await;
    let (_, first) = world.get("/v1/conversations?limit=1", "ana").await;
    assert_eq!(first["conversations"][0]["conversation_id"], OPEN);
    let cursor = first["next_cursor"].as_str().unwrap();
    let next = format!("/v1/conversations?limit=1&cursor={cursor}");
    let (_, second) = world.get(&next, "ana").await;
    assert_eq!(second["conversations"][0]["conversation_id"], CLOSED);
    assert_eq!(second["next_cursor"], json!(null));
    let (_, open) = world.get("/v1/conversations?status=open&agent_id=ana", "ana").await;
    assert_eq!(open["conversations"], json!([]));

    let (status, one) = world.get(&format!("/v1/conversations/{OPEN}"), "ana").await;
    assert_eq!((status, &one["items"][0]["text"]), (200, &json!("hello")));
    assert_eq!(one["items"][0]["entry"], "item");
    let (_, offers) = world.get("/v1/offers", "ana").await;
    assert_eq!(offers["offers"][0]["customer_name"], "Maria");
}

#[tokio::test]
async fn what_is_not_understood_is_said_without_quoting_it() {
    let world = World::new(Behind::Stage).await;
    let replies = path("replies");
    check(&world, &replies, "{\"text\": ", "MALFORMED_JSON").await;
    check(&world, &replies, "{\"text\":\"hi\",\"colour\":1}", "UNKNOWN_FIELD").await;
    check(&world, &replies, "{\"text\":[\"SECRET\"]}", "INVALID_FIELD").await;
    check(&world, &replies, "{\"agent_id\":\"\"}", "INVALID_FIELD").await;
    check(&world, &path("likes"), "{}", "MISSING_FIELD").await;
    check(&world, &path("topics"), "{\"topic\":\" \"}", "INVALID_FIELD").await;

    async fn check(world: &World, path: &str, body: &'static str, code: &str) {
        let (status, body) = answer(world.request(Method::POST, path, "ana").body(body)).await;
        assert_eq!((status, body["error"]["code"].as_str()), (400, Some(code)));
        assert!(!body.to_string().contains("SECRET"));
        if code == "UNKNOWN_FIELD" {
            assert!(body["error"]["message"].as_str().unwrap().contains("`colour`"));
        }
    }

    for query in ["limit=0", "limit=201", "limit=x", "status=odd", "colour=1", "cursor=x"] {
        let (status, body) = world.get(&format!("/v1/conversations?{query}"), "ana").await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!("INVALID_QUERY")), "{query}");
    }
    let large = answer(world.request(Method::POST, &replies, "ana").body(" ".repeat(65_537))).await;
    assert_eq!(large.0, 413);
    assert_eq!(world.get("/v1/nothing", "ana").await.0, 404);
    assert_eq!(world.post("/v1/conversations", "ana", json!({})).await.0, 405);
}

#[tokio::test]
async fn a_command_nobody_answers_is_pending_and_one_not_recorded_is_to_be_repeated() {
    let world = World::new(Behind::Silence).await;
    let (status, answer) = world.post(&path("close"), "ana", json!({})).await;
    assert_eq!((status, &answer["state"]), (202, &json!("pending")));
    let known = format!("/v1/commands/{}", answer["command_id"].as_str().unwrap());
    assert_eq!(world.get(&known, "ana").await.0, 404, "not known yet");

    let world = World::new(Behind::NoBroker).await;
    let request = world.request(Method::POST, &path("close"), "ana").send().await.unwrap();
    assert_eq!(request.status().as_u16(), 503);
    assert!(request.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn the_same_idempotency_key_is_the_same_command_for_its_agent_alone() {
    let mut world = World::new(Behind::Stage).await;
    let mut commands = BTreeSet::new();
    for token in ["ana", "ana", "ben"] {
        let request = world.request(Method::POST, &path("replies"), token);
        let request = request.header("Idempotency-Key", "k1").json(&json!({ "text": "hi" }));
        let (status, body) = answer(request).await;
        assert_eq!(status, 200);
        commands.insert(body["command_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(commands.len(), 2);
    let first: DeskCommand =
        serde_json::from_slice(&world.commands.try_recv().unwrap().value.unwrap()).unwrap();
    let (_, second): (_, DeskCommand) = world.recorded();
    assert_eq!((first.agent_id.as_str(), second.agent_id.as_str()), ("ana", "ben"), "once each");
    let odd = world.request(Method::POST, &path("close"), "ana").header("Idempotency-Key", "a b");
    let (status, body) = answer(odd).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("INVALID_IDEMPOTENCY_KEY")));
}

#[tokio::test]
async fn a_listener_is_told_what_to_read_again_until_the_desk_hangs_up() {
    let world = World::new(Behind::Stage).await;
    let mut stream = world.request(Method::GET, "/v1/events", "ana").send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(world.get("/v1/events", "ana").await.0, 503, "one more than may listen");
    let foreign = Fact { company_id: CompanyId::parse("other").unwrap(), ..received(2) };
    apply(&world.views, Topic::Timeline, &thread().key(), &foreign);
    apply(&world.views, Topic::Timeline, &thread().key(), &received(3));
    let mut heard = String::new();
    while !heard.contains("\n\n") {
        let chunk = stream.chunk().await.unwrap().expect("an event");
        heard.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert_eq!(
        heard,
        format!("event: change\ndata: {{\"kind\":\"conversation\",\"id\":\"{OPEN}\"}}\n\n")
    );
    world.desk.hang_up();
    assert_eq!(stream.chunk().await.unwrap(), None, "the stream ends");
}

#[tokio::test]
async fn without_a_token_every_address_answers_401_in_the_one_shape() {
    let world = World::new(Behind::Stage).await;
    for route in routes::table() {
        let path = route.path.replace("{id}", OPEN).replace(['{', '}'], "");
        let method = serde_json::to_value(&route.method).unwrap();
        let method = method.as_str().unwrap().to_uppercase();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let bare = world.client.request(method.clone(), format!("{}{path}", world.base));
        let (status, body) = answer(bare).await;
        assert_eq!((status, &body["error"]["code"]), (401, &json!("UNAUTHORIZED")), "{path}");
        let wrong = world.request(method, &path, "nobodys-token");
        assert_eq!(answer(wrong).await.0, 401, "{path}");
    }
}

#[tokio::test]
async fn the_document_lists_every_address_and_names_no_shape_it_does_not_have() {
    let world = World::new(Behind::Stage).await;
    let (status, served) = world.get("/v1/openapi.json", "ana").await;
    assert_eq!((status, &served), (200, &document()));
    // The addresses that the desk's contract names, written out by hand.
    let contract = [
        ("get", "/v1/conversations"),
        ("get", "/v1/conversations/{id}"),
        ("get", "/v1/conversations/{id}/items"),
        ("post", "/v1/conversations/{id}/transfer"),
        ("post", "/v1/conversations/{id}/replies"),
        ("post", "/v1/conversations/{id}/likes"),
        ("delete", "/v1/conversations/{id}/likes/{mid}"),
        ("post", "/v1/conversations/{id}/close"),
        ("post", "/v1/conversations/{id}/reopen"),
        ("post", "/v1/conversations/{id}/no-reply-needed"),
        ("post", "/v1/conversations/{id}/topics"),
        ("delete", "/v1/conversations/{id}/topics/{topic}"),
        ("post", "/v1/conversations/{id}/notes"),
        ("post", "/v1/conversations/{id}/seen"),
        ("post", "/v1/conversations/{id}/priority"),
        ("get", "/v1/agents"),
        ("get", "/v1/agents/{id}"),
        ("post", "/v1/agents/{id}/log-in"),
        ("post", "/v1/agents/{id}/log-out"),
        ("post", "/v1/agents/{id}/availability"),
        ("post", "/v1/agents/{id}/away"),
        ("post", "/v1/agents/{id}/next"),
        ("post", "/v1/agents/{id}/focus"),
        ("post", "/v1/agents/{id}/settings-page"),
        ("post", "/v1/agents/{id}/activity"),
        ("post", "/v1/agents/{id}/inboxes"),
        ("post", "/v1/agents/{id}/deactivate"),
        ("post", "/v1/agents/{id}/reactivate"),
        ("get", "/v1/offers"),
        ("post", "/v1/offers/{offer_id}/accept"),
        ("post", "/v1/offers/{offer_id}/decline"),
        ("get", "/v1/commands/{id}"),
        ("get", "/v1/customers"),
        ("get", "/v1/customers/{id}"),
        ("patch", "/v1/customers/{id}"),
        ("post", "/v1/customers/{id}/merge"),
        ("post", "/v1/customers/{id}/unmerge"),
        ("post", "/v1/customers/{id}/erase"),
        ("get", "/v1/settings/companies/{id}"),
        ("put", "/v1/settings/companies/{id}"),
        ("get", "/v1/settings/accounts/{id}"),
        ("put", "/v1/settings/accounts/{id}"),
        ("get", "/v1/events"),
        ("get", "/v1/openapi.json"),
    ];
    for (method, path) in contract {
        let operation = &served["paths"][path][method];
        assert!(operation.is_object(), "{method} {path}");
        let error = &operation["responses"]["401"]["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(error, "#/components/schemas/ErrorBody");
    }
    let methods = served["paths"].as_object().unwrap().values();
    let listed: usize = methods.map(|methods| methods.as_object().unwrap().len()).sum();
    assert_eq!(listed, contract.len(), "nothing beyond the contract");

    let text = served.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(served["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[tokio::test]
async fn the_console_is_served_without_a_token_under_a_strict_policy() {
    let world = World::new(Behind::Stage).await;
    for (path, media_type) in [
        ("/", "text/html"),
        ("/console.js", "text/javascript"),
        ("/counter.js", "text/javascript"),
        ("/console.css", "text/css"),
    ] {
        let answer = world.client.get(format!("{}{path}", world.base)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-type").starts_with(media_type), "{path}");
        let policy = header("content-security-policy");
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(header("x-frame-options"), "DENY");
    }
}
