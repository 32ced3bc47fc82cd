//! Everything breaks while webhooks come in: processes, disks, clocks that stand still, brokers. Each fact is told once.
//!
//! Short by default. `scripts/chaos` runs the long form (`DMSTREAM_TEST_CHAOS=long`) and lends a cluster of its own, whose
//! brokers may be killed (`DMSTREAM_TEST_CHAOS_CLUSTER`, a directory of `scripts/kafka`). Bounded: so many webhooks, so many
//! faults, and a longest time for everything that is waited for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use dmstream::app::open_broker;
use dmstream::broker::Broker;
use dmstream::clock::{Clock, Stopwatch};
use dmstream::config::Config;
use dmstream::simulator::GraphFaults;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use tokio::task::JoinSet;

use crate::chaos_clerk::Clerk;
use crate::chaos_fleet::Fleet;
use crate::chaos_front::Front;
use crate::chaos_load::{Amount, Posted, post};
use crate::shop::{Audit, Doors, Instagram, Plan, command, eventually, secrets};
use crate::story::{config, kafka, unread};

/// What one run does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    pub(crate) amount: Amount,
    pub(crate) people: usize,
    pub(crate) kills: u32,
    pub(crate) lost_disks: u32,
    pub(crate) pauses: u32,
    pub(crate) scalings: u32,
    pub(crate) broker_kills: u32,
}

const SHORT: Measure = Measure {
    amount: Amount { webhooks: 5_000, rate_per_s: 150 },
    people: 1_000,
    kills: 6,
    lost_disks: 1,
    pauses: 1,
    scalings: 1,
    broker_kills: 1,
};
const LONG: Measure = Measure {
    amount: Amount { webhooks: 100_000, rate_per_s: 250 },
    people: 5_000,
    kills: 50,
    lost_disks: 5,
    pauses: 5,
    scalings: 3,
    broker_kills: 5,
};
/// Standing still for so long costs a process its lanes.
const BEYOND_THE_SESSION: Duration = Duration::from_secs(7);

/// What breaks, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Killed,
    DiskLost,
    StoodStill,
    Scaled,
    Restarted,
    BrokerKilled,
    ClusterKilled,
    Nothing,
}

impl Fault {
    const ALL: [Self; 8] = [
        Self::Killed,
        Self::DiskLost,
        Self::StoodStill,
        Self::Scaled,
        Self::Restarted,
        Self::BrokerKilled,
        Self::ClusterKilled,
        Self::Nothing,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Killed => "process killed -9",
            Self::DiskLost => "killed, and its disk lost",
            Self::StoodStill => "stood still beyond its session",
            Self::Scaled => "processes 1, 3, 2",
            Self::Restarted => "stopped in order, started again",
            Self::BrokerKilled => "one of three brokers killed -9",
            Self::ClusterKilled => "every broker killed -9 at once",
            Self::Nothing => "at rest, at the end",
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_each_fact_is_told_once_and_in_order() {
    let measure =
        if variable("DMSTREAM_TEST_CHAOS").as_deref() == Some("long") { LONG } else { SHORT };
    let mut chaos = Chaos::begin(measure, kafka("chaos")).await;
    chaos.kill_processes().await;
    chaos.lose_disks().await;
    chaos.stand_still().await;
    chaos.scale().await;
    chaos.kill_brokers().await;
    let (table, violations) = chaos.end().await;
    tell(&table);
    assert_eq!(violations, [""; 0], "{table}");
}

/// A fleet under load, with all that is known of what it must have told.
pub(crate) struct Chaos {
    measure: Measure,
    dice: StdRng,
    pub(crate) fleet: Fleet,
    instagram: Arc<Instagram>,
    posted: Arc<Posted>,
    over: Arc<AtomicBool>,
    at_work: JoinSet<()>,
    load: JoinSet<()>,
    config: Config,
    broker: Broker,
    audit: Audit,
    /// Injected, violations and how long it took until all was told, by fault.
    found: BTreeMap<Fault, (u32, Vec<String>, Duration)>,
    fenced: u64,
    watch: Stopwatch,
    dir: tempfile::TempDir,
}

impl Chaos {
    /// Two processes on the log that `broker` configures, agents at work, webhooks on their way.
    pub(crate) async fn begin(measure: Measure, mut broker: String) -> Self {
        let mut dir = tempfile::tempdir().unwrap();
        // What the processes logged explains a failure; `end` lets it go.
        dir.disable_cleanup(true);
        tell(&format!("state and logs are in {}", dir.path().display()));
        let front = Front::open().await;
        let base = format!("http://{}", front.address);
        let url = format!("{base}/webhooks/instagram");
        let faults = GraphFaults::default();
        let instagram = Arc::new(Instagram::open(&url, measure.people, faults).await);
        if cluster().is_some() {
            broker = broker.replace("kafka_replication = 1", "kafka_replication = 3");
        }
        let company = "standard_capacity = 20\nmaximum_capacity = 40\noffer_timeout_ms = 5000";
        let plan = Plan { broker, faults, company };
        let mut fleet = Fleet::new(front, dir.path(), plan, instagram.graph_address);
        let (file, _) = fleet.file(0);
        let applied = command(&["topics", "apply", "--config"]).arg(&file).output().unwrap();
        assert!(applied.status.success(), "{applied:?}");
        fleet.grow();
        fleet.grow();
        fleet.all_ready().await;
        let (posted, over) = (Arc::<Posted>::default(), Arc::new(AtomicBool::new(false)));
        let (mut at_work, mut load) = (JoinSet::new(), JoinSet::new());
        let replies = Arc::new(AtomicU64::new(0));
        for name in ["ana", "ben", "cem"] {
            let clerk = Clerk {
                name,
                doors: Doors::at(fleet.front.address),
                instagram: Arc::clone(&instagram),
                replies: Arc::clone(&replies),
                wishes: 0,
            };
            at_work.spawn(clerk.work(Arc::clone(&over)));
        }
        let (posted_, over_) = (Arc::clone(&posted), Arc::clone(&over));
        load.spawn(post(Arc::clone(&instagram), url, measure.amount, posted_, over_));
        let config = config(&file);
        let broker = open_broker(&config, &Clock::System).unwrap();
        Self {
            measure,
            dice: StdRng::seed_from_u64(11),
            fleet,
            instagram,
            posted,
            over,
            at_work,
            load,
            config,
            broker,
            audit: Audit::default(),
            found: BTreeMap::new(),
            fenced: 0,
            watch: Stopwatch::start(),
            dir,
        }
    }

    /// Random processes at random moments: in a turn, while restoring, while joining.
    pub(crate) async fn kill_processes(&mut self) {
        for _ in 0..self.measure.kills {
            self.pause_ms(200, 3_000).await;
            let at = self.dice.random_range(0..self.fleet.len());
            self.fleet.kill(at);
            // Sometimes long enough that the others take over.
            let away_ms = if self.dice.random_bool(0.3) { 4_500 } else { 50 };
            tokio::time::sleep(Duration::from_millis(away_ms)).await;
            self.fleet.start_again(at);
        }
        self.look_after(Fault::Killed, self.measure.kills).await;
    }

    async fn lose_disks(&mut self) {
        for _ in 0..self.measure.lost_disks {
            self.pause_ms(500, 2_000).await;
            let at = self.dice.random_range(0..self.fleet.len());
            self.fleet.kill(at);
            self.fleet.lose_disk(at);
            self.fleet.start_again(at);
            self.fleet.all_ready().await;
        }
        self.look_after(Fault::DiskLost, self.measure.lost_disks).await;
    }

    /// A process stands still until its lanes are others', and then goes on with its turn: it must be fenced.
    async fn stand_still(&mut self) {
        for _ in 0..self.measure.pauses {
            self.pause_ms(500, 2_000).await;
            let at = self.dice.random_range(0..self.fleet.len());
            let before = self.fleet.fenced(at).await;
            self.fleet.stand_still(at);
            tokio::time::sleep(BEYOND_THE_SESSION).await;
            self.fleet.go_on(at);
            // One that was in the middle of a turn is fenced; one at rest learns that it was left behind.
            self.fleet.all_ready().await;
            self.fenced += self.fleet.fenced(at).await.saturating_sub(before);
        }
        self.look_after(Fault::StoodStill, self.measure.pauses).await;
    }

    async fn scale(&mut self) {
        for _ in 0..self.measure.scalings {
            while self.fleet.len() > 1 {
                self.fleet.shrink().await;
                self.pause_ms(500, 2_000).await;
            }
            for _ in 0..2 {
                self.fleet.grow();
                self.pause_ms(500, 2_000).await;
            }
            self.fleet.all_ready().await;
            self.fleet.shrink().await;
        }
        self.look_after(Fault::Scaled, self.measure.scalings).await;
    }

    async fn kill_brokers(&mut self) {
        if cluster().is_none() {
            return;
        }
        let all = ["1", "2", "3"];
        for _ in 0..self.measure.broker_kills {
            self.pause_ms(500, 2_000).await;
            let one = [all[self.dice.random_range(0..all.len())]];
            broker_command("kill", &one);
            self.pause_ms(3_000, 8_000).await;
            broker_command("revive", &one);
        }
        self.look_after(Fault::BrokerKilled, self.measure.broker_kills).await;
        broker_command("kill", &all);
        self.pause_ms(2_000, 4_000).await;
        broker_command("revive", &all);
        self.look_after(Fault::ClusterKilled, 1).await;
    }

    /// Waits until all that was acknowledged so far is told, and notes what is not as promised.
    pub(crate) async fn look_after(&mut self, fault: Fault, injected: u32) {
        let watch = Stopwatch::start();
        self.fleet.all_ready().await;
        let acknowledged = self.acknowledged();
        while !self.told(&acknowledged) && watch.elapsed() < crate::shop::PATIENCE {
            self.pause_ms(300, 300).await;
            self.audit.read_on(&self.broker);
        }
        let mut violations = std::mem::take(&mut self.audit.violations);
        violations.extend(self.out_of_order());
        if !self.told(&acknowledged) {
            violations.push(format!(
                "an acknowledged message is not told; unread: {:?}",
                backlog(&self.config)
            ));
        }
        self.found.insert(fault, (injected, violations, watch.elapsed()));
        let webhooks = self.posted.webhooks.load(Ordering::Relaxed);
        let so_far = self.watch.elapsed().as_secs();
        tell(&format!(
            "{so_far:>4} s: {}, {injected} times; {webhooks} webhooks so far",
            fault.name()
        ));
        let violations = &self.found[&fault].1;
        assert_eq!(*violations, [""; 0], "{}", fault.name());
    }

    /// Lets everything come to rest and compares; a table for people, and what is not as promised.
    pub(crate) async fn end(mut self) -> (String, Vec<String>) {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.load.join_next().await {
            ended.unwrap();
        }
        while let Some(ended) = self.at_work.join_next().await {
            ended.unwrap();
        }
        self.instagram.echoes_delivered().await;
        self.look_after(Fault::Nothing, 0).await;
        let (config, broker, audit) = (&self.config, &self.broker, &mut self.audit);
        eventually("nothing is left to read, and every part has its outcome", async || {
            let nothing_left = unread(config).is_empty();
            audit.read_on(broker);
            let settled = audit.outcomes.values().all(|outcomes| !outcomes.is_empty());
            (nothing_left && settled).then_some(())
        })
        .await;
        self.audit.at_rest();
        // An outcome nobody could know is put to the agent a while later, and views follow the log.
        let watch = Stopwatch::start();
        let mut sent_wrong = self.compare_with_the_desk().await;
        while !sent_wrong.is_empty() && watch.elapsed() < crate::shop::PATIENCE {
            tokio::time::sleep(Duration::from_secs(1)).await;
            sent_wrong = self.compare_with_the_desk().await;
        }
        let at_rest = self.found.entry(Fault::Nothing).or_default();
        at_rest.1.append(&mut self.audit.violations);
        at_rest.1.extend(sent_wrong);
        while self.fleet.len() > 0 {
            self.fleet.shrink().await;
        }
        let table = self.table();
        if self.found.values().all(|(_, violations, _)| violations.is_empty()) {
            self.dir.disable_cleanup(false);
        }
        (table, self.found.into_values().flat_map(|(_, violations, _)| violations).collect())
    }

    /// The books of the simulated Instagram against what the desk shows, item by item.
    async fn compare_with_the_desk(&self) -> Vec<String> {
        let doors = Doors::at(self.fleet.front.address);
        let look = async |path: &str| {
            eventually("the desk answers", async || {
                let asked = (Method::GET, path);
                let (status, said) = doors.ask(asked, secrets::ADMIN, ("", None)).await;
                (status == 200).then_some(said)
            })
            .await
        };
        let mut shown = Vec::new();
        let mut page = "/v1/conversations?limit=200".to_owned();
        loop {
            let list = look(&page).await;
            for one in list["conversations"].as_array().unwrap() {
                let id = one["conversation_id"].as_str().unwrap();
                shown.push(look(&format!("/v1/conversations/{id}")).await);
            }
            let Some(next) = list["next_cursor"].as_str() else { break };
            page = format!("/v1/conversations?limit=200&cursor={next}");
        }
        let found = self.instagram.books.with(|ledger| ledger.reconcile(&shown));
        found.differences.iter().map(ToString::to_string).collect()
    }

    fn acknowledged(&self) -> BTreeMap<String, Vec<String>> {
        let said = self.posted.said.lock().unwrap();
        let of_thread = |mids: &Vec<(String, bool)>| -> Vec<String> {
            mids.iter().filter(|(_, taken)| *taken).map(|(mid, _)| mid.clone()).collect()
        };
        said.iter().map(|(thread, mids)| (thread.clone(), of_thread(mids))).collect()
    }

    fn told(&self, acknowledged: &BTreeMap<String, Vec<String>>) -> bool {
        acknowledged.iter().all(|(thread, mids)| {
            let told = self.audit.threads.get(thread);
            mids.is_empty()
                || told.is_some_and(|told| mids.iter().all(|mid| told.received.contains(mid)))
        })
    }

    /// Messages told in another order than they were acknowledged in, or never written.
    fn out_of_order(&self) -> Vec<String> {
        let said = self.posted.said.lock().unwrap();
        let mut found = Vec::new();
        for (thread, told) in &self.audit.threads {
            let nothing = Vec::new();
            let mut written = said.get(thread).unwrap_or(&nothing).iter();
            if !told.received.iter().all(|mid| written.any(|(one, _)| one == mid)) {
                found.push(format!("{thread}: messages are told out of order"));
            }
        }
        found
    }

    pub(crate) async fn pause_ms(&mut self, from: u64, to: u64) {
        let pause = Duration::from_millis(self.dice.random_range(from..=to));
        tokio::time::sleep(pause).await;
    }

    fn table(&self) -> String {
        let mut table =
            format!("{:<34}{:>9}{:>12}{:>14}\n", "fault", "injected", "violations", "told within");
        for fault in Fault::ALL {
            match self.found.get(&fault) {
                Some((injected, violations, within)) => {
                    let (violations, within) = (violations.len(), within.as_secs_f64());
                    writeln!(
                        table,
                        "{:<34}{injected:>9}{violations:>12}{within:>12.1} s",
                        fault.name()
                    )
                    .unwrap();
                }
                None => writeln!(table, "{:<34}{:>9}", fault.name(), "not run").unwrap(),
            }
        }
        let webhooks = self.posted.webhooks.load(Ordering::Relaxed);
        let again = self.posted.refused.load(Ordering::Relaxed);
        let threads = self.audit.threads.len();
        let messages: usize = self.audit.threads.values().map(|told| told.received.len()).sum();
        let parts = self.audit.outcomes.len();
        writeln!(
            table,
            "{webhooks} webhooks acknowledged ({again} attempts failed), {messages} messages of {threads} threads, {parts} \
             parts sent, {} sessions fenced, {} s in all",
            self.fenced,
            self.watch.elapsed().as_secs()
        )
        .unwrap();
        table
    }
}

/// How many records each stage has left to read, by group, topic and partition.
fn backlog(config: &Config) -> BTreeMap<String, usize> {
    let mut backlog = BTreeMap::new();
    for place in unread(config) {
        let (of, _) = place.split_once('@').unwrap();
        *backlog.entry(of.to_owned()).or_default() += 1;
    }
    backlog
}

/// The cluster whose brokers may be killed.
fn cluster() -> Option<String> {
    variable("DMSTREAM_TEST_CHAOS_CLUSTER")
}

fn broker_command(what: &str, brokers: &[&str]) {
    let mut children: Vec<_> = brokers
        .iter()
        .map(|broker| {
            let mut run = Command::new("scripts/kafka");
            run.args([what, "--dir", &cluster().unwrap(), "--broker", broker]).spawn().unwrap()
        })
        .collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
}

#[expect(clippy::disallowed_methods, reason = "the form of the run is told by the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[expect(clippy::print_stdout, reason = "a long run tells how it goes")]
pub(crate) fn tell(line: &str) {
    println!("{line}");
}
