//! Lanes under the consumer protocol (KIP-848): the brokers share them out, and what the classic protocol promises holds.

use std::time::Duration;

use dmstream::broker::kafka::{GroupProtocol, KafkaBroker, Producer};
use dmstream::clock::Stopwatch;
use dmstream::topics::Topic;

use crate::world::{Copier, append, create, read_all, reader, settings};

const INPUTS: [Topic; 2] = [Topic::EventsNormalized, Topic::DeskCommands];
const KEYS: usize = 12;
/// What brokers give a silent member unless told otherwise, and as long again.
const PATIENCE: Duration = Duration::from_secs(90);

fn world(test: &str) -> (KafkaBroker, Producer) {
    let mut settings = settings(test);
    settings.group_protocol = GroupProtocol::Consumer;
    let topics = [(Topic::EventsNormalized, 4), (Topic::DeskCommands, 4), (Topic::Timeline, 1)];
    create(&settings, &topics);
    let broker = KafkaBroker::connect(settings).unwrap();
    let producer = broker.producer().unwrap();
    (broker, producer)
}

fn write(producer: &Producer, round: &str, expected: &mut Vec<String>) {
    for key in 0..KEYS {
        for topic in INPUTS {
            let value = format!("{round} {key:02} {}", topic.name());
            append(producer, topic, &format!("thread-{key}"), &value);
            expected.push(value);
        }
    }
}

#[track_caller]
fn run(members: &mut [&mut Copier], mut done: impl FnMut(&[&mut Copier]) -> bool) {
    let watch = Stopwatch::start();
    while !done(members) {
        assert!(watch.elapsed() < PATIENCE, "not done in time");
        members.iter_mut().for_each(|member| member.step());
    }
}

fn copied(members: &[&mut Copier]) -> usize {
    members.iter().map(|member| member.copied.len()).sum()
}

#[test]
fn lanes_are_shared_moved_and_taken_over_without_loss_or_double() {
    let (broker, producer) = world("kip848");
    let mut expected = Vec::new();
    write(&producer, "alone", &mut expected);
    let mut a = Copier::open(&broker, "a", &INPUTS);
    run(&mut [&mut a], |members| copied(members) == expected.len());
    assert_eq!(a.lanes.len(), 4);

    // One more.
    let mut b = Copier::open(&broker, "b", &INPUTS);
    run(&mut [&mut a, &mut b], |members| members.iter().all(|member| member.lanes.len() == 2));
    assert!(a.lanes.is_disjoint(&b.lanes));
    let total = expected.len() + KEYS * INPUTS.len();
    write(&producer, "shared", &mut expected);
    run(&mut [&mut a, &mut b], |members| copied(members) == total);

    // A restart in order moves nothing.
    let (lanes, others) = (a.lanes.clone(), b.lanes.clone());
    let gone = a.copied.len();
    a.session.close().unwrap();
    let mut a = Copier::open(&broker, "a", &INPUTS);
    run(&mut [&mut a, &mut b], |members| members[0].lanes.len() == 2);
    assert_eq!((a.lanes.clone(), b.lanes.clone()), (lanes, others));

    // Gone in the middle of a turn, and nobody takes its place: the other one has all in the end.
    write(&producer, "torn", &mut expected);
    a.read_uncommitted();
    let gone = gone + a.copied.len();
    drop(a);
    run(&mut [&mut b], |members| members[0].lanes.len() == 4);
    write(&producer, "after", &mut expected);
    let watch = Stopwatch::start();
    while read_all(&mut reader(&broker, Topic::Timeline)).0.len() < expected.len() {
        assert!(watch.elapsed() < PATIENCE, "{gone} were read by the one that is gone");
        (0..20).for_each(|_| b.step());
    }
    expected.sort();
    assert_eq!(read_all(&mut reader(&broker, Topic::Timeline)).0, expected);
    b.session.close().unwrap();
}
