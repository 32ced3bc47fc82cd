//! A person's content leaves: each test names its rules.

use crate::conversation::rehearsed::{at, body, event, text};
use crate::conversation::threads_rehearsed::two;
use crate::domain::command::DeskWish;
use crate::domain::event::{ContentKind, EventKind};
use crate::domain::fact::{EndReason, FactBody};

// Holds
#[test]
fn erasing_ends_the_contact_and_leaves_nothing_that_was_said() {
    let mut threads = two();
    let secret = body(ContentKind::Text, Some("my number is 12345"));
    threads.hear("a", &event(EventKind::MessageReceived(secret), "a2", at(2)));
    let edit = EventKind::MessageEdited { text: "never mind 12345".to_owned(), num_edit: 1 };
    threads.hear("a", &event(edit, "a9", at(3)));
    threads.told();
    assert_eq!(threads.wish("a", DeskWish::Erase, at(6)), None);
    let ended = threads.facts.iter().any(|fact| {
        matches!(fact.body, FactBody::ContactEnded { reason: EndReason::CustomerDeleted, .. })
    });
    assert!(ended);
    let last = threads.facts.last().unwrap().clone();
    assert_eq!(last.body, FactBody::CustomerDeleted { items: 2 });
    let state = format!("{:?}", threads.state("a"));
    for said in ["12345", "a1", "a9", "says"] {
        assert!(!state.contains(said), "{said} is still in {state}");
    }
    // Ids and facts go on, and what was applied is not applied again.
    assert_eq!(threads.state("a").facts, last.number);
    threads.told();
    threads.hear("a", &text("a1", at(0)));
    assert_eq!(threads.told(), vec![]);
    threads.hear("a", &text("a3", at(7)));
    assert_eq!(threads.counts("a"), (2, 2));
    assert_eq!(threads.told()[0], ("a".to_owned(), "customer.created"));
}

// Holds: R-154
#[test]
fn erasing_a_merged_person_takes_their_items_out_of_the_home() {
    let mut threads = two();
    threads.merge("a", "b", at(6));
    threads.hear("a", &text("a2", at(7)));
    threads.told();
    assert_eq!(threads.wish("a", DeskWish::Erase, at(8)), None);
    let told = threads.told();
    assert!(told.contains(&("b".to_owned(), "message.deleted")), "{told:?}");
    let state = format!("{:?}", threads.state("b"));
    assert!(!state.contains("says a2"), "{state}");
    threads.hear("a", &text("a3", at(9)));
    assert_eq!(threads.counts("a"), (2, 2), "a customer of their own again");
}
