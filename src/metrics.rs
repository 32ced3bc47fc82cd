//! Everything the program counts about its stages, name and help beside each other, in one struct that is passed down.
//!
//! The registry is a value: each test has its own. Labels are closed sets. Never an id, never a message. Rooms with an edge
//! of their own (`ingress`, `send`) register theirs beside it.

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, IntCounterVec, IntGaugeVec, Opts, Registry, core::Collector,
};

use crate::domain::event::DeadLetterReason;
use crate::store::Doubt;
use crate::topics::Topic;

/// A stage of the pipeline, as a label and as a name of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StageName {
    /// Wire format to our words.
    Normalize,
    /// One thread's rules.
    Conversation,
    /// One company's agents and queues.
    Route,
    /// One account's outbound.
    Send,
    /// Who is writing.
    Profile,
    /// Views.
    Project,
}

impl StageName {
    /// Every stage.
    pub const ALL: [Self; 6] = [
        Self::Normalize,
        Self::Conversation,
        Self::Route,
        Self::Send,
        Self::Profile,
        Self::Project,
    ];

    /// The label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normalize => "normalize",
            Self::Conversation => "conversation",
            Self::Route => "route",
            Self::Send => "send",
            Self::Profile => "profile",
            Self::Project => "project",
        }
    }
}

/// How a transaction ended, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionResult {
    /// True for everybody.
    Committed,
    /// Dropped; the input is read again.
    Aborted,
    /// Somebody else owns the slot, or the broker gave us up.
    Fenced,
}

impl TransactionResult {
    const ALL: [Self; 3] = [Self::Committed, Self::Aborted, Self::Fenced];

    const fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Fenced => "fenced",
        }
    }
}

/// The pipeline's metrics. Cheap to clone: every clone counts into the same series.
#[derive(Debug, Clone)]
pub struct Metrics {
    records: IntCounterVec,
    skipped: IntCounterVec,
    dead_letters: IntCounterVec,
    transactions: IntCounterVec,
    timers: IntCounterVec,
    quarantined: IntCounterVec,
    restored: IntCounterVec,
    lag: IntGaugeVec,
    lag_seconds: GaugeVec,
    standing: IntGaugeVec,
    restoring: IntGaugeVec,
    uncommitted: IntGaugeVec,
    unwritten: IntGaugeVec,
    progress: IntGaugeVec,
    lanes: IntGaugeVec,
    commit: Histogram,
    end_to_end: Histogram,
    lateness: Histogram,
}

/// Upper bounds of latency buckets, in seconds.
const LATENCY_SECONDS: [f64; 12] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 5.0, 30.0];

impl Metrics {
    /// Creates the metrics and names them in `registry`. Every series of a closed label exists from the start, at zero: a
    /// rate over a series that is not there yet alerts nobody.
    ///
    /// # Errors
    ///
    /// The registry's, when a name is taken or malformed.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            records: counter("records_total", "Records that left a stage.", &["stage", "exit"])?,
            skipped: counter("skipped_total", "Records with nothing to do.", &["stage", "why"])?,
            dead_letters: counter("dead_letters_total", "Records set aside.", &["reason"])?,
            transactions: counter(
                "transactions_total",
                "Transactions by how they ended.",
                &["stage", "result"],
            )?,
            timers: counter("timers_fired_total", "Timers fired.", &["stage"])?,
            quarantined: counter(
                "state_quarantined_total",
                "Stores set aside and rebuilt from the changelog.",
                &["stage", "reason"],
            )?,
            restored: counter(
                "state_restored_records_total",
                "Changelog records replayed into stores.",
                &["stage"],
            )?,
            lag: gauge(
                "consumer_lag_records",
                "Records of an input not yet processed.",
                &["stage", "topic", "partition"],
            )?,
            lag_seconds: GaugeVec::new(
                Opts::new(
                    "dmstream_consumer_lag_seconds",
                    "How long the oldest record of an input that is not yet processed has waited at least.",
                ),
                &["stage", "topic", "partition"],
            )?,
            standing: gauge(
                "lanes_standing",
                "Inputs of a worker's lanes that have records to read and commit none.",
                &["stage", "worker"],
            )?,
            restoring: gauge(
                "state_restore_remaining_records",
                "Changelog records still to be replayed before lanes are taken.",
                &["stage", "worker"],
            )?,
            uncommitted: gauge(
                "state_uncommitted_bytes",
                "The most a worker's turns held before their commits, lately.",
                &["stage", "worker"],
            )?,
            unwritten: gauge(
                "state_unwritten_bytes",
                "Committed rows of a worker that are not on its disk yet.",
                &["stage", "worker"],
            )?,
            progress: gauge(
                "worker_last_progress_timestamp_seconds",
                "When a worker last went round, Unix seconds.",
                &["stage", "worker"],
            )?,
            lanes: gauge("partitions_assigned", "Lanes a worker owns.", &["stage", "worker"])?,
            commit: histogram("commit_seconds", "From the first send to the commit's answer.")?,
            end_to_end: histogram(
                "end_to_end_seconds",
                "From a record's receipt to the commit of what it brought about, per stage.",
            )?,
            lateness: histogram("timer_lateness_seconds", "How late timers fired.")?,
        };
        metrics.name_in(registry)?;
        metrics.start_at_zero()?;
        Ok(metrics)
    }

    fn name_in(&self, registry: &Registry) -> prometheus::Result<()> {
        let counters = [
            &self.records,
            &self.skipped,
            &self.dead_letters,
            &self.transactions,
            &self.timers,
            &self.quarantined,
            &self.restored,
        ];
        for vec in counters {
            registry.register(boxed(vec))?;
        }
        let gauges = [
            &self.lag,
            &self.standing,
            &self.restoring,
            &self.uncommitted,
            &self.unwritten,
            &self.progress,
            &self.lanes,
        ];
        for vec in gauges {
            registry.register(boxed(vec))?;
        }
        registry.register(boxed(&self.lag_seconds))?;
        for histogram in [&self.commit, &self.end_to_end, &self.lateness] {
            registry.register(boxed(histogram))?;
        }
        Ok(())
    }

    fn start_at_zero(&self) -> prometheus::Result<()> {
        for stage in StageName::ALL.map(StageName::name) {
            for exit in ["emitted", "skipped", "rejected"] {
                self.records.get_metric_with_label_values(&[stage, exit])?;
            }
            for result in TransactionResult::ALL {
                self.transactions.get_metric_with_label_values(&[stage, result.name()])?;
            }
            for vec in [&self.timers, &self.restored] {
                vec.get_metric_with_label_values(&[stage])?;
            }
            for doubt in Doubt::ALL {
                self.quarantined.get_metric_with_label_values(&[stage, doubt.name()])?;
            }
        }
        for reason in DeadLetterReason::ALL {
            self.dead_letters.get_metric_with_label_values(&[reason.name()])?;
        }
        Ok(())
    }

    /// Counts records out of a stage.
    pub fn records_left(&self, stage: StageName, exit: &'static str, count: u64) {
        self.records.with_label_values(&[stage.name(), exit]).inc_by(count);
    }

    /// Counts records that brought nothing about; `why` is a closed word of the stage's.
    pub fn records_skipped(&self, stage: StageName, why: &'static str, count: u64) {
        self.skipped.with_label_values(&[stage.name(), why]).inc_by(count);
    }

    /// Counts a dead letter.
    pub fn dead_letter(&self, reason: &str) {
        self.dead_letters.with_label_values(&[reason]).inc();
    }

    /// Counts a transaction, and how long its commit took.
    pub fn transaction_ended(&self, stage: StageName, result: TransactionResult, seconds: f64) {
        self.transactions.with_label_values(&[stage.name(), result.name()]).inc();
        self.commit.observe(seconds);
    }

    /// Observes how old a record was when what it brought about was committed.
    pub fn committed_after(&self, seconds: f64) {
        self.end_to_end.observe(seconds);
    }

    /// Counts a timer, and how late it was.
    pub fn timer_fired(&self, stage: StageName, late_seconds: f64) {
        self.timers.with_label_values(&[stage.name()]).inc();
        self.lateness.observe(late_seconds);
    }

    /// Counts a lane's restore.
    pub fn lane_restored(&self, stage: StageName, records: u64) {
        self.restored.with_label_values(&[stage.name()]).inc_by(records);
    }

    /// Counts a store that was not trusted.
    pub fn store_set_aside(&self, stage: StageName, reason: &'static str) {
        self.quarantined.with_label_values(&[stage.name(), reason]).inc();
    }

    /// Says how much a worker has still to replay.
    pub fn restoring(&self, stage: StageName, worker: &str, remaining: u64) {
        set(&self.restoring, &[stage.name(), worker], remaining);
    }

    /// Says that a worker went round, and how many lanes it owns.
    pub fn worker_alive(&self, stage: StageName, worker: &str, at_seconds: i64, lanes: usize) {
        self.progress.with_label_values(&[stage.name(), worker]).set(at_seconds);
        let lanes = i64::try_from(lanes).unwrap_or(i64::MAX);
        self.lanes.with_label_values(&[stage.name(), worker]).set(lanes);
    }

    /// Says how far behind an input of a lane is.
    pub fn lag(&self, stage: StageName, (topic, lane): (Topic, u32), records: u64, seconds: f64) {
        let labels = [stage.name(), topic.name(), &lane.to_string()];
        set(&self.lag, &labels, records);
        self.lag_seconds.with_label_values(&labels).set(seconds);
    }

    /// Forgets an input of a lane: whoever has it now tells of it.
    pub fn lag_gone(&self, stage: StageName, (topic, lane): (Topic, u32)) {
        let labels = [stage.name(), topic.name(), &lane.to_string()];
        // One that was never told of has no series to remove.
        drop(self.lag.remove_label_values(&labels));
        drop(self.lag_seconds.remove_label_values(&labels));
    }

    /// Says what a worker holds in memory that is not true yet, and what is not on disk.
    pub fn state_bytes(&self, stage: StageName, worker: &str, uncommitted: usize, unwritten: u64) {
        let uncommitted = u64::try_from(uncommitted).unwrap_or(u64::MAX);
        set(&self.uncommitted, &[stage.name(), worker], uncommitted);
        set(&self.unwritten, &[stage.name(), worker], unwritten);
    }

    /// Says how many inputs of a worker's lanes stand still.
    pub fn lanes_standing(&self, stage: StageName, worker: &str, lanes: usize) {
        let lanes = u64::try_from(lanes).unwrap_or(u64::MAX);
        set(&self.standing, &[stage.name(), worker], lanes);
    }
}

fn set(gauge: &IntGaugeVec, labels: &[&str], value: u64) {
    gauge.with_label_values(labels).set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// The page Prometheus reads.
///
/// # Errors
///
/// The encoder's; a registry filled by [`Metrics::register`] gives none.
pub fn page(registry: &Registry) -> prometheus::Result<String> {
    prometheus::TextEncoder::new().encode_to_string(&registry.gather())
}

fn boxed<C: Collector + Clone + 'static>(collector: &C) -> Box<dyn Collector> {
    Box::new(collector.clone())
}

fn counter(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(Opts::new(format!("dmstream_{name}"), help), labels)
}

fn gauge(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
    IntGaugeVec::new(Opts::new(format!("dmstream_{name}"), help), labels)
}

fn histogram(name: &str, help: &str) -> prometheus::Result<Histogram> {
    let opts = HistogramOpts::new(format!("dmstream_{name}"), help);
    Histogram::with_opts(opts.buckets(LATENCY_SECONDS.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_there_from_the_start_and_counts() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        metrics.records_left(StageName::Normalize, "rejected", 1);
        metrics.transaction_ended(StageName::Route, TransactionResult::Committed, 0.002);
        let page = page(&registry).unwrap();
        check(&page, r#"dmstream_records_total{exit="rejected",stage="normalize"} 1"#);
        check(&page, r#"dmstream_records_total{exit="emitted",stage="route"} 0"#);
        check(&page, r#"dmstream_transactions_total{result="committed",stage="route"} 1"#);
        check(&page, r#"dmstream_dead_letters_total{reason="bad_json"} 0"#);
        check(&page, r#"dmstream_commit_seconds_bucket{le="0.005"} 1"#);

        #[track_caller]
        fn check(page: &str, line: &str) {
            assert!(page.lines().any(|l| l == line), "{line}\nis not in\n{page}");
        }
    }
}
