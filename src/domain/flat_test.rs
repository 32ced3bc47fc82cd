//! Events and requests read back as they were written, and only whole.

use super::*;
use crate::domain::event::{ContentKind, DeadLetterReason, IgnoreReason, ThreadControlAction};

fn text(words: &str) -> String {
    words.to_owned()
}

fn mid() -> MessageId {
    MessageId::parse("m_1").unwrap()
}

fn referral() -> Referral {
    Referral { reference: Some(text("r")), ad_id: Some(text("7")), ..Referral::default() }
}

fn message() -> MessageBody {
    MessageBody {
        content: Content { kind: ContentKind::Text, text: Some(text("hi")) },
        attachments: vec![Attachment { kind: text("image"), ..Attachment::default() }],
        reply_to_mid: Some(mid()),
        story: Some(Story { id: Some(text("s")), url: None }),
        quick_reply: Some(text("q")),
        referral: Some(referral()),
        standby: true,
        to_self: true,
        folder: Some(text("f")),
        app_id: Some(text("a")),
    }
}

fn bare() -> MessageBody {
    MessageBody {
        content: Content { kind: ContentKind::Empty, text: None },
        attachments: Vec::new(),
        reply_to_mid: None,
        story: None,
        quick_reply: None,
        referral: None,
        standby: false,
        to_self: false,
        folder: None,
        app_id: None,
    }
}

fn reaction() -> Reaction {
    let direction = Direction::Outbound;
    Reaction { target_mid: mid(), reaction: Some(text("love")), emoji: None, direction }
}

fn every_kind() -> Vec<EventKind> {
    let (action, reason) = (text("warning"), IgnoreReason::NotADm);
    vec![
        EventKind::MessageReceived(message()),
        EventKind::MessageReceived(bare()),
        EventKind::MessageEchoed(message()),
        EventKind::MessageEdited { text: text("ho"), num_edit: 3 },
        EventKind::MessageDeleted { direction: Direction::Outbound },
        EventKind::MessageRead { watermark_at: Some(Timestamp::from_ms(9)) },
        EventKind::MessageRead { watermark_at: None },
        EventKind::ReactionAdded(reaction()),
        EventKind::ReactionRemoved(reaction()),
        EventKind::PostbackReceived { title: None, payload: text("p"), referral: None },
        EventKind::ReferralReceived { referral: referral() },
        EventKind::ThreadControl(ThreadControl {
            action: ThreadControlAction::RolesChanged,
            previous_owner_app_id: Some(text("1")),
            new_owner_app_id: Some(text("2")),
            requested_owner_app_id: Some(text("3")),
        }),
        EventKind::AccountPolicy { action, reason: Some(text("spam")) },
        EventKind::WebhookTest { field: text("messages") },
        EventKind::Ignored { reason, what: Some(text("comments")) },
        EventKind::DeadLetter { reason: DeadLetterReason::BadShape, detail: Some(text("$.x")) },
    ]
}

#[test]
fn every_kind_of_event_reads_back_as_it_was_written() {
    for kind in every_kind() {
        let event = Event {
            kind,
            event_id: EventId::parse("ev-1").unwrap(),
            account_id: Some(AccountId::parse("a").unwrap()),
            person_id: Some(PersonId::parse("p").unwrap()),
            occurred_at: Timestamp::from_ms(1),
            received_at: Timestamp::from_ms(2),
            mid: Some(mid()),
        };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event, "{json}");
    }
}

#[test]
fn every_request_reads_back_as_it_was_written() {
    let (inbox_id, agent_id) = (InboxId::parse("in").unwrap(), AgentId::parse("ada").unwrap());
    let due_at = Some(Timestamp::from_ms(5));
    check(RoutingAsk::Enqueue {
        inbox_id: inbox_id.clone(),
        due_at,
        waiting_since_at: Timestamp::from_ms(3),
        customer_name: text("n"),
        preview: text("v"),
        previous_agent_id: Some(agent_id.clone()),
    });
    check(RoutingAsk::Update { due_at: None, preview: text("v") });
    check(RoutingAsk::Assign { inbox_id, agent_id, reason: AssignReason::Manual });
    check(RoutingAsk::Withdraw);

    #[track_caller]
    fn check(ask: RoutingAsk) {
        let request = RoutingRequest {
            ask,
            company_id: CompanyId::parse("co").unwrap(),
            thread: Thread::from_key("a:p").unwrap(),
            conversation_id: ConversationId::parse("cv-1").unwrap(),
            contact_id: ContactId::parse("ct-1").unwrap(),
            requested_at: Timestamp::from_ms(7),
        };
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<RoutingRequest>(&json).unwrap(), request, "{json}");
    }
}

#[test]
fn what_a_kind_needs_is_missed_and_what_it_does_not_know_is_passed_over() {
    let common = r#""event_id":"e","occurred_at":1,"received_at":2"#;
    check(common, r#""type":"message.read""#, true);
    check(common, r#""type":"message.read","watermark_at":null,"later":{"x":[1]}"#, true);
    check(common, r#""type":"reaction.added","target_mid":"m""#, true);
    check(common, r#""type":"message.received""#, false);
    check(common, r#""type":"message.edited","text":"t""#, false);
    check(common, r#""type":"ignored","reason":"bad_json""#, false);
    check(common, r#""type":"message.sung""#, false);
    check(r#""event_id":"e","occurred_at":1"#, r#""type":"message.read""#, false);

    #[track_caller]
    fn check(common: &str, own: &str, reads: bool) {
        let json = format!("{{{common},{own}}}");
        assert_eq!(serde_json::from_str::<Event>(&json).is_ok(), reads, "{json}");
    }
}
