//! Every order there is, not a sample: small sets of events about few messages, in all their permutations.
//!
//! Counts are printed with `cargo test permutation -- --nocapture`.

use crate::conversation::order_test::{reckoned, told};
use crate::conversation::property_test::{end_state, heard};
use crate::conversation::rehearsed::{at, delete, echo, edit, mention, react, read, text};
use crate::domain::event::Event;

/// What may happen to few messages, by what is tried with it.
fn sets() -> Vec<(&'static str, Vec<Event>)> {
    let (m1, m2) = (text("m1", at(1)), text("m2", at(4)));
    let (e1, e2) = (echo("e1", "app", at(2)), echo("e2", "again", at(5)));
    let hearts =
        |name: &str, minute| [react(name, at(minute), false), react(name, at(minute), true)];
    let [on, off] = hearts("m1", 3);
    vec![
        (
            "an edit, a delete, reactions before and after",
            vec![
                m1.clone(),
                edit("m1", 1, at(2)),
                edit("m1", 2, at(3)),
                delete("m1", at(6)),
                on.clone(),
                off.clone(),
            ],
        ),
        (
            "edits out of order and a heart that stays",
            vec![
                m1.clone(),
                edit("m1", 2, at(2)),
                edit("m1", 1, at(3)),
                react("m1", at(5), false),
                off,
                on,
            ],
        ),
        (
            "an echo between two messages, and a read",
            vec![
                m1.clone(),
                e1.clone(),
                m2.clone(),
                read("e1", at(6)),
                e2.clone(),
                read("e2", at(7)),
            ],
        ),
        (
            "a mention, its delete, a message and the answer",
            vec![mention("s1", at(0)), delete("s1", at(2)), m2.clone(), e2, edit("m2", 1, at(6))],
        ),
        (
            "each twice",
            vec![
                m1.clone(),
                m1.clone(),
                edit("m1", 1, at(2)),
                edit("m1", 1, at(2)),
                delete("m1", at(3)),
                delete("m1", at(3)),
                e1.clone(),
            ],
        ),
        (
            "an echo unsent, edited, hearted and read",
            vec![
                e1,
                edit("e1", 1, at(3)),
                read("e1", at(4)),
                react("e1", at(4), false),
                m1,
                delete("e1", at(5)),
                m2,
            ],
        ),
    ]
}

/// Calls `with` for every order of `events`, by Heap's way.
pub(super) fn permutations(events: &mut Vec<Event>, up_to: usize, with: &mut impl FnMut(&[Event])) {
    if up_to <= 1 {
        return with(events);
    }
    for place in 0..up_to {
        permutations(events, up_to - 1, with);
        let other = if up_to.is_multiple_of(2) { place } else { 0 };
        events.swap(other, up_to - 1);
    }
}

// Holds
#[test]
#[expect(clippy::print_stdout, reason = "the count is the point")]
fn in_every_permutation_the_end_is_the_same_and_what_the_rules_say_of_the_set() {
    let mut all = 0_usize;
    for (what, mut events) in sets() {
        let (by_rules, first) = (reckoned(&events), heard(&events));
        let (count, mut tried) = (events.len(), 0);
        permutations(&mut events, count, &mut |order| {
            tried += 1;
            let (end, state) = told(order);
            assert_eq!(end, by_rules, "{what}: {order:#?}");
            assert_eq!(end_state(&state), end_state(&first), "{what}: {order:#?}");
        });
        assert_eq!(tried, (1..=count).product::<usize>());
        println!("{tried:>6} permutations of {count} events: {what}");
        all += tried;
    }
    println!("{all:>6} permutations in all");
    assert_eq!(all, 3 * 720 + 120 + 2 * 5_040);
}
