//! Reports from facts alone, as an analyst reads them: JSON in, numbers out.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::conversation::rehearsed::{Story, accepted, agent, at, echo, failed, text};
use crate::domain::command::DeskWish;
use crate::domain::id::OfferId;
use crate::domain::routing::{RejectReason, RoutingVerdict};
use crate::domain::settings::AccountSettings;
use crate::domain::time::MINUTE_MS;

const DAY: u64 = 24 * 60;

/// What an analyst computes, in minutes and counts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    /// First human outbound after the first inbound, and whether it was an echo.
    first_response: BTreeMap<String, (u64, bool)>,
    /// From the queue to an agent.
    wait: BTreeMap<String, u64>,
    fulfilled: usize,
    fulfilled_in_time: usize,
    ended: BTreeMap<String, usize>,
    sent: usize,
    echoes: usize,
    failed: usize,
    closed: usize,
    reopened: usize,
    missed: usize,
    refused_by_window: usize,
    unknown: usize,
    started: usize,
    /// Offers, accepts, misses of an agent.
    by_agent: BTreeMap<String, [usize; 3]>,
    /// From each offer to its answer.
    offer_latency: Vec<u64>,
    rounds: u64,
    /// From what the customer wrote to the answer, and from an answer to what the customer wrote then.
    agent_reply: Vec<u64>,
    customer_reply: Vec<u64>,
}

fn report(facts: &[Value]) -> Report {
    let mut report = Report::default();
    let (mut pressed, mut first_inbound, mut queued) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let (mut offered, mut asked, mut answered) = (None, None, None);
    for fact in facts {
        let at = fact["occurred_at"].as_u64().unwrap() / MINUTE_MS;
        let contact = fact["contact_id"].as_str().unwrap_or_default().to_owned();
        let contact = contact.rsplit('-').next().unwrap().to_owned();
        let word = |name: &str| fact[name].as_str().unwrap_or_default().to_owned();
        match fact["type"].as_str().unwrap() {
            "message.received" => {
                first_inbound.entry(contact).or_insert(at);
                asked = asked.or(Some(at));
                report.customer_reply.extend(answered.take().map(|answered: u64| at - answered));
            }
            "message.queued" => {
                pressed.insert(word("send_id"), at);
            }
            "message.sent" => {
                let is_echo = fact["initiator"]["initiator"] == "native_app";
                let sent_at = if is_echo { at } else { pressed[&word("send_id")] };
                report.sent += 1;
                report.agent_reply.extend(asked.take().map(|asked: u64| sent_at - asked));
                answered = Some(sent_at);
                report.echoes += usize::from(is_echo);
                if let Some(asked_at) = first_inbound.get(&contact) {
                    report.first_response.entry(contact).or_insert((sent_at - asked_at, is_echo));
                }
            }
            "message.failed" => report.failed += 1,
            "message.unknown" => report.unknown += 1,
            "contact.started" => report.started += 1,
            "contact.offered" => {
                report.by_agent.entry(word("agent_id")).or_default()[0] += 1;
                report.rounds = report.rounds.max(fact["round"].as_u64().unwrap());
                offered = Some(at);
            }
            "message.refused" => report.refused_by_window += 1,
            "contact.queued" => {
                queued.entry(contact).or_insert(at);
            }
            taken @ ("contact.accepted" | "contact.assigned") => {
                if taken == "contact.accepted" {
                    report.by_agent.entry(word("agent_id")).or_default()[1] += 1;
                    report.offer_latency.extend(offered.take().map(|offered: u64| at - offered));
                }
                if let Some(since) = queued.get(&contact) {
                    report.wait.entry(contact).or_insert(at - since);
                }
            }
            "contact.rejected" => {
                report.missed += usize::from(word("reason") == "MISSED");
                report.by_agent.entry(word("agent_id")).or_default()[2] += 1;
                report.offer_latency.extend(offered.take().map(|offered: u64| at - offered));
            }
            "contact.fulfilled" if word("how") == "RESPONDED" => {
                report.fulfilled += 1;
                let in_time = fact["fulfilled_at"].as_u64() <= fact["due_at"].as_u64();
                report.fulfilled_in_time += usize::from(in_time);
            }
            "contact.ended" => {
                let how = format!("{} {}", word("reason"), word("status"));
                *report.ended.entry(how).or_default() += 1;
            }
            "conversation.closed" => report.closed += 1,
            "conversation.reopened" => report.reopened += 1,
            _ => (),
        }
    }
    report
}

/// A day: answered late and in the app, ended by silence, closed, reopened, closed unanswered, answered too late.
fn a_day() -> Vec<Value> {
    let mut story = Story::new();
    let mut steps = vec![story.hear(&text("m1", at(0)))];
    let inbox_id = AccountSettings::default().inbox_id;
    steps.push(story.decided(RoutingVerdict::Queued { inbox_id: inbox_id.clone() }, at(0)));
    steps.push(story.offered("ben", at(0)));
    let (offer_id, agent_id) = (OfferId::parse("of-1").unwrap(), agent("ben"));
    let missed = RoutingVerdict::Rejected { offer_id, agent_id, reason: RejectReason::Missed };
    steps.push(story.decided(missed, at(1)));
    steps.push(story.offered("ana", at(1)));
    let (offer_id, agent_id) = (OfferId::parse("of-1").unwrap(), agent("ana"));
    steps.push(story.decided(RoutingVerdict::Accepted { offer_id, agent_id }, at(2)));
    steps.push(story.reply("ana", "lost", at(5)));
    let lost = steps.last().unwrap().sends()[0].clone();
    steps.push(story.outcome(&lost, failed(), at(6)));
    steps.push(story.reply("ana", "sorry for the wait", at(70)));
    let send = steps.last().unwrap().sends()[0].clone();
    steps.push(story.outcome(&send, accepted("out1"), at(71)));
    steps.push(story.hear(&text("m2", at(72))));
    steps.push(story.hear(&echo("app1", "from the app", at(75))));
    steps.push(story.timers(at(100)));
    steps.push(story.wish("ana", DeskWish::Close { force: false }, at(110)));
    steps.push(story.hear(&text("m3", at(120))));
    steps.push(story.decided(RoutingVerdict::Queued { inbox_id }, at(120)));
    steps.push(story.assigned("ben", at(124)));
    steps.push(story.wish("ben", DeskWish::Close { force: true }, at(130)));
    steps.push(story.wish("ben", DeskWish::Reopen, at(7 * DAY)));
    steps.push(story.reply("ben", "too late", at(7 * DAY + 121)));
    let facts = steps.iter().flat_map(|step| step.whole_facts());
    facts.map(|fact| serde_json::to_value(fact).unwrap()).collect()
}

// Holds: R-157
#[test]
fn an_analyst_computes_every_report_from_the_timeline_alone() {
    let ended = [("CUSTOMER_NO_REPLY ANSWERED", 1), ("CONVERSATION_CLOSED UNANSWERED", 1)];
    let expected = Report {
        first_response: [("1".to_owned(), (70, false))].into(),
        wait: [("1".to_owned(), 2), ("2".to_owned(), 4)].into(),
        // By the agent ten minutes late, and by the echo in time.
        fulfilled: 2,
        fulfilled_in_time: 1,
        ended: ended.map(|(how, count)| (how.to_owned(), count)).into(),
        sent: 2,
        echoes: 1,
        failed: 1,
        closed: 2,
        reopened: 2,
        missed: 1,
        refused_by_window: 1,
        unknown: 0,
        started: 3,
        by_agent: [("ana".to_owned(), [1, 1, 0]), ("ben".to_owned(), [1, 0, 1])].into(),
        offer_latency: vec![1, 1],
        rounds: 1,
        // Answered at 70, by the echo 3 later; the customer wrote 2 after the answer, and 45 after the echo.
        agent_reply: vec![70, 3],
        customer_reply: vec![2, 45],
    };
    assert_eq!(report(&a_day()), expected);
}

// Holds: R-155
#[test]
fn every_fact_says_who_where_under_whose_care_and_in_which_order() {
    let facts = a_day();
    let mut ids = Vec::new();
    for (place, fact) in facts.iter().enumerate() {
        assert_eq!(fact["channel"], "INSTAGRAM_DIRECT");
        assert_eq!(fact["number"], place + 1);
        assert!(fact["initiator"]["initiator"].is_string(), "{fact}");
        for field in ["company_id", "customer_id", "account_id", "person_id"] {
            assert!(fact[field].is_string(), "{field} in {fact}");
        }
        let is_about_the_customer = fact["type"] == "customer.created";
        assert_eq!(fact["conversation_id"].is_string(), !is_about_the_customer, "{fact}");
        ids.push(fact["fact_id"].as_str().unwrap().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), facts.len(), "an id each");
    let assignee = |name: &str| {
        let fact = facts.iter().find(|fact| fact["type"] == name).unwrap();
        fact["assignee_id"].as_str().map(str::to_owned)
    };
    assert_eq!(assignee("contact.started"), None);
    assert_eq!(assignee("contact.accepted"), None, "just before");
    assert_eq!(assignee("message.sent").as_deref(), Some("ana"));
    assert_eq!(assignee("contact.ended").as_deref(), Some("ana"));
}

// Holds: R-1
#[test]
fn events_count_from_the_platforms_time_and_commands_from_the_desks() {
    use crate::conversation::decide::Input;
    let mut story = Story::new();
    let step = story.apply(&Input::Event(&text("m1", at(0))), at(9));
    assert_eq!(story.due_at(), Some(at(60)));
    assert_eq!(story.state.window.unwrap().expires_at, at(7 * DAY));
    let first = &step.whole_facts()[0];
    assert_eq!((first.occurred_at, first.recorded_at), (at(0), at(9)));
    story.assigned("ana", at(10));
    let step = story.reply("ana", "hello", at(11));
    assert_eq!(step.sends()[0].requested_at, at(11));
    let step = story.outcome(&step.sends()[0], accepted("out1"), at(20));
    let fulfilled = serde_json::to_value(&step.whole_facts()[1]).unwrap();
    assert_eq!(fulfilled["fulfilled_at"], at(11).as_ms());
    // What claims to come from the future counts from now.
    let mut story = Story::new();
    story.apply(&Input::Event(&text("m1", at(50))), at(9));
    assert_eq!(story.due_at(), Some(at(69)));
}
