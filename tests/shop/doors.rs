//! The product's HTTP, as Meta, agents and Prometheus use it.

use std::net::SocketAddr;
use std::time::Duration;

use dmstream::clock::Clock;
use dmstream::simulator::{Occurrence, signature, webhook_body};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use super::secrets;

const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A way to one process. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Doors {
    client: Client,
    base: String,
}

impl Doors {
    pub(crate) fn at(address: SocketAddr) -> Self {
        let client = Client::builder().timeout(ANSWER_WITHIN).build().unwrap();
        Self { client, base: format!("http://{address}") }
    }

    /// Status and text of an address that wants no token; status 0 when nobody answers.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let Ok(answer) = self.client.get(format!("{}{path}", self.base)).send().await else {
            return (0, String::new());
        };
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap_or_default())
    }

    /// The status of a posted body under these headers.
    pub(crate) async fn post(&self, body: Vec<u8>, headers: &[(&str, &str)]) -> u16 {
        let request = self.client.post(format!("{}/webhooks/instagram", self.base)).body(body);
        let with =
            |request: RequestBuilder, (name, value): &(&str, &str)| request.header(*name, *value);
        let request = headers.iter().fold(request, with);
        request.send().await.map_or(0, |answer| answer.status().as_u16())
    }

    /// The status of a body signed as Meta signs, under a trace of its own.
    pub(crate) async fn post_signed(&self, body: Vec<u8>, trace: &str) -> u16 {
        let signed = signature(secrets::APP, &body);
        self.post(body, &[("x-hub-signature-256", &signed), ("traceparent", trace)]).await
    }

    /// One notification that tells of these occurrences.
    pub(crate) async fn deliver(&self, occurrences: &[Occurrence]) {
        let body = webhook_body(occurrences, Clock::System.now()).unwrap();
        assert_eq!(self.post_signed(body, "").await, 200);
    }

    /// A call of the desk API: status and answer; status 0 when nobody answers.
    pub(crate) async fn ask(
        &self,
        (method, path): (Method, &str),
        token: &str,
        (key, body): (&str, Option<Vec<u8>>),
    ) -> (u16, Value) {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = request.header("content-type", "application/json").bearer_auth(token);
        let request = if key.is_empty() { request } else { request.header("idempotency-key", key) };
        let request = request.body(body.unwrap_or_default());
        let Ok(answer) = request.send().await else { return (0, Value::Null) };
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    /// A counter of the metrics page, by its whole series name; zero when it is not there.
    pub(crate) async fn counted(&self, series: &str) -> u64 {
        let (_, page) = self.get("/metrics").await;
        let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }
}
