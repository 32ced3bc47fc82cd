//! The edges: what is appended is there as it was given; readers begin and end where they should.

use std::collections::BTreeMap;

use dmstream::broker::kafka::KafkaBroker;
use dmstream::broker::record::{Headers, Output, Record};
use dmstream::broker::{Error, PollBounds, Polled};
use dmstream::clock::Stopwatch;
use dmstream::domain::time::Timestamp;
use dmstream::topics::Topic;
use rdkafka::admin::AdminOptions;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::world::{
    BOUNDS, PATIENCE, admin, append, create, output, read_all, reader, settings, spec, text, wait,
    world,
};

#[test]
fn what_is_acknowledged_is_there_as_it_was_given() {
    let broker = world("append", &[(Topic::WebhooksRaw, 1)]);
    let producer = broker.producer().unwrap();
    let mut headers = Headers::default();
    headers.push("ce_id", "ev-1");
    headers.push("ce_id", "second");
    let given = Output {
        topic: Topic::WebhooksRaw,
        partition: Some(0),
        key: b"key".to_vec(),
        value: None,
        headers: headers.clone(),
        timestamp: Timestamp::from_ms(1_700_000_000_123),
    };
    wait(producer.append(given)).unwrap();
    let mut records = Vec::new();
    let mut patient = reader(&broker, Topic::WebhooksRaw);
    while records.is_empty() {
        records = patient.poll(&BOUNDS).unwrap().records;
    }
    let record = &records[0];
    assert_eq!(record.key.as_deref(), Some(b"key".as_slice()));
    assert_eq!(record.value, None);
    assert_eq!(record.headers, headers);
    assert_eq!(record.timestamp, Timestamp::from_ms(1_700_000_000_123));
}

#[test]
fn what_is_read_into_the_memory_of_used_records_is_as_it_was_given() {
    let broker = world("used", &[(Topic::EventsNormalized, 1)]);
    let producer = broker.producer().unwrap();
    let given = |n: u64, key: &str, value: Option<&str>, headers: &[(&str, &str)]| {
        let mut output = output(Topic::EventsNormalized, key, "");
        output.value = value.map(|value| value.as_bytes().to_vec());
        headers.iter().for_each(|(name, value)| output.headers.push(name, value));
        output.timestamp = Timestamp::from_ms(1_700_000_000_000 + n);
        output
    };
    let long = "x".repeat(4_000);
    let all = [
        given(0, "a long key", Some(&long), &[("ce_id", "1"), ("other", &long)]),
        given(1, "k", None, &[]),
        given(2, "k", Some("short"), &[("ce_specversion", "1.0"), ("ce_id", "2")]),
        given(3, "", Some(""), &[("", "")]),
        given(4, "a long key", Some(&long), &[]),
    ];
    for output in &all {
        wait(producer.append(output.clone())).unwrap();
    }
    let mut session = broker.session(&spec("a", &[Topic::EventsNormalized])).unwrap();
    let (watch, one) = (Stopwatch::start(), PollBounds { records_max: 1, ..BOUNDS });
    let (mut read, mut slice) = (Vec::new(), Vec::new());
    while read.len() < all.len() {
        assert!(watch.elapsed() < PATIENCE, "only {} records came", read.len());
        if slice.is_empty() {
            match session.poll(&one).unwrap() {
                Polled::Assigned(lanes) => session.take(&lanes).unwrap(),
                Polled::Records { records, .. } => slice = records,
                Polled::Idle | Polled::Revoked(_) | Polled::Lost(_) => (),
            }
        }
        read.extend(slice.iter().cloned());
        (slice, _) = session.read_on(&one, slice).unwrap();
    }
    for (offset, (record, output)) in (0..).zip(read.iter().zip(&all)) {
        let expected = Record {
            topic: output.topic,
            partition: 0,
            offset,
            timestamp: output.timestamp,
            key: Some(output.key.clone()),
            value: output.value.clone(),
            headers: output.headers.clone(),
        };
        assert_eq!(*record, expected);
    }
    session.close().unwrap();
}

#[test]
fn a_full_queue_is_said_at_once() {
    // Nobody listens there, so nothing ever leaves the queue.
    let mut settings = dmstream::broker::kafka::KafkaSettings::new("127.0.0.1:9");
    settings.properties.insert("queue.buffering.max.messages".to_owned(), "2".to_owned());
    let producer = KafkaBroker::connect(settings).unwrap().producer().unwrap();
    let waiting: Vec<_> =
        (0..2).map(|_| producer.append(output(Topic::WebhooksRaw, "k", "v"))).collect();
    let refused = wait(producer.append(output(Topic::WebhooksRaw, "k", "v"))).unwrap_err();
    assert!(matches!(refused, Error::QueueFull), "{refused}");
    drop(producer);
    for answer in waiting {
        let unanswered = wait(answer).unwrap_err();
        assert!(matches!(unanswered, Error::Retriable(_)), "{unanswered}");
    }
}

#[test]
fn a_reader_begins_at_the_logs_start_where_its_offset_is_gone() {
    let settings = settings("below");
    create(&settings, &[(Topic::Timeline, 1)]);
    let broker = KafkaBroker::connect(settings.clone()).unwrap();
    let producer = broker.producer().unwrap();
    for n in 0..6 {
        append(&producer, Topic::Timeline, "t", &format!("m{n}"));
    }
    let mut gone = TopicPartitionList::new();
    let name = format!("{}{}", settings.topic_prefix, Topic::Timeline.name());
    gone.add_partition_offset(&name, 0, Offset::Offset(4)).unwrap();
    wait(admin(&settings).delete_records(&gone, &AdminOptions::new())).unwrap();

    let from = BTreeMap::from([((Topic::Timeline, 0), 2)]);
    assert_eq!(read_all(&mut broker.reader(&from).unwrap()).0, ["m4", "m5"]);
    let from = BTreeMap::from([((Topic::Timeline, 0), 5)]);
    assert_eq!(read_all(&mut broker.reader(&from).unwrap()).0, ["m5"]);
}

#[test]
fn a_reader_of_several_topics_ends_when_all_of_them_do_and_goes_on() {
    let broker =
        world("several", &[(Topic::Timeline, 3), (Topic::Conversations, 2), (Topic::Customers, 1)]);
    let producer = broker.producer().unwrap();
    for n in 0..20 {
        append(&producer, Topic::Timeline, &format!("t{n}"), &format!("t{n:02}"));
    }
    append(&producer, Topic::Conversations, "c", "c");
    let mut from = BTreeMap::new();
    for topic in [Topic::Timeline, Topic::Conversations, Topic::Customers] {
        from.extend((0..broker.partitions(topic).unwrap()).map(|one| ((topic, one), 0)));
    }
    let mut reader = broker.reader(&from).unwrap();
    let (seen, next) = read_all(&mut reader);
    assert_eq!(seen.len(), 21);
    assert_eq!(next.len(), 6);
    assert_eq!(next[&(Topic::Conversations, 0)] + next[&(Topic::Conversations, 1)], 1);
    append(&producer, Topic::Customers, "k", "new");
    loop {
        let batch = reader.poll(&BOUNDS).unwrap();
        if let Some(record) = batch.records.first() {
            assert_eq!(text(record), "new");
            break;
        }
    }
}
