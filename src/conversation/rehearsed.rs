//! A thread rehearsed by hand: inputs in words, effects by name. For the rules' tests.

use crate::conversation::decide::{Decision, Effect, Input, World, decide};
use crate::conversation::invariant;
use crate::conversation::snapshot;
use crate::conversation::state::ThreadState;
use crate::domain::command::{DeskCommand, DeskWish, Refusal};
use crate::domain::derive;
use crate::domain::event::{
    Content, ContentKind, Direction, Event, EventKind, MessageBody, Reaction, Referral,
    Story as StoryShown,
};
use crate::domain::fact::{ConversationSnapshot, Fact, FactBody, Status};
use crate::domain::id::{AgentId, ClientMessageId, CommandId, EventId, MessageId, OfferId};
use crate::domain::outbound::{FailureCode, OutboundSend, SendOutcome, SendResult};
use crate::domain::routing::{RoutingAsk, RoutingDecision, RoutingRequest, RoutingVerdict};
use crate::domain::settings::{AccountSettings, CompanySettings, SettingsTable};
use crate::domain::thread::Thread;
use crate::domain::time::{MINUTE_MS, Timestamp};
use crate::engine::stage::Exit;

/// Times in stories are minutes after this.
pub(super) const START_MS: u64 = 1_700_000_000_000;

/// `minutes` into the story.
pub(super) const fn at(minutes: u64) -> Timestamp {
    Timestamp::from_ms(START_MS + minutes * MINUTE_MS)
}

pub(super) fn thread() -> Thread {
    Thread::from_key("17841400000000001:9000000000000001").unwrap()
}

pub(super) fn mid(name: &str) -> MessageId {
    MessageId::parse(name).unwrap()
}

pub(super) fn agent(name: &str) -> AgentId {
    AgentId::parse(name).unwrap()
}

/// A message's body.
pub(super) fn body(kind: ContentKind, text: Option<&str>) -> MessageBody {
    MessageBody {
        content: Content { kind, text: text.map(str::to_owned) },
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

/// An event about `name` at a moment; its id follows from all three.
pub(super) fn event(kind: EventKind, name: &str, when: Timestamp) -> Event {
    let id = format!("{}/{name}/{}", kind.name(), when.as_ms());
    Event {
        kind,
        event_id: EventId::parse(&format!("ev-{:032x}", derive::digest(&[&id]))).unwrap(),
        account_id: Some(thread().account_id),
        person_id: Some(thread().person_id),
        occurred_at: when,
        received_at: when,
        mid: Some(mid(name)),
    }
}

pub(super) fn text(name: &str, when: Timestamp) -> Event {
    let body = body(ContentKind::Text, Some(&format!("says {name}")));
    event(EventKind::MessageReceived(body), name, when)
}

pub(super) fn echo(name: &str, words: &str, when: Timestamp) -> Event {
    event(EventKind::MessageEchoed(body(ContentKind::Text, Some(words))), name, when)
}

/// What one step brought about.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) effects: Vec<Effect>,
    pub(super) exit: Exit,
    /// How the conversation is known to stand, if the step makes it known.
    snapshot: Option<ConversationSnapshot>,
}

impl Step {
    pub(super) fn facts(&self) -> Vec<&'static str> {
        self.bodies().iter().map(|body| body.name()).collect()
    }

    pub(super) fn bodies(&self) -> Vec<FactBody> {
        self.whole_facts().into_iter().map(|fact| fact.body).collect()
    }

    pub(super) fn whole_facts(&self) -> Vec<Fact> {
        let fact = |effect: &Effect| match effect {
            Effect::Fact(fact) => Some((**fact).clone()),
            Effect::Routing(_)
            | Effect::Send(_)
            | Effect::Result(_)
            | Effect::Snapshot
            | Effect::Note(_)
            | Effect::Details(..)
            | Effect::Forget(_) => None,
        };
        self.effects.iter().filter_map(fact).collect()
    }

    pub(super) fn requests(&self) -> Vec<RoutingRequest> {
        let ask = |effect: &Effect| match effect {
            Effect::Routing(ask) => Some(ask.clone()),
            Effect::Fact(_)
            | Effect::Send(_)
            | Effect::Result(_)
            | Effect::Snapshot
            | Effect::Note(_)
            | Effect::Details(..)
            | Effect::Forget(_) => None,
        };
        self.effects.iter().filter_map(ask).collect()
    }

    pub(super) fn asks(&self) -> Vec<&'static str> {
        self.requests().iter().map(|request| request.ask.name()).collect()
    }

    pub(super) fn ask(&self) -> RoutingAsk {
        self.requests()[0].ask.clone()
    }

    pub(super) fn sends(&self) -> Vec<OutboundSend> {
        let send = |effect: &Effect| match effect {
            Effect::Send(send) => Some(send.clone()),
            Effect::Fact(_)
            | Effect::Routing(_)
            | Effect::Result(_)
            | Effect::Snapshot
            | Effect::Note(_)
            | Effect::Details(..)
            | Effect::Forget(_) => None,
        };
        self.effects.iter().filter_map(send).collect()
    }

    /// The command's outcome; fails when it has none.
    #[expect(clippy::unwrap_in_result, reason = "a test fails here")]
    pub(super) fn refusal(&self) -> Option<Refusal> {
        let result = |effect: &Effect| match effect {
            Effect::Result(result) => Some(result.refusal),
            Effect::Fact(_)
            | Effect::Routing(_)
            | Effect::Send(_)
            | Effect::Snapshot
            | Effect::Note(_)
            | Effect::Details(..)
            | Effect::Forget(_) => None,
        };
        self.effects.iter().find_map(result).expect("a result")
    }

    pub(super) fn snapshot(&self) -> ConversationSnapshot {
        self.snapshot.clone().expect("a snapshot")
    }
}

/// One thread and its settings.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) state: ThreadState,
    pub(super) settings: SettingsTable,
    commands: u64,
    decisions: u64,
}

impl Story {
    pub(super) fn new() -> Self {
        Self::with(AccountSettings::default(), CompanySettings::default())
    }

    pub(super) fn with(account: AccountSettings, company: CompanySettings) -> Self {
        Self {
            state: ThreadState::default(),
            settings: SettingsTable::with_fallback(account, company),
            commands: 0,
            decisions: 0,
        }
    }

    pub(super) fn apply(&mut self, input: &Input<'_>, now: Timestamp) -> Step {
        let thread = thread();
        let (key, settings) = (thread.key(), &self.settings);
        let world = World { thread: &thread, key: &key, settings, now, hops: 0, via: None };
        let Decision { state, effects, exit } =
            decide(Box::new(std::mem::take(&mut self.state)), input, &world).unwrap();
        assert_eq!(invariant::broken(&state), None);
        self.state = *state;
        let told = effects.contains(&Effect::Snapshot);
        let snapshot = told.then(|| snapshot(&self.state, &thread, &self.settings));
        Step { effects, exit, snapshot: snapshot.flatten() }
    }

    /// An event processed when it happens.
    pub(super) fn hear(&mut self, event: &Event) -> Step {
        self.apply(&Input::Event(event), event.occurred_at)
    }

    pub(super) fn timers(&mut self, now: Timestamp) -> Step {
        self.apply(&Input::Timer, now)
    }

    pub(super) fn wish(&mut self, who: &str, wish: DeskWish, when: Timestamp) -> Step {
        self.commands += 1;
        let number = self.state.conversations.max(1);
        let command = DeskCommand {
            wish,
            command_id: CommandId::parse(&format!("cmd-{}", self.commands)).unwrap(),
            thread: thread(),
            conversation_id: derive::conversation_id(&thread(), number),
            agent_id: agent(who),
            issued_at: when,
        };
        self.apply(&Input::Command(&command), when)
    }

    /// A reply whose client message id is its text.
    pub(super) fn reply(&mut self, who: &str, words: &str, when: Timestamp) -> Step {
        let wish = DeskWish::Reply {
            client_message_id: ClientMessageId::parse(words).unwrap(),
            text: words.to_owned(),
            image_urls: Vec::new(),
            automatic: false,
            declared_bytes: 0,
        };
        self.wish(who, wish, when)
    }

    /// A decision about the newest contact.
    pub(super) fn decided(&mut self, verdict: RoutingVerdict, when: Timestamp) -> Step {
        self.decisions += 1;
        let decision = RoutingDecision {
            verdict,
            company_id: AccountSettings::default().company_id,
            thread: thread(),
            conversation_id: derive::conversation_id(&thread(), self.state.conversations),
            contact_id: derive::contact_id(&thread(), self.state.contacts),
            decided_at: when,
            number: self.decisions,
        };
        self.apply(&Input::Routing(&decision), when)
    }

    /// The newest contact goes to an agent.
    pub(super) fn assigned(&mut self, who: &str, when: Timestamp) -> Step {
        let reason = crate::domain::routing::AssignReason::AutomatedAssignment;
        self.decided(RoutingVerdict::Assigned { agent_id: agent(who), reason }, when)
    }

    /// The newest contact is on an agent's banner.
    pub(super) fn offered(&mut self, who: &str, when: Timestamp) -> Step {
        let offer_id = OfferId::parse("of-1").unwrap();
        let (agent_id, expires_at) = (agent(who), when);
        self.decided(RoutingVerdict::Offered { offer_id, agent_id, expires_at, round: 1 }, when)
    }

    pub(super) fn outcome(
        &mut self,
        send: &OutboundSend,
        outcome: SendOutcome,
        when: Timestamp,
    ) -> Step {
        let result = SendResult {
            outcome,
            send_id: send.send_id.clone(),
            item_id: send.item_id.clone(),
            thread: thread(),
            conversation_id: send.conversation_id.clone(),
            attempts: 1,
            settled_at: when,
        };
        self.apply(&Input::Outcome(&result), when)
    }

    pub(super) fn status(&self) -> Option<Status> {
        self.state.conversation.as_ref().map(|conversation| conversation.status())
    }

    pub(super) fn due_at(&self) -> Option<Timestamp> {
        let contact = self.state.conversation.as_ref().and_then(|c| c.contact());
        contact.and_then(|contact| contact.due).map(|due| due.due_at)
    }
}

pub(super) fn accepted(name: &str) -> SendOutcome {
    SendOutcome::Accepted { mid: Some(mid(name)) }
}

pub(super) const fn failed() -> SendOutcome {
    SendOutcome::Failed { code: FailureCode::Refused, platform_code: None, platform_subcode: None }
}

pub(super) fn mention(name: &str, when: Timestamp) -> Event {
    let story =
        StoryShown { id: Some(name.to_owned()), url: Some("https://cdn.example/s".to_owned()) };
    let body = MessageBody { story: Some(story), ..body(ContentKind::StoryMention, None) };
    event(EventKind::MessageReceived(body), name, when)
}

/// A message of somebody whom an ad brought.
pub(super) fn by_ad(name: &str, minute: u64) -> Event {
    let referral = Referral { source: Some("ADS".to_owned()), ..Referral::default() };
    let body = MessageBody { referral: Some(referral), ..body(ContentKind::Text, Some(name)) };
    event(EventKind::MessageReceived(body), name, at(minute))
}

/// The person has seen a message.
pub(super) fn read(name: &str, when: Timestamp) -> Event {
    event(EventKind::MessageRead { watermark_at: None }, name, when)
}

pub(super) fn react(name: &str, when: Timestamp, removed: bool) -> Event {
    let reaction = Reaction {
        target_mid: mid(name),
        reaction: None,
        emoji: Some("🔥".to_owned()),
        direction: Direction::Inbound,
    };
    let kind = if removed {
        EventKind::ReactionRemoved(reaction)
    } else {
        EventKind::ReactionAdded(reaction)
    };
    event(kind, name, when)
}

pub(super) fn delete(name: &str, when: Timestamp) -> Event {
    event(EventKind::MessageDeleted { direction: Direction::Inbound }, name, when)
}

pub(super) fn edit(name: &str, num_edit: u32, when: Timestamp) -> Event {
    let words = format!("{name} edit {num_edit}");
    event(EventKind::MessageEdited { text: words, num_edit }, name, when)
}

/// A story in which ana holds the first contact, `m1` unanswered.
pub(super) fn held() -> Story {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    story.assigned("ana", at(1));
    story
}

/// The same, and ana's answer arrived.
pub(super) fn answered() -> Story {
    let mut story = held();
    let send = story.reply("ana", "hello", at(2)).sends()[0].clone();
    story.outcome(&send, accepted("out1"), at(2));
    story
}
