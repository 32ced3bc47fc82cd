//! Everything remembered about one thread. Pure.
//!
//! No text stays here but the newest inbound preview, an edit that waits for its message, an echo that waits for
//! our own send's answer, and what agents noted of the customer. Every list has a bound. Not here: bytes and timers (`row`, `timer`).

use serde::{Deserialize, Serialize};

use crate::conversation::ledger::Ledger;
use crate::conversation::seen::Seen;
use crate::domain::details::Details;
use crate::domain::event::Direction;
use crate::domain::fact::{Status, WindowReason};
use crate::domain::id::{AgentId, CompanyId, InboxId, ItemId, MessageId, OfferId, SendId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// Everything remembered about one thread.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadState {
    /// The customer was made known.
    pub customer_known: bool,
    /// Name shown, once a profile gave one.
    pub customer_name: Option<String>,
    /// Facts so far; the next has this number plus one.
    pub facts: u64,
    /// Conversations so far.
    pub conversations: u32,
    /// Contacts so far, over all conversations.
    pub contacts: u32,
    /// Events applied.
    pub seen_events: Seen,
    /// Commands and client message ids applied.
    pub seen_commands: Seen,
    /// The newest routing decision taken in.
    pub decided: Option<(CompanyId, u64)>,
    /// Newest items.
    pub ledger: Ledger,
    /// What came before its message, oldest first.
    pub early: Vec<Early>,
    /// Own sends whose outcome is open.
    pub sends: Vec<PendingSend>,
    /// Echoes that wait for the answer to an own send.
    pub held: Vec<HeldEcho>,
    /// Stories still shown.
    pub stories: Vec<StoryTimer>,
    /// The reply window.
    pub window: Option<Window>,
    /// Newest confirmed human outbound: all inbound up to it is answered.
    pub answered_up_to: Option<Timestamp>,
    /// Newest inbound item of a contact.
    pub last_inbound_at: Option<Timestamp>,
    /// Everything outbound up to here was seen.
    pub read_up_to_at: Option<Timestamp>,
    /// The newest inbound item, shortened.
    pub preview: Preview,
    /// A contact that ended while its answer was on the way.
    pub parting: Option<Parting>,
    /// The conversation, open or closed.
    pub conversation: Option<Conversation>,
    /// What layout 2 added; on disk behind all others (`row`).
    #[serde(skip)]
    pub ties: Ties,
    /// What layout 3 added; on disk behind `ties`.
    #[serde(skip)]
    pub more: More,
}

/// What layout 3 added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct More {
    /// The conversation was moved to another inbox: the account's own target no longer applies.
    pub transferred: bool,
    /// The due date that a move gave, and the one before it.
    pub due_before: Option<(Timestamp, Timestamp)>,
    /// The steps behind a breached due date.
    pub overdue: Option<Overdue>,
    /// Confirmed human outbound of the contact since the person last wrote, oldest first.
    pub outs: Vec<Timestamp>,
    /// What opened the reply window.
    pub opened_by: Option<WindowReason>,
    /// An ad keeps the window open until then.
    pub ad_until: Option<Timestamp>,
    /// It was merged into another once: items of it stand there, unknown here.
    pub was_guest: bool,
    /// What agents noted.
    #[serde(with = "as_json")]
    pub details: Details,
}

/// Details leave out what nobody said, which the row's own format cannot: on disk they are JSON, empty for nothing.
mod as_json {
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::domain::details::Details;

    pub(super) fn serialize<S: Serializer>(details: &Details, to: S) -> Result<S::Ok, S::Error> {
        if details.is_empty() {
            return "".serialize(to);
        }
        serde_json::to_string(details).map_err(S::Error::custom)?.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Details, D::Error> {
        let text = String::deserialize(from)?;
        if text.is_empty() {
            return Ok(Details::default());
        }
        serde_json::from_str(&text).map_err(D::Error::custom)
    }
}

/// The steps behind a breached due date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overdue {
    /// Which due date.
    pub due_at: Timestamp,
    /// Steps told.
    pub told: u32,
    /// When to tell the next; `None` when all are told.
    pub next_at: Option<Timestamp>,
}

/// Merges with other threads (ADR 0006).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ties {
    /// The thread this one is merged into: what comes new goes on there.
    pub home: Option<Thread>,
    /// Threads merged into this one, the newest last.
    pub guests: Vec<TiedGuest>,
    /// The newest inbound item, and the guest it came from.
    pub newest_from: Option<(Timestamp, Option<Thread>)>,
    /// The thread it was merged into last, which still waits for outcomes; on disk behind all others (`row`).
    #[serde(skip)]
    pub last_home: Option<Thread>,
    /// The guest that was let go last, and when: what it passed on just before is given back; on disk behind all others (`row`).
    #[serde(skip)]
    pub last_gone: Option<(Thread, Timestamp)>,
}

/// A thread merged into this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TiedGuest {
    /// Which.
    pub thread: Thread,
    /// When its person last opened the reply window.
    pub opened_at: Option<Timestamp>,
    /// Its messages known here, from and to its person, oldest first.
    pub mids: Vec<MessageId>,
    /// What keeps its reply window open; on disk behind all others (`row`).
    #[serde(skip)]
    pub window: GuestWindow,
}

/// What keeps a guest's reply window open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestWindow {
    /// What opened it.
    pub opened_by: Option<WindowReason>,
    /// An ad keeps it open until then.
    pub ad_until: Option<Timestamp>,
}

/// Bounds of the lists in [`ThreadState`].
pub mod bound {
    /// Changes that wait for their message.
    pub const EARLY: usize = 64;
    /// Own sends whose outcome is open.
    pub const SENDS: usize = 64;
    /// Echoes held.
    pub const HELD: usize = 32;
    /// Stories watched; of older ones the expiry is told on read.
    pub const STORIES: usize = 32;
    /// Topics of a conversation.
    pub const TOPICS: usize = 32;
    /// Threads merged into one.
    pub const GUESTS: usize = 16;
    /// Outbound since the person last wrote.
    pub const OUTS: usize = 64;
    /// Messages of a guest that are still known as its own.
    pub const GUEST_MIDS: usize = 200;
}

/// The current conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Counts the thread's conversations.
    pub number: u32,
    /// Whose agents.
    pub company_id: CompanyId,
    /// Where it waits.
    pub inbox_id: InboxId,
    /// Whose it is; never of a closed one.
    pub agent: Option<AgentId>,
    /// Whose it was last.
    pub last_agent: Option<AgentId>,
    /// Last item of the contact before.
    pub previous_item_at: Option<Timestamp>,
    /// Where it stands.
    pub phase: Phase,
    /// Its topics.
    pub topics: Vec<String>,
    /// Its items so far.
    pub items: u64,
    /// Newest item.
    pub last_item_at: Timestamp,
}

impl Conversation {
    ///
    #[must_use]
    pub const fn status(&self) -> Status {
        match (&self.phase, &self.agent) {
            (Phase::Live(_), None) => Status::New,
            (Phase::Live(_), Some(_)) => Status::Open,
            (Phase::Waiting, _) => Status::Waiting,
            (Phase::Closed { .. }, _) => Status::Closed,
        }
    }

    /// The open contact.
    #[must_use]
    pub fn contact(&self) -> Option<&Contact> {
        match &self.phase {
            Phase::Live(contact) => Some(contact),
            Phase::Waiting | Phase::Closed { .. } => None,
        }
    }

    /// The open contact, to be changed.
    pub fn contact_mut(&mut self) -> Option<&mut Contact> {
        match &mut self.phase {
            Phase::Live(contact) => Some(contact),
            Phase::Waiting | Phase::Closed { .. } => None,
        }
    }
}

/// Where a conversation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// A contact is open.
    Live(Box<Contact>),
    /// All contacts ended.
    Waiting,
    /// Closed.
    Closed {
        /// When.
        at: Timestamp,
    },
}

/// The open contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Counts the thread's contacts.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// Who began it.
    pub direction: Direction,
    /// What routing knows of it.
    pub care: Care,
    /// What routing was last told, and then only changes.
    pub told: Option<(Option<Timestamp>, String)>,
    /// The running due date.
    pub due: Option<Due>,
    /// The due date an unconfirmed reply cleared.
    pub suspended: Option<Due>,
    /// Newest item, and whether it is an echo.
    pub newest: (Timestamp, bool),
    /// An agent pressed Send in it.
    pub agent_replied: bool,
    /// Newest confirmed human outbound.
    pub last_out_at: Option<Timestamp>,
    /// When its agent got it.
    pub assigned_at: Option<Timestamp>,
    /// When it ends by itself.
    pub auto_end_at: Option<Timestamp>,
}

/// What routing knows of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Care {
    /// Nothing: only an echo, and those are not routed.
    Unasked,
    /// Asked, no word yet.
    Asked,
    /// Waits for an agent.
    Queued,
    /// On a banner.
    Offered {
        /// The offer.
        offer_id: OfferId,
    },
    /// In an agent's hands.
    Held,
}

/// A due date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The first unanswered item's time.
    pub since: Timestamp,
    /// Answer due.
    pub due_at: Timestamp,
    /// When to say that it is near; gone once said.
    pub soon_at: Option<Timestamp>,
    /// That it passed was said.
    pub breached: bool,
}

/// A contact that ended while its answer was on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parting {
    /// Which contact.
    pub contact: u32,
    /// What the answer was due by.
    pub due_at: Timestamp,
}

/// The reply window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The newest opener.
    pub opened_at: Timestamp,
    /// Last moment for a reply.
    pub expires_at: Timestamp,
    /// When to say that it ends soon; gone once said.
    pub expiring_at: Option<Timestamp>,
    /// That it ended was said.
    pub expired: bool,
}

/// The newest inbound item, shortened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Its time and key: the newest wins.
    pub of: Option<(Timestamp, u128)>,
    /// What is shown.
    pub text: String,
}

/// A story still shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryTimer {
    /// The message that shows it.
    pub mid: MessageId,
    /// Shown until, exclusive.
    pub expires_at: Timestamp,
}

/// A change that came before its message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Early {
    /// The message's key.
    pub key: u128,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What.
    pub change: EarlyChange,
}

/// What came before its message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EarlyChange {
    /// It was unsent.
    Deleted,
    /// It was edited.
    Edited {
        /// The text.
        text: String,
        /// Which edit.
        num_edit: u32,
    },
    /// The person reacted or took it back.
    Reacted {
        /// What they picked.
        emoji: Option<String>,
        /// It was taken back.
        removed: bool,
    },
    /// The person has seen it.
    Read,
}

/// An own send whose outcome is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingSend {
    /// Which part.
    pub send_id: SendId,
    /// Of which item.
    pub item_id: ItemId,
    /// In which contact; zero for none.
    pub contact: u32,
    /// What.
    pub what: Sending,
    /// When Send was pressed.
    pub requested_at: Timestamp,
    /// Who pressed it.
    pub agent_id: AgentId,
    /// What is known.
    pub doubt: Doubt,
}

impl PendingSend {
    /// It answers the customer, unless it turns out not to have gone out.
    #[must_use]
    pub const fn answers_for_now(&self) -> bool {
        matches!(self.what, Sending::Words { human: true, .. })
            && !matches!(self.doubt, Doubt::Asked)
    }
}

/// What a pending send is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sending {
    /// Text or images: what an echo must look like to be its own.
    Words {
        /// See `compose::words_digest`.
        digest: u128,
        /// Not written by a rule.
        human: bool,
    },
    /// A heart.
    Heart {
        /// On which message.
        mid: MessageId,
        /// Put on, or taken off.
        on: bool,
    },
}

/// What is known of a pending send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doubt {
    /// No outcome yet.
    None,
    /// Nobody knows whether it went out; the agent is asked then.
    Unknown {
        /// When.
        ask_at: Timestamp,
    },
    /// The agent was asked; an echo may still tell.
    Asked,
}

/// An echo that waits for the answer to an own send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldEcho {
    /// Its key.
    pub key: u128,
    /// The send it looks like; each absorbs one.
    pub send_id: SendId,
    /// Until when it waits.
    pub until: Timestamp,
    /// The event, as JSON.
    pub event: Vec<u8>,
}
