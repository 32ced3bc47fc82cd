//! What no webhook should be, at the door of a running product: each is answered as documented, counted, and costs its
//! neighbours nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use dmstream::app::open_broker;
use dmstream::broker::record::{Record, header};
use dmstream::broker::{NextOffsets, PollBounds};
use dmstream::clock::Clock;
use dmstream::config::Config;
use dmstream::simulator::{GraphFaults, signature};
use dmstream::topics::Topic;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::shop::{ACCOUNT, Plan, Shop, command, eventually, secrets};

const PERSON: &str = "9000000000000001";
const BATCH: PollBounds =
    PollBounds { records_max: 1_000, bytes_max: 8 << 20, wait: Duration::from_millis(100) };

/// A signed body, and what must become of it: types of events, `ignored:reason`, `dead:reason`.
struct Case {
    name: &'static str,
    body: Vec<u8>,
    becomes: Vec<&'static str>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_is_kept_and_costs_no_neighbour_whatever_it_is() {
    let shop = open().await;
    let cases = cases();
    for (number, case) in cases.iter().enumerate() {
        let status = shop.doors().post_signed(case.body.clone(), &trace_of(number)).await;
        assert_eq!(status, 200, "{}", case.name);
        assert_eq!(
            shop.doors().post_signed(neighbour(number), "").await,
            200,
            "after {}",
            case.name
        );
    }
    let posted = u64::try_from(2 * cases.len()).unwrap();
    eventually("all bodies are read", async || {
        let left = async |exit| {
            let series = format!("dmstream_records_total{{exit=\"{exit}\",stage=\"normalize\"}}");
            shop.doors().counted(&series).await
        };
        (left("emitted").await + left("rejected").await == posted).then_some(())
    })
    .await;
    let taken = shop.doors().counted("dmstream_ingress_accepted_total").await;
    assert_eq!(taken, posted);
    let mut counted = 0;
    for reason in ["bad_json", "bad_shape", "missing_sender"] {
        let series = format!("dmstream_dead_letters_total{{reason=\"{reason}\"}}");
        counted += shop.doors().counted(&series).await;
    }
    let ana = shop.agent("ana").await;
    let neighbours = cases.len();
    eventually("every neighbour is shown", async || {
        let shown = ana.look("/v1/conversations?limit=200").await.to_string();
        (0..neighbours).all(|n| shown.contains(&format!("\"neighbour-{n}\""))).then_some(())
    })
    .await;
    shop.product.stop().await;

    let became = became(&shop.file);
    let otherwise: Vec<String> = cases
        .iter()
        .enumerate()
        .filter_map(|(number, case)| {
            let mut expected = case.becomes.clone();
            expected.sort_unstable();
            let mut found = became.get(&trace_of(number)).cloned().unwrap_or_default();
            found.sort_unstable();
            (found != expected).then(|| format!("{}: {found:?}, not {expected:?}", case.name))
        })
        .collect();
    assert_eq!(otherwise, [""; 0]);
    let dead = cases.iter().flat_map(|case| &case.becomes).filter(|one| one.starts_with("dead:"));
    let dead_letters = dead.count();
    assert_eq!(counted, u64::try_from(dead_letters).unwrap());
    let mut list = command(&["dead-letters", "list", "--config"]);
    let listed = list.arg(&shop.file).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().count(), dead_letters, "{listed}");
    assert!(listed.lines().all(|line| line.contains("source=webhooks.raw/")), "{listed}");
    assert!(!listed.contains("secret words") && !listed.contains(PERSON), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_or_not_bounded_is_refused_and_leaves_nothing() {
    let shop = open().await;
    let address = shop.product.address;
    let slow_head =
        tokio::spawn(raw(address, vec![b"POST /webhooks/instagram HTTP/1.1\r\nHost:".to_vec()]));
    let head = "POST /webhooks/instagram HTTP/1.1\r\nHost: shop\r\n";
    let slow = format!("{head}Content-Length: 100\r\n\r\nonly so much");
    let slow_body = tokio::spawn(raw(address, vec![slow.into_bytes()]));

    let body = neighbour(0);
    let signed = |secret| signature(secret, &body);
    let name = "x-hub-signature-256";
    let right = signed(secrets::APP);
    let hex = right.strip_prefix("sha256=").unwrap();
    let wrong = [
        vec![],
        vec![(name, "".to_owned())],
        vec![(name, "sha256=".to_owned())],
        vec![(name, format!("sha256={}", "0".repeat(64)))],
        vec![(name, hex.to_owned())],
        vec![(name, format!("sha1={}", &hex[..40]))],
        vec![(name, format!("sha512={hex}"))],
        vec![(name, right[..right.len() - 2].to_owned())],
        vec![(name, format!("{right}00"))],
        vec![(name, signed("another-secret"))],
        vec![(name, signed(secrets::VERIFY))],
        vec![("x-hub-signature", right.replace("sha256", "sha1"))],
    ];
    for headers in &wrong {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(shop.doors().post(body.clone(), &headers).await, 401, "{headers:?}");
    }
    refused(&shop, "bad_signature", wrong.len()).await;
    let older = signed("an-older-secret");
    assert_eq!(
        shop.doors().post(body.clone(), &[(name, &older)]).await,
        200,
        "while it is rotated"
    );

    let declared = format!("{head}Content-Length: {}\r\n\r\n", 20 << 20).into_bytes();
    assert_status(&raw(address, vec![declared]).await, "413");
    let mut chunks = vec![format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes()];
    for _ in 0..40 {
        chunks.push([b"8000\r\n".as_slice(), &[b'x'; 0x8000], b"\r\n"].concat());
    }
    assert_status(&raw(address, chunks).await, "413");
    refused(&shop, "too_large", 2).await;

    handshake(&shop).await;
    for (path, request, status) in [
        ("/webhooks/facebook", "POST", "404"),
        ("/webhooks/instagram/", "POST", "404"),
        ("/etc/passwd", "GET", "404"),
        ("/webhooks/instagram", "PUT", "405"),
        ("/metrics", "DELETE", "405"),
    ] {
        let sent = format!("{request} {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
        assert_status(&raw(address, vec![sent.into_bytes()]).await, status);
    }
    assert_status(
        &raw(address, vec![b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n".to_vec()]).await,
        "400",
    );

    assert_status(&slow_body.await.unwrap(), "408");
    refused(&shop, "slow_body", 1).await;
    // The connection is closed, with or without a word.
    let said = slow_head.await.unwrap();
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    let kept = shop.doors().counted("dmstream_ingress_accepted_total").await;
    assert_eq!(kept, 1, "the one under the older secret");
    assert_eq!(shop.doors().counted("dmstream_ingress_in_flight_bytes").await, 0);
    shop.product.stop().await;
}

async fn handshake(shop: &Shop) {
    let verify = secrets::VERIFY;
    for (query, status) in [
        (format!("?hub.mode=subscribe&hub.challenge=4711&hub.verify_token={verify}"), 200),
        ("?hub.mode=subscribe&hub.challenge=4711&hub.verify_token=wrong".to_owned(), 403),
        (format!("?hub.mode=unsubscribe&hub.challenge=4711&hub.verify_token={verify}"), 403),
        (format!("?hub.mode=subscribe&hub.verify_token={verify}"), 400),
        (String::new(), 400),
    ] {
        let (found, said) = shop.doors().get(&format!("/webhooks/instagram{query}")).await;
        assert_eq!(found, status, "{query}");
        assert_eq!(said == "4711", status == 200, "{query}: {said}");
    }
    refused(shop, "bad_token", 2).await;
    refused(shop, "incomplete", 2).await;
}

fn cases() -> Vec<Case> {
    let whole = |name, body: &[u8], becomes: &[&'static str]| Case {
        name,
        body: body.to_vec(),
        becomes: becomes.to_vec(),
    };
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let unclosed = b"{\"a\":".repeat(50_000);
    let mut cases = vec![
        whole("empty", b"", &["dead:bad_json"]),
        whole("no JSON", b"secret words", &["dead:bad_json"]),
        whole("no UTF-8", b"\xff\xfe{\0}\0", &["dead:bad_json"]),
        whole("a word of no UTF-8", b"{\"object\":\"\xff\"}", &["ignored:wrong_object"]),
        whole("nesting", &deep, &["dead:bad_json"]),
        whole("nesting without end", &unclosed, &["dead:bad_json"]),
        whole("two documents", b"{} {}", &["dead:bad_json"]),
        whole("null", b"null", &["dead:bad_shape"]),
        whole("a number", b"7", &["dead:bad_shape"]),
        whole("an empty list", b"[]", &["dead:bad_shape"]),
        whole("an empty object", b"{}", &["dead:bad_shape"]),
        whole("another object", &envelope("page", ACCOUNT, "[]"), &["ignored:wrong_object"]),
        whole("nothing in it", br#"{"object":"instagram","entry":[]}"#, &["ignored:unknown_kind"]),
        whole("no account of ours", &of_account("17841499999999999"), &["ignored:unknown_account"]),
        whole("entries are no list", br#"{"object":"instagram","entry":7}"#, &["dead:bad_shape"]),
    ];
    cases.extend(items());
    cases.extend(examples());
    cases
}

/// One item each, beside a good one.
fn items() -> Vec<Case> {
    let person = format!(r#""sender":{{"id":"{PERSON}"}},"recipient":{{"id":"{ACCOUNT}"}}"#);
    let said = |rest: &str| format!("{{{person},{rest}}}");
    let with = |payload: &str| said(&format!("\"timestamp\":1700000000001,{payload}"));
    let message = |at: &str, mid: &str| {
        said(&format!(r#""timestamp":{at},"message":{{"mid":"{mid}","text":"hi"}}"#))
    };
    let number = format!(
        r#"{{"sender":{{"id":{PERSON}}},"recipient":{{"id":{ACCOUNT}}},"timestamp":"1700000000001","message":{{"mid":12345,"text":42}}}}"#
    );
    let nobody = r#"{"timestamp":1,"message":{"mid":"n1","text":"secret words"}}"#.to_owned();
    let received = "message.received";
    let table = [
        ("ids as numbers", number, received),
        ("no mid", with(r#""message":{"text":"hi"}"#), received),
        ("keys twice", with(r#""message":{"mid":"d1","text":"a","text":"b"}"#), received),
        ("half a surrogate", with(r#""message":{"mid":"h1","text":"\ud83d"}"#), received),
        ("a NUL", with(r#""message":{"mid":"h2","text":"a\u0000b"}"#), received),
        ("no time", said(r#""message":{"mid":"t1","text":"hi"}"#), received),
        ("a negative time", message("-5", "t2"), received),
        ("a broken time", message("\"soon\"", "t3"), received),
        ("a time beyond all", message("1e400", "t4"), received),
        ("a time in a far year", message("253402300799000000", "t5"), received),
        (
            "a long text",
            with(&format!(r#""message":{{"mid":"l1","text":"{}"}}"#, "x".repeat(50_000))),
            received,
        ),
        ("nothing said", with(r#""message":{"mid":"e1"}"#), received),
        ("nobody", nobody, "dead:missing_sender"),
        ("no object", "7".to_owned(), "dead:bad_shape"),
        (
            "a text of a wrong kind",
            with(r#""message":{"mid":"w1","text":["secret words"]}"#),
            "dead:bad_shape",
        ),
        ("a message of a wrong kind", with(r#""message":"secret words""#), "dead:bad_shape"),
        ("an unknown kind", with(r#""hologram":{"mid":"u1"}"#), "ignored:unknown_kind"),
    ];
    let with_neighbour =
        |(number, (name, item, becomes)): (usize, (&'static str, String, _))| Case {
            name,
            body: envelope(
                "instagram",
                ACCOUNT,
                &format!("[{item},{}]", good(&format!("beside-{number}"), PERSON)),
            ),
            becomes: vec![becomes, received],
        };
    table.into_iter().enumerate().map(with_neighbour).collect()
}

/// What Meta's own pages contradict themselves about, in both forms.
fn examples() -> Vec<Case> {
    let table: [(&str, &[&str]); 24] = [
        ("media-sticker", &["message.received"]),
        ("media-attachment-singular", &["message.received"]),
        ("media-attachments-as-object", &["message.received"]),
        ("attachment-odd-shapes", &["message.received"]),
        ("attachment-unknown-type", &["message.received"]),
        ("comment-flat", &["ignored:not_a_dm"]),
        ("comment-changes", &["ignored:not_a_dm"; 4]),
        ("postback-entry-id-is-person", &["postback.received"]),
        ("referral-entry-id-is-person", &["referral.received"]),
        ("message-folder", &["message.received"]),
        ("message-timestamp-in-seconds", &["message.received"]),
        ("message-deleted-as-string", &["message.deleted"]),
        ("message-unsupported", &["message.received"]),
        ("edit-number-as-string", &["message.edited"]),
        ("edit-number-zero", &["message.edited"]),
        ("reaction-other", &["reaction.added"]),
        ("reaction-unknown-action", &["ignored:unknown_kind"]),
        ("read-by-mid", &["message.read"]),
        ("read-by-watermark", &["message.read"]),
        ("changes-message", &["message.received"]),
        ("dashboard-test", &["webhook.test"]),
        ("handover-roles", &["thread.control"]),
        ("unknown-field", &["ignored:unknown_kind"]),
        ("standby", &["message.received", "message.read"]),
    ];
    let read = |(name, becomes): (&'static str, &[&'static str])| Case {
        name,
        body: std::fs::read(format!("schemas/examples/webhooks/{name}.json")).unwrap(),
        becomes: becomes.to_vec(),
    };
    table.into_iter().map(read).collect()
}

fn envelope(object: &str, account: &str, items: &str) -> Vec<u8> {
    let entry = format!(r#"{{"id":"{account}","time":1700000000123,"messaging":{items}}}"#);
    format!(r#"{{"object":"{object}","entry":[{entry}]}}"#).into_bytes()
}

fn good(mid: &str, person: &str) -> String {
    format!(
        r#"{{"sender":{{"id":"{person}"}},"recipient":{{"id":"{ACCOUNT}"}},"timestamp":1700000000001,"message":{{"mid":"{mid}","text":"hi"}}}}"#
    )
}

fn of_account(account: &str) -> Vec<u8> {
    let item = good("other", PERSON).replace(ACCOUNT, account);
    envelope("instagram", account, &format!("[{item}]"))
}

/// A good message of a person of its own.
fn neighbour(number: usize) -> Vec<u8> {
    let (mid, person) = (format!("after-{number}"), format!("neighbour-{number}"));
    envelope("instagram", ACCOUNT, &format!("[{}]", good(&mid, &person)))
}

fn trace_of(case: usize) -> String {
    format!("00-{:032x}-00f067aa0ba902b7-01", case + 1)
}

/// What was written for each trace.
fn became(file: &std::path::Path) -> BTreeMap<String, Vec<String>> {
    let config = Config::read(Some(file), std::iter::empty()).unwrap();
    let broker = open_broker(&config, &Clock::System).unwrap();
    let mut next = NextOffsets::new();
    for topic in [Topic::EventsNormalized, Topic::DeadLetters] {
        next.extend((0..broker.partitions(topic).unwrap()).map(|p| ((topic, p), 0)));
    }
    let mut reader = broker.reader(&next).unwrap();
    let mut became: BTreeMap<String, Vec<String>> = BTreeMap::new();
    loop {
        let batch = reader.poll(&BATCH).unwrap();
        for record in &batch.records {
            let trace = record.headers.text(header::TRACE_PARENT).unwrap_or("").to_owned();
            became.entry(trace).or_default().push(kind_of(record));
        }
        if batch.at_end {
            return became;
        }
    }
}

fn kind_of(record: &Record) -> String {
    if record.topic == Topic::DeadLetters {
        return format!("dead:{}", record.headers.text(header::REASON).unwrap());
    }
    let event: Value = serde_json::from_slice(record.bytes()).unwrap();
    let kind = event["type"].as_str().unwrap();
    match event["reason"].as_str() {
        Some(reason) if kind == "ignored" => format!("ignored:{reason}"),
        _ => kind.to_owned(),
    }
}

async fn open() -> Shop {
    Shop::open(Plan { broker: String::new(), faults: GraphFaults::NONE, company: "" }).await
}

async fn refused(shop: &Shop, reason: &str, times: usize) {
    let series = format!("dmstream_ingress_refused_total{{reason=\"{reason}\"}}");
    assert_eq!(shop.doors().counted(&series).await, u64::try_from(times).unwrap(), "{reason}");
}

/// Sends on a connection of its own; everything said until it is closed, or a quiet half minute.
async fn raw(address: std::net::SocketAddr, sent: Vec<Vec<u8>>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for bytes in sent {
        // Whoever was refused half-way need not say the rest.
        if stream.write_all(&bytes).await.is_err() {
            break;
        }
    }
    let mut said = Vec::new();
    let read = async {
        let mut some = [0; 1_024];
        while let Ok(bytes @ 1..) = stream.read(&mut some).await {
            said.extend_from_slice(&some[..bytes]);
            if said.windows(4).any(|end| end == b"\r\n\r\n") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), read).await.unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

#[track_caller]
fn assert_status(said: &str, status: &str) {
    assert_eq!(said.split(' ').nth(1), Some(status), "{said}");
}
