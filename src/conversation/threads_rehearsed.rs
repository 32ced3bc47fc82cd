//! Several threads rehearsed by hand, with the words they say to each other. For the tests of merges.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one of many")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::conversation::decide::{Effect, Input, World, decide};
use crate::conversation::invariant;
use crate::conversation::rehearsed::{accepted, agent, at, text};
use crate::conversation::snapshot;
use crate::conversation::state::ThreadState;
use crate::domain::command::{CommandResult, DeskCommand, DeskWish, Refusal};
use crate::domain::derive;
use crate::domain::event::Event;
use crate::domain::fact::{ConversationSnapshot, Fact, Status};
use crate::domain::id::{ClientMessageId, CommandId, OfferId};
use crate::domain::outbound::{OutboundSend, SendResult};
use crate::domain::routing::{
    AssignReason, RoutingAsk, RoutingDecision, RoutingRequest, RoutingVerdict,
};
use crate::domain::settings::{AccountSettings, SettingsTable};
use crate::domain::thread::Thread;
use crate::domain::thread_note::ThreadNote;
use crate::domain::time::Timestamp;

/// Threads of `a`, `b`, `c`, …, each on a partition of its own, and what they told.
#[derive(Debug, Default)]
pub(super) struct Threads {
    pub(super) states: BTreeMap<Thread, ThreadState>,
    pub(super) settings: SettingsTable,
    pub(super) facts: Vec<Fact>,
    pub(super) requests: Vec<RoutingRequest>,
    pub(super) sends: Vec<OutboundSend>,
    pub(super) results: Vec<CommandResult>,
    /// How conversations stand, as published last.
    pub(super) snapshots: BTreeMap<Thread, ConversationSnapshot>,
    /// Words between threads not yet heard.
    pub(super) notes: VecDeque<DeskCommand>,
    notes_heard: u32,
    notes_said: BTreeSet<CommandId>,
    commands: u32,
    decisions: u64,
}

pub(super) fn thread(person: &str) -> Thread {
    Thread::from_key(&format!("17841400000000001:{person}")).unwrap()
}

/// The same event, written by another person.
pub(super) fn of(person: &str, event: Event) -> Event {
    Event { person_id: Some(thread(person).person_id), ..event }
}

impl Threads {
    /// What is in is heard; what that says to other threads waits.
    pub(super) fn apply(&mut self, to: &Thread, input: &Input<'_>, now: Timestamp, hops: u8) {
        self.passed(to, input, now, (hops, None));
    }

    fn passed(
        &mut self,
        to: &Thread,
        input: &Input<'_>,
        now: Timestamp,
        (hops, via): (u8, Option<&Thread>),
    ) {
        let before = self.states.remove(to).unwrap_or_default();
        let key = to.key();
        let world = World { thread: to, key: &key, settings: &self.settings, now, hops, via };
        let decision = decide(Box::new(before), input, &world).unwrap();
        assert_eq!(invariant::broken(&decision.state), None);
        self.states.insert(to.clone(), *decision.state);
        for effect in decision.effects {
            match effect {
                Effect::Fact(fact) => self.facts.push(*fact),
                Effect::Routing(request) => self.requests.push(request),
                Effect::Send(send) => self.sends.push(send),
                Effect::Result(result) => self.results.push(result),
                Effect::Note(note) => self.notes.push_back(*note),
                Effect::Snapshot => {
                    let stands = snapshot(&self.states[to], to, &self.settings).unwrap();
                    self.snapshots.insert(to.clone(), stands);
                }
                Effect::Forget(_) => drop(self.snapshots.remove(to)),
                Effect::Details(..) => (),
            }
        }
    }

    /// Has every word between threads heard.
    pub(super) fn settle(&mut self, now: Timestamp) {
        while let Some(command) = self.notes.pop_front() {
            self.notes_heard += 1;
            let new = self.notes_said.insert(command.command_id.clone());
            assert!(new, "said twice under one id: {:?}", command.wish);
            assert!(self.notes_heard < 100, "words go round in a ring");
            let to = command.thread.clone();
            match &command.wish {
                DeskWish::Note(ThreadNote::Event { event, hops, via }) => {
                    self.passed(&to, &Input::Event(event), now, (*hops, via.as_ref()));
                }
                DeskWish::Note(ThreadNote::Outcome { result, hops }) => {
                    self.apply(&to, &Input::Outcome(result), now, *hops);
                }
                _ => self.apply(&to, &Input::Command(&command), now, 0),
            }
        }
    }

    pub(super) fn hear(&mut self, person: &str, event: &Event) {
        let (event, now) = (of(person, event.clone()), event.occurred_at);
        self.apply(&thread(person), &Input::Event(&event), now, 0);
        self.settle(now);
    }

    /// Gives the wish, without having what it says to others heard.
    pub(super) fn wish_only(&mut self, person: &str, wish: DeskWish, now: Timestamp) {
        self.commands += 1;
        let to = thread(person);
        let number = self.states.get(&to).map_or(1, |state| state.conversations.max(1));
        let command = DeskCommand {
            wish,
            command_id: CommandId::parse(&format!("cmd-{}", self.commands)).unwrap(),
            thread: to.clone(),
            conversation_id: derive::conversation_id(&to, number),
            agent_id: agent("ana"),
            issued_at: now,
        };
        self.apply(&to, &Input::Command(&command), now, 0);
    }

    pub(super) fn wish(&mut self, person: &str, wish: DeskWish, now: Timestamp) -> Option<Refusal> {
        self.results.clear();
        self.wish_only(person, wish, now);
        self.settle(now);
        assert_eq!(self.results.len(), 1, "a command is answered once");
        self.results[0].refusal
    }

    pub(super) fn merge(&mut self, from: &str, into: &str, now: Timestamp) -> Option<Refusal> {
        self.wish(from, DeskWish::Merge { into: thread(into), confirmed: true }, now)
    }

    pub(super) fn reply(&mut self, person: &str, words: &str, now: Timestamp) -> OutboundSend {
        let refusal = self.wish(
            person,
            DeskWish::Reply {
                client_message_id: ClientMessageId::parse(words).unwrap(),
                text: words.to_owned(),
                image_urls: Vec::new(),
                automatic: false,
                declared_bytes: 0,
            },
            now,
        );
        assert_eq!(refusal, None);
        self.sends.pop().unwrap()
    }

    pub(super) fn outcome(&mut self, send: &OutboundSend, mid: &str, now: Timestamp) {
        let result = SendResult {
            outcome: accepted(mid),
            send_id: send.send_id.clone(),
            item_id: send.item_id.clone(),
            thread: send.thread.clone(),
            conversation_id: send.conversation_id.clone(),
            attempts: 1,
            settled_at: now,
        };
        self.apply(&send.thread, &Input::Outcome(&result), now, 0);
        self.settle(now);
    }

    pub(super) fn assigned(&mut self, person: &str, who: &str, now: Timestamp) {
        let reason = AssignReason::AutomatedAssignment;
        self.decided(person, RoutingVerdict::Assigned { agent_id: agent(who), reason }, now);
    }

    /// The newest contact is on an agent's banner.
    pub(super) fn offered(&mut self, person: &str, who: &str, now: Timestamp) {
        let (offer_id, agent_id) = (OfferId::parse("of-1").unwrap(), agent(who));
        let verdict = RoutingVerdict::Offered { offer_id, agent_id, expires_at: now, round: 1 };
        self.decided(person, verdict, now);
    }

    fn decided(&mut self, person: &str, verdict: RoutingVerdict, now: Timestamp) {
        self.decisions += 1;
        let to = thread(person);
        let (conversations, contacts) = self.counts(person);
        let decision = RoutingDecision {
            verdict,
            company_id: AccountSettings::default().company_id,
            thread: to.clone(),
            conversation_id: derive::conversation_id(&to, conversations),
            contact_id: derive::contact_id(&to, contacts),
            decided_at: now,
            number: self.decisions,
        };
        self.apply(&to, &Input::Routing(&decision), now, 0);
    }

    pub(super) fn state(&self, person: &str) -> &ThreadState {
        &self.states[&thread(person)]
    }

    pub(super) fn counts(&self, person: &str) -> (u32, u32) {
        (self.state(person).conversations, self.state(person).contacts)
    }

    pub(super) fn status(&self, person: &str) -> Option<Status> {
        self.state(person).conversation.as_ref().map(|conversation| conversation.status())
    }

    pub(super) fn due_at(&self, person: &str) -> Option<Timestamp> {
        let contact = self.state(person).conversation.as_ref().and_then(|c| c.contact());
        contact.and_then(|contact| contact.due).map(|due| due.due_at)
    }

    /// Names of what was told, since the last call, and by which thread.
    pub(super) fn told(&mut self) -> Vec<(String, &'static str)> {
        let facts = std::mem::take(&mut self.facts);
        let person = |fact: &Fact| fact.thread.person_id.as_str().to_owned();
        facts.iter().map(|fact| (person(fact), fact.body.name())).collect()
    }

    pub(super) fn asked(&mut self) -> Vec<(String, RoutingAsk)> {
        let requests = std::mem::take(&mut self.requests);
        let person = |request: &RoutingRequest| request.thread.person_id.as_str().to_owned();
        requests.into_iter().map(|request| (person(&request), request.ask)).collect()
    }
}

pub(super) fn says(person: &str, names: &[&'static str]) -> Vec<(String, &'static str)> {
    names.iter().map(|name| (person.to_owned(), *name)).collect()
}

/// `a` wrote at minute 0 and is held by ben; `b` wrote at minute 5 and waits.
pub(super) fn two() -> Threads {
    let mut threads = Threads::default();
    threads.hear("a", &text("a1", at(0)));
    threads.assigned("a", "ben", at(1));
    threads.hear("b", &text("b1", at(5)));
    threads.told();
    threads.asked();
    threads
}
