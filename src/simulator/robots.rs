//! Robot agents: they log in, take offers, read, like, reply and close, through the desk API alone.
//!
//! Promise: every reply carries a reference of its own, written into the books before it is asked for, so that one
//! that goes out twice, or never, is found. Bounded: one agent does one thing at a time and looks at few conversations.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::domain::time::{SECOND_MS, Timestamp};

use super::books::Books;
use super::desk_client::{Desk, Outcome, list, word};
use super::happening::Happening;
use super::phrase::REPLIES;

/// Most conversations looked at in one turn.
const LOOKED_AT: usize = 10;
/// Shortest and longest pause between two turns, in milliseconds.
const PAUSE_MS: (u64, u64) = (200, 600);
/// After a decline or a missed offer, so long until Next.
const BREAK_MS: u64 = 3 * SECOND_MS;
/// Most offers and conversations remembered; then the robot starts with a fresh mind.
const REMEMBERED: usize = 20_000;

/// How robots behave, each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manners {
    /// An offer is declined.
    pub decline: f64,
    /// An offer is not answered.
    pub ignore: f64,
    /// A message is liked.
    pub like: f64,
    /// A waiting customer is answered in this turn.
    pub reply: f64,
    /// An answered conversation is closed in this turn.
    pub close: f64,
    /// A conversation is not closed before it was quiet for so long.
    pub quiet_for: Duration,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            decline: 0.05,
            ignore: 0.03,
            like: 0.1,
            reply: 0.6,
            close: 0.25,
            quiet_for: Duration::from_secs(6),
        }
    }
}

/// One robot.
pub(super) struct Robot {
    agent: String,
    company: String,
    manners: Manners,
    desk: Desk,
    books: Books,
    clock: Clock,
    dice: StdRng,
    /// Sets this run's references apart from those of earlier ones on the same data.
    run: u64,
    replies: u64,
    wishes: u64,
    /// Offers decided on.
    decided: BTreeSet<String>,
    /// The newest inbound item answered, by conversation.
    answered: BTreeMap<String, String>,
    /// The newest inbound item looked at, by conversation.
    looked_at: BTreeMap<String, String>,
    next_at: Option<Timestamp>,
}

/// What every robot needs.
#[derive(Clone)]
pub(super) struct RobotParts {
    pub(super) manners: Manners,
    pub(super) desk: Desk,
    pub(super) books: Books,
    pub(super) clock: Clock,
    /// Whose agents.
    pub(super) company: String,
}

/// What a robot sees in a timeline.
struct Seen<'a> {
    /// The newest inbound item, if nobody answered it.
    unanswered: Option<&'a str>,
    last_at: Timestamp,
}

impl Robot {
    pub(super) fn new(agent: &str, seed: u64, parts: RobotParts) -> Self {
        let RobotParts { manners, desk, books, clock, company } = parts;
        // Low digits are enough to tell runs apart, and stay readable.
        let run = clock.now().as_ms() % 0x100_0000;
        Self {
            agent: agent.to_owned(),
            company,
            manners,
            desk,
            books,
            clock,
            dice: StdRng::seed_from_u64(seed),
            run,
            replies: 0,
            wishes: 0,
            decided: BTreeSet::new(),
            answered: BTreeMap::new(),
            looked_at: BTreeMap::new(),
            next_at: None,
        }
    }

    /// Works until told to stop.
    pub(super) async fn work(mut self, mut stop: watch::Receiver<bool>) {
        self.of_myself("log-in", &json!({})).await;
        self.of_myself("availability", &json!({ "available": true })).await;
        while !*stop.borrow() {
            self.answer_offers().await;
            self.serve().await;
            let now = self.clock.now();
            if self.next_at.is_some_and(|at| at <= now) {
                self.next_at = None;
                self.of_myself("next", &json!({})).await;
                // An own conversation came first: ask again.
                if self.is_paused().await {
                    self.next_at = Some(self.clock.now().plus_ms(BREAK_MS));
                }
            }
            if self.decided.len() + self.answered.len() + self.looked_at.len() > REMEMBERED {
                self.decided.clear();
                self.answered.clear();
                self.looked_at.clear();
            }
            let pause_ms = self.dice.random_range(PAUSE_MS.0..=PAUSE_MS.1);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(pause_ms)) => (),
                // A sender that is gone means stop as well; the loop looks.
                changed = stop.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn answer_offers(&mut self) {
        let query = [("agent_id", self.agent.as_str())];
        let Some(offers) = self.desk.get("/v1/offers", &query).await else { return };
        for offer in list(&offers) {
            let Some(offer_id) = word(offer, "offer_id") else { continue };
            if !self.decided.insert(offer_id.to_owned()) {
                continue;
            }
            let name = word(offer, "customer_name").unwrap_or("somebody");
            let path = format!("/v1/offers/{offer_id}");
            let roll: f64 = self.dice.random();
            if roll < self.manners.ignore {
                self.next_at = Some(self.clock.now().plus_ms(35 * SECOND_MS));
                self.tell("does not see the offer of", name, None);
            } else if roll < self.manners.ignore + self.manners.decline {
                self.do_command(&format!("{path}/decline"), json!({})).await;
                self.next_at = Some(self.clock.now().plus_ms(BREAK_MS));
                self.tell("declines", name, None);
            } else if self.do_command(&format!("{path}/accept"), json!({})).await {
                self.tell("accepts", name, None);
            }
        }
    }

    async fn serve(&mut self) {
        let query = [("agent_id", self.agent.as_str()), ("status", "open")];
        let Some(mine) = self.desk.get("/v1/conversations", &query).await else { return };
        for conversation in list(&mine).iter().take(LOOKED_AT) {
            let Some(id) = word(conversation, "conversation_id") else { continue };
            let path = format!("/v1/conversations/{id}");
            let Some(detail) = self.desk.get(&path, &[]).await else { continue };
            let name = detail.pointer("/conversation/display_name").and_then(Value::as_str);
            self.treat(id, name.unwrap_or("somebody"), &look(&detail)).await;
        }
    }

    async fn treat(&mut self, id: &str, name: &str, seen: &Seen<'_>) {
        let open = seen.unanswered;
        let open = open.filter(|mid| self.answered.get(id).map(String::as_str) != Some(*mid));
        match open {
            Some(mid) => {
                self.see(id, mid).await;
                if self.by_chance(self.manners.like) {
                    self.like(id, name, mid).await;
                }
                if self.by_chance(self.manners.reply) {
                    self.answered.insert(id.to_owned(), mid.to_owned());
                    self.reply(id, name).await;
                }
            }
            None => {
                let quiet_ms = self.clock.now().since_ms(seen.last_at);
                let quiet = u128::from(quiet_ms) >= self.manners.quiet_for.as_millis();
                if quiet && self.by_chance(self.manners.close) {
                    self.close(id, name).await;
                }
            }
        }
    }

    /// Says that it has looked, once an item: else Next leads back here for ever.
    async fn see(&mut self, id: &str, mid: &str) {
        let is_new = self.looked_at.get(id).map(String::as_str) != Some(mid);
        if is_new && self.do_command(&format!("/v1/conversations/{id}/seen"), json!({})).await {
            self.looked_at.insert(id.to_owned(), mid.to_owned());
        }
    }

    /// Whether it is offered nothing until Next.
    async fn is_paused(&self) -> bool {
        let agent = self.desk.get(&format!("/v1/agents/{}", self.agent), &[]).await;
        agent.and_then(|agent| agent.get("paused_until_next")?.as_bool()).unwrap_or(false)
    }

    async fn like(&mut self, id: &str, name: &str, mid: &str) {
        let path = format!("/v1/conversations/{id}/likes");
        if self.do_command(&path, json!({ "mid": mid })).await {
            self.tell("likes a message of", name, None);
        }
    }

    async fn reply(&mut self, id: &str, name: &str) {
        self.replies += 1;
        let words = REPLIES.choose(&mut self.dice).copied().unwrap_or("Hello!");
        let reference = format!("#{}-{:x}-{}", self.agent, self.run, self.replies);
        let text = format!("{words} {reference}");
        self.books.with(|ledger| ledger.asked(&reference));
        let body = json!({
            "text": text,
            "client_message_id": format!("robot-{reference}"),
            "agent_id": self.agent,
        });
        let path = format!("/v1/conversations/{id}/replies");
        let key = self.next_key();
        match self.desk.command(&path, &body, &key).await {
            Outcome::Taken => self.tell("replies to", name, Some(text)),
            Outcome::Refused(_) | Outcome::Unclear => {
                self.books.with(|ledger| ledger.ask_not_taken(&reference));
            }
        }
    }

    async fn close(&mut self, id: &str, name: &str) {
        let path = format!("/v1/conversations/{id}/close");
        if self.do_command(&path, json!({ "force": false })).await {
            self.answered.remove(id);
            self.tell("closes the conversation with", name, None);
        }
    }

    /// A wish about an offer or a conversation, in this agent's name; whether the desk took it.
    async fn do_command(&mut self, path: &str, mut body: Value) -> bool {
        if let Some(fields) = body.as_object_mut() {
            fields.insert("agent_id".to_owned(), json!(self.agent));
        }
        let key = self.next_key();
        self.desk.command(path, &body, &key).await == Outcome::Taken
    }

    /// A wish about this agent's own work; the company is named, because nobody may know the agent yet.
    async fn of_myself(&mut self, wish: &str, body: &Value) {
        let path = format!("/v1/agents/{}/{wish}?company_id={}", self.agent, self.company);
        let key = self.next_key();
        if let Outcome::Refused(_) = self.desk.command(&path, body, &key).await {
            self.books.tell(Happening::Fault { what: "the desk refused an agent's own wish" });
        }
    }

    /// What makes a repeated wish the same wish.
    fn next_key(&mut self) -> String {
        self.wishes += 1;
        format!("{}-{:x}-w{}", self.agent, self.run, self.wishes)
    }

    fn by_chance(&mut self, chance: f64) -> bool {
        self.dice.random_bool(chance.clamp(0.0, 1.0))
    }

    fn tell(&self, did: &'static str, name: &str, text: Option<String>) {
        let (agent, name) = (self.agent.clone(), name.to_owned());
        self.books.tell(Happening::Agent { agent, did, name, text });
    }
}

/// Who spoke last, and when.
fn look(detail: &Value) -> Seen<'_> {
    let items = detail.get("items").map_or(&[][..], list);
    let mut seen = Seen { unanswered: None, last_at: Timestamp::from_ms(0) };
    for item in items {
        let at = item.get("occurred_at").and_then(Value::as_u64).map(Timestamp::from_ms);
        seen.last_at = seen.last_at.max(at.unwrap_or_default());
        match word(item, "direction") {
            Some("inbound") => seen.unanswered = word(item, "mid"),
            Some("outbound") => seen.unanswered = None,
            _ => (),
        }
    }
    seen
}
