//! Records between librdkafka's shape and ours. Bytes are copied at once: a borrowed message pins its whole fetch.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::message::{
    BorrowedHeaders, BorrowedMessage, Header, Headers as _, Message, OwnedHeaders,
};
use rdkafka::producer::BaseRecord;
use rdkafka::util::IntoOpaque;

use crate::broker::record::{Headers, Output, Record};
use crate::domain::time::Timestamp;
use crate::topics::Topic;

/// The message as ours.
pub(super) fn record(topic: Topic, partition: u32, message: &BorrowedMessage<'_>) -> Record {
    let (key, value, headers) = (None, None, Headers::roomy());
    let (offset, timestamp) = (0, Timestamp::default());
    let mut record = Record { topic, partition, offset, timestamp, key, value, headers };
    fill(&mut record, (topic, partition), message);
    record
}

/// The same in the place of a record that is not needed any more, with its memory.
pub(super) fn fill(
    record: &mut Record,
    (topic, partition): (Topic, u32),
    message: &BorrowedMessage<'_>,
) {
    let written_at = message.timestamp().to_millis().unwrap_or(0);
    (record.topic, record.partition) = (topic, partition);
    record.offset = u64::try_from(message.offset()).unwrap_or(0);
    record.timestamp = Timestamp::from_ms(u64::try_from(written_at).unwrap_or(0));
    refill(&mut record.key, message.key());
    refill(&mut record.value, message.payload());
    record.headers.clear();
    if let Some(found) = message.headers() {
        read_headers(found, &mut record.headers);
    }
}

fn refill(room: &mut Option<Vec<u8>>, bytes: Option<&[u8]>) {
    match bytes {
        None => *room = None,
        Some(bytes) => {
            let room = room.get_or_insert_default();
            room.clear();
            room.extend_from_slice(bytes);
        }
    }
}

/// The headers, or none at all when one of their names is not UTF-8: rdkafka panics on such a name, and a poison
/// record must not end the worker.
fn read_headers(found: &BorrowedHeaders, into: &mut Headers) {
    let read = catch_unwind(AssertUnwindSafe(|| {
        for header in found.iter() {
            into.push_read(header.key, header.value.unwrap_or_default());
        }
    }));
    if read.is_err() {
        into.clear();
    }
}

/// The output as rdkafka takes it. Without a partition of its own, librdkafka's murmur2 of the key decides.
pub(super) fn outgoing<'a, D: IntoOpaque>(
    name: &'a str,
    output: &'a Output,
    opaque: D,
) -> BaseRecord<'a, [u8], [u8], D> {
    let mut record = BaseRecord::with_opaque_to(name, opaque).key(output.key.as_slice());
    record.payload = output.value.as_deref();
    record.partition = output.partition.and_then(|partition| i32::try_from(partition).ok());
    record.timestamp = i64::try_from(output.timestamp.as_ms()).ok();
    if !output.headers.is_empty() {
        let mut headers = OwnedHeaders::new_with_capacity(output.headers.len());
        for (key, value) in output.headers.iter() {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        record.headers = Some(headers);
    }
    record
}
