//! The Graph API and the courier over real loopback HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::domain::id::AccountId;
use crate::domain::thread::Thread;
use crate::domain::time::{DAY_MS, Timestamp};

use super::books::Books;
use super::deliver::{Courier, CourierSettings, courier};
use super::graph::{Graph, GraphFaults, GraphParts};
use super::habits::{Habits, WorldSettings};
use super::occurrence::{Author, Kind, Occurrence, What};
use super::webhook::signature;
use super::world::World;

const BEGIN: u64 = 1_700_000_000_000;
const ACCOUNT: &str = "17841400000000001";
const SECRET: &str = "test-app-secret";

/// Takes webhooks: refuses the first few, then keeps what is signed.
#[derive(Debug, Clone, Default)]
struct Edge {
    refuse: Arc<Mutex<u32>>,
    kept: Arc<Mutex<Vec<Value>>>,
}

async fn receive(State(edge): State<Edge>, headers: HeaderMap, bytes: Bytes) -> StatusCode {
    let mut refuse = edge.refuse.lock().unwrap();
    if *refuse > 0 {
        *refuse -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    if headers["x-hub-signature-256"] != signature(SECRET, &bytes).as_str() {
        return StatusCode::UNAUTHORIZED;
    }
    edge.kept.lock().unwrap().push(serde_json::from_slice(&bytes).unwrap());
    StatusCode::OK
}

impl Edge {
    fn mids(&self) -> Vec<String> {
        let kept = self.kept.lock().unwrap();
        let entries = kept.iter().flat_map(|body| body["entry"].as_array().unwrap());
        let items = entries.flat_map(|entry| entry["messaging"].as_array().unwrap());
        items.filter_map(|item| item["message"]["mid"].as_str().map(str::to_owned)).collect()
    }
}

/// A Graph API, an edge for its webhooks, and the way between.
struct Place {
    graph: Graph,
    graph_at: SocketAddr,
    courier: Courier,
    books: Books,
    clock: Clock,
    edge: Edge,
    tasks: JoinSet<()>,
}

impl Place {
    async fn with(faults: GraphFaults, refuse: u32, duplicate: f64) -> Self {
        let account = AccountId::parse(ACCOUNT).unwrap();
        let clock = Clock::manual(Timestamp::from_ms(BEGIN));
        let books = Books::new(drop);
        let edge = Edge { refuse: Arc::new(Mutex::new(refuse)), kept: Arc::default() };
        let mut tasks = JoinSet::new();
        let router = Router::new().route("/hook", post(receive)).with_state(edge.clone());
        let edge_at = serve(&mut tasks, router).await;
        let road = CourierSettings {
            url: format!("http://{edge_at}/hook"),
            app_secret: SECRET.to_owned(),
            at_once: 4,
            batch: 4,
            timeout: Duration::from_secs(5),
            attempts: 6,
            first_pause: Duration::from_millis(1),
            duplicate,
            reorder: 0.0,
        };
        let (courier, carrying) = courier(road, 1, clock.clone(), books.clone());
        tasks.spawn(carrying);
        let quiet =
            Habits { read: 0.0, react: 0.0, answer: 0.0, postback: 0.0, ..Habits::default() };
        let world = WorldSettings {
            accounts: vec![account.clone()],
            people: 4,
            rate_per_s: 5.0,
            habits: Habits { edit: 0.0, unsend: 0.0, native: 0.0, ..quiet },
            calls_per_s: 20,
        };
        let graph = Graph::new(GraphParts {
            world: World::new(world, StdRng::seed_from_u64(1), clock.now()).unwrap(),
            tokens: BTreeMap::from([("token-1".to_owned(), account)]),
            faults,
            seed: 1,
            clock: clock.clone(),
            books: books.clone(),
            courier: courier.clone(),
        });
        let graph_at = serve(&mut tasks, graph.router()).await;
        Self { graph, graph_at, courier, books, clock, edge, tasks }
    }

    /// Lets people write for some seconds; gives back what happened.
    fn live(&self, seconds: u64) -> Vec<Occurrence> {
        let now = self.clock.now().plus_ms(seconds * 1_000);
        self.clock.set(now);
        self.graph.world(|world| world.step(now)).unwrap()
    }

    /// A person who wrote.
    fn known(&self) -> Thread {
        self.live(20).first().unwrap().thread.clone()
    }

    async fn call(&self, node: &str, token: &str, body: &Value) -> reqwest::Result<(u16, Value)> {
        let url = format!("http://{}/v25.0/{node}/messages", self.graph_at);
        let request = reqwest::Client::new().post(url).bearer_auth(token).json(body);
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    async fn profile(&self, person: &str) -> (u16, Value) {
        let url = format!("http://{}/v25.0/{person}?fields=name,username", self.graph_at);
        let answer = reqwest::Client::new().get(url).bearer_auth("token-1").send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Waits, bounded, until everything handed in and taken is delivered.
    async fn delivered(&self) {
        for _ in 0..500 {
            let done = self.books.with(|ledger| {
                let counts = ledger.counts();
                let sum = |of: &BTreeMap<Kind, u64>| of.values().sum::<u64>();
                sum(&counts.happened) == sum(&counts.acknowledged) + sum(&counts.gave_up)
            });
            if done && self.courier.waiting() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not delivered in time");
    }
}

async fn serve(tasks: &mut JoinSet<()>, router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    at
}

fn text(to: &Thread, words: &str) -> Value {
    json!({"recipient": {"id": to.person_id.as_str()}, "message": {"text": words}})
}

#[tokio::test]
async fn a_message_taken_answers_its_mid_and_echoes_with_it() {
    for node in ["me", ACCOUNT] {
        let mut place = Place::with(GraphFaults::NONE, 0, 0.0).await;
        let to = place.known();
        let (status, answer) = place.call(node, "token-1", &text(&to, "größe")).await.unwrap();
        assert_eq!((status, &answer["recipient_id"]), (200, &json!(to.person_id.as_str())));
        place.delivered().await;
        assert_eq!(place.edge.mids(), [answer["message_id"].as_str().unwrap()]);
        let kept = place.edge.kept.lock().unwrap()[0]["entry"][0]["messaging"][0].clone();
        assert_eq!(kept["sender"]["id"], ACCOUNT);
        assert_eq!(kept["message"]["is_echo"], true);
        assert_eq!(kept["message"]["text"], "größe");
        place.tasks.shutdown().await;
    }
}

#[tokio::test]
async fn every_refusal_has_its_code() {
    let place = Place::with(GraphFaults::NONE, 0, 0.0).await;
    let to = place.known();
    let person = to.person_id.as_str();
    let message = |message: Value| json!({"recipient": {"id": person}, "message": message});
    let image = json!({"type": "image", "payload": {"url": "https://cdn.example/a.jpg"}});
    let say = text(&to, "hi");
    let tagged = |tag: &str| {
        let mut body = say.clone();
        body["tag"] = json!(tag);
        body
    };
    let stranger = json!({"recipient": {"id": "1"}, "message": {"text": "hi"}});
    let odd = json!({"recipient": {"id": person}, "sender_action": "dance"});
    let gone = json!({"recipient": {"id": person}, "sender_action": "react",
        "payload": {"message_id": "m_gone", "reaction": "love"}});
    let seen = json!({"recipient": {"id": person}, "sender_action": "mark_seen"});
    let cases = [
        (ACCOUNT, "token-2", say.clone(), Some((190, None))),
        ("17841499999999999", "token-1", say.clone(), Some((100, None))),
        (ACCOUNT, "token-1", stranger, Some((100, Some(2_534_014)))),
        (ACCOUNT, "token-1", text(&to, &"a".repeat(1_001)), Some((100, Some(2_534_015)))),
        (ACCOUNT, "token-1", message(json!({})), Some((100, Some(2_534_015)))),
        (ACCOUNT, "token-1", odd, Some((100, None))),
        (ACCOUNT, "token-1", gone, Some((100, None))),
        (ACCOUNT, "token-1", tagged("ACCOUNT_UPDATE"), Some((100, None))),
        (ACCOUNT, "token-1", tagged("HUMAN_AGENT"), None),
        (ACCOUNT, "token-1", message(json!({"attachment": image})), None),
        (ACCOUNT, "token-1", message(json!({"attachments": [image, image]})), None),
        (ACCOUNT, "token-1", seen, None),
    ];
    for (node, token, body, expected) in cases {
        check(&place, (node, token), &body, expected).await;
    }
    place.clock.set(place.clock.now().plus_ms(2 * DAY_MS));
    check(&place, (ACCOUNT, "token-1"), &say, Some((10, Some(2_534_022)))).await;
    check(&place, (ACCOUNT, "token-1"), &tagged("HUMAN_AGENT"), None).await;

    async fn check(
        place: &Place,
        (node, token): (&str, &str),
        body: &Value,
        expected: Option<(u64, Option<u64>)>,
    ) {
        let (status, answer) = place.call(node, token, body).await.unwrap();
        let error = &answer["error"];
        let code = error["code"].as_u64().map(|code| (code, error["error_subcode"].as_u64()));
        assert_eq!(code, expected, "{body}");
        assert_eq!(status, if expected.is_some() { 400 } else { 200 });
    }
}

#[tokio::test]
async fn a_heart_goes_on_what_the_person_wrote_and_has_no_message_id() {
    let place = Place::with(GraphFaults::NONE, 0, 0.0).await;
    let happened = place.live(20);
    let by_person =
        |one: &&Occurrence| matches!(one.what, What::Message { by: Author::Person, .. });
    let first = happened.iter().find(by_person).unwrap();
    for action in ["react", "unreact"] {
        let body = json!({"recipient": {"id": first.thread.person_id.as_str()},
            "sender_action": action, "payload": {"message_id": first.mid().as_str()}});
        let (status, answer) = place.call("me", "token-1", &body).await.unwrap();
        let expected = json!({"recipient_id": first.thread.person_id.as_str()});
        assert_eq!((status, answer), (200, expected));
    }
    assert_eq!(place.books.with(|ledger| ledger.counts().noted), 2);
}

#[tokio::test]
async fn too_many_calls_are_refused() {
    let place = Place::with(GraphFaults::NONE, 0, 0.0).await;
    let to = place.known();
    for call in 0..25 {
        let (_, answer) = place.call("me", "token-1", &text(&to, "hi")).await.unwrap();
        let code = answer["error"]["code"].as_u64();
        assert_eq!(code, (call >= 20).then_some(613), "call {call}");
    }
}

#[tokio::test]
async fn a_profile_needs_a_message_first() {
    let place = Place::with(GraphFaults::NONE, 0, 0.0).await;
    let silent = place.graph.world(|world| world.threads()[0].clone());
    let (status, answer) = place.profile(silent.person_id.as_str()).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(230)));
    let known = place.known();
    let (status, answer) = place.profile(known.person_id.as_str()).await;
    assert_eq!((status, &answer["id"]), (200, &json!(known.person_id.as_str())));
    assert!(answer["username"].is_string() && answer["follower_count"].is_u64());
    assert_eq!(place.profile("1").await.0, 400);
}

#[tokio::test]
async fn a_lost_answer_leaves_no_answer_but_its_echo() {
    let faults = GraphFaults { answer_lost: 1.0, ..GraphFaults::NONE };
    let place = Place::with(faults, 0, 0.0).await;
    let to = place.known();
    let answer = place.call("me", "token-1", &text(&to, "hi #ana-1")).await;
    assert!(answer.is_err(), "{answer:?}");
    place.delivered().await;
    assert_eq!(place.edge.mids().len(), 1);
    let (taken, broken) =
        place.books.with(|ledger| (ledger.counts().taken, ledger.counts().answers_broken));
    assert_eq!((taken, broken), (1, 1));
}

#[tokio::test]
async fn an_error_may_be_answered_although_the_message_went_out_or_because_it_did_not() {
    // what misbehaves, the code answered, echoes that come
    check(GraphFaults { sent_anyway: 1.0, ..GraphFaults::NONE }, (1, Some(1_357_046)), 1).await;
    check(GraphFaults { temporary: 1.0, ..GraphFaults::NONE }, (2, None), 0).await;

    async fn check(faults: GraphFaults, code: (u64, Option<u64>), echoes: usize) {
        let place = Place::with(faults, 0, 0.0).await;
        let to = place.known();
        let (_, answer) = place.call("me", "token-1", &text(&to, "hi")).await.unwrap();
        let error = &answer["error"];
        assert_eq!(
            (error["code"].as_u64(), error["error_subcode"].as_u64()),
            (Some(code.0), code.1)
        );
        place.delivered().await;
        assert_eq!(place.edge.mids().len(), echoes);
    }
}

#[tokio::test]
async fn an_echo_may_come_before_the_answer() {
    let faults = GraphFaults {
        echo_first: 1.0,
        slow: 1.0,
        slow_for: Duration::from_secs(60),
        ..GraphFaults::NONE
    };
    let place = Place::with(faults, 0, 0.0).await;
    let to = place.known();
    let body = text(&to, "hi");
    let call = place.call("me", "token-1", &body);
    let echo = async {
        while place.edge.mids().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        answer = call => panic!("the answer came first: {answer:?}"),
        () = echo => (),
    }
}

#[tokio::test]
async fn what_is_not_answered_200_comes_again_until_it_is() {
    let place = Place::with(GraphFaults::NONE, 3, 0.0).await;
    let happened = place.live(10);
    for occurrence in &happened {
        place.books.with(|ledger| ledger.happened(occurrence));
        place.courier.hand_in(occurrence.clone()).await;
    }
    place.delivered().await;
    let mut mids = place.edge.mids();
    let mut expected: Vec<_> = happened.iter().map(|one| one.mid().as_str().to_owned()).collect();
    mids.sort();
    expected.sort();
    assert_eq!(mids, expected, "each once, although three posts were refused");
    assert_eq!(place.books.with(|ledger| ledger.counts().posts_refused), 3);
}

#[tokio::test]
async fn what_is_never_answered_200_is_given_up_and_counted() {
    let place = Place::with(GraphFaults::NONE, u32::MAX, 0.0).await;
    let happened = place.live(3);
    for occurrence in &happened {
        place.books.with(|ledger| ledger.happened(occurrence));
        place.courier.hand_in(occurrence.clone()).await;
    }
    place.delivered().await;
    let gave_up: u64 = place.books.with(|ledger| ledger.counts().gave_up.values().sum());
    assert_eq!(gave_up, u64::try_from(happened.len()).unwrap());
}

#[tokio::test]
async fn a_webhook_delivered_twice_is_the_same_webhook() {
    let place = Place::with(GraphFaults::NONE, 0, 1.0).await;
    let occurrence = place.live(10).remove(0);
    place.books.with(|ledger| ledger.happened(&occurrence));
    place.courier.hand_in(occurrence).await;
    place.delivered().await;
    let kept = place.edge.kept.lock().unwrap().clone();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0], kept[1]);
}
