//! What agents note of a customer: each test names its rules.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one of many")]

use crate::conversation::decide::Effect;
use crate::conversation::rehearsed::{Step, Story, at, held};
use crate::conversation::state::ThreadState;
use crate::domain::command::{DeskWish, Refusal};
use crate::domain::details::{DetailEdit, Details};
use crate::domain::fact::FactBody;
use crate::engine::stage::Row;

fn phone(to: &str) -> DetailEdit {
    DetailEdit::Phone { to: Some(to.to_owned()) }
}

fn edit(story: &mut Story, edits: Vec<DetailEdit>, minute: u64) -> Step {
    story.wish("ana", DeskWish::EditDetails { edits }, at(minute))
}

/// What `customers` is told; the inner `None` is a tombstone.
fn published(step: &Step) -> Option<Option<Details>> {
    step.effects.iter().find_map(|effect| match effect {
        Effect::Details(_, noted) => Some(noted.as_ref().map(|noted| noted.details.clone())),
        _ => None,
    })
}

// Holds
#[test]
fn what_agents_note_is_kept_published_and_named_in_a_fact_that_does_not_say_it() {
    let mut story = held();
    let edits = vec![
        phone("+4930123456"),
        DetailEdit::Username { to: Some("marie.b".to_owned()) },
        DetailEdit::Named { name: "shoe size".to_owned(), to: Some("38".to_owned()) },
    ];
    let step = edit(&mut story, edits, 2);
    let fields = ["phone", "username", "named"].map(str::to_owned).to_vec();
    assert_eq!(step.bodies(), [FactBody::CustomerUpdated { fields }]);
    let told = serde_json::to_string(&step.whole_facts()).unwrap();
    assert!(!told.contains("4930123456") && !told.contains("marie"), "{told}");
    let details = published(&step).unwrap().unwrap();
    assert_eq!(details.phone.as_deref(), Some("+4930123456"));
    assert_eq!(details.username.as_deref(), Some("marie.b"));
    // It survives a restart.
    let mut bytes = Vec::new();
    story.state.encode(&mut bytes);
    assert_eq!(ThreadState::decode(&bytes).unwrap().more.details, details);
    // The same again is news to nobody.
    let step = edit(&mut story, vec![phone("+4930123456")], 3);
    assert_eq!((step.facts(), published(&step), step.refusal()), (vec![], None, None));
    // Taken away again, one by one.
    edit(&mut story, vec![DetailEdit::Phone { to: None }], 4);
    let rest = vec![
        DetailEdit::Username { to: None },
        DetailEdit::Named { name: "shoe size".to_owned(), to: None },
    ];
    let step = edit(&mut story, rest, 5);
    assert_eq!(published(&step), Some(None), "nothing is left: a tombstone");
}

// Holds
#[test]
fn erasing_takes_what_was_noted_out_of_the_state_and_the_topic() {
    let mut story = held();
    edit(&mut story, vec![phone("+4930123456")], 2);
    let step = story.wish("ana", DeskWish::Erase, at(3));
    assert_eq!(published(&step), Some(None));
    let mut bytes = Vec::new();
    story.state.encode(&mut bytes);
    let kept = String::from_utf8_lossy(&bytes).into_owned();
    assert!(!kept.contains("4930123456"));
}

// Holds
#[test]
fn of_somebody_who_never_wrote_nothing_is_noted() {
    let mut story = Story::new();
    let step = edit(&mut story, vec![phone("+4930123456")], 2);
    assert_eq!(step.refusal(), Some(Refusal::ConversationNotFound));
    assert_eq!(published(&step), None);
    assert!(story.state.more.details.is_empty());
}
