//! The answer's due date to the millisecond: each test names its rules.

use crate::conversation::decide::Input;
use crate::conversation::rehearsed::{
    Story, accepted, agent, answered, at, body, echo, event, failed, held, mention, mid, text,
};
use crate::domain::command::DeskWish;
use crate::domain::event::{ContentKind, EventKind};
use crate::domain::fact::{FactBody, Fulfilment};
use crate::domain::outbound::SendOutcome;
use crate::domain::routing::RoutingVerdict;
use crate::domain::settings::{AccountSettings, CompanySettings};
use crate::domain::time::MINUTE_MS;

const DAY: u64 = 24 * 60;

// Holds
#[test]
fn an_answer_at_the_due_date_is_in_time_and_a_millisecond_later_it_is_breached_once() {
    check(0, &["message.queued", "sla.cleared"]);
    check(1, &["sla.due_soon", "sla.breached", "message.queued", "sla.cleared"]);

    #[track_caller]
    fn check(late_ms: u64, facts: &[&str]) {
        let mut story = held();
        let soon = if late_ms == 0 { story.timers(at(60)).facts() } else { Vec::new() };
        assert!(soon.is_empty() || soon == ["sla.due_soon"]);
        assert_eq!(story.reply("ana", "hello", at(60).plus_ms(late_ms)).facts(), facts);
        assert!(!story.timers(at(90)).facts().contains(&"sla.breached"), "once");
    }
}

// Holds: R-99
#[test]
fn near_is_said_a_quarter_before_the_end_and_never_when_it_is_too_late_already() {
    let mut story = held();
    assert_eq!(story.timers(at(45)).facts(), Vec::<&str>::new());
    assert_eq!(story.timers(at(45).plus_ms(1)).facts(), ["sla.due_soon"]);
    let mut late = Story::new();
    late.apply(&Input::Event(&text("m1", at(0))), at(61));
    assert_eq!(late.timers(at(61)).facts(), ["sla.breached"]);
    let half = CompanySettings { sla_due_soon_permille: 500, ..CompanySettings::default() };
    let mut story = Story::with(AccountSettings::default(), half);
    story.hear(&text("m1", at(0)));
    assert_eq!(story.timers(at(30).plus_ms(1)).facts(), ["sla.due_soon"]);
}

// Holds
#[test]
fn the_clock_is_cleared_by_a_reply_an_echo_no_reply_needed_and_a_close() {
    let reply = |story: &mut Story| story.reply("ana", "hello", at(5));
    let echo = |story: &mut Story| story.hear(&echo("e1", "app", at(5)));
    let none =
        |story: &mut Story| story.wish("ana", DeskWish::NoReplyNeeded { mid: mid("m1") }, at(5));
    let close = |story: &mut Story| story.wish("ana", DeskWish::Close { force: true }, at(5));
    let ways: [&dyn Fn(&mut Story) -> crate::conversation::rehearsed::Step; 4] =
        [&reply, &echo, &none, &close];
    for way in ways {
        let mut story = held();
        assert!(way(&mut story).facts().contains(&"sla.cleared"));
        assert_eq!(story.due_at(), None);
    }
}

// Holds
#[test]
fn the_clock_is_not_cleared_by_a_heart_a_note_a_failed_send_or_an_offer() {
    let mut story = held();
    story.wish("ana", DeskWish::Like { mid: mid("m1") }, at(2));
    story.wish("ana", DeskWish::AddNote { text: "vip".to_owned() }, at(3));
    story.decided(
        RoutingVerdict::Unassigned { agent_id: agent("ana"), reason: Default::default() },
        at(4),
    );
    let send = story.reply("ana", "hello", at(5)).sends()[0].clone();
    story.outcome(&send, failed(), at(6));
    assert_eq!(story.due_at(), Some(at(60)));
}

// Holds
#[test]
fn a_due_date_is_the_first_unanswered_items_time_plus_the_target_on_any_day_of_the_week() {
    let company = CompanySettings { inbox_sla_ms: 3 * DAY * MINUTE_MS, ..Default::default() };
    let mut story = Story::with(AccountSettings::default(), company);
    let step = story.hear(&mention("s1", at(0)));
    assert_eq!(step.snapshot().due_at, Some(at(3 * DAY)), "the conversation's");
    assert!(step.bodies().contains(&FactBody::SlaStarted { due_at: at(3 * DAY) }));
    let step = story.hear(&echo("e1", "app", at(10)));
    let fulfilled = FactBody::ContactFulfilled {
        how: Fulfilment::Responded,
        fulfilled_at: at(10),
        due_at: Some(at(3 * DAY)),
        due_at_before: None,
        business_ms: None,
    };
    assert!(step.bodies().contains(&fulfilled), "the contact's, for reports");
}

// Holds
#[test]
fn the_target_is_that_of_the_items_time() {
    let mut story = Story::new();
    let id = AccountSettings::default().company_id;
    for (from, minutes) in [(0, 10), (100, 20)] {
        let inbox_sla_ms = minutes * MINUTE_MS;
        let company = CompanySettings { inbox_sla_ms, ..CompanySettings::default() };
        story.settings.set_company(id.clone(), at(from), company);
    }
    story.apply(&Input::Event(&text("m1", at(99))), at(101));
    assert_eq!(story.due_at(), Some(at(109)));
}

// Holds: R-102
#[test]
fn nothing_fires_for_a_closed_conversation_but_what_belongs_to_the_thread() {
    let mut story = held();
    story.wish("ana", DeskWish::Close { force: true }, at(1));
    assert_eq!(story.timers(at(8 * DAY)).facts(), ["reply_window.expired"]);
}

// Holds: R-89
#[test]
fn a_short_window_warns_a_quarter_before_its_end() {
    let account = AccountSettings { human_agent: false, ..AccountSettings::default() };
    let mut story = Story::with(account, CompanySettings::default());
    story.hear(&text("m1", at(0)));
    story.hear(&echo("e1", "app", at(1)));
    let warned = at(18 * 60);
    assert_eq!(story.timers(warned).facts(), Vec::<&str>::new());
    assert_eq!(story.timers(warned.plus_ms(1)).facts(), ["reply_window.expiring"]);
    assert_eq!(story.timers(at(DAY).plus_ms(1)).facts(), ["reply_window.expired"]);
    story.hear(&text("m2", at(DAY + 5)));
    assert_eq!(story.state.window.unwrap().expires_at, at(2 * DAY + 5), "and opens again");
}

// Holds: R-96
#[test]
fn the_due_date_returns_only_when_no_part_went_out_and_an_echo_settles_what_is_unknown() {
    let mut story = held();
    let one = story.reply("ana", "one", at(2)).sends()[0].clone();
    let two = story.reply("ana", "two", at(3)).sends()[0].clone();
    story.outcome(&one, failed(), at(4));
    assert_eq!(story.due_at(), None, "two is on its way");
    let step = story.outcome(&two, failed(), at(5));
    assert_eq!(step.facts(), ["message.failed", "sla.reinstated"]);
    assert_eq!(story.due_at(), Some(at(60)));
    let three = story.reply("ana", "three", at(6)).sends()[0].clone();
    story.outcome(&three, SendOutcome::Unknown, at(7));
    let step = story.hear(&echo("out3", "three", at(7)));
    assert_eq!(step.facts(), ["message.sent", "contact.fulfilled"]);
}

// Holds: R-155
#[test]
fn what_became_of_a_send_is_told_of_the_contact_it_was_sent_in() {
    let mut story = held();
    let step = story.reply("ana", "hello", at(2));
    let (send, contact) = (step.sends()[0].clone(), step.whole_facts()[0].contact_id.clone());
    story.wish("ana", DeskWish::Close { force: true }, at(3));
    story.hear(&text("m2", at(4)));
    assert_eq!(story.state.contacts, 2);
    let step = story.outcome(&send, accepted("out1"), at(5));
    let facts = step.whole_facts();
    assert_eq!(facts[0].body.name(), "message.sent");
    assert_eq!(facts[0].contact_id, contact);
    assert!(contact.is_some());
}

// Holds
#[test]
fn the_auto_end_counts_from_the_newest_answer_and_a_heart_or_rule_does_not_move_it() {
    let mut story = answered();
    let send = story.reply("ana", "anything else?", at(10)).sends()[0].clone();
    story.outcome(&send, accepted("out2"), at(10));
    let ends_at = |story: &Story| {
        let contact = story.state.conversation.as_ref().and_then(|c| c.contact());
        contact.and_then(|contact| contact.auto_end_at)
    };
    assert_eq!(ends_at(&story), Some(at(25)));
    story.wish("ana", DeskWish::Like { mid: mid("m1") }, at(12));
    let heart = EventKind::MessageRead { watermark_at: Some(at(12)) };
    story.hear(&event(heart, "out2", at(12)));
    assert_eq!(ends_at(&story), Some(at(25)));
    let said = body(ContentKind::Text, Some("yes"));
    story.hear(&event(EventKind::MessageReceived(said), "m2", at(13)));
    assert_eq!(ends_at(&story), None);
}
