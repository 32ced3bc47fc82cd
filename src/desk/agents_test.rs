//! What agents and administrators say about an agent's work, over loopback; and where Next leads.

use serde_json::{Value, json};

use super::world_test::{Behind, NOW, OPEN, World, apply, path, received, thread};
use crate::domain::command::{AgentCommand, AgentWish, DeskCommand};
use crate::domain::fact::Fact;
use crate::domain::id::{AgentId, CompanyId, ConversationId, InboxId};
use crate::domain::routing::{AgentSnapshot, HeldConversation};
use crate::domain::settings::{CompanySettings, SettingsTable};
use crate::domain::time::Timestamp;
use crate::topics::Topic;

fn agents(tail: &str) -> String {
    format!("/v1/agents/ana/{tail}")
}

/// Ana holds the open conversation and has seen of it what is said.
fn ana_holds(world: &World, seen_at: Option<Timestamp>) {
    let company = CompanyId::parse("default").unwrap();
    let agent_id = AgentId::parse("ana").unwrap();
    let known: AgentSnapshot = world.views.agent(Some(&company), &agent_id).unwrap();
    let conversation_id = ConversationId::parse(OPEN).unwrap();
    let held = vec![HeldConversation { thread: thread(), conversation_id, seen_at }];
    let as_of_at = known.as_of_at.plus_ms(1);
    let snapshot = AgentSnapshot { held, as_of_at, ..known };
    apply(&world.views, Topic::Agents, "default:ana", &snapshot);
}

// Holds
#[tokio::test]
async fn an_agent_says_what_keeps_them_from_work() {
    let mut world = World::new(Behind::Stage).await;
    let focus = AgentWish::SetFocus { focus: true };
    check(&mut world, "focus", json!({ "focus": true }), focus).await;
    let page = AgentWish::SetSettingsPage { open: true };
    check(&mut world, "settings-page", json!({ "open": true }), page).await;
    check(&mut world, "activity", json!({}), AgentWish::StayActive).await;

    async fn check(world: &mut World, tail: &str, body: Value, wish: AgentWish) {
        assert_eq!(world.post(&agents(tail), "ana", body).await.0, 200, "{tail}");
        let (output, command): (_, AgentCommand) = world.recorded();
        assert_eq!((output.topic, output.key.as_slice()), (Topic::AgentsCommands, &b"default"[..]));
        assert_eq!((command.wish, command.agent_id.as_str()), (wish, "ana"));
    }
}

// Holds
#[tokio::test]
async fn an_administrator_alone_gives_inboxes_and_deactivates() {
    let mut world = World::new(Behind::Stage).await;
    let inbox_ids = Some(vec![InboxId::parse("sales").unwrap()]);
    let given = json!({ "inbox_ids": ["sales"] });
    check(&mut world, "inboxes", given, AgentWish::SetInboxes { inbox_ids }).await;
    check(&mut world, "inboxes", json!({}), AgentWish::SetInboxes { inbox_ids: None }).await;
    check(&mut world, "deactivate", json!({}), AgentWish::Deactivate).await;
    check(&mut world, "reactivate", json!({}), AgentWish::Reactivate).await;

    async fn check(world: &mut World, tail: &str, body: Value, wish: AgentWish) {
        let (status, answer) = world.post(&agents(tail), "ana", body.clone()).await;
        assert_eq!((status, &answer["error"]["code"]), (403, &json!("FORBIDDEN")), "{tail}");
        assert_eq!(world.post(&agents(tail), "admin", body).await.0, 200, "{tail}");
        let (_, command): (_, AgentCommand) = world.recorded();
        assert_eq!((command.wish, command.agent_id.as_str()), (wish, "ana"));
    }
}

// Holds: R-126
#[tokio::test]
async fn urgency_goes_to_routing_in_the_name_of_whoever_says_it() {
    let mut world = World::new(Behind::Stage).await;
    let urgent = json!({ "priority_score": 7 });
    assert_eq!(world.post(&path("priority"), "ana", urgent).await.0, 200);
    let (output, command): (_, AgentCommand) = world.recorded();
    assert_eq!(output.topic, Topic::AgentsCommands);
    let conversation_id = ConversationId::parse(OPEN).unwrap();
    assert_eq!(command.wish, AgentWish::Prioritize { conversation_id, priority_score: 7 });
}

// Holds: R-124
#[tokio::test]
async fn next_leads_back_to_an_own_conversation_with_something_unseen_and_else_to_the_queue() {
    let mut world = World::new(Behind::Stage).await;
    ana_holds(&world, None);
    let (status, answer) = world.post(&agents("next"), "ana", json!({})).await;
    assert_eq!((status, &answer["conversation_id"]), (200, &json!(OPEN)));
    assert!(world.commands.try_recv().is_err(), "nothing is asked of routing");

    assert_eq!(world.post(&path("seen"), "ana", json!({})).await.0, 200);
    let (_, command): (_, AgentCommand) = world.recorded();
    let conversation_id = ConversationId::parse(OPEN).unwrap();
    assert_eq!(command.wish, AgentWish::See { conversation_id, seen_at: NOW });

    ana_holds(&world, Some(NOW));
    let (_, answer) = world.post(&agents("next"), "ana", json!({})).await;
    assert_eq!((&answer["state"], &answer["conversation_id"]), (&json!("done"), &json!(null)));
    let (_, command): (_, AgentCommand) = world.recorded();
    assert_eq!(command.wish, AgentWish::Next);

    let later = Fact { occurred_at: NOW.plus_ms(1), ..received(2) };
    apply(&world.views, Topic::Timeline, &thread().key(), &later);
    let (_, answer) = world.post(&agents("next"), "ana", json!({})).await;
    assert_eq!(answer["conversation_id"], json!(OPEN), "the customer wrote again");
}

// Holds: R-131
#[tokio::test]
async fn where_agents_idle_a_wish_about_a_conversation_is_activity() {
    let mut world = World::new(Behind::Stage).await;
    assert_eq!(world.post(&path("reopen"), "ana", json!({})).await.0, 200);
    let _alone: (_, DeskCommand) = world.recorded();
    let company = CompanySettings { idle_away_ms: Some(60_000), ..CompanySettings::default() };
    let settings = SettingsTable::with_fallback(Default::default(), company);
    world.desk.settings.store(std::sync::Arc::new(settings));
    assert_eq!(world.post(&path("reopen"), "ana", json!({})).await.0, 200);
    let first = world.commands.try_recv().unwrap();
    let active: AgentCommand = serde_json::from_slice(first.value.as_deref().unwrap()).unwrap();
    assert_eq!((active.wish, active.agent_id.as_str()), (AgentWish::StayActive, "ana"));
    let (output, _): (_, DeskCommand) = world.recorded();
    assert_eq!(output.topic, Topic::DeskCommands);
}
