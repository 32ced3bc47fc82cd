//! In which order conversations are listed, by status, agent, inbox and company. Pure.
//!
//! Every conversation stands on one shelf of each kind, at the place of its newest item; a list walks the narrowest shelf
//! that fits, newest first, and a cursor is the place where it goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::domain::fact::{ConversationSnapshot, Status};
use crate::domain::id::{AgentId, CompanyId, ConversationId, InboxId};
use crate::domain::time::Timestamp;

/// Which conversations are wanted; all of what is set must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Of this company.
    pub company_id: Option<CompanyId>,
    /// Standing so.
    pub status: Option<Status>,
    /// In these hands.
    pub agent_id: Option<AgentId>,
    /// In this inbox.
    pub inbox_id: Option<InboxId>,
}

/// A place in the order, exclusive: the list goes on after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Newest item of the last conversation listed.
    pub last_item_at: Timestamp,
    /// That conversation.
    pub conversation_id: ConversationId,
}

/// A stretch of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Conversations, newest item first.
    pub conversations: Vec<ConversationSnapshot>,
    /// Where the list goes on; `None` at its end.
    pub next: Option<Cursor>,
}

/// One shelf.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Shelf {
    All,
    Status(Status),
    Agent(AgentId),
    Inbox(InboxId),
    Company(CompanyId),
}

/// All shelves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Shelves(BTreeMap<Shelf, BTreeSet<Cursor>>);

impl Shelves {
    /// Puts a conversation in its places.
    pub(crate) fn put(&mut self, snapshot: &ConversationSnapshot) {
        for shelf in shelves_of(snapshot) {
            self.0.entry(shelf).or_default().insert(place_of(snapshot));
        }
    }

    /// Takes a conversation off the places `snapshot` gave it.
    pub(crate) fn take(&mut self, snapshot: &ConversationSnapshot) {
        for shelf in shelves_of(snapshot) {
            if let Some(places) = self.0.get_mut(&shelf) {
                places.remove(&place_of(snapshot));
                if places.is_empty() {
                    self.0.remove(&shelf);
                }
            }
        }
    }

    /// Places on the narrowest shelf for `filter`, newest first, after `cursor`.
    pub(crate) fn walk(
        &self,
        filter: &Filter,
        cursor: Option<&Cursor>,
    ) -> impl Iterator<Item = &Cursor> {
        let upper = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let places = self.0.get(&narrowest(filter));
        places.into_iter().flat_map(move |places| places.range((Bound::Unbounded, upper)).rev())
    }

    /// Whom to forget first: the stalest closed, then the stalest waiting, then the stalest.
    pub(crate) fn stalest(&self) -> Option<&ConversationId> {
        let kinds = [Shelf::Status(Status::Closed), Shelf::Status(Status::Waiting), Shelf::All];
        let first = kinds.iter().find_map(|shelf| self.0.get(shelf)?.first());
        first.map(|place| &place.conversation_id)
    }
}

impl Filter {
    /// Whether a conversation is wanted.
    pub(crate) fn fits(&self, snapshot: &ConversationSnapshot) -> bool {
        self.company_id.as_ref().is_none_or(|company| *company == snapshot.company_id)
            && self.status.is_none_or(|status| status == snapshot.status)
            && self.agent_id.as_ref().is_none_or(|agent| Some(agent) == snapshot.agent_id.as_ref())
            && self.inbox_id.as_ref().is_none_or(|inbox| *inbox == snapshot.inbox_id)
    }
}

/// Where a conversation stands on its shelves.
pub(crate) fn place_of(snapshot: &ConversationSnapshot) -> Cursor {
    Cursor {
        last_item_at: snapshot.last_item_at,
        conversation_id: snapshot.conversation_id.clone(),
    }
}

fn shelves_of(snapshot: &ConversationSnapshot) -> impl Iterator<Item = Shelf> {
    let agent = snapshot.agent_id.clone().map(Shelf::Agent);
    let rest = [
        Shelf::All,
        Shelf::Status(snapshot.status),
        Shelf::Inbox(snapshot.inbox_id.clone()),
        Shelf::Company(snapshot.company_id.clone()),
    ];
    rest.into_iter().chain(agent)
}

/// Few conversations are one agent's, more stand so, more are in one inbox.
fn narrowest(filter: &Filter) -> Shelf {
    let agent = filter.agent_id.clone().map(Shelf::Agent);
    let status = || filter.status.map(Shelf::Status);
    let inbox = || filter.inbox_id.clone().map(Shelf::Inbox);
    let company = || filter.company_id.clone().map(Shelf::Company);
    agent.or_else(status).or_else(inbox).or_else(company).unwrap_or(Shelf::All)
}
