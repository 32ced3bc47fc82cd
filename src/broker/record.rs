//! What goes into a log and comes out of it. Pure.
//!
//! CloudEvents 1.0 in binary mode: the value is the data, `ce_*` headers say what it is. Every public record is made by
//! [`Output::event`], so that none can forget its headers.

use serde::Serialize;

pub use crate::broker::headers::Headers;
use crate::domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::topics::Topic;

/// Header names; nowhere else.
pub mod header {
    /// The dedupe id.
    pub const ID: &str = "ce_id";
    /// What happened.
    pub const TYPE: &str = "ce_type";
    /// Which stage says so.
    pub const SOURCE: &str = "ce_source";
    /// When, RFC 3339.
    pub const TIME: &str = "ce_time";
    /// CloudEvents version.
    pub const SPEC_VERSION: &str = "ce_specversion";
    /// Media type of the value.
    pub const CONTENT_TYPE: &str = "content-type";
    /// W3C trace context.
    pub const TRACE_PARENT: &str = "traceparent";
    /// What public records carry, in the order in which they are written.
    pub(in crate::broker) const COMMON: [&str; 7] =
        [SPEC_VERSION, ID, TYPE, SOURCE, TIME, CONTENT_TYPE, TRACE_PARENT];
    /// In front of every header that dmstream adds to a dead letter.
    pub const OURS: &str = "dmstream_";
    /// Dead letter: why.
    pub const REASON: &str = "dmstream_reason";
    /// Dead letter: where in the body.
    pub const DETAIL: &str = "dmstream_detail";
    /// Dead letter: topic it was read from.
    pub const SOURCE_TOPIC: &str = "dmstream_source_topic";
    /// Dead letter: partition it was read from.
    pub const SOURCE_PARTITION: &str = "dmstream_source_partition";
    /// Dead letter: offset it was read from.
    pub const SOURCE_OFFSET: &str = "dmstream_source_offset";
    /// Dead letter: key it had; absent when it had none.
    pub const SOURCE_KEY: &str = "dmstream_source_key";
    /// Dead letter: when the source record was written, milliseconds.
    pub const SOURCE_TIME: &str = "dmstream_source_time";
}

/// Room for a value before it is known how long it becomes: most of ours fit.
const VALUE_BYTES: usize = 768;

/// A record read from a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where from.
    pub topic: Topic,
    /// Which partition.
    pub partition: u32,
    /// Its place there.
    pub offset: u64,
    /// When it was written; for `webhooks.raw`, received.
    pub timestamp: Timestamp,
    /// Its key, when it has one.
    pub key: Option<Vec<u8>>,
    /// What it says; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// What is said about it. Empty when they were unreadable.
    pub headers: Headers,
}

impl Record {
    /// The value, empty for a tombstone.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.value.as_deref().unwrap_or_default()
    }

    /// Bytes of key and value, for bounds.
    #[must_use]
    pub fn size(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.bytes().len()
    }

    /// Its dead letter: its bytes and headers, why it can never be processed, where in it, and where it came from.
    #[must_use]
    pub fn dead_letter(&self, reason: &str, detail: Option<&str>) -> Output {
        let mut headers = Headers::default();
        headers.push(header::REASON, reason);
        if let Some(detail) = detail {
            headers.push(header::DETAIL, detail);
        }
        headers.push(header::SOURCE_TOPIC, self.topic.name());
        headers.push(header::SOURCE_PARTITION, &self.partition.to_string());
        headers.push(header::SOURCE_OFFSET, &self.offset.to_string());
        headers.push(header::SOURCE_TIME, &self.timestamp.as_ms().to_string());
        if let Some(key) = &self.key {
            headers.push_read(header::SOURCE_KEY, key);
        }
        // A letter that was put back and failed again says where it failed last.
        headers.extend_with(&self.headers, |name| !name.starts_with(header::OURS));
        Output {
            topic: Topic::DeadLetters,
            partition: None,
            key: format!("{}-{}", self.topic.name(), self.partition).into_bytes(),
            value: self.value.clone(),
            headers,
            timestamp: self.timestamp,
        }
    }
}

/// Runs of records of one input, each with the input's topic and partition: what comes from a log comes in such runs.
pub fn runs(records: &[Record]) -> impl Iterator<Item = ((Topic, u32), &[Record])> {
    let input = |record: &Record| (record.topic, record.partition);
    let runs = records.chunk_by(move |a, b| input(a) == input(b));
    runs.filter_map(move |run| Some((input(run.first()?), run)))
}

/// A record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Where to.
    pub topic: Topic,
    /// Set by hand for changelogs (the input's partition); otherwise murmur2 of the key.
    pub partition: Option<u32>,
    /// Its key.
    pub key: Vec<u8>,
    /// What it says; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// What is said about it.
    pub headers: Headers,
    /// When it happened to us.
    pub timestamp: Timestamp,
}

/// What the headers of a public record say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloudEvent<'a> {
    /// The dedupe id.
    pub id: &'a str,
    /// What happened.
    pub kind: &'a str,
    /// Which stage says so: `/dmstream/<stage>`.
    pub source: &'a str,
    /// When.
    pub time: Timestamp,
    /// Trace to go on with, copied from the input.
    pub traceparent: Option<&'a str>,
}

impl Output {
    /// A public record: `value` as JSON under CloudEvents headers.
    ///
    /// # Errors
    ///
    /// The serializer's; our own types give none.
    pub fn event(
        topic: Topic,
        key: &str,
        event: &CloudEvent<'_>,
        value: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self::written(topic, key, event, json(value)?))
    }

    /// The same of a `value` that is written already.
    #[must_use]
    pub fn written(topic: Topic, key: &str, event: &CloudEvent<'_>, value: Vec<u8>) -> Self {
        let mut headers = Headers::roomy();
        headers.push(header::SPEC_VERSION, "1.0");
        headers.push(header::ID, event.id);
        headers.push(header::TYPE, event.kind);
        headers.push(header::SOURCE, event.source);
        headers.push(header::TIME, text_of(&calendar(event.time)));
        headers.push(header::CONTENT_TYPE, "application/json");
        if let Some(trace) = event.traceparent {
            headers.push(header::TRACE_PARENT, trace);
        }
        let (key, timestamp) = (key.as_bytes().to_vec(), event.time);
        Self { topic, partition: None, key, value: Some(value), headers, timestamp }
    }

    /// How much room it takes, for bounds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len) + self.headers.bytes()
    }
}

/// `value` as a record's value.
///
/// # Errors
///
/// The serializer's; our own types give none.
pub fn json(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(VALUE_BYTES);
    serde_json::to_writer(&mut bytes, value)?;
    Ok(bytes)
}

/// `2023-11-14T22:13:20.123Z`; the epoch where the moment is beyond the calendar.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    text_of(&calendar(at)).to_owned()
}

fn text_of(digits: &[u8]) -> &str {
    std::str::from_utf8(digits).unwrap_or_default()
}

/// A moment by the calendar, in ASCII.
///
/// Written out by hand: each record has one, and a calendar library takes longer over it than all else of its headers.
fn calendar(at: Timestamp) -> [u8; 24] {
    const LAST_MS: u64 = 253_402_300_799_999;
    let at_ms = if at.as_ms() > LAST_MS { 0 } else { at.as_ms() };
    let (year, month, day) = civil(at_ms / DAY_MS);
    let in_day = at_ms % DAY_MS;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    for (place, value, digits) in [
        (0, year, 4),
        (5, month, 2),
        (8, day, 2),
        (11, in_day / HOUR_MS, 2),
        (14, in_day / MINUTE_MS % 60, 2),
        (17, in_day / SECOND_MS % 60, 2),
        (20, in_day % SECOND_MS, 3),
    ] {
        write_digits(text.get_mut(place..place + digits).unwrap_or_default(), value);
    }
    text
}

/// The last digits of `value`, as many as there is room for.
fn write_digits(room: &mut [u8], mut value: u64) {
    for digit in room.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

/// Year, month and day of a day since the epoch.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
const fn civil(day: u64) -> (u64, u64, u64) {
    // Days since 1 March of the year 0, in eras of 400 years.
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_record_says_what_it_is() {
        let event = CloudEvent {
            id: "ev-1",
            kind: "message.received",
            source: "/dmstream/normalize",
            time: Timestamp::from_ms(1_700_000_000_123),
            traceparent: None,
        };
        let output = Output::event(Topic::EventsNormalized, "a:p", &event, &"hi").unwrap();
        assert_eq!(output.headers.text(header::TIME), Some("2023-11-14T22:13:20.123Z"));
        assert_eq!(output.headers.text(header::ID), Some("ev-1"));
        assert_eq!(output.headers.text(header::TRACE_PARENT), None);
        assert_eq!(output.value.as_deref(), Some(br#""hi""#.as_slice()));
    }

    #[test]
    fn runs_are_of_one_input_each_and_leave_nothing_out() {
        check(&[], &[]);
        check(&[(Topic::Timeline, 1)], &[1]);
        let (log, other) = (Topic::Timeline, Topic::Settings);
        check(&[(log, 1), (log, 1), (log, 2), (other, 2), (other, 2), (log, 1)], &[2, 1, 2, 1]);

        #[track_caller]
        fn check(inputs: &[(Topic, u32)], lengths: &[usize]) {
            let record = |(offset, (topic, partition)): (usize, &(Topic, u32))| Record {
                topic: *topic,
                partition: *partition,
                offset: offset as u64,
                timestamp: Timestamp::default(),
                key: None,
                value: None,
                headers: Headers::default(),
            };
            let records: Vec<Record> = inputs.iter().enumerate().map(record).collect();
            let found: Vec<_> = runs(&records).collect();
            assert_eq!(found.iter().map(|(_, run)| run.len()).collect::<Vec<_>>(), lengths);
            let back = found.iter().flat_map(|(input, run)| run.iter().map(|_| *input));
            assert_eq!(back.collect::<Vec<_>>(), inputs);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_moment_is_written_as_the_calendar_has_it(ms in 0_u64..253_402_300_800_000) {
            let moment = jiff::Timestamp::from_millisecond(i64::try_from(ms).unwrap()).unwrap();
            proptest::prop_assert_eq!(rfc3339(Timestamp::from_ms(ms)), format!("{moment:.3}"));
        }
    }

    #[test]
    fn what_is_beyond_the_calendar_is_the_epoch() {
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_399_999, "2000-02-28T23:59:59.999Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(253_402_300_799_999, "9999-12-31T23:59:59.999Z");
        check(253_402_300_800_000, "1970-01-01T00:00:00.000Z");
        check(u64::MAX, "1970-01-01T00:00:00.000Z");

        #[track_caller]
        fn check(ms: u64, text: &str) {
            assert_eq!(rfc3339(Timestamp::from_ms(ms)), text);
        }
    }
}
