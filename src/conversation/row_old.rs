//! Rows of the layouts before 5, whose lists were numbers of variable width. Pure; nothing is written in them any more.

use serde::Deserialize;

use crate::conversation::ledger::{Author, Entry, Ledger};
use crate::conversation::seen::Seen;
use crate::conversation::state::{
    Conversation, Early, HeldEcho, Parting, PendingSend, Preview, StoryTimer, ThreadState, Window,
};
use crate::domain::event::ContentKind;
use crate::domain::id::CompanyId;
use crate::domain::time::Timestamp;

/// What layouts 1 to 4 begin with, field by field.
#[derive(Deserialize)]
pub(super) struct OldState {
    customer_known: bool,
    customer_name: Option<String>,
    facts: u64,
    conversations: u32,
    contacts: u32,
    seen_events: OldSeen,
    seen_commands: OldSeen,
    decided: Option<(CompanyId, u64)>,
    ledger: OldLedger,
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
type OldSeen = (Vec<(Timestamp, u128)>, Option<Timestamp>);
/// Entries, and whether some left.
type OldLedger = (Vec<OldEntry>, bool);

/// An entry, field by field.
#[derive(Deserialize)]
struct OldEntry {
    key: u128,
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

impl From<OldState> for ThreadState {
    fn from(old: OldState) -> Self {
        Self {
            customer_known: old.customer_known,
            customer_name: old.customer_name,
            facts: old.facts,
            conversations: old.conversations,
            contacts: old.contacts,
            seen_events: seen(old.seen_events),
            seen_commands: seen(old.seen_commands),
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

fn seen((entries, horizon): OldSeen) -> Seen {
    Seen::of_old(entries, horizon)
}

fn ledger((entries, truncated): OldLedger) -> Ledger {
    Ledger::of_old(entries.into_iter().map(Entry::from).collect(), truncated)
}

impl From<OldEntry> for Entry {
    fn from(old: OldEntry) -> Self {
        Self {
            contact: old.contact,
            deleted: old.deleted,
            num_edit: old.num_edit,
            liked: old.liked,
            reaction: old.reaction,
            story_expires_at: old.story_expires_at,
            ..Self::new(old.key, old.author, old.kind, old.occurred_at)
        }
    }
}
