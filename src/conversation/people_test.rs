//! Who writes, what begins a conversation, where it stands: each test names its rules.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one of many")]

use crate::conversation::decide::Input;
use crate::conversation::rehearsed::{
    Story, agent, answered, at, body, delete, echo, edit, event, held, mention, mid, react, text,
};
use crate::domain::command::{DeskWish, Refusal};
use crate::domain::event::{ContentKind, Event, EventKind, MessageBody, Referral};
use crate::domain::fact::{EndReason, EndStatus, FactBody, Initiator, Status};
use crate::domain::routing::{AssignReason, RoutingAsk, RoutingVerdict};
use crate::domain::settings::AccountSettings;
use crate::engine::stage::Exit;

const DAY: u64 = 24 * 60;

fn postback(name: &str, minute: u64) -> Event {
    let title = Some("Opening hours".to_owned());
    let kind = EventKind::PostbackReceived { title, payload: "hours".to_owned(), referral: None };
    event(kind, name, at(minute))
}

fn story_reply(name: &str, minute: u64) -> Event {
    let body = body(ContentKind::StoryReply, Some("so nice"));
    event(EventKind::MessageReceived(body), name, at(minute))
}

// Holds
#[test]
fn a_customer_is_known_at_the_first_item_under_a_placeholder_and_once() {
    let mut story = Story::new();
    let first = story.hear(&text("m1", at(0)));
    let created = FactBody::CustomerCreated { display_name: "Instagram user".to_owned() };
    assert_eq!(first.bodies()[0], created);
    assert_eq!(first.snapshot().display_name, "Instagram user");
    story.wish("ana", DeskWish::Close { force: true }, at(1));
    let later = story.hear(&text("m2", at(3 * DAY)));
    assert!(!later.facts().contains(&"customer.created"), "{:?}", later.facts());
}

// Holds
#[test]
fn every_item_of_a_thread_opens_the_same_profile_and_no_username_is_kept() {
    let mut story = Story::new();
    let mut customers = Vec::new();
    for (name, minutes) in [("m1", 0), ("m2", 10 * DAY), ("m3", 400 * DAY)] {
        let step = story.hear(&text(name, at(minutes)));
        for fact in step.whole_facts() {
            assert!(!serde_json::to_string(&fact).unwrap().contains("username"));
            customers.push(fact.customer_id);
        }
    }
    customers.dedup();
    assert_eq!(customers.len(), 1);
}

// Holds
#[test]
fn messages_story_replies_mentions_and_postbacks_begin_a_conversation_open_the_window_and_are_due()
{
    for first in [text("m1", at(0)), story_reply("m1", 0), mention("m1", at(0)), postback("m1", 0)]
    {
        let mut story = Story::new();
        let step = story.hear(&first);
        assert!(step.facts().contains(&"conversation.created"), "{:?}", first.kind.name());
        assert_eq!(step.asks(), ["enqueue"]);
        assert_eq!(story.due_at(), Some(at(60)));
        assert_eq!(story.state.window.unwrap().expires_at, at(7 * DAY));
    }
}

// Holds
#[test]
fn reactions_reads_edits_deletes_and_bare_referrals_open_no_window_and_touch_no_clock() {
    let read = event(EventKind::MessageRead { watermark_at: None }, "m1", at(5));
    let referral = EventKind::ReferralReceived { referral: Referral::default() };
    let referral = event(referral, "r1", at(5));
    let others = [react("m1", at(5), false), read, edit("m1", 1, at(5)), delete("m1", at(5))];
    for other in others.into_iter().chain([referral]) {
        let mut story = held();
        let before = story.state.clone();
        let step = story.hear(&other);
        let kept = (story.state.window, story.due_at(), story.state.last_inbound_at);
        assert_eq!(kept, (before.window, Some(at(60)), Some(at(0))), "{:?}", other.kind.name());
        assert!(!step.asks().contains(&"enqueue"));
        assert_eq!(story.state.contacts, 1);
    }
}

// Holds: R-18
#[test]
fn a_message_request_is_handled_like_any_other_and_says_its_folder_when_it_is_known() {
    let folder = |folder: Option<&str>| {
        let mut story = Story::new();
        let folder = folder.map(str::to_owned);
        let body = MessageBody { folder, ..body(ContentKind::Text, Some("hi")) };
        let step = story.hear(&event(EventKind::MessageReceived(body), "m1", at(0)));
        assert_eq!(step.asks(), ["enqueue"]);
        step.bodies().into_iter().find_map(|body| match body {
            FactBody::MessageReceived(item) => item.request_folder,
            _ => None,
        })
    };
    assert_eq!(folder(Some("other")).as_deref(), Some("other"));
    assert_eq!(folder(None), None, "unknown");
}

// Holds
#[test]
fn a_conversation_is_new_open_waiting_and_closed_and_has_one_contact_at_a_time() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    assert_eq!(story.status(), Some(Status::New));
    let inbox_id = AccountSettings::default().inbox_id;
    story.decided(RoutingVerdict::Queued { inbox_id }, at(0));
    story.hear(&echo("e1", "app", at(1)));
    assert_eq!(story.status(), Some(Status::New), "also when an echo answered");
    story.assigned("ana", at(2));
    assert_eq!(story.status(), Some(Status::Open));
    story.hear(&text("m2", at(3)));
    assert_eq!((story.state.contacts, story.state.conversations), (1, 1));
    story.wish("ana", DeskWish::NoReplyNeeded { mid: mid("m2") }, at(4));
    assert_eq!(story.status(), Some(Status::Waiting));
    story.wish("ana", DeskWish::Close { force: false }, at(5));
    assert_eq!(story.status(), Some(Status::Closed));
    story.hear(&text("m3", at(6)));
    assert_eq!((story.state.contacts, story.state.conversations), (2, 1));
}

// Holds
#[test]
fn a_conversation_is_in_one_inbox_and_moves_from_agent_to_agent() {
    let mut story = held();
    let step = story.assigned("ben", at(2));
    assert_eq!(step.snapshot().agent_id, Some(agent("ben")));
    assert_eq!(step.whole_facts()[0].assignee_id, Some(agent("ana")), "just before (R-155)");
    assert_eq!(step.snapshot().inbox_id, AccountSettings::default().inbox_id);
}

// Holds
#[test]
fn agents_close_and_reopen_as_often_as_they_like() {
    let mut story = answered();
    for round in 0..3 {
        let minute = 10 + round * 10;
        assert_eq!(story.wish("ana", DeskWish::Close { force: false }, at(minute)).refusal(), None);
        assert_eq!(story.status(), Some(Status::Closed));
        assert_eq!(story.wish("ben", DeskWish::Reopen, at(minute + 1)).refusal(), None);
        assert_eq!(story.status(), Some(Status::Open));
        assert_eq!(story.assigned("ben", at(minute + 2)).snapshot().agent_id, Some(agent("ben")));
    }
    assert_eq!(story.state.conversations, 1);
}

// Holds
#[test]
fn a_contact_ends_for_a_reason_of_the_list_and_a_late_message_begins_another() {
    let mut story = answered();
    let step = story.timers(at(18));
    let ended = FactBody::ContactEnded {
        reason: EndReason::CustomerNoReply,
        status: EndStatus::Answered,
        business_ms: None,
    };
    assert_eq!(step.bodies(), [ended]);
    // Written before the timer fired, heard after it: the end stands.
    let step = story.apply(&Input::Event(&text("m2", at(16))), at(19));
    assert!(step.facts().contains(&"contact.started"), "{:?}", step.facts());
    let names: Vec<String> = [
        EndReason::CustomerNoReply,
        EndReason::NoReplyNeeded,
        EndReason::ConversationClosed,
        EndReason::Merged,
        EndReason::CustomerDeleted,
        EndReason::StartedNew,
    ]
    .iter()
    .map(|reason| serde_json::to_string(reason).unwrap())
    .collect();
    assert!(!names.contains(&"\"AGENT_ENDED\"".to_owned()));
}

// Holds
#[test]
fn an_echo_closes_nothing_credits_nobody_and_counts_as_an_answer() {
    let mut story = held();
    let step = story.hear(&echo("e1", "app", at(2)));
    assert!(step.whole_facts().iter().all(|fact| fact.initiator == Initiator::NativeApp));
    assert_eq!(
        (story.status(), step.snapshot().agent_id),
        (Some(Status::Open), Some(agent("ana")))
    );
    let step = story.wish("ana", DeskWish::Close { force: false }, at(3));
    let ended = FactBody::ContactEnded {
        reason: EndReason::ConversationClosed,
        status: EndStatus::Answered,
        business_ms: None,
    };
    assert!(step.bodies().contains(&ended), "{:?}", step.bodies());
}

// Holds: R-81
#[test]
fn an_echo_in_a_waiting_conversation_begins_a_contact_that_stays_with_its_agent() {
    let mut story = answered();
    story.timers(at(30));
    let step = story.hear(&echo("e1", "one more thing", at(31)));
    let RoutingAsk::Assign { agent_id, reason, .. } = step.ask() else { panic!("not assigned") };
    assert_eq!((agent_id, reason), (agent("ana"), AssignReason::MessageOutbound));
    assert_eq!((story.status(), story.due_at()), (Some(Status::Open), None));
}

// Holds: R-61
#[test]
fn deleting_an_answer_does_not_bring_the_due_date_back() {
    let mut story = answered();
    let step = story.hear(&delete("out1", at(3)));
    assert_eq!((step.facts(), story.due_at()), (vec!["message.deleted"], None));
    let mut story = held();
    story.hear(&echo("e1", "app", at(2)));
    story.hear(&delete("e1", at(3)));
    assert_eq!(story.due_at(), None);
}

// Holds: R-83
#[test]
fn what_the_account_writes_to_itself_is_nobodys_conversation() {
    let to_self = MessageBody { to_self: true, ..body(ContentKind::Text, Some("test")) };
    for kind in [EventKind::MessageEchoed(to_self.clone()), EventKind::MessageReceived(to_self)] {
        let mut story = Story::new();
        let step = story.hear(&event(kind, "m1", at(0)));
        assert_eq!((step.exit, step.facts()), (Exit::Skipped("self"), vec![]));
        assert_eq!(story.state.conversation, None);
    }
}

// Holds: R-80
#[test]
fn what_was_shown_as_written_in_the_app_is_corrected_when_it_proves_to_be_ours() {
    let mut story = held();
    let send = story.reply("ana", "see  https://a.example", at(2)).sends()[0].clone();
    // Instagram shortened the link, so that the words differ.
    let step = story.hear(&echo("out1", "see a.example", at(2)));
    let FactBody::MessageSent(native) = step.bodies()[0].clone() else { panic!("not native") };
    assert_eq!(step.snapshot().items, 3);
    let outcome = crate::conversation::rehearsed::accepted("out1");
    let step = story.outcome(&send, outcome, at(3));
    assert_eq!(step.facts()[..2], ["message.sent", "message.recognised"]);
    let FactBody::MessageRecognised { item_id, instead_of, .. } = step.bodies()[1].clone() else {
        panic!("not recognised")
    };
    assert_eq!((item_id, instead_of), (send.item_id, native.item_id));
    assert_eq!(step.snapshot().items, 2);
    let FactBody::ContactAssigned { text, .. } = &story.assigned("ben", at(4)).bodies()[0] else {
        panic!("not assigned")
    };
    assert_eq!(*text, None, "not routed because of an outgoing message");
}

// Holds
#[test]
fn a_reply_that_comes_too_late_is_counted_as_a_fact_and_changes_nothing_else() {
    let mut story = held();
    let before = story.state.sends.clone();
    let step = story.reply("ana", "sorry", at(7 * DAY + 1));
    assert_eq!(step.refusal(), Some(Refusal::ReplyWindowExpired));
    let told: Vec<FactBody> = step.bodies();
    assert!(told.contains(&FactBody::MessageRefused { code: Refusal::ReplyWindowExpired }));
    assert_eq!(story.state.sends, before);
}
