//! The handle everybody holds: one writer applies records, handlers read, waiters are woken.
//!
//! Locks are held for one record or one look, never across an await.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};

use crate::broker::NextOffsets;
use crate::broker::record::Record;
use crate::domain::command::CommandResult;
use crate::domain::customer::PLACEHOLDER_NAME;
use crate::domain::derive::customer_id;
use crate::domain::event::Direction;
use crate::domain::id::{AgentId, CommandId, CompanyId, ConversationId, CustomerId};
use crate::domain::routing::AgentSnapshot;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::project::board::{Board, Bounds};
use crate::project::noted::Handle;
use crate::project::shelf::{Cursor, Filter, Page};
use crate::project::shown::{Look, shown};
use crate::project::view::{
    Change, ChangeKind, ConversationDetail, CustomerDetail, CustomerPlace, OfferView, Place,
};

/// All views. Clones see the same.
#[derive(Debug, Clone)]
pub struct Views(Arc<Shared>);

type Waiters = BTreeMap<CommandId, Vec<oneshot::Sender<CommandResult>>>;

#[derive(Debug)]
struct Shared {
    bounds: Bounds,
    board: RwLock<Board>,
    waiters: Mutex<Waiters>,
    changes: broadcast::Sender<Change>,
}

impl Default for Views {
    fn default() -> Self {
        Self::new(Bounds::default())
    }
}

impl Views {
    /// Empty views, to be filled from the log.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let (changes, _) = broadcast::channel(bounds.changes_max.max(1));
        let board = RwLock::new(Board::new(bounds));
        Self(Arc::new(Shared { bounds, board, waiters: Mutex::default(), changes }))
    }

    /// Takes in committed records, in order per partition; `next` is where reading goes on.
    ///
    /// Records that do not read are counted and passed over: they would not read the next time either.
    pub fn apply(&self, records: &[Record], next: &NextOffsets) {
        for record in records {
            let applied = self.write().apply(record);
            match applied {
                Ok(changes) => changes.into_iter().for_each(|change| self.tell(change)),
                Err(_unreadable) => self.pass_over(record),
            }
        }
        self.write().positions.extend(next);
    }

    /// Where reading goes on; empty before the first [`Views::apply`].
    #[must_use]
    pub fn positions(&self) -> NextOffsets {
        self.read().positions.clone()
    }

    /// How many records did not read.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.read().unreadable
    }

    /// Where a conversation belongs.
    #[must_use]
    pub fn place(&self, id: &ConversationId) -> Option<Place> {
        let board = self.read();
        let snapshot = board.snapshot_of(id)?;
        Some(Place { thread: snapshot.thread.clone(), company_id: snapshot.company_id.clone() })
    }

    /// A conversation with its timeline.
    #[must_use]
    pub fn conversation(&self, id: &ConversationId, look: Look) -> Option<ConversationDetail> {
        let board = self.read();
        let (whose, thread) = board.thread_of(id)?;
        let row = board.lines_of(whose, id)?;
        Some(shown(&row, board.customer_of(&row.snapshot), thread.read_up_to_at, look))
    }

    /// Where a customer belongs, and whether their profile goes on elsewhere.
    #[must_use]
    pub fn customer_place(&self, id: &CustomerId) -> Option<CustomerPlace> {
        let board = self.read();
        let thread = board.thread_of_customer(id)?;
        let (home, family) = board.family_of(thread);
        let newest = board.conversations_of(thread);
        let newest = newest.first();
        Some(CustomerPlace {
            thread: thread.clone(),
            company_id: newest.map(|snapshot| snapshot.company_id.clone()),
            conversation_id: newest.map(|snapshot| snapshot.conversation_id.clone()),
            moved_to: (home != thread).then(|| customer_id(home)),
            threads: if home == thread { family } else { vec![thread.clone()] },
        })
    }

    /// A customer with all their threads' conversations; `None` also where their profile goes on elsewhere.
    #[must_use]
    pub fn customer(&self, id: &CustomerId) -> Option<CustomerDetail> {
        let board = self.read();
        let thread = board.thread_of_customer(id)?;
        let (home, family) = board.family_of(thread);
        if home != thread {
            return None;
        }
        let all = family.iter().flat_map(|thread| board.conversations_of(thread));
        let mut conversations: Vec<_> = all.map(|snapshot| board.people.named(snapshot)).collect();
        conversations.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.last_item_at));
        let merged = family.iter().skip(1).map(customer_id).collect();
        let customer = board.people.shown(id.clone(), &family, PLACEHOLDER_NAME);
        let (details, merge_suggestions) = (board.noted.of(&family), board.may_be(&family));
        Some(CustomerDetail { customer, details, merge_suggestions, merged, conversations })
    }

    /// Customers with a phone number, an address or an id, as whom they go on now.
    #[must_use]
    pub fn customers_with(&self, handle: &Handle) -> Vec<CustomerId> {
        let board = self.read();
        let threads: Vec<Thread> = board.noted.with(handle).cloned().collect();
        let mut homes: Vec<Thread> =
            threads.iter().map(|thread| board.family_of(thread).0.clone()).collect();
        homes.sort();
        homes.dedup();
        homes.iter().map(customer_id).collect()
    }

    /// At what time the customer was known to have read up to somewhere: up to where, and when.
    #[must_use]
    pub fn reads(&self, id: &ConversationId) -> Vec<(Timestamp, Timestamp)> {
        let board = self.read();
        board.thread_of(id).map(|(_, row)| row.reads.iter().copied().collect()).unwrap_or_default()
    }

    /// At most `limit` conversations that fit, newest item first, after `cursor`.
    #[must_use]
    pub fn conversations(&self, filter: &Filter, cursor: Option<&Cursor>, limit: usize) -> Page {
        self.read().list(filter, cursor, limit)
    }

    /// Agents, of one company or of all, in order of company and id.
    #[must_use]
    pub fn agents(&self, company: Option<&CompanyId>) -> Vec<AgentSnapshot> {
        let board = self.read();
        let agents = board.agents();
        let wanted = agents.filter(|agent| company.is_none_or(|id| *id == agent.company_id));
        wanted.cloned().collect()
    }

    /// One agent; without a company, the first of that id.
    #[must_use]
    pub fn agent(&self, company: Option<&CompanyId>, id: &AgentId) -> Option<AgentSnapshot> {
        let board = self.read();
        let mut agents = board.agents();
        let found = agents.find(|agent| {
            agent.agent_id == *id && company.is_none_or(|company| *company == agent.company_id)
        });
        found.cloned()
    }

    /// Own conversation to go back to before more work: something inbound is unseen, the earliest due first.
    #[must_use]
    pub fn unseen_of(&self, company: &CompanyId, agent: &AgentId) -> Option<ConversationId> {
        self.read().unseen_of(company, agent)
    }

    /// When the newest inbound item of a conversation happened, as far as the view goes back.
    #[must_use]
    pub fn newest_inbound_at(&self, id: &ConversationId) -> Option<Timestamp> {
        let board = self.read();
        let (_, thread) = board.thread_of(id)?;
        thread.conversations.get(id)?.newest_at(Direction::Inbound)
    }

    /// Offers that can still be accepted at `now`, of one agent or of all.
    #[must_use]
    pub fn offers(
        &self,
        company: Option<&CompanyId>,
        agent: Option<&AgentId>,
        now: Timestamp,
    ) -> Vec<OfferView> {
        let agents = self.agents(company).into_iter();
        let wanted = agents.filter(|held| agent.is_none_or(|id| *id == held.agent_id));
        let board = self.read();
        let offers = wanted.filter_map(|held| {
            let mut offer = held.offer.filter(|offer| now <= offer.expires_at)?;
            if let Some(name) = board.people.name_of(&offer.thread) {
                name.clone_into(&mut offer.customer_name);
            }
            Some(OfferView { company_id: held.company_id, agent_id: held.agent_id, offer })
        });
        offers.collect()
    }

    /// What became of a command; `None` while that is not known, or no longer.
    #[must_use]
    pub fn command(&self, id: &CommandId) -> Option<CommandResult> {
        self.read().result(id).cloned()
    }

    /// Notices of changes from now on; a reader that lags is told so, and reads everything again.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.0.changes.subscribe()
    }

    /// What became of a command, as soon as that is known; `None` when it is not within the time.
    ///
    /// Interest is registered before the first look: a result that comes in between is not missed.
    pub async fn wait_for(&self, id: &CommandId, within: Duration) -> Option<CommandResult> {
        let Some(mut interest) = self.register(id) else { return self.command(id) };
        if let Some(known) = self.command(id) {
            return Some(known);
        }
        tokio::time::timeout(within, &mut interest.told).await.ok()?.ok()
    }

    fn register(&self, id: &CommandId) -> Option<Interest> {
        let (tell, told) = oneshot::channel();
        let mut waiters = self.waiters();
        if waiters.len() >= self.0.bounds.waiters_max {
            return None;
        }
        waiters.entry(id.clone()).or_default().push(tell);
        Some(Interest { views: self.clone(), id: id.clone(), told })
    }

    fn tell(&self, change: Change) {
        if change.kind == ChangeKind::Command {
            self.wake(&change.id);
        }
        // Without readers there is nobody to tell.
        drop(self.0.changes.send(change));
    }

    fn wake(&self, id: &str) {
        let waiting = self.waiters().remove_entry(id);
        let Some((id, waiting)) = waiting else { return };
        let Some(result) = self.command(&id) else { return };
        for waiter in waiting {
            // Whoever stopped waiting needs no answer.
            drop(waiter.send(result.clone()));
        }
    }

    fn pass_over(&self, record: &Record) {
        self.write().unreadable += 1;
        let (topic, partition, offset) = (record.topic.name(), record.partition, record.offset);
        tracing::warn!(topic, partition, offset, "a record does not read; the views pass it over");
    }

    fn read(&self) -> RwLockReadGuard<'_, Board> {
        self.0.board.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Board> {
        self.0.board.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiters(&self) -> MutexGuard<'_, Waiters> {
        self.0.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the waiters; leaves with its holder, whatever the reason.
#[derive(Debug)]
struct Interest {
    views: Views,
    id: CommandId,
    told: oneshot::Receiver<CommandResult>,
}

impl Drop for Interest {
    fn drop(&mut self) {
        self.told.close();
        let mut waiters = self.views.waiters();
        if let Some(waiting) = waiters.get_mut(&self.id) {
            waiting.retain(|waiter| !waiter.is_closed());
            if waiting.is_empty() {
                waiters.remove(&self.id);
            }
        }
    }
}
