//! Lines told on one thread that came on another, while both were one customer; they return by an unmerge. Pure.
//!
//! Whether two threads are one is `kin`'s to say. Nothing is moved: lines are looked for where they were told, and what their
//! own thread tells of them afterwards is said of them at the look, whichever was read first.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::fact::{Fact, FactBody};
use crate::domain::id::ConversationId;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::project::fold::{change, changed};
use crate::project::row::{ConversationRow, EntryRow, EntryRowBody, ThreadRow};

/// Which threads hold lines that came on another.
#[derive(Debug, Default)]
pub(crate) struct Strays(BTreeMap<Thread, BTreeSet<Thread>>);

impl Strays {
    /// Takes note of an item that came on another thread.
    pub(crate) fn learn(&mut self, fact: &Fact) {
        let (FactBody::MessageReceived(item)
        | FactBody::MessageQueued(item)
        | FactBody::MessageSent(item)) = &fact.body
        else {
            return;
        };
        if let Some(origin) = &item.origin {
            self.0.entry(origin.clone()).or_default().insert(fact.thread.clone());
        }
    }

    /// The threads that hold lines of `origin`.
    pub(crate) fn holders_of(&self, origin: &Thread) -> Vec<Thread> {
        self.0.get(origin).into_iter().flatten().cloned().collect()
    }
}

/// Takes out the lines of threads that are elsewhere now.
pub(crate) fn take_away(row: &mut ConversationRow, is_away: impl Fn(&Thread) -> bool) {
    row.entries.retain(|entry| origin_of(entry).is_none_or(|origin| !is_away(origin)));
}

/// A row's lines that came on `origin`.
pub(crate) fn strayed<'a>(
    row: &'a ThreadRow,
    origin: &'a Thread,
) -> impl Iterator<Item = &'a EntryRow> {
    let entries = row.conversations.values().flat_map(|conversation| &conversation.entries);
    entries.filter(move |entry| origin_of(entry) == Some(origin))
}

/// Of lines that returned to a thread those of one of its conversations: the newest that had begun when they came.
pub(crate) fn belonging(
    row: &ThreadRow,
    id: &ConversationId,
    lines: impl Iterator<Item = EntryRow>,
) -> Vec<EntryRow> {
    let mut begun: Vec<(Timestamp, &ConversationId)> =
        row.conversations.iter().map(|(id, conversation)| (began_at(conversation), id)).collect();
    begun.sort_unstable();
    let its = |at: Timestamp| {
        let before = begun.iter().rev().find(|(began, _)| *began <= at);
        before.or_else(|| begun.first()).map(|(_, id)| *id)
    };
    lines.filter(|line| its(line.occurred_at) == Some(id)).collect()
}

/// Puts lines among a conversation's own, by their time.
pub(crate) fn bring_home(row: &mut ConversationRow, lines: Vec<EntryRow>) {
    if lines.is_empty() {
        return;
    }
    row.entries.extend(lines);
    row.entries.make_contiguous().sort_by_key(|line| line.occurred_at);
}

/// Says of lines what the threads they came on told of them since they parted.
pub(crate) fn say_again<'a>(
    row: &mut ConversationRow,
    thread_row: impl Fn(&Thread) -> Option<&'a ThreadRow>,
) {
    for line in &mut row.entries {
        let EntryRowBody::Item(item) = &mut line.body else { continue };
        let Some(origin) = item.origin.as_ref().and_then(&thread_row) else { continue };
        for body in &origin.loose {
            if changed(body).is_some_and(|mid| item.mids.contains(mid)) {
                change(item, body);
            }
        }
    }
}

fn began_at(row: &ConversationRow) -> Timestamp {
    row.entries.front().map_or(row.snapshot.last_item_at, |first| first.occurred_at)
}

const fn origin_of(entry: &EntryRow) -> Option<&Thread> {
    match &entry.body {
        EntryRowBody::Item(item) => item.origin.as_ref(),
        EntryRowBody::Event(..) => None,
    }
}
