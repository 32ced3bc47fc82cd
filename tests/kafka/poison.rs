//! A record that no Rust client can write: a header's name that is not UTF-8. rdkafka panics on it; a worker must not.
//!
//! It is written byte by byte. Source: Kafka protocol, "Produce API" version 3 and "Record Batch".

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use dmstream::broker::kafka::KafkaBroker;
use dmstream::broker::record::Record;
use dmstream::broker::{PollBounds, Polled};
use dmstream::clock::Stopwatch;
use dmstream::topics::Topic;

use crate::world::{BOUNDS, PATIENCE, append, create, output, settings, spec, text, wait};

#[test]
fn a_header_whose_name_is_no_text_ends_nothing_and_its_neighbours_are_read() {
    let settings = settings("poison");
    create(&settings, &[(Topic::EventsNormalized, 1), (Topic::Timeline, 1)]);
    let broker = KafkaBroker::connect(settings.clone()).unwrap();
    let producer = broker.producer().unwrap();
    let mut before = output(Topic::EventsNormalized, "t", "before");
    before.headers.push("ce_id", "1");
    wait(producer.append(before)).unwrap();
    let name = format!("{}{}", settings.topic_prefix, Topic::EventsNormalized.name());
    assert_eq!(produce(&settings.bootstrap, &name, &batch(b"poison", b"\xff\xfe")), 0);
    append(&producer, Topic::EventsNormalized, "t", "after");

    let mut session = broker.session(&spec("a", &[Topic::EventsNormalized])).unwrap();
    let (watch, mut read) = (Stopwatch::start(), Vec::<Record>::new());
    let one = PollBounds { records_max: 1, ..BOUNDS };
    while read.len() < 3 {
        assert!(watch.elapsed() < PATIENCE, "only {} records came", read.len());
        match session.poll(&one).unwrap() {
            Polled::Assigned(lanes) => session.take(&lanes).unwrap(),
            Polled::Records { records, .. } => {
                read.extend(records.iter().cloned());
                // What comes at once comes in the memory of what was read, headers and all.
                read.extend(session.read_on(&BOUNDS, records).unwrap().0);
            }
            Polled::Idle | Polled::Revoked(_) | Polled::Lost(_) => (),
        }
    }
    assert_eq!(read.iter().map(text).collect::<Vec<_>>(), ["before", "poison", "after"]);
    assert!(read[1].headers.is_empty(), "none of its headers is believed");
    session.commit(&BTreeMap::from([((Topic::EventsNormalized, 0), 3)])).unwrap();
    session.close().unwrap();
}

/// A batch of one record with this value, and one header of this name.
fn batch(value: &[u8], header: &[u8]) -> Vec<u8> {
    let mut record = vec![0, 0, 0, 2, b't'];
    record.push(zigzag(value.len()));
    record.extend_from_slice(value);
    record.extend_from_slice(&[zigzag(1), zigzag(header.len())]);
    record.extend_from_slice(header);
    record.extend_from_slice(&[zigzag(1), b'v']);

    // Attributes, last offset delta, two timestamps, no producer, one record.
    let mut checked = [0_u16.to_be_bytes().as_slice(), &0_u32.to_be_bytes()].concat();
    checked.extend_from_slice(&1_700_000_000_000_u64.to_be_bytes());
    checked.extend_from_slice(&1_700_000_000_000_u64.to_be_bytes());
    checked.extend_from_slice(&[0xff; 8 + 2 + 4]);
    checked.extend_from_slice(&1_u32.to_be_bytes());
    checked.push(zigzag(record.len()));
    checked.extend_from_slice(&record);

    let length = u32::try_from(4 + 1 + 4 + checked.len()).unwrap();
    let mut batch = [0_u64.to_be_bytes().as_slice(), &length.to_be_bytes()].concat();
    batch.extend_from_slice(&[0xff; 4]);
    batch.push(2);
    batch.extend_from_slice(&crc32c(&checked).to_be_bytes());
    batch.extend_from_slice(&checked);
    batch
}

/// A small length as the format writes it, in one byte.
fn zigzag(length: usize) -> u8 {
    assert!(length < 64);
    u8::try_from(length * 2).unwrap()
}

/// Castagnoli's.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    !crc
}

/// Writes a batch to partition 0; the broker's error code, zero for none.
fn produce(bootstrap: &str, topic: &str, batch: &[u8]) -> u16 {
    let text =
        |text: &str| [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
    let number = |number: usize| u32::try_from(number).unwrap().to_be_bytes();
    // Produce, version 3, correlation 7, client; no transaction, all copies, 10 s; one topic, one partition.
    let mut request = vec![0, 0, 0, 3, 0, 0, 0, 7];
    request.extend_from_slice(&text("test"));
    request.extend_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    request.extend_from_slice(&number(10_000));
    request.extend_from_slice(&number(1));
    request.extend_from_slice(&text(topic));
    request.extend_from_slice(&[number(1), number(0), number(batch.len())].concat());
    request.extend_from_slice(batch);
    let mut broker = TcpStream::connect(bootstrap).unwrap();
    broker.write_all(&number(request.len())).unwrap();
    broker.write_all(&request).unwrap();

    let mut length = [0; 4];
    broker.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    broker.read_exact(&mut answer).unwrap();
    // Correlation, one topic with its name, one partition, its number: then the code.
    let code = 4 + 4 + 2 + topic.len() + 4 + 4;
    u16::from_be_bytes([answer[code], answer[code + 1]])
}
