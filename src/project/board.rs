//! All views together, and what one record does to them. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::de::DeserializeOwned;

use crate::broker::NextOffsets;
use crate::broker::record::Record;
use crate::domain::command::CommandResult;
use crate::domain::customer::{CustomerKey, CustomerRecord};
use crate::domain::derive::customer_id;
use crate::domain::fact::{ConversationSnapshot, Fact, FactBody};
use crate::domain::id::{AgentId, CommandId, CompanyId, ConversationId, CustomerId};
use crate::domain::routing::AgentSnapshot;
use crate::domain::thread::Thread;
use crate::project::fold::{fold, fold_snapshot};
use crate::project::kin::Kin;
use crate::project::noted::Noted;
use crate::project::people::People;
use crate::project::row::{ConversationRow, ThreadRow};
use crate::project::shelf::{Cursor, Filter, Page, Shelves, place_of};
use crate::project::strays::{self, Strays};
use crate::project::view::{Change, ChangeKind, CustomerView, HandleKind, MergeSuggestion};
use crate::topics::Topic;

/// What the views are folded from; read each from its beginning, or from `Views::positions`.
pub const TOPICS: [Topic; 5] =
    [Topic::Timeline, Topic::Conversations, Topic::Customers, Topic::Agents, Topic::CommandResults];

/// How much the views hold; at a bound the stalest goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Conversations; closed ones go first.
    pub conversations_max: usize,
    /// Profiles; the one fetched longest ago goes first.
    pub profiles_max: usize,
    /// Timeline entries of one conversation; the oldest go, and are counted as omitted.
    pub entries_max: usize,
    /// Results of commands; the oldest go.
    pub results_max: usize,
    /// Callers waiting for results at once; one more is answered as if its time were up.
    pub waiters_max: usize,
    /// Notices a slow reader of changes may lag behind before it is told to reload.
    pub changes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            conversations_max: 200_000,
            profiles_max: 200_000,
            entries_max: 500,
            results_max: 100_000,
            waiters_max: 10_000,
            changes_max: 4_096,
        }
    }
}

/// Suggestions of one customer.
const SUGGESTIONS_MAX: usize = 20;

/// A record of ours that does not read as what its topic says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// All views.
#[derive(Debug)]
pub(crate) struct Board {
    bounds: Bounds,
    threads: BTreeMap<Thread, ThreadRow>,
    conversations: BTreeMap<ConversationId, Thread>,
    shelves: Shelves,
    pub(crate) people: People,
    kin: Kin,
    pub(crate) noted: Noted,
    strays: Strays,
    customers: BTreeMap<CustomerId, Thread>,
    agents: BTreeMap<(CompanyId, AgentId), AgentSnapshot>,
    results: BTreeMap<CommandId, CommandResult>,
    results_in_order: VecDeque<CommandId>,
    pub(crate) positions: NextOffsets,
    pub(crate) unreadable: u64,
}

impl Board {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            threads: BTreeMap::new(),
            conversations: BTreeMap::new(),
            shelves: Shelves::default(),
            people: People::default(),
            kin: Kin::default(),
            noted: Noted::default(),
            strays: Strays::default(),
            customers: BTreeMap::new(),
            agents: BTreeMap::new(),
            results: BTreeMap::new(),
            results_in_order: VecDeque::new(),
            positions: NextOffsets::new(),
            unreadable: 0,
        }
    }

    /// Takes in one record; the changes it made, none when it was known already.
    pub(crate) fn apply(&mut self, record: &Record) -> Result<Vec<Change>, Unreadable> {
        match record.topic {
            Topic::Timeline => self.fact(&read(record)?),
            Topic::Conversations if record.value.is_none() => self.forget_thread(record),
            Topic::Conversations => self.snapshot(read(record)?),
            Topic::Customers if record.value.is_none() => self.forget_customer(record),
            Topic::Customers => Ok(self.customer_known(read(record)?)),
            Topic::Agents if record.value.is_none() => Ok(Vec::new()),
            Topic::Agents => Ok(self.agent_changed(read(record)?)),
            Topic::CommandResults => Ok(self.decided(read(record)?)),
            Topic::WebhooksRaw
            | Topic::EventsNormalized
            | Topic::DeskCommands
            | Topic::AgentsCommands
            | Topic::RoutingRequests
            | Topic::RoutingDecisions
            | Topic::OutboundSends
            | Topic::OutboundResults
            | Topic::Settings
            | Topic::DeadLetters
            | Topic::ConversationChangelog
            | Topic::RouteChangelog
            | Topic::SendChangelog
            | Topic::ProfileChangelog => Ok(Vec::new()),
        }
    }

    /// The conversation's row with its thread's read mark.
    pub(crate) fn thread_of(&self, id: &ConversationId) -> Option<(&Thread, &ThreadRow)> {
        self.threads.get_key_value(self.conversations.get(id)?)
    }

    pub(crate) fn snapshot_of(&self, id: &ConversationId) -> Option<&ConversationSnapshot> {
        let (_, row) = self.thread_of(id)?;
        row.conversations.get(id).map(|conversation| &conversation.snapshot)
    }

    /// The thread of a customer, whatever of them is known.
    pub(crate) fn thread_of_customer(&self, id: &CustomerId) -> Option<&Thread> {
        let known = self.customers.get(id).or_else(|| self.people.thread_of(id));
        known.or_else(|| self.kin.thread_of(id)).or_else(|| self.noted.thread_of(id))
    }

    /// Where a thread's items go on, and that thread with all that were merged into it.
    pub(crate) fn family_of<'a>(&'a self, thread: &'a Thread) -> (&'a Thread, Vec<Thread>) {
        let home = self.kin.home_of(thread);
        (home, self.kin.family(home))
    }

    /// A conversation's lines where they belong now: what came on a thread that was merged meanwhile returns to it.
    pub(crate) fn lines_of(&self, thread: &Thread, id: &ConversationId) -> Option<ConversationRow> {
        let row = self.threads.get(thread)?;
        let mut own = row.conversations.get(id)?.clone();
        let home = self.kin.home_of(thread);
        let is_away = |origin: &Thread| self.kin.home_of(origin) != home;
        strays::take_away(&mut own, is_away);
        let holders = self.strays.holders_of(thread).into_iter();
        let apart = holders.filter(|holder| self.kin.home_of(holder) != home);
        let rows = apart.filter_map(|holder| self.threads.get(&holder));
        let strayed = rows.flat_map(|row| strays::strayed(row, thread)).cloned();
        strays::bring_home(&mut own, strays::belonging(row, id, strayed));
        strays::say_again(&mut own, |origin| self.threads.get(origin));
        Some(own)
    }

    /// The conversations of a thread, newest item first.
    pub(crate) fn conversations_of(&self, thread: &Thread) -> Vec<&ConversationSnapshot> {
        let rows = self.threads.get(thread).into_iter().flat_map(|row| row.conversations.values());
        let mut snapshots: Vec<_> = rows.map(|row| &row.snapshot).collect();
        snapshots.sort_by_key(|snapshot| std::cmp::Reverse(place_of(snapshot)));
        snapshots
    }

    /// Who writes in a conversation, as one customer with all their threads.
    pub(crate) fn customer_of(&self, snapshot: &ConversationSnapshot) -> CustomerView {
        let (home, family) = self.family_of(&snapshot.thread);
        self.people.shown(customer_id(home), &family, &snapshot.display_name)
    }

    /// Who may be the same person as a family of threads.
    pub(crate) fn may_be(&self, family: &[Thread]) -> Vec<MergeSuggestion> {
        let alike = self.noted.alike(family);
        let mut others: BTreeMap<&Thread, BTreeSet<HandleKind>> = BTreeMap::new();
        for (thread, kind) in &alike {
            let home = self.kin.home_of(thread);
            if !family.contains(home) {
                others.entry(home).or_default().insert(*kind);
            }
        }
        let suggested = others.into_iter().map(|(home, kinds)| {
            let both_have = kinds.into_iter().collect();
            MergeSuggestion { customer_id: customer_id(home), both_have }
        });
        suggested.take(SUGGESTIONS_MAX).collect()
    }

    /// A stretch of at most `limit` conversations after `cursor`.
    pub(crate) fn list(&self, filter: &Filter, cursor: Option<&Cursor>, limit: usize) -> Page {
        let walk = self.shelves.walk(filter, cursor);
        let snapshots = walk.filter_map(|place| self.snapshot_of(&place.conversation_id));
        let mut wanted = snapshots.filter(|snapshot| filter.fits(snapshot));
        let found: Vec<_> = wanted.by_ref().take(limit).collect();
        let more = wanted.next().is_some();
        let next = found.last().filter(|_| more).map(|last| place_of(last));
        let conversations = found.into_iter().map(|found| self.people.named(found)).collect();
        Page { conversations, next }
    }

    pub(crate) fn agents(&self) -> impl Iterator<Item = &AgentSnapshot> {
        self.agents.values()
    }

    pub(crate) fn result(&self, id: &CommandId) -> Option<&CommandResult> {
        self.results.get(id)
    }

    fn fact(&mut self, fact: &Fact) -> Result<Vec<Change>, Unreadable> {
        let before = self.threads.get(&fact.thread).map_or(0, |row| row.last_number);
        if fact.number <= before {
            return Ok(Vec::new());
        }
        let entries_max = self.bounds.entries_max;
        self.strays.learn(fact);
        self.refold(&fact.thread, |row| fold(row, fact, entries_max));
        let company = &fact.company_id;
        if reaches_back(&fact.body) {
            let row = self.threads.get(&fact.thread);
            let all = row.into_iter().flat_map(|row| row.conversations.keys());
            return Ok(all.map(|id| conversation_change(id, company)).collect());
        }
        let own = fact.conversation_id.as_ref();
        Ok(own.map(|id| conversation_change(id, company)).into_iter().collect())
    }

    fn snapshot(&mut self, snapshot: ConversationSnapshot) -> Result<Vec<Change>, Unreadable> {
        let id = snapshot.conversation_id.clone();
        if self.snapshot_of(&id).is_some_and(|held| *held == snapshot) {
            return Ok(Vec::new());
        }
        let (thread, company) = (snapshot.thread.clone(), snapshot.company_id.clone());
        self.refold(&thread, |row| fold_snapshot(row, snapshot));
        Ok(vec![conversation_change(&id, &company)])
    }

    /// Folds a thread, and puts its conversations where they belong now.
    fn refold(&mut self, thread: &Thread, change: impl FnOnce(ThreadRow) -> ThreadRow) {
        let before = self.threads.remove(thread).unwrap_or_default();
        for conversation in before.conversations.values() {
            self.shelves.take(&conversation.snapshot);
        }
        let gone: Vec<ConversationId> = before.conversations.keys().cloned().collect();
        let after = change(before);
        for id in gone.iter().filter(|id| !after.conversations.contains_key(*id)) {
            self.conversations.remove(id);
        }
        let customer = customer_id(thread);
        // Of whom no conversation is left, nothing is known here.
        match after.conversations.is_empty() {
            true => self.customers.remove(&customer),
            false => self.customers.insert(customer, thread.clone()),
        };
        for (id, conversation) in &after.conversations {
            self.shelves.put(&conversation.snapshot);
            if !self.conversations.contains_key(id) {
                self.conversations.insert(id.clone(), thread.clone());
            }
        }
        self.threads.insert(thread.clone(), after);
        while self.conversations.len() > self.bounds.conversations_max {
            let Some(stalest) = self.shelves.stalest().cloned() else { return };
            self.forget(&stalest);
        }
    }

    /// A conversation leaves the views; its thread stays until its last one has left.
    fn forget(&mut self, id: &ConversationId) {
        let Some(thread) = self.conversations.remove(id) else { return };
        let Some(row) = self.threads.get_mut(&thread) else { return };
        if let Some(conversation) = row.conversations.remove(id) {
            self.shelves.take(&conversation.snapshot);
        }
        if row.conversations.is_empty() {
            self.threads.remove(&thread);
            self.customers.remove(&customer_id(&thread));
        }
    }

    /// A thread's tombstone: the customer was deleted.
    fn forget_thread(&mut self, record: &Record) -> Result<Vec<Change>, Unreadable> {
        let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let thread = key.and_then(|key| Thread::from_key(key).ok()).ok_or(Unreadable)?;
        let Some(row) = self.threads.get(&thread) else { return Ok(Vec::new()) };
        let conversations = row.conversations.iter();
        let gone: Vec<_> =
            conversations.map(|(id, row)| (id.clone(), row.snapshot.company_id.clone())).collect();
        for (id, _) in &gone {
            self.forget(id);
        }
        Ok(gone.iter().map(|(id, company)| conversation_change(id, company)).collect())
    }

    fn customer_known(&mut self, record: CustomerRecord) -> Vec<Change> {
        let bound = self.bounds.profiles_max;
        let (thread, is_new) = match record {
            CustomerRecord::Profile(profile) => {
                (profile.thread.clone(), self.people.learn(profile, bound))
            }
            CustomerRecord::Merged(merge) => (merge.thread.clone(), self.kin.tie(merge, bound)),
            CustomerRecord::Details(noted) => {
                (noted.thread.clone(), self.noted.learn(noted, bound))
            }
        };
        if is_new { self.shown_of(&thread) } else { Vec::new() }
    }

    /// A customer's tombstone: their profile was erased, or they are their own again.
    fn forget_customer(&mut self, record: &Record) -> Result<Vec<Change>, Unreadable> {
        let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let forgotten = match key.and_then(CustomerKey::parse).ok_or(Unreadable)? {
            CustomerKey::Profile(customer) => self.people.forget(&customer),
            CustomerKey::Merged(customer) => self.kin.untie(&customer),
            CustomerKey::Details(customer) => self.noted.forget(&customer),
        };
        Ok(forgotten.map(|thread| self.shown_of(&thread)).unwrap_or_default())
    }

    /// Whatever shows a thread's person: conversations, also of those they were merged into, and offers.
    fn shown_of(&self, thread: &Thread) -> Vec<Change> {
        let home = self.kin.home_of(thread);
        let threads = [Some(thread), Some(home).filter(|home| *home != thread)];
        let rows = threads.into_iter().flatten().filter_map(|thread| self.threads.get(thread));
        let conversations = rows.flat_map(|row| row.conversations.values());
        let conversations = conversations.map(|row| {
            conversation_change(&row.snapshot.conversation_id, &row.snapshot.company_id)
        });
        let offered = self
            .agents
            .values()
            .filter(|agent| agent.offer.as_ref().is_some_and(|offer| offer.thread == *thread));
        conversations.chain(offered.map(agent_change)).collect()
    }

    fn agent_changed(&mut self, agent: AgentSnapshot) -> Vec<Change> {
        let key = (agent.company_id.clone(), agent.agent_id.clone());
        let held = self.agents.get(&key);
        if held.is_some_and(|held| *held == agent || held.as_of_at > agent.as_of_at) {
            return Vec::new();
        }
        let change = agent_change(&agent);
        self.agents.insert(key, agent);
        vec![change]
    }

    /// The first result of a command counts: the same id twice acts once.
    fn decided(&mut self, result: CommandResult) -> Vec<Change> {
        if self.results.contains_key(&result.command_id) {
            return Vec::new();
        }
        let id = result.command_id.clone();
        self.results_in_order.push_back(id.clone());
        self.results.insert(id.clone(), result);
        while self.results_in_order.len() > self.bounds.results_max {
            let Some(oldest) = self.results_in_order.pop_front() else { break };
            self.results.remove(&oldest);
        }
        vec![Change { kind: ChangeKind::Command, id: id.as_str().to_owned(), company_id: None }]
    }
}

/// Whether a fact may change an item of an earlier conversation of its thread.
const fn reaches_back(body: &FactBody) -> bool {
    matches!(
        body,
        FactBody::MessageSent(_)
            | FactBody::MessageFailed { .. }
            | FactBody::MessageUnknown { .. }
            | FactBody::MessageDeleted { .. }
            | FactBody::MessageEdited { .. }
            | FactBody::MessageRead { .. }
            | FactBody::ReactionAdded { .. }
            | FactBody::ReactionRemoved { .. }
            | FactBody::MessageLiked { .. }
            | FactBody::MessageUnliked { .. }
            | FactBody::StoryExpired { .. }
    )
}

fn conversation_change(id: &ConversationId, company: &CompanyId) -> Change {
    Change {
        kind: ChangeKind::Conversation,
        id: id.as_str().to_owned(),
        company_id: Some(company.clone()),
    }
}

fn agent_change(agent: &AgentSnapshot) -> Change {
    Change {
        kind: ChangeKind::Agent,
        id: agent.agent_id.as_str().to_owned(),
        company_id: Some(agent.company_id.clone()),
    }
}

fn read<T: DeserializeOwned>(record: &Record) -> Result<T, Unreadable> {
    // The serializer's word may quote what a person wrote: it goes no further.
    serde_json::from_slice(record.bytes()).map_err(|_unquoted| Unreadable)
}
