//! Who there is on the simulated Instagram, and what each thread remembers. Deterministic: the generator is passed in.
//!
//! Not here: what they do (`world.rs`), what the business may do to them (`take.rs`).

use std::collections::VecDeque;

use rand::Rng;
use rand::seq::IndexedRandom;

use crate::domain::id::{IdError, MessageId, PersonId};
use crate::domain::time::Timestamp;

use super::occurrence::Author;
use super::phrase::{FIRST_NAMES, LAST_NAMES};

/// The longest mid the platform gives, in characters. Source: `instagram-platform`, message ids.
const MID_LEN: usize = 160;

/// What a mid is written in.
const MID_LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// How many messages a thread remembers; older ones are neither edited, unsent, read nor reacted to.
const REMEMBERED: usize = 40;

/// A person and what their profile says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Full name; some people have none.
    pub name: Option<String>,
    /// Name they can change at any time.
    pub username: String,
    /// How many follow them.
    pub followers: u32,
    /// Has the badge.
    pub verified: bool,
    /// Follows the business.
    pub follows_business: bool,
}

impl Profile {
    /// Rolls a person.
    pub(super) fn roll(dice: &mut impl Rng, number: usize) -> Self {
        let first = FIRST_NAMES.choose(dice).copied().unwrap_or("Mia");
        let last = LAST_NAMES.choose(dice).copied().unwrap_or("Weber");
        Self {
            name: dice.random_bool(0.95).then(|| format!("{first} {last}")),
            username: format!("{}.{number}", first.to_lowercase()),
            followers: dice.random_range(0..20_000),
            verified: dice.random_bool(0.05),
            follows_business: dice.random_bool(0.4),
        }
    }
}

/// What one thread remembers.
#[derive(Debug, Clone, Default)]
pub(super) struct Talk {
    /// Whose profile, by number.
    pub(super) profile: usize,
    /// When the person last did what opens the reply window.
    pub(super) opened_at: Option<Timestamp>,
    /// Newest last.
    said: VecDeque<Said>,
}

/// A message as the platform remembers it.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) mid: MessageId,
    pub(super) by: Author,
    pub(super) words: bool,
    pub(super) edits: u32,
    pub(super) gone: bool,
    pub(super) reacted: bool,
}

impl Talk {
    pub(super) fn new(profile: usize) -> Self {
        Self { profile, opened_at: None, said: VecDeque::new() }
    }

    pub(super) fn remember(&mut self, mid: MessageId, by: Author, words: bool) {
        if self.said.len() == REMEMBERED {
            self.said.pop_front();
        }
        self.said.push_back(Said { mid, by, words, edits: 0, gone: false, reacted: false });
    }

    /// A remembered message that was not taken back.
    pub(super) fn standing(&mut self, mid: &MessageId) -> Option<&mut Said> {
        self.said.iter_mut().find(|said| said.mid == *mid && !said.gone)
    }
}

/// A new message id: opaque, and as long as the real ones.
pub(super) fn roll_mid(dice: &mut impl Rng) -> Result<MessageId, IdError> {
    let mut text = String::with_capacity(MID_LEN);
    text.push_str("aWdf");
    while text.len() < MID_LEN {
        text.push(char::from(*MID_LETTERS.choose(dice).unwrap_or(&b'A')));
    }
    MessageId::parse(&text)
}

/// A new person id: a number beyond 2^53, so that whoever treats it as one loses digits.
pub(super) fn roll_person(dice: &mut impl Rng) -> Result<PersonId, IdError> {
    PersonId::parse(
        &dice.random_range(10_000_000_000_000_001_u64..100_000_000_000_000_000).to_string(),
    )
}
