//! One worker's hold on Kafka: a member of the stage's group and its transactional producer.
//!
//! Promise: only lanes that were taken are read, and a lane is out of our hands only after `give_up`. The member
//! subscribes to the first input alone; partition N of every other input comes and goes with lane N, so that one member
//! has them all whatever the assignor does (`docs/adr/0003-lanes.md`).

use std::fmt;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::context::{Member, Note};
use super::error::{from_kafka, pass_over};
use super::fresh::Fresh;
use super::lanes::Lanes;
use super::places::{self, Places};
use super::roll::Roll;
use super::transaction::Transaction;
use super::{KafkaBroker, signed, wire};
use crate::broker::record::{Output, Record};
use crate::broker::{Error, Lag, NextOffsets, PollBounds, Polled, SessionSpec};
use crate::clock::Stopwatch;
use crate::topics::Topic;

/// Room for records before it is known how many come: a worker reads so many at a time.
const ROOM_RECORDS: usize = 256;
/// How long a member that is closed before it joined may take to join.
const JOIN_WITHIN: Duration = Duration::from_secs(4);
/// How long leaving the group may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// A member of a group and its transaction. Belongs to one thread.
pub struct Session {
    // Dropped in this order: the transaction ends before the lanes go.
    transaction: Transaction,
    consumer: BaseConsumer<Member>,
    broker: KafkaBroker,
    inputs: Vec<(String, Topic)>,
    lanes: Lanes,
    roll: Roll,
    /// Where the group goes on in our lanes' inputs, as committed here.
    places: Places,
    /// Inputs taken a moment ago, not yet read to where they ended then.
    fresh: Fresh,
    /// The group has answered at least once.
    joined: bool,
    /// This member is broken, or lanes have no member: whoever goes leaves the group, so that all are shared out again.
    leaves: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("lanes", &self.lanes).finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn open(broker: &KafkaBroker, spec: &SessionSpec) -> Result<Self, Error> {
        let settings = &broker.shared.settings;
        let lanes_count = check_lanes(broker, &spec.inputs)?;
        let named = |topic: &Topic| (broker.shared.names.of(*topic).to_owned(), *topic);
        let inputs: Vec<(String, Topic)> = spec.inputs.iter().map(named).collect();
        let group = format!("{}{}", settings.topic_prefix, spec.group);
        let id = format!("{group}-{}", spec.member);
        let config = settings.member(&group, &spec.member);
        // First of all: a predecessor's transaction is ended before anybody looks for its offsets.
        let transaction = Transaction::open(settings, &id)?;
        let consumer = BaseConsumer::from_config_and_context(&config, Member::default())
            .map_err(|error| from_kafka(&error))?;
        if let Some((lead, _)) = inputs.first() {
            consumer.subscribe(&[lead.as_str()]).map_err(|error| from_kafka(&error))?;
        }
        let lead = inputs.first().map_or("", |(name, _)| name.as_str());
        let roll = Roll::new(&group, lead, lanes_count);
        let (broker, lanes) = (broker.clone(), Lanes::default());
        Ok(Self {
            transaction,
            consumer,
            broker,
            inputs,
            lanes,
            roll,
            places: Places::default(),
            fresh: Fresh::default(),
            joined: false,
            leaves: false,
        })
    }

    /// What comes next: a change of lanes before any records. A revoke that was not answered is told again.
    ///
    /// # Errors
    ///
    /// `Fatal` when the client is of no use any more, or lanes have no member; `Topics` when an input has gone. Passing
    /// trouble is logged, and looks like `Idle`.
    pub fn poll(&mut self, bounds: &PollBounds) -> Result<Polled, Error> {
        let called = self.roll.call(&self.broker.shared.observer);
        self.leaves |= called.is_err();
        called?;
        if let Some(change) = self.next_change()? {
            return Ok(change);
        }
        let records = self.read(bounds, Vec::new())?;
        self.fresh.saw(&records);
        if !records.is_empty() {
            // Nothing more at hand here is not nothing more there: the next poll, which waits, tells.
            return Ok(Polled::Records { records, drained: false });
        }
        if let Some(change) = self.next_change()? {
            return Ok(change);
        }
        if self.fresh.is_any() {
            return Ok(Polled::Records { records: Vec::new(), drained: false });
        }
        Ok(Polled::Idle)
    }

    /// More of what is at hand, without waiting, in the memory of records that were `used`; a change of lanes that waits to be
    /// told comes first, by the next poll. Whether nothing is left is never known here.
    ///
    /// # Errors
    ///
    /// As [`Session::poll`].
    pub fn read_on(
        &mut self,
        bounds: &PollBounds,
        used: Vec<Record>,
    ) -> Result<(Vec<Record>, bool), Error> {
        if self.consumer.context().has_notes() {
            return Ok((Vec::new(), false));
        }
        let records = self.read(&PollBounds { wait: Duration::ZERO, ..*bounds }, used)?;
        self.fresh.saw(&records);
        Ok((records, false))
    }

    fn next_change(&mut self) -> Result<Option<Polled>, Error> {
        loop {
            if let Some((lanes, lost)) = self.lanes.leaving() {
                return Ok(Some(if lost { Polled::Lost(lanes) } else { Polled::Revoked(lanes) }));
            }
            match self.consumer.context().next_note() {
                None => return Ok(None),
                Some(Note::Assigned(lanes)) => {
                    self.joined = true;
                    // The group goes on at once; the lanes are read only after `take`.
                    let nothing = TopicPartitionList::new();
                    self.consumer.incremental_assign(&nothing).map_err(|e| from_kafka(&e))?;
                    if !lanes.is_empty() {
                        return Ok(Some(Polled::Assigned(lanes)));
                    }
                }
                Some(Note::Revoked { lanes, lost }) => {
                    self.lanes.revoke(&lanes, lost);
                    if lanes.is_empty() {
                        let nothing = TopicPartitionList::new();
                        self.consumer.incremental_unassign(&nothing).map_err(|e| from_kafka(&e))?;
                    }
                }
            }
        }
    }

    fn read(&self, bounds: &PollBounds, used: Vec<Record>) -> Result<Vec<Record>, Error> {
        let mut records = used;
        records.reserve(bounds.records_max.min(ROOM_RECORDS).saturating_sub(records.len()));
        let (mut count, mut bytes) = (0, 0);
        let mut wait = bounds.wait;
        while count < bounds.records_max.max(1) && bytes < bounds.bytes_max.max(1) {
            let Some(polled) = self.consumer.poll(wait) else { break };
            let message = match polled {
                Ok(message) => message,
                Err(error) => {
                    pass_over(&error)?;
                    break;
                }
            };
            let Some((topic, lane)) = self.origin(message.topic(), message.partition()) else {
                continue;
            };
            match records.get_mut(count) {
                Some(used) => wire::fill(used, (topic, lane), &message),
                None => records.push(wire::record(topic, lane, &message)),
            }
            bytes += records.get(count).map_or(0, Record::size);
            count += 1;
            wait = Duration::ZERO;
        }
        records.truncate(count);
        Ok(records)
    }

    /// Which input and lane; `None` when it is not ours to read.
    fn origin(&self, name: &str, partition: i32) -> Option<(Topic, u32)> {
        let lane = u32::try_from(partition).ok().filter(|lane| self.lanes.holds(*lane))?;
        let (_, topic) = self.inputs.iter().find(|(input, _)| input == name)?;
        Some((*topic, lane))
    }

    /// Starts reading these lanes, each input from its committed offset; from the beginning where there is none.
    ///
    /// # Errors
    ///
    /// `Retriable` when the cluster does not say where they end; nothing was taken. `Fatal` when the client refuses.
    pub fn take(&mut self, lanes: &[u32]) -> Result<(), Error> {
        let mut ends = Vec::new();
        for lane in lanes.iter().filter(|lane| !self.lanes.holds(**lane)) {
            for (_, topic) in &self.inputs {
                ends.push(((*topic, *lane), self.broker.end_offset(*topic, *lane)?));
            }
        }
        let fresh = self.lanes.take(lanes);
        if fresh.is_empty() {
            return Ok(());
        }
        for (input, end) in ends {
            self.fresh.begin(input, end);
        }
        let partitions = self.partitions_of(fresh.into_iter());
        self.consumer.incremental_assign(&partitions).map_err(|error| from_kafka(&error))
    }

    /// Lets these lanes go, after their last commit; with the last lane of a revoke, the group goes on.
    ///
    /// # Errors
    ///
    /// `Fatal` when the client refuses.
    pub fn give_up(&mut self, lanes: &[u32]) -> Result<(), Error> {
        self.places.give_up(lanes);
        self.fresh.give_up(lanes);
        let Some(left) = self.lanes.give_up(lanes) else { return Ok(()) };
        let partitions = self.partitions_of(left.into_iter());
        self.consumer.incremental_unassign(&partitions).map_err(|error| from_kafka(&error))
    }

    fn partitions_of(&self, lanes: impl Iterator<Item = u32>) -> TopicPartitionList {
        let mut partitions = TopicPartitionList::new();
        for lane in lanes {
            for (name, _) in &self.inputs {
                partitions.add_partition(name, signed(lane));
            }
        }
        partitions
    }

    /// Writes into the open transaction, opening one if there is none.
    ///
    /// # Errors
    ///
    /// `Abortable`, `Fatal`, or `TooLarge`; a full queue is waited for.
    pub fn send(&mut self, output: &Output) -> Result<(), Error> {
        self.transaction.send(self.broker.shared.names.of(output.topic), output)
    }

    /// Makes what was sent and `next` true together.
    ///
    /// # Errors
    ///
    /// `Abortable`: nothing became true. `Fatal`: fenced, or the outcome is unknown; a new session tells.
    pub fn commit(&mut self, next: &NextOffsets) -> Result<(), Error> {
        let mut offsets = TopicPartitionList::new();
        for ((topic, partition), offset) in next {
            let name = self.broker.shared.names.of(*topic);
            let offset = Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX));
            offsets
                .add_partition_offset(name, signed(*partition), offset)
                .map_err(|error| from_kafka(&error))?;
        }
        if offsets.count() == 0 && self.transaction.is_open() {
            self.anchor(&mut offsets)?;
        }
        // Fetched afresh: the generation changes with each rebalance.
        let committed = self.transaction.commit(&offsets, || self.consumer.group_metadata());
        self.leaves |= matches!(committed, Err(Error::Fatal(_)));
        if committed.is_ok() {
            self.places.committed(next);
        }
        committed
    }

    /// Adds where the group goes on in one lane of ours, as it was committed before: only with an offset does the group look
    /// whether its sender is a member still, and what timers write must not come from one who was left behind.
    fn anchor(&mut self, offsets: &mut TopicPartitionList) -> Result<(), Error> {
        let (Some(lane), Some((lead, topic))) = (self.lanes.taken().next(), self.inputs.first())
        else {
            return Ok(());
        };
        let patience = self.broker.shared.settings.transaction_timeout;
        let place = self.places.ask(&self.consumer, (*topic, lane), lead, patience);
        let place =
            place.map_err(|error| Error::Abortable(format!("no offset to go with: {error}")))?;
        let added = offsets.add_partition_offset(lead, signed(lane), Offset::Offset(place));
        added.map_err(|error| from_kafka(&error))
    }

    /// Takes back what was sent, and reads all lanes again from their committed offsets.
    ///
    /// # Errors
    ///
    /// `Fatal` when that is not possible; a new session starts from the same offsets.
    pub fn abort(&mut self) -> Result<(), Error> {
        self.transaction.abort()?;
        let lanes = self.partitions_of(self.lanes.taken());
        if lanes.count() == 0 {
            return Ok(());
        }
        for lane in self.lanes.taken() {
            for (_, topic) in &self.inputs {
                let input = (*topic, lane);
                let place = self.places.of(input).and_then(|place| u64::try_from(place).ok());
                self.fresh.begin(input, place.unwrap_or(0) + 1);
            }
        }
        let patience = self.broker.shared.settings.transaction_timeout;
        places::rewind(&self.consumer, &lanes, patience)
    }

    /// The group has answered at least once.
    pub(in crate::broker) const fn has_joined(&self) -> bool {
        self.joined
    }

    /// Records behind, by input of the taken lanes, as of the last statistics.
    #[must_use]
    pub fn lag(&self) -> Lag {
        let mut lag = Lag::new();
        for ((name, lane), standing) in self.consumer.context().standings() {
            let input = self.inputs.iter().find(|(input, _)| *input == name);
            let Some((_, topic)) = input.filter(|_| self.lanes.holds(lane)) else { continue };
            let committed = self.places.of((*topic, lane));
            if let Some(behind) = standing.behind(committed) {
                lag.insert((*topic, lane), behind);
            }
        }
        lag
    }

    /// Ends the session: an open transaction is aborted, the lanes are let go. A static member keeps its claim until
    /// the session timeout, so that a restart moves nothing: hence no `unsubscribe`, which would leave the group.
    ///
    /// # Errors
    ///
    /// `Fatal` when the open transaction could not be aborted; the successor will do it.
    pub fn close(mut self) -> Result<(), Error> {
        // Dropping the rest polls until the group has let us go.
        self.transaction.abort()
    }

    /// From here on rebalances answer themselves, and the one that waits for an answer gets it.
    fn let_go(&mut self) {
        // A client that is closed while it joins may never end: let it join first, for a bounded time.
        let watch = Stopwatch::start();
        while !self.joined && watch.elapsed() < JOIN_WITHIN {
            let short =
                PollBounds { records_max: 1, bytes_max: 1, wait: Duration::from_millis(20) };
            if self.poll(&short).is_err() {
                break;
            }
        }
        if self.leaves {
            self.leave();
        }
        self.consumer.context().close();
        let waiting = self.next_change();
        let leaving = self.lanes.leaving().map(|(lanes, _)| lanes).unwrap_or_default();
        let answered = waiting.and_then(|_| self.give_up(&leaving));
        if let Err(error) = answered {
            tracing::debug!(kafka.error = %error, "the last rebalance was not answered");
        }
    }

    /// Leaves the group, as far as that goes within its time: the successor joins as a stranger, and all lanes are shared
    /// out again.
    fn leave(&mut self) {
        self.consumer.unsubscribe();
        let watch = Stopwatch::start();
        while watch.elapsed() < LEAVE_WITHIN {
            let answered = match self.next_change() {
                Ok(Some(Polled::Revoked(lanes) | Polled::Lost(lanes))) => self.give_up(&lanes),
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = answered {
                tracing::debug!(kafka.error = %error, "the group is left without a word");
                return;
            }
            // What is still handed out is not ours any more.
            drop(self.consumer.poll(Duration::from_millis(20)));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Otherwise the consumer, which polls until it is closed, would wait for an answer for ever.
        self.let_go();
    }
}

/// Inputs must have one partition count: a lane is one number of all of them.
fn check_lanes(broker: &KafkaBroker, inputs: &[Topic]) -> Result<u32, Error> {
    let mut lanes = None;
    for topic in inputs {
        let partitions = broker.partitions(*topic)?;
        if *lanes.get_or_insert(partitions) != partitions {
            let name = broker.shared.names.of(*topic);
            return Err(Error::Topics(format!(
                "{name} is not co-partitioned with the other inputs"
            )));
        }
    }
    Ok(lanes.unwrap_or(0))
}
