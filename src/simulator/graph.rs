//! The Graph API of the simulated Instagram, over HTTP: sends, hearts, profiles, and faults on purpose.
//!
//! Promise: a message taken is in the books before any answer leaves, and its echo carries the mid answered, sometimes
//! before the answer does. Not here: the rules (`take.rs`), the wire's shapes (`graph_wire.rs`).
//!
//! Source: `instagram-platform` sections 4 to 7.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::clock::Clock;
use crate::domain::id::{AccountId, PersonId};
use crate::domain::thread::Thread;

use super::account::Answer;
use super::books::Books;
use super::deliver::Courier;
use super::graph_wire::{self, SendBody};
use super::happening::Happening;
use super::occurrence::Occurrence;
use super::take::{RefusedBy, SendCall, TakeError, Taken};
use super::world::World;

/// The largest call.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// How much later than the answer an echo comes at most.
const ECHO_LATER_MS: u64 = 400;
/// How much earlier than the answer an echo comes that overtakes it.
const ECHO_AHEAD: Duration = Duration::from_millis(150);

/// How often the Graph API misbehaves, each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphFaults {
    /// The message is taken, and the connection closed without an answer.
    pub answer_lost: f64,
    /// The message is taken, and 1/1357046 answered.
    pub sent_anyway: f64,
    /// Nothing is taken, and 2 answered.
    pub temporary: f64,
    /// The answer is slow.
    pub slow: f64,
    /// How slow.
    pub slow_for: Duration,
    /// The echo overtakes the answer.
    pub echo_first: f64,
}

impl GraphFaults {
    /// A Graph API that always behaves.
    pub const NONE: Self = Self {
        answer_lost: 0.0,
        sent_anyway: 0.0,
        temporary: 0.0,
        slow: 0.0,
        slow_for: Duration::ZERO,
        echo_first: 0.0,
    };
}

impl Default for GraphFaults {
    fn default() -> Self {
        Self {
            answer_lost: 0.02,
            sent_anyway: 0.01,
            temporary: 0.03,
            slow: 0.03,
            slow_for: Duration::from_millis(1_200),
            echo_first: 0.25,
        }
    }
}

/// What the Graph API answers from. Clones are the same API.
#[derive(Clone)]
pub struct Graph {
    shared: Arc<Shared>,
}

struct Shared {
    world: Mutex<World>,
    dice: Mutex<StdRng>,
    tokens: BTreeMap<String, AccountId>,
    faults: GraphFaults,
    clock: Clock,
    books: Books,
    courier: Courier,
}

/// What the Graph API is made of.
pub struct GraphParts {
    /// The world it changes.
    pub world: World,
    /// Whose token is whose.
    pub tokens: BTreeMap<String, AccountId>,
    /// How often it misbehaves.
    pub faults: GraphFaults,
    /// Seeds its misbehaviour.
    pub seed: u64,
    /// What time it is there.
    pub clock: Clock,
    /// Where everything is written down.
    pub books: Books,
    /// Where echoes go.
    pub courier: Courier,
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("faults", &self.shared.faults).finish_non_exhaustive()
    }
}

impl fmt::Debug for GraphParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphParts").field("faults", &self.faults).finish_non_exhaustive()
    }
}

/// What chance does to one send.
struct Chance {
    temporary: bool,
    answer_lost: bool,
    sent_anyway: bool,
    slow: bool,
    echo_first: bool,
    echo_after: Duration,
}

impl Graph {
    /// A Graph API over these parts.
    #[must_use]
    pub fn new(parts: GraphParts) -> Self {
        let GraphParts { world, tokens, faults, seed, clock, books, courier } = parts;
        let dice = Mutex::new(StdRng::seed_from_u64(seed));
        let world = Mutex::new(world);
        Self { shared: Arc::new(Shared { world, dice, tokens, faults, clock, books, courier }) }
    }

    /// Looks at the world or moves it.
    pub fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.shared.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The routes: `POST /{version}/{account or me}/messages`, `GET /{version}/{person}`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/{version}/{node}/messages", post(send))
            .route("/{version}/{node}", get(profile))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(self.clone())
    }

    fn chance(&self) -> Chance {
        let faults = self.shared.faults;
        let mut dice = self.shared.dice.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by = |chance: f64| dice.random_bool(chance.clamp(0.0, 1.0));
        let temporary = by(faults.temporary);
        let answer_lost = by(faults.answer_lost);
        let sent_anyway = by(faults.sent_anyway);
        let slow = by(faults.slow);
        let echo_first = by(faults.echo_first);
        let echo_after = Duration::from_millis(dice.random_range(0..=ECHO_LATER_MS));
        Chance { temporary, answer_lost, sent_anyway, slow, echo_first, echo_after }
    }

    /// Whose token the call carries.
    fn account_of(&self, headers: &HeaderMap) -> Result<AccountId, RefusedBy> {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = bearer.and_then(|value| value.strip_prefix("Bearer "));
        token.and_then(|t| self.shared.tokens.get(t)).cloned().ok_or(RefusedBy::Token)
    }

    fn understand(
        &self,
        node: &str,
        headers: &HeaderMap,
        bytes: &[u8],
    ) -> Result<SendCall, RefusedBy> {
        let account_id = self.account_of(headers)?;
        if node != "me" && node != account_id.as_str() {
            return Err(RefusedBy::Parameter);
        }
        let body: SendBody = serde_json::from_slice(bytes).or(Err(RefusedBy::Parameter))?;
        body.into_call(account_id)
    }

    fn refuse(&self, why: RefusedBy) -> Response {
        self.shared.books.with(|ledger| ledger.refused(why.code()));
        graph_wire::error(why)
    }

    fn name_of(&self, thread: &Thread) -> String {
        self.world(|world| world.profile_of(thread).and_then(|profile| profile.name.clone()))
            .unwrap_or_else(|| "somebody without a name".to_owned())
    }

    /// Echoes and answers, in an order chance decides.
    async fn answer(&self, echo: Occurrence, chance: Chance) -> Response {
        self.shared.books.with(|ledger| ledger.took(&echo));
        self.shared.books.tell(Happening::Taken { name: self.name_of(&echo.thread) });
        let recipient = echo.thread.person_id.clone();
        let mid = echo.mid().clone();
        if chance.echo_first {
            self.shared.courier.hand_in(echo).await;
            tokio::time::sleep(ECHO_AHEAD).await;
        } else {
            self.shared.courier.hand_in_for(echo, chance.echo_after).await;
        }
        if chance.slow {
            tokio::time::sleep(self.shared.faults.slow_for).await;
        }
        // A caller who hung up before this line learnt nothing either.
        let broken = chance.answer_lost || chance.sent_anyway;
        let answer = if broken { Answer::Broken } else { Answer::Given };
        self.shared.books.with(|ledger| ledger.answered(&mid, answer));
        if chance.answer_lost {
            self.shared.books.tell(Happening::Fault { what: "the answer to a send is lost" });
            return connection_closed();
        }
        if chance.sent_anyway {
            self.shared.books.tell(Happening::Fault { what: "a send went out, with an error" });
            return self.refuse(RefusedBy::SentAnyway);
        }
        graph_wire::sent(&recipient, Some(&mid))
    }
}

async fn send(
    State(graph): State<Graph>,
    Path((_version, node)): Path<(String, String)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let call = match graph.understand(&node, &headers, &bytes) {
        Ok(call) => call,
        Err(why) => return graph.refuse(why),
    };
    let chance = graph.chance();
    if chance.temporary {
        graph.shared.books.tell(Happening::Fault { what: "Instagram has a hiccup" });
        return graph.refuse(RefusedBy::Temporary);
    }
    let recipient = call.person_id.clone();
    let now = graph.shared.clock.now();
    match graph.world(|world| world.take(call, now)) {
        Ok(Taken::Said(echo)) => graph.answer(echo, chance).await,
        Ok(Taken::Noted) => {
            graph.shared.books.with(super::account::Ledger::noted);
            graph_wire::sent(&recipient, None)
        }
        Err(TakeError::Refused(why)) => graph.refuse(why),
        Err(TakeError::Id(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn profile(
    State(graph): State<Graph>,
    Path((_version, node)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    graph.shared.books.with(super::account::Ledger::looked_up);
    let account_id = match graph.account_of(&headers) {
        Ok(account_id) => account_id,
        Err(why) => return graph.refuse(why),
    };
    let Ok(person_id) = PersonId::parse(&node) else {
        return graph.refuse(RefusedBy::UnknownPerson);
    };
    let thread = Thread { account_id, person_id };
    match graph.world(|world| world.look_up(&thread).cloned()) {
        Ok(found) => graph_wire::profile(&thread.person_id, &found),
        Err(why) => graph.refuse(why),
    }
}

/// An answer that never comes: the body breaks before the first byte is out, so the connection is closed.
fn connection_closed() -> Response {
    let broken = futures::stream::once(async {
        Err::<Bytes, std::io::Error>(std::io::ErrorKind::ConnectionAborted.into())
    });
    Response::new(Body::from_stream(broken))
}
