//! Which outputs of a turn are written, and in what order rows are settled.

use super::*;
use crate::engine::context::{Publication, Publish, Tell};
use crate::engine::test_room::{self, Counting, Tally};

fn output(topic: Topic, key: &str, value: &str) -> Output {
    test_room::output(topic, 0, key, value, Timestamp::default())
}

#[test]
fn of_a_compacted_topic_the_newest_record_of_each_key_is_written_at_the_end_and_of_others_every_one()
 {
    use Topic::{Agents, Conversations, Timeline};
    // what a turn brings forth, what can be written at once, what is left for its end
    check(&[], &[], &[]);
    check(&[(Timeline, "a", "1"), (Timeline, "a", "2")], &["1", "2"], &[]);
    check(&[(Conversations, "a", "1"), (Conversations, "a", "2")], &[], &["2"]);
    let three = [(Conversations, "a", "1"), (Agents, "a", "2"), (Conversations, "b", "3")];
    check(&three, &[], &["2", "1", "3"]);
    let mixed = [(Conversations, "a", "1"), (Timeline, "a", "2"), (Conversations, "a", "3")];
    check(&mixed, &["2"], &["3"]);

    #[track_caller]
    fn check(outputs: &[(Topic, &str, &str)], at_once: &[&str], at_the_end: &[&str]) {
        let mut turn: Turn<()> = Turn::default();
        for (topic, key, value) in outputs {
            turn.outputs.push(output(*topic, key, value));
        }
        assert_eq!(turn.is_empty(), outputs.is_empty());
        let ready: Vec<Output> = turn.take_ready().collect();
        assert_eq!(values(&ready), at_once);
        assert_eq!(turn.is_empty(), at_the_end.is_empty());
        assert_eq!(values(&turn.take_rest()), at_the_end);
        assert!(turn.is_empty());
    }

    fn values(outputs: &[Output]) -> Vec<&str> {
        outputs
            .iter()
            .map(|output| std::str::from_utf8(output.value.as_deref().unwrap()).unwrap())
            .collect()
    }
}

#[test]
fn dead_letters_are_counted_by_reason_when_they_are_taken() {
    let mut turn: Turn<()> = Turn::default();
    let mut letter = output(Topic::DeadLetters, "k", "v");
    letter.headers.push(header::REASON, "bad_json");
    turn.outputs.push(letter);
    turn.outputs.push(output(Topic::DeadLetters, "k", "v"));
    assert_eq!(turn.take_ready().count(), 2);
    assert_eq!(turn.dead_letters, ["bad_json", "unnamed"]);
}

#[test]
fn rows_are_settled_in_key_order_each_behind_what_is_made_known_of_it() {
    let say: Publish<Tally> = |(key, row), publication, _| {
        let (key, value) = (String::from_utf8_lossy(key), row.count.to_string());
        Ok(Some(test_room::output(Topic::Conversations, 0, &key, &value, publication.at)))
    };
    let (settings, at) = (SettingsTable::default(), Timestamp::from_ms(1_000));
    let mut lanes =
        Lanes::from([1, 2].map(|lane| (lane, Rows::new(Committed::Memory(BTreeMap::new())))));
    let (mut turn, mut actions): (Turn<()>, _) = (Turn::default(), Vec::new());
    assert!(is_untouched(&lanes));
    for (lane, key, count) in [(1, "b", 1), (1, "a", 2), (2, "c", 3)] {
        let rows = lanes.get_mut(&lane).unwrap();
        let mut context: Context<'_, Counting> =
            Context::new((at, lane), &settings, rows, &mut turn.outputs, &mut actions);
        let tell = Tell::New(Publication { at, trace: None, write: say });
        context.put_and_tell(key.as_bytes(), Tally { count, due: Some(at.as_ms()) }, tell);
    }
    let rows = lanes.get_mut(&2).unwrap();
    let mut context: Context<'_, Counting> =
        Context::new((at, 2), &settings, rows, &mut turn.outputs, &mut actions);
    context.delete(b"d");
    // Said of "a" before, and overtaken; of "e", and not.
    turn.outputs.push(output(Topic::Conversations, "a", "old"));
    turn.outputs.push(output(Topic::Conversations, "e", "old"));
    assert!(!is_untouched(&lanes));

    let mut sent = Vec::new();
    let log = (Topic::ConversationChangelog, at);
    let send = |output: &Output| -> Result<(), StateError> {
        sent.push((output.topic, String::from_utf8(output.key.clone()).unwrap(), output.partition));
        Ok(())
    };
    let changes = settle((&mut lanes, &settings), log, &mut turn, send).unwrap();

    let (known, row) = (Topic::Conversations, Topic::ConversationChangelog);
    let expected = [
        (known, "a", Some(0)),
        (row, "a", Some(1)),
        (known, "b", Some(0)),
        (row, "b", Some(1)),
        (known, "c", Some(0)),
        (row, "c", Some(2)),
        (row, "d", Some(2)),
    ];
    assert_eq!(sent, expected.map(|(topic, key, partition)| (topic, key.to_owned(), partition)));
    assert!(is_untouched(&lanes));
    let left: Vec<Vec<u8>> = turn.take_rest().into_iter().map(|output| output.key).collect();
    assert_eq!(left, [b"e"]);
    let rows = |lane| -> Vec<(&[u8], bool, Option<u64>)> {
        let rows: &Vec<RowChange> = &changes[&lane];
        rows.iter().map(|row| (row.key.as_slice(), row.value.is_some(), row.due_at_ms)).collect()
    };
    assert_eq!(rows(1), [(b"a".as_slice(), true, Some(1_000)), (b"b", true, Some(1_000))]);
    assert_eq!(rows(2), [(b"c".as_slice(), true, Some(1_000)), (b"d", false, None)]);
}
