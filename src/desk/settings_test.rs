//! Settings over HTTP: what an administrator sets comes back from the log and counts from its moment on.

use serde_json::{Value, json};

use super::world_test::{Behind, NOW, World};
use crate::domain::id::CompanyId;
use crate::domain::settings::{CompanySettings, SettingsRecord};
use crate::domain::time::{DAY_MS, Timestamp};
use crate::topics::Topic;

const COMPANY: &str = "/v1/settings/companies/default";
const ACCOUNT: &str = "/v1/settings/accounts/1784";

#[tokio::test]
async fn what_is_set_counts_from_now_on_and_the_rest_stays() {
    let mut world = World::new(Behind::Stage).await;
    let (status, before) = world.get(COMPANY, "admin").await;
    assert_eq!(
        (status, &before["in_force"]["settings"]["offer_timeout_ms"]),
        (200, &json!(30_000))
    );
    assert_eq!(before["to_come"], json!([]));

    let (status, answered) =
        world.put(COMPANY, "admin", json!({ "offer_timeout_ms": 20_000 })).await;
    assert_eq!(status, 200);
    let settings = &answered["in_force"]["settings"];
    assert_eq!(answered["in_force"]["effective_at"], json!(NOW.as_ms()));
    assert_eq!(
        (&settings["offer_timeout_ms"], &settings["standard_capacity"]),
        (&json!(20_000), &json!(3))
    );
    assert_eq!(world.get(COMPANY, "admin").await.1, answered);

    let (output, record): (_, SettingsRecord) = world.recorded();
    assert_eq!((output.topic, output.key.as_slice()), (Topic::Settings, &b"company:default"[..]));
    let SettingsRecord::Company { company_id, versions } = record else { panic!("a company's") };
    assert_eq!(company_id, CompanyId::parse("default").unwrap());
    assert_eq!(versions.len(), 2, "what counted before is in the record too");
    assert_eq!(versions[0].effective_at, Timestamp::from_ms(0));
    assert_eq!(versions[0].settings, CompanySettings::default());
    assert_eq!(versions[1].settings.offer_timeout_ms, 20_000);
}

// Holds: R-4
#[tokio::test]
async fn what_is_to_come_is_shown_counts_at_its_moment_and_can_be_replaced() {
    let mut world = World::new(Behind::Stage).await;
    let tomorrow = NOW.plus_ms(DAY_MS);
    let later = |rate: u32| json!({ "send_rate": rate, "effective_at": tomorrow.as_ms() });
    for rate in [50, 60] {
        assert_eq!(world.put(ACCOUNT, "admin", later(rate)).await.0, 200);
        let (output, _): (_, SettingsRecord) = world.recorded();
        assert_eq!(output.key, b"account:1784");
    }
    let (_, shown) = world.get(ACCOUNT, "admin").await;
    assert_eq!(shown["in_force"]["settings"]["send_rate"], json!(200));
    assert_eq!(shown["to_come"].as_array().unwrap().len(), 1, "one in the place of the other");
    assert_eq!(shown["to_come"][0]["effective_at"], json!(tomorrow.as_ms()));
    assert_eq!(shown["to_come"][0]["settings"]["send_rate"], json!(60));

    let company = json!({ "company_id": "acme" });
    assert_eq!(
        world.put(ACCOUNT, "admin", company).await.0,
        200,
        "now, and the rest stays to come"
    );
    world.clock.set(tomorrow);
    let (_, shown) = world.get(ACCOUNT, "admin").await;
    assert_eq!(shown["in_force"]["settings"]["send_rate"], json!(60));
    assert_eq!(shown["to_come"], json!([]));
}

#[tokio::test]
async fn what_counts_already_is_not_recorded_again() {
    let mut world = World::new(Behind::Stage).await;
    for body in [json!({}), json!({ "standard_capacity": 3 })] {
        assert_eq!(world.put(COMPANY, "admin", body).await.0, 200);
    }
    assert!(world.commands.try_recv().is_err());
}

#[tokio::test]
async fn settings_are_the_administrators_alone() {
    let mut world = World::new(Behind::Stage).await;
    for path in [COMPANY, ACCOUNT] {
        assert_eq!(world.get(path, "ana").await.0, 403);
        let (status, body) = world.put(path, "ana", json!({})).await;
        assert_eq!((status, &body["error"]["code"]), (403, &json!("FORBIDDEN")));
        assert_eq!(world.put(path, "nobody", json!({})).await.0, 401);
    }
    assert!(world.commands.try_recv().is_err());
}

#[tokio::test]
async fn what_cannot_be_set_is_named_and_nothing_is_recorded() {
    let mut world = World::new(Behind::Stage).await;
    let past = NOW.minus_ms(1).as_ms();
    check(
        &world,
        COMPANY,
        json!({ "offer_timeout_ms": 4_999 }),
        "INVALID_FIELD",
        "offer_timeout_ms",
    )
    .await;
    check(&world, COMPANY, json!({ "standard_capacity": 6 }), "INVALID_FIELD", "maximum_capacity")
        .await;
    check(&world, COMPANY, json!({ "after_reject": "sulk" }), "INVALID_FIELD", "after_reject")
        .await;
    check(&world, COMPANY, json!({ "inbox_sla_ms": -1 }), "INVALID_FIELD", "inbox_sla_ms").await;
    check(&world, COMPANY, json!({ "offer_timeout": 9 }), "UNKNOWN_FIELD", "offer_timeout").await;
    check(&world, COMPANY, json!({ "effective_at": past }), "INVALID_FIELD", "effective_at").await;
    check(&world, COMPANY, json!({ "effective_at": "now" }), "INVALID_FIELD", "effective_at").await;
    check(&world, ACCOUNT, json!({ "send_rate": 201 }), "INVALID_FIELD", "send_rate").await;
    check(&world, ACCOUNT, json!({ "company_id": "" }), "INVALID_FIELD", "company_id").await;
    check(
        &world,
        ACCOUNT,
        json!({ "offer_timeout_ms": 9_000 }),
        "UNKNOWN_FIELD",
        "offer_timeout_ms",
    )
    .await;
    assert_eq!(world.put(COMPANY, "admin", json!([])).await.0, 400);
    assert_eq!(world.put("/v1/settings/companies/%20%0a", "admin", json!({})).await.0, 400);
    assert!(world.commands.try_recv().is_err());

    async fn check(world: &World, path: &str, body: Value, code: &str, field: &str) {
        let (status, answered) = world.put(path, "admin", body).await;
        assert_eq!((status, answered["error"]["code"].as_str()), (400, Some(code)), "{field}");
        let message = answered["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("`{field}`")), "{message}");
    }
}

#[tokio::test]
async fn a_history_takes_so_many_versions_and_no_more() {
    let world = World::new(Behind::Stage).await;
    // The one that counts is the first of the hundred.
    for number in 1..100 {
        let body = json!({ "effective_at": NOW.as_ms() + number });
        assert_eq!(world.put(COMPANY, "admin", body).await.0, 200, "{number}");
    }
    let (status, body) = world.put(COMPANY, "admin", json!({ "link_format": false })).await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("TOO_MANY_SETTINGS")));
}

#[test]
fn the_document_says_what_can_be_set() {
    let document = super::document();
    check(&document, "companies", "offer_timeout_ms");
    check(&document, "accounts", "send_rate");

    fn check(document: &Value, scope: &str, setting: &str) {
        let put = &document["paths"][format!("/v1/settings/{scope}/{{id}}")]["put"];
        let properties = |of: &Value| {
            let shape = of["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
            let shape = shape.strip_prefix('#').unwrap();
            document.pointer(shape).unwrap()["properties"].clone()
        };
        let body = properties(&put["requestBody"]);
        assert!(body[setting].is_object() && body["effective_at"].is_object(), "{body}");
        let version = properties(&put["responses"]["200"])["in_force"]["$ref"].clone();
        let version = document.pointer(&version.as_str().unwrap()[1..]).unwrap();
        let settings = version["properties"]["settings"]["$ref"].as_str().unwrap();
        let settings = document.pointer(&settings[1..]).unwrap();
        assert!(settings["properties"][setting].is_object(), "{settings}");
    }
}

#[tokio::test]
async fn what_is_recorded_and_not_yet_known_here_is_said_to_be_so() {
    let world = World::new(Behind::Silence).await;
    let (status, body) = world.put(COMPANY, "admin", json!({ "link_format": false })).await;
    assert_eq!((status, &body["in_force"]["settings"]["link_format"]), (202, &json!(false)));
    let world = World::new(Behind::NoBroker).await;
    assert_eq!(world.put(COMPANY, "admin", json!({ "link_format": false })).await.0, 503);
}
