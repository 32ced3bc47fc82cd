//! The load under which things break: webhooks of thousands of threads, each repeated until it is answered 200.
//!
//! Of one thread a message is posted only after the one before was acknowledged: so the order is known from outside.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dmstream::clock::{Clock, Stopwatch};
use dmstream::simulator::{Occurrence, signature, webhook_body};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::shop::{Instagram, secrets};

/// Threads are shared out to so many posters.
const POSTERS: usize = 24;
/// How long an answer may take: a process that stands still gives none.
const ANSWER_WITHIN: Duration = Duration::from_secs(6);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest time in which one webhook is not taken by anybody.
const TAKEN_WITHIN: Duration = Duration::from_secs(120);
/// Of so many bodies one comes again later.
const DOUBLED_OF: u32 = 20;

/// What was posted and acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Posted {
    /// Webhooks answered 200.
    pub(crate) webhooks: AtomicU64,
    /// Attempts not answered 200.
    pub(crate) refused: AtomicU64,
    /// By thread, in order: the mid, and whether it was acknowledged.
    pub(crate) said: Mutex<BTreeMap<String, Vec<(String, bool)>>>,
}

/// How much load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    /// At least so many webhooks.
    pub(crate) webhooks: u64,
    /// At most so many a second while things break.
    pub(crate) rate_per_s: u64,
}

/// Posts until `webhooks` are acknowledged and `broken` says that nothing breaks any more; at most thrice the amount.
pub(crate) async fn post(
    instagram: Arc<Instagram>,
    url: String,
    amount: Amount,
    posted: Arc<Posted>,
    over: Arc<AtomicBool>,
) {
    let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).build().unwrap();
    let mut posters = JoinSet::new();
    let mut ways = Vec::new();
    for seed in 0..POSTERS {
        let (way, inbox) = mpsc::channel(4);
        ways.push(way);
        let poster = Poster {
            client: client.clone(),
            url: url.clone(),
            instagram: Arc::clone(&instagram),
            posted: Arc::clone(&posted),
            dice: StdRng::seed_from_u64(u64::try_from(seed).unwrap()),
        };
        posters.spawn(poster.work(inbox));
    }
    let watch = Stopwatch::start();
    let mut written = 0;
    while written < 3 * amount.webhooks {
        let done = posted.webhooks.load(Ordering::Relaxed) >= amount.webhooks;
        let is_over = over.load(Ordering::Relaxed);
        if done && is_over {
            break;
        }
        let due =
            Duration::from_secs_f64(f64::from(u32::try_from(written).unwrap()) / rate(amount));
        if !is_over {
            tokio::time::sleep(due.saturating_sub(watch.elapsed())).await;
        }
        let said = instagram.somebody_writes();
        let key = said.thread.key();
        let mid = said.mid().as_str().to_owned();
        posted.said.lock().unwrap().entry(key.clone()).or_default().push((mid, false));
        let way = key.bytes().fold(7, |sum: usize, byte| sum.wrapping_mul(31) + usize::from(byte));
        ways[way % POSTERS].send(said).await.unwrap();
        written += 1;
    }
    drop(ways);
    while let Some(ended) = posters.join_next().await {
        ended.unwrap();
    }
}

fn rate(amount: Amount) -> f64 {
    f64::from(u32::try_from(amount.rate_per_s).unwrap())
}

struct Poster {
    client: reqwest::Client,
    url: String,
    instagram: Arc<Instagram>,
    posted: Arc<Posted>,
    dice: StdRng,
}

impl Poster {
    async fn work(mut self, mut inbox: mpsc::Receiver<Occurrence>) {
        let mut again = None;
        while let Some(said) = inbox.recv().await {
            let body = webhook_body(std::slice::from_ref(&said), Clock::System.now()).unwrap();
            self.post_until_taken(&body).await;
            self.instagram.books.with(|ledger| ledger.acknowledged(&said));
            if let Some(of_thread) = self.posted.said.lock().unwrap().get_mut(&said.thread.key()) {
                let mid = said.mid().as_str();
                of_thread.iter_mut().filter(|(one, _)| one == mid).for_each(|one| one.1 = true);
            }
            if self.dice.random_ratio(1, DOUBLED_OF)
                && let Some(earlier) = again.replace(body)
            {
                self.post_until_taken(&earlier).await;
            }
        }
    }

    async fn post_until_taken(&self, body: &[u8]) {
        let signed = signature(secrets::APP, body);
        let watch = Stopwatch::start();
        loop {
            let request = self.client.post(&self.url).body(body.to_vec());
            let answer = request.header("x-hub-signature-256", &signed).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                self.posted.webhooks.fetch_add(1, Ordering::Relaxed);
                return;
            }
            self.posted.refused.fetch_add(1, Ordering::Relaxed);
            assert!(watch.elapsed() < TAKEN_WITHIN, "a webhook was not taken in time");
            tokio::time::sleep(PAUSE).await;
        }
    }
}
