//! Whole simulations against a small desk with rules of its own: an honest one agrees with the books, and what a
//! dishonest one loses or doubles is found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::domain::id::AccountId;

use super::account::reference_of;
use super::graph::GraphFaults;
use super::happening::Happening;
use super::reconcile::Wrong;
use super::robots::Manners;
use super::run::{SimulatorSettings, run};
use super::settle::Outcome;
use super::webhook::signature;

const SECRET: &str = "test-app-secret";

/// How the desk fails, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Temper {
    Honest,
    /// Acknowledges every tenth inbound message and forgets it.
    Forgetful,
    /// Sends again whenever no answer came.
    Impatient,
}

/// A desk in memory: one conversation a thread until it is closed, then the next.
#[derive(Debug, Default)]
struct Rooms {
    conversations: Vec<Conversation>,
    seen: BTreeSet<String>,
    deleted: BTreeSet<String>,
    edits: BTreeMap<String, (u64, String)>,
    replies: BTreeSet<String>,
    inbound: usize,
}

#[derive(Debug)]
struct Conversation {
    account: String,
    person: String,
    agent: Option<String>,
    closed: bool,
    items: Vec<Value>,
}

#[derive(Debug, Clone)]
struct SmallDesk {
    rooms: Arc<Mutex<Rooms>>,
    temper: Temper,
    graph: String,
}

type Of = State<SmallDesk>;
type Asked = Query<BTreeMap<String, String>>;

impl SmallDesk {
    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap()
    }

    fn router(self) -> Router {
        let done = || async { Json(json!({"state": "done"})) };
        Router::new()
            .route("/hook", post(hook))
            .route("/v1/agents/{id}/{wish}", post(done))
            .route("/v1/offers", get(offers))
            .route("/v1/offers/{id}/{answer}", post(answer_offer))
            .route("/v1/conversations", get(list))
            .route("/v1/conversations/{id}", get(one))
            .route("/v1/conversations/{id}/replies", post(reply))
            .route("/v1/conversations/{id}/likes", post(done))
            .route("/v1/conversations/{id}/close", post(close))
            .with_state(self)
    }

    /// Sends until something definite is known; the impatient one does not care what it knows.
    async fn send(self, index: usize, text: String) {
        let (account, person) = {
            let rooms = self.rooms();
            let conversation = &rooms.conversations[index];
            (conversation.account.clone(), conversation.person.clone())
        };
        let url = format!("{}/v25.0/{account}/messages", self.graph);
        let body = json!({"recipient": {"id": person}, "message": {"text": text}});
        for _ in 0..8 {
            let request = reqwest::Client::new().post(&url).bearer_auth("token-1").json(&body);
            let answer = match request.send().await {
                Ok(answer) => answer.json::<Value>().await.unwrap_or_default(),
                Err(_) => Value::Null,
            };
            if let Some(mid) = answer["message_id"].as_str() {
                return self.rooms().settle(index, &text, mid);
            }
            let again = answer["error"]["code"] == 2 || self.temper == Temper::Impatient;
            if !again {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.rooms().fail(index, &text);
    }
}

impl Rooms {
    fn open(&mut self, account: &str, person: &str) -> usize {
        let fits = |one: &Conversation| one.account == account && one.person == person;
        let found = self.conversations.iter().position(|one| fits(one) && !one.closed);
        found.unwrap_or_else(|| {
            let (account, person) = (account.to_owned(), person.to_owned());
            let new = Conversation { account, person, agent: None, closed: false, items: vec![] };
            self.conversations.push(new);
            self.conversations.len() - 1
        })
    }

    fn own(&mut self, index: usize, text: &str) -> Option<&mut Value> {
        let items = &mut self.conversations[index].items;
        items.iter_mut().find(|item| item["text"] == text && item["mid"].is_null())
    }

    /// One of our replies is out, by answer or by echo; whoever comes second finds nothing to do.
    fn settle(&mut self, index: usize, text: &str, mid: &str) {
        if self.seen.insert(mid.to_owned())
            && let Some(item) = self.own(index, text)
        {
            item["mid"] = json!(mid);
            item["state"] = json!("sent");
        }
    }

    fn fail(&mut self, index: usize, text: &str) {
        if let Some(item) = self.own(index, text) {
            item["state"] = json!("failed");
        }
    }

    fn take(&mut self, item: &Value, temper: Temper) {
        let message = &item["message"];
        let echo = message["is_echo"] == true;
        let (sender, recipient) =
            (item["sender"]["id"].as_str().unwrap(), item["recipient"]["id"].as_str().unwrap());
        let (account, person) = if echo { (sender, recipient) } else { (recipient, sender) };
        if let Some(edit) = item.get("message_edit") {
            let (mid, number) = (edit["mid"].as_str().unwrap(), edit["num_edit"].as_u64().unwrap());
            let newest = self.edits.entry(mid.to_owned()).or_default();
            if number > newest.0 {
                *newest = (number, edit["text"].as_str().unwrap().to_owned());
            }
        } else if message["is_deleted"] == true {
            self.deleted.insert(message["mid"].as_str().unwrap().to_owned());
        } else if message.is_object() {
            self.said(account, person, message, temper);
        } else if item["postback"].is_object() {
            self.said(account, person, &item["postback"], temper);
        }
    }

    fn said(&mut self, account: &str, person: &str, message: &Value, temper: Temper) {
        let (mid, echo) = (message["mid"].as_str().unwrap(), message["is_echo"] == true);
        let text = message["text"].as_str().unwrap_or_default();
        if echo && reference_of(text).is_some() {
            let fits = |one: &Conversation| one.account == account && one.person == person;
            let queued = |one: &Conversation| one.items.iter().any(|item| item["text"] == text);
            let at = self.conversations.iter().position(|one| fits(one) && queued(one));
            return self.settle(at.unwrap(), text, mid);
        }
        if !self.seen.insert(mid.to_owned()) {
            return;
        }
        self.inbound += usize::from(!echo);
        if temper == Temper::Forgetful && !echo && self.inbound.is_multiple_of(10) {
            return;
        }
        let index = self.open(account, person);
        self.conversations[index].items.push(json!({
            "entry": "item", "mid": mid, "text": text, "native_app": echo,
            "direction": if echo { "outbound" } else { "inbound" },
        }));
    }

    /// The timeline with what became of its messages since.
    fn detail(&self, index: usize) -> Value {
        let mut items = self.conversations[index].items.clone();
        for item in &mut items {
            let Some(mid) = item["mid"].as_str().map(str::to_owned) else { continue };
            if self.deleted.contains(&mid) {
                item["deleted"] = json!(true);
                item["text"] = json!("Message was deleted");
            } else if let Some((_, text)) = self.edits.get(&mid) {
                item["edited"] = json!(true);
                item["text"] = json!(text);
            }
        }
        json!({"conversation": self.head(index), "items": items, "omitted": 0})
    }

    fn head(&self, index: usize) -> Value {
        let one = &self.conversations[index];
        json!({"conversation_id": index.to_string(), "account_id": one.account,
            "person_id": one.person, "display_name": "Mia Weber"})
    }
}

async fn hook(State(desk): Of, headers: HeaderMap, bytes: Bytes) -> StatusCode {
    if headers["x-hub-signature-256"] != signature(SECRET, &bytes).as_str() {
        return StatusCode::UNAUTHORIZED;
    }
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    for entry in body["entry"].as_array().unwrap() {
        for item in entry["messaging"].as_array().unwrap() {
            desk.rooms().take(item, desk.temper);
        }
    }
    StatusCode::OK
}

async fn offers(State(desk): Of) -> Json<Value> {
    let rooms = desk.rooms();
    let waiting = rooms.conversations.iter().zip(0..);
    let waiting = waiting.filter(|(one, _)| one.agent.is_none() && !one.closed);
    let offers: Vec<_> =
        waiting.map(|(_, id): (_, usize)| json!({"offer_id": id.to_string()})).collect();
    Json(json!({ "offers": offers }))
}

async fn answer_offer(
    State(desk): Of,
    Path((id, answer)): Path<(usize, String)>,
    Json(body): Json<Value>,
) -> StatusCode {
    let agent = &mut desk.rooms().conversations[id].agent;
    if agent.is_some() {
        return StatusCode::GONE;
    }
    if answer == "accept" {
        *agent = body["agent_id"].as_str().map(str::to_owned);
    }
    StatusCode::OK
}

async fn list(State(desk): Of, Query(asked): Asked) -> Json<Value> {
    let rooms = desk.rooms();
    let mine = |one: &Conversation| {
        asked.get("agent_id").is_none_or(|id| one.agent.as_ref() == Some(id) && !one.closed)
    };
    let found: Vec<_> = (0..rooms.conversations.len())
        .filter(|index| mine(&rooms.conversations[*index]))
        .map(|index| rooms.head(index))
        .collect();
    Json(json!({ "conversations": found }))
}

async fn one(State(desk): Of, Path(id): Path<usize>) -> Json<Value> {
    Json(desk.rooms().detail(id))
}

async fn reply(State(desk): Of, Path(id): Path<usize>, Json(body): Json<Value>) -> StatusCode {
    let text = body["text"].as_str().unwrap().to_owned();
    {
        let mut rooms = desk.rooms();
        if rooms.conversations[id].closed {
            return StatusCode::CONFLICT;
        }
        if !rooms.replies.insert(body["client_message_id"].as_str().unwrap().to_owned()) {
            return StatusCode::OK;
        }
        rooms.conversations[id].items.push(json!({
            "entry": "item", "text": text, "direction": "outbound", "state": "queued",
        }));
    }
    drop(tokio::spawn(desk.send(id, text)));
    StatusCode::OK
}

async fn close(State(desk): Of, Path(id): Path<usize>) -> StatusCode {
    desk.rooms().conversations[id].closed = true;
    StatusCode::OK
}

async fn simulate(temper: Temper, faults: GraphFaults, settle_within: Duration) -> Outcome {
    let graph = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let desk = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", desk.local_addr().unwrap());
    let small = SmallDesk {
        rooms: Arc::default(),
        temper,
        graph: format!("http://{}", graph.local_addr().unwrap()),
    };
    let serving = tokio::spawn(async move { axum::serve(desk, small.router()).await });
    let settings = SimulatorSettings {
        app_secret: SECRET.to_owned(),
        accounts: vec![(AccountId::parse("17841400000000001").unwrap(), "token-1".to_owned())],
        people: 12,
        rate_per_s: 25.0,
        duration: Duration::from_secs(3),
        settle_within,
        agents: vec!["ana".to_owned(), "ben".to_owned()],
        manners: Manners { reply: 1.0, quiet_for: Duration::ZERO, ..Manners::default() },
        graph_faults: faults,
        ..SimulatorSettings::new(&format!("{base}/hook"), &base)
    };
    let told = Arc::new(Mutex::new(Vec::new()));
    let teller = told.clone();
    let (_stop, stop) = watch::channel(false);
    let outcome = run(settings, graph, stop, move |one| teller.lock().unwrap().push(one)).await;
    serving.abort();
    let told = told.lock().unwrap();
    assert!(told.iter().any(|one| matches!(one, Happening::Wrote { .. })));
    assert!(matches!(told.last(), Some(Happening::Settled { .. })));
    outcome.unwrap()
}

#[tokio::test]
async fn an_honest_desk_agrees_with_the_books_whatever_instagram_does() {
    let faults = GraphFaults { slow_for: Duration::from_millis(300), ..GraphFaults::default() };
    let outcome = simulate(Temper::Honest, faults, Duration::from_secs(20)).await;
    assert!(outcome.is_clean(), "{}", outcome.summary);
    assert!(outcome.summary.counts.taken > 5, "robots reply\n{}", outcome.summary);
    assert!(outcome.summary.reconciliation.agreed > 50, "{}", outcome.summary);
}

#[tokio::test]
async fn what_a_forgetful_desk_acknowledged_and_lost_is_found() {
    let outcome = simulate(Temper::Forgetful, GraphFaults::NONE, Duration::from_secs(2)).await;
    let found = &outcome.summary.reconciliation.differences;
    assert!(found.len() > 3, "{}", outcome.summary);
    assert!(found.iter().all(|one| one.what == Wrong::Lost), "{}", outcome.summary);
}

#[tokio::test]
async fn what_an_impatient_desk_sent_twice_is_found() {
    let faults = GraphFaults { answer_lost: 0.5, ..GraphFaults::NONE };
    let outcome = simulate(Temper::Impatient, faults, Duration::from_secs(2)).await;
    let found = &outcome.summary.reconciliation.differences;
    assert!(found.iter().any(|one| one.what == Wrong::SentTwice), "{}", outcome.summary);
}
