//! A product that remembers many conversations: their changelog is written, and it runs as a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use tokio::runtime::Runtime;

use super::cluster::{Cluster, PARTITIONS, failed};
use super::load::Load;
use super::{pipeline, progress};
use crate::app::pipeline::{Pipeline, wait_until_ready};
use crate::app::{Error, kafka_settings};
use crate::broker::kafka::KafkaBroker;
use crate::broker::record::{Headers, Record};
use crate::clock::{Clock, Stopwatch};
use crate::config::Config;
use crate::conversation::ConversationStage;
use crate::domain::settings::{AccountSettings, CompanySettings, SettingsTable};
use crate::engine::rehearsal::Rehearsal;
use crate::engine::stage::Row;
use crate::normalize::{Accounts, edge::NormalizeStage};
use crate::topics::Topic;

/// How long a lane may take to come back.
const READY_WITHIN: Duration = Duration::from_secs(900);
const WITHIN: Duration = Duration::from_secs(120);
/// Between two looks at a process that comes back.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// The disk has not grown for so long: what was restored is written.
const CALM: Duration = Duration::from_secs(10);

/// Topics with a filled changelog, a directory, and at times a process.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) prefix: String,
    dir: tempfile::TempDir,
    file: PathBuf,
    address: SocketAddr,
    runtime: Runtime,
    running: Option<Pipeline>,
    /// Bytes of a row.
    pub(super) row_bytes: usize,
}

impl Filled {
    /// Topics whose changelog holds `conversations`, each of one message. Nothing runs yet.
    pub(super) fn set_up(cluster: &Cluster, conversations: u32) -> Result<Self, Error> {
        let prefix = pipeline::prefix();
        let dir = tempfile::Builder::new().prefix("dmstream-bench-").tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let file = dir.path().join("dmstream.toml");
        std::fs::write(
            &file,
            format!(
                "listen = \"{address}\"\ndata_dir = {:?}\nlog = \"off\"\nkafka_bootstrap = {:?}\n\
                 kafka_replication = 1\ntopic_prefix = {prefix:?}\nroles = [\"normalize\", \"conversation\", \"route\"]\n\
                 conversation_workers = {}\n",
                dir.path(),
                cluster.bootstrap,
                super::product::cores().unwrap_or(1),
            ),
        )?;
        let config = Config::read(Some(&file), std::iter::empty())?;
        KafkaBroker::connect(kafka_settings(&config))?.apply_topics()?;
        let row = one_conversation()?;
        let filled = Self {
            prefix,
            dir,
            file,
            address,
            runtime: tokio::runtime::Builder::new_multi_thread().enable_all().build()?,
            running: None,
            row_bytes: row.len(),
        };
        filled.fill(cluster, conversations, &row)?;
        Ok(filled)
    }

    pub(super) fn named(&self, topic: Topic) -> String {
        format!("{}{}", self.prefix, topic.name())
    }

    fn fill(&self, cluster: &Cluster, conversations: u32, row: &[u8]) -> Result<(), Error> {
        let topic = self.named(Topic::ConversationChangelog);
        let producer: ThreadedProducer<DefaultProducerContext> =
            cluster.writing().create().map_err(|error| failed(&error))?;
        let bar = progress(u64::from(conversations), "filling the changelog");
        for person in 0..conversations {
            let key = Load::thread(person)?.key();
            let mut record = BaseRecord::to(&topic).key(&key).payload(row);
            while let Err((error, back)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(rdkafka::error::RDKafkaErrorCode::QueueFull) {
                    return Err(failed(&error));
                }
                record = back;
                std::thread::sleep(Duration::from_millis(1));
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        producer.flush(WITHIN).map_err(|error| failed(&error))
    }

    /// Starts the process, and waits until it has its lanes.
    pub(super) fn start(&mut self) -> Result<Came, Error> {
        let since = Stopwatch::start();
        let (running, restoring) = self.runtime.block_on(async {
            let running = Pipeline::child(&self.file, self.dir.path())?;
            let restoring = wait_for_lanes(self.address).await?;
            wait_until_ready(self.address, READY_WITHIN).await?;
            Ok::<_, Error>((running, restoring))
        })?;
        self.running = Some(running);
        Ok(Came { ready: since.elapsed(), restoring })
    }

    /// Its process id, while it runs.
    pub(super) fn process(&self) -> Option<u32> {
        self.running.as_ref().and_then(Pipeline::process)
    }

    /// Ends it without warning.
    pub(super) fn kill(&mut self) -> Result<(), Error> {
        match self.running.take() {
            Some(running) => self.runtime.block_on(running.kill()),
            None => Ok(()),
        }
    }

    /// Takes away what it has on disk. To be called while it does not run.
    pub(super) fn lose_disk(&self) -> Result<(), Error> {
        Ok(std::fs::remove_dir_all(self.dir.path().join("state"))?)
    }

    /// Waits until what was restored is on disk; how many bytes that is.
    pub(super) fn wait_until_written(&self) -> u64 {
        let state = self.dir.path().join("state");
        let (mut bytes, mut calm) = (0, Stopwatch::start());
        while calm.elapsed() < CALM {
            std::thread::sleep(Duration::from_millis(200));
            let now = super::machine::bytes_under(&state);
            if now != bytes {
                (bytes, calm) = (now, Stopwatch::start());
            }
        }
        bytes
    }
}

/// How long a process took to come back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Came {
    /// From its start until all lanes were its own.
    pub(super) ready: Duration,
    /// Of that, from the first lane on its way back: without starting up and joining the group.
    pub(super) restoring: Duration,
}

/// Waits until the conversation stage has all its lanes; how long since the first was on its way back.
async fn wait_for_lanes(address: SocketAddr) -> Result<Duration, Error> {
    let (since, mut first) = (Stopwatch::start(), None);
    while since.elapsed() < READY_WITHIN {
        tokio::time::sleep(LOOK_EVERY).await;
        // Nobody answers before it listens.
        let Ok(answer) = reqwest::get(format!("http://{address}/metrics")).await else { continue };
        let page = answer.text().await.map_err(|error| Error::Failed(error.to_string()))?;
        let sum = |name: &str| {
            let series = format!("dmstream_{name}{{stage=\"conversation\"");
            let lines = page.lines().filter(|line| line.starts_with(&series));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok()).sum::<i64>()
        };
        let owned = sum("partitions_assigned");
        if owned > 0 || sum("state_restore_remaining_records") > 0 {
            first.get_or_insert_with(Stopwatch::start);
        }
        if owned >= i64::from(PARTITIONS) {
            return Ok(first.map_or(Duration::ZERO, |first| first.elapsed()));
        }
    }
    Err(Error::Failed("the conversation stage did not get its lanes".to_owned()))
}

/// The row of a conversation of one message, as the product itself makes it.
fn one_conversation() -> Result<Vec<u8>, Error> {
    let broken = |what: &str| Error::Failed(format!("no conversation could be rehearsed: {what}"));
    let now = Clock::System.now();
    let webhook = Load::new(1, now).webhook(0)?;
    let fallback = (AccountSettings::default(), CompanySettings::default());
    let settings = || SettingsTable::with_fallback(fallback.0.clone(), fallback.1.clone());
    let raw = Record {
        topic: Topic::WebhooksRaw,
        partition: 0,
        offset: 0,
        timestamp: now,
        key: None,
        value: Some(webhook.body),
        headers: Headers::default(),
    };
    let mut normalize = Rehearsal::new(NormalizeStage::new(Accounts::of([])), settings());
    let step = normalize.apply(&raw).map_err(|error| broken(&error.to_string()))?;
    let event = step.outputs.into_iter().next().ok_or_else(|| broken("no event"))?;
    let event = Record { topic: event.topic, key: Some(event.key), value: event.value, ..raw };
    let mut conversation = Rehearsal::new(ConversationStage, settings());
    conversation.apply(&event).map_err(|error| broken(&error.to_string()))?;
    let row = conversation.row(webhook.key.as_bytes());
    let row = row.map_err(|error| broken(&error.to_string()))?.ok_or_else(|| broken("no row"))?;
    let mut bytes = Vec::new();
    row.encode(&mut bytes);
    Ok(bytes)
}
