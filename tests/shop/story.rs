//! The stories, told once for both brokers.

use std::path::Path;

use dmstream::simulator::{Author, GraphFaults};
use serde_json::{Value, json};

use super::open::Plan;
use super::{Audit, Shop, command, eventually};

/// Where the product is killed in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The webhook was answered 200.
    Heard,
    /// The agent has the conversation.
    Accepted,
    /// The desk answered that the reply is recorded.
    Replied,
    /// Instagram has the reply, and it is shown as sent.
    Sent,
}

/// When a reply's echo comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Echo {
    AfterTheAnswer,
    BeforeTheAnswer,
}

/// A person writes, an agent is offered it, accepts, replies, closes; somebody also writes in the app. Every webhook comes
/// at least twice, and the process is killed without warning at each of `kills`.
pub(crate) async fn a_message_is_answered(broker: &str, echo: Echo, kills: &[Step]) {
    let echo_first = if echo == Echo::BeforeTheAnswer { 1.0 } else { 0.0 };
    let faults = GraphFaults { echo_first, ..GraphFaults::NONE };
    let plan = Plan { broker: broker.to_owned(), faults, company: "" };
    let mut shop = Shop::open(plan).await;
    let ana = shop.agent("ana").await;

    let hello = shop.instagram.somebody_writes();
    for _ in 0..3 {
        shop.doors().deliver(std::slice::from_ref(&hello)).await;
    }
    shop.pass(Step::Heard, kills).await;
    let id = ana.accepts_offer().await;
    shop.pass(Step::Accepted, kills).await;
    let held = ana.sees(&id, "the conversation is ana's", |shown| status(shown) == "open").await;
    assert_eq!(held["conversation"]["agent_id"], "ana");

    let reply = json!({ "text": "We open at nine.", "client_message_id": "once" });
    for _ in 0..2 {
        ana.wish(&format!("/v1/conversations/{id}/replies"), reply.clone()).await;
    }
    shop.pass(Step::Replied, kills).await;
    let settled = |shown: &Value| {
        items(shown, "outbound").any(|item| item["state"] == "sent" || item["state"] == "unknown")
    };
    let shown = ana.sees(&id, "the reply is settled", settled).await;
    let sent = items(&shown, "outbound").any(|item| item["state"] == "sent");
    // A crash between the intent and the call: nobody can know, so the agent is told and nothing is repeated.
    assert!(sent || kills.contains(&Step::Replied), "{shown:#}");
    assert_eq!(shop.instagram.taken(), u64::from(sent), "sent once");
    shop.pass(Step::Sent, kills).await;

    let aside = shop.instagram.says(Author::NativeApp, &hello.thread, "from the app");
    for _ in 0..2 {
        shop.doors().deliver(std::slice::from_ref(&aside)).await;
    }
    let told = |shown: &Value| items(shown, "outbound").any(|item| item["native_app"] == true);
    ana.sees(&id, "what was written in the app is shown", told).await;
    shop.instagram.echoes_delivered().await;

    ana.wish(&format!("/v1/conversations/{id}/close"), json!({ "force": true })).await;
    let closed = ana.sees(&id, "it is closed", |shown| status(shown) == "closed").await;
    assert_eq!(items(&closed, "inbound").count(), 1, "{closed:#}");
    assert_eq!(items(&closed, "outbound").count(), 2, "{closed:#}");
    assert_eq!(shop.instagram.taken(), u64::from(sent), "sent once");

    shop.product.stop().await;
    let audit = Audit::of(&shop.file);
    assert_eq!(audit.violations, [""; 0]);
    let told = &audit.threads[&hello.thread.key()];
    assert_eq!(told.received, [hello.mid().as_str()]);
    assert_eq!(told.sent.len(), 1 + usize::from(sent), "{told:?}");
    let steps = ["contact.offered", "contact.accepted", "message.queued", "conversation.closed"];
    for step in steps {
        assert_eq!(told.types.iter().filter(|one| **one == step).count(), 1, "{step} in {told:?}");
    }
    let key = hello.thread.key();
    let plain = facts(&shop.file, &["--thread", &key]);
    let types: Vec<&str> = plain.iter().map(|fact| fact["type"].as_str().unwrap()).collect();
    assert_eq!(types, told.types, "as they stand on the timeline");
    let outward = facts(&shop.file, &["--thread", &key, "--outward"]);
    for kind in ["CONTACT/STARTED", "CONTACT/JOINED", "CONTACT/ENDED", "CONVERSATION/CLOSED"] {
        let count = outward.iter().filter(|event| event["type"] == kind).count();
        assert_eq!(count, 1, "{kind} in {outward:#?}");
    }
    assert_eq!(facts(&shop.file, &["--thread", "1:1"]), [Value::Null; 0], "nobody's");
}

/// What `dmstream facts` prints; an embedded broker must have been closed.
fn facts(file: &Path, more: &[&str]) -> Vec<Value> {
    let printed = command(&["facts", "--config"]).arg(file).args(more).output().unwrap();
    let (said, cried) = (printed.stdout, String::from_utf8_lossy(&printed.stderr));
    assert!(printed.status.success(), "{cried}");
    let said = String::from_utf8(said).unwrap();
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An agent who does not answer loses the offer to another, and gets no more.
pub(crate) async fn an_unanswered_offer_goes_to_another_agent(broker: &str) {
    let plan = Plan {
        broker: broker.to_owned(),
        faults: GraphFaults::NONE,
        company: "offer_timeout_ms = 5000",
    };
    let shop = Shop::open(plan).await;
    let agents = [shop.agent("ana").await, shop.agent("ben").await];
    let hello = shop.instagram.somebody_writes();
    shop.doors().deliver(std::slice::from_ref(&hello)).await;
    let asleep = eventually("somebody has the offer", async || {
        let banners = [agents[0].banner().await, agents[1].banner().await];
        banners.iter().position(Option::is_some)
    })
    .await;
    let awake = &agents[1 - asleep];
    let id = awake.accepts_offer().await;
    let held = awake.sees(&id, "it is the other's", |shown| status(shown) == "open").await;
    assert_eq!(held["conversation"]["agent_id"], awake.name);
    let missed = items(&held, "").filter(|line| line["event"] == "contact.rejected").count();
    assert_eq!(missed, 1, "{held:#}");
    let sleeper = awake.look(&format!("/v1/agents/{}", agents[asleep].name)).await;
    assert_eq!(sleeper["paused_until_next"], true, "{sleeper:#}");

    shop.product.stop().await;
    let audit = Audit::of(&shop.file);
    assert_eq!(audit.violations, [""; 0]);
    let types = &audit.threads[&hello.thread.key()].types;
    let about: Vec<&str> = types.iter().copied().filter(|t| t.starts_with("contact.")).collect();
    let story = ["started", "queued", "offered", "rejected", "queued", "offered", "accepted"];
    assert_eq!(about, story.map(|step| format!("contact.{step}")));
}

impl Shop {
    async fn pass(&mut self, step: Step, kills: &[Step]) {
        if kills.contains(&step) {
            self.product.crash().await;
        }
    }
}

fn status(shown: &Value) -> &str {
    shown.pointer("/conversation/status").and_then(Value::as_str).unwrap_or("")
}

/// Lines of a timeline in this direction; all that have none for `""`.
fn items<'a>(shown: &'a Value, direction: &'a str) -> impl Iterator<Item = &'a Value> {
    let lines = shown["items"].as_array().map_or(&[][..], Vec::as_slice);
    lines.iter().filter(move |line| line["direction"].as_str().unwrap_or("") == direction)
}

/// The demo, killed twice: its books are compared item by item, and it says so.
pub(crate) fn the_demo_agrees(more: &[&str]) {
    let demo = ["demo", "--for", "8s", "--rate", "10", "--restarts", "2", "--quiet"];
    let shown = command(&demo).args(more).output().unwrap();
    let (said, cried) =
        (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    assert!(shown.status.success(), "{said}\n{cried}");
    assert!(said.contains("no message lost, none shown twice, none sent twice"), "{said}");
    assert!(said.contains("killed and restarted 2 times"), "{said}");
}
