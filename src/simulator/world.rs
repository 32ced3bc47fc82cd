//! The simulated Instagram: people write, answer, edit, unsend, react and read by rules of their own.
//!
//! Promise: the same seed, the same calls and the same times give the same occurrences, however the time is cut into
//! steps. Deterministic: no clock, no I/O; the one generator is passed in. What the Graph API may do to it: `take.rs`.
//!
//! Invariants, held by `world_test.rs`:
//! - W-1: a mid is given once.
//! - W-2: only what was said and still stands is edited, unsent, reacted to or read; a message is unsent once.
//! - W-3: the number of an edit grows by one, and only the author's own words are edited.
//! - W-4: a person who never acted has no window and gets nothing.

use std::collections::{BTreeMap, VecDeque};

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::domain::id::{AccountId, IdError, MessageId};
use crate::domain::thread::Thread;
use crate::domain::time::{SECOND_MS, Timestamp};

use super::habits::{Habits, WorldSettings};
use super::occurrence::{Author, Body, Media, Occurrence, StoryRef, What};
use super::people::{Profile, Talk, roll_mid, roll_person};
use super::phrase::{ANSWERS, BUTTONS, EDITS, NATIVE, OPENERS, REACTIONS};

/// Most occurrences of one step; the rest comes with the next one.
const MAX_A_STEP: usize = 10_000;
/// Most things people have in mind at a time; further ones they forget.
const MAX_PLANS: usize = 100_000;
/// How often one message is edited at most. Source: Messenger's client, `MEDIT`.
const MAX_EDITS: u32 = 5;

/// What somebody has in mind.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    Say,
    Answer { to: MessageId },
    Native,
    Edit { mid: MessageId },
    Unsend { mid: MessageId },
    Read { mid: MessageId },
    React { mid: MessageId },
    Unreact { mid: MessageId },
}

/// The simulated Instagram.
#[derive(Debug)]
pub struct World {
    pub(super) settings: WorldSettings,
    dice: StdRng,
    profiles: Vec<Profile>,
    threads: Vec<Thread>,
    pub(super) talks: BTreeMap<Thread, Talk>,
    plans: BTreeMap<(Timestamp, u64), (Thread, Plan)>,
    planned: u64,
    next_start_at: Option<Timestamp>,
    pub(super) calls: BTreeMap<AccountId, VecDeque<Timestamp>>,
}

impl World {
    /// A world whose first start comes after `begins_at`.
    ///
    /// # Errors
    ///
    /// None in practice: every id rolled is within its bound.
    pub fn new(
        settings: WorldSettings,
        mut dice: StdRng,
        begins_at: Timestamp,
    ) -> Result<Self, IdError> {
        let mut profiles = Vec::with_capacity(settings.people);
        let mut talks = BTreeMap::new();
        let mut threads = Vec::new();
        for number in 0..settings.people {
            profiles.push(Profile::roll(&mut dice, number));
            let second = if number % 8 == 7 && settings.accounts.len() > 1 { 2 } else { 1 };
            for account_id in settings.accounts.iter().cycle().skip(number).take(second) {
                let person_id = roll_person(&mut dice)?;
                let thread = Thread { account_id: account_id.clone(), person_id };
                talks.insert(thread.clone(), Talk::new(number));
                threads.push(thread);
            }
        }
        let mut world = Self {
            settings,
            dice,
            profiles,
            threads,
            talks,
            plans: BTreeMap::new(),
            planned: 0,
            next_start_at: None,
            calls: BTreeMap::new(),
        };
        world.next_start_at = world.start_after(begins_at);
        Ok(world)
    }

    /// Everything that happens up to `now`, oldest first.
    ///
    /// # Errors
    ///
    /// None in practice: every id rolled is within its bound.
    pub fn step(&mut self, now: Timestamp) -> Result<Vec<Occurrence>, IdError> {
        let mut happened = Vec::new();
        while happened.len() < MAX_A_STEP {
            let plan_at = self.plans.first_key_value().map(|((at, _), _)| *at);
            let start_at = self.next_start_at.filter(|at| plan_at.is_none_or(|plan| *at <= plan));
            if let Some(at) = start_at.filter(|at| *at <= now) {
                self.next_start_at = self.start_after(at);
                if let Some(thread) = self.threads.choose(&mut self.dice).cloned() {
                    happened.extend(self.start(&thread, at)?);
                }
            } else if plan_at.is_some_and(|at| at <= now) {
                let Some(((at, _), (thread, plan))) = self.plans.pop_first() else { break };
                happened.extend(self.carry_out(&thread, plan, at)?);
            } else {
                break;
            }
        }
        Ok(happened)
    }

    /// Somebody starts something now, whatever the rate says.
    ///
    /// # Errors
    ///
    /// None in practice: every id rolled is within its bound.
    pub fn begin(&mut self, now: Timestamp) -> Result<Option<Occurrence>, IdError> {
        let Some(thread) = self.threads.choose(&mut self.dice).cloned() else { return Ok(None) };
        self.start(&thread, now)
    }

    /// The threads there are, in the order of their making.
    #[must_use]
    pub fn threads(&self) -> &[Thread] {
        &self.threads
    }

    /// The profile behind a thread.
    #[must_use]
    pub fn profile_of(&self, thread: &Thread) -> Option<&Profile> {
        self.profiles.get(self.talks.get(thread)?.profile)
    }

    /// What people do to a message of the business: read it, react, answer.
    pub(super) fn be_answered(&mut self, thread: &Thread, mid: &MessageId, at: Timestamp) {
        let Habits { read, react, answer, .. } = self.settings.habits;
        self.maybe(read, (thread, at), (300, 4_000), Plan::Read { mid: mid.clone() });
        self.maybe(react, (thread, at), (500, 6_000), Plan::React { mid: mid.clone() });
        self.maybe(answer, (thread, at), (1_500, 15_000), Plan::Answer { to: mid.clone() });
    }

    /// A new message id.
    pub(super) fn next_mid(&mut self) -> Result<MessageId, IdError> {
        roll_mid(&mut self.dice)
    }

    /// When the next start comes: exponential gaps, as independent people make them.
    fn start_after(&mut self, at: Timestamp) -> Option<Timestamp> {
        let rate = self.settings.rate_per_s;
        if rate <= 0.0 || self.threads.is_empty() {
            return None;
        }
        let gap_s = -(1.0 - self.dice.random::<f64>()).ln() / rate;
        Some(at.plus_ms(millis(gap_s)))
    }

    fn start(&mut self, thread: &Thread, at: Timestamp) -> Result<Option<Occurrence>, IdError> {
        let habits = self.settings.habits;
        let roll: f64 = self.dice.random();
        let story_reply_to = habits.mention + habits.story_reply;
        let image_to = story_reply_to + habits.image;
        let body = if roll < habits.mention {
            Body { media: vec![self.media("story_mention")], ..Body::default() }
        } else if roll < story_reply_to {
            let id = self.dice.random_range(18_000_000_000_000_000_u64..19_000_000_000_000_000);
            let url = format!("https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id={id}");
            let story = Some(StoryRef { id: id.to_string(), url });
            Body { story, ..self.words(&OPENERS) }
        } else if roll < image_to {
            Body { media: vec![self.media("image")], ..Body::default() }
        } else if roll < image_to + habits.postback {
            return self.tap(thread, at).map(Some);
        } else {
            self.words(&OPENERS)
        };
        self.maybe(habits.burst, (thread, at), (200, 1_500), Plan::Say);
        self.maybe(habits.native, (thread, at), (1_000, 8_000), Plan::Native);
        self.say(thread, at, Author::Person, body).map(Some)
    }

    fn carry_out(
        &mut self,
        thread: &Thread,
        plan: Plan,
        at: Timestamp,
    ) -> Result<Option<Occurrence>, IdError> {
        let what = match plan {
            Plan::Say => {
                let body = self.words(&OPENERS);
                return self.say(thread, at, Author::Person, body).map(Some);
            }
            Plan::Answer { to } => {
                let quotes = self.dice.random_bool(0.3);
                let body = Body { reply_to: quotes.then_some(to), ..self.words(&ANSWERS) };
                return self.say(thread, at, Author::Person, body).map(Some);
            }
            Plan::Native => {
                let body = self.words(&NATIVE);
                return self.say(thread, at, Author::NativeApp, body).map(Some);
            }
            Plan::Edit { mid } => self.edit(thread, mid),
            Plan::Unsend { mid } => self.unsend(thread, mid),
            Plan::Read { mid } => self.still_stands(thread, &mid).then_some(What::Read { mid }),
            Plan::React { mid } => self.react(thread, mid, at),
            Plan::Unreact { mid } => self.unreact(thread, mid),
        };
        Ok(what.map(|what| Occurrence { thread: thread.clone(), at, what }))
    }

    fn say(
        &mut self,
        thread: &Thread,
        at: Timestamp,
        by: Author,
        body: Body,
    ) -> Result<Occurrence, IdError> {
        let mid = self.next_mid()?;
        let words = body.text.is_some();
        if let Some(talk) = self.talks.get_mut(thread) {
            talk.remember(mid.clone(), by, words);
            if by == Author::Person {
                talk.opened_at = talk.opened_at.max(Some(at));
            }
        }
        match by {
            Author::Person => {
                let Habits { edit, unsend, .. } = self.settings.habits;
                if words {
                    self.maybe(edit, (thread, at), (800, 12_000), Plan::Edit { mid: mid.clone() });
                }
                self.maybe(unsend, (thread, at), (500, 15_000), Plan::Unsend { mid: mid.clone() });
            }
            Author::NativeApp | Author::Api => self.be_answered(thread, &mid, at),
        }
        Ok(Occurrence { thread: thread.clone(), at, what: What::Message { mid, by, body } })
    }

    fn tap(&mut self, thread: &Thread, at: Timestamp) -> Result<Occurrence, IdError> {
        let mid = self.next_mid()?;
        let (title, payload) = BUTTONS.choose(&mut self.dice).copied().unwrap_or(("Hi", "HI"));
        if let Some(talk) = self.talks.get_mut(thread) {
            talk.opened_at = talk.opened_at.max(Some(at));
        }
        let what = What::Postback { mid, title: title.to_owned(), payload: payload.to_owned() };
        Ok(Occurrence { thread: thread.clone(), at, what })
    }

    fn edit(&mut self, thread: &Thread, mid: MessageId) -> Option<What> {
        let said = self.talks.get_mut(thread)?.standing(&mid)?;
        if !said.words || said.edits == MAX_EDITS {
            return None;
        }
        said.edits += 1;
        let num_edit = said.edits;
        let text = EDITS.choose(&mut self.dice).copied().unwrap_or("edited").to_owned();
        Some(What::Edited { mid, text, num_edit })
    }

    fn unsend(&mut self, thread: &Thread, mid: MessageId) -> Option<What> {
        let said = self.talks.get_mut(thread)?.standing(&mid)?;
        said.gone = true;
        let by = said.by;
        Some(What::Unsent { mid, by })
    }

    fn react(&mut self, thread: &Thread, mid: MessageId, at: Timestamp) -> Option<What> {
        self.talks.get_mut(thread)?.standing(&mid)?.reacted = true;
        let picked = REACTIONS.choose(&mut self.dice).copied();
        let (reaction, emoji) = picked.unwrap_or(("love", "❤️"));
        self.maybe(0.2, (thread, at), (500, 5_000), Plan::Unreact { mid: mid.clone() });
        Some(What::Reacted { mid, reaction: reaction.to_owned(), emoji: emoji.to_owned() })
    }

    fn unreact(&mut self, thread: &Thread, mid: MessageId) -> Option<What> {
        let said = self.talks.get_mut(thread)?.standing(&mid)?;
        std::mem::take(&mut said.reacted).then_some(What::Unreacted { mid })
    }

    fn still_stands(&mut self, thread: &Thread, mid: &MessageId) -> bool {
        self.talks.get_mut(thread).is_some_and(|talk| talk.standing(mid).is_some())
    }

    fn words(&mut self, among: &[&str]) -> Body {
        Body::text(among.choose(&mut self.dice).copied().unwrap_or("hi"))
    }

    fn media(&mut self, kind: &str) -> Media {
        let asset: u64 = self.dice.random();
        let signature: u64 = self.dice.random();
        let cdn = "https://lookaside.fbsbx.com/ig_messaging_cdn/";
        let url = Some(format!("{cdn}?asset_id={asset}&signature={signature:x}"));
        Media { kind: kind.to_owned(), url }
    }

    /// Puts a plan into somebody's mind, by chance, for some time between `within_ms` from `at` on.
    fn maybe(
        &mut self,
        chance: f64,
        (thread, at): (&Thread, Timestamp),
        within_ms: (u64, u64),
        plan: Plan,
    ) {
        let delay_ms = self.dice.random_range(within_ms.0..=within_ms.1);
        if self.dice.random_bool(chance.clamp(0.0, 1.0)) && self.plans.len() < MAX_PLANS {
            self.planned += 1;
            self.plans.insert((at.plus_ms(delay_ms), self.planned), (thread.clone(), plan));
        }
    }
}

/// Seconds as whole milliseconds, at least one, so that time always moves.
fn millis(seconds: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded to a day on the line above the cast"
    )]
    let whole = (seconds * 1_000.0).clamp(0.0, 86_400_000.0) as u64;
    whole
}

/// The window in which no tag is needed. Source: `SENDMSG`.
pub(super) const WINDOW_MS: u64 = 24 * 60 * 60 * SECOND_MS;
