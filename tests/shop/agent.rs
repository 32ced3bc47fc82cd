//! An agent at the desk API, with a token of their own.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use super::{Doors, eventually};

pub(crate) struct Agent {
    pub(crate) name: &'static str,
    doors: Doors,
    wishes: AtomicU64,
}

impl Agent {
    /// At work and available.
    pub(crate) async fn at_work(name: &'static str, doors: Doors) -> Self {
        let agent = Self { name, doors, wishes: AtomicU64::new(0) };
        agent.wish(&format!("/v1/agents/{name}/log-in"), json!({})).await;
        let available = json!({ "available": true });
        agent.wish(&format!("/v1/agents/{name}/availability"), available).await;
        agent
    }

    /// Wishes until it is done; the same key makes the repetitions one wish.
    pub(crate) async fn wish(&self, path: &str, body: Value) {
        let key = format!("{}-{}", self.name, self.wishes.fetch_add(1, Ordering::Relaxed));
        let body = serde_json::to_vec(&body).unwrap();
        let what = format!("{} may {path}", self.name);
        eventually(&what, async || {
            let call = (Method::POST, path);
            let (status, said) =
                self.doors.ask(call, &self.token(), (&key, Some(body.clone()))).await;
            // Not recorded, not decided, or nobody there: asked again.
            let undecided = matches!(status, 0 | 202 | 503);
            assert!(undecided || status == 200, "{path}: {status} {said}");
            (!undecided).then_some(())
        })
        .await;
    }

    /// What the desk shows this agent.
    pub(crate) async fn look(&self, path: &str) -> Value {
        let call = (Method::GET, path);
        self.doors.ask(call, &self.token(), ("", None)).await.1
    }

    /// The offer on this agent's banner, if there is one now.
    pub(crate) async fn banner(&self) -> Option<Value> {
        self.look("/v1/offers").await.pointer("/offers/0").cloned()
    }

    /// Waits for an offer and takes it; the conversation's id.
    pub(crate) async fn accepts_offer(&self) -> String {
        let what = format!("{} has an offer", self.name);
        let offer = eventually(&what, async || self.banner().await).await;
        let id = offer["offer_id"].as_str().unwrap();
        self.wish(&format!("/v1/offers/{id}/accept"), json!({})).await;
        offer["conversation_id"].as_str().unwrap().to_owned()
    }

    /// Waits until the conversation is shown as `wanted` says it must be.
    pub(crate) async fn sees(
        &self,
        conversation: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let path = format!("/v1/conversations/{conversation}");
        eventually(what, async || Some(self.look(&path).await).filter(|shown| wanted(shown))).await
    }

    fn token(&self) -> String {
        format!("token-of-{}", self.name)
    }
}
