//! Decisions about one account, each rule by itself. All together under random input: `invariant_test.rs`.

use crate::domain::id::MessageId;
use crate::domain::outbound::{FailureCode, SendOutcome};
use crate::domain::settings::AccountSettings;
use crate::domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::send::decide::{Answered, Decision, Effect, Input, decide, late};
use crate::send::error::{Class, Error};
use crate::send::state::{Account, PartId, Phase, SLOTS_MAX, Slot, ThreadDigest};

/// One account, its clock, and what it had done.
pub(super) struct World {
    pub(super) account: Account,
    pub(super) settings: AccountSettings,
    pub(super) now: Timestamp,
}

impl World {
    pub(super) fn new() -> Self {
        let settings = AccountSettings::default();
        Self { account: Account::default(), settings, now: Timestamp::from_ms(100 * DAY_MS) }
    }

    fn hear(&mut self, input: Input) -> Vec<Effect> {
        let Decision { account, effects } = decide(&self.account, input, &self.settings, self.now);
        self.account = account;
        effects
    }

    pub(super) fn request(&mut self, slot: Slot) -> Vec<Effect> {
        self.hear(Input::Requested(slot))
    }

    /// Looks as the engine does: later than the moment the account named, if it is due.
    fn wake(&mut self) -> Vec<Effect> {
        match self.account.wake_at {
            Some(wake_at) if wake_at < self.now => self.hear(Input::Woken),
            Some(_) | None => Vec::new(),
        }
    }

    pub(super) fn wait(&mut self, ms: u64) -> Vec<Effect> {
        self.now = self.now.plus_ms(ms);
        self.wake()
    }

    pub(super) fn answer(&mut self, id: u128, attempt: u32, answered: Answered) -> Vec<Effect> {
        self.hear(Input::Completed { id: PartId(id), attempt, answered })
    }

    pub(super) fn slot(&self, id: u128, thread: u128) -> Slot {
        Slot {
            id: PartId(id),
            thread: ThreadDigest(thread),
            automatic: false,
            queued_at: self.now,
            expires_at: self.now.plus_ms(2 * DAY_MS),
            tag_from_at: self.now.plus_ms(DAY_MS),
            attempts: 0,
            phase: Phase::Waiting { not_before: self.now },
        }
    }
}

fn called(effects: &[Effect]) -> Vec<u128> {
    let ids = effects.iter().filter_map(|effect| match effect {
        Effect::Call { id, .. } => Some(id.0),
        Effect::Settle { .. } => None,
    });
    ids.collect()
}

fn settled(effects: &[Effect]) -> Vec<(u128, SendOutcome)> {
    let outcomes = effects.iter().filter_map(|effect| match effect {
        Effect::Call { .. } => None,
        Effect::Settle { id, outcome, .. } => Some((id.0, outcome.clone())),
    });
    outcomes.collect()
}

pub(super) fn taken() -> Answered {
    Ok(MessageId::parse("m1").ok())
}

pub(super) fn refused(class: Class) -> Answered {
    Err(Error::Refused { class, code: Some(7), subcode: Some(8), wait_ms: None })
}

fn failed(code: FailureCode) -> SendOutcome {
    SendOutcome::Failed { code, platform_code: None, platform_subcode: None }
}

#[test]
fn a_part_is_called_once_woken_and_settled_by_its_answer() {
    let mut world = World::new();
    assert_eq!(world.request(world.slot(1, 1)), [], "calls begin by the clock, not by a record");
    let start_by = world.now.plus_ms(1 + 8 * SECOND_MS);
    let call = Effect::Call { id: PartId(1), attempt: 1, tagged: false, start_by };
    assert_eq!(world.wait(1), [call]);
    let mid = MessageId::parse("m1").unwrap();
    let accepted = SendOutcome::Accepted { mid: Some(mid) };
    let settle = Effect::Settle { id: PartId(1), attempts: 1, outcome: accepted };
    assert_eq!(world.answer(1, 1, taken()), [settle]);
    assert_eq!(world.answer(1, 1, taken()), [], "the same answer again says nothing");
    assert_eq!(world.account.wake_at, None, "nothing is left to look at");
}

// Holds: R-142
#[test]
fn a_call_without_an_answer_is_unknown_and_never_repeated() {
    let mut world = World::new();
    world.request(world.slot(1, 1));
    world.wait(1);
    assert_eq!(world.wait(30 * SECOND_MS - 1), [], "it may still be answered");
    assert_eq!(settled(&world.wait(2)), [(1, SendOutcome::Unknown)]);
    assert_eq!(world.account.slots, []);

    for doubt in [Err(Error::NoAnswer), refused(Class::Ambiguous)] {
        world.request(world.slot(2, 1));
        world.wait(1);
        assert_eq!(settled(&world.answer(2, 1, doubt)), [(2, SendOutcome::Unknown)]);
        assert_eq!(world.wait(DAY_MS), []);
    }
}

#[test]
fn a_threads_parts_go_one_after_the_other_and_threads_do_not_wait_for_each_other() {
    let mut world = World::new();
    for (id, thread) in [(1, 1), (2, 1), (3, 2)] {
        world.request(world.slot(id, thread));
    }
    assert_eq!(called(&world.wait(1)), [1, 3]);
    assert_eq!(called(&world.wait(1)), [], "the first is still on the wire");
    world.answer(1, 1, Err(Error::NotSent));
    assert_eq!(called(&world.wait(SECOND_MS)), [], "the first waits, and the second behind it");
    assert_eq!(called(&world.wait(2 * SECOND_MS)), [1]);
    world.answer(1, 2, taken());
    assert_eq!(called(&world.wait(1)), [2]);
}

// Holds: R-143
#[test]
fn what_people_wrote_goes_before_what_rules_wrote() {
    let mut world = World::new();
    world.settings.send_rate = 2;
    let rule = |slot: Slot| Slot { automatic: true, ..slot };
    world.request(rule(world.slot(1, 1)));
    world.request(world.slot(2, 2));
    // A person waits behind this one, in its thread.
    world.request(rule(world.slot(3, 3)));
    world.request(world.slot(4, 3));
    assert_eq!(called(&world.wait(1)), [2, 3]);
}

// Holds: R-143
#[test]
fn no_more_than_the_rate_begins_in_any_window() {
    let mut world = World::new();
    for id in 0..250 {
        world.request(world.slot(id, id));
    }
    let mut begun = 0;
    for _ in 0..300 {
        let calls = called(&world.wait(SECOND_MS / 2));
        begun += calls.len();
        for id in calls {
            world.answer(id, 1, taken());
        }
    }
    assert_eq!(begun, 200, "in 150 s");
    let later = called(&world.wait(200 * SECOND_MS));
    assert!(!later.is_empty(), "the window moved on");
}

// Holds: R-87
#[test]
fn a_tag_is_put_on_what_a_person_wrote_and_only_when_it_is_needed() {
    check(false, DAY_MS - 1, Some(false));
    check(false, DAY_MS, Some(true));
    check(true, DAY_MS - 1, Some(false));
    check(true, DAY_MS, None);

    #[track_caller]
    fn check(automatic: bool, after_ms: u64, expected: Option<bool>) {
        let mut world = World::new();
        world.request(Slot { automatic, ..world.slot(1, 1) });
        let effects = world.wait(after_ms);
        let tag = effects.iter().find_map(|effect| match effect {
            Effect::Call { tagged, .. } => Some(*tagged),
            Effect::Settle { .. } => None,
        });
        assert_eq!(tag, expected, "{automatic} after {after_ms}");
        if expected.is_none() {
            assert_eq!(settled(&effects), [(1, failed(FailureCode::WindowExpired))]);
        }
    }
}

#[test]
fn a_refusal_for_the_window_is_answered_with_the_tag_once_and_where_it_may_be() {
    let late = || refused(Class::OutsideWindow);
    let outcome = SendOutcome::Failed {
        code: FailureCode::WindowExpired,
        platform_code: Some(7),
        platform_subcode: Some(8),
    };
    let mut world = World::new();
    world.request(world.slot(1, 1));
    world.wait(1);
    assert_eq!(world.answer(1, 1, late()), []);
    let start_by = world.now.plus_ms(1 + 8 * SECOND_MS);
    let again = Effect::Call { id: PartId(1), attempt: 2, tagged: true, start_by };
    assert_eq!(world.wait(1), [again]);
    assert_eq!(settled(&world.answer(1, 2, late())), [(1, outcome.clone())], "not twice");

    // Written by a rule; and by a person, for an account that has no tag.
    let rule = Slot { automatic: true, ..world.slot(2, 2) };
    let untagged = Slot { tag_from_at: world.now.plus_ms(2 * DAY_MS), ..world.slot(3, 3) };
    for slot in [rule, untagged] {
        let id = slot.id.0;
        world.request(slot);
        world.wait(1);
        assert_eq!(settled(&world.answer(id, 1, late())), [(id, outcome.clone())]);
    }
}

// Holds: R-86
#[test]
fn nothing_is_tried_after_its_window() {
    let mut world = World::new();
    world.request(world.slot(1, 1));
    assert_eq!(called(&world.wait(2 * DAY_MS)), [1], "the last moment counts");

    let mut world = World::new();
    world.request(world.slot(1, 1));
    world.now = world.now.plus_ms(2 * DAY_MS + 1);
    assert_eq!(settled(&world.wake()), [(1, failed(FailureCode::WindowExpired))]);
}

#[test]
fn retries_are_later_each_time_and_come_to_an_end() {
    check(&refused(Class::Temporary), 5);
    check(&refused(Class::Unexplained), 3);
    check(&refused(Class::MediaFetch), 2);
    check(&Err(Error::NotSent), 8);
    check(&refused(Class::Limited), 10);
    check(&refused(Class::TagLimited), 10);

    #[track_caller]
    fn check(answered: &Answered, calls: u32) {
        let mut world = World::new();
        world.request(world.slot(1, 1));
        let (mut began, mut gaps) = (world.now, Vec::new());
        for attempt in 1..=calls {
            while called(&world.wait(100)).is_empty() {}
            gaps.push(world.now.since_ms(began));
            began = world.now;
            let outcomes = settled(&world.answer(1, attempt, answered.clone()));
            assert_eq!(outcomes.is_empty(), attempt < calls, "{answered:?} at {attempt}");
            for (_, outcome) in outcomes {
                let SendOutcome::Failed { code, .. } = outcome else { panic!("{outcome:?}") };
                assert_eq!(code, FailureCode::RetriesExhausted);
            }
        }
        assert!(gaps.windows(2).all(|pair| pair[0] <= pair[1]), "{answered:?}: {gaps:?}");
    }
}

#[test]
fn what_the_platform_will_never_take_fails_with_its_codes() {
    check(Class::Permanent, FailureCode::Refused);
    check(Class::PersonUnavailable, FailureCode::PersonUnavailable);

    #[track_caller]
    fn check(class: Class, code: FailureCode) {
        let mut world = World::new();
        world.request(world.slot(1, 1));
        world.wait(1);
        let outcome =
            SendOutcome::Failed { code, platform_code: Some(7), platform_subcode: Some(8) };
        assert_eq!(settled(&world.answer(1, 1, refused(class))), [(1, outcome)]);
    }
}

#[test]
fn a_limit_pauses_the_whole_account_for_as_long_as_was_asked() {
    let mut world = World::new();
    world.request(world.slot(1, 1));
    world.wait(1);
    let wait_ms = Some(7 * MINUTE_MS);
    let limited = Error::Refused { class: Class::Limited, code: None, subcode: None, wait_ms };
    world.answer(1, 1, Err(limited));
    world.request(world.slot(2, 2));
    assert_eq!(called(&world.wait(7 * MINUTE_MS - 1)), []);
    assert_eq!(called(&world.wait(2)), [1], "one looks whether the limit is over");
    world.answer(1, 2, taken());
    assert_eq!(called(&world.wait(1)), [2]);
}

#[test]
fn too_many_tagged_messages_hold_up_only_tagged_ones() {
    let mut world = World::new();
    let tagged = |slot: Slot| Slot { tag_from_at: Timestamp::from_ms(0), ..slot };
    world.request(tagged(world.slot(1, 1)));
    world.wait(1);
    world.answer(1, 1, refused(Class::TagLimited));
    world.request(tagged(world.slot(2, 2)));
    world.request(world.slot(3, 3));
    assert_eq!(called(&world.wait(1)), [3]);
    assert_eq!(called(&world.wait(HOUR_MS)), [1, 2]);
}

#[test]
fn an_account_that_is_down_is_tried_by_one_and_fails_the_others_only_if_it_stays_down() {
    let mut world = World::new();
    for id in [1, 2, 3] {
        world.request(world.slot(id, id));
    }
    assert_eq!(called(&world.wait(1)), [1, 2, 3]);
    for id in [1, 2, 3] {
        world.answer(id, 1, refused(Class::AccountDown));
    }
    assert_eq!(called(&world.wait(MINUTE_MS + 1)), [1], "one looks whether it is mended");
    world.answer(1, 2, taken());
    assert_eq!(called(&world.wait(1)), [2, 3], "it is");
    world.answer(2, 2, Err(Error::NoToken));
    world.answer(3, 2, Err(Error::NoToken));

    let mut outcomes = Vec::new();
    for _ in 0..1_000 {
        let effects = world.wait(SECOND_MS);
        outcomes.extend(settled(&effects));
        for id in called(&effects) {
            let slot = world.account.slots.iter().find(|slot| slot.id == PartId(id)).unwrap();
            world.answer(id, slot.attempts, Err(Error::NoToken));
        }
    }
    let down = failed(FailureCode::AccountDown);
    assert_eq!(outcomes, [(2, down.clone()), (3, down)], "it is not");
}

#[test]
fn an_account_holds_only_so_many_waiting_parts() {
    let mut world = World::new();
    for id in 0..SLOTS_MAX as u128 {
        assert_eq!(world.request(world.slot(id, id)), []);
    }
    let refused = world.request(world.slot(9_999, 1));
    assert_eq!(settled(&refused), [(9_999, failed(FailureCode::Overloaded))]);
    assert_eq!(world.account.slots.len(), SLOTS_MAX);
}

#[test]
fn only_an_unknown_outcome_can_become_known_later() {
    let accepted = SendOutcome::Accepted { mid: None };
    let refused = refused(Class::Permanent);
    assert_eq!(late(&SendOutcome::Unknown, Ok(None)), Some(accepted.clone()));
    assert_eq!(late(&SendOutcome::Unknown, Err(Error::NoAnswer)), None);
    assert_eq!(
        late(&SendOutcome::Unknown, Err(Error::NotSent)),
        Some(failed(FailureCode::RetriesExhausted)),
    );
    assert!(late(&SendOutcome::Unknown, refused.clone()).is_some());
    assert_eq!(late(&accepted, refused), None);
    assert_eq!(late(&failed(FailureCode::AccountDown), Ok(None)), None);
}
