//! From a request to our words: token, body, query, ids; each failure in the desk's one shape.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::broker::{record, trace};
use crate::desk::wire::Asking;
use crate::desk::{Caller, Desk, Error};
use crate::domain::id::{AgentId, IdError};

/// Characters of an idempotency key.
const KEY_CHARS_MAX: usize = 64;
/// Characters of a field's name repeated in an answer.
const NAME_CHARS_MAX: usize = 64;

impl FromRequestParts<Arc<Desk>> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Error> {
        let header = parts.headers.get(header::AUTHORIZATION);
        let text = header.and_then(|value| value.to_str().ok()).ok_or(Error::Unauthorized)?;
        let (scheme, token) = text.split_once(' ').ok_or(Error::Unauthorized)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Error::Unauthorized);
        }
        desk.tokens.identify(token.trim()).ok_or(Error::Unauthorized)
    }
}

impl Caller {
    /// Lets the administrator alone go on.
    pub(super) const fn require_admin(&self) -> Result<(), Error> {
        match self {
            Self::Admin => Ok(()),
            Self::Agent { .. } => Err(Error::AdminOnly),
        }
    }

    /// For whom the caller acts: an agent for itself, an administrator for whom it names.
    pub(super) fn acting_for(&self, named: Option<AgentId>) -> Result<AgentId, Error> {
        match self {
            Self::Admin => named.ok_or(Error::AgentIdRequired),
            Self::Agent { agent_id, .. } => {
                let is_own = named.is_none_or(|named| named == *agent_id);
                if is_own { Ok(agent_id.clone()) } else { Err(Error::Forbidden) }
            }
        }
    }
}

/// What comes with a command beside its body.
#[derive(Debug, Clone, Default)]
pub(super) struct Envelope {
    /// The client's key: the same twice acts once.
    pub(super) idempotency_key: Option<String>,
    /// The trace to go on with: the caller's, else a new one.
    pub(super) traceparent: String,
}

impl<S: Sync> FromRequestParts<S> for Envelope {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let given = parts.headers.get(record::header::TRACE_PARENT);
        let traceparent = trace::traceparent(given.and_then(|value| value.to_str().ok()));
        let idempotency_key = match parts.headers.get("idempotency-key") {
            None => None,
            Some(value) => Some(well_formed(value.as_bytes()).ok_or(Error::InvalidIdempotencyKey)?),
        };
        Ok(Self { idempotency_key, traceparent })
    }
}

fn well_formed(key: &[u8]) -> Option<String> {
    let is_bounded = (1..=KEY_CHARS_MAX).contains(&key.len());
    let is_visible = key.iter().all(u8::is_ascii_graphic);
    (is_bounded && is_visible).then(|| String::from_utf8_lossy(key).into_owned())
}

/// A JSON body; none at all counts as `{}`.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Desk>> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, desk: &Arc<Desk>) -> Result<Self, Error> {
        let bytes = Bytes::from_request(request, desk).await;
        let bytes = bytes.map_err(|_too_long_or_cut_off| Error::BodyTooLarge)?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text).map(Self).map_err(|error| not_read(&error))
    }
}

/// The serializer's word may quote what was written: only places and names of fields go further.
fn not_read(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Data => {
            let text = error.to_string();
            let named = |before: &str| {
                let name = text.strip_prefix(before)?.split('`').next()?;
                Some(name_of(name))
            };
            let unknown = named("unknown field `").map(Error::UnknownField);
            let missing = || named("missing field `").map(Error::MissingField);
            unknown.or_else(missing).unwrap_or(Error::InvalidField { line, column })
        }
        Category::Io | Category::Syntax | Category::Eof => Error::MalformedJson { line, column },
    }
}

/// A field's name, as far as it is repeated in an answer.
pub(super) fn name_of(field: &str) -> String {
    field.chars().take(NAME_CHARS_MAX).collect()
}

/// The query of the address.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<T: Asking> FromRequestParts<Arc<Desk>> for Asked<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _desk: &Arc<Desk>) -> Result<Self, Error> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        read.map(|Query(query)| Self(query)).map_err(|_quoting| Error::InvalidQuery(T::TAKES))
    }
}

/// Reads an id of the address.
pub(super) fn id<T>(text: &str, parse: fn(&str) -> Result<T, IdError>) -> Result<T, Error> {
    parse(text).map_err(|_why| Error::InvalidId)
}

/// The ids of the address, in order.
#[derive(Debug)]
pub(super) struct Ids<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Desk>> for Ids<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Error> {
        let path = Path::<T>::from_request_parts(parts, desk).await;
        path.map(|Path(ids)| Self(ids)).map_err(|_quoting| Error::InvalidId)
    }
}
