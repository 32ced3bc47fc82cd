//! Stories, changes of messages, hearts, reads: each test named after its rule.

use crate::conversation::decide::Input;
use crate::conversation::rehearsed::{
    Step, Story, answered, at, delete, echo, edit, event, failed, held, mention, mid, react, text,
};
use crate::domain::command::{DeskWish, Refusal};
use crate::domain::event::EventKind;
use crate::domain::fact::FactBody;
use crate::domain::outbound::SendPart;
use crate::domain::settings::{AccountSettings, CompanySettings, StoryMentions};
use crate::engine::stage::Exit;

const DAY: u64 = 24 * 60;

// Holds
#[test]
fn a_mention_expires_24_hours_after_it() {
    let mut story = Story::new();
    let step = story.hear(&mention("s1", at(0)));
    assert_eq!(step.snapshot().preview, "Story mention");
    let over = at(DAY);
    let gone = |step: &Step| step.facts().contains(&"story.expired");
    assert!(!gone(&story.timers(over.minus_ms(1))));
    assert!(gone(&story.timers(over)), "expired from that instant on");
}

// Holds: R-49
#[test]
fn a_mention_that_comes_expired_still_routes_and_says_so() {
    let mut story = Story::new();
    let late = mention("s1", at(0));
    let step = story.apply(&Input::Event(&late), at(DAY));
    assert!(step.facts().contains(&"story.expired"));
    assert_eq!(step.asks(), ["enqueue"]);
    let like = DeskWish::Like { mid: mid("s1") };
    assert_eq!(story.wish("ana", like, at(DAY)).refusal(), Some(Refusal::TargetUnavailable));
}

// Holds: R-57
#[test]
fn a_mention_can_be_stored_only_or_ignored() {
    check(StoryMentions::TimelineOnly, Exit::Emitted, &["customer.created", "message.received"]);
    check(StoryMentions::Ignore, Exit::Skipped("ignored"), &[]);

    #[track_caller]
    fn check(story_mentions: StoryMentions, exit: Exit, facts: &[&str]) {
        let account = AccountSettings { story_mentions, ..AccountSettings::default() };
        let mut story = Story::with(account, CompanySettings::default());
        let step = story.hear(&mention("s1", at(0)));
        assert_eq!((step.exit, step.facts()), (exit, facts.to_vec()));
        assert_eq!(story.state.conversation, None);
    }
}

// Holds
#[test]
fn a_deleted_message_loses_its_text_and_nothing_else() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    let step = story.hear(&delete("m1", at(1)));
    assert_eq!(step.facts(), ["message.deleted"]);
    assert_eq!(step.snapshot().preview, "Message was deleted");
    assert_eq!(story.due_at(), Some(at(60)));
    assert_eq!(story.hear(&edit("m1", 1, at(2))).exit, Exit::Skipped("deleted"), "R-63");
}

// Holds: R-60
#[test]
fn a_message_deleted_before_it_came_arrives_deleted_and_still_routes() {
    let mut story = Story::new();
    story.hear(&delete("m1", at(1)));
    let step = story.apply(&Input::Event(&text("m1", at(0))), at(2));
    let FactBody::MessageReceived(item) = &step.bodies()[3] else { panic!("not received") };
    assert_eq!((item.deleted, item.text.as_deref()), (true, None));
    assert_eq!(step.asks(), ["enqueue"]);
}

// Holds: R-62
#[test]
fn the_highest_edit_wins() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    assert_eq!(story.hear(&edit("m1", 2, at(2))).snapshot().preview, "m1 edit 2");
    assert_eq!(story.hear(&edit("m1", 1, at(3))).exit, Exit::Skipped("stale"));
    assert_eq!(story.state.preview.text, "m1 edit 2");
}

// Holds
#[test]
fn the_newest_reaction_by_time_stands() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    assert_eq!(story.hear(&react("m1", at(3), false)).facts(), ["reaction.added"]);
    assert_eq!(story.hear(&react("m1", at(2), true)).exit, Exit::Skipped("stale"));
    assert_eq!(story.hear(&react("m1", at(4), true)).facts(), ["reaction.removed"]);
    assert_eq!(story.due_at(), Some(at(60)), "R-67");
}

// Holds
#[test]
fn a_heart_goes_out_once_and_is_taken_back_when_refused() {
    let mut story = held();
    let like = || DeskWish::Like { mid: mid("m1") };
    let step = story.wish("ana", like(), at(2));
    assert_eq!(step.facts(), ["message.liked"]);
    assert_eq!(step.sends()[0].part, SendPart::React { mid: mid("m1") });
    assert_eq!(story.due_at(), Some(at(60)), "R-71");
    let again = story.wish("ana", like(), at(3));
    assert_eq!((again.refusal(), again.sends()), (None, vec![]));
    let refused = story.outcome(&step.sends()[0], failed(), at(4));
    assert_eq!(refused.bodies(), [FactBody::MessageUnliked { mid: mid("m1"), rejected: true }]);
    let unlike = story.wish("ana", DeskWish::Unlike { mid: mid("m1") }, at(5));
    assert_eq!((unlike.refusal(), unlike.sends()), (None, vec![]), "nothing to take off");
}

// Holds
#[test]
fn only_what_the_customer_wrote_and_is_there_takes_a_heart() {
    let mut story = answered();
    let like = |name: &str| DeskWish::Like { mid: mid(name) };
    assert_eq!(story.wish("ana", like("out1"), at(3)).refusal(), Some(Refusal::NotLikeable));
    assert_eq!(story.wish("ana", like("m7"), at(3)).refusal(), Some(Refusal::TargetUnavailable));
    story.hear(&delete("m1", at(4)));
    assert_eq!(story.wish("ana", like("m1"), at(5)).refusal(), Some(Refusal::TargetUnavailable));
}

// Holds
#[test]
fn the_read_mark_only_grows_and_waits_for_its_message() {
    let mut story = answered();
    let read = |name: &str, when| event(EventKind::MessageRead { watermark_at: None }, name, when);
    assert_eq!(story.hear(&read("out1", at(3))).facts(), ["message.read"]);
    assert_eq!(story.state.read_up_to_at, Some(at(2)));
    assert_eq!(story.hear(&read("m1", at(4))).facts(), Vec::<&str>::new(), "older");
    assert_eq!(story.hear(&read("e1", at(6))).facts(), Vec::<&str>::new(), "not known yet");
    story.apply(&Input::Event(&echo("e1", "in the app", at(5))), at(7));
    assert_eq!(story.state.read_up_to_at, Some(at(5)));
}
