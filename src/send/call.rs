//! Carries a call out: one POST to the Graph API, and what came of it. Here alone is the network.
//!
//! Promise: one call, one request, never repeated here; an answer or none within [`Caller::CALL_MS_MAX`], which ends before
//! the stage gives the call up. Not a byte of request, answer or token reaches a log.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use reqwest::{Response, header::HeaderValue, redirect};

use crate::clock::Clock;
use crate::domain::id::{AccountId, MessageId, SendId};
use crate::domain::outbound::OutboundSend;
use crate::domain::time::Timestamp;
use crate::send::error::Error;
use crate::send::graph;

/// An answer longer than this is none of the platform's.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Without a connection after so long, nothing has been written.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// One call to be made, once its intent is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What, to whom, from which account.
    pub send: OutboundSend,
    /// The call's number among the part's, from one.
    pub attempt: u32,
    /// With the human-agent tag.
    pub tagged: bool,
    /// Not to be begun after this moment: the stage would give it up before it ends.
    pub start_by: Timestamp,
}

/// What came of a [`Call`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// From which account.
    pub account_id: AccountId,
    /// Which part.
    pub send_id: SendId,
    /// Which of its calls, from one.
    pub attempt: u32,
    /// The mid of what the platform took (reactions have none), or why it did not.
    pub answered: Result<Option<MessageId>, Error>,
}

/// What the platform knows an account by. Does not print.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Takes a token as it stands in a setting, without blanks around it; `None` when nothing is left.
    #[must_use]
    pub fn new(token: &str) -> Option<Self> {
        let token = token.trim();
        (!token.is_empty()).then(|| Self(token.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// Makes calls. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Caller {
    http: reqwest::Client,
    base_url: String,
    tokens: BTreeMap<AccountId, Token>,
    clock: Clock,
}

impl Caller {
    /// The longest a call takes, in milliseconds.
    pub const CALL_MS_MAX: u64 = 20_000;

    /// A caller of the Graph API under `base_url`, version included: `https://graph.instagram.com/v25.0`.
    ///
    /// # Errors
    ///
    /// The client's, when it cannot be set up.
    pub fn new(
        base_url: &str,
        tokens: BTreeMap<AccountId, Token>,
        clock: Clock,
    ) -> reqwest::Result<Self> {
        let http = client(Duration::from_millis(Self::CALL_MS_MAX))?;
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Self { http, base_url, tokens, clock })
    }

    /// The same with another bound on one call.
    #[cfg(test)]
    pub(super) fn with_call_wait(mut self, wait: Duration) -> reqwest::Result<Self> {
        self.http = client(wait)?;
        Ok(self)
    }

    /// The same elsewhere.
    #[cfg(test)]
    pub(super) fn at(mut self, base_url: &str) -> Self {
        base_url.clone_into(&mut self.base_url);
        self
    }

    /// Makes one call; whoever drops the future makes its outcome unknown.
    pub async fn call(&self, call: Call) -> Completion {
        let answered = self.answer(&call).await;
        if let Err(error) = &answered {
            let (account, attempt) = (&call.send.thread.account_id, call.attempt);
            tracing::info!(%account, send.id = %call.send.send_id, send.attempt = attempt, %error, "a send was not taken");
        }
        Completion {
            account_id: call.send.thread.account_id,
            send_id: call.send.send_id,
            attempt: call.attempt,
            answered,
        }
    }

    async fn answer(&self, call: &Call) -> Result<Option<MessageId>, Error> {
        if call.start_by < self.clock.now() {
            return Err(Error::NotSent);
        }
        let account = &call.send.thread.account_id;
        let token = self.tokens.get(account).ok_or(Error::NoToken)?;
        let request = self
            .http
            .post(format!("{}/{account}/messages", self.base_url))
            .bearer_auth(&token.0)
            .json(&graph::request_body(&call.send, call.tagged));
        let response = request.send().await.map_err(|error| unanswered(&error))?;
        let status = response.status().as_u16();
        let usage = response.headers().get(graph::USAGE_HEADER).cloned();
        let usage = usage.as_ref().map(HeaderValue::to_str).and_then(Result::ok);
        let body = body_of(response).await?;
        graph::read_answer(&call.send.part, status, usage, &body)
    }
}

fn client(wait: Duration) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder().timeout(wait).connect_timeout(CONNECT_WAIT);
    // A redirect would carry a message somewhere nobody named.
    builder.redirect(redirect::Policy::none()).build()
}

/// Without a connection, or without a request, nothing was written; anything else may have arrived.
fn unanswered(error: &reqwest::Error) -> Error {
    if error.is_connect() || error.is_builder() { Error::NotSent } else { Error::NoAnswer }
}

async fn body_of(mut response: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) <= ANSWER_BYTES_MAX => {
                body.extend_from_slice(&chunk);
            }
            Ok(None) => return Ok(body),
            Ok(Some(_)) | Err(_) => return Err(Error::NoAnswer),
        }
    }
}
