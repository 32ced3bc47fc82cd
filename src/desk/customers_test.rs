//! Customers over HTTP: reads, redirects, and commands on their threads.

use serde_json::{Value, json};

use super::world_test::{Behind, NOW, World, apply, thread};
use crate::domain::command::{DeskCommand, DeskWish};
use crate::domain::customer::{CustomerMerge, CustomerProfile, CustomerRecord, Profile};
use crate::domain::derive::customer_id;
use crate::domain::thread::Thread;
use crate::topics::Topic;

/// The other thread of the same person.
fn second() -> Thread {
    Thread::from_key("1999:9000000000000002").unwrap()
}

fn path(thread: &Thread, tail: &str) -> String {
    format!("/v1/customers/{}{tail}", customer_id(thread))
}

fn learn(world: &World, thread: &Thread, name: &str) {
    let profile = CustomerRecord::Profile(CustomerProfile {
        customer_id: customer_id(thread),
        thread: thread.clone(),
        fetched_at: NOW,
        profile: Profile {
            name: Some(name.to_owned()),
            verified: Some(true),
            ..Profile::default()
        },
    });
    apply(&world.views, Topic::Customers, &profile.key().text(), &profile);
}

/// `second` goes on in `thread`.
fn tie(world: &World) {
    let merge = CustomerRecord::Merged(CustomerMerge {
        customer_id: customer_id(&second()),
        thread: second(),
        into: thread(),
        into_customer_id: customer_id(&thread()),
        merged_at: NOW,
    });
    apply(&world.views, Topic::Customers, &merge.key().text(), &merge);
}

#[tokio::test]
async fn a_customer_is_read_with_profile_and_conversations() {
    let world = World::new(Behind::Stage).await;
    learn(&world, &thread(), "Marie");
    let (status, body) = world.get(&path(&thread(), ""), "admin").await;
    assert_eq!((status, &body["customer"]["display_name"]), (200, &json!("Marie")));
    assert_eq!(body["customer"]["verified"], json!(true));
    let conversations = body["conversations"].as_array().unwrap();
    assert!(conversations.iter().all(|one| one["display_name"] == "Marie"));
    assert_eq!(conversations.len(), 3);
    let (status, body) = world.get("/v1/customers/cu-nobody", "ana").await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("CUSTOMER_NOT_FOUND")));
    assert_eq!(world.get(&path(&thread(), ""), "eve").await.0, 404, "another company's");
}

// Holds: R-150
#[tokio::test]
async fn a_merged_customers_id_answers_with_a_redirect_to_whom_they_go_on_as() {
    let world = World::new(Behind::Stage).await;
    learn(&world, &second(), "Marie");
    tie(&world);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let url = format!("{}{}", world.base, path(&second(), ""));
    let bare = client.build().unwrap().get(url).bearer_auth("admin").send().await.unwrap();
    assert_eq!(bare.status().as_u16(), 307);
    assert_eq!(bare.headers()["location"].to_str().unwrap(), path(&thread(), ""));

    let (status, followed) = world.get(&path(&second(), ""), "admin").await;
    assert_eq!(status, 200);
    assert_eq!(followed["customer"]["display_name"], "Marie", "known by the merged thread");
    assert_eq!(followed["merged"], json!([customer_id(&second())]));
}

// Holds
#[tokio::test]
async fn merge_unmerge_and_erase_reach_the_log_under_the_threads_they_are_about() {
    let mut world = World::new(Behind::Stage).await;
    learn(&world, &second(), "Marie");
    let into = customer_id(&thread());
    let body = json!({ "into": into, "confirmed": true, "agent_id": "ana" });
    assert_eq!(world.post(&path(&second(), "/merge"), "admin", body).await.0, 200);
    let (output, command): (_, DeskCommand) = world.recorded();
    assert_eq!((output.topic, output.key), (Topic::DeskCommands, second().key().into_bytes()));
    assert_eq!(command.wish, DeskWish::Merge { into: thread(), confirmed: true });
    assert_eq!(command.agent_id.as_str(), "ana");

    tie(&world);
    let body = json!({ "agent_id": "ana" });
    assert_eq!(world.post(&path(&second(), "/unmerge"), "admin", body).await.0, 200);
    let (output, command): (_, DeskCommand) = world.recorded();
    assert_eq!((output.key, command.wish), (second().key().into_bytes(), DeskWish::Unmerge));

    assert_eq!(world.post(&path(&thread(), "/erase"), "admin", json!({})).await.0, 200);
    for erased in [second(), thread()] {
        let output = world.commands.try_recv().expect("each thread of the customer is erased");
        assert_eq!(output.key, erased.key().into_bytes());
        let command: Value = serde_json::from_slice(output.value.as_deref().unwrap()).unwrap();
        assert_eq!(command["type"], "erase");
    }
    assert!(world.commands.try_recv().is_err());
}

#[tokio::test]
async fn what_may_not_be_is_refused_at_the_door() {
    let mut world = World::new(Behind::Stage).await;
    learn(&world, &second(), "Marie");
    let home = path(&thread(), "/merge");
    assert_eq!(world.post(&path(&thread(), "/erase"), "ana", json!({})).await.0, 403);
    let nobody = json!({ "into": "cu-nobody", "confirmed": true, "agent_id": "ana" });
    assert_eq!(world.post(&home, "admin", nobody).await.0, 404);
    assert_eq!(world.post(&home, "admin", json!({ "agent_id": "ana" })).await.0, 400, "into whom");
    tie(&world);
    let moved = json!({ "into": customer_id(&second()), "agent_id": "ana" });
    let (status, body) = world.post(&home, "admin", moved).await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("CUSTOMER_MERGED")));
    assert!(world.commands.try_recv().is_err(), "nothing of this was recorded");
}
