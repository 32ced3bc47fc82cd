//! The group's rules, and that no order of events gives a lane two owners.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::group::{Group, News, Patience, Seat};
use crate::broker::Error;
use crate::domain::time::Timestamp;
use crate::topics::Topic;

const INPUTS: [Topic; 1] = [Topic::EventsNormalized];

fn at(ms: u64) -> Patience {
    Patience { now: Timestamp::from_ms(ms), span_ms: 100 }
}

fn seat(member: &str, instance: u64) -> Seat {
    Seat { member: member.to_owned(), instance }
}

fn join(group: &mut Group, seat: &Seat) {
    group.join(seat, (&INPUTS, 4), at(0)).unwrap();
}

fn set(lanes: &[u32]) -> BTreeSet<u32> {
    lanes.iter().copied().collect()
}

#[test]
fn a_second_member_is_given_half_once_the_first_gave_it_up() {
    let (ana, ben) = (seat("ana", 1), seat("ben", 2));
    let mut group = Group::default();
    join(&mut group, &ana);
    assert_eq!(group.news(&ana).unwrap(), Some(News::Assigned(vec![0, 1, 2, 3])));
    join(&mut group, &ben);
    assert_eq!(group.news(&ben).unwrap(), None, "nothing before it was given up");
    assert_eq!(group.news(&ana).unwrap(), Some(News::Revoked(vec![2, 3])));
    assert_eq!(group.news(&ana).unwrap(), None, "told once");
    group.check_owns(&ana, &set(&[2, 3])).unwrap();
    group.give_up(&ana, &[2, 3], at(0)).unwrap();
    assert_eq!(group.news(&ben).unwrap(), Some(News::Assigned(vec![2, 3])));
    assert!(matches!(group.check_owns(&ana, &set(&[2])), Err(Error::Abortable(_))));
}

#[test]
fn who_does_not_answer_in_time_loses() {
    let (ana, ben) = (seat("ana", 1), seat("ben", 2));
    let mut group = Group::default();
    join(&mut group, &ana);
    group.news(&ana).unwrap();
    join(&mut group, &ben);
    assert!(!group.expire(at(99)));
    assert!(group.expire(at(100)));
    assert_eq!(group.news(&ana).unwrap(), Some(News::Lost(vec![2, 3])));
    assert_eq!(group.news(&ben).unwrap(), Some(News::Assigned(vec![2, 3])));
}

#[test]
fn a_member_opened_again_keeps_its_lanes_and_fences_its_former_self() {
    let (old, ben, new) = (seat("ana", 1), seat("ben", 2), seat("ana", 3));
    let mut group = Group::default();
    join(&mut group, &old);
    join(&mut group, &ben);
    join(&mut group, &new);
    assert_eq!(group.news(&new).unwrap(), Some(News::Assigned(vec![0, 1])));
    assert!(matches!(group.news(&old), Err(Error::Fatal(_))));
    group.leave(&old, at(0));
    group.check_owns(&new, &set(&[0, 1])).unwrap();
}

#[test]
fn who_leaves_leaves_all() {
    let (ana, ben) = (seat("ana", 1), seat("ben", 2));
    let mut group = Group::default();
    join(&mut group, &ana);
    join(&mut group, &ben);
    group.leave(&ana, at(0));
    assert_eq!(group.news(&ben).unwrap(), Some(News::Assigned(vec![0, 1, 2, 3])));
}

#[derive(Debug, Clone)]
enum Step {
    Join(usize),
    Leave(usize),
    Hear(usize),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_usize..4).prop_map(Step::Join),
        (0_usize..4).prop_map(Step::Leave),
        (0_usize..4).prop_map(Step::Hear),
        (0_usize..4).prop_map(Step::Hear),
        (1_u64..150).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..60)
}

/// Lanes each member was told to take and has not been told to give back.
#[derive(Default)]
struct Seen {
    seat: Option<Seat>,
    holds: BTreeSet<u32>,
}

fn hear(group: &mut Group, seen: &mut Seen, now: u64) {
    let Some(seat) = &seen.seat else { return };
    match group.news(seat).unwrap() {
        Some(News::Assigned(lanes)) => seen.holds.extend(lanes),
        Some(News::Revoked(lanes) | News::Lost(lanes)) => {
            seen.holds.retain(|lane| !lanes.contains(lane));
            group.give_up(seat, &lanes, at(now)).unwrap();
        }
        None => (),
    }
}

proptest! {
    #[test]
    fn no_lane_may_be_committed_by_two_and_all_are_shared_out_in_the_end(steps in steps()) {
        let mut group = Group::default();
        let mut seen: [Seen; 4] = Default::default();
        let (mut now, mut instances) = (0, 0);
        for step in steps {
            match step {
                Step::Join(who) => {
                    instances += 1;
                    let seat = seat(&who.to_string(), instances);
                    group.join(&seat, (&INPUTS, 7), at(now)).unwrap();
                    seen[who] = Seen { seat: Some(seat), holds: BTreeSet::new() };
                }
                Step::Leave(who) => if let Some(seat) = std::mem::take(&mut seen[who]).seat {
                    group.leave(&seat, at(now));
                },
                Step::Hear(who) => hear(&mut group, &mut seen[who], now),
                Step::Wait(ms) => {
                    now += ms;
                    group.expire(at(now));
                }
            }
            for lane in 0..7 {
                let may = seen.iter().filter(|one| one.holds.contains(&lane)
                    && one.seat.as_ref().is_some_and(|seat| group.check_owns(seat, &set(&[lane])).is_ok()));
                prop_assert!(may.count() <= 1);
            }
        }
        for _ in 0..6 {
            for one in &mut seen {
                hear(&mut group, one, now);
            }
        }
        let shares: Vec<usize> =
            seen.iter().filter(|one| one.seat.is_some()).map(|one| one.holds.len()).collect();
        if let (Some(most), Some(least)) = (shares.iter().max(), shares.iter().min()) {
            prop_assert_eq!(shares.iter().sum::<usize>(), 7);
            prop_assert!(most - least <= 1, "{:?}", shares);
        }
    }
}
