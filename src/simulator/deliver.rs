//! Carries webhooks to the product as Meta does: again when not answered 200, sometimes twice, sometimes late.
//!
//! Promise: an occurrence is in the books as acknowledged only after a 200 for a body that held it. Bounded: the queue,
//! the posts at a time, the attempts and the time of each. Source: `instagram-platform` sections 1.3 and 1.4.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::Clock;

use super::books::Books;
use super::happening::Happening;
use super::occurrence::Occurrence;
use super::webhook;

/// How webhooks travel.
#[derive(Clone)]
pub struct CourierSettings {
    /// The product's webhook address.
    pub url: String,
    /// Signs the bodies.
    pub app_secret: String,
    /// Posts at a time.
    pub at_once: usize,
    /// Most occurrences in one body.
    pub batch: usize,
    /// How long an answer may take. Source: 20 s, `FAQ`.
    pub timeout: Duration,
    /// Attempts in all; then the body is dropped, as Meta drops it.
    pub attempts: u32,
    /// Pause before the first repetition; doubles, at most to ten seconds.
    pub first_pause: Duration,
    /// A body is delivered twice.
    pub duplicate: f64,
    /// A body is held back and overtaken.
    pub reorder: f64,
}

impl fmt::Debug for CourierSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CourierSettings").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a body that is overtaken is held back at most.
const HELD_BACK_MS: u64 = 800;
/// Occurrences that may wait for the courier; whoever makes more, waits.
const QUEUE: usize = 4_096;

/// Where occurrences are handed in. Clones hand in at the same place.
#[derive(Debug, Clone)]
pub struct Courier {
    queue: mpsc::Sender<Handed>,
    waiting: Arc<AtomicU64>,
}

impl Courier {
    /// Hands one in; waits while the queue is full, and gives up only when the courier is gone.
    pub async fn hand_in(&self, occurrence: Occurrence) {
        self.hand_in_for(occurrence, Duration::ZERO).await;
    }

    /// Hands one in that is not to be delivered before some time has passed.
    pub async fn hand_in_for(&self, occurrence: Occurrence, not_before: Duration) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        if self.queue.send(Handed { occurrence, not_before }).await.is_err() {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Occurrences handed in and neither acknowledged nor given up.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::SeqCst)
    }
}

/// The courier, and its work: to be run until every [`Courier`] is dropped.
#[must_use = "nothing is delivered until the work is run"]
pub fn courier(
    settings: CourierSettings,
    seed: u64,
    clock: Clock,
    books: Books,
) -> (Courier, impl Future<Output = ()> + Send) {
    let (queue, inbox) = mpsc::channel(QUEUE);
    let waiting = Arc::new(AtomicU64::new(0));
    let road = Road { settings, clock, books, waiting: waiting.clone() };
    (Courier { queue, waiting }, carry(Arc::new(road), StdRng::seed_from_u64(seed), inbox))
}

/// An occurrence on the courier's desk.
#[derive(Debug)]
struct Handed {
    occurrence: Occurrence,
    not_before: Duration,
}

/// What every post needs.
struct Road {
    settings: CourierSettings,
    clock: Clock,
    books: Books,
    waiting: Arc<AtomicU64>,
}

async fn carry(road: Arc<Road>, mut dice: StdRng, mut inbox: mpsc::Receiver<Handed>) {
    let client = reqwest::Client::builder().timeout(road.settings.timeout).build();
    let client = client.unwrap_or_default();
    let mut posts = JoinSet::new();
    let mut batch = Vec::new();
    loop {
        while posts.len() >= road.settings.at_once.max(1) {
            if posts.join_next().await.is_none() {
                break;
            }
        }
        let most = road.settings.batch.max(1);
        let limit = if dice.random_bool(0.5) { 1 } else { dice.random_range(1..=most) };
        if inbox.recv_many(&mut batch, limit).await == 0 {
            break;
        }
        let Parcel { held_back, doubled } = Parcel::roll(&mut dice, &road.settings);
        let not_before = batch.iter().map(|handed: &Handed| handed.not_before).max();
        let held_back = held_back.max(not_before.unwrap_or_default());
        let parcel: Vec<_> = batch.drain(..).map(|handed| handed.occurrence).collect();
        let (road, client) = (road.clone(), client.clone());
        posts.spawn(async move {
            tokio::time::sleep(held_back).await;
            road.deliver(&client, &parcel, doubled).await;
        });
    }
    while posts.join_next().await.is_some() {}
}

/// What chance does to one body.
struct Parcel {
    held_back: Duration,
    doubled: bool,
}

impl Parcel {
    fn roll(dice: &mut StdRng, settings: &CourierSettings) -> Self {
        let late = dice.random_bool(settings.reorder.clamp(0.0, 1.0));
        let held_back_ms = dice.random_range(1..=HELD_BACK_MS);
        let held_back = if late { Duration::from_millis(held_back_ms) } else { Duration::ZERO };
        Self { held_back, doubled: dice.random_bool(settings.duplicate.clamp(0.0, 1.0)) }
    }
}

impl Road {
    async fn deliver(&self, client: &reqwest::Client, parcel: &[Occurrence], doubled: bool) {
        if let Ok(bytes) = webhook::body(parcel, self.clock.now()) {
            let accepted = self.post_until_accepted(client, &bytes).await;
            self.books.with(|ledger| {
                for occurrence in parcel {
                    if accepted {
                        ledger.acknowledged(occurrence);
                    } else {
                        ledger.gave_up(occurrence);
                    }
                }
            });
            if accepted && doubled {
                let accepted = self.post(client, &bytes).await;
                self.books.with(|ledger| ledger.posted(accepted, true));
                self.books.tell(Happening::Fault { what: "a webhook is delivered twice" });
            }
        }
        let carried = u64::try_from(parcel.len()).unwrap_or(u64::MAX);
        self.waiting.fetch_sub(carried, Ordering::SeqCst);
    }

    async fn post_until_accepted(&self, client: &reqwest::Client, bytes: &[u8]) -> bool {
        let mut pause = self.settings.first_pause;
        for attempt in 1..=self.settings.attempts.max(1) {
            let accepted = self.post(client, bytes).await;
            self.books.with(|ledger| ledger.posted(accepted, false));
            if accepted {
                return true;
            }
            if attempt < self.settings.attempts {
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
        }
        false
    }

    async fn post(&self, client: &reqwest::Client, bytes: &[u8]) -> bool {
        let signature = webhook::signature(&self.settings.app_secret, bytes);
        let request = client
            .post(&self.settings.url)
            .header("content-type", "application/json")
            .header("x-hub-signature-256", signature)
            .body(bytes.to_vec());
        request.send().await.is_ok_and(|answer| answer.status() == reqwest::StatusCode::OK)
    }
}
