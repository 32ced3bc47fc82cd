//! The order in which conversations wait. Pure. Source: desk rule R-126.
//!
//! One queue a company: every agent serves every inbox. Once membership is administered, an inbox gets a queue of its own.

use crate::domain::id::ConversationId;
use crate::domain::time::Timestamp;
use crate::route::row::ConversationRow;

/// A conversation's place in the queue; the least is next.
///
/// Earlier due first, without due date after all others; then the oldest; then by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueueKey {
    without_due: bool,
    due_at: Option<Timestamp>,
    since: Timestamp,
    pub(super) id: ConversationId,
}

impl QueueKey {
    pub(super) fn of(id: &ConversationId, conversation: &ConversationRow) -> Self {
        let ConversationRow { due_at, since, .. } = *conversation;
        Self { without_due: due_at.is_none(), due_at, since, id: id.clone() }
    }
}
