//! Lists, bounds, agents, results and waiting, through the handle everybody holds.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde::Serialize;

use super::fixture_test::{CONVERSATION, fact, item, mid, snapshot, thread};
use super::{Bounds, ChangeKind, Cursor, Filter, Look, Views};
use crate::broker::NextOffsets;
use crate::broker::record::{Headers, Record};
use crate::domain::command::{CommandResult, Refusal};
use crate::domain::customer::{CustomerProfile, CustomerRecord, PLACEHOLDER_NAME, Profile};
use crate::domain::derive::customer_id;
use crate::domain::fact::{ConversationSnapshot, Fact, FactBody, Status};
use crate::domain::id::{AgentId, CommandId, CompanyId, ConversationId, OfferId};
use crate::domain::routing::{AgentSnapshot, OfferSnapshot};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::topics::Topic;

const LOOK: Look = Look { now: Timestamp::from_ms(0), show_reactions: true };

fn record(topic: Topic, key: &str, value: &impl Serialize) -> Record {
    Record {
        topic,
        partition: 0,
        offset: 0,
        timestamp: Timestamp::from_ms(0),
        key: Some(key.as_bytes().to_vec()),
        value: Some(serde_json::to_vec(value).unwrap()),
        headers: Headers::default(),
    }
}

fn apply(views: &Views, record: Record) {
    views.apply(&[record], &NextOffsets::new());
}

fn result(id: &str, refusal: Option<Refusal>) -> Record {
    let result = CommandResult {
        command_id: CommandId::parse(id).unwrap(),
        refusal,
        decided_at: Timestamp::from_ms(7),
    };
    record(Topic::CommandResults, id, &result)
}

fn profile(thread: &Thread, name: &str) -> Record {
    let customer_id = customer_id(thread);
    let key = customer_id.as_str().to_owned();
    let value = CustomerRecord::Profile(CustomerProfile {
        customer_id,
        thread: thread.clone(),
        fetched_at: Timestamp::from_ms(9),
        profile: Profile { name: Some(name.to_owned()), ..Profile::default() },
    });
    record(Topic::Customers, &key, &value)
}

/// Ana, with an offer of the person 9001 on her banner.
fn offered() -> AgentSnapshot {
    AgentSnapshot {
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
            thread: thread("9001"),
            conversation_id: ConversationId::parse(CONVERSATION).unwrap(),
            customer_name: "Maria".to_owned(),
            preview: "hello".to_owned(),
            expires_at: Timestamp::from_ms(30_000),
        }),
        as_of_at: Timestamp::from_ms(5),
    }
}

/// Conversation `n` of a person of its own, newest item at `at`.
fn conversation(n: usize, status: Status, agent: Option<&str>, at: u64) -> ConversationSnapshot {
    ConversationSnapshot {
        thread: thread(&format!("9{n}")),
        status,
        agent_id: agent.map(|agent| AgentId::parse(agent).unwrap()),
        last_item_at: Timestamp::from_ms(at),
        ..snapshot(&format!("cv-{n}"), 1)
    }
}

fn put(views: &Views, snapshot: &ConversationSnapshot) {
    apply(views, record(Topic::Conversations, &snapshot.thread.key(), snapshot));
}

fn ids(views: &Views, filter: &Filter, cursor: Option<&Cursor>, limit: usize) -> Vec<String> {
    let page = views.conversations(filter, cursor, limit);
    let listed = page.conversations.iter();
    listed.map(|listed| listed.conversation_id.as_str().to_owned()).collect()
}

#[test]
fn conversations_are_listed_newest_item_first_by_what_is_asked() {
    let views = Views::default();
    put(&views, &conversation(1, Status::Open, Some("ana"), 10));
    put(&views, &conversation(2, Status::New, None, 30));
    put(&views, &conversation(3, Status::Open, Some("ben"), 20));
    let any = Filter::default();
    let ana = Filter { agent_id: Some(AgentId::parse("ana").unwrap()), ..any.clone() };
    let open = Filter { status: Some(Status::Open), ..any.clone() };
    let ana_new = Filter { status: Some(Status::New), ..ana.clone() };
    let other = Filter { company_id: Some(CompanyId::parse("other").unwrap()), ..any.clone() };
    assert_eq!(ids(&views, &any, None, 9), ["cv-2", "cv-3", "cv-1"]);
    assert_eq!(ids(&views, &open, None, 9), ["cv-3", "cv-1"]);
    assert_eq!(ids(&views, &ana, None, 9), ["cv-1"]);
    assert!(ids(&views, &ana_new, None, 9).is_empty());
    assert!(ids(&views, &other, None, 9).is_empty());

    let moved = ConversationSnapshot { as_of_number: 2, ..conversation(1, Status::New, None, 40) };
    put(&views, &moved);
    assert_eq!(ids(&views, &any, None, 9), ["cv-1", "cv-2", "cv-3"], "moved with its newest item");
    assert!(ids(&views, &ana, None, 9).is_empty(), "and off the agent's shelf");
}

#[test]
fn at_the_bound_the_stalest_closed_conversation_goes_first() {
    let views = Views::new(Bounds { conversations_max: 2, ..Bounds::default() });
    put(&views, &conversation(1, Status::Open, None, 1));
    put(&views, &conversation(2, Status::Closed, None, 2));
    put(&views, &conversation(3, Status::New, None, 3));
    assert_eq!(ids(&views, &Filter::default(), None, 9), ["cv-3", "cv-1"]);
    assert_eq!(views.place(&ConversationId::parse("cv-2").unwrap()), None);
}

#[test]
fn a_tombstone_forgets_the_thread() {
    let views = Views::default();
    let id = ConversationId::parse(CONVERSATION).unwrap();
    let said = fact(1, FactBody::MessageReceived(item("a", Some("hello"))));
    apply(&views, record(Topic::Timeline, &said.thread.key(), &said));
    assert!(views.conversation(&id, LOOK).is_some());
    let mut gone = record(Topic::Conversations, &said.thread.key(), &());
    gone.value = None;
    apply(&views, gone);
    assert_eq!(views.conversation(&id, LOOK), None, "R-154");
}

#[test]
fn a_fact_read_from_the_log_is_shown_and_told_once() {
    let views = Views::default();
    let mut changes = views.changes();
    let said = fact(1, FactBody::MessageReceived(item("a", Some("hello"))));
    let line = record(Topic::Timeline, &said.thread.key(), &said);
    let next = NextOffsets::from([((Topic::Timeline, 0), 1)]);
    views.apply(&[line.clone(), line], &next);
    let id = ConversationId::parse(CONVERSATION).unwrap();
    assert_eq!(views.conversation(&id, LOOK).unwrap().items.len(), 1);
    let place = views.place(&id).unwrap();
    assert_eq!(place.thread, Thread::from_key("1784:9001").unwrap());
    let change = changes.try_recv().unwrap();
    assert_eq!((change.kind, change.id.as_str()), (ChangeKind::Conversation, CONVERSATION));
    assert!(changes.try_recv().is_err(), "the second reading is no change");
    assert_eq!(views.positions(), next);
}

#[test]
fn a_record_that_does_not_read_is_counted_and_passed_over() {
    let views = Views::default();
    let odd = record(Topic::Timeline, "1784:9001", &"no fact");
    let good = result("cmd-1", None);
    views.apply(&[odd, good], &NextOffsets::new());
    assert_eq!(views.unreadable(), 1);
    assert!(views.command(&CommandId::parse("cmd-1").unwrap()).is_some());
}

// Holds: R-154
#[test]
fn of_a_customer_erased_nothing_is_left_in_the_views() {
    let views = Views::default();
    let known = conversation(1, Status::New, None, 5);
    let customer = customer_id(&known.thread);
    put(&views, &known);
    apply(&views, profile(&known.thread, "Kim"));
    assert_eq!(views.customer(&customer).unwrap().conversations.len(), 1);

    let erased =
        Fact { thread: known.thread.clone(), ..fact(9, FactBody::CustomerDeleted { items: 1 }) };
    apply(&views, record(Topic::Timeline, &known.thread.key(), &erased));
    apply(&views, Record { value: None, ..record(Topic::Customers, customer.as_str(), &()) });
    assert_eq!(views.customer(&customer), None);
    assert_eq!(views.customer_place(&customer), None);
    assert_eq!(views.conversation(&known.conversation_id, LOOK), None);
    assert_eq!(views.conversations(&Filter::default(), None, 9).conversations, []);
}

// Holds: R-8
#[test]
fn a_name_is_shown_everywhere_once_it_is_known_and_whoever_looks_is_told() {
    let views = Views::default();
    let unnamed = ConversationSnapshot {
        display_name: PLACEHOLDER_NAME.to_owned(),
        ..conversation(1, Status::New, None, 5)
    };
    put(&views, &unnamed);
    apply(&views, record(Topic::Agents, "default:ana", &offered()));
    let shown = |views: &Views| {
        let listed = views.conversations(&Filter::default(), None, 9).conversations;
        let one = views.conversation(&unnamed.conversation_id, LOOK).unwrap();
        assert_eq!(one.conversation, listed[0]);
        assert_eq!(one.customer.display_name, listed[0].display_name);
        let offer = views.offers(None, None, Timestamp::from_ms(1)).remove(0).offer;
        (listed[0].display_name.clone(), offer.customer_name)
    };
    let before = shown(&views);
    assert_eq!(before.0, "Instagram user", "R-8");

    let mut changes = views.changes();
    let thread = unnamed.thread.clone();
    let offered = views.offers(None, None, Timestamp::from_ms(1)).remove(0).offer.thread;
    for thread in [thread, offered] {
        apply(&views, profile(&thread, "Kim"));
    }
    assert_eq!(shown(&views), ("Kim".to_owned(), "Kim".to_owned()));
    let told: Vec<ChangeKind> =
        std::iter::from_fn(|| changes.try_recv().ok()).map(|change| change.kind).collect();
    assert_eq!(told, [ChangeKind::Conversation, ChangeKind::Agent]);
    apply(&views, profile(&unnamed.thread, "Kim"));
    assert!(changes.try_recv().is_err(), "read twice, told once");

    let key = customer_id(&unnamed.thread);
    apply(&views, Record { value: None, ..record(Topic::Customers, key.as_str(), &()) });
    assert_eq!(shown(&views).0, before.0, "a tombstone takes the name away");
}

#[test]
fn an_offer_is_shown_while_it_can_be_accepted() {
    let views = Views::default();
    let agent = offered();
    apply(&views, record(Topic::Agents, "default:ana", &agent));
    let older = AgentSnapshot { offer: None, as_of_at: Timestamp::from_ms(4), ..agent.clone() };
    apply(&views, record(Topic::Agents, "default:ana", &older));
    let offers = |now_ms| views.offers(None, None, Timestamp::from_ms(now_ms)).len();
    assert_eq!((offers(30_000), offers(30_001)), (1, 0), "R-113: inclusive");
    let ben = AgentId::parse("ben").unwrap();
    assert!(views.offers(None, Some(&ben), Timestamp::from_ms(0)).is_empty());
    assert_eq!(views.agent(None, &agent.agent_id), Some(agent));
}

#[test]
fn the_oldest_results_go_and_the_first_result_of_a_command_counts() {
    let views = Views::new(Bounds { results_max: 2, ..Bounds::default() });
    for (id, refusal) in
        [("cmd-1", None), ("cmd-2", None), ("cmd-2", Some(Refusal::Overloaded)), ("cmd-3", None)]
    {
        apply(&views, result(id, refusal));
    }
    let known = |id: &str| views.command(&CommandId::parse(id).unwrap());
    assert_eq!(known("cmd-1"), None);
    assert_eq!(known("cmd-2").unwrap().refusal, None);
    assert!(known("cmd-3").is_some());
}

#[tokio::test]
async fn whoever_waits_for_a_result_gets_it_whenever_it_comes() {
    let views = Views::default();
    let id = CommandId::parse("cmd-1").unwrap();
    let waiting = tokio::spawn({
        let (views, id) = (views.clone(), id.clone());
        async move { views.wait_for(&id, Duration::from_secs(60)).await }
    });
    tokio::task::yield_now().await;
    apply(&views, result("cmd-1", Some(Refusal::AtMaximum)));
    assert_eq!(waiting.await.unwrap().unwrap().refusal, Some(Refusal::AtMaximum));
    let known = views.wait_for(&id, Duration::ZERO).await;
    assert!(known.is_some(), "known already: no time is needed");
}

#[tokio::test]
async fn whoever_waits_in_vain_is_let_go_and_leaves_nothing() {
    let views = Views::new(Bounds { waiters_max: 1, ..Bounds::default() });
    let id = |text: &str| CommandId::parse(text).unwrap();
    assert_eq!(views.wait_for(&id("cmd-1"), Duration::ZERO).await, None);
    let waiting = tokio::spawn({
        let views = views.clone();
        let id = id("cmd-2");
        async move { views.wait_for(&id, Duration::from_secs(60)).await }
    });
    tokio::task::yield_now().await;
    let beyond = views.wait_for(&id("cmd-3"), Duration::from_secs(60)).await;
    assert_eq!(beyond, None, "one more than may wait: answered at once");
    apply(&views, result("cmd-2", None));
    assert!(waiting.await.unwrap().is_some(), "the first one's place was free again");
}

#[test]
fn a_reaction_may_come_in_a_later_conversation_of_the_thread() {
    let views = Views::default();
    let mut changes = views.changes();
    let said = fact(1, FactBody::MessageReceived(item("a", Some("hello"))));
    let mut later = fact(2, FactBody::ReactionAdded { mid: mid("m-a"), emoji: None });
    later.conversation_id = Some(ConversationId::parse("cv-2").unwrap());
    for line in [&said, &later] {
        apply(&views, record(Topic::Timeline, &line.thread.key(), line));
    }
    let id = ConversationId::parse(CONVERSATION).unwrap();
    let shown = serde_json::to_value(views.conversation(&id, LOOK).unwrap()).unwrap();
    assert_eq!(shown["items"][0]["reaction"]["shown"], "❤️");
    let told = std::iter::from_fn(|| changes.try_recv().ok()).map(|change| change.id);
    let told: Vec<String> = told.collect();
    assert_eq!(
        told,
        [CONVERSATION, CONVERSATION, "cv-2"],
        "both conversations are to be read again"
    );
}

proptest! {
    #[test]
    fn pages_together_are_the_whole_list_once(
        times in prop::collection::vec(0..5_u64, 0..30),
        limit in 1..7_usize,
    ) {
        let views = Views::default();
        for (n, at) in times.iter().enumerate() {
            put(&views, &conversation(n, Status::Open, None, *at));
        }
        let (mut listed, mut cursor) = (Vec::new(), None);
        loop {
            let page = views.conversations(&Filter::default(), cursor.as_ref(), limit);
            prop_assert!(page.conversations.len() <= limit);
            listed.extend(page.conversations);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let distinct: BTreeSet<_> = listed.iter().map(|c| c.conversation_id.clone()).collect();
        prop_assert_eq!((listed.len(), distinct.len()), (times.len(), times.len()));
        prop_assert!(listed.is_sorted_by(|a, b| a.last_item_at >= b.last_item_at));
    }
}
