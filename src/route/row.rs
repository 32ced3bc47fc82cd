//! What routing keeps of a company, as it stands on disk. Pure.
//!
//! | key                                   | row            | rows                              | timer                                  |
//! |---------------------------------------|----------------|-----------------------------------|----------------------------------------|
//! | company `00` `01`                     | `Company`      | one a company                     | at once, when the queue is to be tried |
//! | company `00` `02` agent               | `Agent`        | one an agent, for ever            | end of the routing delay, or idle      |
//! | company `00` `03` conversation        | `Conversation` | while it needs or has an agent    | end of the offer, or of the absence's grace |
//!
//! Who holds what stands in the conversation's row alone, so that no two rows can disagree.
//!
//! | byte | then                                                                     |
//! |------|--------------------------------------------------------------------------|
//! | 1    | postcard of [`RouteRow`] without `more`                                  |
//! | 2    | the same, then postcard of the row's `more`, where its kind has one      |
//!
//! Fields and variants of a layout never move; old layouts are read for ever. Keys: `key`.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::domain::id::{AgentId, ContactId, InboxId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::engine::stage::{Row, RowError};

pub use crate::route::banner::Banner;
pub use crate::route::key::{RowId, key, prefix, read_key};

/// The layout written.
const LAYOUT: u8 = 2;
/// The layout without `more`.
const WITHOUT_MORE: u8 = 1;

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
    /// What layout 2 added.
    #[serde(skip)]
    pub more: AgentMore,
}

/// What layout 2 added to an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentMore {
    /// What they and the administrator chose.
    pub standing: Standing,
    /// Away when this has passed without activity.
    pub idle_away_at: Option<Timestamp>,
    /// Logged out when this has passed without activity.
    pub idle_logout_at: Option<Timestamp>,
}

/// What keeps an agent from being routed to, beside presence and availability.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// In Focus.
    pub focus: bool,
    /// On the settings page.
    pub on_settings_page: bool,
    /// May not log in.
    pub deactivated: bool,
    /// Inboxes served; `None`: every inbox.
    pub inboxes: Option<BTreeSet<InboxId>>,
}

impl AgentRow {
    /// The earliest of what is due: end of the routing delay, idle long enough.
    #[must_use]
    pub fn due_timer(&self) -> Option<Timestamp> {
        let AgentMore { idle_away_at, idle_logout_at, .. } = self.more;
        [self.delay_until, idle_away_at, idle_logout_at].into_iter().flatten().min()
    }

    /// How many commands of one agent are known again when they come twice.
    ///
    /// An older one would act anew. That is harmless for all but Next: the others name an offer or a state, and do
    /// nothing the second time.
    pub const RECENT_COMMANDS_MAX: usize = 32;

    /// An agent nobody has seen at work.
    #[must_use]
    pub fn unseen(since: Timestamp) -> Self {
        Self {
            presence: Presence::Out { since },
            available: false,
            paused_until_next: false,
            extra_slot: false,
            given_at: None,
            delay_until: None,
            recent_commands: VecDeque::new(),
            more: AgentMore::default(),
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
    /// What layout 2 added.
    #[serde(skip)]
    pub more: ConversationMore,
}

/// What layout 2 added to a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationMore {
    /// Higher goes first.
    pub priority_score: i32,
    /// Up to when its agent has seen what the customer wrote.
    pub seen_at: Option<Timestamp>,
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

impl Row for RouteRow {
    fn encode(&self, into: &mut Vec<u8>) {
        into.push(LAYOUT);
        append(self, into);
        match self {
            Self::Company(_) => (),
            Self::Agent(agent) => append(&agent.more, into),
            Self::Conversation(conversation) => append(&conversation.more, into),
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, RowError> {
        let (layout, rest) =
            bytes.split_first().ok_or_else(|| RowError::Malformed("no bytes".to_owned()))?;
        match *layout {
            WITHOUT_MORE => postcard::from_bytes(rest).map_err(malformed),
            LAYOUT => {
                let (mut row, rest) = postcard::take_from_bytes(rest).map_err(malformed)?;
                match &mut row {
                    Self::Company(_) => (),
                    Self::Agent(agent) => agent.more = more(rest)?,
                    Self::Conversation(conversation) => conversation.more = more(rest)?,
                }
                Ok(row)
            }
            other => Err(RowError::UnknownVersion(other)),
        }
    }

    fn due_at(&self) -> Option<Timestamp> {
        match self {
            Self::Company(company) => company.retry_at,
            Self::Agent(agent) => agent.due_timer(),
            Self::Conversation(conversation) => conversation.due_timer(),
        }
    }
}

fn append(value: &impl Serialize, into: &mut Vec<u8>) {
    #[expect(clippy::expect_used, reason = "a Vec takes every byte, and every length is known")]
    let bytes = postcard::to_extend(value, std::mem::take(into)).expect("a row serializes");
    *into = bytes;
}

fn more<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RowError> {
    postcard::from_bytes(bytes).map_err(malformed)
}

#[expect(clippy::needless_pass_by_value, reason = "given to `map_err`")]
fn malformed(error: postcard::Error) -> RowError {
    RowError::Malformed(error.to_string())
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
