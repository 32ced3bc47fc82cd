//! What is measured with: webhooks like Meta's, the same ones for both sides. Pure.
//!
//! Every person writes the same number of messages, and their turns are spread over the whole run, so that a batch meets
//! many conversations and a conversation many batches.

use xxhash_rust::xxh3::xxh3_128;

use crate::app::Error;
use crate::domain::id::{AccountId, MessageId, PersonId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::simulator::{Author, Body, Occurrence, What, webhook_body};

/// Whom people write to.
const ACCOUNT: &str = "17841400000000001";
/// Messages a person writes.
pub(super) const MESSAGES_PER_PERSON: u32 = 25;
/// What people say; a number follows.
const PHRASES: [&str; 8] = [
    "Hi, is the blue one still available in size M?",
    "When will my order arrive? It should have been here on Monday",
    "Thanks, that was quick!",
    "Können Sie mir bitte die Rechnung noch einmal schicken?",
    "The link does not work on my phone",
    "¿Hacen envíos a Canarias?",
    "I would like to return the shoes, they are too small for me",
    "ok 👍",
];

/// One webhook: a message somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Webhook {
    /// The thread's key.
    pub(super) key: String,
    /// What Meta posts.
    pub(super) body: Vec<u8>,
}

/// The webhooks of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    people: u32,
    began_at: Timestamp,
    /// Number of the first person.
    first: u32,
    /// Everybody writes all they have to say before the next one begins.
    in_turn: bool,
    /// Messages of earlier rounds by the same people.
    earlier: u32,
}

impl Load {
    /// `people` who begin to write at `began_at`.
    pub(super) const fn new(people: u32, began_at: Timestamp) -> Self {
        let people = if people == 0 { 1 } else { people };
        Self { people, began_at, first: 0, in_turn: false, earlier: 0 }
    }

    /// The same with other people, numbered from `first`, each of whom writes all messages before the next one begins.
    pub(super) const fn one_after_the_other(self, first: u32) -> Self {
        Self { first, in_turn: true, ..self }
    }

    /// The same people again: other messages.
    pub(super) const fn round(self, round: u32) -> Self {
        Self { earlier: round.wrapping_mul(100_000_007), ..self }
    }

    /// Who writes.
    pub(super) fn people(&self) -> impl Iterator<Item = u32> + use<> {
        self.first..self.first.saturating_add(self.people)
    }

    /// As many people as it takes to write `records` messages.
    pub(super) const fn of_records(records: u32, began_at: Timestamp) -> Self {
        Self::new(records / MESSAGES_PER_PERSON, began_at)
    }

    /// Who writes the `n`-th message.
    pub(super) fn person(&self, n: u32) -> u32 {
        // Coprime with most numbers of people: neighbours in the log are strangers.
        let spread = u64::from(n) * 7_919;
        let place = if self.in_turn { u64::from(n / MESSAGES_PER_PERSON) } else { spread };
        let place = u32::try_from(place % u64::from(self.people)).unwrap_or(0);
        self.first.saturating_add(place)
    }

    /// The thread of a person.
    pub(super) fn thread(person: u32) -> Result<Thread, Error> {
        let of = |error: crate::domain::id::IdError| Error::Failed(error.to_string());
        let person = format!("{}", 9_000_000_000_000_000_u64 + u64::from(person));
        let (account_id, person_id) = (AccountId::parse(ACCOUNT), PersonId::parse(&person));
        Ok(Thread { account_id: account_id.map_err(of)?, person_id: person_id.map_err(of)? })
    }

    /// The `n`-th webhook.
    pub(super) fn webhook(&self, n: u32) -> Result<Webhook, Error> {
        let thread = Self::thread(self.person(n))?;
        let at = Timestamp::from_ms(self.began_at.as_ms() + u64::from(n) / 8);
        let digest =
            xxh3_128(&[n, self.people, self.first, self.earlier].map(u32::to_be_bytes).concat());
        let mid = format!("aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlE{digest:032x}{:032x}", !digest);
        let mid = MessageId::parse(&mid).map_err(|error| Error::Failed(error.to_string()))?;
        let phrase = usize::try_from(n % 8).ok().and_then(|n| PHRASES.get(n)).unwrap_or(&"");
        let body = Body::text(&format!("{phrase} {n}"));
        let what = What::Message { mid, by: Author::Person, body };
        let key = thread.key();
        let body = webhook_body(&[Occurrence { thread, at, what }], at);
        let body = body.map_err(|error| Error::Failed(error.to_string()))?;
        Ok(Webhook { key, body })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn everybody_writes_their_share_and_no_webhook_comes_twice() {
        let load = Load::of_records(1_000, Timestamp::from_ms(1_700_000_000_000));
        let mut by_key: BTreeMap<String, u32> = BTreeMap::new();
        let mut bodies = BTreeSet::new();
        for n in 0..1_000 {
            let webhook = load.webhook(n).unwrap();
            *by_key.entry(webhook.key).or_default() += 1;
            bodies.insert(webhook.body);
        }
        assert_eq!(bodies.len(), 1_000);
        assert_eq!(by_key.len(), 40);
        assert!(by_key.values().all(|written| *written == MESSAGES_PER_PERSON), "{by_key:?}");
    }

    #[test]
    fn a_webhook_is_as_large_as_metas() {
        let load = Load::new(4, Timestamp::from_ms(1_700_000_000_000));
        let bytes = load.webhook(1).unwrap().body.len();
        assert!((300..500).contains(&bytes), "{bytes}");
    }
}
