//! What no agent's program should ask of the desk: each call is answered with its code, and changes nothing.

use dmstream::simulator::GraphFaults;
use reqwest::Method;
use serde_json::{Value, json};

use crate::shop::{Plan, Shop, secrets};

/// Method, path, token, idempotency key, body; status and code.
type Case<'a> = ((Method, &'a str), &'a str, (&'a str, Vec<u8>), (u16, &'a str));

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_call_is_answered_with_its_code_and_changes_nothing() {
    let shop =
        Shop::open(Plan { broker: String::new(), faults: GraphFaults::NONE, company: "" }).await;
    let (ana, ben) = (shop.agent("ana").await, "token-of-ben");
    let hello = shop.instagram.somebody_writes();
    shop.doors().deliver(std::slice::from_ref(&hello)).await;
    let id = ana.accepts_offer().await;
    let path = format!("/v1/conversations/{id}");
    let held = |shown: &Value| shown["conversation"]["status"] == "open";
    let before = ana.sees(&id, "the conversation is ana's", held).await;

    let replies = format!("{path}/replies");
    for ((method, path), token, (key, body), expected) in about_callers(&replies)
        .into_iter()
        .chain(about_bodies(&replies))
        .chain(about_addresses(ben))
    {
        let what =
            format!("{method} {path} {}", String::from_utf8_lossy(&body[..body.len().min(60)]));
        let (status, said) = shop.doors().ask((method, path), token, (key, Some(body))).await;
        let code = said.pointer("/error/code").and_then(Value::as_str).unwrap_or("");
        assert_eq!((status, code), expected, "{what}: {said}");
    }
    let after = ana.look(&path).await;
    assert_eq!(after["items"], before["items"]);
    assert_eq!(shop.instagram.taken(), 0);
    shop.product.stop().await;
}

fn about_callers(replies: &str) -> Vec<Case<'_>> {
    let reply =
        |agent: &str| ("", json!({ "text": "hi", "agent_id": agent }).to_string().into_bytes());
    let post = |path| (Method::POST, path);
    vec![
        ((Method::GET, "/v1/conversations"), "", ("", vec![]), (401, "UNAUTHORIZED")),
        ((Method::GET, "/v1/conversations"), "wrong", ("", vec![]), (401, "UNAUTHORIZED")),
        ((Method::GET, "/v1/openapi.json"), "", ("", vec![]), (401, "UNAUTHORIZED")),
        (post(replies), "", reply("ana"), (401, "UNAUTHORIZED")),
        (post(replies), "token-of-ana", reply("ben"), (403, "FORBIDDEN")),
        (post("/v1/agents/ben/log-out"), "token-of-ana", ("", vec![]), (403, "FORBIDDEN")),
        (
            post("/v1/agents/ana/log-out?company_id=other"),
            "token-of-ana",
            ("", vec![]),
            (403, "FORBIDDEN"),
        ),
        (
            post(replies),
            secrets::ADMIN,
            ("", br#"{"text":"hi"}"#.to_vec()),
            (400, "AGENT_ID_REQUIRED"),
        ),
    ]
}

fn about_bodies(replies: &str) -> Vec<Case<'_>> {
    let says = |body: &str, status, code| {
        ((Method::POST, replies), "token-of-ana", ("", body.as_bytes().to_vec()), (status, code))
    };
    let text = |text: &str| json!({ "text": text }).to_string();
    let images = |urls: &[&str]| json!({ "image_urls": urls }).to_string();
    let many = images(&["https://shop.example/1.png"; 11]);
    let huge = text(&"x".repeat(70_000));
    let mut cases = vec![
        says("{\"text\":", 400, "MALFORMED_JSON"),
        says("\u{fffd}", 400, "MALFORMED_JSON"),
        says(&"[".repeat(20_000), 400, "INVALID_FIELD"),
        says(r#"{"text":"hi","colour":"red"}"#, 400, "UNKNOWN_FIELD"),
        says(r#"{"text":7}"#, 400, "INVALID_FIELD"),
        says(&text(&"x".repeat(641)), 422, "TEXT_TOO_LONG"),
        says(&text(&"\u{20ac}".repeat(400)), 422, "TEXT_TOO_MANY_BYTES"),
        says(&text(" "), 422, "EMPTY_MESSAGE"),
        says("{}", 422, "EMPTY_MESSAGE"),
        says(&many, 422, "TOO_MANY_ATTACHMENTS"),
        says(&images(&["file:///etc/passwd"]), 422, "ATTACHMENT_TYPE_NOT_SUPPORTED"),
        says(&huge, 413, "BODY_TOO_LARGE"),
    ];
    let long = "a-key-that-is-far-too-long-to-be-remembered-by-anybody-who-has-to-keep-it";
    let keyed = (long, br#"{"text":"hi"}"#.to_vec());
    let expected = (400, "INVALID_IDEMPOTENCY_KEY");
    cases.push(((Method::POST, replies), "token-of-ana", keyed, expected));
    cases
}

fn about_addresses(token: &str) -> Vec<Case<'_>> {
    let nothing = || ("", vec![]);
    let post = |path| (Method::POST, path);
    let get = |path| (Method::GET, path);
    vec![
        (get("/v1/nothing"), token, nothing(), (404, "NOT_FOUND")),
        ((Method::PATCH, "/v1/conversations"), token, nothing(), (405, "METHOD_NOT_ALLOWED")),
        (get("/v1/conversations?status=lost"), token, nothing(), (400, "INVALID_QUERY")),
        (get("/v1/conversations?limit=many"), token, nothing(), (400, "INVALID_QUERY")),
        (get("/v1/conversations?cursor=%00"), token, nothing(), (400, "INVALID_QUERY")),
        (get("/v1/conversations/%00"), token, nothing(), (400, "INVALID_ID")),
        (get("/v1/conversations/unknown"), token, nothing(), (404, "CONVERSATION_NOT_FOUND")),
        (
            post("/v1/conversations/unknown/close"),
            token,
            nothing(),
            (404, "CONVERSATION_NOT_FOUND"),
        ),
        (get("/v1/agents/nobody"), token, nothing(), (404, "AGENT_NOT_FOUND")),
        (get("/v1/commands/unknown"), token, nothing(), (404, "COMMAND_NOT_FOUND")),
        (post("/v1/offers/unknown/accept"), token, nothing(), (409, "NOT_LOGGED_IN")),
        (post("/v1/offers/unknown/accept"), "token-of-ana", nothing(), (410, "OFFER_EXPIRED")),
    ]
}
