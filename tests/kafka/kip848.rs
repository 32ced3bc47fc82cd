//! Lanes under the consumer protocol (KIP-848): the brokers share them out, and what the classic protocol promises holds.

use std::collections::BTreeSet;
use std::time::Duration;

use dmstream::broker::kafka::{GroupProtocol, KafkaBroker, Producer};
use dmstream::clock::Stopwatch;
use dmstream::topics::Topic;

use crate::chaos::{Chaos, Measure, tell};
use crate::chaos_load::Amount;
use crate::shop::eventually;
use crate::story::kafka;
use crate::world::{Copier, append, create, read_all, reader, settings};

const INPUTS: [Topic; 2] = [Topic::EventsNormalized, Topic::DeskCommands];
const KEYS: usize = 12;
/// Little enough to be told in a few seconds.
const KILLS: Measure = Measure {
    amount: Amount { webhooks: 200, rate_per_s: 30 },
    people: 200,
    kills: 1,
    lost_disks: 0,
    pauses: 0,
    scalings: 0,
    broker_kills: 0,
};
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
fn lanes_are_shared_and_a_restart_moves_none_without_loss_or_double() {
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

    write(&producer, "after", &mut expected);
    let total = expected.len() - gone;
    run(&mut [&mut a, &mut b], |members| copied(members) == total);
    expected.sort();
    assert_eq!(read_all(&mut reader(&broker, Topic::Timeline)).0, expected);
    a.session.close().unwrap();
    b.session.close().unwrap();
}

/// Real processes, killed in the middle of whatever they do: once the other one has everything before the dead one is back,
/// and then at random.
#[tokio::test(flavor = "multi_thread")]
async fn processes_killed_under_load_lose_and_double_nothing() {
    // The brokers say how long a silent member keeps its lanes.
    let (session, protocol) =
        ("kafka_session_timeout_ms = 3000", "kafka_group_protocol = \"consumer\"");
    let broker = kafka("kip848-killed").replace(session, protocol);
    let mut chaos = Chaos::begin(KILLS, broker).await;
    let all: usize = chaos.lanes_shared_out().await.iter().map(BTreeSet::len).sum();
    chaos.pause_ms(500, 1_500).await;
    chaos.fleet.kill(0);
    eventually("the living one has every lane", async || {
        (chaos.fleet.lanes(1).await.len() == all).then_some(())
    })
    .await;
    chaos.fleet.start_again(0);
    chaos.fleet.all_ready().await;
    chaos.kill_processes().await;
    let (table, violations) = chaos.end().await;
    tell(&table);
    assert_eq!(violations, [""; 0], "{table}");
}
