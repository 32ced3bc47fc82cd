//! Facts, items and snapshots for the tests of this room.

use crate::domain::event::ContentKind;
use crate::domain::fact::{Channel, ConversationSnapshot, Fact, FactBody, Initiator, Item, Status};
use crate::domain::id::{
    AgentId, CompanyId, ConversationId, CustomerId, EventId, InboxId, ItemId, MessageId,
};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

pub(super) const CONVERSATION: &str = "cv-1";

pub(super) fn thread(person: &str) -> Thread {
    Thread::from_key(&format!("1784:{person}")).unwrap()
}

pub(super) fn mid(text: &str) -> MessageId {
    MessageId::parse(text).unwrap()
}

pub(super) fn item(id: &str, text: Option<&str>) -> Item {
    Item {
        item_id: ItemId::parse(&format!("it-{id}")).unwrap(),
        mid: Some(mid(&format!("m-{id}"))),
        send_id: None,
        kind: ContentKind::Text,
        text: text.map(str::to_owned),
        attachments: Vec::new(),
        reply_to_mid: None,
        story: None,
        story_expires_at: None,
        deleted: false,
        standby: false,
        request_folder: None,
        origin: None,
    }
}

pub(super) fn fact(number: u64, body: FactBody) -> Fact {
    let initiator = if matches!(body, FactBody::MessageQueued(_)) {
        Initiator::Agent(AgentId::parse("ana").unwrap())
    } else if matches!(body, FactBody::MessageSent(_)) {
        Initiator::NativeApp
    } else {
        Initiator::Customer
    };
    Fact {
        body,
        fact_id: EventId::parse(&format!("fa-{number}")).unwrap(),
        number,
        channel: Channel::InstagramDirect,
        company_id: CompanyId::parse("default").unwrap(),
        thread: thread("9001"),
        customer_id: CustomerId::parse("cu-1").unwrap(),
        conversation_id: Some(ConversationId::parse(CONVERSATION).unwrap()),
        contact_id: None,
        initiator,
        inbox_id: Some(InboxId::parse("support").unwrap()),
        assignee_id: None,
        occurred_at: Timestamp::from_ms(number * 1_000),
        recorded_at: Timestamp::from_ms(number * 1_000),
    }
}

pub(super) fn snapshot(id: &str, as_of_number: u64) -> ConversationSnapshot {
    ConversationSnapshot {
        conversation_id: ConversationId::parse(id).unwrap(),
        thread: thread("9001"),
        company_id: CompanyId::parse("default").unwrap(),
        customer_id: CustomerId::parse("cu-1").unwrap(),
        display_name: "Maria".to_owned(),
        status: Status::Open,
        inbox_id: InboxId::parse("support").unwrap(),
        agent_id: Some(AgentId::parse("ana").unwrap()),
        contact_id: None,
        due_at: None,
        due_at_before: None,
        reply_window_expires_at: None,
        reply_window_opened_by: None,
        preview: "hello".to_owned(),
        topics: Vec::new(),
        read_up_to_at: None,
        items: 1,
        last_item_at: Timestamp::from_ms(1_000),
        as_of_number,
    }
}
