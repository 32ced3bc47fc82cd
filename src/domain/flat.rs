//! Reads events and routing requests in one pass. Pure.
//!
//! On the wire their tag and their parts' fields stand beside the common ones. Deriving that would first read every value
//! into a tree and then read the tree again; here each field of any kind is read once, into its place, and the tag says
//! which of them are needed. Written, and described in schemas, they are as derived.

use serde::de::value::StrDeserializer;
use serde::de::{Error, IntoDeserializer};
use serde::{Deserialize, Deserializer};

use crate::domain::event::{
    Attachment, Content, Direction, Event, EventKind, MessageBody, Reaction, Referral, Story,
    ThreadControl,
};
use crate::domain::id::{
    AccountId, AgentId, CompanyId, ContactId, ConversationId, EventId, InboxId, MessageId, PersonId,
};
use crate::domain::routing::{AssignReason, RoutingAsk, RoutingRequest};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FlatEvent::deserialize(deserializer)?.event()
    }
}

impl<'de> Deserialize<'de> for RoutingRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FlatRequest::deserialize(deserializer)?.request()
    }
}

#[derive(Deserialize)]
enum EventTag {
    #[serde(rename = "message.received")]
    MessageReceived,
    #[serde(rename = "message.echoed")]
    MessageEchoed,
    #[serde(rename = "message.edited")]
    MessageEdited,
    #[serde(rename = "message.deleted")]
    MessageDeleted,
    #[serde(rename = "message.read")]
    MessageRead,
    #[serde(rename = "reaction.added")]
    ReactionAdded,
    #[serde(rename = "reaction.removed")]
    ReactionRemoved,
    #[serde(rename = "postback.received")]
    PostbackReceived,
    #[serde(rename = "referral.received")]
    ReferralReceived,
    #[serde(rename = "thread.control")]
    ThreadControl,
    #[serde(rename = "account.policy")]
    AccountPolicy,
    #[serde(rename = "webhook.test")]
    WebhookTest,
    #[serde(rename = "ignored")]
    Ignored,
    #[serde(rename = "dead_letter")]
    DeadLetter,
}

/// The common fields, and those of every kind.
#[derive(Deserialize)]
struct FlatEvent {
    #[serde(rename = "type")]
    tag: EventTag,
    event_id: EventId,
    account_id: Option<AccountId>,
    person_id: Option<PersonId>,
    occurred_at: Timestamp,
    received_at: Timestamp,
    mid: Option<MessageId>,
    content: Option<Content>,
    #[serde(default)]
    attachments: Vec<Attachment>,
    reply_to_mid: Option<MessageId>,
    story: Option<Story>,
    quick_reply: Option<String>,
    referral: Option<Referral>,
    #[serde(default)]
    standby: bool,
    #[serde(default, rename = "self")]
    to_self: bool,
    folder: Option<String>,
    app_id: Option<String>,
    text: Option<String>,
    num_edit: Option<u32>,
    direction: Option<Direction>,
    watermark_at: Option<Timestamp>,
    target_mid: Option<MessageId>,
    reaction: Option<String>,
    emoji: Option<String>,
    title: Option<String>,
    payload: Option<String>,
    action: Option<String>,
    previous_owner_app_id: Option<String>,
    new_owner_app_id: Option<String>,
    requested_owner_app_id: Option<String>,
    reason: Option<String>,
    field: Option<String>,
    what: Option<String>,
    detail: Option<String>,
}

impl FlatEvent {
    fn event<E: Error>(mut self) -> Result<Event, E> {
        let kind = match self.tag {
            EventTag::MessageReceived => EventKind::MessageReceived(self.message()?),
            EventTag::MessageEchoed => EventKind::MessageEchoed(self.message()?),
            EventTag::MessageEdited => EventKind::MessageEdited {
                text: needed(self.text.take(), "text")?,
                num_edit: needed(self.num_edit, "num_edit")?,
            },
            EventTag::MessageDeleted => {
                EventKind::MessageDeleted { direction: needed(self.direction, "direction")? }
            }
            EventTag::MessageRead => EventKind::MessageRead { watermark_at: self.watermark_at },
            EventTag::ReactionAdded => EventKind::ReactionAdded(self.reaction()?),
            EventTag::ReactionRemoved => EventKind::ReactionRemoved(self.reaction()?),
            EventTag::PostbackReceived => EventKind::PostbackReceived {
                title: self.title.take(),
                payload: needed(self.payload.take(), "payload")?,
                referral: self.referral.take(),
            },
            EventTag::ReferralReceived => {
                EventKind::ReferralReceived { referral: needed(self.referral.take(), "referral")? }
            }
            EventTag::ThreadControl => EventKind::ThreadControl(ThreadControl {
                action: word(self.action.as_deref(), "action")?,
                previous_owner_app_id: self.previous_owner_app_id.take(),
                new_owner_app_id: self.new_owner_app_id.take(),
                requested_owner_app_id: self.requested_owner_app_id.take(),
            }),
            EventTag::AccountPolicy => EventKind::AccountPolicy {
                action: needed(self.action.take(), "action")?,
                reason: self.reason.take(),
            },
            EventTag::WebhookTest => {
                EventKind::WebhookTest { field: needed(self.field.take(), "field")? }
            }
            EventTag::Ignored => EventKind::Ignored {
                reason: word(self.reason.as_deref(), "reason")?,
                what: self.what.take(),
            },
            EventTag::DeadLetter => EventKind::DeadLetter {
                reason: word(self.reason.as_deref(), "reason")?,
                detail: self.detail.take(),
            },
        };
        Ok(Event {
            kind,
            event_id: self.event_id,
            account_id: self.account_id,
            person_id: self.person_id,
            occurred_at: self.occurred_at,
            received_at: self.received_at,
            mid: self.mid,
        })
    }

    fn message<E: Error>(&mut self) -> Result<MessageBody, E> {
        Ok(MessageBody {
            content: needed(self.content.take(), "content")?,
            attachments: std::mem::take(&mut self.attachments),
            reply_to_mid: self.reply_to_mid.take(),
            story: self.story.take(),
            quick_reply: self.quick_reply.take(),
            referral: self.referral.take(),
            standby: self.standby,
            to_self: self.to_self,
            folder: self.folder.take(),
            app_id: self.app_id.take(),
        })
    }

    fn reaction<E: Error>(&mut self) -> Result<Reaction, E> {
        Ok(Reaction {
            target_mid: needed(self.target_mid.take(), "target_mid")?,
            reaction: self.reaction.take(),
            emoji: self.emoji.take(),
            direction: self.direction.unwrap_or(Direction::Inbound),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum AskTag {
    Enqueue,
    Update,
    Assign,
    Withdraw,
}

/// The common fields, and those of every ask.
#[derive(Deserialize)]
struct FlatRequest {
    #[serde(rename = "type")]
    tag: AskTag,
    company_id: CompanyId,
    account_id: AccountId,
    person_id: PersonId,
    conversation_id: ConversationId,
    contact_id: ContactId,
    requested_at: Timestamp,
    inbox_id: Option<InboxId>,
    due_at: Option<Timestamp>,
    waiting_since_at: Option<Timestamp>,
    customer_name: Option<String>,
    preview: Option<String>,
    previous_agent_id: Option<AgentId>,
    agent_id: Option<AgentId>,
    reason: Option<AssignReason>,
}

impl FlatRequest {
    fn request<E: Error>(self) -> Result<RoutingRequest, E> {
        let ask = match self.tag {
            AskTag::Enqueue => RoutingAsk::Enqueue {
                inbox_id: needed(self.inbox_id, "inbox_id")?,
                due_at: self.due_at,
                waiting_since_at: needed(self.waiting_since_at, "waiting_since_at")?,
                customer_name: needed(self.customer_name, "customer_name")?,
                preview: needed(self.preview, "preview")?,
                previous_agent_id: self.previous_agent_id,
            },
            AskTag::Update => RoutingAsk::Update {
                due_at: self.due_at,
                preview: needed(self.preview, "preview")?,
            },
            AskTag::Assign => RoutingAsk::Assign {
                inbox_id: needed(self.inbox_id, "inbox_id")?,
                agent_id: needed(self.agent_id, "agent_id")?,
                reason: needed(self.reason, "reason")?,
            },
            AskTag::Withdraw => RoutingAsk::Withdraw,
        };
        Ok(RoutingRequest {
            ask,
            company_id: self.company_id,
            thread: Thread { account_id: self.account_id, person_id: self.person_id },
            conversation_id: self.conversation_id,
            contact_id: self.contact_id,
            requested_at: self.requested_at,
        })
    }
}

fn needed<T, E: Error>(value: Option<T>, field: &'static str) -> Result<T, E> {
    value.ok_or_else(|| E::missing_field(field))
}

/// A closed word that stands under a name which other kinds use for other words.
fn word<'de, T: Deserialize<'de>, E: Error>(
    text: Option<&'de str>,
    field: &'static str,
) -> Result<T, E> {
    let text: StrDeserializer<'de, E> = needed(text, field)?.into_deserializer();
    T::deserialize(text)
}

#[cfg(test)]
#[path = "flat_test.rs"]
mod tests;
