//! What goes wrong between a caller and the desk, as one shape with a code and what to do. Called `desk::Error` outside.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::command::Refusal;

/// Why a request is not answered as wished. Texts name fields and rules, never persons or what they wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No token, or none of ours.
    #[error("send `Authorization: Bearer <token>` with a token of this desk")]
    Unauthorized,
    /// An agent's token for somebody else.
    #[error("an agent's token acts for that agent alone; leave `agent_id` out")]
    Forbidden,
    /// The administrator's token acts for nobody by itself.
    #[error("name the agent to act for in `agent_id`")]
    AgentIdRequired,
    /// An agent's token where only the administrator's will do.
    #[error("this takes the administrator's token")]
    AdminOnly,
    /// No such address.
    #[error("there is nothing here; the addresses are listed at /v1/openapi.json")]
    NotFound,
    /// No such agent.
    #[error("no such agent; list them at /v1/agents")]
    AgentNotFound,
    /// No such customer.
    #[error("no such customer, or nothing of them is kept any more")]
    CustomerNotFound,
    /// No such command, or its result is no longer kept.
    #[error("no result is known for this command: not yet, or no longer")]
    CommandNotFound,
    /// The address takes other methods.
    #[error("this address takes other methods; see /v1/openapi.json")]
    MethodNotAllowed,
    /// The body is not JSON.
    #[error("the body is not JSON: see line {line}, column {column}")]
    MalformedJson {
        /// Counted from one.
        line: usize,
        /// Counted from one.
        column: usize,
    },
    /// The body has a field nobody knows.
    #[error("unknown field `{0}`; leave it out")]
    UnknownField(String),
    /// The body lacks a field.
    #[error("field `{0}` is missing")]
    MissingField(String),
    /// A value of the body is of the wrong kind.
    #[error("a value is not what its field takes: see line {line}, column {column}")]
    InvalidField {
        /// Counted from one.
        line: usize,
        /// Counted from one.
        column: usize,
    },
    /// A field's text is empty or too long.
    #[error("field `{field}` takes {chars_min} to {chars_max} characters")]
    TextBounds {
        /// Which.
        field: &'static str,
        /// At least.
        chars_min: usize,
        /// At most.
        chars_max: usize,
    },
    /// A field's value is of the wrong kind.
    #[error("field `{0}` is of another kind; see /v1/openapi.json")]
    WrongKind(String),
    /// A field's value is outside its range.
    #[error("field `{field}` takes {takes}")]
    OutOfRange {
        /// Which.
        field: &'static str,
        /// What it takes, in words.
        takes: &'static str,
    },
    /// More versions of settings, or companies and accounts with settings, than are kept.
    #[error(
        "too much is set already; change what is to come, or wait until older versions are forgotten"
    )]
    TooManySettings,
    /// The query is not understood.
    #[error("the query is not understood; this address takes: {0}")]
    InvalidQuery(&'static str),
    /// An id in the address is none.
    #[error("the id in the address is empty, too long or holds a control character")]
    InvalidId,
    /// The idempotency key is none.
    #[error("`Idempotency-Key` takes 1 to 64 visible ASCII characters")]
    InvalidIdempotencyKey,
    /// The body is larger than a body may be.
    #[error("the body is larger than 64 KiB")]
    BodyTooLarge,
    /// The command was refused by its rule.
    #[error("{}", advice(*.0))]
    Refused(Refusal),
    /// The log takes nothing now.
    #[error("the command could not be recorded now; send it again with the same `Idempotency-Key`")]
    Unavailable,
    /// More listeners than may be.
    #[error("too many listen already; try again later")]
    TooManyListeners,
    /// A fault of ours.
    #[error("the desk failed; try again, then tell the operator")]
    Internal,
}

/// An error as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ErrorBody {
    /// The error.
    error: ErrorDetail,
}

/// What is wrong.
#[derive(Debug, Serialize, JsonSchema)]
struct ErrorDetail {
    /// For programs; stable.
    code: String,
    /// For people: what to do.
    message: String,
}

impl Error {
    /// For programs; a refused command's code is its rule's.
    #[must_use]
    pub fn code(&self) -> String {
        let code = match self {
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Forbidden | Self::AdminOnly => "FORBIDDEN",
            Self::AgentIdRequired => "AGENT_ID_REQUIRED",
            Self::NotFound => "NOT_FOUND",
            Self::AgentNotFound => "AGENT_NOT_FOUND",
            Self::CustomerNotFound => "CUSTOMER_NOT_FOUND",
            Self::CommandNotFound => "COMMAND_NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::MalformedJson { .. } => "MALFORMED_JSON",
            Self::UnknownField(_) => "UNKNOWN_FIELD",
            Self::MissingField(_) => "MISSING_FIELD",
            Self::InvalidField { .. }
            | Self::TextBounds { .. }
            | Self::WrongKind(_)
            | Self::OutOfRange { .. } => "INVALID_FIELD",
            Self::TooManySettings => "TOO_MANY_SETTINGS",
            Self::InvalidQuery(_) => "INVALID_QUERY",
            Self::InvalidId => "INVALID_ID",
            Self::InvalidIdempotencyKey => "INVALID_IDEMPOTENCY_KEY",
            Self::BodyTooLarge => "BODY_TOO_LARGE",
            Self::Refused(refusal) => return refusal_code(*refusal),
            Self::Unavailable => "UNAVAILABLE",
            Self::TooManyListeners => "TOO_MANY_LISTENERS",
            Self::Internal => "INTERNAL",
        };
        code.to_owned()
    }

    /// The one place that turns an error into a status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::AdminOnly => StatusCode::FORBIDDEN,
            Self::TooManySettings => StatusCode::CONFLICT,
            Self::NotFound
            | Self::AgentNotFound
            | Self::CustomerNotFound
            | Self::CommandNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::AgentIdRequired
            | Self::MalformedJson { .. }
            | Self::UnknownField(_)
            | Self::MissingField(_)
            | Self::InvalidField { .. }
            | Self::TextBounds { .. }
            | Self::WrongKind(_)
            | Self::OutOfRange { .. }
            | Self::InvalidQuery(_)
            | Self::InvalidId
            | Self::InvalidIdempotencyKey => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Refused(refusal) => refusal_status(*refusal),
            Self::Unavailable | Self::TooManyListeners => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let detail = ErrorDetail { code: self.code(), message: self.to_string() };
        let status = self.status();
        let mut response = (status, Json(ErrorBody { error: detail })).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// The rule's own code, as the record of the result spells it.
fn refusal_code(refusal: Refusal) -> String {
    let code = serde_json::to_value(refusal).ok();
    code.and_then(|code| code.as_str().map(str::to_owned)).unwrap_or_default()
}

const fn refusal_status(refusal: Refusal) -> StatusCode {
    match refusal {
        Refusal::ConversationNotFound => StatusCode::NOT_FOUND,
        Refusal::OfferExpired => StatusCode::GONE,
        Refusal::TextTooLong
        | Refusal::TextTooManyBytes
        | Refusal::EmptyMessage
        | Refusal::TooManyAttachments
        | Refusal::VideoNotSupported
        | Refusal::AttachmentsTooLarge
        | Refusal::FieldReadOnly
        | Refusal::AttachmentTypeNotSupported => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::CannotInitiate
        | Refusal::CustomerWaiting
        | Refusal::ConversationClosed
        | Refusal::TopicRequired
        | Refusal::NotLastMessage
        | Refusal::NotLikeable
        | Refusal::TargetUnavailable
        | Refusal::ReplyWindowExpired
        | Refusal::AutomationWindowExpired
        | Refusal::NotAvailable
        | Refusal::AtMaximum
        | Refusal::NotLoggedIn
        | Refusal::UserDeactivated
        | Refusal::NotConfirmed
        | Refusal::CustomerMerged
        | Refusal::CannotMerge
        | Refusal::CannotUnmerge => StatusCode::CONFLICT,
    }
}

const fn advice(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::CannotInitiate => "the customer has to write first",
        Refusal::CustomerWaiting => {
            "the customer waits for an answer; answer, or close with `force`"
        }
        Refusal::ConversationClosed => "the conversation is closed; reopen it first",
        Refusal::ConversationNotFound => "no such conversation; list them at /v1/conversations",
        Refusal::TopicRequired => "add a topic, then close",
        Refusal::NotLastMessage => "the customer has written again; look at the newest message",
        Refusal::NotLikeable => "only what the customer sent can be liked",
        Refusal::TargetUnavailable => "the message or story is gone",
        Refusal::ReplyWindowExpired => "too late to answer; the customer has to write again",
        Refusal::AutomationWindowExpired => "too late for an automatic answer; let an agent answer",
        Refusal::OfferExpired => "the offer is gone; wait for the next",
        Refusal::NotAvailable => "become available first",
        Refusal::AtMaximum => "finish a conversation first: this is the maximum",
        Refusal::NotLoggedIn => "log in first",
        Refusal::UserDeactivated => "an administrator deactivated this agent",
        Refusal::NotConfirmed => "make sure they are one person, then send `confirmed`",
        Refusal::CustomerMerged => "this profile is merged into another; go there",
        Refusal::CannotMerge => "these two profiles cannot be merged",
        Refusal::CannotUnmerge => "only the last merge can be taken back",
        Refusal::TextTooLong => "shorten the text to 640 characters",
        Refusal::TextTooManyBytes => "shorten the text to 1000 bytes",
        Refusal::EmptyMessage => "write something, or add an image",
        Refusal::TooManyAttachments => "send ten images at most",
        Refusal::AttachmentsTooLarge => "send images of 5 MB (5242880 bytes) together at most",
        Refusal::FieldReadOnly => "this came from Instagram and stays as it is; leave it out",
        Refusal::AttachmentTypeNotSupported => "send JPEG, PNG or GIF images by https addresses",
        Refusal::VideoNotSupported => "Instagram takes images only; send a link instead",
        Refusal::Overloaded => "too much waits already; try again later",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_answered_with_its_rules_code_and_a_fitting_status() {
        check(Refusal::ConversationClosed, "CONVERSATION_CLOSED", 409);
        check(Refusal::ReplyWindowExpired, "REPLY_WINDOW_EXPIRED", 409);
        check(Refusal::CustomerWaiting, "CUSTOMER_WAITING", 409);
        check(Refusal::ConversationNotFound, "CONVERSATION_NOT_FOUND", 404);
        check(Refusal::OfferExpired, "OFFER_EXPIRED", 410);
        check(Refusal::TextTooLong, "TEXT_TOO_LONG", 422);
        check(Refusal::EmptyMessage, "EMPTY_MESSAGE", 422);
        check(Refusal::Overloaded, "OVERLOADED", 503);

        #[track_caller]
        fn check(refusal: Refusal, code: &str, status: u16) {
            let error = Error::Refused(refusal);
            assert_eq!((error.code().as_str(), error.status().as_u16()), (code, status));
            assert!(!error.to_string().is_empty());
        }
    }
}
