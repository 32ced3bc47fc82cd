//! A conversation as it stands, for `conversations` and whoever lists them. Pure.
//!
//! It follows from the thread's state and the settings alone, so that a turn writes it once, however often it changed in it.

use crate::conversation::state::ThreadState;
use crate::conversation::turn::display_name;
use crate::conversation::window::reply_until;
use crate::domain::derive;
use crate::domain::fact::ConversationSnapshot;
use crate::domain::settings::SettingsTable;
use crate::domain::thread::Thread;

/// The conversation of `thread` as it stands; `None` where there is none.
pub fn snapshot(
    state: &ThreadState,
    thread: &Thread,
    settings: &SettingsTable,
) -> Option<ConversationSnapshot> {
    let Some(conversation) = &state.conversation else { return None };
    // Of a merged thread the customer is its home's.
    let customer_id = derive::customer_id(state.ties.home.as_ref().unwrap_or(thread));
    let contact = conversation.contact();
    let due_at = contact.and_then(|contact| contact.due).map(|due| due.due_at);
    let moved = state.more.due_before.filter(|(moved_to, _)| Some(*moved_to) == due_at);
    let window = reply_until(state, thread, settings);
    let contact_id = contact.map(|contact| derive::contact_id(thread, contact.number));
    Some(ConversationSnapshot {
        conversation_id: derive::conversation_id(thread, conversation.number),
        thread: thread.clone(),
        company_id: conversation.company_id.clone(),
        customer_id,
        display_name: display_name(state),
        status: conversation.status(),
        inbox_id: conversation.inbox_id.clone(),
        agent_id: conversation.agent.clone(),
        contact_id,
        due_at,
        due_at_before: moved.map(|(_, before)| before),
        reply_window_expires_at: window.map(|(expires_at, _)| expires_at),
        reply_window_opened_by: window.and_then(|(_, opened_by)| opened_by),
        preview: state.preview.text.clone(),
        topics: conversation.topics.clone(),
        read_up_to_at: state.read_up_to_at,
        items: conversation.items,
        last_item_at: conversation.last_item_at,
        as_of_number: state.facts,
    })
}
