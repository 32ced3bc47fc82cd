//! What one record costs a stage, alone in memory: nanoseconds and allocations. Prints figures, asserts nothing.
//!
//! Each stage is rehearsed: row read and decoded, decision, row encoded and kept, outputs serialized. Broker, store and
//! threads are `dmstream bench`'s business.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for people")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the time")]

use std::alloc::System;
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::time::Instant;

use dmstream::broker::record::{Headers, Output, Record, header};
use dmstream::conversation::decide::{Input, World, decide};
use dmstream::conversation::{ConversationStage, ThreadState};
use dmstream::domain::event::Event;
use dmstream::domain::id::{CompanyId, ContactId, ConversationId, InboxId, MessageId};
use dmstream::domain::routing::{RoutingAsk, RoutingRequest};
use dmstream::domain::settings::{AccountSettings, CompanySettings, SettingsTable};
use dmstream::domain::thread::Thread;
use dmstream::domain::time::Timestamp;
use dmstream::engine::context::{Committed, Rows, StateError};
use dmstream::engine::rehearsal::Rehearsal;
use dmstream::engine::stage::{Row, Stage};
use dmstream::engine::turn::{self, Lanes, Turn};
use dmstream::normalize::{Accounts, edge::NormalizeStage, normalize};
use dmstream::route::edge::RouteStage;
use dmstream::simulator::{Author, Body, Occurrence, What, webhook_body};
use dmstream::topics::Topic;
// `malloc` is this one's, as in the program: what is counted below passes on to it.
use mimalloc as _;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Records of one measurement.
const RECORDS: u32 = 20_000;
/// Conversations in the queue where routing is measured.
const WAITING: u32 = 10_000;
/// What a worker takes into a turn, and reads at a time.
const TURN_RECORDS: usize = 10_000;
const SLICE_RECORDS: usize = 256;
/// Measurements; the fastest counts: what is slower was disturbed.
const ROUNDS: u32 = 5;

fn main() {
    let bodies: Vec<Vec<u8>> = (0..RECORDS).map(|n| body(n, 25)).collect();
    let mean = bodies.iter().map(Vec::len).sum::<usize>() / bodies.len();
    println!(
        "{:<52} {:>9} {:>9} {:>9}",
        format!("webhooks of {mean} bytes"),
        "ns",
        "allocs",
        "bytes"
    );
    let (at, ours) = (Timestamp::from_ms(1_700_000_000_000), Accounts::of([]));
    measure("parse JSON into a tree (the limit of normalizing)", &bodies, |body| {
        drop(black_box(serde_json::from_slice::<serde_json::Value>(body).unwrap()));
    });
    measure("normalize", &bodies, |body| drop(black_box(normalize(body, at, &ours))));
    let raw: Vec<Record> =
        bodies.iter().map(|body| record(Topic::WebhooksRaw, "t", body)).collect();
    let mut stage = Rehearsal::new(NormalizeStage::new(Accounts::of([])), settings());
    measure("normalize as a stage", &raw, |record| {
        drop(black_box(stage.apply(record).unwrap()));
    });
    let events = outputs(&mut stage, &raw, Topic::EventsNormalized);
    measure("read an event", &events, |record| {
        drop(black_box(serde_json::from_slice::<Event>(record.bytes()).unwrap()));
    });
    for (messages, name) in [(1, "1st"), (25, "up to 25th"), (200, "up to 200th")] {
        let raw: Vec<Record> =
            (0..RECORDS).map(|n| record(Topic::WebhooksRaw, "t", &body(n, messages))).collect();
        let events = outputs(&mut stage, &raw, Topic::EventsNormalized);
        decisions(&format!("conversation: one decision, {name} message"), &events);
        measure_once(&format!("conversation as a stage, {name} message"), &events, || {
            Rehearsal::new(ConversationStage, settings())
        });
    }
    turns(&events);
    let mut conversation = Rehearsal::new(ConversationStage, settings());
    let requests = outputs(&mut conversation, &events, Topic::RoutingRequests);
    measure_once("route as a stage, nobody at work", &requests, || {
        Rehearsal::new(RouteStage::new(), settings())
    });
    routing();
    rows(&mut conversation, &events);
}

/// The pure core alone: events and states at hand, effects dropped.
fn decisions(name: &str, events: &[Record]) {
    let settings = settings();
    let read = |record: &Record| serde_json::from_slice::<Event>(record.bytes()).unwrap();
    let named = |event: Event| {
        let thread = event.thread().unwrap();
        (event, thread.key(), thread)
    };
    let events: Vec<(Event, String, Thread)> = events.iter().map(read).map(named).collect();
    let (mut best_ns, mut allocs, mut bytes) = (f64::MAX, 0, 0);
    for _ in 0..ROUNDS {
        let mut states: HashMap<&Thread, Box<ThreadState>> = HashMap::new();
        for (_, _, thread) in &events {
            states.insert(thread, Box::default());
        }
        let (region, since) = (Region::new(MEMORY), Instant::now());
        for (event, key, thread) in &events {
            let now = event.occurred_at;
            let world = World { thread, key, settings: &settings, now, hops: 0, via: None };
            let state = states.get_mut(thread).unwrap();
            let decision = decide(std::mem::take(state), &Input::Event(event), &world).unwrap();
            *state = decision.state;
            drop(black_box(decision.effects));
        }
        best_ns = best_ns.min(since.elapsed().as_nanos() as f64);
        let change = region.change();
        (allocs, bytes) = (change.allocations, change.bytes_allocated);
    }
    print(name, events.len(), (best_ns, allocs, bytes));
}

/// The stage as a worker runs it: a turn of many records, rows decoded and encoded once in it, snapshots written at its end.
fn turns(events: &[Record]) {
    let settings = settings();
    let (mut best_ns, mut allocs, mut bytes) = (f64::MAX, 0, 0);
    for _ in 0..ROUNDS {
        let rows = Rows::new(Committed::Memory(BTreeMap::new()));
        let mut lanes = Lanes::from([(0, rows)]);
        let (region, since) = (Region::new(MEMORY), Instant::now());
        for records in events.chunks(TURN_RECORDS) {
            let mut turn = Turn::default();
            for slice in records.chunks(SLICE_RECORDS) {
                turn::apply(&mut ConversationStage, (&mut lanes, &settings), slice, &mut turn)
                    .unwrap();
                turn.take_ready().for_each(|output| drop(black_box(output)));
            }
            let log = (Topic::ConversationChangelog, Timestamp::from_ms(1_700_000_100_000));
            let send = |output: &Output| -> Result<(), StateError> {
                black_box(output);
                Ok(())
            };
            let changes = turn::settle((&mut lanes, &settings), log, &mut turn, send).unwrap();
            drop(black_box(turn.take_rest()));
            let kept = lanes.get_mut(&0).map(|rows| &mut rows.committed);
            let Some(Committed::Memory(kept)) = kept else { continue };
            kept.extend(changes.into_values().flatten().map(|row| (row.key, row.value.unwrap())));
        }
        best_ns = best_ns.min(since.elapsed().as_nanos() as f64);
        let change = region.change();
        (allocs, bytes) = (change.allocations, change.bytes_allocated);
    }
    let name = format!("conversation in turns of {TURN_RECORDS}, up to 25th message");
    print(&name, events.len(), (best_ns, allocs, bytes));
}

/// What one request costs while very many wait.
fn routing() {
    let enqueue = |n: u32| RoutingAsk::Enqueue {
        inbox_id: InboxId::parse(if n.is_multiple_of(2) { "sales" } else { "support" }).unwrap(),
        due_at: Some(Timestamp::from_ms(1_700_000_000_000 + u64::from(n))),
        waiting_since_at: Timestamp::from_ms(1_700_000_000_000),
        customer_name: "Maria Example".to_owned(),
        preview: "When will my order arrive?".to_owned(),
        previous_agent_id: None,
    };
    let update = |n: u32| RoutingAsk::Update {
        due_at: Some(Timestamp::from_ms(1_700_000_000_000 + u64::from(n % WAITING))),
        preview: format!("And my other order {n}?"),
    };
    let new_due = |n: u32| RoutingAsk::Update {
        due_at: Some(Timestamp::from_ms(1_700_000_000_000 + u64::from(n * 7_919 % RECORDS))),
        preview: "When will my order arrive?".to_owned(),
    };
    let in_and_out = |n: u32| {
        if n / WAITING == 0 { RoutingAsk::Withdraw } else { enqueue(n) }
    };
    let waiting: Vec<Record> = (0..WAITING).map(|n| request(n, enqueue(n))).collect();
    let all = |ask: &dyn Fn(u32) -> RoutingAsk| -> Vec<Record> {
        (0..RECORDS).map(|n| request(n, ask(n))).collect()
    };
    measure("read a routing request", &all(&update), |record| {
        drop(black_box(serde_json::from_slice::<RoutingRequest>(record.bytes()).unwrap()));
    });
    for (name, inputs) in [
        ("a new preview", all(&update)),
        ("a new due date", all(&new_due)),
        ("out of the queue and in again", all(&in_and_out)),
    ] {
        measure_once(&format!("route, {WAITING} wait: {name}"), &inputs, || {
            let mut stage = Rehearsal::new(RouteStage::new(), settings());
            waiting.iter().for_each(|record| drop(stage.apply(record).unwrap()));
            stage
        });
    }
}

/// A request of one of those who wait.
fn request(n: u32, ask: RoutingAsk) -> Record {
    let n = n % WAITING;
    let thread = format!("17841400000000001:{}", 9_000_000_000_000_000_u64 + u64::from(n));
    let request = RoutingRequest {
        ask,
        company_id: CompanyId::parse("default").unwrap(),
        thread: Thread::from_key(&thread).unwrap(),
        conversation_id: ConversationId::parse(&format!("cv-{n:032x}-1")).unwrap(),
        contact_id: ContactId::parse(&format!("ct-{n:032x}-1")).unwrap(),
        requested_at: Timestamp::from_ms(1_700_000_000_000),
    };
    record(Topic::RoutingRequests, "default", &serde_json::to_vec(&request).unwrap())
}

/// Row codec of a thread of 25 messages.
fn rows(conversation: &mut Rehearsal<ConversationStage>, events: &[Record]) {
    let rows: Vec<_> = events
        .iter()
        .take(400)
        .filter_map(|record| conversation.row(record.key.as_deref().unwrap()).unwrap())
        .collect();
    let mut encoded = Vec::new();
    for row in &rows {
        let mut bytes = Vec::new();
        row.encode(&mut bytes);
        encoded.push(bytes);
    }
    println!("{:<52} {:>29}", "bytes of a row", encoded.first().map_or(0, Vec::len));
    measure("encode a row", &rows, |row| {
        let mut bytes = Vec::with_capacity(2048);
        row.encode(&mut bytes);
        drop(black_box(bytes));
    });
    measure("clone a row", &rows, |row| drop(black_box(row.clone())));
    measure("decode a row", &encoded, |bytes| {
        drop(black_box(<ConversationStage as Stage>::Row::decode(bytes).unwrap()));
    });
}

/// One webhook: a text message; every person writes `messages`.
fn body(n: u32, messages: u32) -> Vec<u8> {
    let person = 9_000_000_000_000_000_u64 + u64::from(n % (RECORDS / messages));
    let thread = Thread::from_key(&format!("17841400000000001:{person}")).unwrap();
    let at = Timestamp::from_ms(1_700_000_000_000 + u64::from(n));
    let mid = format!("aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlE{n:064x}");
    let (mid, by) = (MessageId::parse(&mid).unwrap(), Author::Person);
    let body = Body::text("When will my order arrive? It should have been here on Monday");
    webhook_body(&[Occurrence { thread, at, what: What::Message { mid, by, body } }], at).unwrap()
}

fn settings() -> SettingsTable {
    SettingsTable::with_fallback(AccountSettings::default(), CompanySettings::default())
}

fn record(topic: Topic, key: &str, value: &[u8]) -> Record {
    let mut headers = Headers::default();
    headers.push(header::TRACE_PARENT, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    Record {
        topic,
        partition: 0,
        offset: 0,
        timestamp: Timestamp::from_ms(1_700_000_100_000),
        key: Some(key.as_bytes().to_vec()),
        value: Some(value.to_vec()),
        headers,
    }
}

/// What a stage writes to `topic` for all of `inputs`, as the next stage reads it.
fn outputs<S: Stage>(stage: &mut Rehearsal<S>, inputs: &[Record], topic: Topic) -> Vec<Record> {
    let of = |output: Output| Record {
        topic,
        partition: 0,
        offset: 0,
        timestamp: output.timestamp,
        key: Some(output.key),
        value: output.value,
        headers: output.headers,
    };
    let steps = inputs.iter().flat_map(|input| stage.apply(input).unwrap().outputs);
    steps.filter(|output| output.topic == topic).map(of).collect()
}

fn measure<T>(name: &str, inputs: &[T], mut work: impl FnMut(&T)) {
    let (mut best_ns, mut allocs, mut bytes) = (f64::MAX, 0, 0);
    for _ in 0..ROUNDS {
        let (region, since) = (Region::new(MEMORY), Instant::now());
        inputs.iter().for_each(&mut work);
        best_ns = best_ns.min(since.elapsed().as_nanos() as f64);
        let change = region.change();
        (allocs, bytes) = (change.allocations, change.bytes_allocated);
    }
    print(name, inputs.len(), (best_ns, allocs, bytes));
}

/// A stage that remembers starts each round afresh.
fn measure_once<S: Stage>(name: &str, inputs: &[Record], make: impl Fn() -> Rehearsal<S>) {
    let (mut best_ns, mut allocs, mut bytes) = (f64::MAX, 0, 0);
    for _ in 0..ROUNDS {
        let mut stage = make();
        let (region, since) = (Region::new(MEMORY), Instant::now());
        for input in inputs {
            drop(black_box(stage.apply(input).unwrap()));
        }
        best_ns = best_ns.min(since.elapsed().as_nanos() as f64);
        let change = region.change();
        (allocs, bytes) = (change.allocations, change.bytes_allocated);
    }
    print(name, inputs.len(), (best_ns, allocs, bytes));
}

fn print(name: &str, inputs: usize, (ns, allocs, bytes): (f64, usize, usize)) {
    let each = inputs.max(1) as f64;
    println!(
        "{name:<52} {:>9.0} {:>9.1} {:>9.0}",
        ns / each,
        allocs as f64 / each,
        bytes as f64 / each
    );
}
