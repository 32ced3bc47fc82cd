//! The books: what happened, what was acknowledged, what the Graph API took. Pure.
//!
//! Not here: comparing them with the desk (`reconcile.rs`), the closing summary (`summary.rs`).

use std::collections::BTreeMap;

use crate::domain::id::MessageId;
use crate::domain::thread::Thread;

use super::occurrence::{Author, Kind, Occurrence, What};

/// Most messages the books keep item by item; further ones are counted as not tracked.
const MAX_TRACKED: usize = 1_000_000;

/// Everything the simulation knows about what the product must know.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub(super) messages: BTreeMap<MessageId, Entry>,
    pub(super) asked: BTreeMap<String, Asked>,
    pub(super) counts: Counts,
}

/// Plain counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Happened, by kind.
    pub happened: BTreeMap<Kind, u64>,
    /// Acknowledged with 200 at least once, by kind.
    pub acknowledged: BTreeMap<Kind, u64>,
    /// Given up after the last attempt, by kind.
    pub gave_up: BTreeMap<Kind, u64>,
    /// Bodies posted, every attempt counted.
    pub posts: u64,
    /// Of these, answered otherwise than 200, or not in time.
    pub posts_refused: u64,
    /// Of these, deliberate second deliveries.
    pub posts_doubled: u64,
    /// Graph messages taken.
    pub taken: u64,
    /// Graph calls without a message taken: hearts, marks.
    pub noted: u64,
    /// Graph calls refused, by code and subcode.
    pub refused: BTreeMap<(u32, u32), u64>,
    /// Graph messages taken whose answer was broken on purpose.
    pub answers_broken: u64,
    /// Profiles asked for.
    pub profiles: u64,
    /// Messages beyond what the books keep item by item.
    pub untracked: u64,
}

/// What the books hold about one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) thread: Thread,
    pub(super) by: Author,
    pub(super) text: Option<String>,
    pub(super) acknowledged: bool,
    /// The Graph API told its mid to the caller.
    pub(super) answered: bool,
    pub(super) unsent: bool,
    pub(super) unsent_acknowledged: bool,
    /// Text of each edit, and whether it was acknowledged.
    pub(super) edits: BTreeMap<u32, (String, bool)>,
}

impl Entry {
    /// Account and person.
    pub(super) fn at_home(&self) -> (&str, &str) {
        (self.thread.account_id.as_str(), self.thread.person_id.as_str())
    }
}

/// What the books hold about one reply a robot asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Asked {
    /// How often the Graph API took it.
    pub(super) taken: u32,
    /// The desk never said that it took it.
    pub(super) not_taken: bool,
}

/// How the answer to a taken message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// With its mid.
    Given,
    /// The caller learnt nothing, or an error.
    Broken,
}

impl Ledger {
    /// Something happened, and is about to be delivered.
    pub fn happened(&mut self, occurrence: &Occurrence) {
        bump(&mut self.counts.happened, occurrence.kind());
        match &occurrence.what {
            What::Message { mid, by, body } => {
                self.open(mid, occurrence, *by, body.text.as_deref());
            }
            What::Postback { mid, title, .. } => {
                self.open(mid, occurrence, Author::Person, Some(title));
            }
            What::Unsent { mid, .. } => {
                if let Some(entry) = self.messages.get_mut(mid) {
                    entry.unsent = true;
                }
            }
            What::Edited { mid, text, num_edit } => {
                if let Some(entry) = self.messages.get_mut(mid) {
                    entry.edits.insert(*num_edit, (text.clone(), false));
                }
            }
            What::Read { .. } | What::Reacted { .. } | What::Unreacted { .. } => (),
        }
    }

    /// The product answered 200 to a body that held this.
    pub fn acknowledged(&mut self, occurrence: &Occurrence) {
        bump(&mut self.counts.acknowledged, occurrence.kind());
        let Some(entry) = self.messages.get_mut(occurrence.mid()) else { return };
        match &occurrence.what {
            What::Message { .. } | What::Postback { .. } => entry.acknowledged = true,
            What::Unsent { .. } => entry.unsent_acknowledged = true,
            What::Edited { num_edit, .. } => {
                if let Some((_, acknowledged)) = entry.edits.get_mut(num_edit) {
                    *acknowledged = true;
                }
            }
            What::Read { .. } | What::Reacted { .. } | What::Unreacted { .. } => (),
        }
    }

    /// The last attempt to deliver this failed.
    pub fn gave_up(&mut self, occurrence: &Occurrence) {
        bump(&mut self.counts.gave_up, occurrence.kind());
    }

    /// A body was posted.
    pub fn posted(&mut self, accepted: bool, doubled: bool) {
        self.counts.posts += 1;
        self.counts.posts_refused += u64::from(!accepted);
        self.counts.posts_doubled += u64::from(doubled);
    }

    /// The Graph API took a message; `echo` is what will tell of it.
    pub fn took(&mut self, echo: &Occurrence) {
        self.counts.taken += 1;
        self.happened(echo);
        if let What::Message { body, .. } = &echo.what
            && let Some(reference) = body.text.as_deref().and_then(reference_of)
        {
            self.asked.entry(reference.to_owned()).or_default().taken += 1;
        }
    }

    /// The answer to a message taken leaves; until then, nobody was told.
    pub fn answered(&mut self, mid: &MessageId, answer: Answer) {
        if answer == Answer::Broken {
            self.counts.answers_broken += 1;
        } else if let Some(entry) = self.messages.get_mut(mid) {
            entry.answered = true;
        }
    }

    /// The Graph API took something that is no message.
    pub fn noted(&mut self) {
        self.counts.noted += 1;
    }

    /// The Graph API refused a call.
    pub fn refused(&mut self, code: (u32, Option<u32>)) {
        *self.counts.refused.entry((code.0, code.1.unwrap_or(0))).or_default() += 1;
    }

    /// The Graph API was asked for a profile.
    pub fn looked_up(&mut self) {
        self.counts.profiles += 1;
    }

    /// A robot asks the desk to send a text that ends with this reference.
    pub fn asked(&mut self, reference: &str) {
        if self.asked.len() < MAX_TRACKED {
            self.asked.entry(reference.to_owned()).or_default();
        }
    }

    /// The desk refused what a robot asked, or never said that it took it; it may still go out, once.
    pub fn ask_not_taken(&mut self, reference: &str) {
        if let Some(asked) = self.asked.get_mut(reference) {
            asked.not_taken = true;
        }
    }

    /// The counters as they stand.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    fn open(&mut self, mid: &MessageId, of: &Occurrence, by: Author, text: Option<&str>) {
        if self.messages.len() >= MAX_TRACKED {
            self.counts.untracked += 1;
            return;
        }
        let entry = Entry {
            thread: of.thread.clone(),
            by,
            text: text.map(str::to_owned),
            acknowledged: false,
            answered: false,
            unsent: false,
            unsent_acknowledged: false,
            edits: BTreeMap::new(),
        };
        self.messages.insert(mid.clone(), entry);
    }
}

/// The reference a robot put behind its text: the last word, when it begins with `#`.
#[must_use]
pub fn reference_of(text: &str) -> Option<&str> {
    text.rsplit(' ').next().filter(|word| word.len() > 1 && word.starts_with('#'))
}

fn bump(counters: &mut BTreeMap<Kind, u64>, kind: Kind) {
    *counters.entry(kind).or_default() += 1;
}
