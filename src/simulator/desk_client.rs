//! The desk API as robots and the books use it, over HTTP.
//!
//! Promise: every call ends within its time; an answer of an unexpected shape is an answer that says nothing, never a
//! crash. Not here: what robots decide (`robots.rs`).

use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use serde_json::Value;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How often a command is repeated, under the same ids, when nobody knows what became of it.
const ATTEMPTS: u32 = 4;
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(400);
/// Conversations fetched at a time.
const AT_ONCE: usize = 8;
/// Conversations asked for in one page.
const PAGE: &str = "200";
/// Most pages walked through.
const MAX_PAGES: usize = 2_000;

/// A way to the desk, with the administrator's token. Clones share their connections.
#[derive(Clone)]
pub(super) struct Desk {
    client: reqwest::Client,
    base: String,
    token: String,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Carried out, or taken and not yet decided.
    Taken,
    /// Refused by a rule, with its code.
    Refused(String),
    /// Nobody knows.
    Unclear,
}

impl Desk {
    pub(super) fn new(base: &str, token: &str) -> Self {
        let client = reqwest::Client::builder().timeout(TIMEOUT).build().unwrap_or_default();
        Self { client, base: base.trim_end_matches('/').to_owned(), token: token.to_owned() }
    }

    /// The body of a 200; `None` for everything else.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Option<Value> {
        let request = self.client.get(format!("{}{path}", self.base)).query(query);
        let answer = request.bearer_auth(&self.token).send().await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        answer.json().await.ok()
    }

    /// Gives a command; sent again under the same `key` when the answer is unclear, so that it acts once.
    pub(super) async fn command(&self, path: &str, body: &Value, key: &str) -> Outcome {
        for _ in 1..ATTEMPTS {
            match self.command_once(path, body, key).await {
                Outcome::Unclear => tokio::time::sleep(PAUSE).await,
                known @ (Outcome::Taken | Outcome::Refused(_)) => return known,
            }
        }
        self.command_once(path, body, key).await
    }

    async fn command_once(&self, path: &str, body: &Value, key: &str) -> Outcome {
        let request = self.client.post(format!("{}{path}", self.base)).json(body);
        let request = request.header("idempotency-key", key);
        let Ok(answer) = request.bearer_auth(&self.token).send().await else {
            return Outcome::Unclear;
        };
        let status = answer.status();
        if status.is_success() {
            return Outcome::Taken;
        }
        let said: Value = answer.json().await.unwrap_or_default();
        let code = said.pointer("/error/code").and_then(Value::as_str).unwrap_or("").to_owned();
        // What the desk cannot decide now it may decide later; what it refuses stays refused.
        if status.is_server_error() || status.as_u16() == 429 {
            return Outcome::Unclear;
        }
        Outcome::Refused(code)
    }

    /// Every conversation there is, with its timeline; `None` when the desk does not answer.
    pub(super) async fn every_conversation(&self) -> Option<Vec<Value>> {
        let ids = self.conversation_ids().await?;
        let asked = ids.len();
        let details: Vec<Value> = stream::iter(ids)
            .map(|id| async move { self.get(&format!("/v1/conversations/{id}"), &[]).await })
            .buffer_unordered(AT_ONCE)
            .filter_map(|detail| async move { detail })
            .collect()
            .await;
        (details.len() == asked).then_some(details)
    }

    async fn conversation_ids(&self) -> Option<Vec<String>> {
        let mut ids = Vec::new();
        let mut cursor = String::new();
        for _ in 0..MAX_PAGES {
            let mut query = vec![("limit", PAGE)];
            if !cursor.is_empty() {
                query.push(("cursor", cursor.as_str()));
            }
            let page = self.get("/v1/conversations", &query).await?;
            let found = list(&page).iter().filter_map(|one| word(one, "conversation_id"));
            ids.extend(found.map(str::to_owned));
            match word(&page, "next_cursor").filter(|next| *next != cursor) {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        ids.sort();
        ids.dedup();
        Some(ids)
    }
}

/// The list an answer is, or holds.
pub(super) fn list(answer: &Value) -> &[Value] {
    let held = || answer.as_object().and_then(|fields| fields.values().find_map(Value::as_array));
    answer.as_array().or_else(held).map_or(&[], Vec::as_slice)
}

/// A text field.
pub(super) fn word<'a>(of: &'a Value, field: &str) -> Option<&'a str> {
    of.get(field).and_then(Value::as_str)
}
