//! The platform as the product meets it: webhooks that come late, twice, out of order; a Graph API that loses answers.
//!
//! The people are the simulator's. The books say what was acknowledged and what was taken; a part that may have gone out
//! and is called again is a violation on the spot.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::broker::record::{Headers, Output, header};
use crate::clock::Clock;
use crate::domain::id::{AccountId, IdError, MessageId, SendId};
use crate::domain::outbound::{OutboundSend, SendPart};
use crate::domain::thread::Thread;
use crate::domain::time::{SECOND_MS, Timestamp};
use crate::normalize::Accounts;
use crate::normalize::peek::key_of;
use crate::send::{Call, Caller, Class, Completion, Error as SendError};
use crate::simulator::{
    Action, Answer, Author, Body, Habits, Ledger, Media, Occurrence, RefusedBy, SendCall,
    TakeError, Taken, What, World, WorldSettings, webhook_body,
};
use crate::topics::Topic;

use super::Error;
use super::fault::Fault;
use super::planted::Planted;
use super::tape::held;
use super::universe::{BEGINS_AT, Universe};

/// What a platform's answer is to the send stage.
type Answered = Result<Option<MessageId>, SendError>;

/// The platform.
pub(super) struct Instagram {
    world: World,
    pub(super) accounts: Vec<AccountId>,
    pub(super) ledger: Ledger,
    parcels: Vec<Parcel>,
    numbered: u64,
    outbox: Outbox,
    parts: BTreeMap<SendId, Part>,
    /// The newest message of each person, for agents.
    pub(super) newest: BTreeMap<Thread, MessageId>,
}

/// A webhook on its way.
struct Parcel {
    at: Timestamp,
    number: u64,
    occurrences: Vec<Occurrence>,
}

/// What is known of one part.
#[derive(Default)]
struct Part {
    taken: u32,
    /// It was called, and nothing rules out that it went out.
    may_be_out: bool,
}

/// Calls that processes make.
#[derive(Clone, Default)]
pub(super) struct Outbox(Arc<Mutex<Vec<Ringing>>>);

/// A call under way.
struct Ringing {
    process: u64,
    clock: Clock,
    lane: u32,
    call: Call,
    /// Where the answer goes; nowhere when the caller is gone.
    answer: Option<Sender<(u32, Completion)>>,
    /// When it began, and what came of it.
    began: Option<(Timestamp, Answered)>,
}

impl Outbox {
    /// A process makes a call.
    pub(super) fn put(
        &self,
        process: u64,
        clock: Clock,
        (lane, call, answer): (u32, Call, Sender<(u32, Completion)>),
    ) {
        let answer = Some(answer);
        held(&self.0).push(Ringing { process, clock, lane, call, answer, began: None });
    }

    pub(super) fn len(&self) -> usize {
        held(&self.0).len()
    }
}

impl Instagram {
    pub(super) fn new(dice: &mut StdRng) -> Result<Self, Error> {
        let count = dice.random_range(1..=2);
        let accounts = (1..=count)
            .map(|n| AccountId::parse(&format!("1784140000000000{n}")))
            .collect::<Result<Vec<_>, IdError>>()?;
        let habits = Habits {
            edit: 0.12,
            unsend: 0.1,
            answer: 0.3,
            native: 0.1,
            read: 0.3,
            ..Habits::default()
        };
        let settings = WorldSettings {
            accounts: accounts.clone(),
            people: dice.random_range(1..=5),
            rate_per_s: 0.0,
            habits,
            calls_per_s: 100,
        };
        let world = World::new(settings, StdRng::seed_from_u64(dice.random()), BEGINS_AT)?;
        Ok(Self {
            world,
            accounts,
            ledger: Ledger::default(),
            parcels: Vec::new(),
            numbered: 0,
            outbox: Outbox::default(),
            parts: BTreeMap::new(),
            newest: BTreeMap::new(),
        })
    }

    pub(super) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// Threads there are.
    pub(super) fn threads(&self) -> &[Thread] {
        self.world.threads()
    }

    /// Nothing is on its way.
    pub(super) fn is_quiet(&self) -> bool {
        self.parcels.is_empty() && self.outbox.len() == 0
    }

    fn hand_in(&mut self, at: Timestamp, occurrences: Vec<Occurrence>) {
        self.numbered += 1;
        self.parcels.push(Parcel { at, number: self.numbered, occurrences });
    }

    /// A process is gone: of its calls some had left already.
    pub(super) fn caller_is_gone(&self, process: u64, rolls: u64) {
        let mut calls = held(&self.outbox.0);
        let mut number = 0;
        calls.retain_mut(|call| {
            if call.process != process {
                return true;
            }
            number += 1;
            call.answer = None;
            call.began.is_some() || rolls >> (number % 64) & 1 == 1
        });
        calls.retain(|call| call.process != process || call.began.is_none());
    }

    /// The platform judges a call.
    fn take(
        &mut self,
        send: &OutboundSend,
        tagged: bool,
        now: Timestamp,
    ) -> Result<Taken, TakeError> {
        let tag = tagged.then(|| "HUMAN_AGENT".to_owned());
        let (account_id, person_id) =
            (send.thread.account_id.clone(), send.thread.person_id.clone());
        let action = action_of(&send.part);
        self.world.take(SendCall { account_id, person_id, action, tag }, now)
    }
}

impl Universe {
    /// People do something.
    pub(super) fn live(&self) {
        let now = self.now();
        let starts = !self.calm.get() && self.roll(2) == 0;
        let mut instagram = self.instagram.borrow_mut();
        let mut happened = Vec::new();
        if starts {
            match instagram.world.begin(now) {
                Ok(occurrence) => happened.extend(occurrence),
                Err(error) => self.find(format!("no id: {error}")),
            }
        }
        match instagram.world.step(now) {
            Ok(occurrences) => happened.extend(occurrences),
            Err(error) => self.find(format!("no id: {error}")),
        }
        for occurrence in happened {
            instagram.ledger.happened(&occurrence);
            if let What::Message { mid, by: Author::Person, .. } = &occurrence.what {
                instagram.newest.insert(occurrence.thread.clone(), mid.clone());
            }
            self.say(|| format!("{} in {}", occurrence.kind().name(), occurrence.thread.key()));
            let with_others = self.roll(5) == 0;
            let late = self.by_bad_luck(80);
            if late {
                self.count(Fault::WebhookLate);
            }
            let at = now.plus_ms(if late { self.roll(90 * SECOND_MS) } else { self.roll(500) });
            match instagram.parcels.last_mut().filter(|_| with_others) {
                Some(parcel) => parcel.occurrences.push(occurrence),
                None => instagram.hand_in(at, vec![occurrence]),
            }
        }
    }

    /// A webhook arrives.
    pub(super) fn deliver(&self) {
        let now = self.now();
        let mut instagram = self.instagram.borrow_mut();
        let mut ready: Vec<(Timestamp, u64, usize)> = Vec::new();
        for (at, parcel) in instagram.parcels.iter().enumerate() {
            if parcel.at <= now || self.calm.get() {
                ready.push((parcel.at, parcel.number, at));
            }
        }
        ready.sort_unstable();
        let Some(mut picked) = ready.first().copied() else { return };
        if ready.len() > 1 && self.by_bad_luck(150) {
            self.count(Fault::WebhookDisordered);
            picked = self.one_of(&ready).unwrap_or(picked);
        }
        let mut parcel = instagram.parcels.swap_remove(picked.2);
        parcel.at = now.plus_ms(self.roll(30 * SECOND_MS));
        if self.by_bad_luck(40) {
            self.count(Fault::WebhookRefused);
            instagram.parcels.push(parcel);
            return;
        }
        match raw(&parcel.occurrences, now) {
            Ok(output) => self.append(output),
            Err(error) => self.find(format!("a webhook does not serialise: {error}")),
        }
        if self.by_bad_luck(40) {
            self.count(Fault::WebhookUnanswered);
            instagram.parcels.push(parcel);
            return;
        }
        for occurrence in &parcel.occurrences {
            instagram.ledger.acknowledged(occurrence);
        }
        if self.by_bad_luck(80) {
            self.count(Fault::WebhookDoubled);
            if self.planted == Some(Planted::DedupeForgotten) {
                parcel.occurrences.iter_mut().for_each(rename);
            }
            instagram.parcels.push(parcel);
        }
    }

    /// A call of the Graph API begins, or is answered.
    pub(super) fn call(&self) {
        let mut instagram = self.instagram.borrow_mut();
        let outbox = instagram.outbox();
        let at = usize::try_from(self.roll(outbox.len() as u64)).unwrap_or(0);
        let mut calls = held(&outbox.0);
        if at >= calls.len() {
            return;
        }
        let mut ringing = calls.swap_remove(at);
        if let Some((began_at, answered)) = ringing.began.take() {
            self.answer(ringing, began_at, answered);
            return;
        }
        let now = self.now();
        let answered = self.carry_out(&mut instagram, &ringing, now);
        if ringing.answer.is_some() {
            ringing.began = Some((now, answered));
            calls.push(ringing);
        }
    }

    fn carry_out(&self, instagram: &mut Instagram, ringing: &Ringing, now: Timestamp) -> Answered {
        let call = &ringing.call;
        let id = &call.send.send_id;
        if call.start_by < ringing.clock.now() {
            return Err(SendError::NotSent);
        }
        let part = instagram.parts.entry(id.clone()).or_default();
        if part.may_be_out {
            self.find(format!("{id} is called again, though it may have gone out"));
        }
        if self.by_bad_luck(60) {
            self.count(Fault::GraphUnreached);
            return Err(SendError::NotSent);
        }
        if self.by_bad_luck(60) {
            self.count(Fault::GraphRefused);
            let class = if self.roll(2) == 0 { Class::Limited } else { Class::Temporary };
            return Err(refused(class));
        }
        let taken = match instagram.take(&call.send, call.tagged, now) {
            Ok(taken) => taken,
            Err(TakeError::Refused(why)) => {
                instagram.ledger.refused(why.code());
                return Err(refused(class_of(why)));
            }
            Err(TakeError::Id(error)) => {
                self.find(format!("no id: {error}"));
                return Err(SendError::NotSent);
            }
        };
        let part = instagram.parts.entry(id.clone()).or_default();
        part.taken += 1;
        part.may_be_out = true;
        if part.taken > 1 {
            self.find(format!("{id} went out twice"));
        }
        self.say(|| format!("{id} is taken"));
        let mid = match taken {
            Taken::Noted => None,
            Taken::Said(echo) => {
                let mid = echo.mid().clone();
                instagram.ledger.took(&echo);
                self.send_echo(instagram, echo);
                Some(mid)
            }
        };
        self.lose_answer(instagram, mid)
    }

    fn send_echo(&self, instagram: &mut Instagram, echo: Occurrence) {
        let now = self.now();
        if self.by_bad_luck(30) {
            self.count(Fault::EchoNever);
            return;
        }
        let early = self.by_bad_luck(400);
        if early {
            self.count(Fault::EchoEarly);
        }
        let after_ms = if early { 0 } else { self.roll(5 * SECOND_MS) };
        instagram.hand_in(now.plus_ms(after_ms), vec![echo]);
    }

    fn lose_answer(&self, instagram: &mut Instagram, mid: Option<MessageId>) -> Answered {
        let lost = if self.by_bad_luck(150) {
            self.count(Fault::GraphAnswerLost);
            Some(SendError::NoAnswer)
        } else if self.by_bad_luck(100) {
            self.count(Fault::GraphAmbiguous);
            Some(refused(Class::Ambiguous))
        } else {
            None
        };
        if let (Some(mid), Some(_)) = (&mid, &lost) {
            instagram.ledger.answered(mid, Answer::Broken);
        }
        lost.map_or(Ok(mid), Err)
    }

    fn answer(&self, ringing: Ringing, began_at: Timestamp, answered: Answered) {
        let Some(answer) = ringing.answer else { return };
        let too_late = self.now().since_ms(began_at) > Caller::CALL_MS_MAX;
        let answered = if too_late { Err(SendError::NoAnswer) } else { answered };
        let answered = match (self.planted, answered) {
            (Some(Planted::UnknownSentAgain), Err(_)) => Err(SendError::NotSent),
            (Some(Planted::EchoNotMatched), Ok(Some(mid))) => {
                let other: String = mid.as_str().chars().rev().collect();
                Ok(Some(MessageId::parse(&other).unwrap_or(mid)))
            }
            (_, answered) => answered,
        };
        let Call { send, attempt, .. } = ringing.call;
        let (account_id, send_id) = (send.thread.account_id, send.send_id);
        let completion = Completion { account_id, send_id, attempt, answered };
        // A caller that is gone is not told.
        drop(answer.send((ringing.lane, completion)));
    }
}

/// The same message under another id, for a planted mistake.
fn rename(occurrence: &mut Occurrence) {
    if let What::Message { mid, .. } = &mut occurrence.what {
        let other: String = mid.as_str().chars().rev().collect();
        *mid = MessageId::parse(&other).unwrap_or_else(|_unlikely| mid.clone());
    }
}

fn refused(class: Class) -> SendError {
    SendError::Refused { class, code: None, subcode: None, wait_ms: None }
}

const fn class_of(why: RefusedBy) -> Class {
    match why {
        RefusedBy::Token => Class::AccountDown,
        RefusedBy::Parameter | RefusedBy::MessageData | RefusedBy::Consent => Class::Permanent,
        RefusedBy::UnknownPerson => Class::PersonUnavailable,
        RefusedBy::Window => Class::OutsideWindow,
        RefusedBy::RateLimit => Class::Limited,
        RefusedBy::Temporary => Class::Temporary,
        RefusedBy::SentAnyway => Class::Ambiguous,
    }
}

fn action_of(part: &SendPart) -> Action {
    match part {
        SendPart::Text { text } => Action::Say(Body::text(text)),
        SendPart::Images { urls } => {
            let image = |url: &String| Media { kind: "image".to_owned(), url: Some(url.clone()) };
            Action::Say(Body { media: urls.iter().map(image).collect(), ..Body::default() })
        }
        SendPart::React { mid } => Action::React { mid: mid.clone() },
        SendPart::Unreact { mid } => Action::Unreact { mid: mid.clone() },
    }
}

/// A body as ingress keeps it.
fn raw(occurrences: &[Occurrence], now: Timestamp) -> Result<Output, serde_json::Error> {
    let body = webhook_body(occurrences, now)?;
    let key = key_of(&body, &Accounts::of([])).unwrap_or_default();
    let mut headers = Headers::default();
    headers.push(header::TYPE, "webhook.received");
    Ok(Output {
        topic: Topic::WebhooksRaw,
        partition: None,
        key: key.into_bytes(),
        value: Some(body),
        headers,
        timestamp: now,
    })
}
