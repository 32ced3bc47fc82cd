//! What librdkafka calls back: rebalances are noted, deliveries counted, statistics kept. Nothing is decided here.
//!
//! A rebalance is answered outside the callback, by [`super::Session`]: librdkafka waits for the answer and holds the
//! group's next step back until it comes (`docs/adr/0003-lanes.md`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use rdkafka::statistics::{Partition, Statistics};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::oneshot;

use super::complaints;
use super::error::{from_code, from_kafka};
use crate::broker::Error;
use crate::clock::Stopwatch;

/// The lock's content, even if its last holder panicked: every value here is whole after each statement.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client that only logs.
#[derive(Debug, Default)]
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        complaints::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, _reason: &str) {
        // The end of a partition is what a reader waits for, not a fault.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        complaints::tell("reader", &error);
    }
    fn stats(&self, _: Statistics) {}
}

impl ConsumerContext for Quiet {}

/// A rebalance as it was announced.
#[derive(Debug)]
pub(super) enum Note {
    /// Partitions of the lead topic that are ours from now on.
    Assigned(Vec<u32>),
    /// Partitions of the lead topic that we are asked to give up.
    Revoked {
        /// Which.
        lanes: Vec<u32>,
        /// They are gone already.
        lost: bool,
    },
}

/// A group member's callbacks.
#[derive(Debug, Default)]
pub(super) struct Member {
    notes: Mutex<VecDeque<Note>>,
    standings: Mutex<BTreeMap<(String, u32), Standing>>,
    closing: AtomicBool,
}

impl Member {
    /// The oldest rebalance not looked at.
    pub(super) fn next_note(&self) -> Option<Note> {
        lock(&self.notes).pop_front()
    }

    /// A rebalance waits to be looked at.
    pub(super) fn has_notes(&self) -> bool {
        !lock(&self.notes).is_empty()
    }

    /// From now on rebalances are answered at once: nobody is left to ask.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    /// How partitions stood at the last statistics, by topic and number.
    pub(super) fn standings(&self) -> BTreeMap<(String, u32), Standing> {
        lock(&self.standings).clone()
    }

    /// A client that terminates takes any answer as "give up everything". Asking it for its assignment first may
    /// block for ever: nobody serves that question any more.
    fn answer_at_once(consumer: &BaseConsumer<Self>, assigned: bool) {
        let nothing = TopicPartitionList::new();
        let answered = if assigned {
            consumer.incremental_assign(&nothing)
        } else {
            consumer.incremental_unassign(&nothing)
        };
        if let Err(error) = answered {
            tracing::debug!(kafka.error = %error, "a rebalance while closing was not answered");
        }
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        complaints::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, _reason: &str) {
        complaints::tell("consumer", &error);
    }

    fn stats(&self, statistics: Statistics) {
        let mut standings = BTreeMap::new();
        for topic in statistics.topics.into_values() {
            for partition in topic.partitions.into_values() {
                if let Ok(number) = u32::try_from(partition.partition) {
                    standings.insert((topic.topic.clone(), number), Standing::of(&partition));
                }
            }
        }
        *lock(&self.standings) = standings;
    }
}

/// How a partition stood at the last statistics, in the client's eyes. Negative: not known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// The end of what is stable.
    stable: i64,
    /// Where the client fetches next.
    fetched: i64,
    /// Fetched and not handed out; of all partitions together.
    at_hand: i64,
    /// Handed out up to here.
    handed: i64,
    /// Where the group stood when the lane was taken: what goes through a producer is not seen here.
    began: i64,
    /// The first offset there is.
    low: i64,
}

impl Standing {
    const fn of(partition: &Partition) -> Self {
        Self {
            stable: partition.ls_offset,
            fetched: partition.next_offset,
            at_hand: partition.fetchq_cnt,
            handed: partition.app_offset,
            began: partition.committed_offset,
            low: partition.lo_offset,
        }
    }

    /// How many records are not processed, where `committed` is what this session committed; `None`: nothing is known.
    ///
    /// Offsets are counted, and a transaction's marks and aborted records have some of their own. The client has fetched
    /// past those, though: where it stands at the stable end with nothing at hand or in work, nothing is behind.
    pub(super) fn behind(&self, committed: Option<i64>) -> Option<u64> {
        let stable = u64::try_from(self.stable).ok()?;
        let processed = committed.unwrap_or(self.began.max(self.low).max(0));
        if self.fetched >= self.stable && self.at_hand == 0 && processed >= self.handed {
            return Some(0);
        }
        Some(stable.saturating_sub(u64::try_from(processed).unwrap_or(0)))
    }
}

impl ConsumerContext for Member {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let assigned = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::SeqCst) {
            Self::answer_at_once(consumer, assigned);
            return;
        }
        let elements = partitions.elements();
        let mut lanes: Vec<u32> =
            elements.iter().filter_map(|one| u32::try_from(one.partition()).ok()).collect();
        lanes.sort_unstable();
        let note = if assigned {
            Note::Assigned(lanes)
        } else {
            Note::Revoked { lanes, lost: consumer.assignment_lost() }
        };
        lock(&self.notes).push_back(note);
    }
}

/// Delivery reports of a transactional producer, counted: a turn may commit when all of them are in.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    done: AtomicU64,
    /// `done` at which the waiter wants to be woken; zero: nobody waits.
    awaited: AtomicU64,
    waiter: Mutex<Option<Thread>>,
    failed: Mutex<Option<RDKafkaErrorCode>>,
}

impl Deliveries {
    /// How many records have their report.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    /// Waits until `count` records have their report. False when that took longer than `patience`.
    pub(super) fn wait(&self, count: u64, patience: Duration) -> bool {
        if self.done() >= count {
            return true;
        }
        let watch = Stopwatch::start();
        *lock(&self.waiter) = Some(std::thread::current());
        self.awaited.store(count, Ordering::SeqCst);
        while self.done() < count && watch.elapsed() < patience {
            std::thread::park_timeout(patience.saturating_sub(watch.elapsed()));
        }
        self.awaited.store(0, Ordering::SeqCst);
        self.done() >= count
    }

    /// The first failure since the last call.
    pub(super) fn take_failure(&self) -> Option<RDKafkaErrorCode> {
        lock(&self.failed).take()
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        complaints::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, _reason: &str) {
        complaints::tell("producer", &error);
    }
    fn stats(&self, _: Statistics) {}
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): Self::DeliveryOpaque) {
        if let Err((error, _)) = result {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            lock(&self.failed).get_or_insert(code);
        }
        let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        let awaited = self.awaited.load(Ordering::SeqCst);
        if awaited != 0
            && done >= awaited
            && let Some(waiter) = &*lock(&self.waiter)
        {
            waiter.unpark();
        }
    }
}

/// Who waits for one record's delivery.
pub(super) type Ack = oneshot::Sender<Result<(), Error>>;

/// Delivery reports of a producer at the edge, each passed to whoever waits for it.
#[derive(Debug, Default)]
pub(super) struct Acks;

impl ClientContext for Acks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        complaints::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, _reason: &str) {
        complaints::tell("producer", &error);
    }
    fn stats(&self, _: Statistics) {}
}

impl ProducerContext for Acks {
    type DeliveryOpaque = Box<Ack>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let told = match result {
            Ok(_) => Ok(()),
            Err((error, record)) => match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                    let bytes = record.payload().map_or(0, <[u8]>::len);
                    Err(Error::TooLarge { bytes: bytes + record.key().map_or(0, <[u8]>::len) })
                }
                // The time is up or the client goes: whoever asked may ask again.
                Some(
                    code @ (RDKafkaErrorCode::MessageTimedOut
                    | RDKafkaErrorCode::PurgeQueue
                    | RDKafkaErrorCode::PurgeInflight),
                ) => Err(Error::Retriable(code.to_string())),
                Some(code) => Err(from_code(code)),
                None => Err(from_kafka(error)),
            },
        };
        if waiting.send(told).is_err() {
            tracing::debug!("nobody waits for a delivery any more");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_aborted_records_at_the_end_are_nothing_to_be_behind_of() {
        let idle = Standing { stable: 10, fetched: 10, at_hand: 0, handed: 9, began: 3, low: 0 };
        // what stands otherwise, what was committed, how much is behind
        check(idle, Some(9), Some(0));
        check(Standing { fetched: 12, stable: 12, ..idle }, Some(9), Some(0));
        check(Standing { at_hand: 2, ..idle }, Some(9), Some(1));
        check(Standing { fetched: 8, ..idle }, Some(4), Some(6));
        // Handed out and not committed yet is still to be done.
        check(idle, Some(5), Some(5));
        // Never processed here: from where the group stood, else from the log's start.
        check(Standing { handed: -1001, ..idle }, None, Some(0));
        check(Standing { handed: -1001, fetched: 4, ..idle }, None, Some(7));
        let untouched = Standing { handed: -1001, began: -1001, fetched: -1001, low: 2, ..idle };
        check(untouched, None, Some(8));
        check(Standing { stable: -1001, ..idle }, Some(9), None);

        #[track_caller]
        fn check(standing: Standing, committed: Option<i64>, behind: Option<u64>) {
            assert_eq!(standing.behind(committed), behind, "{standing:?}");
        }
    }
}
