//! When a person is asked for: the rules one by one, then P-1 to P-4 under random input.

use proptest::prelude::*;

use crate::domain::customer::Profile;
use crate::domain::time::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::stage::Row;
use crate::profile::decide::{Effect, Input, VAIN_MAX, decide};
use crate::profile::error::Error;
use crate::profile::row::{Person, PersonRow, Phase};

const T: u64 = 1_700_000_000_000;

const fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(T + ms)
}

fn named(name: &str) -> Profile {
    Profile { name: Some(name.to_owned()), ..Profile::default() }
}

fn answered(asked_ms: u64, answered: Result<Profile, Error>) -> Input {
    Input::Answered { asked_at: at(asked_ms), answered }
}

/// One person, and what is done about them.
#[derive(Default)]
struct Story {
    person: Person,
    asked: Vec<u64>,
    told: Vec<(u64, String)>,
    erased_ms: Option<u64>,
}

impl Story {
    fn hear(&mut self, input: Input, ms: u64) {
        let (person, effect) = decide(&self.person, input, at(ms));
        self.person = person;
        match effect {
            Some(Effect::Ask { asked_at, start_by }) => {
                assert!(asked_at == at(ms) && asked_at < start_by);
                self.asked.push(ms);
            }
            Some(Effect::Tell { fetched_at, profile }) => {
                let name = profile.name.unwrap_or_default();
                self.told.push((fetched_at.since_ms(at(0)), name));
            }
            Some(Effect::Forget) => {
                self.told.clear();
                self.erased_ms = Some(ms);
            }
            None => (),
        }
    }

    /// The person writes, and the engine looks as soon as it may.
    fn writes(&mut self, ms: u64) {
        self.hear(Input::Wrote, ms);
        self.look(ms);
    }

    fn look(&mut self, ms: u64) {
        if PersonRow(self.person.clone()).due_at().is_some_and(|due| due <= at(ms)) {
            self.hear(Input::Woken, ms);
        }
    }
}

#[test]
fn whoever_writes_is_asked_for_and_told_of() {
    let mut story = Story::default();
    story.writes(0);
    assert_eq!(story.asked, [0]);
    story.hear(answered(0, Ok(named("Maria"))), 300);
    assert_eq!(story.told, [(0, "Maria".to_owned())]);
}

// Holds: R-147
#[test]
fn items_within_a_minute_of_a_question_ask_for_nothing() {
    // Second item at, questions.
    check(1, &[0]);
    check(59_999, &[0]);
    check(60_000, &[0, 60_000]);
    check(500_000, &[0, 500_000]);

    #[track_caller]
    fn check(second_ms: u64, asked: &[u64]) {
        let mut story = Story::default();
        story.writes(0);
        story.hear(answered(0, Ok(named("Maria"))), 1);
        story.writes(second_ms);
        assert_eq!(story.asked, asked, "R-147");
    }
}

// Holds: R-147
#[test]
fn after_a_refusal_nobody_is_asked_for_a_quarter_of_an_hour() {
    for error in
        [Error::Refused { code: Some(230) }, Error::AccountDown { code: Some(190) }, Error::NoToken]
    {
        let mut story = Story::default();
        story.writes(0);
        story.hear(answered(0, Err(error)), 0);
        story.writes(15 * MINUTE_MS - 1);
        assert_eq!(story.asked, [0], "R-147");
        story.writes(15 * MINUTE_MS);
        assert_eq!(story.asked, [0, 15 * MINUTE_MS]);
    }
}

// Holds: R-147
#[test]
fn a_refusal_takes_nothing_away_and_leaves_the_old_fetch_time() {
    let mut story = Story::default();
    story.writes(0);
    story.hear(answered(0, Ok(named("Maria"))), 1);
    story.writes(2 * MINUTE_MS);
    story.hear(answered(2 * MINUTE_MS, Err(Error::Refused { code: Some(230) })), 2 * MINUTE_MS + 1);
    assert_eq!(story.told.len(), 1);
    assert_eq!(story.person.fetched_at, Some(at(0)));
}

#[test]
fn what_may_pass_is_asked_again_a_bounded_number_of_times_ever_more_slowly() {
    let mut story = Story::default();
    story.writes(0);
    let mut now_ms = 0;
    for _ in 0..VAIN_MAX {
        story.hear(answered(now_ms, Err(Error::Temporary { code: Some(2) })), now_ms);
        match PersonRow(story.person.clone()).due_at() {
            Some(due) => now_ms = due.since_ms(at(0)),
            None => break,
        }
        story.look(now_ms);
    }
    let minutes: Vec<u64> = story.asked.iter().map(|ms| ms / MINUTE_MS).collect();
    assert_eq!(minutes, [0, 1, 3, 7, 15], "1, 2, 4 and 8 minutes apart");
    assert!(matches!(story.person.phase, Phase::Resting { .. }), "then left alone");
    assert_eq!(story.person.vain, 0, "the next item begins anew");
}

#[test]
fn a_lost_question_is_asked_again_and_its_late_answer_still_counts() {
    let mut story = Story::default();
    story.writes(0);
    story.look(30 * SECOND_MS - 1);
    assert!(matches!(story.person.phase, Phase::Asking { .. }));
    story.look(30 * SECOND_MS);
    story.look(90 * SECOND_MS);
    assert_eq!(story.asked, [0, 90 * SECOND_MS]);
    story.hear(answered(0, Ok(named("Maria"))), 91 * SECOND_MS);
    story.hear(answered(90 * SECOND_MS, Ok(named("Marie"))), 92 * SECOND_MS);
    assert_eq!(story.told, [(0, "Maria".to_owned()), (90 * SECOND_MS, "Marie".to_owned())]);
}

// Holds: R-147
#[test]
fn of_two_answers_the_one_asked_for_later_counts() {
    let mut story = Story::default();
    story.writes(0);
    story.look(30 * SECOND_MS);
    story.look(90 * SECOND_MS);
    story.hear(answered(90 * SECOND_MS, Ok(named("Marie"))), 91 * SECOND_MS);
    story.hear(answered(0, Ok(named("Maria"))), 92 * SECOND_MS);
    assert_eq!(story.told, [(90 * SECOND_MS, "Marie".to_owned())]);
}

// Holds: R-154
#[test]
fn of_a_person_erased_nothing_is_told_that_was_asked_for_before() {
    let mut story = Story::default();
    story.writes(0);
    story.hear(Input::Erased, 100);
    assert_eq!(story.erased_ms, Some(100));
    story.hear(answered(0, Ok(named("Maria"))), 300);
    assert_eq!(story.told, []);
    story.writes(2 * MINUTE_MS);
    story.hear(answered(2 * MINUTE_MS, Ok(named("Maria"))), 2 * MINUTE_MS + 1);
    assert_eq!(story.told.len(), 1, "whoever writes again is known again");
}

/// An erasure may be older than the question before it, and whoever hears an answer may have a clock that is behind.
#[test]
fn no_time_that_lies_back_shortens_a_rest() {
    let mut erased = Story::default();
    erased.writes(100_000);
    erased.hear(answered(100_000, Ok(named("Ana"))), 100_500);
    erased.hear(Input::Erased, 50_000);
    erased.writes(111_000);
    assert_eq!(erased.asked, [100_000], "within a minute of the question");

    let mut behind = Story::default();
    behind.writes(100_000);
    behind.hear(answered(100_000, Err(Error::NoAnswer)), 20_000);
    behind.look(120_000);
    behind.look(170_000);
    assert_eq!(behind.asked, [100_000, 170_000]);
}

#[test]
fn items_of_a_backlog_ask_once_however_far_apart_they_were() {
    let mut story = Story::default();
    for hour in 0..4 {
        story.hear(Input::Wrote, hour * HOUR_MS);
    }
    let now_ms = 10 * HOUR_MS;
    story.look(now_ms);
    assert_eq!(story.asked, [now_ms], "the question begins when it is really asked");
    story.hear(answered(now_ms, Ok(named("Maria"))), now_ms + 1);
    story.hear(Input::Wrote, 5 * HOUR_MS);
    story.look(now_ms + 2);
    assert_eq!(story.asked, [now_ms], "what was written before the answer is covered by it");
}

#[derive(Debug, Clone)]
enum Step {
    Writes,
    Erases,
    Looks,
    /// The answer to one of the questions, some possibly lost for ever.
    Answers(usize, u8),
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let what = prop_oneof![
        3 => Just(Step::Writes),
        1 => Just(Step::Erases),
        3 => Just(Step::Looks),
        3 => (any::<usize>(), 0_u8..4).prop_map(|(which, how)| Step::Answers(which, how)),
    ];
    (0..5 * MINUTE_MS, what)
}

proptest! {
    #[test]
    fn people_are_asked_for_in_measure_and_the_latest_profile_counts(
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut story = Story::default();
        let mut now_ms = 0;
        for (pause_ms, step) in steps {
            now_ms += pause_ms;
            match step {
                Step::Writes => story.hear(Input::Wrote, now_ms),
                Step::Erases => story.hear(Input::Erased, now_ms),
                Step::Looks => story.look(now_ms),
                Step::Answers(which, how) => {
                    let Some(asked_ms) = (!story.asked.is_empty())
                        .then(|| story.asked[which % story.asked.len()]) else { continue };
                    let result = match how {
                        0 => Err(Error::Refused { code: Some(230) }),
                        1 => Err(Error::NoAnswer),
                        _ => Ok(named(&asked_ms.to_string())),
                    };
                    story.hear(answered(asked_ms, result), now_ms);
                }
            }
        }
        let apart = story.asked.windows(2).all(|pair| pair[1] - pair[0] >= MINUTE_MS);
        prop_assert!(apart, "P-1: {:?}", story.asked);
        let rising = story.told.windows(2).all(|pair| pair[0].0 < pair[1].0);
        prop_assert!(rising, "P-2: {:?}", story.told);

        let erased_ms = story.erased_ms.unwrap_or(0);
        let is_new = story.told.iter().all(|(asked_ms, _)| *asked_ms >= erased_ms);
        prop_assert!(is_new, "P-3: {:?} after {}", story.told, erased_ms);

        // P-4: left to itself it comes to rest, and then an item leads to a question.
        let mut looks = 0;
        while let Some(due) = PersonRow(story.person.clone()).due_at() {
            now_ms = now_ms.max(due.since_ms(at(0)));
            story.look(now_ms);
            looks += 1;
            prop_assert!(looks <= 2 * VAIN_MAX + 2, "P-4: comes to rest");
        }
        let before = story.asked.len();
        story.writes(now_ms + 15 * MINUTE_MS);
        prop_assert_eq!(story.asked.len(), before + 1, "P-4");
    }
}
