//! Replies, their outcomes and what they do to the clock: each test named after its rule.

use crate::conversation::rehearsed::{Story, accepted, agent, at, echo, failed, text};
use crate::domain::command::{DeskWish, Refusal};
use crate::domain::fact::{FactBody, Fulfilment, Initiator, Status};
use crate::domain::id::ClientMessageId;
use crate::domain::outbound::{SendOutcome, SendPart};
use crate::domain::routing::{AssignReason, RoutingAsk};
use crate::domain::settings::{AccountSettings, CompanySettings};
use crate::engine::stage::Exit;

const DAY: u64 = 24 * 60;

fn waiting() -> Story {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    story.assigned("ana", at(1));
    story
}

fn automatic(words: &str) -> DeskWish {
    DeskWish::Reply {
        client_message_id: ClientMessageId::parse(words).unwrap(),
        text: words.to_owned(),
        image_urls: Vec::new(),
        automatic: true,
        declared_bytes: 0,
    }
}

// Holds: R-17
#[test]
fn nobody_is_written_to_who_never_wrote() {
    let mut story = Story::new();
    assert_eq!(story.reply("ana", "hi", at(0)).refusal(), Some(Refusal::CannotInitiate));
    story.hear(&echo("e1", "from the app", at(1)));
    assert_eq!(story.reply("ana", "hi again", at(2)).refusal(), Some(Refusal::CannotInitiate));
}

// Holds
#[test]
fn a_reply_is_in_time_up_to_the_last_moment_of_the_window() {
    check(true, false, 7 * DAY, 0, None);
    check(true, false, 7 * DAY, 1, Some(Refusal::ReplyWindowExpired));
    check(false, false, DAY, 0, None);
    check(false, false, DAY, 1, Some(Refusal::ReplyWindowExpired));
    check(true, true, DAY, 0, None);
    check(true, true, DAY, 1, Some(Refusal::AutomationWindowExpired));

    #[track_caller]
    fn check(human_agent: bool, auto: bool, minutes: u64, late_ms: u64, expected: Option<Refusal>) {
        let account = AccountSettings { human_agent, ..AccountSettings::default() };
        let mut story = Story::with(account, CompanySettings::default());
        story.hear(&text("m1", at(0)));
        let when = at(minutes).plus_ms(late_ms);
        let step = if auto {
            story.wish("ana", automatic("hi"), when)
        } else {
            story.reply("ana", "hi", when)
        };
        assert_eq!(step.refusal(), expected);
        assert_eq!(step.sends().is_empty(), expected.is_some());
    }
}

// Holds
#[test]
fn a_send_says_how_long_it_may_be_tried_and_from_when_it_needs_a_tag() {
    let mut story = waiting();
    let send = story.reply("ana", "hi", at(2)).sends()[0].clone();
    assert_eq!(send.expires_at, at(7 * DAY));
    assert_eq!(send.tag_from_at, at(DAY).plus_ms(1));
    let send = story.wish("ana", automatic("auto"), at(2)).sends()[0].clone();
    assert_eq!((send.expires_at, send.automatic), (at(DAY), true));
}

// Holds
#[test]
fn a_reply_clears_at_send_and_fulfils_when_instagram_takes_it() {
    let mut story = waiting();
    let step = story.reply("ana", "hello", at(2));
    assert_eq!(step.facts(), ["message.queued", "sla.cleared"]);
    assert_eq!(story.due_at(), None);
    let step = story.outcome(&step.sends()[0], accepted("out1"), at(3));
    assert_eq!(step.facts(), ["message.sent", "contact.fulfilled"]);
    let expected = FactBody::ContactFulfilled {
        how: Fulfilment::Responded,
        fulfilled_at: at(2),
        due_at: Some(at(60)),
        due_at_before: None,
        business_ms: None,
    };
    assert_eq!(step.bodies()[1], expected);
    assert_eq!(step.whole_facts()[1].initiator, Initiator::Agent(agent("ana")));
}

// Holds: R-96
#[test]
fn a_reply_that_fails_brings_the_old_due_date_back_breached_if_past() {
    check(5, &["message.failed", "sla.reinstated"]);
    check(61, &["message.failed", "sla.reinstated", "sla.breached"]);

    #[track_caller]
    fn check(minutes: u64, facts: &[&str]) {
        let mut story = waiting();
        let send = story.reply("ana", "hello", at(2)).sends()[0].clone();
        assert_eq!(story.outcome(&send, failed(), at(minutes)).facts(), facts);
        assert_eq!(story.due_at(), Some(at(60)));
    }
}

// Holds: R-96
#[test]
fn while_another_reply_is_on_its_way_nothing_comes_back() {
    let mut story = waiting();
    let one = story.reply("ana", "one", at(2)).sends()[0].clone();
    let two = story.reply("ana", "two", at(3)).sends()[0].clone();
    assert_eq!(story.outcome(&one, failed(), at(4)).facts(), ["message.failed"]);
    assert_eq!(story.due_at(), None);
    let step = story.outcome(&two, accepted("out2"), at(4));
    assert_eq!(step.facts(), ["message.sent", "contact.fulfilled"]);
}

// Holds: R-96
#[test]
fn an_answer_on_its_way_when_the_contact_closes_still_fulfils_it() {
    let mut story = waiting();
    let send = story.reply("ana", "hello", at(2)).sends()[0].clone();
    let contact_id = story.wish("ana", DeskWish::Close { force: false }, at(3)).whole_facts()[0]
        .contact_id
        .clone();
    let step = story.outcome(&send, accepted("out1"), at(4));
    assert_eq!(step.facts(), ["message.sent", "contact.fulfilled"]);
    assert_eq!(step.whole_facts()[1].contact_id, contact_id);
}

// Holds: R-97
#[test]
fn a_reply_answers_what_was_written_before_it_and_comes_later() {
    let mut story = waiting();
    let send = story.reply("ana", "hello", at(10)).sends()[0].clone();
    story.apply(&super::decide::Input::Event(&text("m2", at(9))), at(11));
    assert_eq!(story.due_at(), None);
    story.outcome(&send, accepted("out1"), at(12));
    story.apply(&super::decide::Input::Event(&text("m3", at(10))), at(13));
    assert_eq!(story.due_at(), None);
    story.hear(&text("m4", at(14)));
    assert_eq!(story.due_at(), Some(at(74)));
}

// Holds: R-95
#[test]
fn an_automatic_reply_clears_nothing_and_assigns_nobody() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    let step = story.wish("rule", automatic("we are closed"), at(1));
    assert_eq!((step.facts(), step.asks()), (vec!["message.queued"], vec![]));
    story.outcome(&step.sends()[0], accepted("out1"), at(1));
    assert_eq!(story.due_at(), Some(at(60)));
    assert_eq!(step.whole_facts()[0].initiator, Initiator::System);
}

// Holds
#[test]
fn text_goes_first_then_the_images_as_one() {
    let mut story = waiting();
    let urls = vec!["https://cdn.example/a.png".to_owned(), "https://cdn.example/b.png".to_owned()];
    let wish = DeskWish::Reply {
        client_message_id: ClientMessageId::parse("c1").unwrap(),
        text: "look".into(),
        image_urls: urls.clone(),
        automatic: false,
        declared_bytes: 0,
    };
    let sends = story.wish("ana", wish, at(2)).sends();
    assert_eq!(sends[0].part, SendPart::Text { text: "look".into() });
    assert_eq!(sends[1].part, SendPart::Images { urls });
    assert_eq!(sends[0].item_id, sends[1].item_id);
    assert_ne!(sends[0].send_id, sends[1].send_id);
    // One part of two is enough for an answer.
    story.outcome(&sends[0], failed(), at(3));
    assert_eq!(story.due_at(), None);
    let step = story.outcome(&sends[1], accepted("out2"), at(3));
    assert_eq!(step.facts(), ["message.sent", "contact.fulfilled"]);
}

// Holds: R-142
#[test]
fn an_unknown_outcome_waits_for_its_echo_and_then_asks_the_agent() {
    let mut story = waiting();
    let send = story.reply("ana", "hello", at(2)).sends()[0].clone();
    assert_eq!(story.outcome(&send, SendOutcome::Unknown, at(3)).facts(), Vec::<&str>::new());
    assert_eq!(story.timers(at(4)).facts(), Vec::<&str>::new());
    assert_eq!(story.timers(at(4).plus_ms(1)).facts(), ["message.unknown", "sla.reinstated"]);
    let step = story.hear(&echo("out1", "hello", at(5)));
    assert_eq!(step.facts(), ["message.sent", "sla.cleared", "contact.fulfilled"]);
    assert_eq!(step.whole_facts()[0].initiator, Initiator::Agent(agent("ana")));
}

// Holds: R-144
#[test]
fn a_reply_to_an_unassigned_conversation_asks_for_it_and_to_anothers_does_not() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    let step = story.reply("ana", "hello", at(1));
    let assign = step.requests().into_iter().find_map(|request| match request.ask {
        RoutingAsk::Assign { agent_id, reason, .. } => Some((agent_id, reason)),
        RoutingAsk::Enqueue { .. } | RoutingAsk::Update { .. } | RoutingAsk::Withdraw => None,
    });
    assert_eq!(assign, Some((agent("ana"), AssignReason::MessageOutbound)));
    let mut story = waiting();
    let step = story.reply("ben", "hello", at(2));
    assert_eq!((step.asks(), story.status()), (vec!["update"], Some(Status::Open)));
    assert_eq!(step.snapshot().agent_id, Some(agent("ana")));
}

// Holds: R-145
#[test]
fn the_same_client_message_id_sends_once() {
    let mut story = waiting();
    assert_eq!(story.reply("ana", "hello", at(2)).sends().len(), 1);
    let again = story.reply("ana", "hello", at(3));
    assert_eq!((again.refusal(), again.sends().len()), (None, 0));
}

// Holds: R-5
#[test]
fn a_refused_reply_changes_nothing_and_can_be_sent_again() {
    let mut story = waiting();
    let before = story.state.clone();
    let step = story.reply("ana", &"x".repeat(90), at(7 * DAY + 1));
    assert_eq!((step.refusal(), step.exit), (Some(Refusal::ReplyWindowExpired), Exit::Emitted));
    assert_eq!(story.state.sends, before.sends);
    assert_eq!(story.state.ledger, before.ledger);
}

#[test]
fn what_waits_for_an_outcome_is_bounded_and_what_the_agent_was_asked_about_makes_room() {
    let mut story = waiting();
    for n in 0..64 {
        let send = story.reply("ana", &format!("text {n}"), at(2)).sends()[0].clone();
        if n == 0 {
            story.outcome(&send, SendOutcome::Unknown, at(2));
        }
    }
    assert_eq!(story.reply("ana", "too much", at(2)).refusal(), Some(Refusal::Overloaded));
    story.timers(at(4));
    assert_eq!(story.reply("ana", "fits again", at(5)).refusal(), None);
    assert_eq!(story.state.sends.len(), 64);
}
