//! Calls against a real server on loopback that misbehaves by rules of its own, chosen by the text it is sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::clock::Clock;
use crate::domain::id::MessageId;
use crate::domain::outbound::OutboundSend;
use crate::domain::time::Timestamp;
use crate::send::call::{Call, Caller, Token};
use crate::send::error::{Class, Error};

/// A Graph API of few words; it keeps every request it read.
struct Server {
    base_url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v25.0", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        drop(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(tokio::spawn(serve(stream, Arc::clone(&log))));
            }
        }));
        Self { base_url, requests }
    }

    fn caller(&self) -> Caller {
        let token = Token::new(" the-token\n").unwrap();
        let tokens = BTreeMap::from([(send("").thread.account_id, token)]);
        let clock = Clock::manual(Timestamp::from_ms(1_000));
        let caller = Caller::new(&format!("{}/", self.base_url), tokens, clock).unwrap();
        caller.with_call_wait(Duration::from_millis(400)).unwrap()
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads one request whole, then does what its text says.
async fn serve(mut stream: TcpStream, log: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !request.ends_with(b"}") {
        match stream.read(&mut chunk).await {
            Ok(read) if read > 0 => request.extend_from_slice(&chunk[..read]),
            Ok(_) | Err(_) => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    log.lock().unwrap().push(request.clone());
    let says = |word: &str| request.contains(&format!(r#""text":"{word}""#));
    let answer = if says("drop") {
        None
    } else if says("silent") {
        tokio::time::sleep(Duration::from_secs(30)).await;
        None
    } else if says("half") {
        Some("HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"recipient_id\"".to_owned())
    } else if says("endless") {
        Some(http("200 OK", "", &"x".repeat(70_000)))
    } else if says("elsewhere") {
        Some(http("307 Temporary Redirect", "location: /v25.0/1784/messages\r\n", ""))
    } else if says("limited") {
        let usage =
            r#"x-business-use-case-usage: {"1784":[{"estimated_time_to_regain_access":2}]}"#;
        let body = r#"{"error":{"code":80002}}"#;
        Some(http("400 Bad Request", &format!("{usage}\r\n"), body))
    } else if says("broken") {
        Some(http("500 Internal Server Error", "", ""))
    } else {
        Some(http("200 OK", "", r#"{"recipient_id":"9","message_id":"aWdf1"}"#))
    };
    if let Some(answer) = answer {
        drop(stream.write_all(answer.as_bytes()).await);
    }
}

fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

fn send(text: &str) -> OutboundSend {
    let json = format!(
        r#"{{"type":"text","text":"{text}","send_id":"it-1.0","item_id":"it-1","account_id":"1784","person_id":"9","conversation_id":"cv-1","requested_at":1,"expires_at":9000,"tag_from_at":9000}}"#
    );
    serde_json::from_str(&json).unwrap()
}

fn call(text: &str) -> Call {
    Call { send: send(text), attempt: 3, tagged: false, start_by: Timestamp::from_ms(1_000) }
}

#[tokio::test]
async fn a_message_goes_out_once_under_the_accounts_token() {
    let server = Server::start().await;
    let completion = server.caller().call(call("hello")).await;
    assert_eq!(completion.answered, Ok(Some(MessageId::parse("aWdf1").unwrap())));
    assert_eq!(completion.account_id, send("").thread.account_id);
    assert_eq!(completion.send_id, send("").send_id);
    assert_eq!(completion.attempt, 3);
    let requests = server.requests();
    let [request] = requests.as_slice() else { panic!("one request, not {}", requests.len()) };
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v25.0/1784/messages HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Bearer the-token\r\n"), "{head}");
    assert_eq!(body, r#"{"message":{"text":"hello"},"recipient":{"id":"9"}}"#);
}

#[tokio::test]
async fn what_was_read_and_not_answered_is_in_doubt_and_never_repeated() {
    for text in ["drop", "silent", "half", "endless", "broken"] {
        let server = Server::start().await;
        let completion = server.caller().call(call(text)).await;
        assert_eq!(completion.answered, Err(Error::NoAnswer), "{text}");
        assert_eq!(server.requests().len(), 1, "{text}");
    }
}

#[tokio::test]
async fn an_error_answer_keeps_its_codes_and_its_wait() {
    let server = Server::start().await;
    let limited = server.caller().call(call("limited")).await.answered;
    let expected = Error::Refused {
        class: Class::Limited,
        code: Some(80_002),
        subcode: None,
        wait_ms: Some(120_000),
    };
    assert_eq!(limited, Err(expected));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::start().await;
    let answered = server.caller().call(call("elsewhere")).await.answered;
    assert!(
        matches!(answered, Err(Error::Refused { class: Class::Permanent, .. })),
        "{answered:?}"
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn what_was_never_begun_may_be_called_again() {
    let server = Server::start().await;
    let late = Call { start_by: Timestamp::from_ms(999), ..call("hello") };
    assert_eq!(server.caller().call(late).await.answered, Err(Error::NotSent));
    assert_eq!(server.requests(), Vec::<String>::new(), "too late to begin");

    let mut nobody = server.caller();
    nobody = nobody.at("http://127.0.0.1:1");
    assert_eq!(nobody.call(call("hello")).await.answered, Err(Error::NotSent), "refused");
    nobody = nobody.at("http://no-such-host.invalid");
    assert_eq!(nobody.call(call("hello")).await.answered, Err(Error::NotSent), "no such name");
}

#[tokio::test]
async fn an_account_without_a_token_makes_no_request() {
    let server = Server::start().await;
    let caller = Caller::new(&server.base_url, BTreeMap::new(), Clock::System).unwrap();
    let unbounded = Call { start_by: Timestamp::from_ms(u64::MAX), ..call("hello") };
    assert_eq!(caller.call(unbounded).await.answered, Err(Error::NoToken));
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[test]
fn tokens_do_not_print_and_are_not_empty() {
    assert_eq!(format!("{:?}", Token::new("secret").unwrap()), "Token(hidden)");
    assert!(Token::new(" \n").is_none());
}
