//! Durable ingress against the same server, the same signature check, and no broker behind it.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::FutureExt;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::load::Load;
use super::post::{self, Answered, Plan};
use super::product::{APP_SECRET, Product};
use super::report::{Runs, Table, grouped, percent, percentile, ratio};
use super::{pipeline, print, progress};
use crate::app::{Error, server};
use crate::cli::BenchArgs;
use crate::clock::{Clock, Stopwatch};
use crate::config::Role;
use crate::ingress::{self, Ingress, Limits, Secrets, VerifyToken};
use crate::normalize;

/// Connections that post at once.
const CONNECTIONS: u32 = 256;

/// Prints rates of both sides.
pub(super) fn measure(args: &BenchArgs) -> Result<(), Error> {
    let cluster = super::cluster(args)?;
    let (mut ours, mut limit) = (Side::default(), Side::default());
    let prefix = pipeline::prefix();
    let mut product = Product::set_up(&cluster, &prefix)?;
    let address = product.start(&[Role::Ingress])?;
    let bar = progress(u64::from(args.runs) * 2, "posting");
    for _ in 0..args.runs {
        limit.add(&without_broker(args.records)?);
        bar.inc(1);
        ours.add(&posted(address, args.records)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    product.stop()?;
    cluster.delete(&prefix)?;
    let mut table = Table::new(&["", "webhooks/s", "spread", "p50 ms", "p99 ms", "ratio"]);
    for (name, side) in [("dmstream", &ours), ("limit: the same without a broker", &limit)] {
        table.line(&[
            name.to_owned(),
            grouped(side.rates.median()),
            percent(side.rates.spread()),
            format!("{:.1}", side.p50.median()),
            format!("{:.1}", side.p99.median()),
            ratio(ours.rates.median(), side.rates.median()),
        ]);
    }
    let notes = format!("{CONNECTIONS} connections; server, client and Kafka share the machine\n");
    print("ingress", args, &table, &notes)
}

/// Rates and latencies of one side.
#[derive(Debug, Default)]
struct Side {
    rates: Runs,
    p50: Runs,
    p99: Runs,
}

impl Side {
    fn add(&mut self, answered: &[Answered]) {
        let last = answered.iter().map(|one| one.at).max().unwrap_or_default();
        let first = answered.iter().map(|one| one.at.saturating_sub(one.after)).min();
        let took = last.saturating_sub(first.unwrap_or_default()).as_secs_f64();
        self.rates.0.push(answered.len() as f64 / took.max(f64::MIN_POSITIVE));
        let mut ms: Vec<f64> = answered.iter().map(|one| one.after.as_secs_f64() * 1e3).collect();
        self.p50.0.push(percentile(&mut ms, 0.5));
        self.p99.0.push(percentile(&mut ms, 0.99));
    }
}

fn posted(to: SocketAddr, records: u32) -> Result<Vec<Answered>, Error> {
    let load = Load::of_records(records, Clock::System.now());
    let plan = Plan { to, load, records, connections: CONNECTIONS, rate: None };
    let client = std::thread::spawn(move || post::run(plan, Stopwatch::start()));
    client.join().map_err(|_panic| Error::Failed("the client panicked".to_owned()))?
}

/// The same doors over the same server; what they take in is dropped.
fn without_broker(records: u32) -> Result<Vec<Answered>, Error> {
    let refused = |error: ingress::Error| Error::Failed(error.to_string());
    let accounts = normalize::Accounts::of([]);
    let ingress = Ingress {
        secrets: Secrets::new([APP_SECRET]).map_err(refused)?,
        verify_token: VerifyToken::new("bench-token").map_err(refused)?,
        limits: Limits::default(),
        append: Arc::new(|_output| futures::future::ready(Ok(())).boxed()),
        key_of: Arc::new(move |body| normalize::peek::key_of(body, &accounts)),
        clock: Clock::System,
        metrics: ingress::Metrics::register(&Registry::new())?,
        pulse: Arc::default(),
    };
    let router = ingress::router(Arc::new(ingress));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (stop, stopped) = watch::channel(false);
    let (address, served) = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        Ok::<_, Error>((address, server::serve(listener, router, stopped)))
    })?;
    let answered = posted(address, records);
    stop.send_replace(true);
    runtime.block_on(served).map_err(|error| Error::Failed(error.to_string()))?;
    answered
}
