//! Lanes: shared out whole, handed over without loss, whoever leaves and however.

use std::collections::BTreeMap;
use std::time::Duration;

use dmstream::broker::Error;
use dmstream::broker::kafka::{KafkaBroker, Producer};
use dmstream::topics::Topic;

use crate::world::{Copier, append, create, read_all, reader, run, settings, spec, world};

const INPUTS: [Topic; 3] = [Topic::EventsNormalized, Topic::DeskCommands, Topic::RoutingDecisions];
const KEYS: usize = 12;

fn lanes_world(test: &str) -> (KafkaBroker, Producer) {
    let topics = [
        (Topic::EventsNormalized, 4),
        (Topic::DeskCommands, 4),
        (Topic::RoutingDecisions, 4),
        (Topic::Timeline, 1),
    ];
    let broker = world(test, &topics);
    let producer = broker.producer().unwrap();
    (broker, producer)
}

/// One record a key into every input; returns their values.
fn write(producer: &Producer, round: &str) -> Vec<String> {
    let mut values = Vec::new();
    for key in 0..KEYS {
        for topic in INPUTS {
            let value = format!("{round} {key:02} {}", topic.name());
            append(producer, topic, &format!("thread-{key}"), &value);
            values.push(value);
        }
    }
    values
}

fn copied(members: &[&mut Copier]) -> usize {
    members.iter().map(|member| member.copied.len()).sum()
}

/// Every lane at one member, with partition N of every input.
#[track_caller]
fn assert_whole(members: &[&mut Copier], since: &[usize]) {
    let mut owner: BTreeMap<u32, usize> = BTreeMap::new();
    for (index, member) in members.iter().enumerate() {
        for (topic, lane, _) in &member.copied[since[index]..] {
            assert_eq!(*owner.entry(*lane).or_insert(index), index, "{topic:?} {lane}");
        }
    }
}

#[test]
fn two_members_share_whole_lanes_and_the_one_that_stays_takes_over() {
    let (broker, producer) = lanes_world("share");
    let mut expected = write(&producer, "alone");
    let mut a = Copier::open(&broker, "a", &INPUTS);
    let total = expected.len();
    run(&mut [&mut a], |members| copied(members) == total);

    let mut b = Copier::open(&broker, "b", &INPUTS);
    run(&mut [&mut a, &mut b], |members| members.iter().all(|member| member.lanes.len() == 2));
    assert!(a.lanes.is_disjoint(&b.lanes));
    let since = [a.copied.len(), b.copied.len()];
    expected.extend(write(&producer, "shared"));
    let total = expected.len();
    run(&mut [&mut a, &mut b], |members| copied(members) == total);
    assert_whole(&[&mut a, &mut b], &since);
    assert!(b.copied.len() > since[1], "both work");

    // It goes; being static, its claim ends with the session timeout.
    let gone = a.copied.len();
    a.session.close().unwrap();
    expected.extend(write(&producer, "left"));
    let total = expected.len();
    run(&mut [&mut b], |members| members[0].copied.len() + gone == total);
    assert_eq!(b.lanes.len(), 4);
    expected.sort();
    assert_eq!(read_all(&mut reader(&broker, Topic::Timeline)).0, expected);
    b.session.close().unwrap();
}

#[test]
fn a_restarted_member_finds_its_lanes_and_nobody_else_is_disturbed() {
    let (broker, producer) = lanes_world("static");
    let mut a = Copier::open(&broker, "a", &INPUTS);
    let mut b = Copier::open(&broker, "b", &INPUTS);
    run(&mut [&mut a, &mut b], |members| members.iter().all(|member| member.lanes.len() == 2));
    let (lanes, others) = (a.lanes.clone(), b.lanes.clone());
    a.session.close().unwrap();
    let mut a = Copier::open(&broker, "a", &INPUTS);
    run(&mut [&mut a, &mut b], |members| members[0].lanes.len() == 2);
    assert_eq!((a.lanes.clone(), b.lanes.clone()), (lanes, others));

    let mut expected = write(&producer, "after");
    let total = expected.len();
    run(&mut [&mut a, &mut b], |members| copied(members) == total);
    assert_whole(&[&mut a, &mut b], &[0, 0]);
    expected.sort();
    assert_eq!(read_all(&mut reader(&broker, Topic::Timeline)).0, expected);
    a.session.close().unwrap();
    b.session.close().unwrap();
}

/// Gone in the middle of a turn: its transaction stays open until the cluster ends it, and readers wait for that.
#[test]
fn a_member_that_dies_in_a_turn_loses_and_doubles_nothing() {
    let (broker, producer) = lanes_world("dies");
    let mut a = Copier::open(&broker, "a", &INPUTS);
    let mut b = Copier::open(&broker, "b", &INPUTS);
    run(&mut [&mut a, &mut b], |members| members.iter().all(|member| member.lanes.len() == 2));
    let mut expected = write(&producer, "torn");
    a.read_uncommitted();
    drop(a);
    let total = expected.len();
    run(&mut [&mut b], |members| members[0].copied.len() == total);
    expected.sort();
    assert_eq!(read_all(&mut reader(&broker, Topic::Timeline)).0, expected);
    b.session.close().unwrap();
}

/// It did not poll for too long: the others go on without it, and it can only begin anew.
#[test]
fn a_member_thought_dead_cannot_commit_and_comes_back_as_a_new_one() {
    let mut settings = settings("lost");
    settings.transaction_timeout = Duration::from_secs(20);
    let topics = [(Topic::EventsNormalized, 2), (Topic::Timeline, 1)];
    create(&settings, &topics);
    let lively = KafkaBroker::connect(settings.clone()).unwrap();
    settings.properties.insert("max.poll.interval.ms".to_owned(), "3000".to_owned());
    let sleepy = KafkaBroker::connect(settings).unwrap();
    let producer = lively.producer().unwrap();
    for n in 0..8 {
        append(&producer, Topic::EventsNormalized, &format!("t{n}"), &format!("m{n}"));
    }
    let input = [Topic::EventsNormalized];
    let mut sleeper = Copier::open(&sleepy, "a", &input);
    let next = sleeper.read_uncommitted();
    let mut other = Copier::open(&lively, "b", &input);
    run(&mut [&mut other], |members| members[0].copied.len() == 8);

    let refused = sleeper.session.commit(&next).unwrap_err();
    assert!(matches!(refused, Error::Fatal(_)), "{refused}");
    // Its polls say so too, whatever rebalances were announced before.
    let told = (0..20).find_map(|_| sleeper.turn().err());
    assert!(matches!(told, Some(Error::Fatal(_))), "{told:?}");
    drop(sleeper);
    let mut sleeper = Copier::open(&sleepy, "a", &input);
    run(&mut [&mut sleeper, &mut other], |members| members.iter().all(|one| one.lanes.len() == 1));
    let all = ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7"];
    assert_eq!(read_all(&mut reader(&lively, Topic::Timeline)).0, all);
    sleeper.session.close().unwrap();
    other.session.close().unwrap();
}

#[test]
fn inputs_of_different_widths_are_refused() {
    let broker = world("width", &[(Topic::EventsNormalized, 2), (Topic::DeskCommands, 3)]);
    let inputs = [Topic::EventsNormalized, Topic::DeskCommands];
    let refused = broker.session(&spec("a", &inputs)).unwrap_err();
    assert!(matches!(refused, Error::Topics(_)), "{refused}");
    let missing = broker.session(&spec("a", &[Topic::Customers])).unwrap_err();
    assert!(matches!(missing, Error::Topics(_)), "{missing}");
}
