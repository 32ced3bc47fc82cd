//! What administrators may choose about windows, steps and the end of contacts: each test names its rules.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::conversation::decide::Input;
use crate::conversation::rehearsed::{Story, accepted, answered, at, by_ad, echo, mention, text};
use crate::domain::command::{DeskWish, Refusal};
use crate::domain::event::Event;
use crate::domain::fact::{FactBody, Status, WindowReason};
use crate::domain::hours::{BusinessHours, Day, OpenSpan};
use crate::domain::id::ClientMessageId;
use crate::domain::settings::{AccountSettings, AutoEndBase, CompanySettings, WindowOpener};
use crate::domain::time::{DAY_MS, MINUTE_MS};

const DAY: u64 = 24 * 60;

fn company(change: impl FnOnce(&mut CompanySettings)) -> Story {
    let mut company = CompanySettings::default();
    change(&mut company);
    Story::with(AccountSettings::default(), company)
}

fn account(change: impl FnOnce(&mut AccountSettings)) -> Story {
    let mut account = AccountSettings::default();
    change(&mut account);
    Story::with(account, CompanySettings::default())
}

/// A message of somebody an ad brought here.
fn reply(name: &str, automatic: bool) -> DeskWish {
    DeskWish::Reply {
        client_message_id: ClientMessageId::parse(name).unwrap(),
        text: name.to_owned(),
        image_urls: Vec::new(),
        automatic,
        declared_bytes: 0,
    }
}

// Holds: R-40
#[test]
fn the_auto_end_counts_from_the_newest_answer_or_from_the_first_since_the_customer_wrote() {
    check(AutoEndBase::LastOutbound, 25);
    check(AutoEndBase::FirstOutboundSinceInbound, 20);

    #[track_caller]
    fn check(base: AutoEndBase, ends_at: u64) {
        let mut story = company(|to| to.auto_end_base = base);
        story.hear(&text("m1", at(0)));
        story.assigned("ana", at(1));
        for (name, minute) in [("one", 2), ("two", 4)] {
            let send = story.reply("ana", name, at(minute)).sends()[0].clone();
            story.outcome(&send, accepted(name), at(minute));
        }
        // What the customer writes in between begins the count anew.
        story.hear(&text("m2", at(4).plus_ms(1)));
        story.hear(&echo("e1", "first", at(5)));
        story.hear(&echo("e2", "second", at(10)));
        assert_eq!(story.timers(at(ends_at)).facts(), Vec::<&str>::new());
        let step = story.timers(at(ends_at).plus_ms(1));
        assert_eq!(step.facts(), ["contact.ended"], "{base:?}");
    }
}

// Holds
#[test]
fn an_item_that_comes_late_between_two_answers_leaves_the_second_as_the_first_since_it() {
    let mut story = company(|to| to.auto_end_base = AutoEndBase::FirstOutboundSinceInbound);
    story.hear(&text("m1", at(0)));
    story.assigned("ana", at(1));
    story.hear(&echo("e1", "first", at(5)));
    story.hear(&echo("e2", "second", at(10)));
    story.apply(&Input::Event(&text("m2", at(7))), at(11));
    assert_eq!(story.timers(at(25)).facts(), Vec::<&str>::new());
    assert_eq!(story.timers(at(25).plus_ms(1)).facts(), ["contact.ended"]);
}

// Holds
#[test]
fn a_running_auto_end_follows_the_base_when_it_changes() {
    let mut story = company(|_| ());
    story.hear(&text("m1", at(0)));
    story.assigned("ana", at(1));
    story.hear(&echo("e1", "first", at(2)));
    story.hear(&echo("e2", "second", at(10)));
    let first = CompanySettings {
        auto_end_base: AutoEndBase::FirstOutboundSinceInbound,
        ..CompanySettings::default()
    };
    let company_id = AccountSettings::default().company_id;
    story.settings.set_company(company_id.clone(), at(0), CompanySettings::default());
    story.settings.set_company(company_id, at(12), first);
    story.wish("ana", DeskWish::AddNote { text: "x".to_owned() }, at(13));
    assert_eq!(story.timers(at(17).plus_ms(1)).facts(), ["contact.ended"]);
}

// Holds
#[test]
fn the_echo_switch_counts_from_its_moment_by_the_echos_own_time() {
    let mut story = Story::new();
    story.hear(&text("m1", at(0)));
    let account_id = crate::conversation::rehearsed::thread().account_id;
    let off = AccountSettings { echo: false, ..AccountSettings::default() };
    story.settings.set_account(account_id.clone(), at(0), AccountSettings::default());
    story.settings.set_account(account_id, at(10), off);
    // Both arrive after the switch.
    let step = story.apply(&Input::Event(&echo("late", "written after", at(10))), at(20));
    assert_eq!((step.facts(), story.due_at()), (vec![], Some(at(60))));
    let step = story.apply(&Input::Event(&echo("early", "written before", at(9))), at(21));
    assert!(step.facts().contains(&"message.sent"), "{:?}", step.facts());
    assert_eq!(story.due_at(), None);
}

// Holds: R-85
#[test]
fn only_what_the_account_names_opens_the_window() {
    let mut story = account(|to| to.window_openers = BTreeSet::from([WindowOpener::StoryMention]));
    story.hear(&text("m1", at(0)));
    assert_eq!(story.state.window, None);
    assert_eq!(story.reply("ana", "hi", at(1)).refusal(), Some(Refusal::ReplyWindowExpired));
    let step = story.hear(&mention("s1", at(5)));
    assert_eq!(story.state.window.unwrap().opened_at, at(5));
    assert_eq!(step.snapshot().reply_window_opened_by, Some(WindowReason::StoryMention));
    story.hear(&text("m2", at(6)));
    assert_eq!(story.state.window.unwrap().opened_at, at(5));
    assert_eq!(story.reply("ana", "hi again", at(7)).refusal(), None);
}

// Holds
#[test]
fn a_window_that_an_ad_opened_is_as_long_as_the_account_says_and_says_so() {
    let mut story = account(|to| {
        to.human_agent = false;
        to.ad_window_ms = 3 * DAY_MS;
    });
    let step = story.hear(&by_ad("m1", 0));
    let shown = step.snapshot();
    assert_eq!(shown.reply_window_expires_at, Some(at(3 * DAY)));
    assert_eq!(shown.reply_window_opened_by, Some(WindowReason::Ad));
    story.assigned("ana", at(1));
    let step = story.wish("ana", reply("by a rule", true), at(3 * DAY));
    assert_eq!(step.refusal(), None, "no tag is needed while an ad keeps it open");
    assert_eq!(step.sends()[0].tag_from_at, at(3 * DAY).plus_ms(1));
    let step = story.wish("ana", reply("late", false), at(3 * DAY).plus_ms(1));
    assert_eq!(step.refusal(), Some(Refusal::ReplyWindowExpired));
    let expired = story.timers(at(4 * DAY)).bodies();
    let opened_by = Some(WindowReason::Ad);
    let expired_at = at(3 * DAY);
    // It was told with the reply that came too late.
    assert!(
        expired.is_empty()
            && step
                .bodies()
                .contains(&FactBody::ReplyWindowExpired { expires_at: expired_at, opened_by })
    );
    // A later message does not shorten it, one without an ad goes by the account's own.
    let mut story = account(|to| {
        to.human_agent = false;
        to.ad_window_ms = 3 * DAY_MS;
    });
    story.hear(&by_ad("m1", 0));
    let step = story.hear(&text("m2", at(DAY)));
    assert_eq!(step.snapshot().reply_window_expires_at, Some(at(3 * DAY)));
    let step = story.hear(&text("m3", at(2 * DAY + 1)));
    assert_eq!(step.snapshot().reply_window_expires_at, Some(at(3 * DAY + 1)));
    assert_eq!(step.snapshot().reply_window_opened_by, Some(WindowReason::Message));
}

// Holds: R-88
#[test]
fn by_default_an_ad_changes_nothing() {
    let mut story = Story::new();
    let step = story.hear(&by_ad("m1", 0));
    assert_eq!(step.snapshot().reply_window_expires_at, Some(at(7 * DAY)));
    assert_eq!(step.snapshot().reply_window_opened_by, Some(WindowReason::Message));
}

// Holds
#[test]
fn behind_the_due_date_every_step_is_told_once_and_exactly() {
    let mut story = company(|to| to.sla_overdue_steps_ms = vec![10 * MINUTE_MS, 30 * MINUTE_MS]);
    story.hear(&text("m1", at(0)));
    let breach = |by_ms| FactBody::SlaBreached { due_at: at(60), by_ms };
    story.timers(at(60));
    assert_eq!(story.timers(at(60).plus_ms(1)).bodies(), [breach(None)]);
    assert_eq!(story.timers(at(70)).bodies(), []);
    assert_eq!(story.timers(at(70).plus_ms(1)).bodies(), [breach(Some(10 * MINUTE_MS))]);
    assert_eq!(story.timers(at(90).plus_ms(1)).bodies(), [breach(Some(30 * MINUTE_MS))]);
    assert_eq!(story.timers(at(DAY)).bodies(), [], "each once");
    // All late at once, in their order and at their own times.
    let mut story = company(|to| to.sla_overdue_steps_ms = vec![10 * MINUTE_MS, 30 * MINUTE_MS]);
    story.hear(&text("m1", at(0)));
    let told: Vec<_> = story.timers(at(100)).whole_facts();
    let told: Vec<_> = told.into_iter().map(|fact| (fact.occurred_at, fact.body)).collect();
    let expected = [
        (at(45), FactBody::SlaDueSoon { due_at: at(60) }),
        (at(60), breach(None)),
        (at(70), breach(Some(10 * MINUTE_MS))),
        (at(90), breach(Some(30 * MINUTE_MS))),
    ];
    assert_eq!(told, expected);
}

// Holds
#[test]
fn an_answer_ends_the_steps_and_one_that_failed_lets_them_go_on_without_repeating() {
    let mut story = company(|to| to.sla_overdue_steps_ms = vec![10 * MINUTE_MS, 30 * MINUTE_MS]);
    story.hear(&text("m1", at(0)));
    story.assigned("ana", at(1));
    story.timers(at(71));
    let send = story.reply("ana", "hello", at(72)).sends()[0].clone();
    assert_eq!(story.timers(at(100)).facts(), Vec::<&str>::new(), "answered for now");
    // The steps in force when the wait began count on, whatever is set meanwhile.
    let company_id = AccountSettings::default().company_id;
    let before = story.settings.company_at(&company_id, at(0)).clone();
    story.settings.set_company(company_id.clone(), at(0), before);
    story.settings.set_company(company_id, at(99), CompanySettings::default());
    let step = story.outcome(&send, crate::conversation::rehearsed::failed(), at(101));
    let expected = FactBody::SlaBreached { due_at: at(60), by_ms: Some(30 * MINUTE_MS) };
    assert!(step.bodies().contains(&expected), "{:?}", step.bodies());
    assert_eq!(step.facts().iter().filter(|name| **name == "sla.breached").count(), 1);
}

// Holds: R-101
#[test]
fn business_time_is_reported_beside_a_clock_that_runs_on() {
    let hours = BusinessHours {
        time_zone: "UTC".to_owned(),
        open: vec![OpenSpan { day: Day::Tuesday, from_minute: 22 * 60 + 20, to_minute: 1440 }],
    };
    // The story begins on a Tuesday at 22:13:20.
    let mut story = company(|to| to.business_hours = Some(hours));
    story.hear(&text("m1", at(0)));
    assert_eq!(story.due_at(), Some(at(60)), "a plain clock");
    let step = story.hear(&echo("e1", "app", at(30)));
    let fulfilled = serde_json::to_value(step.bodies().last().unwrap()).unwrap();
    assert_eq!(fulfilled["type"], "contact.fulfilled");
    // 6 min 40 s were before the doors opened.
    assert_eq!(fulfilled["business_ms"], 30 * MINUTE_MS - 400_000);
    let ended = story.wish("ana", DeskWish::Close { force: false }, at(40));
    let ended = serde_json::to_value(&ended.bodies()[0]).unwrap();
    assert_eq!(
        (&ended["type"], &ended["business_ms"]),
        (&"contact.ended".into(), &(40 * MINUTE_MS - 400_000).into())
    );
    let step = answered().wish("ana", DeskWish::Close { force: false }, at(40));
    let plain = serde_json::to_value(&step.bodies()[0]).unwrap();
    assert!(plain.get("business_ms").is_none(), "nobody said when it is open");
    assert_eq!(story.status(), Some(Status::Closed));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // Holds
    #[test]
    fn the_window_is_the_same_in_whatever_order_its_openers_come(
        openers in proptest::collection::vec((0_u64..6 * DAY, any::<bool>()), 1..8),
        seed in any::<u64>(),
    ) {
        let events: Vec<Event> = openers
            .iter()
            .enumerate()
            .map(|(n, (minute, ad))| {
                let name = format!("m{n}");
                if *ad { by_ad(&name, *minute) } else { text(&name, at(*minute)) }
            })
            .collect();
        let mut shuffled: Vec<&Event> = events.iter().collect();
        shuffled.sort_by_key(|event| {
            crate::domain::derive::digest(&[event.event_id.as_str(), &seed.to_string()])
        });
        let window = |events: Vec<&Event>| {
            let mut story = account(|to| {
                to.human_agent = false;
                to.ad_window_ms = 2 * DAY_MS;
            });
            for event in events {
                story.apply(&Input::Event(event), at(6 * DAY));
            }
            story.timers(at(30 * DAY));
            (story.state.window, story.state.more.ad_until)
        };
        prop_assert_eq!(window(shuffled), window(events.iter().collect()));
    }
}
