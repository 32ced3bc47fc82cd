//! The two doors at `/webhooks/instagram`: GET is the handshake, POST takes a body in.
//!
//! The order of POST: room for the body, the body, its signature, the broker, the answer. Nothing of a body is logged,
//! and no refusal says more than its status.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header as http};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use xxhash_rust::xxh3::xxh3_128;

use crate::broker;
use crate::broker::record::{Headers, Output, header, rfc3339};
use crate::broker::trace;
use crate::clock::Stopwatch;
use crate::ingress::door::Ingress;
use crate::ingress::metrics::{Metrics, Refusal};
use crate::ingress::{handshake, signature};
use crate::topics::Topic;

/// Where Meta is told to deliver.
const PATH: &str = "/webhooks/instagram";
/// A request costs this much even when its body is tiny: buffers, the record around it.
const REQUEST_BYTES_MIN: u32 = 1 << 10;
/// Seconds after which a refused delivery may come again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");
/// A content type longer than this is no content type.
const CONTENT_TYPE_BYTES_MAX: usize = 128;

#[derive(Debug, Clone)]
struct Door {
    ingress: Arc<Ingress>,
    room: Arc<Semaphore>,
}

/// `GET|POST /webhooks/instagram`; other methods are answered 405.
pub fn router(ingress: Arc<Ingress>) -> Router {
    let room_bytes = usize::try_from(ingress.limits.in_flight_bytes_max).unwrap_or(usize::MAX);
    let room = Arc::new(Semaphore::new(room_bytes.min(Semaphore::MAX_PERMITS)));
    Router::new().route(PATH, get(shake_hands).post(receive)).with_state(Door { ingress, room })
}

async fn shake_hands(State(door): State<Door>, RawQuery(query): RawQuery) -> Response {
    let watch = Stopwatch::start();
    let metrics = &door.ingress.metrics;
    let answer = handshake::answer(&query.unwrap_or_default(), &door.ingress.verify_token);
    match answer {
        handshake::Answer::Challenge(challenge) => {
            metrics.answered(StatusCode::OK, watch.elapsed());
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            let as_said = HeaderValue::from_static("nosniff");
            ([(http::CONTENT_TYPE, plain), (http::X_CONTENT_TYPE_OPTIONS, as_said)], challenge)
                .into_response()
        }
        handshake::Answer::Refused => refuse(metrics, Refusal::BadToken, watch),
        handshake::Answer::Incomplete => refuse(metrics, Refusal::Incomplete, watch),
    }
}

async fn receive(State(door): State<Door>, request: Request) -> Response {
    let watch = Stopwatch::start();
    let metrics = &door.ingress.metrics;
    match take_in(&door, request).await {
        Ok(()) => {
            metrics.accepted();
            metrics.answered(StatusCode::OK, watch.elapsed());
            StatusCode::OK.into_response()
        }
        Err(refusal) => refuse(metrics, refusal, watch),
    }
}

fn refuse(metrics: &Metrics, why: Refusal, watch: Stopwatch) -> Response {
    let status = why.status();
    metrics.refused(why);
    metrics.answered(status, watch.elapsed());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return (status, [(http::RETRY_AFTER, RETRY_AFTER)]).into_response();
    }
    status.into_response()
}

/// Takes one delivery in; `Ok` once the broker has it.
async fn take_in(door: &Door, request: Request) -> Result<(), Refusal> {
    let ingress = &door.ingress;
    let answer_by = Instant::now() + ingress.limits.answer_wait;
    let (head, body) = request.into_parts();
    let bytes_max = ingress.limits.body_bytes_max;
    let room_bytes = declared_bytes(&head.headers, bytes_max)?.max(REQUEST_BYTES_MIN);
    let _room = Room::take(door, room_bytes)?;

    let Ok(read) = timeout_at(answer_by, read(body, bytes_max)).await else {
        return Err(Refusal::SlowBody);
    };
    let body = read?;
    if !signature::is_signed(&ingress.secrets, text(&head.headers, signature::HEADER), &body) {
        return Err(Refusal::BadSignature);
    }
    let record = to_record(ingress, &head.headers, body);
    let delivered = match timeout_at(answer_by, (ingress.append)(record)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(refusal_of(&error)),
        Err(_elapsed) => {
            tracing::warn!("a webhook is refused: the broker did not confirm it in time");
            Err(Refusal::BrokerUnavailable)
        }
    };
    let now = ingress.clock.now();
    match delivered {
        Ok(()) => ingress.pulse.delivered(now),
        Err(why) if why.status() == StatusCode::SERVICE_UNAVAILABLE => ingress.pulse.failed(now),
        // The body's fault, not the broker's.
        Err(_) => (),
    }
    delivered
}

fn refusal_of(error: &broker::Error) -> Refusal {
    match error {
        broker::Error::TooLarge { .. } => {
            tracing::warn!(%error, "a webhook is refused: lower the body bound or raise the topic's");
            Refusal::TooLarge
        }
        broker::Error::QueueFull => Refusal::Overloaded,
        broker::Error::Retriable(_)
        | broker::Error::Abortable(_)
        | broker::Error::Fatal(_)
        | broker::Error::Topics(_)
        | broker::Error::Storage(_)
        | broker::Error::Settings(_) => {
            tracing::warn!(%error, "a webhook is refused: the broker did not take it");
            Refusal::BrokerUnavailable
        }
    }
}

/// How much the sender says it sends; the bound when it does not say.
fn declared_bytes(headers: &HeaderMap, bytes_max: u32) -> Result<u32, Refusal> {
    let Some(declared) = text(headers, http::CONTENT_LENGTH.as_str()) else { return Ok(bytes_max) };
    let declared = declared.parse::<u32>().ok();
    declared.filter(|bytes| *bytes <= bytes_max).ok_or(Refusal::TooLarge)
}

async fn read(body: Body, bytes_max: u32) -> Result<Vec<u8>, Refusal> {
    let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else { return Err(Refusal::BrokenBody) };
        if bytes.len().saturating_add(chunk.len()) > bytes_max {
            return Err(Refusal::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn to_record(ingress: &Ingress, request: &HeaderMap, body: Vec<u8>) -> Output {
    let received_at = ingress.clock.now();
    let digest = format!("{:032x}", xxh3_128(&body));
    let content_type = text(request, http::CONTENT_TYPE.as_str())
        .filter(|given| given.len() <= CONTENT_TYPE_BYTES_MAX)
        .unwrap_or("application/octet-stream");
    let mut headers = Headers::roomy();
    headers.push(header::SPEC_VERSION, "1.0");
    headers.push(header::ID, &format!("wh-{digest}"));
    headers.push(header::TYPE, "webhook.received");
    headers.push(header::SOURCE, "/dmstream/ingress");
    headers.push(header::TIME, &rfc3339(received_at));
    headers.push(header::CONTENT_TYPE, content_type);
    headers.push(header::TRACE_PARENT, &trace::traceparent(text(request, header::TRACE_PARENT)));
    // Without a key of its own a body goes wherever its digest points: spread, and the same on each delivery.
    let key = (ingress.key_of)(&body).filter(|key| !key.is_empty()).unwrap_or(digest);
    Output {
        topic: Topic::WebhooksRaw,
        partition: None,
        key: key.into_bytes(),
        value: Some(body),
        headers,
        timestamp: received_at,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    headers.get(name)?.to_str().ok()
}

/// Room for one body, given back when dropped.
struct Room<'a> {
    ingress: &'a Ingress,
    bytes: u32,
    _permit: OwnedSemaphorePermit,
}

impl<'a> Room<'a> {
    /// Refuses at once where there is none: Meta's retry is the queue.
    fn take(door: &'a Door, bytes: u32) -> Result<Self, Refusal> {
        let Ok(permit) = Arc::clone(&door.room).try_acquire_many_owned(bytes) else {
            return Err(Refusal::Overloaded);
        };
        let ingress = &*door.ingress;
        ingress.metrics.in_flight_add(bytes);
        ingress.pulse.taken(bytes);
        Ok(Self { ingress, bytes, _permit: permit })
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.ingress.metrics.in_flight_sub(self.bytes);
        self.ingress.pulse.given_back(self.bytes);
    }
}
