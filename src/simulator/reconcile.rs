//! The books against the timelines of the desk, item by item. Pure.
//!
//! Promise: what is missing, doubled, shown although taken back, or sent twice is listed; nothing else is.
//! What was posted but never acknowledged may be there once or not at all: the product may have kept it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::domain::id::MessageId;

use super::account::{Entry, Ledger, reference_of};
use super::occurrence::Author;

/// What the comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reconciliation {
    /// Conversations looked at.
    pub conversations: usize,
    /// Items looked at.
    pub items: usize,
    /// Messages of the books that had to be there, and are.
    pub agreed: usize,
    /// Older lines the desk no longer keeps; what is missing from such a thread is not held against it.
    pub omitted: u64,
    /// Replies that never went out and were put to the agent: nobody could know, so nobody repeated them.
    pub put_to_agents: usize,
    /// Everything that is not as the books say.
    pub differences: Vec<Difference>,
}

/// One thing that is not as the books say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// What is wrong.
    pub what: Wrong,
    /// Which message, by the end of its mid, or which reply, by its reference.
    pub which: String,
}

/// How an item can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// A person's acknowledged message is not in the timeline.
    Lost,
    /// The app's acknowledged message is not in the timeline.
    NativeLost,
    /// A message the Graph API took is not in the timeline.
    SentNotShown,
    /// An item is in the timeline more than once.
    ShownTwice,
    /// An item is in another person's timeline.
    WrongThread,
    /// A message taken back is still readable.
    StillReadable,
    /// An edit is not shown.
    EditNotShown,
    /// The direction is wrong.
    WrongDirection,
    /// The app's message is shown as ours, or ours as the app's.
    WrongAuthor,
    /// A message taken by the Graph API is shown as failed, or not yet as sent.
    NotShownAsSent,
    /// The timeline holds a message that never was.
    NeverWritten,
    /// One reply went out twice.
    SentTwice,
    /// A reply the desk took never went out, and is neither shown as failed nor put to the agent as unknown.
    NeverSent,
    /// The desk's answer is not of the expected shape.
    Unreadable,
}

impl Wrong {
    /// The finding in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "acknowledged, but not in the timeline",
            Self::NativeLost => "written in the app and acknowledged, but not in the timeline",
            Self::SentNotShown => "taken by Instagram, but not in the timeline",
            Self::ShownTwice => "more than once in the timeline",
            Self::WrongThread => "in another person's timeline",
            Self::StillReadable => "unsent, but still readable",
            Self::EditNotShown => "edited, but shown otherwise",
            Self::WrongDirection => "shown in the wrong direction",
            Self::WrongAuthor => "shown as written by somebody else",
            Self::NotShownAsSent => "taken by Instagram, but not shown as sent",
            Self::NeverWritten => "in the timeline, but never written",
            Self::SentTwice => "sent twice to the person",
            Self::NeverSent => "asked for, but neither sent nor shown as failed or unknown",
            Self::Unreadable => "not readable",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.which, self.what.name())
    }
}

/// An item of a timeline, as far as the books care.
struct Shown<'a> {
    account_id: &'a str,
    person_id: &'a str,
    item: &'a Value,
}

impl Shown<'_> {
    fn word(&self, field: &str) -> Option<&str> {
        self.item.get(field).and_then(Value::as_str)
    }

    fn holds(&self, field: &str) -> bool {
        self.item.get(field).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// What the desk tells its agent about a reply that Instagram does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Failed,
    Unknown,
}

impl Told {
    fn of(state: &str) -> Option<Self> {
        match state {
            "failed" => Some(Self::Failed),
            "unknown" => Some(Self::Unknown),
            _ => None,
        }
    }
}

impl Ledger {
    /// Compares the books with the answers of `GET /v1/conversations/{id}`, all of them.
    #[must_use]
    pub fn reconcile(&self, conversations: &[Value]) -> Reconciliation {
        let mut found =
            Reconciliation { conversations: conversations.len(), ..Reconciliation::default() };
        let mut by_mid: BTreeMap<&str, Vec<Shown<'_>>> = BTreeMap::new();
        let mut told: BTreeMap<&str, Told> = BTreeMap::new();
        let mut shortened: BTreeSet<(&str, &str)> = BTreeSet::new();
        for answer in conversations {
            let Some(items) = read(answer) else {
                found.note(Wrong::Unreadable, "a conversation");
                continue;
            };
            let omitted = answer.get("omitted").and_then(Value::as_u64).unwrap_or(0);
            found.omitted += omitted;
            if omitted > 0 {
                shortened.extend(items.first().map(|one| (one.account_id, one.person_id)));
            }
            for shown in items.into_iter().filter(|shown| shown.word("entry") != Some("event")) {
                found.items += 1;
                if let Some(state) = shown.word("state").and_then(Told::of)
                    && let Some(text) = shown.item.get("text").and_then(Value::as_str)
                    && let Some(reference) = reference_of(text)
                {
                    told.insert(reference, state);
                }
                if let Some(mid) = shown.item.get("mid").and_then(Value::as_str) {
                    by_mid.entry(mid).or_default().push(shown);
                }
            }
        }
        for (mid, entry) in &self.messages {
            let shown = by_mid.remove(mid.as_str()).unwrap_or_default();
            if shown.is_empty() && shortened.contains(&entry.at_home()) {
                continue;
            }
            let before = found.differences.len();
            compare(mid, entry, &shown, &mut found);
            found.agreed += usize::from(before == found.differences.len() && !shown.is_empty());
        }
        // Threads the books do not know are from before this simulation.
        let known: BTreeSet<_> = self.messages.values().map(Entry::at_home).collect();
        for (mid, shown) in by_mid.iter().filter(|_| self.counts.untracked == 0) {
            if shown.iter().any(|one| known.contains(&(one.account_id, one.person_id))) {
                found.note(Wrong::NeverWritten, tail(mid));
            }
        }
        self.compare_replies(&told, &mut found);
        found.differences.sort();
        found
    }

    fn compare_replies(&self, told: &BTreeMap<&str, Told>, found: &mut Reconciliation) {
        for (reference, asked) in &self.asked {
            if asked.taken > 1 {
                found.note(Wrong::SentTwice, reference);
            }
            if asked.taken > 0 || asked.not_taken {
                continue;
            }
            match told.get(reference.as_str()) {
                Some(Told::Failed) => (),
                Some(Told::Unknown) => found.put_to_agents += 1,
                None => found.note(Wrong::NeverSent, reference),
            }
        }
    }
}

impl Reconciliation {
    /// Nothing is missing, doubled or wrong.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.differences.is_empty()
    }

    fn note(&mut self, what: Wrong, which: &str) {
        self.differences.push(Difference { what, which: which.to_owned() });
    }
}

/// The items of one answer, with their thread.
fn read(answer: &Value) -> Option<Vec<Shown<'_>>> {
    let conversation = answer.get("conversation")?;
    let account_id = conversation.get("account_id")?.as_str()?;
    let person_id = conversation.get("person_id")?.as_str()?;
    let items = answer.get("items")?.as_array()?;
    Some(items.iter().map(|item| Shown { account_id, person_id, item }).collect())
}

/// One message of the books against its items.
fn compare(mid: &MessageId, entry: &Entry, shown: &[Shown<'_>], found: &mut Reconciliation) {
    let which = tail(mid.as_str());
    let Some(first) = shown.first() else {
        // Of a reply of several parts the timeline names the first, which is its text.
        let later_part = entry.by == Author::Api && entry.text.is_none();
        let expected = (entry.acknowledged || entry.answered) && !later_part;
        let missing = match entry.by {
            Author::Person => Wrong::Lost,
            Author::NativeApp => Wrong::NativeLost,
            Author::Api => Wrong::SentNotShown,
        };
        if expected {
            found.note(missing, which);
        }
        return;
    };
    if shown.len() > 1 {
        found.note(Wrong::ShownTwice, which);
    }
    if !shown.iter().all(|one| (one.account_id, one.person_id) == entry.at_home()) {
        found.note(Wrong::WrongThread, which);
    }
    let direction = if entry.by == Author::Person { "inbound" } else { "outbound" };
    if first.word("direction") != Some(direction) {
        found.note(Wrong::WrongDirection, which);
    }
    if first.holds("native_app") != (entry.by == Author::NativeApp) {
        found.note(Wrong::WrongAuthor, which);
    }
    if entry.by == Author::Api && first.word("state").is_some_and(|state| state != "sent") {
        found.note(Wrong::NotShownAsSent, which);
    }
    compare_text(which, entry, first, found);
}

fn compare_text(which: &str, entry: &Entry, first: &Shown<'_>, found: &mut Reconciliation) {
    if entry.unsent_acknowledged {
        if !first.holds("deleted") || first.word("text").is_some_and(|text| readable(text, entry)) {
            found.note(Wrong::StillReadable, which);
        }
        return;
    }
    // Taken back but never acknowledged: both are right, and the text may be gone.
    if entry.unsent {
        return;
    }
    let Some(newest) = entry.edits.iter().rev().find(|(_, (_, acknowledged))| *acknowledged) else {
        return;
    };
    // A later edit that was posted without an answer may be shown as well.
    let mut allowed = entry.edits.range(*newest.0..).map(|(_, (text, _))| text.as_str());
    let right = first.word("text").is_some_and(|text| allowed.any(|one| one == text));
    if !right || !first.holds("edited") {
        found.note(Wrong::EditNotShown, which);
    }
}

/// The text shown is one the message once had, not a placeholder.
fn readable(shown: &str, entry: &Entry) -> bool {
    let edits = entry.edits.values().map(|(text, _)| text.as_str());
    entry.text.as_deref().into_iter().chain(edits).any(|text| text == shown)
}

/// The end of a mid: enough to find it, not the message's whole name.
fn tail(mid: &str) -> &str {
    mid.get(mid.len().saturating_sub(8)..).unwrap_or("")
}
