//! What routing keeps of a company, as it stands on disk. Pure.
//!
//! | key                                   | row            | rows                              | timer                                  |
//! |---------------------------------------|----------------|-----------------------------------|----------------------------------------|
//! | company `00` `01`                     | `Company`      | one a company                     | at once, when the queue is to be tried |
//! | company `00` `02` agent               | `Agent`        | one an agent, for ever            | end of the routing delay               |
//! | company `00` `03` conversation        | `Conversation` | while it needs or has an agent    | end of the offer, or of the absence's grace |
//!
//! Who holds what stands in the conversation's row alone, so that no two rows can disagree.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::id::{AgentId, CompanyId, ContactId, ConversationId, InboxId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::engine::stage::{Row, RowError};

/// The layout written; older ones are read for ever.
const VERSION: u8 = 1;

/// Stands between the company's id, which has no control character, and the rest of a key.
const SEPARATOR: u8 = 0;

/// Written to disk: never renumber, never reuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Company = 1,
    Agent = 2,
    Conversation = 3,
}

/// One row of a company. The order of the variants is on disk: new ones go to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteRow {
    /// What is counted once a company.
    Company(CompanyRow),
    /// An agent.
    Agent(AgentRow),
    /// A conversation that waits for an agent or has one.
    Conversation(Box<ConversationRow>),
}

/// What is counted once a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CompanyRow {
    /// Decisions made so far: the number of the newest.
    pub decisions: u64,
    /// Agent snapshots shown so far: the number of the newest.
    pub snapshots: u64,
    /// Somebody waits and somebody has room: the queue is to be tried as soon as timers fire.
    pub retry_at: Option<Timestamp>,
}

/// An agent, without what they hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRow {
    /// At work or not, and since when not.
    pub presence: Presence,
    /// Takes messaging.
    pub available: bool,
    /// Declined or missed an offer; no more until Next.
    pub paused_until_next: bool,
    /// One slot beyond the standard capacity, by Next.
    pub extra_slot: bool,
    /// Last offered or assigned something; ties go to the longest ago.
    pub given_at: Option<Timestamp>,
    /// No automatic offer until this has passed.
    pub delay_until: Option<Timestamp>,
    /// Digests of the newest commands, oldest first; at most [`AgentRow::RECENT_COMMANDS_MAX`].
    pub recent_commands: VecDeque<u64>,
}

impl AgentRow {
    /// How many commands of one agent are known again when they come twice.
    ///
    /// An older one would act anew. That is harmless for all but Next: the others name an offer or a state, and do
    /// nothing the second time.
    pub const RECENT_COMMANDS_MAX: usize = 32;

    /// An agent nobody has seen at work.
    #[must_use]
    pub const fn unseen(since: Timestamp) -> Self {
        Self {
            presence: Presence::Out { since },
            available: false,
            paused_until_next: false,
            extra_slot: false,
            given_at: None,
            delay_until: None,
            recent_commands: VecDeque::new(),
        }
    }
}

/// Whether an agent is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// Logged out.
    Out {
        /// Since when.
        since: Timestamp,
    },
    /// Logged in, and left the desk for a while.
    Away {
        /// Since when.
        since: Timestamp,
    },
    /// Logged in and at the desk.
    Here,
}

/// A conversation that waits for an agent or has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationRow {
    /// Whose thread.
    pub thread: Thread,
    /// The newest contact asked about.
    pub contact_id: ContactId,
    /// In which inbox.
    pub inbox_id: InboxId,
    /// Answer due; none sorts last.
    pub due_at: Option<Timestamp>,
    /// When the waiting began, or the newest waiting of one that is held.
    pub since: Timestamp,
    /// The customer waits for an answer: it is queued again if its agent is lost.
    pub unanswered: bool,
    /// What an offer shows.
    pub banner: Banner,
    /// Tie-break after a reopen.
    pub previous_agent_id: Option<AgentId>,
    /// Who declined or missed it in this round.
    pub rejected: BTreeSet<AgentId>,
    /// Which round through the agents, from one.
    pub round: u32,
    /// Where it is.
    pub place: Place,
    /// Trace of its newest request, for what timers decide about it.
    pub trace: Option<String>,
}

/// Where a conversation is: one place at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// Waits in the queue.
    Queued,
    /// On an agent's banner.
    Outstanding {
        /// To whom.
        to: AgentId,
        /// Number of the decision that offered it; names the offer.
        number: u64,
        /// Last moment at which an accept is in time.
        expires_at: Timestamp,
    },
    /// With an agent.
    Held {
        /// With whom.
        by: AgentId,
        /// Its agent is absent: queued again after this.
        requeue_at: Option<Timestamp>,
    },
}

/// What an offer shows. Personal: `Debug` says nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Banner {
    /// The customer's name; at most [`Banner::NAME_MAX`] characters.
    pub customer_name: String,
    /// A short preview; at most [`Banner::PREVIEW_MAX`] characters.
    pub preview: String,
}

impl Banner {
    /// Longest preview, in code points.
    pub const PREVIEW_MAX: usize = 80;
    /// Longest name kept, in code points.
    pub const NAME_MAX: usize = 128;

    /// Both, cut to their bounds.
    #[must_use]
    pub fn new(customer_name: &str, preview: &str) -> Self {
        Self { customer_name: first(customer_name, Self::NAME_MAX), preview: Self::cut(preview) }
    }

    /// A preview, cut to its bound.
    #[must_use]
    pub fn cut(preview: &str) -> String {
        first(preview, Self::PREVIEW_MAX)
    }
}

fn first(text: &str, code_points: usize) -> String {
    text.chars().take(code_points).collect()
}

impl fmt::Debug for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Banner(..)")
    }
}

impl Row for RouteRow {
    fn encode(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        #[expect(
            clippy::expect_used,
            reason = "memory takes every byte, and every field's length is known"
        )]
        let bytes = postcard::to_stdvec(self).expect("a row serializes");
        into.extend_from_slice(&bytes);
    }

    fn decode(bytes: &[u8]) -> Result<Self, RowError> {
        match bytes.split_first() {
            Some((&VERSION, row)) => {
                postcard::from_bytes(row).map_err(|error| RowError::Malformed(error.to_string()))
            }
            Some((&version, _)) => Err(RowError::UnknownVersion(version)),
            None => Err(RowError::Malformed("no bytes".to_owned())),
        }
    }

    fn due_at(&self) -> Option<Timestamp> {
        match self {
            Self::Company(company) => company.retry_at,
            Self::Agent(agent) => agent.delay_until,
            Self::Conversation(conversation) => conversation.due_timer(),
        }
    }
}

impl ConversationRow {
    /// End of its offer, or of its agent's grace.
    #[must_use]
    pub const fn due_timer(&self) -> Option<Timestamp> {
        match &self.place {
            Place::Queued => None,
            Place::Outstanding { expires_at, .. } => Some(*expires_at),
            Place::Held { requeue_at, .. } => *requeue_at,
        }
    }
}

/// Which row of a company.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowId {
    /// The company's own.
    Company,
    /// An agent's.
    Agent(AgentId),
    /// A conversation's.
    Conversation(ConversationId),
}

/// What all keys of a company start with, and no other's.
#[must_use]
pub fn prefix(company: &CompanyId) -> Vec<u8> {
    [company.as_str().as_bytes(), &[SEPARATOR]].concat()
}

/// The key of a row.
#[must_use]
pub fn key(company: &CompanyId, id: &RowId) -> Vec<u8> {
    let (kind, id) = match id {
        RowId::Company => (Kind::Company, ""),
        RowId::Agent(id) => (Kind::Agent, id.as_str()),
        RowId::Conversation(id) => (Kind::Conversation, id.as_str()),
    };
    [company.as_str().as_bytes(), &[SEPARATOR, kind as u8], id.as_bytes()].concat()
}

/// Reads a key written by [`key`].
///
/// # Errors
///
/// [`RowError::Malformed`] when the bytes are no such key.
pub fn read_key(key: &[u8]) -> Result<(CompanyId, RowId), RowError> {
    let malformed = || RowError::Malformed("a routing key".to_owned());
    let mut parts = key.splitn(2, |byte| *byte == SEPARATOR);
    let (company, rest) = parts.next().zip(parts.next()).ok_or_else(malformed)?;
    let (kind, id) = rest.split_first().ok_or_else(malformed)?;
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let company = text(company).and_then(|text| CompanyId::parse(text).ok());
    let id = match *kind {
        kind if kind == Kind::Company as u8 && id.is_empty() => Some(RowId::Company),
        kind if kind == Kind::Agent as u8 => {
            text(id).and_then(|text| AgentId::parse(text).ok()).map(RowId::Agent)
        }
        kind if kind == Kind::Conversation as u8 => {
            text(id).and_then(|text| ConversationId::parse(text).ok()).map(RowId::Conversation)
        }
        _ => None,
    };
    company.zip(id).ok_or_else(malformed)
}
