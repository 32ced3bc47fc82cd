//! Which outputs of a turn are written.

use super::*;
use crate::engine::test_room;

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
