//! Rows of the layouts before 6, whose items were a list; before 5 all digests were numbers of variable width. Pure; nothing is
//! written in them any more.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::conversation::ledger::{Author, Entry, Ledger};
use crate::conversation::seen::Seen;
use crate::conversation::state::{
    Conversation, Early, HeldEcho, Parting, PendingSend, Preview, StoryTimer, ThreadState, Window,
};
use crate::domain::event::ContentKind;
use crate::domain::id::CompanyId;
use crate::domain::time::Timestamp;

/// What layout 5 begins with.
pub(super) type ListedState = OldState<Seen, Fixed>;
/// What layouts 1 to 4 begin with.
pub(super) type NarrowState = OldState<NarrowSeen, u128>;

/// What they begin with, field by field.
#[derive(Deserialize)]
pub(super) struct OldState<S, K> {
    customer_known: bool,
    customer_name: Option<String>,
    facts: u64,
    conversations: u32,
    contacts: u32,
    seen_events: S,
    seen_commands: S,
    decided: Option<(CompanyId, u64)>,
    ledger: OldLedger<K>,
    early: Vec<Early>,
    sends: Vec<PendingSend>,
    held: Vec<HeldEcho>,
    stories: Vec<StoryTimer>,
    window: Option<Window>,
    answered_up_to: Option<Timestamp>,
    last_inbound_at: Option<Timestamp>,
    read_up_to_at: Option<Timestamp>,
    preview: Preview,
    parting: Option<Parting>,
    conversation: Option<Conversation>,
}

/// Times and digests, and the horizon.
#[derive(Deserialize)]
pub(super) struct NarrowSeen(Vec<(Timestamp, u128)>, Option<Timestamp>);
/// Entries, and whether some left.
type OldLedger<K> = (Vec<OldEntry<K>>, bool);

/// A digest in sixteen bytes.
pub(super) struct Fixed(u128);

impl<'de> Deserialize<'de> for Fixed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(from)?;
        bytes.try_into().map(|digest| Self(u128::from_be_bytes(digest))).map_err(D::Error::custom)
    }
}

impl From<Fixed> for u128 {
    fn from(Fixed(digest): Fixed) -> Self {
        digest
    }
}

/// An entry, field by field.
#[derive(Deserialize)]
struct OldEntry<K> {
    key: K,
    author: Author,
    kind: ContentKind,
    occurred_at: Timestamp,
    contact: u32,
    deleted: bool,
    num_edit: u32,
    liked: bool,
    reaction: Option<(Timestamp, bool)>,
    story_expires_at: Option<Timestamp>,
}

impl<S: Into<Seen>, K: Into<u128>> From<OldState<S, K>> for ThreadState {
    fn from(old: OldState<S, K>) -> Self {
        Self {
            customer_known: old.customer_known,
            customer_name: old.customer_name,
            facts: old.facts,
            conversations: old.conversations,
            contacts: old.contacts,
            seen_events: old.seen_events.into(),
            seen_commands: old.seen_commands.into(),
            decided: old.decided,
            ledger: ledger(old.ledger),
            early: old.early,
            sends: old.sends,
            held: old.held,
            stories: old.stories,
            window: old.window,
            answered_up_to: old.answered_up_to,
            last_inbound_at: old.last_inbound_at,
            read_up_to_at: old.read_up_to_at,
            preview: old.preview,
            parting: old.parting,
            conversation: old.conversation,
            ..Self::default()
        }
    }
}

impl From<NarrowSeen> for Seen {
    fn from(NarrowSeen(entries, horizon): NarrowSeen) -> Self {
        Self::of_old(entries, horizon)
    }
}

fn ledger<K: Into<u128>>((entries, truncated): OldLedger<K>) -> Ledger {
    Ledger::of_row(entries.into_iter().map(Entry::from).collect(), truncated)
}

impl<K: Into<u128>> From<OldEntry<K>> for Entry {
    fn from(old: OldEntry<K>) -> Self {
        Self {
            contact: old.contact,
            deleted: old.deleted,
            num_edit: old.num_edit,
            liked: old.liked,
            reaction: old.reaction,
            story_expires_at: old.story_expires_at,
            ..Self::new(old.key.into(), old.author, old.kind, old.occurred_at)
        }
    }
}
