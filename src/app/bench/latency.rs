//! How long after a webhook's answer its routing decision can be read, at half of what the whole product bears.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;

use super::cluster::{Cluster, PARTITIONS, failed};
use super::load::{Load, MESSAGES_PER_PERSON};
use super::post::{self, Answered, Plan};
use super::product::Product;
use super::report::{Runs, Table, grouped, percent, percentile};
use super::{pipeline, print, progress, watch};
use crate::app::Error;
use crate::cli::{BenchArgs, LatencyArgs};
use crate::clock::{Clock, Stopwatch};
use crate::config::Role;
use crate::topics::Topic;

const CONNECTIONS: u32 = 64;
/// Decisions that have not come by then do not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Prints percentiles.
pub(super) fn measure(args: &LatencyArgs) -> Result<(), Error> {
    let (cluster, bench) = (super::cluster(&args.bench)?, &args.bench);
    let prefix = pipeline::prefix();
    let mut product = Product::set_up(&cluster, &prefix)?;
    product.start(&[Role::Conversation, Role::Route])?;
    product.start(&[Role::Normalize])?;
    let to = product.start(&[Role::Ingress])?;
    let bar = progress(u64::from(bench.runs) + 1, "posting");
    let mut place = Place { cluster: &cluster, prefix: &prefix, to, people: 0 };
    let full = place.capacity(bench.records)?;
    let rate = args.rate.map_or(full / 2.0, f64::from);
    let (mut p50, mut p99, mut answers) = (Runs::default(), Runs::default(), Runs::default());
    for _ in 0..bench.runs {
        bar.inc(1);
        let (mut decided, mut answered) = place.at_rate(bench.records, rate)?;
        p50.0.push(percentile(&mut decided, 0.5));
        p99.0.push(percentile(&mut decided, 0.99));
        answers.0.push(percentile(&mut answered, 0.99));
    }
    bar.finish_and_clear();
    product.stop()?;
    cluster.delete(&prefix)?;
    report(
        bench,
        (full, rate),
        [
            ("answered to decided, p50 ms", &p50),
            ("answered to decided, p99 ms", &p99),
            ("sent to answered, p99 ms", &answers),
        ],
    )
}

fn report(
    args: &BenchArgs,
    (full, rate): (f64, f64),
    lines: [(&str, &Runs); 3],
) -> Result<(), Error> {
    let mut table = Table::new(&["", "median", "spread"]);
    for (name, runs) in lines {
        table.line(&[name.to_owned(), format!("{:.0}", runs.median()), percent(runs.spread())]);
    }
    let notes = format!(
        "{} webhooks a second; HTTP to decision in one process bears {} on this machine\n",
        grouped(rate),
        grouped(full)
    );
    print("latency", args, &table, &notes)
}

/// Where webhooks go, and who has written already.
struct Place<'a> {
    cluster: &'a Cluster,
    prefix: &'a str,
    to: SocketAddr,
    people: u32,
}

impl Place<'_> {
    /// People nobody has heard of.
    fn strangers(&mut self, records: u32) -> Load {
        let people = (records / MESSAGES_PER_PERSON).max(1);
        let load = Load::new(people, Clock::System.now()).one_after_the_other(self.people);
        self.people += people;
        load
    }

    fn named(&self, topic: Topic) -> String {
        format!("{}{}", self.prefix, topic.name())
    }

    /// Webhooks a second from the first post to the last fact, as fast as answers come.
    fn capacity(&mut self, records: u32) -> Result<f64, Error> {
        let load = self.strangers(records);
        let plan = Plan { to: self.to, load, records, connections: CONNECTIONS, rate: None };
        let client = std::thread::spawn(move || post::run(plan, Stopwatch::start()));
        let bar = indicatif::ProgressBar::hidden();
        let ends = [self.named(Topic::Timeline)];
        let first = self.named(Topic::EventsNormalized);
        let took = watch::until_done(self.cluster, &first, &ends, (u64::from(records), &bar));
        client.join().map_err(|_panic| Error::Failed("the client panicked".to_owned()))??;
        Ok(f64::from(records) / took?.seconds.max(f64::MIN_POSITIVE))
    }

    /// Milliseconds from each first message's answer to its decision, and from each post to its answer.
    fn at_rate(&mut self, records: u32, rate: f64) -> Result<(Vec<f64>, Vec<f64>), Error> {
        let load = self.strangers(records);
        let plan = Plan { to: self.to, load, records, connections: CONNECTIONS, rate: Some(rate) };
        let reader = self.reader_at_end()?;
        let since = Stopwatch::start();
        let client = std::thread::spawn(move || post::run(plan, since));
        let decided = decisions(&reader, load, since);
        let answered = client.join();
        let answered =
            answered.map_err(|_panic| Error::Failed("the client panicked".to_owned()))??;
        let decided = decided?;
        let mut after = Vec::new();
        for one in answered.iter().filter(|one| one.n.is_multiple_of(MESSAGES_PER_PERSON)) {
            let key = Load::thread(load.person(one.n))?.key();
            let at = decided.get(key.as_bytes()).copied();
            let at = at.ok_or_else(|| Error::Failed("a decision did not come".to_owned()))?;
            after.push(at.saturating_sub(one.at).as_secs_f64() * 1e3);
        }
        let took = |one: &Answered| one.after.as_secs_f64() * 1e3;
        Ok((after, answered.iter().map(took).collect()))
    }

    /// A reader that has read all decisions so far. A client asks for its first offsets half a second after it was made, and
    /// what was decided until then would seem to come late.
    fn reader_at_end(&self) -> Result<BaseConsumer, Error> {
        let reader = self.cluster.reader(&[self.named(Topic::RoutingDecisions)], true)?;
        let (began, mut ends) = (Stopwatch::start(), 0);
        while ends < PARTITIONS {
            match reader.poll(Duration::from_millis(50)) {
                Some(Err(KafkaError::PartitionEOF(_))) => ends += 1,
                Some(Err(error)) => return Err(failed(&error)),
                Some(Ok(_)) | None => (),
            }
            if began.elapsed() > PATIENCE {
                return Err(Error::Failed("decisions could not be read to their end".to_owned()));
            }
        }
        Ok(reader)
    }
}

/// When each person's first decision was readable.
fn decisions(
    reader: &BaseConsumer,
    load: Load,
    since: Stopwatch,
) -> Result<BTreeMap<Vec<u8>, Duration>, Error> {
    let mut awaited = std::collections::BTreeSet::new();
    for person in load.people() {
        awaited.insert(Load::thread(person)?.key().into_bytes());
    }
    let mut decided = BTreeMap::new();
    let mut last = since.elapsed();
    while !awaited.is_empty() && since.elapsed().saturating_sub(last) < PATIENCE {
        let Some(polled) = reader.poll(Duration::from_millis(50)) else { continue };
        let message = match polled {
            Ok(message) => message,
            Err(KafkaError::PartitionEOF(_)) => continue,
            Err(error) => return Err(failed(&error)),
        };
        let key = message.key().unwrap_or_default();
        if awaited.remove(key) {
            last = since.elapsed();
            decided.insert(key.to_vec(), last);
        }
    }
    Ok(decided)
}
