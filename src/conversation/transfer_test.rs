//! A conversation moves to another inbox: each test names its rules.

use crate::conversation::rehearsed::{Step, Story, agent, answered, at, failed, held, text};
use crate::domain::command::{DeskWish, Refusal};
use crate::domain::fact::{FactBody, Status, TransferKind, TransferReason};
use crate::domain::id::InboxId;
use crate::domain::routing::{AssignReason, RoutingAsk};
use crate::domain::settings::{AccountSettings, CompanySettings, InboxSettings};
use crate::domain::time::MINUTE_MS;

const DAY: u64 = 24 * 60;

fn inbox(name: &str) -> InboxId {
    InboxId::parse(name).unwrap()
}

/// The account answers within 20 minutes, the inbox `billing` within 40, all others within 60.
fn story() -> Story {
    let account =
        AccountSettings { account_sla_ms: Some(20 * MINUTE_MS), ..AccountSettings::default() };
    let mut company = CompanySettings::default();
    let own = InboxSettings { sla_ms: Some(40 * MINUTE_MS), ..InboxSettings::default() };
    company.inboxes.insert(inbox("billing"), own);
    let mut story = Story::with(account, company);
    story.hear(&text("m1", at(0)));
    story.assigned("ana", at(1));
    story
}

fn transfer(story: &mut Story, to: &str, agent_name: Option<&str>, minute: u64) -> Step {
    let wish = DeskWish::Transfer { inbox_id: inbox(to), to_agent_id: agent_name.map(agent) };
    story.wish("ana", wish, at(minute))
}

// Holds
#[test]
fn who_waits_is_due_by_the_new_inbox_from_the_oldest_item_and_both_dates_are_kept() {
    let mut story = story();
    story.hear(&text("m2", at(3)));
    assert_eq!(story.due_at(), Some(at(20)), "the account's");
    let step = transfer(&mut story, "billing", None, 5);
    let expected = FactBody::ContactTransferred {
        transfer: TransferKind::Cold,
        reason: TransferReason::Manual,
        to_inbox_id: inbox("billing"),
        to_agent_id: None,
        due_at_before: Some(at(20)),
        due_at: Some(at(40)),
    };
    let fact = &step.whole_facts()[0];
    assert_eq!((&fact.body, &fact.assignee_id), (&expected, &Some(agent("ana"))), "just before");
    assert_eq!(fact.inbox_id, Some(AccountSettings::default().inbox_id), "where it was");
    assert_eq!(step.facts(), ["contact.transferred", "sla.started", "contact.unassigned"]);
    let RoutingAsk::Enqueue { inbox_id, due_at, waiting_since_at, .. } = step.ask() else {
        panic!("{:?}", step.ask())
    };
    assert_eq!((inbox_id, due_at, waiting_since_at), (inbox("billing"), Some(at(40)), at(0)));
    let shown = step.snapshot();
    assert_eq!((shown.due_at, shown.due_at_before), (Some(at(40)), Some(at(20))));
    assert_eq!((shown.inbox_id, shown.status), (inbox("billing"), Status::New));
    // The account's own target no longer applies to what comes.
    let answer = story.reply("ben", "hello", at(6)).sends()[0].clone();
    let step = story.outcome(&answer, crate::conversation::rehearsed::accepted("out1"), at(6));
    let fulfilled = serde_json::to_value(&step.bodies()[1]).unwrap();
    assert_eq!(fulfilled["due_at"], at(40).as_ms());
    assert_eq!(fulfilled["due_at_before"], at(20).as_ms());
    story.hear(&text("m3", at(10)));
    assert_eq!(story.due_at(), Some(at(50)));
    // A new conversation begins in the account's own inbox, by its own target.
    story.wish("ben", DeskWish::Close { force: true }, at(11));
    story.hear(&text("m4", at(11 + 2 * DAY)));
    assert_eq!(story.due_at(), Some(at(31 + 2 * DAY)));
}

// Holds
#[test]
fn a_conversation_reopened_is_in_the_inbox_it_was_moved_to() {
    let mut story = story();
    transfer(&mut story, "billing", None, 5);
    story.wish("ana", DeskWish::Close { force: true }, at(6));
    let step = story.hear(&text("m2", at(50)));
    assert_eq!(step.snapshot().inbox_id, inbox("billing"));
    assert_eq!(story.due_at(), Some(at(90)), "by that inbox's target");
}

// Holds
#[test]
fn moved_straight_to_an_agent_it_is_assigned_there() {
    let mut story = story();
    let step = transfer(&mut story, "billing", Some("ben"), 5);
    let ask = RoutingAsk::Assign {
        inbox_id: inbox("billing"),
        agent_id: agent("ben"),
        reason: AssignReason::Manual,
    };
    assert_eq!(step.ask(), ask);
    let kind = serde_json::to_value(&step.bodies()[0]).unwrap()["transfer"].clone();
    assert_eq!(kind, "WARM");
    let step = story.assigned("ben", at(5));
    assert_eq!(
        (step.snapshot().agent_id, step.snapshot().inbox_id),
        (Some(agent("ben")), inbox("billing"))
    );
}

// Holds
#[test]
fn a_new_date_that_has_passed_is_breached_at_once_and_one_to_come_is_not() {
    let mut story = story();
    story.timers(at(21));
    let step = transfer(&mut story, "billing", None, 30);
    assert!(!step.facts().contains(&"sla.breached"), "due at 40 now");
    assert!(story.timers(at(41)).facts().contains(&"sla.breached"));
    let mut story = self::story();
    let step = transfer(&mut story, "billing", None, 45);
    let facts = step.facts();
    let breaches = facts.iter().filter(|name| **name == "sla.breached").count();
    assert_eq!(breaches, 2, "the date before at 20, the new one at 40: {facts:?}");
}

// Holds
#[test]
fn an_answer_on_its_way_that_fails_brings_back_the_new_inboxs_date() {
    let mut story = story();
    let send = story.reply("ana", "hello", at(2)).sends()[0].clone();
    transfer(&mut story, "billing", None, 3);
    assert_eq!(story.due_at(), None);
    assert!(story.outcome(&send, failed(), at(4)).facts().contains(&"sla.reinstated"));
    assert_eq!(story.due_at(), Some(at(40)));
}

// Holds
#[test]
fn nothing_moves_where_it_is_already_and_what_is_closed_stays() {
    let mut story = held();
    let own = AccountSettings::default().inbox_id;
    let step = transfer(&mut story, own.as_str(), None, 2);
    assert_eq!((step.facts(), step.asks(), step.refusal()), (vec![], vec![], None));
    let step = transfer(&mut story, own.as_str(), Some("ana"), 2);
    assert_eq!(step.asks(), Vec::<&str>::new());
    let step = transfer(&mut story, own.as_str(), Some("ben"), 3);
    assert_eq!((step.facts(), step.asks()), (vec!["contact.transferred"], vec!["assign"]));
    assert_eq!(story.due_at(), Some(at(60)), "the same inbox's");
    story.wish("ana", DeskWish::Close { force: true }, at(4));
    let step = transfer(&mut story, "billing", None, 5);
    assert_eq!(step.refusal(), Some(Refusal::ConversationClosed));
}

// Holds
#[test]
fn a_waiting_conversation_moves_without_asking_anybody() {
    let mut story = answered();
    story.timers(at(60));
    assert_eq!(story.status(), Some(Status::Waiting));
    let step = transfer(&mut story, "billing", None, 70);
    assert_eq!(
        (step.facts(), step.asks()),
        (vec!["contact.transferred", "contact.unassigned"], vec![])
    );
    let step = story.hear(&text("m2", at(80)));
    let RoutingAsk::Enqueue { inbox_id, .. } = step.ask() else { panic!("{:?}", step.ask()) };
    assert_eq!(inbox_id, inbox("billing"));
}
