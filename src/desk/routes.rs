//! Every address of the API, once: the router and the `OpenAPI` document are both made from this table.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, patch, post, put};
use axum::{Json, Router, middleware};
use utoipa::openapi::HttpMethod;

use crate::desk::openapi::{self, Shape};
use crate::desk::wire::{
    AccountSettingsBody, ActBody, AgentList, AvailabilityBody, AwayBody, CloseBody, CommandAnswer,
    CompanySettingsBody, ConversationList, CustomerList, DetailsBody, FocusBody, InboxesBody,
    MergeBody, MessageBody, NoteBody, NothingBody, OfferList, PriorityBody, ReplyBody,
    SettingsAnswer, SettingsPageBody, TopicBody, TransferBody,
};
use crate::desk::{Caller, Desk, Error, agents, console, conversations, customers, live, settings};
use crate::domain::routing::AgentSnapshot;
use crate::domain::settings::{AccountSettings, CompanySettings};
use crate::project::{ConversationDetail, CustomerDetail, OutwardItems};

/// Bytes of a body.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// One address with one method.
pub(super) struct Route {
    pub(super) method: HttpMethod,
    pub(super) path: &'static str,
    /// What it does, in a sentence.
    pub(super) summary: &'static str,
    /// Query parameters: name, what it means.
    pub(super) query: &'static [(&'static str, &'static str)],
    pub(super) body: Option<Shape>,
    pub(super) answer: Answer,
    handler: Handler,
}

/// What an address answers when all is well.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// A view.
    View(Shape),
    /// What became of a command: 200 done, 202 pending, or its refusal.
    Command,
    /// What is set now: 200 in force here, 202 recorded.
    Set(Shape),
    /// A stream of events.
    Events,
    /// The `OpenAPI` document.
    Document,
}

const ACT: &[(&str, &str)] = &[("agent_id", "For whom an administrator acts.")];
const COMPANY: &[(&str, &str)] =
    &[("company_id", "Whose agent, for an administrator; left out: where the agent is known.")];
const HANDLE: &[(&str, &str)] = &[
    ("phone", "With country code, however it is written."),
    ("email", "However it is written."),
    ("external_id", "The id in the shop's own books."),
];
const LIST: &[(&str, &str)] = &[
    ("status", "`new`, `open`, `waiting` or `closed`."),
    ("agent_id", "In whose hands."),
    ("inbox_id", "In which inbox."),
    ("limit", "1 to 200; 50 when left out."),
    ("cursor", "`next_cursor` of the stretch before."),
];

impl Route {
    fn view(path: &'static str, summary: &'static str, view: Shape, on: Handler) -> Self {
        let (method, answer) = (HttpMethod::Get, Answer::View(view));
        Self { method, path, summary, query: &[], body: None, answer, handler: on }
    }

    fn command(path: &'static str, summary: &'static str, body: Shape, on: Handler) -> Self {
        let (method, answer) = (HttpMethod::Post, Answer::Command);
        Self { method, path, summary, query: &[], body: Some(body), answer, handler: on }
    }

    fn change(path: &'static str, summary: &'static str, body: Shape, on: Handler) -> Self {
        Self { method: HttpMethod::Patch, ..Self::command(path, summary, body, on) }
    }

    fn set(path: &'static str, summary: &'static str, body: Shape, on: (Shape, Handler)) -> Self {
        let (method, answer) = (HttpMethod::Put, Answer::Set(on.0));
        Self { method, path, summary, query: &[], body: Some(body), answer, handler: on.1 }
    }

    fn undo(path: &'static str, summary: &'static str, on: Handler) -> Self {
        let (method, answer) = (HttpMethod::Delete, Answer::Command);
        Self { method, path, summary, query: ACT, body: None, answer, handler: on }
    }

    const fn asking(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }
}

/// What answers at one address.
pub(super) type Handler = MethodRouter<Arc<Desk>>;

/// Every address.
pub(super) fn table() -> Vec<Route> {
    let mut table = about_conversations();
    table.extend(about_their_course());
    table.extend(about_conversations_in_routing());
    table.extend(about_agents());
    table.extend(about_agents_work());
    table.extend(about_customers());
    table.extend(about_settings());
    table.extend(about_the_desk());
    table
}

fn about_conversations() -> Vec<Route> {
    use conversations as on;
    let (list, one) = (Shape::of::<ConversationList>(), Shape::of::<ConversationDetail>());
    vec![
        Route::view("/v1/conversations", "List conversations.", list, get(on::list)).asking(LIST),
        Route::view("/v1/conversations/{id}", "One with its timeline.", one, get(on::one)),
        Route::view(
            "/v1/conversations/{id}/items",
            "Its items in the words other desks use.",
            Shape::of::<OutwardItems>(),
            get(on::items),
        ),
        Route::command(
            "/v1/conversations/{id}/replies",
            "Say something.",
            Shape::of::<ReplyBody>(),
            post(on::reply),
        ),
        Route::command(
            "/v1/conversations/{id}/likes",
            "Put a heart on what the customer sent.",
            Shape::of::<MessageBody>(),
            on::like(),
        ),
        Route::undo("/v1/conversations/{id}/likes/{mid}", "Take it off.", on::unlike()),
    ]
}

/// What becomes of a conversation, beside what is said in it.
fn about_their_course() -> Vec<Route> {
    use conversations as on;
    vec![
        Route::command(
            "/v1/conversations/{id}/transfer",
            "Move it to another inbox: to its queue, or straight to an agent.",
            Shape::of::<TransferBody>(),
            on::transfer(),
        ),
        Route::command(
            "/v1/conversations/{id}/close",
            "Close.",
            Shape::of::<CloseBody>(),
            on::close(),
        ),
        Route::command(
            "/v1/conversations/{id}/reopen",
            "Open again.",
            Shape::of::<ActBody>(),
            on::reopen(),
        ),
        Route::command(
            "/v1/conversations/{id}/no-reply-needed",
            "The last message needs no answer.",
            Shape::of::<MessageBody>(),
            on::no_reply_needed(),
        ),
        Route::command(
            "/v1/conversations/{id}/topics",
            "Add a topic.",
            Shape::of::<TopicBody>(),
            on::add_topic(),
        ),
        Route::undo(
            "/v1/conversations/{id}/topics/{topic}",
            "Take a topic away.",
            on::remove_topic(),
        ),
        Route::command(
            "/v1/conversations/{id}/notes",
            "Write a note for colleagues.",
            Shape::of::<NoteBody>(),
            on::add_note(),
        ),
    ]
}

/// What routing is told of a conversation.
fn about_conversations_in_routing() -> Vec<Route> {
    use conversations as on;
    vec![
        Route::command(
            "/v1/conversations/{id}/seen",
            "Its agent has looked at it: Next leads back only to what came after.",
            Shape::of::<ActBody>(),
            post(on::seen),
        ),
        Route::command(
            "/v1/conversations/{id}/priority",
            "Say how urgent it is while it needs an agent; higher goes first in its inbox.",
            Shape::of::<PriorityBody>(),
            post(on::priority),
        ),
    ]
}

fn about_agents() -> Vec<Route> {
    use agents as on;
    let (list, one) = (Shape::of::<AgentList>(), Shape::of::<AgentSnapshot>());
    let (act, nothing) = (Shape::of::<ActBody>(), Shape::of::<NothingBody>());
    let (offers, available) = (Shape::of::<OfferList>(), Shape::of::<AvailabilityBody>());
    let away = Shape::of::<AwayBody>();
    vec![
        Route::view("/v1/agents", "List agents.", list, get(on::list)),
        Route::view("/v1/agents/{id}", "One agent.", one, get(on::one)),
        Route::command("/v1/agents/{id}/log-in", "Start work.", nothing, on::log_in())
            .asking(COMPANY),
        Route::command("/v1/agents/{id}/log-out", "Stop work.", nothing, on::log_out())
            .asking(COMPANY),
        Route::command(
            "/v1/agents/{id}/availability",
            "Take messaging, or not.",
            available,
            on::availability(),
        )
        .asking(COMPANY),
        Route::command("/v1/agents/{id}/away", "Leave, or come back.", away, on::away())
            .asking(COMPANY),
        Route::command(
            "/v1/agents/{id}/next",
            "Back to an own conversation with something unseen; else more work.",
            nothing,
            post(on::next),
        )
        .asking(COMPANY),
        Route::view("/v1/offers", "Offers that can be accepted.", offers, get(on::offers))
            .asking(ACT),
        Route::command("/v1/offers/{offer_id}/accept", "Take it.", act, on::accept()),
        Route::command("/v1/offers/{offer_id}/decline", "Do not.", act, on::decline()),
        Route::view(
            "/v1/commands/{id}",
            "What became of a command.",
            Shape::of::<CommandAnswer>(),
            get(on::command),
        ),
    ]
}

/// What keeps an agent from being routed to, and what an administrator says about one.
fn about_agents_work() -> Vec<Route> {
    use agents as on;
    let (nothing, focus) = (Shape::of::<NothingBody>(), Shape::of::<FocusBody>());
    let (page, inboxes) = (Shape::of::<SettingsPageBody>(), Shape::of::<InboxesBody>());
    let commands = vec![
        Route::command("/v1/agents/{id}/focus", "Enter or leave Focus.", focus, on::focus()),
        Route::command(
            "/v1/agents/{id}/settings-page",
            "The settings page is open, or not any more: nothing is routed meanwhile.",
            page,
            on::settings_page(),
        ),
        Route::command("/v1/agents/{id}/activity", "Still here.", nothing, on::activity()),
        Route::command(
            "/v1/agents/{id}/inboxes",
            "Which inboxes the agent serves; for the administrator alone.",
            inboxes,
            on::inboxes(),
        ),
        Route::command(
            "/v1/agents/{id}/deactivate",
            "Takes everything from the agent, who may not log in; for the administrator alone.",
            nothing,
            on::deactivate(),
        ),
        Route::command(
            "/v1/agents/{id}/reactivate",
            "The agent may log in again; for the administrator alone.",
            nothing,
            on::reactivate(),
        ),
    ];
    commands.into_iter().map(|command| command.asking(COMPANY)).collect()
}

fn about_customers() -> Vec<Route> {
    use customers as on;
    let (act, merge) = (Shape::of::<ActBody>(), Shape::of::<MergeBody>());
    vec![
        Route::view(
            "/v1/customers",
            "Who has a phone number, an e-mail address or an id.",
            Shape::of::<CustomerList>(),
            get(on::list),
        )
        .asking(HANDLE),
        Route::change(
            "/v1/customers/{id}",
            "Note what they told of themselves.",
            Shape::of::<DetailsBody>(),
            patch(on::edit),
        ),
        Route::view(
            "/v1/customers/{id}",
            "One with their conversations; one merged into another redirects there.",
            Shape::of::<CustomerDetail>(),
            get(on::one),
        ),
        Route::command(
            "/v1/customers/{id}/merge",
            "They are one person with another customer, who goes on.",
            merge,
            post(on::merge),
        ),
        Route::command(
            "/v1/customers/{id}/unmerge",
            "Take the last merge of this customer back.",
            act,
            post(on::unmerge),
        ),
        Route::command(
            "/v1/customers/{id}/erase",
            "Erase what they wrote and what is known of them; for the administrator alone.",
            act,
            post(on::erase),
        ),
    ]
}

/// For the administrator alone. One handler an address: `GET` and `PUT` of one address are merged by the router.
fn about_settings() -> Vec<Route> {
    use settings as on;
    let company = Shape::of::<SettingsAnswer<CompanySettings>>();
    let account = Shape::of::<SettingsAnswer<AccountSettings>>();
    vec![
        Route::view(
            "/v1/settings/companies/{id}",
            "What is set for a company, and what will be.",
            company,
            get(on::company),
        ),
        Route::set(
            "/v1/settings/companies/{id}",
            "Set it, from now on or from later.",
            Shape::of::<CompanySettingsBody>(),
            (company, put(on::set_company)),
        ),
        Route::view(
            "/v1/settings/accounts/{id}",
            "What is set for an account, and what will be.",
            account,
            get(on::account),
        ),
        Route::set(
            "/v1/settings/accounts/{id}",
            "Set it, from now on or from later.",
            Shape::of::<AccountSettingsBody>(),
            (account, put(on::set_account)),
        ),
    ]
}

fn about_the_desk() -> Vec<Route> {
    let get_only = |path, summary, answer, handler| Route {
        method: HttpMethod::Get,
        path,
        summary,
        query: &[],
        body: None,
        answer,
        handler,
    };
    let (events, this) = ("Notices of changes, as they happen.", "This document.");
    vec![
        get_only("/v1/events", events, Answer::Events, get(live::events)),
        get_only("/v1/openapi.json", this, Answer::Document, get(document)),
    ]
}

/// The desk's API and console over `desk`, with their own fallbacks and headers.
///
/// Serves `/`, `/console.js`, `/counter.js`, `/console.css` and everything under `/v1/`.
pub fn router(desk: Arc<Desk>) -> Router {
    let routes = table().into_iter();
    let router =
        routes.fold(console::pages(), |router, route| router.route(route.path, route.handler));
    router
        .fallback(async || Error::NotFound)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::map_response(guarded))
        .with_state(desk)
}

async fn document(State(_desk): State<Arc<Desk>>, _caller: Caller) -> Response {
    Json(openapi::document()).into_response()
}

/// Answers are nobody else's: not kept, not framed, not guessed at.
async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let strict = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(strict);
    response
}
