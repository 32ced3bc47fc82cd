//! Carries a question out: one GET to the Graph API, and what came of it. Here alone is the network.
//!
//! Promise: an answer or none within [`Caller::CALL_MS_MAX`], and never more than [`Caller::AT_ONCE_MAX`] questions at once:
//! one that cannot begin in time is not begun. Not a byte of the answer, the token or the person's id reaches a log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Response, redirect};
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::domain::customer::Profile;
use crate::domain::id::AccountId;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::profile::error::Error;
use crate::profile::graph;
use crate::secret::Secret;

/// An answer longer than this is none of the platform's.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How long a connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// One question, once it is committed that it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// For whom, by which account.
    pub thread: Thread,
    /// The question's own moment.
    pub asked_at: Timestamp,
    /// Not to be begun after this moment: the stage would give it up before it ends.
    pub start_by: Timestamp,
}

/// What came of a [`Call`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// For whom, by which account.
    pub thread: Thread,
    /// The question's own moment.
    pub asked_at: Timestamp,
    /// What Instagram said, or why it said nothing.
    pub answered: Result<Profile, Error>,
}

/// Asks. Clones share their connections and their bound.
#[derive(Debug, Clone)]
pub struct Caller {
    http: reqwest::Client,
    base_url: String,
    tokens: BTreeMap<AccountId, Secret>,
    clock: Clock,
    places: Arc<Semaphore>,
}

impl Caller {
    /// The longest a question takes, in milliseconds.
    pub const CALL_MS_MAX: u64 = 10_000;
    /// Questions under way at once.
    pub const AT_ONCE_MAX: usize = 8;

    /// A caller of the Graph API under `base_url`, version included: `https://graph.instagram.com/v25.0`.
    ///
    /// # Errors
    ///
    /// The client's, when it cannot be set up.
    pub fn new(
        base_url: &str,
        tokens: BTreeMap<AccountId, Secret>,
        clock: Clock,
    ) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_millis(Self::CALL_MS_MAX))
            .connect_timeout(CONNECT_WAIT)
            // A redirect would carry a token somewhere nobody named.
            .redirect(redirect::Policy::none())
            .build()?;
        let base_url = base_url.trim_end_matches('/').to_owned();
        let places = Arc::new(Semaphore::new(Self::AT_ONCE_MAX));
        Ok(Self { http, base_url, tokens, clock, places })
    }

    /// Asks once.
    pub async fn call(&self, call: Call) -> Completion {
        let answered = self.answer(&call).await;
        let account = &call.thread.account_id;
        match &answered {
            Err(error @ (Error::AccountDown { .. } | Error::NoToken)) => {
                tracing::warn!(%account, %error, "profiles of an account are out of reach");
            }
            Err(error) => tracing::debug!(%account, %error, "a profile was not given"),
            Ok(_) => (),
        }
        Completion { thread: call.thread, asked_at: call.asked_at, answered }
    }

    async fn answer(&self, call: &Call) -> Result<Profile, Error> {
        let Ok(_place) = self.places.acquire().await else { return Err(Error::NotAsked) };
        if call.start_by < self.clock.now() {
            return Err(Error::NotAsked);
        }
        let thread = &call.thread;
        let token = self.tokens.get(&thread.account_id).and_then(authorization);
        let token = token.ok_or(Error::NoToken)?;
        let mut url = reqwest::Url::parse(&self.base_url).map_err(|_odd| Error::NoAnswer)?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(thread.person_id.as_str());
        }
        let request = self.http.get(url).query(&[("fields", graph::FIELDS)]);
        // The client's errors quote the address, and with it the person: none of them goes further.
        let response = request.header(AUTHORIZATION, token).send().await;
        let response = response.map_err(|_quoting| Error::NoAnswer)?;
        let status = response.status().as_u16();
        graph::read_answer(status, &body_of(response).await?)
    }
}

fn authorization(token: &Secret) -> Option<HeaderValue> {
    let token = token.expose().trim();
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    header.set_sensitive(true);
    (!token.is_empty()).then_some(header)
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
