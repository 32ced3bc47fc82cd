//! A desk of two stages, conversation and route, driven by hand: each record of one is handed to the other.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one of many")]

use std::collections::VecDeque;

use dmstream::broker::record::{CloudEvent, Output, Record};
use dmstream::conversation::ConversationStage;
use dmstream::domain::command::{AgentCommand, AgentWish, DeskCommand, DeskWish};
use dmstream::domain::derive;
use dmstream::domain::event::{Content, ContentKind, Event, EventKind, MessageBody};
use dmstream::domain::fact::{ConversationSnapshot, Fact, Status};
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

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_ms(1_700_000_000_000 + seconds * 1_000)
}

pub(crate) fn agent(name: &str) -> AgentId {
    AgentId::parse(name).unwrap()
}

/// Both stages, and everything they told.
pub(crate) struct Desk {
    conversation: Rehearsal<ConversationStage>,
    route: Rehearsal<RouteStage>,
    pub(crate) thread: Thread,
    pub(crate) facts: Vec<Fact>,
    pub(crate) sends: Vec<OutboundSend>,
    pub(crate) agents: Vec<AgentSnapshot>,
    pub(crate) snapshot: Option<ConversationSnapshot>,
    commands: u64,
}

impl Desk {
    pub(crate) fn new(agents: &[&str]) -> Self {
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
    pub(crate) fn hand(&mut self, record: Record) -> Vec<Exit> {
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

    pub(crate) fn apply(&mut self, record: &Record, exits: &mut Vec<Exit>) -> Vec<Output> {
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
    pub(crate) fn take(&mut self, output: Output, now: Timestamp) -> Option<Record> {
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

    pub(crate) fn time(&mut self, seconds: u64) {
        let now = at(seconds);
        let mut outputs = self.conversation.fire_due(now).unwrap().outputs;
        outputs.extend(self.route.fire_due(now).unwrap().outputs);
        for output in outputs {
            if let Some(record) = self.take(output, now) {
                self.hand(record);
            }
        }
    }

    pub(crate) fn write(
        &mut self,
        topic: Topic,
        value: &impl serde::Serialize,
        seconds: u64,
    ) -> Vec<Exit> {
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

    pub(crate) fn agent(&mut self, who: &str, wish: AgentWish, seconds: u64) {
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

    pub(crate) fn desk(&mut self, who: &str, wish: DeskWish, seconds: u64) {
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

    pub(crate) fn reply(&mut self, who: &str, text: &str, seconds: u64) -> OutboundSend {
        let client_message_id = ClientMessageId::parse(text).unwrap();
        let text = text.to_owned();
        let wish = DeskWish::Reply {
            client_message_id,
            text,
            image_urls: Vec::new(),
            automatic: false,
            declared_bytes: 0,
        };
        self.desk(who, wish, seconds);
        self.sends.pop().unwrap()
    }

    pub(crate) fn accepted(&mut self, send: &OutboundSend, mid: &str, seconds: u64) {
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

    pub(crate) fn says(&mut self, mid: &str, seconds: u64) {
        self.happens(EventKind::MessageReceived(body("hello")), mid, seconds);
    }

    pub(crate) fn echoes(&mut self, mid: &str, text: &str, seconds: u64) -> Vec<Exit> {
        self.happens(EventKind::MessageEchoed(body(text)), mid, seconds)
    }

    pub(crate) fn happens(&mut self, kind: EventKind, mid: &str, seconds: u64) -> Vec<Exit> {
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
    pub(crate) fn seen(&self, who: &str) -> &AgentSnapshot {
        self.agents.iter().rev().find(|snapshot| snapshot.agent_id == agent(who)).unwrap()
    }

    pub(crate) fn offer(&self, who: &str) -> Option<OfferSnapshot> {
        self.seen(who).offer.clone()
    }

    pub(crate) fn accept(&mut self, who: &str, seconds: u64) {
        let offer_id = self.offer(who).unwrap().offer_id;
        self.agent(who, AgentWish::Accept { offer_id }, seconds);
    }

    /// Names of the facts told since the last call.
    pub(crate) fn told(&mut self) -> Vec<&'static str> {
        let names = self.facts.iter().map(|fact| fact.body.name()).collect();
        self.facts.clear();
        names
    }

    pub(crate) fn status(&self) -> (Status, Option<AgentId>) {
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
