//! Ingress over real loopback HTTP: every answer, and what the broker was given.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use prometheus::{Registry, TextEncoder};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::broker::Error;
use crate::broker::record::{Output, header};
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::ingress::{Append, Ingress, Limits, Metrics, Secrets, VerifyToken, router};
use crate::topics::Topic;

const BODY: &str = r#"{"object":"instagram","entry":[]}"#;
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What the broker does with a record.
type Broker = fn() -> BoxFuture<'static, Result<(), Error>>;

struct World {
    address: String,
    written: Arc<Mutex<Vec<Output>>>,
    registry: Registry,
}

impl World {
    async fn new(limits: Limits, broker: Broker) -> Self {
        let (registry, written) = (Registry::new(), Arc::new(Mutex::new(Vec::new())));
        let log = Arc::clone(&written);
        let append: Append = Arc::new(move |output| {
            log.lock().unwrap_or_else(PoisonError::into_inner).push(output);
            broker()
        });
        let ingress = Ingress {
            secrets: Secrets::new(["old-secret", "secret"]).unwrap(),
            verify_token: VerifyToken::new("word").unwrap(),
            limits,
            append,
            key_of: Arc::new(|body| body.starts_with(b"{").then(|| "17841400000000001".to_owned())),
            clock: Clock::manual(Timestamp::from_ms(1_700_000_000_123)),
            metrics: Metrics::register(&registry).unwrap(),
            pulse: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(tokio::spawn(async move { axum::serve(listener, router(Arc::new(ingress))).await }));
        Self { address, written, registry }
    }

    async fn usual() -> Self {
        Self::new(Limits::default(), || async { Ok(()) }.boxed()).await
    }

    fn url(&self, query: &str) -> String {
        format!("http://{}/webhooks/instagram{query}", self.address)
    }

    fn post(&self, body: &str) -> reqwest::RequestBuilder {
        let signature = format!("sha256={}", sign("secret", body));
        reqwest::Client::new()
            .post(self.url(""))
            .header("content-type", "application/json")
            .header("x-hub-signature-256", signature)
            .body(body.to_owned())
    }

    fn written(&self) -> Vec<Output> {
        self.written.lock().unwrap().clone()
    }

    #[track_caller]
    fn assert_counted(&self, series: &str) {
        let page = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let is_there = page.lines().any(|line| line == format!("dmstream_ingress_{series}"));
        assert!(is_there, "{series} not in:\n{page}");
    }

    /// Everything the server says on a connection of its own, with what `sent` says, until it closes or is silent.
    async fn raw(&self, sent: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let wait = Duration::from_secs(5);
        let read = tokio::time::timeout(wait, stream.read(&mut answer)).await.unwrap().unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }
}

fn sign(secret: &str, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    hex::encode(mac.chain_update(body).finalize().into_bytes())
}

#[tokio::test]
async fn a_signed_body_is_with_the_broker_byte_for_byte_before_it_is_answered() {
    let world = World::usual().await;
    let answer = world.post(BODY).header("traceparent", TRACE).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let written = world.written();
    let [record] = written.as_slice() else { panic!("one record, not {}", written.len()) };
    assert_eq!(record.topic, Topic::WebhooksRaw);
    assert_eq!(record.partition, None);
    assert_eq!(record.value.as_deref(), Some(BODY.as_bytes()));
    assert_eq!(record.key, b"17841400000000001");
    assert_eq!(record.timestamp, Timestamp::from_ms(1_700_000_000_123));
    let of = |name| record.headers.text(name);
    assert_eq!(of(header::TYPE), Some("webhook.received"));
    assert_eq!(of(header::SOURCE), Some("/dmstream/ingress"));
    assert_eq!(of(header::SPEC_VERSION), Some("1.0"));
    assert_eq!(of(header::TIME), Some("2023-11-14T22:13:20.123Z"));
    assert_eq!(of(header::CONTENT_TYPE), Some("application/json"));
    assert_eq!(of(header::TRACE_PARENT), Some(TRACE));
    world.assert_counted("accepted_total 1");
    world.assert_counted("in_flight_bytes 0");
}

#[tokio::test]
async fn signed_bytes_are_kept_whatever_they_are_and_spread_without_a_key() {
    let world = World::usual().await;
    for body in ["not json", "", "\u{0}\u{1}", "not json"] {
        let answer = world.post(body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{body}");
    }
    let written = world.written();
    assert_eq!(written[0].value.as_deref(), Some(b"not json".as_slice()));
    assert_ne!(written[0].key, written[1].key, "bodies without a key spread");
    assert_eq!(written[0].key, written[3].key, "a repeated delivery goes the same way");
    assert_eq!(written[0].headers.text(header::ID), written[3].headers.text(header::ID));
    assert!(written.iter().all(|record| !record.key.is_empty()));
    assert!(written.iter().all(|record| record.headers.text(header::TRACE_PARENT).is_some()));
}

#[tokio::test]
async fn a_wrong_signature_leaves_nothing_and_learns_nothing() {
    let world = World::usual().await;
    let url = world.url("");
    let posted = |signature: Option<String>| {
        let request = reqwest::Client::new().post(&url).body(BODY);
        match signature {
            Some(signature) => request.header("X-Hub-Signature-256", signature),
            None => request,
        }
    };
    for signature in [
        None,
        Some(format!("sha256={}", sign("other", BODY))),
        Some(format!("sha1={}", sign("secret", BODY))),
        Some(sign("secret", BODY)),
        Some("sha256=".to_owned()),
    ] {
        let answer = posted(signature).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.text().await.unwrap(), "");
    }
    assert_eq!(world.written(), []);
    world.assert_counted("refused_total{reason=\"bad_signature\"} 5");
    let old = posted(Some(format!("sha256={}", sign("old-secret", BODY)))).send().await.unwrap();
    assert_eq!(old.status(), 200, "a secret that is being replaced still counts");
}

#[tokio::test]
async fn the_handshake_is_answered_with_the_challenge_as_plain_text() {
    let world = World::usual().await;
    check(&world, "?hub.mode=subscribe&hub.challenge=0042&hub.verify_token=word", 200, "0042")
        .await;
    check(&world, "?hub.mode=subscribe&hub.challenge=1&hub.verify_token=ward", 403, "").await;
    check(&world, "?hub.mode=subscribe&hub.challenge=1", 400, "").await;
    check(&world, "", 400, "").await;
    world.assert_counted("refused_total{reason=\"bad_token\"} 1");
    world.assert_counted("refused_total{reason=\"incomplete\"} 2");

    async fn check(world: &World, query: &str, status: u16, body: &str) {
        let answer = reqwest::get(world.url(query)).await.unwrap();
        assert_eq!(answer.status(), status, "{query}");
        if status == 200 {
            assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
        }
        assert_eq!(answer.text().await.unwrap(), body, "{query}");
    }
}

#[tokio::test]
async fn other_methods_are_answered_405() {
    let world = World::usual().await;
    for method in [reqwest::Method::PUT, reqwest::Method::DELETE, reqwest::Method::PATCH] {
        let answer = reqwest::Client::new().request(method, world.url("")).send().await.unwrap();
        assert_eq!(answer.status(), 405);
    }
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused_before_it_is_read() {
    let limits = Limits { body_bytes_max: 100, ..Limits::default() };
    let world = World::new(limits, || async { Ok(()) }.boxed()).await;
    let fits = world.post(&"x".repeat(100)).send().await.unwrap();
    assert_eq!(fits.status(), 200);

    // No byte of the body is sent: the declared length is enough.
    let head = "POST /webhooks/instagram HTTP/1.1\r\nhost: x\r\ncontent-length: 101\r\n\r\n";
    assert!(world.raw(head).await.starts_with("HTTP/1.1 413 "));
    let huge =
        "POST /webhooks/instagram HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999\r\n\r\n";
    assert!(world.raw(huge).await.starts_with("HTTP/1.1 413 "));
    let chunked = format!(
        "POST /webhooks/instagram HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n65\r\n{}\r\n",
        "x".repeat(101)
    );
    assert!(world.raw(&chunked).await.starts_with("HTTP/1.1 413 "));
    assert_eq!(world.written().len(), 1);
    world.assert_counted("refused_total{reason=\"too_large\"} 3");
}

#[tokio::test]
async fn a_broker_that_never_answers_costs_the_sender_a_bounded_wait() {
    let limits = Limits { answer_wait: Duration::from_millis(50), ..Limits::default() };
    let world = World::new(limits, || pending().boxed()).await;
    let answer = world.post(BODY).send();
    let answer = tokio::time::timeout(Duration::from_secs(4), answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    world.assert_counted("refused_total{reason=\"broker_unavailable\"} 1");
    world.assert_counted("accepted_total 0");
    world.assert_counted("in_flight_bytes 0");
}

#[tokio::test]
async fn each_failure_of_the_broker_has_its_answer_and_none_is_another_5xx() {
    check(|| failing(Error::QueueFull), 503, "overloaded").await;
    check(|| failing(Error::Retriable("x".to_owned())), 503, "broker_unavailable").await;
    check(|| failing(Error::Fatal("x".to_owned())), 503, "broker_unavailable").await;
    check(|| failing(Error::Storage("x".to_owned())), 503, "broker_unavailable").await;
    check(|| failing(Error::TooLarge { bytes: 9 }), 413, "too_large").await;

    fn failing(error: Error) -> BoxFuture<'static, Result<(), Error>> {
        async { Err(error) }.boxed()
    }

    async fn check(broker: Broker, status: u16, reason: &str) {
        let world = World::new(Limits::default(), broker).await;
        let answer = world.post(BODY).send().await.unwrap();
        assert_eq!(answer.status(), status, "{reason}");
        assert_eq!(answer.headers().contains_key("retry-after"), status == 503, "{reason}");
        world.assert_counted(&format!("refused_total{{reason=\"{reason}\"}} 1"));
    }
}

#[tokio::test]
async fn more_in_flight_than_allowed_is_refused_at_once() {
    // Room for two small requests; each holds its room for as long as the broker is silent.
    let wait = Duration::from_millis(1_500);
    let limits = Limits { in_flight_bytes_max: 2_500, answer_wait: wait, ..Limits::default() };
    let world = World::new(limits, || pending().boxed()).await;
    let posts = (0..6).map(|_| world.post(BODY).send());
    let answers = futures::future::join_all(posts).await;
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().status() == 503));
    assert_eq!(world.written().len(), 2);
    world.assert_counted("refused_total{reason=\"overloaded\"} 4");
    world.assert_counted("refused_total{reason=\"broker_unavailable\"} 2");
    world.assert_counted("in_flight_bytes 0");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_and_gives_its_room_back() {
    let limits = Limits { answer_wait: Duration::from_millis(50), ..Limits::default() };
    let world = World::new(limits, || async { Ok(()) }.boxed()).await;
    let half = "POST /webhooks/instagram HTTP/1.1\r\nhost: x\r\ncontent-length: 90\r\n\r\nhalf";
    assert!(world.raw(half).await.starts_with("HTTP/1.1 408 "));
    world.assert_counted("refused_total{reason=\"slow_body\"} 1");
    world.assert_counted("in_flight_bytes 0");
    assert_eq!(world.written(), []);
}
