//! What a turn writes over what is committed, and what of it is made known at its end.

use super::*;
use crate::engine::test_room::{self, Counting, Tally};
use crate::topics::Topic;

/// What a stage does with a row.
#[derive(Debug, Clone, Copy)]
enum Does {
    Writes(u64),
    Tells(u64),
    TellsNothing(u64),
    Deletes,
}

use Does::{Deletes, Tells, TellsNothing, Writes};

fn tally(count: u64) -> Tally {
    Tally { count, due: None }
}

fn say(
    (key, row): (&[u8], &Tally),
    publication: &Publication<Tally>,
    _settings: &SettingsTable,
) -> Result<Option<Output>, StateError> {
    let key = String::from_utf8_lossy(key);
    let value = format!("{} {}", row.count, publication.trace.as_deref().unwrap_or("-"));
    let output = test_room::output(Topic::Conversations, 0, &key, &value, publication.at);
    Ok((row.count > 0).then_some(output))
}

/// Does all that in one turn; every call in a trace of its own, numbered from zero.
fn turn(does: &[(&str, Does)]) -> Rows<Tally> {
    let mut rows = Rows::new(Committed::Memory(BTreeMap::new()));
    let settings = SettingsTable::default();
    for (number, (key, what)) in does.iter().enumerate() {
        let (mut outputs, mut actions) = (Outputs::default(), Vec::new());
        let at = Timestamp::from_ms(1_000);
        let mut context: Context<'_, Counting> =
            Context::new((at, 0), &settings, &mut rows, &mut outputs, &mut actions);
        let publication = Publication { at, trace: Some(number.to_string()), write: say };
        match what {
            Writes(count) => context.put(key.as_bytes(), tally(*count)),
            Tells(count) => {
                context.put_and_tell(key.as_bytes(), tally(*count), Tell::New(publication));
            }
            TellsNothing(count) => {
                context.put_and_tell(key.as_bytes(), tally(*count), Tell::Nothing);
            }
            Deletes => context.delete(key.as_bytes()),
        }
    }
    rows
}

fn told(rows: &mut Rows<Tally>) -> Vec<String> {
    let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap()).unwrap();
    let said = |output: Output| format!("{}={}", text(Some(output.key)), text(output.value));
    let settings = SettingsTable::default();
    let taken = rows.take_written().into_iter();
    taken.filter_map(|(key, row)| row.known(&key, &settings).unwrap()).map(said).collect()
}

#[test]
fn a_row_is_made_known_once_as_it_stands_at_the_turns_end() {
    // what is done in a turn, how many records it holds back, what is made known: row and trace
    check(&[], 0, &[]);
    check(&[("a", Writes(1))], 1, &[]);
    check(&[("a", Tells(1))], 2, &["a=1 0"]);
    check(&[("b", Tells(1)), ("a", Tells(2)), ("b", Tells(3))], 4, &["a=2 1", "b=3 2"]);
    // What only changes it afterwards is seen, and the last that had it told is named.
    check(&[("a", Tells(1)), ("a", Writes(2))], 2, &["a=2 0"]);
    check(&[("a", Tells(1)), ("a", TellsNothing(2))], 1, &[]);
    check(&[("a", Tells(1)), ("a", TellsNothing(2)), ("a", Tells(3))], 2, &["a=3 2"]);
    check(&[("a", Tells(1)), ("a", Deletes)], 1, &[]);
    check(&[("a", Tells(1)), ("a", Deletes), ("a", Writes(2))], 1, &[]);
    // A row may have nothing to say.
    check(&[("a", Tells(0))], 2, &[]);

    #[track_caller]
    fn check(does: &[(&str, Does)], waiting: usize, known: &[&str]) {
        let mut rows = turn(does);
        assert_eq!(rows.waiting(), waiting);
        assert_eq!(told(&mut rows), known);
        assert!(told(&mut rows).is_empty(), "once");
    }
}

#[test]
fn what_a_turn_wrote_is_taken_in_key_order_or_forgotten() {
    let does = [("c", Tells(1)), ("a", Writes(2)), ("b", Deletes), ("a", Writes(3))];
    let mut rows = turn(&does);
    let taken: Vec<(Vec<u8>, Option<u64>)> = rows
        .take_written()
        .into_iter()
        .map(|(key, written)| (key, written.row.map(|row| row.count)))
        .collect();
    assert_eq!(taken, [(b"a".into(), Some(3)), (b"b".into(), None), (b"c".into(), Some(1))]);
    assert_eq!((rows.waiting(), rows.written().count()), (0, 0));
    let mut rows = turn(&does);
    rows.forget();
    assert_eq!((rows.waiting(), rows.written().count()), (0, 0));
    assert!(told(&mut rows).is_empty());
}

#[test]
fn a_row_that_is_taken_is_written_or_given_back() {
    let mut rows = turn(&[("a", Tells(1)), ("b", Writes(2))]);
    let mut bytes = Vec::new();
    tally(3).encode(&mut bytes);
    rows.committed = Committed::Memory(BTreeMap::from([(b"c".to_vec(), bytes)]));
    let (settings, mut outputs, mut actions) =
        (SettingsTable::default(), Outputs::default(), Vec::new());
    let at = (Timestamp::from_ms(1_000), 0);
    let mut context: Context<'_, Counting> =
        Context::new(at, &settings, &mut rows, &mut outputs, &mut actions);
    for (key, count) in [(b"a", 1), (b"b", 2), (b"c", 3)] {
        assert_eq!(context.take(key).unwrap(), Some(tally(count)));
        context.give_back(key, tally(count));
        assert_eq!(context.get(key).unwrap(), Some(tally(count)));
    }
    assert_eq!(context.take(b"a").unwrap(), Some(tally(1)));
    assert_eq!(context.get(b"a").unwrap(), None, "no copy stays");
    context.put(b"a", tally(4));
    assert_eq!(context.take(b"d").unwrap(), None);
    // What was committed and only looked at is not written, and what is to be made known still is.
    assert_eq!(rows.written().count(), 2);
    assert_eq!(told(&mut rows), ["a=4 0"]);
}

#[test]
fn a_scan_sees_what_the_turn_wrote_over_what_is_committed() {
    let committed = [("a1", 1), ("a2", 2), ("b1", 3)];
    let mut rows =
        turn(&[("a2", Writes(20)), ("a3", Writes(30)), ("a1", Deletes), ("b2", Writes(4))]);
    rows.committed = Committed::Memory(BTreeMap::from(committed.map(|(key, count)| {
        let mut bytes = Vec::new();
        tally(count).encode(&mut bytes);
        (key.into(), bytes)
    })));
    let found = rows.scan_prefix(b"a", usize::MAX).unwrap();
    assert_eq!(found, [(b"a2".to_vec(), tally(20)), (b"a3".to_vec(), tally(30))]);
}
