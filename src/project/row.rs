//! What the views keep of a thread: rows, not yet ready to be shown. Pure.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::event::{Attachment, ContentKind, Direction, Story};
use crate::domain::fact::{ConversationSnapshot, FactBody, Item};
use crate::domain::id::{AgentId, ConversationId, ItemId, MessageId, SendId};
use crate::domain::outbound::FailureCode;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::project::fold::changed;

/// Everything kept of one thread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ThreadRow {
    /// Facts up to this number are in.
    pub(crate) last_number: u64,
    /// Everything outbound up to here was seen; only grows.
    pub(crate) read_up_to_at: Option<Timestamp>,
    /// Up to where the customer had read, and when they did; the newest last.
    pub(crate) reads: VecDeque<(Timestamp, Timestamp)>,
    /// The thread's conversations.
    pub(crate) conversations: BTreeMap<ConversationId, ConversationRow>,
    /// What was told of messages that are not here, oldest first: they came while the thread was merged.
    pub(crate) loose: VecDeque<FactBody>,
}

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConversationRow {
    /// As it stands: by the newest snapshot, and by the facts after it.
    pub(crate) snapshot: ConversationSnapshot,
    /// Its timeline, oldest first.
    pub(crate) entries: VecDeque<EntryRow>,
    /// Entries dropped at the front.
    pub(crate) omitted: u64,
}

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryRow {
    /// The fact that put it here.
    pub(crate) number: u64,
    /// When it happened.
    pub(crate) occurred_at: Timestamp,
    /// What it is.
    pub(crate) body: EntryRowBody,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryRowBody {
    /// Something said.
    Item(Box<ItemRow>),
    /// Something that became true: the fact's name, its words, whom it is about.
    Event(&'static str, String, Option<AgentId>),
}

/// Something said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ItemRow {
    pub(crate) item_id: ItemId,
    /// The platform's ids, one a part.
    pub(crate) mids: Vec<MessageId>,
    pub(crate) direction: Direction,
    pub(crate) kind: ContentKind,
    pub(crate) text: Option<String>,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) reply_to_mid: Option<MessageId>,
    pub(crate) story: Option<Story>,
    pub(crate) story_expires_at: Option<Timestamp>,
    /// The story's day is over by a fact, whatever the clock says.
    pub(crate) story_gone: bool,
    pub(crate) native_app: bool,
    pub(crate) deleted: bool,
    /// The highest edit applied.
    pub(crate) num_edit: Option<u32>,
    /// The customer's reaction and what they picked.
    pub(crate) reaction: Option<Option<String>>,
    pub(crate) liked: bool,
    pub(crate) standby: bool,
    /// The thread it came on, where that was merged into the row's.
    pub(crate) origin: Option<Thread>,
    pub(crate) agent_id: Option<AgentId>,
    pub(crate) parts: Parts,
}

/// How far the parts of an outbound item got.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Parts {
    /// By part; a part that nothing was heard of yet is not here.
    pub(crate) heard_of: BTreeMap<SendId, Part>,
    /// So many parts are to go out, as far as the facts say.
    pub(crate) expected: usize,
    /// The whole is out: said of the item, not of a part of it.
    pub(crate) all_sent: bool,
}

/// How far one part got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Queued,
    Sent,
    Failed(FailureCode),
    Unknown,
}

impl ThreadRow {
    /// Reads remembered; of what was read before them the first of these is told.
    const READS_MAX: usize = 100;
    /// Changes remembered of messages that are not here; of older ones nothing is known.
    const LOOSE_MAX: usize = 200;

    /// The customer has read up to a moment.
    pub(crate) fn read(&mut self, up_to: Timestamp, at: Timestamp) {
        self.read_up_to_at = self.read_up_to_at.max(Some(up_to));
        self.reads.push_back((up_to, at));
        if self.reads.len() > Self::READS_MAX {
            self.reads.pop_front();
        }
    }
}

impl ThreadRow {
    /// Keeps what was told of a message that is not here; of an unsent one nothing that was said.
    pub(crate) fn keep_loose(&mut self, mid: &MessageId, body: &FactBody) {
        if let FactBody::MessageDeleted { .. } = body {
            self.loose.retain(|other| changed(other) != Some(mid));
        }
        self.loose.push_back(body.clone());
        if self.loose.len() > Self::LOOSE_MAX {
            self.loose.pop_front();
        }
    }
}

impl ItemRow {
    /// A row that says what `item` says.
    pub(crate) fn new(item: &Item, direction: Direction) -> Self {
        let mut row = Self {
            item_id: item.item_id.clone(),
            mids: item.mid.iter().cloned().collect(),
            direction,
            kind: item.kind,
            text: item.text.clone(),
            attachments: item.attachments.clone(),
            reply_to_mid: item.reply_to_mid.clone(),
            story: item.story.clone(),
            story_expires_at: item.story_expires_at,
            story_gone: false,
            native_app: false,
            deleted: false,
            num_edit: None,
            reaction: None,
            liked: false,
            standby: item.standby,
            origin: item.origin.clone(),
            agent_id: None,
            parts: Parts::default(),
        };
        if item.deleted {
            row.delete();
        }
        row
    }

    /// Its content leaves the view; id, time and direction stay.
    pub(crate) fn delete(&mut self) {
        self.deleted = true;
        self.text = None;
        self.attachments = Vec::new();
        self.story = None;
        self.story_expires_at = None;
        self.reaction = None;
    }

    /// Takes in what another fact about the same item adds.
    pub(crate) fn join(&mut self, item: &Item) {
        if let Some(mid) = item.mid.as_ref().filter(|mid| !self.mids.contains(mid)) {
            self.mids.push(mid.clone());
        }
        if item.deleted {
            self.delete();
        }
        if self.deleted {
            return;
        }
        if self.text.is_none() {
            self.text.clone_from(&item.text);
        }
        if self.attachments.is_empty() {
            self.attachments.clone_from(&item.attachments);
        }
    }
}
