//! The conversation and route stages driven by hand, each record of one handed to the other: no broker, no clock.
//!
//! What one stage promises the other shows here: every request is answered, every decision is taken in, nobody is left
//! between them.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one of many")]

use std::collections::VecDeque;

use dmstream::broker::record::{CloudEvent, Output, Record};
use dmstream::conversation::ConversationStage;
use dmstream::domain::command::{AgentCommand, AgentWish, DeskCommand, DeskWish};
use dmstream::domain::derive;
use dmstream::domain::event::{Content, ContentKind, Event, EventKind, MessageBody};
use dmstream::domain::fact::{ConversationSnapshot, Fact, FactBody, Status};
use dmstream::domain::id::{AgentId, ClientMessageId, CommandId, CompanyId, EventId, MessageId};
use dmstream::domain::outbound::{OutboundSend, SendOutcome, SendResult};
use dmstream::domain::routing::{AgentSnapshot, OfferSnapshot};
use dmstream::domain::settings::SettingsTable;
use dmstream::domain::thread::Thread;
use dmstream::domain::time::Timestamp;
use dmstream::engine::rehearsal::Rehearsal;
use dmstream::engine::stage::Exit;
use dmstream::route::edge::RouteStage;
use dmstream::topics::Topic;

const MINUTE_S: u64 = 60;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_ms(1_700_000_000_000 + seconds * 1_000)
}

fn agent(name: &str) -> AgentId {
    AgentId::parse(name).unwrap()
}

/// Both stages, and everything they told.
struct Desk {
    conversation: Rehearsal<ConversationStage>,
    route: Rehearsal<RouteStage>,
    thread: Thread,
    facts: Vec<Fact>,
    sends: Vec<OutboundSend>,
    agents: Vec<AgentSnapshot>,
    snapshot: Option<ConversationSnapshot>,
    commands: u64,
}

impl Desk {
    fn new(agents: &[&str]) -> Self {
        let mut desk = Self {
            conversation: Rehearsal::new(ConversationStage, SettingsTable::default()),
            route: Rehearsal::new(RouteStage::new(), SettingsTable::default()),
            thread: Thread::from_key("17841400000000001:9000000000000001").unwrap(),
            facts: Vec::new(),
            sends: Vec::new(),
            agents: Vec::new(),
            snapshot: None,
            commands: 0,
        };
        for name in agents {
            desk.agent(name, AgentWish::LogIn, 0);
            desk.agent(name, AgentWish::SetAvailability { available: true }, 0);
        }
        desk
    }

    /// Hands a record to its stage, and what that brings about to the other, until nothing is left to say.
    fn hand(&mut self, record: Record) -> Vec<Exit> {
        let now = record.timestamp;
        let (mut waiting, mut exits) = (VecDeque::from([record]), Vec::new());
        loop {
            let outputs = match waiting.pop_front() {
                Some(record) => self.apply(&record, &mut exits),
                None => self.route.fire_due(now).unwrap().outputs,
            };
            let is_quiet = outputs.is_empty() && waiting.is_empty();
            waiting.extend(outputs.into_iter().filter_map(|output| self.take(output, now)));
            if is_quiet && waiting.is_empty() {
                return exits;
            }
        }
    }

    fn apply(&mut self, record: &Record, exits: &mut Vec<Exit>) -> Vec<Output> {
        let (exit, outputs) = match record.topic {
            Topic::RoutingRequests | Topic::AgentsCommands => {
                let step = self.route.apply(record).unwrap();
                (step.exit, step.outputs)
            }
            _ => {
                let step = self.conversation.apply(record).unwrap();
                (step.exit, step.outputs)
            }
        };
        exits.extend(exit);
        outputs
    }

    /// Keeps what the world would see; gives back what the other stage reads.
    fn take(&mut self, output: Output, now: Timestamp) -> Option<Record> {
        let value = output.value.clone().unwrap_or_default();
        match output.topic {
            Topic::Timeline => self.facts.push(serde_json::from_slice(&value).unwrap()),
            Topic::OutboundSends => self.sends.push(serde_json::from_slice(&value).unwrap()),
            Topic::Agents => self.agents.push(serde_json::from_slice(&value).unwrap()),
            Topic::Conversations => self.snapshot = serde_json::from_slice(&value).unwrap(),
            Topic::RoutingRequests | Topic::RoutingDecisions | Topic::DeskCommands => {
                return Some(record(output, now));
            }
            _ => (),
        }
        None
    }

    fn time(&mut self, seconds: u64) {
        let now = at(seconds);
        let mut outputs = self.conversation.fire_due(now).unwrap().outputs;
        outputs.extend(self.route.fire_due(now).unwrap().outputs);
        for output in outputs {
            if let Some(record) = self.take(output, now) {
                self.hand(record);
            }
        }
    }

    fn write(&mut self, topic: Topic, value: &impl serde::Serialize, seconds: u64) -> Vec<Exit> {
        let key = match topic {
            Topic::AgentsCommands => "default".to_owned(),
            _ => self.thread.key(),
        };
        let about = CloudEvent {
            id: "x",
            kind: "x",
            source: "/test",
            time: at(seconds),
            traceparent: None,
        };
        let output = Output::event(topic, &key, &about, value).unwrap();
        self.hand(record(output, at(seconds)))
    }

    fn agent(&mut self, who: &str, wish: AgentWish, seconds: u64) {
        self.commands += 1;
        let command = AgentCommand {
            wish,
            command_id: CommandId::parse(&format!("a-{}", self.commands)).unwrap(),
            company_id: CompanyId::parse("default").unwrap(),
            agent_id: agent(who),
            issued_at: at(seconds),
        };
        self.write(Topic::AgentsCommands, &command, seconds);
    }

    fn desk(&mut self, who: &str, wish: DeskWish, seconds: u64) {
        self.commands += 1;
        let command = DeskCommand {
            wish,
            command_id: CommandId::parse(&format!("d-{}", self.commands)).unwrap(),
            thread: self.thread.clone(),
            conversation_id: self.snapshot.as_ref().unwrap().conversation_id.clone(),
            agent_id: agent(who),
            issued_at: at(seconds),
        };
        self.write(Topic::DeskCommands, &command, seconds);
    }

    fn reply(&mut self, who: &str, text: &str, seconds: u64) -> OutboundSend {
        let client_message_id = ClientMessageId::parse(text).unwrap();
        let text = text.to_owned();
        let wish =
            DeskWish::Reply { client_message_id, text, image_urls: Vec::new(), automatic: false };
        self.desk(who, wish, seconds);
        self.sends.pop().unwrap()
    }

    fn accepted(&mut self, send: &OutboundSend, mid: &str, seconds: u64) {
        let result = SendResult {
            outcome: SendOutcome::Accepted { mid: Some(MessageId::parse(mid).unwrap()) },
            send_id: send.send_id.clone(),
            item_id: send.item_id.clone(),
            thread: self.thread.clone(),
            conversation_id: send.conversation_id.clone(),
            attempts: 1,
            settled_at: at(seconds),
        };
        self.write(Topic::OutboundResults, &result, seconds);
    }

    fn says(&mut self, mid: &str, seconds: u64) {
        self.happens(EventKind::MessageReceived(body("hello")), mid, seconds);
    }

    fn echoes(&mut self, mid: &str, text: &str, seconds: u64) -> Vec<Exit> {
        self.happens(EventKind::MessageEchoed(body(text)), mid, seconds)
    }

    fn happens(&mut self, kind: EventKind, mid: &str, seconds: u64) -> Vec<Exit> {
        let event = Event {
            kind,
            event_id: EventId::parse(&format!("ev-{:x}", derive::digest(&[mid]))).unwrap(),
            account_id: Some(self.thread.account_id.clone()),
            person_id: Some(self.thread.person_id.clone()),
            occurred_at: at(seconds),
            received_at: at(seconds),
            mid: Some(MessageId::parse(mid).unwrap()),
        };
        self.write(Topic::EventsNormalized, &event, seconds)
    }

    /// The newest view of an agent.
    fn seen(&self, who: &str) -> &AgentSnapshot {
        self.agents.iter().rev().find(|snapshot| snapshot.agent_id == agent(who)).unwrap()
    }

    fn offer(&self, who: &str) -> Option<OfferSnapshot> {
        self.seen(who).offer.clone()
    }

    fn accept(&mut self, who: &str, seconds: u64) {
        let offer_id = self.offer(who).unwrap().offer_id;
        self.agent(who, AgentWish::Accept { offer_id }, seconds);
    }

    /// Names of the facts told since the last call.
    fn told(&mut self) -> Vec<&'static str> {
        let names = self.facts.iter().map(|fact| fact.body.name()).collect();
        self.facts.clear();
        names
    }

    fn status(&self) -> (Status, Option<AgentId>) {
        let snapshot = self.snapshot.as_ref().unwrap();
        (snapshot.status, snapshot.agent_id.clone())
    }
}

fn body(text: &str) -> MessageBody {
    MessageBody {
        content: Content { kind: ContentKind::Text, text: Some(text.to_owned()) },
        attachments: Vec::new(),
        reply_to_mid: None,
        story: None,
        quick_reply: None,
        referral: None,
        standby: false,
        to_self: false,
        folder: None,
        app_id: None,
    }
}

fn record(output: Output, now: Timestamp) -> Record {
    Record {
        topic: output.topic,
        partition: 0,
        offset: 0,
        timestamp: now,
        key: Some(output.key),
        value: output.value,
        headers: output.headers,
    }
}

// Holds
#[test]
fn a_message_is_queued_offered_accepted_answered_echoed_and_closed() {
    let mut desk = Desk::new(&["ana"]);
    desk.says("m1", 10);
    let first = [
        "customer.created",
        "conversation.created",
        "contact.started",
        "message.received",
        "sla.started",
        "contact.queued",
        "contact.offered",
    ];
    assert_eq!(desk.told(), first);
    let offer = desk.offer("ana").unwrap();
    assert_eq!((offer.customer_name.as_str(), offer.preview.as_str()), ("Instagram user", "hello"));
    desk.accept("ana", 20);
    assert_eq!(desk.told(), ["contact.accepted"]);
    assert_eq!(desk.status(), (Status::Open, Some(agent("ana"))));
    let send = desk.reply("ana", "how can I help?", 30);
    assert_eq!(desk.told(), ["message.queued", "sla.cleared"]);
    desk.accepted(&send, "out1", 31);
    assert_eq!(desk.told(), ["message.sent", "contact.fulfilled"]);
    let exits = desk.echoes("out1", "how can I help?", 32);
    assert_eq!((exits, desk.told()), (vec![Exit::Skipped("own_echo")], vec![]));
    desk.desk("ana", DeskWish::Close { force: false }, 40);
    assert_eq!(desk.told(), ["contact.ended", "conversation.closed"]);
    assert_eq!(desk.seen("ana").held, []);
    assert_eq!(desk.status(), (Status::Closed, None));
}

// Holds
#[test]
fn an_offer_ignored_or_declined_goes_to_another_agent() {
    let mut desk = Desk::new(&["ana", "ben", "cem"]);
    desk.says("m1", 10);
    desk.told();
    assert!(desk.offer("ana").is_some());
    desk.time(41);
    assert_eq!(desk.told(), ["contact.rejected", "contact.queued", "contact.offered"]);
    let offer_id = desk.offer("ben").unwrap().offer_id;
    desk.agent("ben", AgentWish::Decline { offer_id }, 42);
    assert_eq!(desk.told(), ["contact.rejected", "contact.queued", "contact.offered"]);
    desk.accept("cem", 43);
    assert_eq!(desk.status(), (Status::Open, Some(agent("cem"))));
    assert!(desk.seen("ana").paused_until_next && desk.seen("ben").paused_until_next);
}

// Holds
#[test]
fn an_answer_in_the_app_clears_the_clock_and_the_agent_is_told_why_it_came() {
    let mut desk = Desk::new(&[]);
    desk.says("m1", 10);
    desk.echoes("app1", "we are on it", 20);
    desk.told();
    assert_eq!(desk.snapshot.as_ref().unwrap().due_at, None);
    desk.agent("ana", AgentWish::LogIn, 30);
    desk.agent("ana", AgentWish::SetAvailability { available: true }, 30);
    desk.accept("ana", 31);
    let accepted = desk.facts.iter().find_map(|fact| match &fact.body {
        FactBody::ContactAccepted { text, .. } => text.clone(),
        _ => None,
    });
    let expected = "Routed to you because of an outgoing Instagram message.";
    assert_eq!(accepted.as_deref(), Some(expected));
}

// Holds
#[test]
fn closed_while_it_waits_it_leaves_the_queue_and_closed_on_a_banner_it_is_withdrawn() {
    let mut desk = Desk::new(&[]);
    desk.says("m1", 10);
    desk.desk("ana", DeskWish::Close { force: true }, 11);
    desk.told();
    desk.agent("ana", AgentWish::LogIn, 12);
    desk.agent("ana", AgentWish::SetAvailability { available: true }, 12);
    assert_eq!((desk.offer("ana"), desk.told()), (None, vec![]));
    desk.says("m2", 13);
    assert!(desk.offer("ana").is_some(), "reopened, and queued again");
    desk.told();
    desk.desk("ben", DeskWish::Close { force: true }, 14);
    assert_eq!(desk.offer("ana"), None);
    assert!(!desk.seen("ana").paused_until_next);
    let told = desk.told();
    assert_eq!(told.last(), Some(&"contact.rescinded"), "{told:?}");
}

// Holds
#[test]
fn back_soon_after_a_close_the_customer_returns_to_an_agent_who_is_there_and_else_is_queued() {
    check(true, (Status::Open, Some("ana")), "contact.assigned");
    check(false, (Status::New, None), "contact.queued");

    #[track_caller]
    fn check(stays: bool, (status, holder): (Status, Option<&str>), last: &str) {
        let mut desk = Desk::new(&["ana"]);
        desk.says("m1", 10);
        desk.accept("ana", 11);
        let send = desk.reply("ana", "hi", 12);
        desk.accepted(&send, "out1", 13);
        desk.desk("ana", DeskWish::Close { force: false }, 14);
        if !stays {
            desk.agent("ana", AgentWish::LogOut, 15);
        }
        desk.told();
        desk.says("m2", 10 * MINUTE_S);
        let told = desk.told();
        assert!(told.contains(&"conversation.reopened"), "{told:?}");
        assert!(told.ends_with(&[last]), "{told:?}");
        assert_eq!(desk.status(), (status, holder.map(agent)));
        if !stays {
            desk.agent("ben", AgentWish::LogIn, 11 * MINUTE_S);
            desk.agent("ben", AgentWish::SetAvailability { available: true }, 11 * MINUTE_S);
            let offer = desk.offer("ben").unwrap();
            assert_eq!(offer.preview, "hello", "the banner is that of the new contact");
        }
    }
}

// Holds: R-128
#[test]
fn routing_knows_who_waits_when_an_agent_leaves() {
    let mut desk = Desk::new(&["ana"]);
    desk.says("m1", 10);
    desk.accept("ana", 11);
    let send = desk.reply("ana", "hi", 12);
    desk.accepted(&send, "out1", 13);
    desk.agent("ana", AgentWish::LogOut, 20);
    desk.told();
    desk.time(30);
    assert_eq!(desk.status(), (Status::Open, Some(agent("ana"))), "answered: it stays");
    desk.says("m2", 40);
    desk.time(41);
    let expected = ["message.received", "sla.started", "contact.unassigned", "contact.queued"];
    assert_eq!(desk.told(), expected);
    assert_eq!(desk.status(), (Status::New, None));
    assert_eq!(desk.snapshot.as_ref().unwrap().due_at, Some(at(40 + 60 * MINUTE_S)));
}

// Holds
#[test]
fn a_merge_withdraws_the_sources_offer_and_leaves_one_slot_used() {
    let mut desk = Desk::new(&["ana"]);
    let (other, own) = (Thread::from_key("17841400000000001:8000").unwrap(), desk.thread.clone());
    desk.says("m1", 10);
    desk.accept("ana", 11);
    desk.agent("ana", AgentWish::Next, 11);
    desk.thread = other.clone();
    desk.says("n1", 12);
    assert!(desk.offer("ana").is_some());
    desk.desk("ana", DeskWish::Merge { into: own.clone(), confirmed: true }, 13);
    assert_eq!(desk.offer("ana"), None);
    assert_eq!(desk.seen("ana").held.len(), 1);
    assert!(!desk.seen("ana").paused_until_next, "no fault of hers");
    assert!(desk.told().contains(&"contact.rescinded"));
    desk.says("n2", 14);
    assert_eq!(desk.told(), ["message.received"], "in the one conversation");
    assert_eq!(desk.snapshot.as_ref().unwrap().thread, own);
    desk.thread = own;
    let send = desk.reply("ana", "hello", 15);
    assert_eq!(send.thread, other, "where they wrote last");
}
