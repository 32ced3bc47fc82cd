//! Who gets a conversation. Pure. Source: desk rules.

use crate::domain::id::AgentId;
use crate::route::pool::Pool;
use crate::route::row::ConversationRow;

/// Who gets it, and whether that begins another round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) agent: AgentId,
    /// Everybody who could take it has rejected it: they are asked again.
    pub(super) begins_round: bool,
}

/// `None` when nobody of its inbox has room: the conversation waits, and the next change of an agent asks again.
pub(super) fn choose(pool: &Pool, conversation: &ConversationRow) -> Option<Choice> {
    let inbox = &conversation.inbox_id;
    let unasked = pool.ready.first(inbox, |id| !conversation.rejected.contains(id));
    let begins_round = unasked.is_none();
    let first = unasked.or_else(|| pool.ready.first(inbox, |_| true))?;
    let previous = previous_agent(pool, conversation, first.open)
        .filter(|id| begins_round || !conversation.rejected.contains(*id));
    Some(Choice { agent: previous.unwrap_or(&first.id).clone(), begins_round })
}

/// The previous agent, if ready and with no more open than the least loaded.
fn previous_agent<'a>(
    pool: &Pool,
    conversation: &'a ConversationRow,
    least_open: usize,
) -> Option<&'a AgentId> {
    let id = conversation.previous_agent_id.as_ref()?;
    let key = pool.agents.get(id)?.ready_key(id);
    let is_ready = pool.ready.contains(&conversation.inbox_id, &key);
    (key.open == least_open && is_ready).then_some(id)
}
