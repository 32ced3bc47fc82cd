//! The world behind the desk in its tests: a stage that accepts commands unless the conversation is closed, and whose
//! results come back the way all results do, as records folded into the views.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::FutureExt;
use reqwest::{Client, Method, RequestBuilder};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;

use super::{AgentToken, Append, Desk, Limits, Tokens, router};
use crate::broker::record::{Headers, Output, Record};
use crate::broker::{self, NextOffsets};
use crate::clock::Clock;
use crate::domain::command::{CommandResult, Refusal};
use crate::domain::event::ContentKind;
use crate::domain::fact::{Channel, ConversationSnapshot, Fact, FactBody, Initiator, Item, Status};
use crate::domain::id::{
    AgentId, CommandId, CompanyId, ConversationId, CustomerId, EventId, InboxId, ItemId, MessageId,
    OfferId,
};
use crate::domain::routing::{AgentSnapshot, OfferSnapshot};
use crate::domain::settings::SettingsTable;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::project::{Follower, Views};
use crate::secret::Secret;
use crate::topics::Topic;

pub(super) const NOW: Timestamp = Timestamp::from_ms(1_700_000_000_000);
pub(super) const OPEN: &str = "cv-open";
pub(super) const CLOSED: &str = "cv-closed";
pub(super) const FOREIGN: &str = "cv-foreign";
const PERSON: &str = "9000000000000001";

/// How the world behind the desk behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// Commands are recorded and answered.
    Stage,
    /// Commands are recorded; nobody answers.
    Silence,
    /// Nothing can be recorded.
    NoBroker,
}

pub(super) struct World {
    pub(super) base: String,
    pub(super) client: Client,
    pub(super) views: Views,
    pub(super) desk: Arc<Desk>,
    pub(super) commands: mpsc::UnboundedReceiver<Output>,
    pub(super) clock: Clock,
}

impl World {
    pub(super) async fn new(behind: Behind) -> Self {
        let views = Views::default();
        furnish(&views);
        let (tell, commands) = mpsc::unbounded_channel();
        let settings = Arc::new(ArcSwap::from_pointee(SettingsTable::default()));
        let append = append(behind, (views.clone(), Arc::clone(&settings)), tell);
        let clock = Clock::manual(NOW);
        let told = (clock.clone(), settings);
        let short = Duration::from_millis(10);
        let long = Duration::from_secs(30);
        let result_wait = if behind == Behind::Silence { short } else { long };
        let limits = Limits { result_wait, listeners_max: 1 };
        let desk = Arc::new(Desk::new(views.clone(), append, tokens(), told, limits));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = router(Arc::clone(&desk));
        drop(tokio::spawn(async move { axum::serve(listener, app).await }));
        Self { base, client: Client::new(), views, desk, commands, clock }
    }

    pub(super) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(token)
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path, token)).await
    }

    pub(super) async fn post(&self, path: &str, token: &str, body: Value) -> (u16, Value) {
        answer(self.request(Method::POST, path, token).json(&body)).await
    }

    pub(super) async fn put(&self, path: &str, token: &str, body: Value) -> (u16, Value) {
        answer(self.request(Method::PUT, path, token).json(&body)).await
    }

    /// The one command recorded since the last look.
    pub(super) fn recorded<T: serde::de::DeserializeOwned>(&mut self) -> (Output, T) {
        let output = self.commands.try_recv().expect("a command was recorded");
        assert!(self.commands.try_recv().is_err(), "one, not more");
        let command = serde_json::from_slice(output.value.as_deref().unwrap()).unwrap();
        (output, command)
    }
}

pub(super) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    if status >= 400 {
        let error = body["error"].as_object().expect("the one shape of errors");
        assert_eq!(body.as_object().unwrap().len(), 1);
        let keys: Vec<&str> = error.keys().map(String::as_str).collect();
        assert_eq!(keys, ["code", "message"]);
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert!(!body.to_string().contains(PERSON), "no person in an error");
    }
    (status, body)
}

fn tokens() -> Tokens {
    let agent = |company: &str, name: &str| AgentToken {
        company_id: CompanyId::parse(company).unwrap(),
        agent_id: AgentId::parse(name).unwrap(),
        secret: Secret::new(name.to_owned()),
    };
    let agents = vec![agent("default", "ana"), agent("default", "ben"), agent("other", "eve")];
    Tokens { admin: Some(Secret::new("admin".to_owned())), agents }
}

fn append(
    behind: Behind,
    (views, settings): (Views, Arc<ArcSwap<SettingsTable>>),
    tell: mpsc::UnboundedSender<Output>,
) -> Append {
    Arc::new(move |output: Output| {
        let (views, settings, tell) = (views.clone(), Arc::clone(&settings), tell.clone());
        async move {
            if behind == Behind::NoBroker {
                return Err(broker::Error::Retriable("away".to_owned()));
            }
            if behind == Behind::Stage && output.topic == Topic::Settings {
                follow(&settings, &output);
            } else if behind == Behind::Stage {
                decide(&views, &output);
            }
            tell.send(output).unwrap();
            Ok(())
        }
        .boxed()
    })
}

/// The stage: everything is carried out, but nothing on a closed conversation except reopening it.
fn decide(views: &Views, output: &Output) {
    let value: Value = serde_json::from_slice(output.value.as_deref().unwrap()).unwrap();
    let is_closed = value["conversation_id"] == CLOSED && value["type"] != "reopen";
    let is_late = value["offer_id"] == "of-late";
    let refusal = is_closed
        .then_some(Refusal::ConversationClosed)
        .or_else(|| is_late.then_some(Refusal::OfferExpired));
    let command_id = CommandId::parse(value["command_id"].as_str().unwrap()).unwrap();
    let result = CommandResult { command_id, refusal, decided_at: NOW };
    apply(views, Topic::CommandResults, "any", &result);
}

/// What is set comes back the way it does in the program: read from the log, folded, stored.
fn follow(settings: &ArcSwap<SettingsTable>, output: &Output) {
    let mut follower = Follower::new(SettingsTable::clone(&settings.load()));
    follower.apply(&[read_back(output)]);
    settings.store(Arc::new(follower.table().clone()));
}

fn read_back(output: &Output) -> Record {
    let Output { topic, key, value, headers, timestamp, .. } = output.clone();
    Record { topic, partition: 0, offset: 0, timestamp, key: Some(key), value, headers }
}

pub(super) fn apply(views: &Views, topic: Topic, key: &str, value: &impl Serialize) {
    static OFFSET: AtomicU64 = AtomicU64::new(0);
    let record = Record {
        topic,
        partition: 0,
        offset: OFFSET.fetch_add(1, Ordering::SeqCst),
        timestamp: NOW,
        key: Some(key.as_bytes().to_vec()),
        value: Some(serde_json::to_vec(value).unwrap()),
        headers: Headers::default(),
    };
    views.apply(&[record], &NextOffsets::new());
}

pub(super) fn thread() -> Thread {
    Thread::from_key(&format!("1784:{PERSON}")).unwrap()
}

fn furnish(views: &Views) {
    for (id, status, company, at) in [
        (OPEN, Status::Open, "default", 30),
        (CLOSED, Status::Closed, "default", 20),
        (FOREIGN, Status::New, "other", 10),
    ] {
        let snapshot = ConversationSnapshot {
            conversation_id: ConversationId::parse(id).unwrap(),
            thread: thread(),
            company_id: CompanyId::parse(company).unwrap(),
            customer_id: CustomerId::parse("cu-1").unwrap(),
            display_name: "Maria".to_owned(),
            status,
            inbox_id: InboxId::parse("support").unwrap(),
            agent_id: None,
            contact_id: None,
            due_at: None,
            due_at_before: None,
            reply_window_expires_at: None,
            reply_window_opened_by: None,
            preview: "hello".to_owned(),
            topics: Vec::new(),
            read_up_to_at: None,
            items: 1,
            last_item_at: Timestamp::from_ms(at),
            as_of_number: 1,
        };
        apply(views, Topic::Conversations, &thread().key(), &snapshot);
    }
    apply(views, Topic::Timeline, &thread().key(), &received(1));
    let agent = AgentSnapshot {
        company_id: CompanyId::parse("default").unwrap(),
        agent_id: AgentId::parse("ana").unwrap(),
        logged_in: true,
        available: true,
        away: false,
        paused_until_next: false,
        focus: false,
        on_settings_page: false,
        deactivated: false,
        inbox_ids: None,
        held: Vec::new(),
        offer: Some(OfferSnapshot {
            offer_id: OfferId::parse("of-1").unwrap(),
            thread: thread(),
            conversation_id: ConversationId::parse(OPEN).unwrap(),
            customer_name: "Maria".to_owned(),
            preview: "hello".to_owned(),
            expires_at: NOW,
        }),
        as_of_at: NOW,
    };
    apply(views, Topic::Agents, "default:ana", &agent);
}

pub(super) fn received(number: u64) -> Fact {
    let item = Item {
        item_id: ItemId::parse(&format!("it-{number}")).unwrap(),
        mid: Some(MessageId::parse(&format!("m-{number}")).unwrap()),
        send_id: None,
        kind: ContentKind::Text,
        text: Some("hello".to_owned()),
        attachments: Vec::new(),
        reply_to_mid: None,
        story: None,
        story_expires_at: None,
        deleted: false,
        standby: false,
        request_folder: None,
        origin: None,
    };
    Fact {
        body: FactBody::MessageReceived(item),
        fact_id: EventId::parse(&format!("fa-{number}")).unwrap(),
        number,
        channel: Channel::InstagramDirect,
        company_id: CompanyId::parse("default").unwrap(),
        thread: thread(),
        customer_id: CustomerId::parse("cu-1").unwrap(),
        conversation_id: Some(ConversationId::parse(OPEN).unwrap()),
        contact_id: None,
        initiator: Initiator::Customer,
        inbox_id: None,
        assignee_id: None,
        occurred_at: NOW,
        recorded_at: NOW,
    }
}

pub(super) fn path(tail: &str) -> String {
    format!("/v1/conversations/{OPEN}/{tail}")
}
