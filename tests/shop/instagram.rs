//! The Instagram before the shop: the simulator's rules and Graph API, with people who do what a test tells them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dmstream::clock::Clock;
use dmstream::domain::id::{AccountId, MessageId};
use dmstream::domain::thread::Thread;
use dmstream::domain::time::Timestamp;
use dmstream::simulator::{
    Author, Body, Books, Courier, CourierSettings, Graph, GraphFaults, GraphParts, Habits,
    Occurrence, What, World, WorldSettings, courier,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{ACCOUNT, eventually, secrets};

/// People do nothing by themselves.
const QUIET: Habits = Habits {
    mention: 0.0,
    story_reply: 0.0,
    image: 0.0,
    postback: 0.0,
    burst: 0.0,
    edit: 0.0,
    unsend: 0.0,
    read: 0.0,
    react: 0.0,
    answer: 0.0,
    native: 0.0,
};
/// First messages a second, in the world's time.
const RATE_PER_S: f64 = 200.0;

/// An Instagram; its tasks end with it.
pub(crate) struct Instagram {
    pub(crate) graph_address: SocketAddr,
    pub(crate) books: Books,
    graph: Graph,
    courier: Courier,
    /// How far the world's time went, milliseconds; begins in the past.
    at_ms: AtomicU64,
    said: AtomicU64,
    _tasks: JoinSet<()>,
}

impl Instagram {
    /// An Instagram of `people` that delivers echoes to `webhook_url`.
    pub(crate) async fn open(webhook_url: &str, people: usize, faults: GraphFaults) -> Self {
        let clock = Clock::System;
        let account = AccountId::parse(ACCOUNT).unwrap();
        let begins_at = clock.now().minus_ms(600_000);
        let world = WorldSettings {
            accounts: vec![account.clone()],
            people,
            rate_per_s: RATE_PER_S,
            habits: QUIET,
            calls_per_s: 100,
        };
        let world = World::new(world, StdRng::seed_from_u64(1), begins_at).unwrap();
        let books = Books::new(|_| ());
        let road = CourierSettings {
            url: webhook_url.to_owned(),
            app_secret: secrets::APP.to_owned(),
            at_once: 8,
            batch: 4,
            timeout: Duration::from_secs(10),
            attempts: 40,
            first_pause: Duration::from_millis(100),
            duplicate: 0.2,
            reorder: 0.0,
        };
        let (courier, carrying) = courier(road, 2, clock.clone(), books.clone());
        let graph = Graph::new(GraphParts {
            world,
            tokens: BTreeMap::from([(secrets::GRAPH.to_owned(), account)]),
            faults,
            seed: 3,
            clock,
            books: books.clone(),
            courier: courier.clone(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (graph_address, router) = (listener.local_addr().unwrap(), graph.router());
        let mut tasks = JoinSet::new();
        tasks.spawn(carrying);
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let (at_ms, said) = (AtomicU64::new(begins_at.as_ms()), AtomicU64::new(0));
        Self { graph_address, books, graph, courier, at_ms, said, _tasks: tasks }
    }

    /// The next person's first message, or their next; nobody was told of it yet.
    pub(crate) fn somebody_writes(&self) -> Occurrence {
        loop {
            let to = Timestamp::from_ms(self.at_ms.fetch_add(1, Ordering::Relaxed));
            let happened = self.graph.world(|world| world.step(to)).unwrap();
            if let Some(first) = happened.into_iter().next() {
                self.books.with(|ledger| ledger.happened(&first));
                return first;
            }
        }
    }

    /// Something said in this thread.
    pub(crate) fn says(&self, by: Author, thread: &Thread, words: &str) -> Occurrence {
        let mid = format!("said-{}-{words}", self.said.fetch_add(1, Ordering::Relaxed));
        let what =
            What::Message { mid: MessageId::parse(&mid).unwrap(), by, body: Body::text(words) };
        let said = Occurrence { thread: thread.clone(), at: Clock::System.now(), what };
        self.books.with(|ledger| ledger.happened(&said));
        said
    }

    /// Messages the Graph API took.
    pub(crate) fn taken(&self) -> u64 {
        self.books.with(|ledger| ledger.counts().taken)
    }

    /// Waits until every echo was acknowledged.
    pub(crate) async fn echoes_delivered(&self) {
        eventually("echoes are delivered", async || (self.courier.waiting() == 0).then_some(()))
            .await;
    }
}
