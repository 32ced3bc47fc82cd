//! Runs a simulation from the first message to the closed books.
//!
//! Promise: it ends by itself: people for their duration, then a bounded wait until every acknowledged item is in the
//! timelines, then the comparison. Not here: printing, and starting the product.

use std::fmt;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::domain::id::{AccountId, IdError};
use crate::domain::time::Timestamp;

use super::books::Books;
use super::deliver::{Courier, CourierSettings, courier};
use super::desk_client::Desk;
use super::graph::{Graph, GraphFaults, GraphParts};
use super::habits::{Habits, WorldSettings};
use super::happening::Happening;
use super::occurrence::{Author, Body, Occurrence, What};
use super::robots::{Manners, Robot, RobotParts};
use super::settle::{Outcome, settle};
use super::world::World;

/// How often people are asked what they do.
const STEP: Duration = Duration::from_millis(40);
/// How often the story tells how it goes, in steps.
const STEPS_PER_PROGRESS: u64 = 125;
/// How long people and robots may take to come to their end.
const GRACE: Duration = Duration::from_secs(60);

/// What to simulate.
#[derive(Clone)]
pub struct SimulatorSettings {
    /// The product's webhook address, whole.
    pub webhook_url: String,
    /// The product's desk API, without `/v1`.
    pub desk_url: String,
    /// The administrator's token there.
    pub desk_token: String,
    /// Signs the webhooks.
    pub app_secret: String,
    /// The business accounts, each with the token the product uses for it.
    pub accounts: Vec<(AccountId, String)>,
    /// How many people there are.
    pub people: usize,
    /// How often one of them starts something, in all, per second.
    pub rate_per_s: f64,
    /// How long they go on, by `clock`; by the machine's time at most a minute longer.
    pub duration: Duration,
    /// How long the product may take to catch up afterwards.
    pub settle_within: Duration,
    /// Seeds every chance. A run on data that was kept needs a new one: ids repeat with the seed.
    pub seed: u64,
    /// The robots' ids; plain words, they stand in addresses.
    pub agents: Vec<String>,
    /// Whose agents they are.
    pub company: String,
    /// What people do how often.
    pub habits: Habits,
    /// How robots behave.
    pub manners: Manners,
    /// How the Graph API misbehaves.
    pub graph_faults: GraphFaults,
    /// A webhook is delivered twice, 0 to 1.
    pub duplicate: f64,
    /// A webhook is overtaken by later ones, 0 to 1.
    pub reorder: f64,
    /// The time; the world's, the Graph API's and the product's must be one.
    pub clock: Clock,
}

impl fmt::Debug for SimulatorSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatorSettings")
            .field("webhook_url", &self.webhook_url)
            .field("desk_url", &self.desk_url)
            .field("people", &self.people)
            .field("rate_per_s", &self.rate_per_s)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl SimulatorSettings {
    /// A small shop's busy minute, at addresses of a product on this machine.
    #[must_use]
    pub fn new(webhook_url: &str, desk_url: &str) -> Self {
        Self {
            webhook_url: webhook_url.to_owned(),
            desk_url: desk_url.to_owned(),
            desk_token: String::new(),
            app_secret: String::new(),
            accounts: Vec::new(),
            people: 40,
            rate_per_s: 2.0,
            duration: Duration::from_secs(60),
            settle_within: Duration::from_secs(90),
            seed: 1,
            agents: Vec::new(),
            company: "default".to_owned(),
            habits: Habits::default(),
            manners: Manners::default(),
            graph_faults: GraphFaults::default(),
            duplicate: 0.05,
            reorder: 0.05,
            clock: Clock::System,
        }
    }
}

/// Why a simulation could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The world could not name its people or messages.
    #[error("the simulated world could not make an id")]
    Id(#[from] IdError),
}

/// Runs a simulation; `graph_listener` is where the product finds its Graph API, `stop` ends people early.
///
/// # Errors
///
/// [`Error::Id`], which does not happen in practice: everything else is part of the outcome.
pub async fn run(
    settings: SimulatorSettings,
    graph_listener: TcpListener,
    stop: watch::Receiver<bool>,
    events: impl Fn(Happening) + Send + Sync + 'static,
) -> Result<Outcome, Error> {
    let books = Books::new(events);
    let begins_at = settings.clock.now();
    let world = world(&settings, begins_at)?;
    let (courier, carrying) = courier(
        road(&settings),
        settings.seed.wrapping_add(1),
        settings.clock.clone(),
        books.clone(),
    );
    let graph = Graph::new(GraphParts {
        world,
        tokens: settings.accounts.iter().map(|(id, token)| (token.clone(), id.clone())).collect(),
        faults: settings.graph_faults,
        seed: settings.seed.wrapping_add(2),
        clock: settings.clock.clone(),
        books: books.clone(),
        courier: courier.clone(),
    });
    let mut background = JoinSet::new();
    background.spawn(carrying);
    let router = graph.router();
    background.spawn(async move {
        // It serves until it is aborted; an error of one connection stays with that connection.
        axum::serve(graph_listener, router).await.unwrap_or_default();
    });
    let desk = Desk::new(&settings.desk_url, &settings.desk_token);
    let (people_done, robots_stop) = watch::channel(false);
    let mut robots = robots(&settings, &desk, &books, &robots_stop);

    let people = People { graph: &graph, courier: &courier, books: &books };
    // A product that takes nothing must not keep people, or robots, for ever.
    let longest = settings.duration.saturating_add(GRACE);
    match tokio::time::timeout(longest, people.live(&settings, begins_at, stop)).await {
        Ok(lived) => lived?,
        Err(_elapsed) => books.tell(Happening::Fault { what: "webhooks are not taken" }),
    }
    people_done.send_replace(true);
    let finished = async { while robots.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finished).await.is_err() {
        robots.shutdown().await;
    }

    let outcome = settle(settings.settle_within, &desk, &books).await;
    background.shutdown().await;
    Ok(outcome)
}

fn world(settings: &SimulatorSettings, begins_at: Timestamp) -> Result<World, IdError> {
    let world = WorldSettings {
        accounts: settings.accounts.iter().map(|(id, _)| id.clone()).collect(),
        people: settings.people,
        rate_per_s: settings.rate_per_s,
        habits: settings.habits,
        calls_per_s: 100,
    };
    World::new(world, StdRng::seed_from_u64(settings.seed), begins_at)
}

fn road(settings: &SimulatorSettings) -> CourierSettings {
    CourierSettings {
        url: settings.webhook_url.clone(),
        app_secret: settings.app_secret.clone(),
        at_once: 16,
        batch: 8,
        timeout: Duration::from_secs(20),
        attempts: 10,
        first_pause: Duration::from_millis(100),
        duplicate: settings.duplicate,
        reorder: settings.reorder,
    }
}

fn robots(
    settings: &SimulatorSettings,
    desk: &Desk,
    books: &Books,
    stop: &watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut robots = JoinSet::new();
    for (agent, number) in settings.agents.iter().zip(3_u64..) {
        let parts = RobotParts {
            manners: settings.manners,
            desk: desk.clone(),
            books: books.clone(),
            clock: settings.clock.clone(),
            company: settings.company.clone(),
        };
        let robot = Robot::new(agent, settings.seed.wrapping_add(number), parts);
        robots.spawn(robot.work(stop.clone()));
    }
    robots
}

/// Where people live.
struct People<'a> {
    graph: &'a Graph,
    courier: &'a Courier,
    books: &'a Books,
}

impl People<'_> {
    async fn live(
        &self,
        settings: &SimulatorSettings,
        begins_at: Timestamp,
        stop: watch::Receiver<bool>,
    ) -> Result<(), IdError> {
        let duration_ms = u64::try_from(settings.duration.as_millis()).unwrap_or(u64::MAX);
        let ends_at = begins_at.plus_ms(duration_ms);
        for step in 1_u64.. {
            let now = settings.clock.now();
            if now >= ends_at || *stop.borrow() {
                break;
            }
            for occurrence in self.graph.world(|world| world.step(now))? {
                self.books.with(|ledger| ledger.happened(&occurrence));
                if let Some(happening) = self.worth_telling(&occurrence) {
                    self.books.tell(happening);
                }
                self.courier.hand_in(occurrence).await;
            }
            if step % STEPS_PER_PROGRESS == 0 {
                self.tell_progress();
            }
            tokio::time::sleep(STEP).await;
        }
        Ok(())
    }

    fn tell_progress(&self) {
        let (acknowledged, taken) = self.books.with(|ledger| {
            let counts = ledger.counts();
            (counts.acknowledged.values().sum(), counts.taken)
        });
        let waiting = self.courier.waiting();
        self.books.tell(Happening::Progress { acknowledged, waiting, taken });
    }

    fn worth_telling(&self, occurrence: &Occurrence) -> Option<Happening> {
        let name = self
            .graph
            .world(|world| world.profile_of(&occurrence.thread).and_then(|one| one.name.clone()));
        let name = name.unwrap_or_else(|| "somebody without a name".to_owned());
        match &occurrence.what {
            What::Message { by: Author::Person, body, .. } => {
                Some(Happening::Wrote { name, what: in_words(body) })
            }
            What::Message { by: Author::NativeApp, body, .. } => {
                Some(Happening::NativeApp { name, what: in_words(body) })
            }
            What::Postback { title, .. } => {
                Some(Happening::Wrote { name, what: format!("taps “{title}”") })
            }
            What::Unsent { .. } => {
                Some(Happening::Wrote { name, what: "takes a message back".to_owned() })
            }
            What::Edited { text, .. } => {
                Some(Happening::Wrote { name, what: format!("changes a message: {text}") })
            }
            What::Reacted { emoji, .. } => {
                Some(Happening::Wrote { name, what: format!("reacts with {emoji}") })
            }
            What::Message { by: Author::Api, .. } | What::Read { .. } | What::Unreacted { .. } => {
                None
            }
        }
    }
}

fn in_words(body: &Body) -> String {
    let text = body.text.clone().unwrap_or_default();
    if body.story.is_some() {
        return format!("answers a story: {text}");
    }
    match body.media.first().map(|media| media.kind.as_str()) {
        Some("story_mention") => "mentions the shop in a story".to_owned(),
        Some(_) => "sends an image".to_owned(),
        None => text,
    }
}
