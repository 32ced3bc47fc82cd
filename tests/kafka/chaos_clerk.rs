//! An agent who goes on working while things break: takes what is offered, answers once, closes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::shop::{Doors, Instagram};

/// Replies of all clerks: fewer than an account may send in five minutes, so that none is held back at the end.
pub(crate) const REPLIES_MAX: u64 = 150;
const PAUSE: Duration = Duration::from_millis(150);
/// How often a wish is repeated when nobody knows what became of it.
const ATTEMPTS: u32 = 40;

pub(crate) struct Clerk {
    pub(crate) name: &'static str,
    pub(crate) doors: Doors,
    pub(crate) instagram: Arc<Instagram>,
    /// Of all clerks.
    pub(crate) replies: Arc<AtomicU64>,
    pub(crate) wishes: u64,
}

impl Clerk {
    pub(crate) async fn work(mut self, over: Arc<AtomicBool>) {
        let name = self.name;
        self.wish(&format!("/v1/agents/{name}/log-in"), json!({})).await;
        let available = json!({ "available": true });
        self.wish(&format!("/v1/agents/{name}/availability"), available).await;
        let mut paused = false;
        while !over.load(Ordering::Relaxed) {
            if let Some(id) = self.first("/v1/offers", "/offers/0/offer_id").await
                && !self.wish(&format!("/v1/offers/{id}/accept"), json!({})).await
            {
                paused = true;
            }
            let mine = format!("/v1/conversations?status=open&agent_id={name}&limit=1");
            if let Some(id) = self.first(&mine, "/conversations/0/conversation_id").await {
                self.serve(&id).await;
            } else if paused {
                // With nothing in hand there is nothing to go back to: Next ends the pause.
                self.wish(&format!("/v1/agents/{name}/next"), json!({})).await;
                paused = false;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn serve(&mut self, id: &str) {
        let number = self.replies.fetch_add(1, Ordering::Relaxed);
        if number < REPLIES_MAX {
            let reference = format!("#{}-{number}", self.name);
            self.instagram.books.with(|ledger| ledger.asked(&reference));
            let reply =
                json!({ "text": format!("Yes. {reference}"), "client_message_id": reference });
            if !self.wish(&format!("/v1/conversations/{id}/replies"), reply).await {
                self.instagram.books.with(|ledger| ledger.ask_not_taken(&reference));
            }
        }
        self.wish(&format!("/v1/conversations/{id}/close"), json!({ "force": true })).await;
    }

    async fn first(&self, path: &str, pointer: &str) -> Option<String> {
        let (_, said) = self.doors.ask((Method::GET, path), &self.token(), ("", None)).await;
        said.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
    }

    /// Whether it was done; a rule may refuse it, and then it is not.
    async fn wish(&mut self, path: &str, body: Value) -> bool {
        self.wishes += 1;
        let key = format!("{}-{}", self.name, self.wishes);
        let body = serde_json::to_vec(&body).unwrap();
        for _ in 0..ATTEMPTS {
            let asked = (Method::POST, path);
            let (status, _) =
                self.doors.ask(asked, &self.token(), (&key, Some(body.clone()))).await;
            match status {
                200 => return true,
                0 | 202 | 503 => tokio::time::sleep(PAUSE).await,
                _ => return false,
            }
        }
        false
    }

    fn token(&self) -> String {
        format!("token-of-{}", self.name)
    }
}
