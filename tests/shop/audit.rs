//! Reads what the product wrote, committed records alone, and says what is not as promised.
//!
//! Each public record is there once, the facts of a thread are numbered without gaps in their order, every message is told
//! once, every part sent has one outcome, and the state of the changelog stands where the facts end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use dmstream::app::open_broker;
use dmstream::broker::record::{Record, header};
use dmstream::broker::{Broker, Error, NextOffsets, PollBounds};
use dmstream::clock::{Clock, Stopwatch};
use dmstream::config::Config;
use dmstream::conversation::ThreadState;
use dmstream::domain::fact::{ConversationSnapshot, Fact, FactBody, Item};
use dmstream::domain::outbound::{OutboundSend, SendResult};
use dmstream::domain::routing::RoutingDecision;
use dmstream::engine::stage::Row;
use dmstream::topics::Topic;
use serde::de::DeserializeOwned;

use super::PATIENCE;

const BATCH: PollBounds =
    PollBounds { records_max: 5_000, bytes_max: 8 << 20, wait: Duration::from_millis(200) };
/// How long it is read on at a time.
const READ_FOR: Duration = Duration::from_secs(10);
/// What is read.
const TOPICS: [Topic; 6] = [
    Topic::Timeline,
    Topic::RoutingDecisions,
    Topic::OutboundSends,
    Topic::OutboundResults,
    Topic::Conversations,
    Topic::ConversationChangelog,
];

/// What the facts told about one thread.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The last fact's number.
    pub(crate) facts: u64,
    /// What the person wrote, in the order of the facts.
    pub(crate) received: Vec<String>,
    /// What the business wrote.
    pub(crate) sent: Vec<String>,
    /// The facts' types.
    pub(crate) types: Vec<&'static str>,
    partition: u32,
    state_at: u64,
    snapshot_at: u64,
}

/// What was read so far.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// Threads by key.
    pub(crate) threads: BTreeMap<String, Told>,
    /// What is not as promised, in words.
    pub(crate) violations: Vec<String>,
    /// Outcomes by part.
    pub(crate) outcomes: BTreeMap<String, Vec<&'static str>>,
    next: NextOffsets,
    ids: BTreeSet<(Topic, String)>,
    mids: BTreeSet<String>,
    decisions: BTreeMap<(String, u32), u64>,
    decided: BTreeMap<String, BTreeSet<u64>>,
}

impl Audit {
    /// Reads all of the log that `file` configures. An embedded one must have been closed.
    pub(crate) fn of(file: &Path) -> Self {
        let config = Config::read(Some(file), std::iter::empty()).unwrap();
        let broker = open_broker(&config, &Clock::System).unwrap();
        let mut audit = Self::default();
        let watch = Stopwatch::start();
        while !audit.read_on(&broker) {
            assert!(watch.elapsed() < PATIENCE, "the log has no end");
        }
        audit.at_rest();
        audit
    }

    /// Reads on, to the end or for some time; whether it was the end. A broker that does not answer is no end.
    pub(crate) fn read_on(&mut self, broker: &Broker) -> bool {
        self.try_read_on(broker).unwrap_or(false)
    }

    fn try_read_on(&mut self, broker: &Broker) -> Result<bool, Error> {
        for topic in TOPICS {
            for partition in 0..broker.partitions(topic)? {
                self.next.entry((topic, partition)).or_insert(0);
            }
        }
        let mut reader = broker.reader(&self.next)?;
        // Under load the end of everything is never reached at once.
        let watch = Stopwatch::start();
        loop {
            let batch = reader.poll(&BATCH)?;
            batch.records.iter().for_each(|record| self.take(record));
            self.next.extend(batch.next);
            if batch.at_end || watch.elapsed() > READ_FOR {
                return Ok(batch.at_end);
            }
        }
    }

    /// What must hold once nothing is under way any more.
    pub(crate) fn at_rest(&mut self) {
        for (key, told) in &self.threads {
            let Told { facts, state_at, snapshot_at, .. } = told;
            if state_at != facts || snapshot_at != facts {
                self.violations.push(format!(
                    "{key}: {facts} facts, but the changelog stands at {state_at}, the snapshot at {snapshot_at}"
                ));
            }
        }
        for (company, numbers) in &self.decided {
            if numbers.last() != Some(&u64::try_from(numbers.len()).unwrap()) {
                self.violations.push(format!("{company}: decisions have gaps"));
            }
        }
        for (part, outcomes) in &self.outcomes {
            if !matches!(outcomes.as_slice(), [] | [_] | ["unknown", "accepted" | "failed"]) {
                self.violations.push(format!("part {part} has the outcomes {outcomes:?}"));
            }
        }
    }

    fn take(&mut self, record: &Record) {
        let changelog = record.topic == Topic::ConversationChangelog;
        let id = record.headers.text(header::ID).map(str::to_owned);
        match id {
            Some(id) => {
                let first = self.ids.insert((record.topic, id));
                self.hold(first, record, "is there twice");
            }
            None => self.hold(changelog, record, "has no id"),
        }
        if record.topic == Topic::Timeline {
            self.fact(record, &read(record));
        } else if record.topic == Topic::RoutingDecisions {
            self.decision(record, &read(record));
        } else if record.topic == Topic::OutboundSends {
            let send: OutboundSend = read(record);
            self.outcomes.entry(send.send_id.as_str().to_owned()).or_default();
        } else if record.topic == Topic::OutboundResults {
            let result: SendResult = read(record);
            let of_part = self.outcomes.entry(result.send_id.as_str().to_owned()).or_default();
            of_part.push(result.outcome.name());
        } else if record.topic == Topic::Conversations {
            let snapshot: ConversationSnapshot = read(record);
            self.thread(record).snapshot_at = snapshot.as_of_number;
        } else {
            let state = ThreadState::decode(record.bytes()).unwrap();
            self.thread(record).state_at = state.facts;
        }
    }

    fn fact(&mut self, record: &Record, fact: &Fact) {
        let told = self.thread(record);
        let follows = fact.number == told.facts + 1;
        let stays = told.facts == 0 || told.partition == record.partition;
        told.facts = fact.number;
        told.partition = record.partition;
        told.types.push(fact.body.name());
        let said = |item: &Item| item.mid.as_ref().map(|mid| mid.as_str().to_owned());
        let mut mid = None;
        if let FactBody::MessageReceived(item) = &fact.body {
            mid = said(item);
            told.received.extend(mid.clone());
        } else if let FactBody::MessageSent(item) = &fact.body {
            mid = said(item);
            told.sent.extend(mid.clone());
        }
        self.hold(follows, record, "does not follow the fact before it");
        self.hold(stays, record, "is in another partition than the fact before it");
        if let Some(mid) = mid {
            let first = self.mids.insert(mid);
            self.hold(first, record, "tells of a message told before");
        }
    }

    fn decision(&mut self, record: &Record, decision: &RoutingDecision) {
        let company = decision.company_id.as_str().to_owned();
        let last = self.decisions.insert((company.clone(), record.partition), decision.number);
        self.hold(last < Some(decision.number), record, "comes before an earlier decision");
        let first = self.decided.entry(company).or_default().insert(decision.number);
        self.hold(first, record, "has the number of another decision");
    }

    fn thread(&mut self, record: &Record) -> &mut Told {
        let key = String::from_utf8(record.key.clone().unwrap()).unwrap();
        self.threads.entry(key).or_default()
    }

    fn hold(&mut self, holds: bool, record: &Record, otherwise: &str) {
        if !holds {
            let (topic, partition, offset) = (record.topic.name(), record.partition, record.offset);
            self.violations.push(format!("{topic}/{partition}@{offset} {otherwise}"));
        }
    }
}

fn read<T: DeserializeOwned>(record: &Record) -> T {
    serde_json::from_slice(record.bytes()).unwrap()
}
