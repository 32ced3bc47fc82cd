//! A run answers as pending changes do that were taken one by one.

use proptest::prelude::*;

use super::super::pending::Pending;
use super::super::view::RowChange;
use super::*;

/// Few keys, of which some begin others and some hold zero bytes, so that heads and padding meet.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(0_u8..3, 0..4),
        prop::collection::vec(0_u8..2, 8..12),
        prop::collection::vec(prop_oneof![Just(0_u8), Just(255)], 0..10),
    ]
}

fn change() -> impl Strategy<Value = RowChange> {
    let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..3));
    (key(), value, prop::option::of(0_u64..6)).prop_map(|(key, value, due_at_ms)| RowChange {
        key,
        value,
        due_at_ms,
    })
}

fn run_of(changes: &[RowChange]) -> Run {
    let mut gathered = Gathered::default();
    for change in changes {
        gathered.push(&change.key, change.value.as_deref(), change.due_at_ms);
    }
    gathered.sorted(Checkpoint::at(7))
}

proptest! {
    #[test]
    fn it_is_what_pending_changes_are(
        prefix in prop::collection::vec(any::<u8>(), 0..5),
        mut changes in prop::collection::vec(change(), 0..40),
        asked in key(),
        until_ms in 0_u64..7,
    ) {
        for change in &mut changes {
            change.key = [prefix.as_slice(), &change.key].concat();
        }
        let run = run_of(&changes);
        let mut pending = Pending::default();
        pending.take_in(changes, Checkpoint::at(7));

        let rows = |changes: Vec<Change<'_>>| -> Vec<_> {
            let owned = |c: &Change<'_>| (c.key.to_vec(), c.value.map(<[u8]>::to_vec), c.due_at_ms);
            changes.iter().map(owned).collect()
        };
        prop_assert_eq!(rows(run.changes().collect()), rows(pending.changes()));
        prop_assert_eq!(run.rows(), pending.rows());
        let asked = [prefix.as_slice(), &asked].concat();
        prop_assert_eq!(run.look(&asked), pending.look(&asked));
        prop_assert_eq!(run.holds(&asked), pending.holds(&asked));
        let under: Vec<_> = run.under(&asked).collect();
        let mut also: Vec<_> = pending.under(&asked).collect();
        also.sort_unstable();
        prop_assert_eq!(under, also);
        let due: Vec<_> = run.due(until_ms).collect();
        let mut also: Vec<_> = pending.due(until_ms).collect();
        prop_assert!(also.is_sorted_by_key(|(due_ms, _key)| *due_ms));
        also.sort_unstable();
        prop_assert_eq!(due, also);
        prop_assert_eq!(run.checkpoint(), Checkpoint::at(7));
    }
}

#[test]
fn its_size_is_known_before_it_is_sorted() {
    let mut gathered = Gathered::default();
    assert!(gathered.is_empty());
    gathered.push(b"key", Some(b"value"), None);
    gathered.push(b"key", None, Some(5));
    assert!(!gathered.is_empty());
    assert_eq!(gathered.bytes(), 11 + 2 * size_of::<Slot>() as u64);
    let run = gathered.sorted(Checkpoint::at(1));
    assert_eq!((run.rows(), run.look(b"key")), (1, Looked::Deleted));
    assert_eq!(run.due(9).count(), 0, "a deletion has no timer");
}
