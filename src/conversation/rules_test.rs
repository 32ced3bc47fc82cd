//! The life cycle, clock, window, stories, changes and hearts: each test named after its rule.

use crate::conversation::rehearsed::{
    Story, accepted, agent, answered, at, body, delete, echo, edit, event, held, mid, react, text,
};
use crate::domain::command::{DeskWish, Refusal};
use crate::domain::event::{ContentKind, EventKind};
use crate::domain::fact::{EndReason, EndStatus, FactBody, Status};
use crate::domain::id::OfferId;
use crate::domain::outbound::SendOutcome;
use crate::domain::routing::{
    AssignReason, RejectReason, RoutingAsk, RoutingVerdict, UnassignReason,
};
use crate::domain::settings::{AccountSettings, CompanySettings};
use crate::domain::thread::Thread;
use crate::domain::time::{DAY_MS, MINUTE_MS};
use crate::engine::stage::{Exit, Row};

const DAY: u64 = 24 * 60;

fn close(force: bool) -> DeskWish {
    DeskWish::Close { force }
}

// Holds
#[test]
fn a_first_message_creates_starts_and_asks_for_an_agent() {
    let mut story = Story::new();
    let step = story.hear(&text("m1", at(0)));
    let expected = [
        "customer.created",
        "conversation.created",
        "contact.started",
        "message.received",
        "sla.started",
    ];
    assert_eq!(step.facts(), expected);
    assert_eq!(step.asks(), ["enqueue"]);
    let RoutingAsk::Enqueue { due_at, preview, customer_name, .. } = step.ask() else {
        panic!("not queued")
    };
    assert_eq!((due_at, preview.as_str()), (Some(at(60)), "says m1"));
    assert_eq!(customer_name, "Instagram user");
    assert_eq!(step.snapshot().status, Status::New);
    assert_eq!(step.snapshot().as_of_number, 5);
    assert_eq!(step.exit, Exit::Emitted);
}

// Holds: R-15
#[test]
fn reactions_reads_edits_and_deletes_start_nothing() {
    let mut story = Story::new();
    let read = event(EventKind::MessageRead { watermark_at: None }, "m9", at(1));
    for event in [react("m9", at(0), false), read, edit("m9", 1, at(2)), delete("m9", at(3))] {
        assert_eq!(story.hear(&event).facts(), Vec::<&str>::new());
    }
    assert_eq!(story.state.conversation, None);
}

// Holds: R-19
#[test]
fn unsupported_content_routes_and_runs_the_clock() {
    let mut story = Story::new();
    let body = body(ContentKind::Unsupported, None);
    let step = story.hear(&event(EventKind::MessageReceived(body), "m1", at(0)));
    assert_eq!(step.snapshot().preview, "Unsupported message");
    assert_eq!(step.asks(), ["enqueue"]);
    assert_eq!(story.due_at(), Some(at(60)));
}

// Holds
#[test]
fn more_messages_join_and_routing_hears_of_a_due_date_when_it_changes() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    let step = story.hear(&text("m2", at(1)));
    assert_eq!(step.facts(), ["message.received"]);
    assert_eq!(step.asks(), [""; 0], "nobody sees the preview yet");
    story.assigned("ana", at(2));
    assert_eq!(story.hear(&text("m3", at(3))).asks(), [""; 0]);
    let step = story.reply("ana", "hello", at(4));
    assert_eq!(step.ask(), RoutingAsk::Update { due_at: None, preview: "says m3".into() });
    let send = step.sends()[0].clone();
    assert_eq!(story.outcome(&send, accepted("out1"), at(4)).asks(), Vec::<&str>::new());
    assert_eq!(story.hear(&react("m3", at(5), false)).asks(), Vec::<&str>::new());
    let step = story.hear(&text("m4", at(6)));
    assert_eq!(step.ask(), RoutingAsk::Update { due_at: Some(at(66)), preview: "says m4".into() });
}

// Holds: R-26
#[test]
fn a_banner_shows_the_newest_message_whenever_it_came() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    story.hear(&text("m2", at(1)));
    let said = |text: &str| RoutingAsk::Update { due_at: Some(at(60)), preview: text.into() };
    assert_eq!(story.offered("ana", at(2)).ask(), said("says m2"), "written before the offer");
    assert_eq!(story.hear(&text("m3", at(2))).ask(), said("says m3"), "written while it stands");
    let offered_again = story.offered("ben", at(3));
    assert_eq!(offered_again.asks(), [""; 0], "routing knows it");
}

// Holds: R-103
#[test]
fn what_happened_long_ago_is_asked_for_now() {
    let mut story = Story::new();
    let step = story.apply(&super::decide::Input::Event(&text("m1", at(0))), at(30));
    assert_eq!(step.requests()[0].requested_at, at(30));
    let RoutingAsk::Enqueue { waiting_since_at, .. } = step.ask() else { panic!("not queued") };
    assert_eq!(waiting_since_at, at(0), "it keeps its age");
}

// Holds: R-28
#[test]
fn a_message_within_the_reopen_window_reopens_and_a_later_one_begins_anew() {
    check(0, "conversation.reopened", 1);
    check(1, "conversation.created", 2);

    #[track_caller]
    fn check(late_ms: u64, first: &str, conversation: u32) {
        let mut story = answered();
        story.wish("ana", close(false), at(10));
        assert_eq!(story.status(), Some(Status::Closed));
        let step = story.hear(&text("m2", at(10 + DAY).plus_ms(late_ms)));
        let opened = step.facts().contains(&first);
        assert!(opened, "{:?}", step.facts());
        assert_eq!(story.state.conversations, conversation);
        assert_eq!(step.asks(), ["enqueue"], "past the same-agent limit");
    }
}

// Holds: R-30
#[test]
fn closing_while_the_customer_waits_needs_force() {
    let mut story = held();
    let step = story.wish("ana", close(false), at(2));
    assert_eq!(step.refusal(), Some(Refusal::CustomerWaiting));
    assert_eq!(story.status(), Some(Status::Open));
    let step = story.wish("ana", close(true), at(3));
    assert_eq!(step.refusal(), None);
    let expected = ["sla.cleared", "contact.fulfilled", "contact.ended", "conversation.closed"];
    assert_eq!(step.facts(), expected);
    assert_eq!(step.asks(), ["withdraw"]);
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    story.hear(&echo("e1", "answered in the app", at(1)));
    assert_eq!(story.wish("ana", close(false), at(2)).refusal(), None, "an echo answered");
}

// Holds: R-32
#[test]
fn a_closed_conversation_takes_a_heart_and_nothing_else() {
    let mut story = answered();
    story.wish("ana", close(false), at(3));
    let closed = Some(Refusal::ConversationClosed);
    assert_eq!(story.reply("ana", "more", at(4)).refusal(), closed);
    let topic = DeskWish::AddTopic { topic: "billing".into() };
    assert_eq!(story.wish("ana", topic, at(4)).refusal(), closed);
    let note = DeskWish::AddNote { text: "n".into() };
    assert_eq!(story.wish("ana", note, at(4)).refusal(), closed);
    assert_eq!(story.wish("ana", close(true), at(4)).refusal(), closed);
    assert_eq!(story.wish("ana", DeskWish::Like { mid: mid("m1") }, at(4)).refusal(), None);
}

// Holds: R-33
#[test]
fn reopened_by_hand_it_is_open_with_that_agent_and_not_offered() {
    let mut story = answered();
    story.wish("ana", close(false), at(3));
    let step = story.wish("ben", DeskWish::Reopen, at(4));
    assert_eq!(step.facts(), ["conversation.reopened", "contact.started"]);
    let RoutingAsk::Assign { agent_id, reason, .. } = step.ask() else { panic!("not assigned") };
    assert_eq!((agent_id, reason), (agent("ben"), AssignReason::Manual));
    assert_eq!(step.snapshot().status, Status::Open);
    assert_eq!(step.snapshot().agent_id, Some(agent("ben")));
}

// Holds: R-34
#[test]
fn a_topic_may_be_required_to_close() {
    let company = CompanySettings { require_topic_to_close: true, ..CompanySettings::default() };
    let mut story = Story::with(AccountSettings::default(), company);
    story.hear(&text("m1", at(0)));
    assert_eq!(story.wish("ana", close(true), at(1)).refusal(), Some(Refusal::TopicRequired));
    let step = story.wish("ana", DeskWish::AddTopic { topic: "billing".into() }, at(2));
    assert_eq!(
        (step.facts(), step.snapshot().topics),
        (vec!["topic.added"], vec!["billing".into()])
    );
    assert_eq!(story.wish("ana", close(true), at(3)).refusal(), None);
}

// Holds: R-35
#[test]
fn a_note_touches_no_clock_and_routes_nothing() {
    let mut story = held();
    let step = story.wish("ben", DeskWish::AddNote { text: "vip".into() }, at(2));
    assert_eq!((step.facts(), step.asks()), (vec!["note.created"], vec![]));
    assert_eq!(story.due_at(), Some(at(60)));
}

// Holds: R-36
#[test]
fn a_reply_in_a_waiting_conversation_starts_a_contact_of_that_agent() {
    let mut story = answered();
    story.timers(at(30));
    assert_eq!(story.status(), Some(Status::Waiting));
    let step = story.reply("ana", "anything else?", at(31));
    assert_eq!(step.facts(), ["contact.started", "message.queued"]);
    assert_eq!(step.asks(), ["assign"]);
    assert_eq!(story.status(), Some(Status::Open));
}

// Holds
#[test]
fn a_silent_customers_contact_ends_by_itself_and_frees_the_agent() {
    let mut story = answered();
    assert_eq!(story.state.due_at(), Some(at(17)));
    assert_eq!(story.timers(at(17)).facts(), Vec::<&str>::new(), "not at the deadline (R-2)");
    let step = story.timers(at(17).plus_ms(1));
    let ended = FactBody::ContactEnded {
        reason: EndReason::CustomerNoReply,
        status: EndStatus::Answered,
        business_ms: None,
    };
    assert_eq!(step.bodies(), [ended]);
    assert_eq!(step.asks(), ["withdraw"]);
    assert_eq!(story.status(), Some(Status::Waiting));
}

// Holds
#[test]
fn a_message_at_the_deadline_keeps_the_contact_and_a_later_one_starts_another() {
    check(0, 1);
    check(1, 2);

    #[track_caller]
    fn check(late_ms: u64, contacts: u32) {
        let mut story = answered();
        story.hear(&text("m2", at(17).plus_ms(late_ms)));
        assert_eq!(story.state.contacts, contacts);
    }
}

// Holds: R-4
#[test]
fn the_auto_end_follows_a_changed_limit() {
    let mut story = answered();
    let longer = CompanySettings { same_agent_limit_ms: 60 * MINUTE_MS, ..Default::default() };
    story.settings.set_company(AccountSettings::default().company_id, at(0), longer);
    assert_eq!(story.timers(at(20)).facts(), Vec::<&str>::new());
    assert_eq!(story.timers(at(63)).facts()[0], "contact.ended");
}

// Holds: R-42
#[test]
fn a_waiting_customer_is_never_timed_out() {
    let mut story = answered();
    story.hear(&text("m2", at(10)));
    story.timers(at(55));
    assert_eq!(story.status(), Some(Status::Open));
}

// Holds
#[test]
fn no_reply_needed_clears_ends_and_leaves_the_queue_and_names_the_last_item() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    story.hear(&text("m2", at(1)));
    let older = DeskWish::NoReplyNeeded { mid: mid("m1") };
    assert_eq!(story.wish("ana", older, at(2)).refusal(), Some(Refusal::NotLastMessage));
    let step = story.wish("ana", DeskWish::NoReplyNeeded { mid: mid("m2") }, at(3));
    assert_eq!(step.facts(), ["sla.cleared", "contact.fulfilled", "contact.ended"]);
    let ended = FactBody::ContactEnded {
        reason: EndReason::NoReplyNeeded,
        status: EndStatus::Unanswered,
        business_ms: None,
    };
    assert_eq!(step.bodies()[2], ended, "R-46");
    assert_eq!((step.asks(), story.status()), (vec!["withdraw"], Some(Status::Waiting)));
}

// Holds: R-89
#[test]
fn the_window_warns_once_and_ends_once() {
    let mut story = answered();
    story.timers(at(100));
    let end = at(7 * DAY);
    let warned = end.minus_ms(DAY_MS);
    assert_eq!(story.timers(warned).facts(), Vec::<&str>::new());
    assert_eq!(story.timers(warned.plus_ms(1)).facts(), ["reply_window.expiring"]);
    assert_eq!(story.timers(end).facts(), Vec::<&str>::new());
    assert_eq!(story.timers(end.plus_ms(1)).facts(), ["reply_window.expired"]);
    assert_eq!(story.state.due_at(), None);
}

// Holds
#[test]
fn the_accounts_target_goes_first_and_the_earlier_due_date_wins() {
    let account = AccountSettings { account_sla_ms: Some(5 * MINUTE_MS), ..Default::default() };
    let mut story = Story::with(account, CompanySettings::default());
    story.hear(&text("m2", at(2)));
    assert_eq!(story.due_at(), Some(at(7)));
    story.apply(&super::decide::Input::Event(&text("m1", at(1))), at(3));
    assert_eq!(story.due_at(), Some(at(6)));
    story.hear(&text("m3", at(4)));
    assert_eq!(story.due_at(), Some(at(6)));
}

// Holds
#[test]
fn the_clock_says_soon_at_three_quarters_and_breached_after_the_end_each_once() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    assert_eq!(story.timers(at(45)).facts(), Vec::<&str>::new());
    assert_eq!(story.timers(at(46)).facts(), ["sla.due_soon"]);
    assert_eq!(story.timers(at(60)).facts(), Vec::<&str>::new(), "met at the due date");
    assert_eq!(story.timers(at(61)).facts(), ["sla.breached"]);
    assert_eq!(story.timers(at(90)).facts(), Vec::<&str>::new());
}

// Holds: R-120
#[test]
fn back_soon_goes_to_the_same_agent_and_later_to_the_queue() {
    check(14, "assign");
    check(15, "assign");
    check(16, "enqueue");

    #[track_caller]
    fn check(minutes: u64, ask: &str) {
        let mut story = held();
        story.wish("ana", DeskWish::NoReplyNeeded { mid: mid("m1") }, at(1));
        let step = story.hear(&text("m2", at(minutes)));
        assert_eq!(step.asks(), [ask]);
    }
}

// Holds: R-27
#[test]
fn whose_agent_is_away_is_unassigned_when_queued() {
    let mut story = held();
    story.wish("ana", DeskWish::NoReplyNeeded { mid: mid("m1") }, at(1));
    story.hear(&text("m2", at(2)));
    assert_eq!(story.status(), Some(Status::Open), "until then it keeps its agent");
    let inbox_id = AccountSettings::default().inbox_id;
    let step = story.decided(RoutingVerdict::Queued { inbox_id }, at(2));
    assert_eq!(step.facts(), ["contact.unassigned", "contact.queued"]);
    assert_eq!(step.asks(), ["update"], "routing has to know what is due");
    assert_eq!(story.status(), Some(Status::New));
}

#[test]
fn decisions_are_told_once_and_about_the_open_contact_alone() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    let offer_id = OfferId::parse("of-1").unwrap();
    let (expires_at, who) = (at(2), agent("ana"));
    let offered = RoutingVerdict::Offered {
        offer_id: offer_id.clone(),
        agent_id: who.clone(),
        expires_at,
        round: 1,
    };
    assert_eq!(story.decided(offered.clone(), at(1)).facts(), ["contact.offered"]);
    let rejected = RoutingVerdict::Rejected {
        offer_id: offer_id.clone(),
        agent_id: who.clone(),
        reason: RejectReason::Missed,
    };
    assert_eq!(story.decided(rejected, at(3)).facts(), ["contact.rejected"]);
    story.decided(offered, at(4));
    let step = story.decided(RoutingVerdict::Accepted { offer_id, agent_id: who }, at(5));
    assert_eq!(step.facts(), ["contact.accepted"]);
    assert_eq!(story.status(), Some(Status::Open));
    let step = story.decided(
        RoutingVerdict::Unassigned { agent_id: agent("ana"), reason: Default::default() },
        at(6),
    );
    assert_eq!(step.facts(), ["contact.unassigned"]);
    assert_eq!(story.status(), Some(Status::New));
    story.wish("ana", close(true), at(7));
    assert_eq!(story.assigned("ben", at(8)).exit, Exit::Skipped("stale"));
}

// Holds: R-119
#[test]
fn an_offer_withdrawn_because_its_contact_ended_is_still_told() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    let (offer_id, agent_id) = (OfferId::parse("of-1").unwrap(), agent("ana"));
    story.wish("ben", close(true), at(1));
    let reason = UnassignReason::Manual;
    let rescinded = RoutingVerdict::Rescinded { offer_id, agent_id, reason };
    assert_eq!(story.decided(rescinded.clone(), at(1)).facts(), ["contact.rescinded"]);
    assert_eq!(story.status(), Some(Status::Closed));
    // Routing hears that nobody is needed; that it is for a merge is known here.
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    let into = Thread::from_key("17841400000000001:1").unwrap();
    story.wish("ben", DeskWish::Merge { into, confirmed: true }, at(1));
    let bodies = story.decided(rescinded, at(1)).bodies();
    let [FactBody::ContactRescinded { reason, .. }] = &bodies[..] else { panic!("{bodies:?}") };
    assert_eq!(*reason, Some(UnassignReason::CustomerConversationMerge));
}

// Holds: R-40
#[test]
fn answered_before_the_assignment_the_auto_end_counts_from_the_assignment() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    story.hear(&echo("e1", "app", at(1)));
    assert_eq!(story.timers(at(30)).facts(), Vec::<&str>::new(), "nobody has it");
    story.assigned("ana", at(31));
    assert_eq!(story.state.due_at(), Some(at(46)));
}

#[test]
fn a_repeated_event_changes_nothing() {
    let mut story = held();
    let before = story.state.clone();
    assert_eq!(story.hear(&text("m1", at(0))).exit, Exit::Skipped("duplicate"));
    assert_eq!(story.state, before);
    let unknown = SendOutcome::Unknown;
    let mut other = answered();
    let send = other.reply("ana", "again", at(3)).sends()[0].clone();
    other.outcome(&send, accepted("out2"), at(3));
    assert_eq!(other.outcome(&send, unknown, at(4)).exit, Exit::Skipped("stale"));
}

// Holds: R-121
#[test]
fn closed_and_back_within_the_limit_it_returns_to_the_same_agent() {
    let mut story = answered();
    story.wish("ana", close(false), at(5));
    let step = story.hear(&text("m2", at(17)));
    assert!(step.facts().contains(&"conversation.reopened"));
    let RoutingAsk::Assign { agent_id, reason, .. } = step.ask() else { panic!("not assigned") };
    assert_eq!((agent_id, reason), (agent("ana"), AssignReason::ContactInbound));
    assert_eq!(story.status(), Some(Status::New), "until routing says so");
}
