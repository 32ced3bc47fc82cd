//! The traps of the client, against librdkafka's mock brokers: no Docker, no Java, loopback only.

use std::collections::BTreeMap;
use std::time::Duration;

use dmstream::broker::kafka::{KafkaBroker, KafkaSettings, Session};
use dmstream::broker::{Polled, Remedy};
use dmstream::clock::Stopwatch;
use dmstream::topics::Topic;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::world::{BOUNDS, PATIENCE, append, output, spec, text};

type Mock = MockCluster<'static, DefaultProducerContext>;

/// A mock cluster and the settings that reach it.
fn mock(partitions: i32) -> (Mock, KafkaSettings) {
    let cluster = MockCluster::new(1).unwrap();
    for topic in [Topic::EventsNormalized, Topic::DeskCommands, Topic::Timeline] {
        cluster.create_topic(&format!("dm.{}", topic.name()), partitions, 1).unwrap();
    }
    let mut settings = KafkaSettings::new(&cluster.bootstrap_servers());
    // Below three seconds nobody ever joins the mock's groups.
    settings.session_timeout = Duration::from_secs(5);
    (cluster, settings)
}

fn session(settings: KafkaSettings, member: &str) -> Session {
    let broker = KafkaBroker::connect(settings).unwrap();
    broker.session(&spec(member, &[Topic::EventsNormalized, Topic::DeskCommands])).unwrap()
}

/// A commit while a record is in flight sleeps 100 ms.
#[test]
fn a_commit_does_not_sleep() {
    let (_cluster, settings) = mock(1);
    let mut session = session(settings, "a");
    let mut commits: Vec<Duration> = Vec::new();
    for _ in 0..5 {
        session.send(&output(Topic::Timeline, "thread", "fact")).unwrap();
        let watch = Stopwatch::start();
        session.commit(&BTreeMap::new()).unwrap();
        commits.push(watch.elapsed());
    }
    commits.sort();
    assert!(commits[2] < Duration::from_millis(60), "median of {commits:?}");
}

/// Without a thread that polls, an abort blocks until its timeout.
#[test]
fn an_abort_with_records_in_flight_does_not_hang() {
    let (_cluster, settings) = mock(1);
    let mut session = session(settings, "a");
    for _ in 0..1_000 {
        session.send(&output(Topic::Timeline, "thread", "fact")).unwrap();
    }
    let watch = Stopwatch::start();
    session.abort().unwrap();
    assert!(watch.elapsed() < Duration::from_secs(1), "{:?}", watch.elapsed());
    session.send(&output(Topic::Timeline, "thread", "fact")).unwrap();
    session.commit(&BTreeMap::new()).unwrap();
}

/// Takes the lanes of the first assignment.
fn take_all(session: &mut Session) {
    let watch = Stopwatch::start();
    while watch.elapsed() < PATIENCE {
        if let Polled::Assigned(lanes) = session.poll(&BOUNDS).unwrap() {
            return session.take(&lanes).unwrap();
        }
    }
    panic!("no lanes");
}

/// A partition whose first offset is still asked for refuses to be rewound, and begins there by itself.
#[test]
fn an_abort_before_a_lane_began_to_be_read_loses_and_doubles_nothing() {
    let (cluster, settings) = mock(1);
    let producer = KafkaBroker::connect(settings.clone()).unwrap().producer().unwrap();
    let appended = ["m0", "m1", "m2"];
    for value in appended {
        append(&producer, Topic::EventsNormalized, "t", value);
    }
    let mut session = session(settings, "a");
    // The client, told so once, asks again after a pause; who aborts asks at once.
    let unsettled = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT];
    cluster.request_errors(RDKafkaApiKey::OffsetFetch, &unsettled);
    take_all(&mut session);
    session.abort().unwrap();
    let watch = Stopwatch::start();
    let mut read: Vec<String> = Vec::new();
    while read.len() < appended.len() || watch.elapsed() < Duration::from_secs(2) {
        assert!(watch.elapsed() < PATIENCE, "only {read:?}");
        if let Polled::Records { records, .. } = session.poll(&BOUNDS).unwrap() {
            read.extend(records.iter().map(text));
        }
    }
    assert_eq!(read, appended);
}

/// "Not told" must not look like "nothing was committed": the lane would be read from its beginning once more.
#[test]
fn an_abort_that_is_not_told_where_the_group_stands_ends_the_session() {
    let (cluster, settings) = mock(1);
    let mut session = session(settings, "a");
    take_all(&mut session);
    session.abort().unwrap();
    // What is told once the transaction's end has reached the group is waited for.
    let unsettled = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT; 12];
    cluster.request_errors(RDKafkaApiKey::OffsetFetch, &unsettled);
    session.abort().unwrap();
    cluster.clear_request_errors(RDKafkaApiKey::OffsetFetch);
    let refusals = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 8];
    cluster.request_errors(RDKafkaApiKey::OffsetFetch, &refusals);
    let error = session.abort().unwrap_err();
    assert_eq!(error.remedy(), Remedy::Rebuild, "{error}");
    cluster.clear_request_errors(RDKafkaApiKey::OffsetFetch);
    session.abort().unwrap();
}

#[test]
fn a_full_queue_inside_a_turn_is_drained_not_refused() {
    let (_cluster, mut settings) = mock(1);
    settings.properties.insert("queue.buffering.max.messages".to_owned(), "10".to_owned());
    let mut session = session(settings, "a");
    for _ in 0..500 {
        session.send(&output(Topic::Timeline, "thread", "fact")).unwrap();
    }
    session.commit(&BTreeMap::new()).unwrap();
}

#[test]
fn a_record_too_large_is_said_with_its_size() {
    let (_cluster, settings) = mock(1);
    let mut session = session(settings, "a");
    let huge = "x".repeat(3 << 20);
    let error = session.send(&output(Topic::Timeline, "t", &huge)).unwrap_err();
    assert!(error.to_string().contains("3145729 bytes"), "{error}");
    session.abort().unwrap();
}

/// Were the consumer's queue read in batches, librdkafka would unassign everything itself, and no callback be seen.
#[test]
fn both_members_are_asked_when_lanes_move() {
    let (_cluster, settings) = mock(2);
    let mut first = session(settings.clone(), "a");
    let watch = Stopwatch::start();
    while watch.elapsed() < PATIENCE {
        if let Polled::Assigned(lanes) = first.poll(&BOUNDS).unwrap() {
            assert_eq!(lanes, [0, 1]);
            first.take(&lanes).unwrap();
            break;
        }
    }
    let mut second = session(settings, "b");
    let (mut revoked, mut assigned) = (Vec::new(), Vec::new());
    while assigned.is_empty() && watch.elapsed() < PATIENCE {
        if let Polled::Revoked(lanes) = first.poll(&BOUNDS).unwrap() {
            assert_eq!(assigned, [0_u32; 0], "nobody has a lane before it was given up");
            // Asked again for as long as it was not given up.
            assert_eq!(first.poll(&BOUNDS).unwrap(), Polled::Revoked(lanes.clone()));
            first.give_up(&lanes).unwrap();
            revoked = lanes;
        }
        if let Polled::Assigned(lanes) = second.poll(&BOUNDS).unwrap() {
            assigned = lanes;
        }
    }
    assert_eq!(revoked.len(), 1);
    assert_eq!(assigned, revoked);
}
