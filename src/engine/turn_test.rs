//! Which outputs of a turn are written.

use super::*;

fn output(topic: Topic, key: &str, value: &str) -> Output {
    Output {
        topic,
        partition: None,
        key: key.into(),
        value: Some(value.into()),
        headers: Headers::default(),
        timestamp: Timestamp::default(),
    }
}

#[test]
fn of_a_compacted_topic_the_newest_record_of_each_key_is_written_and_of_others_every_one() {
    use Topic::{Agents, Conversations, Timeline};
    check(&[], &[]);
    check(&[(Timeline, "a", "1"), (Timeline, "a", "2")], &["1", "2"]);
    check(&[(Conversations, "a", "1"), (Conversations, "a", "2")], &["2"]);
    check(
        &[(Conversations, "a", "1"), (Agents, "a", "2"), (Conversations, "b", "3")],
        &["1", "2", "3"],
    );
    check(
        &[
            (Conversations, "a", "1"),
            (Timeline, "a", "2"),
            (Conversations, "b", "3"),
            (Conversations, "a", "4"),
            (Timeline, "a", "5"),
        ],
        &["2", "3", "4", "5"],
    );

    #[track_caller]
    fn check(outputs: &[(Topic, &str, &str)], written: &[&str]) {
        let outputs = outputs.iter().map(|(topic, key, value)| output(*topic, key, value));
        let kept = newest(outputs.collect());
        let kept: Vec<&[u8]> = kept.iter().filter_map(|output| output.value.as_deref()).collect();
        assert_eq!(kept, written.iter().map(|value| value.as_bytes()).collect::<Vec<_>>());
    }
}
