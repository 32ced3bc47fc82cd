//! Where the group goes on in the inputs of a member's lanes: remembered as committed here, else asked for, and gone back to.
//!
//! Promise: an answer that is an error is never taken for "nothing was committed yet", and a partition that was not rewound
//! is an error, unless nothing of it was handed out: whoever went on reading behind records that were taken back would
//! lose them.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::context::Member;
use super::error::from_kafka;
use super::signed;
use crate::broker::{Error, NextOffsets};
use crate::clock::Stopwatch;
use crate::topics::Topic;

/// Between two questions where the group stands.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// One partition of an input.
type Input = (Topic, u32);

/// The offsets last committed here.
#[derive(Debug, Default)]
pub(super) struct Places {
    kept: BTreeMap<Input, i64>,
}

impl Places {
    /// `next` was committed.
    pub(super) fn committed(&mut self, next: &NextOffsets) {
        let places = next.iter().map(|(input, offset)| (*input, i64::try_from(*offset)));
        self.kept.extend(places.filter_map(|(input, offset)| Some((input, offset.ok()?))));
    }

    /// These lanes are not ours any more.
    pub(super) fn give_up(&mut self, lanes: &[u32]) {
        self.kept.retain(|(_, lane), _| !lanes.contains(lane));
    }

    /// What was committed here, if anything.
    pub(super) fn of(&self, input: Input) -> Option<i64> {
        self.kept.get(&input).copied()
    }

    /// Where the group goes on in `input`, whose partitions are called `name`: asked for once. Nothing of it was ever
    /// processed: where its log begins.
    ///
    /// # Errors
    ///
    /// As the client's; nothing is known then.
    pub(super) fn ask(
        &mut self,
        consumer: &BaseConsumer<Member>,
        input: Input,
        name: &str,
        patience: Duration,
    ) -> Result<i64, KafkaError> {
        if let Some(place) = self.of(input) {
            return Ok(place);
        }
        let mut asked = TopicPartitionList::new();
        asked.add_partition(name, signed(input.1));
        let place = match stands_at(consumer, &asked, patience)?.elements().first() {
            Some(told) if matches!(told.offset(), Offset::Offset(_)) => {
                told.offset().to_raw().unwrap_or_default()
            }
            _ => consumer.fetch_watermarks(name, signed(input.1), patience)?.0,
        };
        self.kept.insert(input, place);
        Ok(place)
    }
}

/// Reads `partitions` again from their committed offsets; from the beginning where there is none.
///
/// # Errors
///
/// `Fatal` when one of them goes on where it was; a new session starts from the same offsets.
pub(super) fn rewind(
    consumer: &BaseConsumer<Member>,
    partitions: &TopicPartitionList,
    patience: Duration,
) -> Result<(), Error> {
    let fatal = |error: KafkaError| Error::Fatal(format!("not rewound: {error}"));
    let committed = stands_at(consumer, partitions, patience).map_err(fatal)?;
    for mut place in committed.elements() {
        if !matches!(place.offset(), Offset::Offset(_)) {
            place.set_offset(Offset::Beginning).map_err(|error| from_kafka(&error))?;
        }
    }
    let sought = consumer.seek_partitions(committed, patience).map_err(fatal)?;
    let refused = sought.elements().iter().any(|place| place.error().is_err());
    if !refused {
        return Ok(());
    }
    let read = consumer.position().map_err(fatal)?;
    for place in sought.elements() {
        let Err(error) = place.error() else { continue };
        let read = read.find_partition(place.topic(), place.partition());
        let was_read = read.is_some_and(|read| matches!(read.offset(), Offset::Offset(_)));
        accept(&error, was_read)?;
        tracing::debug!(kafka.lane = place.partition(), "nothing to rewind: not yet read");
    }
    Ok(())
}

/// The committed offsets of `partitions`; one that is not known is an error for all of them.
///
/// While a transaction's end is on its way to the group, the group does not say where it stands. The client asks a few times
/// by itself, and then hands out "none" with an error beside it.
fn stands_at(
    consumer: &BaseConsumer<Member>,
    partitions: &TopicPartitionList,
    patience: Duration,
) -> Result<TopicPartitionList, KafkaError> {
    let watch = Stopwatch::start();
    loop {
        let told = consumer.committed_offsets(partitions.clone(), patience);
        let told = told.and_then(|told| {
            told.elements().iter().try_for_each(|place| place.error())?;
            Ok(told)
        });
        match told {
            Err(error) if is_unsettled(&error) && watch.elapsed() < patience => {
                std::thread::sleep(ASK_AGAIN);
            }
            told => return told,
        }
    }
}

fn is_unsettled(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(Code::UnstableOffsetCommit)
}

/// Whether a refused seek does no harm: the partition has not begun to be fetched, so that it begins at its committed offset
/// anyway.
fn accept(refusal: &KafkaError, was_read: bool) -> Result<(), Error> {
    if refusal.rdkafka_error_code() == Some(Code::State) && !was_read {
        return Ok(());
    }
    Err(Error::Fatal(format!("a partition was not rewound: {refusal}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Remedy;

    const INPUT: Topic = Topic::EventsNormalized;

    #[test]
    fn places_are_what_was_committed_last_until_their_lane_goes() {
        let mut places = Places::default();
        assert_eq!(places.of((INPUT, 0)), None);
        places.committed(&NextOffsets::from([((INPUT, 0), 7), ((INPUT, 1), 9)]));
        places.committed(&NextOffsets::from([((INPUT, 0), 8)]));
        assert_eq!((places.of((INPUT, 0)), places.of((INPUT, 1))), (Some(8), Some(9)));
        places.give_up(&[1, 2]);
        assert_eq!((places.of((INPUT, 0)), places.of((INPUT, 1))), (Some(8), None));
    }

    #[test]
    fn only_a_partition_that_was_never_read_may_refuse_to_be_rewound() {
        let refusal = KafkaError::OffsetFetch;
        assert!(accept(&refusal(Code::State), false).is_ok());
        check(Code::State, true);
        check(Code::UnknownPartition, false);
        check(Code::PreviousInProgress, false);
        check(Code::InProgress, true);
        check(Code::InvalidArgument, false);

        #[track_caller]
        fn check(code: Code, was_read: bool) {
            let refused = accept(&KafkaError::OffsetFetch(code), was_read).unwrap_err();
            assert_eq!(refused.remedy(), Remedy::Rebuild, "{code:?}: {refused}");
        }
    }
}
