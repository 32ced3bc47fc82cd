//! Questions against a real server on loopback that misbehaves by rules of its own, chosen by the person asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::domain::id::AccountId;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::profile::call::{Call, Caller};
use crate::profile::error::Error;
use crate::secret::Secret;

const NOW: Timestamp = Timestamp::from_ms(1_000);

/// What the server saw: requests in order, and the most at once.
#[derive(Default)]
struct Seen {
    requests: Vec<String>,
    now: usize,
    most: usize,
}

#[derive(Clone, Default)]
struct Server(Arc<Mutex<Seen>>);

impl Server {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v25.0/", listener.local_addr().unwrap());
        let app = Router::new().route("/v25.0/{person}", get(answer)).with_state(self.clone());
        drop(tokio::spawn(async move { axum::serve(listener, app).await }));
        base_url
    }

    fn requests(&self) -> Vec<String> {
        self.0.lock().unwrap().requests.clone()
    }
}

async fn answer(
    State(server): State<Server>,
    Path(person): Path<String>,
    request: Request,
) -> Response {
    {
        let token = request.headers()["authorization"].to_str().unwrap().to_owned();
        let mut seen = server.0.lock().unwrap();
        seen.requests.push(format!("{} {token}", request.uri()));
        seen.now += 1;
        seen.most = seen.most.max(seen.now);
    }
    let answer = match person.as_str() {
        "refused" => {
            let body = json!({ "error": { "code": 230, "type": "OAuthException" } });
            (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
        }
        "endless" => Body::from("x".repeat(70_000)).into_response(),
        "elsewhere" => (StatusCode::FOUND, [("location", "/v25.0/9")]).into_response(),
        "slow" => {
            tokio::time::sleep(Duration::from_millis(20)).await;
            axum::Json(json!({ "id": "9", "name": "Maria" })).into_response()
        }
        _ => axum::Json(json!({ "id": "9", "name": "Maria" })).into_response(),
    };
    server.0.lock().unwrap().now -= 1;
    answer
}

fn caller(base_url: &str) -> Caller {
    let tokens = BTreeMap::from([
        (AccountId::parse("1784").unwrap(), Secret::new(" the-token\n".to_owned())),
        (AccountId::parse("1785").unwrap(), Secret::new(" ".to_owned())),
    ]);
    Caller::new(base_url, tokens, Clock::manual(NOW)).unwrap()
}

fn call(key: &str) -> Call {
    Call { thread: Thread::from_key(key).unwrap(), asked_at: NOW, start_by: NOW }
}

#[tokio::test]
async fn a_person_is_asked_for_once_under_the_accounts_token_and_no_username() {
    let server = Server::default();
    let completion = caller(&server.start().await).call(call("1784:9")).await;
    assert_eq!(completion.answered.unwrap().name.as_deref(), Some("Maria"));
    assert_eq!((completion.thread, completion.asked_at), (call("1784:9").thread, NOW));
    let [request] = server.requests().try_into().unwrap();
    let expected = "/v25.0/9?fields=name%2Cfollower_count%2Cis_user_follow_business%2C\
                    is_business_follow_user%2Cis_verified_user Bearer the-token";
    assert_eq!(request, expected);
}

#[tokio::test]
async fn an_odd_person_stays_one_step_of_the_address() {
    let server = Server::default();
    let completion = caller(&server.start().await).call(call("1784:../me?x=1")).await;
    assert!(completion.answered.is_ok());
    let [request] = server.requests().try_into().unwrap();
    assert!(request.starts_with("/v25.0/..%2Fme%3Fx=1?fields="), "{request}");
}

#[tokio::test]
async fn what_is_no_profile_is_an_error() {
    let server = Server::default();
    let caller = caller(&server.start().await);
    check(&caller, "refused", Error::Refused { code: Some(230) }).await;
    check(&caller, "endless", Error::NoAnswer).await;
    check(&caller, "elsewhere", Error::Refused { code: None }).await;
    assert_eq!(server.requests().len(), 3, "a redirect is not followed");

    async fn check(caller: &Caller, person: &str, expected: Error) {
        let answered = caller.call(call(&format!("1784:{person}"))).await.answered;
        assert_eq!(answered, Err(expected), "{person}");
    }
}

#[tokio::test]
async fn nobody_is_asked_too_late_without_a_token_or_without_a_server() {
    let server = Server::default();
    let caller = caller(&server.start().await);
    let late = Call { start_by: NOW.minus_ms(1), ..call("1784:9") };
    assert_eq!(caller.call(late).await.answered, Err(Error::NotAsked));
    for nobodys in ["1785:9", "1786:9"] {
        assert_eq!(caller.call(call(nobodys)).await.answered, Err(Error::NoToken));
    }
    assert_eq!(server.requests(), [""; 0]);
    let nowhere = self::caller("http://127.0.0.1:1/v25.0");
    assert_eq!(nowhere.call(call("1784:9")).await.answered, Err(Error::NoAnswer));
}

#[tokio::test]
async fn only_so_many_questions_are_under_way_at_once() {
    let server = Server::default();
    let caller = caller(&server.start().await);
    let calls = (0..3 * Caller::AT_ONCE_MAX).map(|_| caller.call(call("1784:slow")));
    let completions = futures::future::join_all(calls).await;
    assert!(completions.iter().all(|completion| completion.answered.is_ok()));
    let most = server.0.lock().unwrap().most;
    assert!((2..=Caller::AT_ONCE_MAX).contains(&most), "{most} at once");
}
