//! Merges between threads of two people, word by word: each test named after its rule.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one of many")]

use std::collections::{BTreeMap, VecDeque};

use crate::conversation::decide::{Effect, Input, World, decide};
use crate::conversation::invariant;
use crate::conversation::rehearsed::{accepted, agent, at, body, echo, event, mid, react, text};
use crate::conversation::state::ThreadState;
use crate::domain::command::{CommandResult, DeskCommand, DeskWish, Refusal, ThreadNote};
use crate::domain::derive;
use crate::domain::event::{ContentKind, Event, EventKind};
use crate::domain::fact::{EndReason, Fact, FactBody, Status};
use crate::domain::id::{ClientMessageId, CommandId};
use crate::domain::outbound::{OutboundSend, SendResult};
use crate::domain::routing::{
    AssignReason, RoutingAsk, RoutingDecision, RoutingRequest, RoutingVerdict,
};
use crate::domain::settings::{AccountSettings, SettingsTable};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

const DAY: u64 = 24 * 60;

/// Threads of `a`, `b`, `c`, …, each on a partition of its own, and what they told.
#[derive(Default)]
struct Threads {
    states: BTreeMap<Thread, ThreadState>,
    settings: SettingsTable,
    facts: Vec<Fact>,
    requests: Vec<RoutingRequest>,
    sends: Vec<OutboundSend>,
    results: Vec<CommandResult>,
    /// Words between threads not yet heard.
    notes: VecDeque<DeskCommand>,
    notes_heard: u32,
    commands: u32,
    decisions: u64,
}

fn thread(person: &str) -> Thread {
    Thread::from_key(&format!("17841400000000001:{person}")).unwrap()
}

/// The same event, written by another person.
fn of(person: &str, event: Event) -> Event {
    Event { person_id: Some(thread(person).person_id), ..event }
}

impl Threads {
    /// What is in is heard; what that says to other threads waits.
    fn apply(&mut self, to: &Thread, input: &Input<'_>, now: Timestamp, hops: u8) {
        let before = self.states.remove(to).unwrap_or_default();
        let world = World { thread: to, settings: &self.settings, now, hops };
        let decision = decide(before, input, &world).unwrap();
        assert_eq!(invariant::broken(&decision.state), None);
        self.states.insert(to.clone(), decision.state);
        for effect in decision.effects {
            match effect {
                Effect::Fact(fact) => self.facts.push(*fact),
                Effect::Routing(request) => self.requests.push(request),
                Effect::Send(send) => self.sends.push(send),
                Effect::Result(result) => self.results.push(result),
                Effect::Note(note) => self.notes.push_back(*note),
                Effect::Snapshot(_) | Effect::Forget => (),
            }
        }
    }

    /// Has every word between threads heard.
    fn settle(&mut self, now: Timestamp) {
        while let Some(command) = self.notes.pop_front() {
            self.notes_heard += 1;
            assert!(self.notes_heard < 100, "words go round in a ring");
            let to = command.thread.clone();
            match &command.wish {
                DeskWish::Note(ThreadNote::Event { event, hops }) => {
                    self.apply(&to, &Input::Event(event), now, *hops);
                }
                DeskWish::Note(ThreadNote::Outcome { result, hops }) => {
                    self.apply(&to, &Input::Outcome(result), now, *hops);
                }
                _ => self.apply(&to, &Input::Command(&command), now, 0),
            }
        }
    }

    fn hear(&mut self, person: &str, event: &Event) {
        let (event, now) = (of(person, event.clone()), event.occurred_at);
        self.apply(&thread(person), &Input::Event(&event), now, 0);
        self.settle(now);
    }

    /// Gives the wish, without having what it says to others heard.
    fn wish_only(&mut self, person: &str, wish: DeskWish, now: Timestamp) {
        self.commands += 1;
        let to = thread(person);
        let number = self.states.get(&to).map_or(1, |state| state.conversations.max(1));
        let command = DeskCommand {
            wish,
            command_id: CommandId::parse(&format!("cmd-{}", self.commands)).unwrap(),
            thread: to.clone(),
            conversation_id: derive::conversation_id(&to, number).unwrap(),
            agent_id: agent("ana"),
            issued_at: now,
        };
        self.apply(&to, &Input::Command(&command), now, 0);
    }

    fn wish(&mut self, person: &str, wish: DeskWish, now: Timestamp) -> Option<Refusal> {
        self.results.clear();
        self.wish_only(person, wish, now);
        self.settle(now);
        assert_eq!(self.results.len(), 1, "a command is answered once");
        self.results[0].refusal
    }

    fn merge(&mut self, from: &str, into: &str, now: Timestamp) -> Option<Refusal> {
        self.wish(from, DeskWish::Merge { into: thread(into), confirmed: true }, now)
    }

    fn reply(&mut self, person: &str, words: &str, now: Timestamp) -> OutboundSend {
        let refusal = self.wish(
            person,
            DeskWish::Reply {
                client_message_id: ClientMessageId::parse(words).unwrap(),
                text: words.to_owned(),
                image_urls: Vec::new(),
                automatic: false,
            },
            now,
        );
        assert_eq!(refusal, None);
        self.sends.pop().unwrap()
    }

    fn outcome(&mut self, send: &OutboundSend, mid: &str, now: Timestamp) {
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

    fn assigned(&mut self, person: &str, who: &str, now: Timestamp) {
        self.decisions += 1;
        let to = thread(person);
        let (conversations, contacts) = self.counts(person);
        let reason = AssignReason::AutomatedAssignment;
        let decision = RoutingDecision {
            verdict: RoutingVerdict::Assigned { agent_id: agent(who), reason },
            company_id: AccountSettings::default().company_id,
            thread: to.clone(),
            conversation_id: derive::conversation_id(&to, conversations).unwrap(),
            contact_id: derive::contact_id(&to, contacts).unwrap(),
            decided_at: now,
            number: self.decisions,
        };
        self.apply(&to, &Input::Routing(&decision), now, 0);
    }

    fn state(&self, person: &str) -> &ThreadState {
        &self.states[&thread(person)]
    }

    fn counts(&self, person: &str) -> (u32, u32) {
        (self.state(person).conversations, self.state(person).contacts)
    }

    fn status(&self, person: &str) -> Option<Status> {
        self.state(person).conversation.as_ref().map(|conversation| conversation.status())
    }

    fn due_at(&self, person: &str) -> Option<Timestamp> {
        let contact = self.state(person).conversation.as_ref().and_then(|c| c.contact());
        contact.and_then(|contact| contact.due).map(|due| due.due_at)
    }

    /// Names of what was told, since the last call, and by which thread.
    fn told(&mut self) -> Vec<(String, &'static str)> {
        let facts = std::mem::take(&mut self.facts);
        let person = |fact: &Fact| fact.thread.person_id.as_str().to_owned();
        facts.iter().map(|fact| (person(fact), fact.body.name())).collect()
    }

    fn asked(&mut self) -> Vec<(String, RoutingAsk)> {
        let requests = std::mem::take(&mut self.requests);
        let person = |request: &RoutingRequest| request.thread.person_id.as_str().to_owned();
        requests.into_iter().map(|request| (person(&request), request.ask)).collect()
    }
}

fn says(person: &str, names: &[&'static str]) -> Vec<(String, &'static str)> {
    names.iter().map(|name| (person.to_owned(), *name)).collect()
}

/// `a` wrote at minute 0 and is held by ben; `b` wrote at minute 5 and waits.
fn two() -> Threads {
    let mut threads = Threads::default();
    threads.hear("a", &text("a1", at(0)));
    threads.assigned("a", "ben", at(1));
    threads.hear("b", &text("b1", at(5)));
    threads.told();
    threads.asked();
    threads
}

// Holds
#[test]
fn nothing_but_a_confirmed_merge_makes_two_threads_one_customer() {
    let mut threads = two();
    let customers = |threads: &Threads| [threads.status("a"), threads.status("b")];
    let before = customers(&threads);
    let unconfirmed = DeskWish::Merge { into: thread("b"), confirmed: false };
    assert_eq!(threads.wish("a", unconfirmed, at(6)), Some(Refusal::NotConfirmed));
    assert_eq!(threads.merge("a", "a", at(6)), Some(Refusal::CannotMerge), "into itself");
    assert_eq!(threads.merge("x", "b", at(6)), Some(Refusal::CannotMerge), "never wrote");
    assert_eq!((customers(&threads), threads.told()), (before, vec![]));
    assert_ne!(derive::customer_id(&thread("a")), derive::customer_id(&thread("b")));
}

// Holds
#[test]
fn of_two_open_conversations_the_destinations_survives_with_the_earlier_due_date() {
    let mut threads = two();
    assert_eq!(threads.merge("a", "b", at(6)), None);
    let ended = threads.facts.iter().find_map(|fact| match &fact.body {
        FactBody::ContactEnded { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(ended, Some(EndReason::Merged));
    let mut expected =
        says("a", &["sla.cleared", "contact.fulfilled", "contact.ended", "conversation.closed"]);
    expected.extend(says("b", &["customer.merged", "sla.started"]));
    assert_eq!(threads.told(), expected);
    assert_eq!(threads.due_at("b"), Some(at(60)), "a's was due at 60, b's at 65");
    let asks = threads.asked();
    assert_eq!(asks[0], ("a".to_owned(), RoutingAsk::Withdraw), "one slot");
    let RoutingAsk::Assign { agent_id, reason, .. } = &asks[1].1 else { panic!("{asks:?}") };
    assert_eq!((agent_id, *reason), (&agent("ben"), AssignReason::Manual), "the only agent");
    assert_eq!(threads.counts("b"), (1, 1), "the same conversation and contact");
    assert_eq!(threads.status("a"), Some(Status::Closed));
}

// Holds: R-151
#[test]
fn the_survivor_keeps_its_own_agent() {
    let mut threads = two();
    threads.assigned("b", "cem", at(5));
    threads.asked();
    threads.merge("a", "b", at(6));
    let asks = threads.asked();
    let preview = "says b1".to_owned();
    let update = RoutingAsk::Update { due_at: Some(at(60)), preview };
    assert_eq!(asks, [("a".to_owned(), RoutingAsk::Withdraw), ("b".to_owned(), update)]);
}

// Holds
#[test]
fn later_messages_of_the_source_join_the_homes_conversation_and_are_answered_on_their_thread() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.assigned("b", "ben", at(6));
    threads.told();
    threads.hear("a", &text("a2", at(7)));
    let received = threads.facts.iter().find_map(|fact| match &fact.body {
        FactBody::MessageReceived(item) => Some((fact.customer_id.clone(), item.origin.clone())),
        _ => None,
    });
    let expected = (derive::customer_id(&thread("b")).unwrap(), Some(thread("a")));
    assert_eq!(received, Some(expected));
    assert_eq!(threads.told(), says("b", &["message.received"]));
    assert_eq!(threads.counts("a"), (1, 1), "nothing new begins there");
    let send = threads.reply("b", "to a", at(8));
    assert_eq!(send.thread, thread("a"));
    threads.told();
    threads.outcome(&send, "out1", at(9));
    assert_eq!(threads.told(), says("b", &["message.sent", "contact.fulfilled"]));
    threads.hear("a", &echo("out1", "to a", at(9)));
    assert_eq!(threads.told(), vec![], "the home knows its own echo");
    threads.hear("b", &text("b2", at(10)));
    assert_eq!(threads.reply("b", "to b", at(11)).thread, thread("b"));
}

// Holds: R-88
#[test]
fn the_reply_window_stays_the_threads_own() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    let late = at(7 * DAY + 3);
    let reply = || DeskWish::Reply {
        client_message_id: ClientMessageId::parse("c1").unwrap(),
        text: "hi".to_owned(),
        image_urls: Vec::new(),
        automatic: false,
    };
    assert_eq!(threads.wish("b", reply(), late), None, "b wrote last, at minute 5");
    let mut threads = two();
    threads.merge("b", "a", at(6));
    assert_eq!(threads.wish("a", reply(), late), None, "b wrote last, and its window goes on");
    threads.hear("b", &text("b2", late));
    assert_eq!(threads.state("b").window.unwrap().opened_at, late);
}

// Holds
#[test]
fn what_the_source_began_it_ends_itself_and_what_it_does_not_know_goes_home() {
    let mut threads = two();
    let send = threads.reply("a", "on its way", at(5));
    threads.merge("a", "b", at(6));
    threads.hear("a", &text("a2", at(7)));
    threads.told();
    threads.outcome(&send, "out1", at(8));
    assert!(threads.told().contains(&("a".to_owned(), "message.sent")));
    threads.hear("a", &react("a1", at(9), false));
    threads.hear("a", &react("a2", at(9), false));
    let both = [says("a", &["reaction.added"]), says("b", &["reaction.added"])].concat();
    assert_eq!(threads.told(), both);
    assert_eq!(threads.wish("b", DeskWish::Like { mid: mid("a2") }, at(10)), None);
    assert_eq!(threads.sends.pop().unwrap().thread, thread("a"));
    let closed = DeskWish::Close { force: true };
    assert_eq!(threads.wish("a", closed, at(11)), Some(Refusal::CustomerMerged));
}

// Holds: R-152
#[test]
fn only_the_last_merge_is_taken_back_and_items_return_by_their_thread() {
    let mut threads = two();
    threads.hear("c", &text("c1", at(5)));
    threads.merge("a", "b", at(6));
    threads.merge("c", "b", at(7));
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(8)), Some(Refusal::CannotUnmerge));
    assert_eq!(threads.wish("b", DeskWish::Unmerge, at(8)), Some(Refusal::CannotUnmerge));
    assert_eq!(threads.wish("c", DeskWish::Unmerge, at(9)), None);
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(10)), None);
    threads.told();
    threads.hear("a", &text("a2", at(11)));
    let told = threads.told();
    assert!(told.iter().all(|(person, _)| person == "a"), "{told:?}");
    assert!(told.contains(&("a".to_owned(), "conversation.reopened")), "{told:?}");
    assert_eq!(threads.merge("a", "b", at(12)), None, "and may be merged again");
}

// Holds: R-152
#[test]
fn a_home_that_is_merged_itself_lets_nobody_go() {
    let mut threads = two();
    threads.hear("c", &text("c1", at(5)));
    threads.merge("a", "b", at(6));
    threads.merge("b", "c", at(7));
    assert_eq!(threads.wish("a", DeskWish::Unmerge, at(8)), Some(Refusal::CannotUnmerge));
    threads.told();
    threads.hear("a", &text("a2", at(9)));
    assert_eq!(threads.told(), says("c", &["message.received"]), "through b to c");
    let send = threads.reply("c", "hi a", at(10));
    assert_eq!(send.thread, thread("a"));
    threads.told();
    threads.outcome(&send, "out1", at(11));
    assert!(threads.told().contains(&("c".to_owned(), "message.sent")));
}

// Holds: R-149
#[test]
fn merges_that_cross_end_in_one_home_and_never_in_a_ring() {
    let mut threads = two();
    threads.wish_only("a", DeskWish::Merge { into: thread("b"), confirmed: true }, at(6));
    threads.wish_only("b", DeskWish::Merge { into: thread("a"), confirmed: true }, at(6));
    threads.settle(at(6));
    assert_eq!(threads.state("a").ties.home, None, "the lesser key is home");
    assert_eq!(threads.state("b").ties.home, Some(thread("a")));
    threads.told();
    threads.hear("b", &text("b2", at(7)));
    let told = threads.told();
    assert!(told.contains(&("a".to_owned(), "message.received")), "{told:?}");
    assert!(told.iter().all(|(person, _)| person == "a"), "{told:?}");
    // Three at once make a ring: what goes round is taken in in the end, once.
    let mut threads = two();
    threads.hear("c", &text("c1", at(5)));
    for (from, into) in [("a", "b"), ("b", "c"), ("c", "a")] {
        threads.wish_only(from, DeskWish::Merge { into: thread(into), confirmed: true }, at(6));
    }
    threads.settle(at(6));
    threads.told();
    threads.hear("a", &text("a2", at(7)));
    let told = threads.told();
    let received = told.iter().filter(|(_, name)| *name == "message.received");
    assert_eq!(received.count(), 1, "{told:?}");
}

// Holds
#[test]
fn erasing_ends_the_contact_and_leaves_nothing_that_was_said() {
    let mut threads = two();
    let secret = body(ContentKind::Text, Some("my number is 12345"));
    threads.hear("a", &event(EventKind::MessageReceived(secret), "a2", at(2)));
    let edit = EventKind::MessageEdited { text: "never mind 12345".to_owned(), num_edit: 1 };
    threads.hear("a", &event(edit, "a9", at(3)));
    threads.told();
    assert_eq!(threads.wish("a", DeskWish::Erase, at(6)), None);
    let ended = threads.facts.iter().any(|fact| {
        matches!(fact.body, FactBody::ContactEnded { reason: EndReason::CustomerDeleted, .. })
    });
    assert!(ended);
    let last = threads.facts.last().unwrap().clone();
    assert_eq!(last.body, FactBody::CustomerDeleted { items: 2 });
    let state = format!("{:?}", threads.state("a"));
    for said in ["12345", "a1", "a9", "says"] {
        assert!(!state.contains(said), "{said} is still in {state}");
    }
    // Ids and facts go on, and what was applied is not applied again.
    assert_eq!(threads.state("a").facts, last.number);
    threads.told();
    threads.hear("a", &text("a1", at(0)));
    assert_eq!(threads.told(), vec![]);
    threads.hear("a", &text("a3", at(7)));
    assert_eq!(threads.counts("a"), (2, 2));
    assert_eq!(threads.told()[0], ("a".to_owned(), "customer.created"));
}

// Holds: R-154
#[test]
fn erasing_a_merged_person_takes_their_items_out_of_the_home() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.hear("a", &text("a2", at(7)));
    threads.told();
    assert_eq!(threads.wish("a", DeskWish::Erase, at(8)), None);
    let told = threads.told();
    assert!(told.contains(&("b".to_owned(), "message.deleted")), "{told:?}");
    let state = format!("{:?}", threads.state("b"));
    assert!(!state.contains("says a2"), "{state}");
    threads.hear("a", &text("a3", at(9)));
    assert_eq!(threads.counts("a"), (2, 2), "a customer of their own again");
}
