//! A company in memory: its rows, and the orders derived from them. Pure.
//!
//! Promise: it is what its rows say and nothing more, so that it can be dropped and loaded again at any time; a change of
//! one conversation or agent costs the logarithm of their number. Changing goes through `changes` alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::{AgentId, CompanyId, ConversationId, InboxId, OfferId};
use crate::domain::routing::{AgentSnapshot, HeldConversation, OfferSnapshot};
use crate::domain::settings::CompanySettings;
use crate::domain::time::Timestamp;
use crate::route::capacity::Capacity;
use crate::route::queue::Queues;
use crate::route::ready::{Ready, ReadyKey};
use crate::route::row::{
    AgentRow, CompanyRow, ConversationRow, Place, Presence, RouteRow, RowId, Standing,
};

/// A company in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    pub(super) company_id: CompanyId,
    pub(super) company: CompanyRow,
    pub(super) capacity: Capacity,
    pub(super) agents: BTreeMap<AgentId, Agent>,
    pub(super) conversations: BTreeMap<ConversationId, ConversationRow>,
    pub(super) queue: Queues,
    pub(super) ready: Ready,
    pub(super) timers: BTreeSet<(Timestamp, RowId)>,
    /// Rows that differ from what was last taken.
    pub(super) touched: BTreeSet<RowId>,
    /// Agents whose snapshot differs from what was last shown.
    pub(super) stirred: BTreeSet<AgentId>,
}

/// An agent with what they hold, which stands in the conversations' rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    pub(super) row: AgentRow,
    pub(super) held: BTreeSet<ConversationId>,
    pub(super) offer: Option<ConversationId>,
}

impl Agent {
    pub(super) const fn new(row: AgentRow) -> Self {
        Self { row, held: BTreeSet::new(), offer: None }
    }

    /// Slots used.
    #[must_use]
    pub fn used(&self) -> usize {
        self.held.len().saturating_add(usize::from(self.offer.is_some()))
    }

    /// Inboxes served; `None`: every inbox.
    pub(super) const fn inboxes(&self) -> Option<&BTreeSet<InboxId>> {
        self.row.more.standing.inboxes.as_ref()
    }

    /// Could be routed to, if there were room: there, available, not in Focus, not on the settings page.
    pub(super) const fn is_available(&self) -> bool {
        let Standing { focus, on_settings_page, deactivated, .. } = &self.row.more.standing;
        matches!(self.row.presence, Presence::Here)
            && self.row.available
            && !*focus
            && !*on_settings_page
            && !*deactivated
    }

    /// Eligible for an automatic offer, but for the inbox and what one conversation's rejected set says.
    pub(super) fn is_ready(&self, capacity: Capacity) -> bool {
        let AgentRow { paused_until_next, extra_slot, delay_until, .. } = &self.row;
        self.is_available()
            && !paused_until_next
            && delay_until.is_none()
            && self.offer.is_none()
            && capacity.has_room(self.used(), *extra_slot)
    }

    pub(super) fn ready_key(&self, id: &AgentId) -> ReadyKey {
        ReadyKey { open: self.held.len(), given_at: self.row.given_at, id: id.clone() }
    }
}

impl Pool {
    /// A company of which nothing is known.
    #[must_use]
    pub const fn empty(company_id: CompanyId) -> Self {
        Self {
            company_id,
            company: CompanyRow { decisions: 0, snapshots: 0, retry_at: None },
            capacity: Capacity { standard: 0, maximum: 0 },
            agents: BTreeMap::new(),
            conversations: BTreeMap::new(),
            queue: Queues::new(),
            ready: Ready::new(),
            timers: BTreeSet::new(),
            touched: BTreeSet::new(),
            stirred: BTreeSet::new(),
        }
    }

    /// The company its rows say, in any order.
    #[must_use]
    pub fn from_rows(
        company_id: CompanyId,
        rows: impl IntoIterator<Item = (RowId, RouteRow)>,
    ) -> Self {
        let mut pool = Self::empty(company_id);
        let mut conversations = Vec::new();
        for (id, row) in rows {
            match (id, row) {
                (RowId::Agent(id), RouteRow::Agent(row)) => {
                    pool.with_agent(&id, Timestamp::default(), |agent| agent.row = row);
                }
                (RowId::Conversation(id), RouteRow::Conversation(row)) => {
                    conversations.push((id, *row));
                }
                (RowId::Company, RouteRow::Company(row)) => {
                    pool.company = row;
                    pool.timers.extend(row.retry_at.map(|due| (due, RowId::Company)));
                }
                // A row of one kind under a key of another is never written.
                (RowId::Agent(_) | RowId::Conversation(_) | RowId::Company, _) => (),
            }
        }
        for (id, row) in conversations {
            pool.put_conversation(id, row);
        }
        pool.touched.clear();
        pool.stirred.clear();
        pool
    }

    /// Whose pool.
    #[must_use]
    pub const fn company_id(&self) -> &CompanyId {
        &self.company_id
    }

    /// How many conversations wait, offers not counted.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The earliest moment after which something fires.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// The conversation, while it needs or has an agent.
    #[must_use]
    pub fn conversation(&self, id: &ConversationId) -> Option<&ConversationRow> {
        self.conversations.get(id)
    }

    /// The agent, once seen.
    #[must_use]
    pub fn agent(&self, id: &AgentId) -> Option<&Agent> {
        self.agents.get(id)
    }

    /// The offer that the decision `number` made.
    ///
    /// # Panics
    ///
    /// Never: a company's id and a number always fit.
    #[must_use]
    pub fn offer_id(&self, number: u64) -> OfferId {
        #[expect(clippy::expect_used, reason = "at most 88 of 96 bytes, printable; held by a test")]
        OfferId::parse(&format!("of-{}-{number}", self.company_id)).expect("a valid id")
    }

    /// The agent as routing sees them.
    pub(super) fn snapshot(
        &self,
        id: &AgentId,
        settings: &CompanySettings,
        now: Timestamp,
    ) -> Option<AgentSnapshot> {
        let agent = self.agents.get(id)?;
        let held = agent.held.iter().filter_map(|id| {
            let row = self.conversations.get(id)?;
            let (thread, seen_at) = (row.thread.clone(), row.more.seen_at);
            Some(HeldConversation { thread, conversation_id: id.clone(), seen_at })
        });
        let Standing { focus, on_settings_page, deactivated, inboxes } = &agent.row.more.standing;
        Some(AgentSnapshot {
            company_id: self.company_id.clone(),
            agent_id: id.clone(),
            logged_in: !matches!(agent.row.presence, Presence::Out { .. }),
            available: agent.row.available,
            away: matches!(agent.row.presence, Presence::Away { .. }),
            paused_until_next: agent.row.paused_until_next,
            focus: *focus,
            on_settings_page: *on_settings_page,
            deactivated: *deactivated,
            inbox_ids: inboxes.as_ref().map(|inboxes| inboxes.iter().cloned().collect()),
            held: held.collect(),
            offer: agent.offer.as_ref().and_then(|id| self.offer_snapshot(id, settings)),
            as_of_at: now,
        })
    }

    fn offer_snapshot(
        &self,
        id: &ConversationId,
        settings: &CompanySettings,
    ) -> Option<OfferSnapshot> {
        let conversation = self.conversations.get(id)?;
        let Place::Outstanding { number, expires_at, .. } = conversation.place else { return None };
        let shown = settings.notification_preview.then(|| conversation.banner.preview.clone());
        Some(OfferSnapshot {
            offer_id: self.offer_id(number),
            thread: conversation.thread.clone(),
            conversation_id: id.clone(),
            customer_name: conversation.banner.customer_name.clone(),
            preview: shown.unwrap_or_default(),
            expires_at,
        })
    }
}
