//! Items return by their thread after an unmerge, and outward items say what R-156 names.

use serde::Serialize;
use serde_json::json;

use super::fixture_test::{fact, item, mid, snapshot, thread};
use super::{EntryBody, Look, Views, outward_items};
use crate::broker::NextOffsets;
use crate::broker::record::{Headers, Record};
use crate::domain::customer::{CustomerKey, CustomerMerge, CustomerRecord};
use crate::domain::derive::customer_id;
use crate::domain::event::{Attachment, ContentKind, Story};
use crate::domain::fact::{Fact, FactBody, Initiator, Item};
use crate::domain::id::{AgentId, ConversationId, MessageId, SendId};
use crate::domain::outbound::FailureCode;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::topics::Topic;

const LOOK: Look = Look { now: Timestamp::from_ms(0), show_reactions: true };

fn apply(views: &Views, topic: Topic, key: &str, value: Option<&impl Serialize>) {
    let record = Record {
        topic,
        partition: 0,
        offset: 0,
        timestamp: Timestamp::from_ms(0),
        key: Some(key.as_bytes().to_vec()),
        value: value.map(|value| serde_json::to_vec(value).unwrap()),
        headers: Headers::default(),
    };
    views.apply(&[record], &NextOffsets::new());
}

/// A fact of a person's conversation `cv-PERSON`.
fn told(views: &Views, person: &str, number: u64, at: u64, body: FactBody) {
    let fact = Fact {
        thread: thread(person),
        conversation_id: Some(conversation(person)),
        occurred_at: Timestamp::from_ms(at),
        ..fact(number, body)
    };
    apply(views, Topic::Timeline, &fact.thread.key(), Some(&fact));
}

fn conversation(person: &str) -> ConversationId {
    ConversationId::parse(&format!("cv-{person}")).unwrap()
}

fn said(id: &str, origin: Option<Thread>) -> FactBody {
    FactBody::MessageReceived(Item { origin, ..item(id, Some(id)) })
}

fn merge(views: &Views, stands: bool) {
    let record = CustomerRecord::Merged(CustomerMerge {
        customer_id: customer_id(&thread("1")),
        thread: thread("1"),
        into: thread("2"),
        into_customer_id: customer_id(&thread("2")),
        merged_at: Timestamp::from_ms(5),
    });
    let key = CustomerKey::Merged(customer_id(&thread("1"))).text();
    apply(views, Topic::Customers, &key, stands.then_some(&record));
}

fn texts(views: &Views, person: &str) -> Vec<String> {
    let detail = views.conversation(&conversation(person), LOOK).unwrap();
    let text = |entry: &super::Entry| match &entry.body {
        EntryBody::Item(item) => item.text.clone(),
        EntryBody::Event(_) => None,
    };
    detail.items.iter().filter_map(text).collect()
}

/// `1` wrote `a`, was merged into `2`, wrote `b` there, and was separated again.
fn parted(order: [usize; 2]) -> Views {
    let views = Views::default();
    order.into_iter().for_each(|which| tell_parted(&views, which));
    views
}

fn tell_parted(views: &Views, which: usize) {
    if which == 0 {
        told(views, "1", 1, 10, said("a", None));
        told(views, "1", 2, 50, said("c", None));
    } else {
        told(views, "2", 1, 20, said("x", None));
        told(views, "2", 2, 30, said("b", Some(thread("1"))));
        told(views, "2", 3, 40, said("y", None));
    }
}

fn told_at_60(views: &Views, number: u64, body: FactBody) {
    told(views, "1", number, 60, body);
}

// Holds: R-152
#[test]
fn after_an_unmerge_items_stand_with_the_thread_they_came_on_whatever_is_read_first() {
    for order in [[0, 1], [1, 0]] {
        let views = parted(order);
        merge(&views, true);
        assert_eq!(texts(&views, "2"), ["x", "b", "y"], "one customer");
        assert_eq!(texts(&views, "1"), ["a", "c"]);
        merge(&views, false);
        assert_eq!(texts(&views, "2"), ["x", "y"]);
        assert_eq!(texts(&views, "1"), ["a", "b", "c"], "in its place");
        merge(&views, true);
        assert_eq!(texts(&views, "2"), ["x", "b", "y"], "and merged again");
    }
}

// Holds
#[test]
fn what_returned_can_still_be_unsent() {
    for order in [[0, 1], [1, 0]] {
        let views = Views::default();
        for which in order {
            tell_parted(&views, which);
            if which == 0 {
                told_at_60(&views, 3, FactBody::MessageDeleted { mid: mid("m-b") });
            }
        }
        assert_eq!(texts(&views, "1"), ["a", "Message was deleted", "c"]);
        merge(&views, true);
        assert_eq!(texts(&views, "2"), ["x", "Message was deleted", "y"]);
    }
}

// Holds
#[test]
fn what_is_told_of_what_returned_shows_there_whichever_thread_is_read_first() {
    let of_b = |body: fn(MessageId) -> FactBody| body(mid("m-b"));
    let since = [
        of_b(|mid| FactBody::MessageEdited { mid, text: "b, anew".to_owned(), num_edit: 1 }),
        of_b(|mid| FactBody::ReactionAdded { mid, emoji: None }),
        of_b(|mid| FactBody::MessageLiked { mid }),
        FactBody::MessageRead { read_up_to_at: Timestamp::from_ms(45) },
    ];
    for order in [[0, 1], [1, 0]] {
        let views = Views::default();
        for which in order {
            tell_parted(&views, which);
            let told = since.iter().filter(|_| which == 0).cloned();
            (3..).zip(told).for_each(|(number, body)| told_at_60(&views, number, body));
        }
        let seen = |person| {
            let detail = views.conversation(&conversation(person), LOOK).unwrap();
            let line = detail.items.into_iter().find_map(|entry| match entry.body {
                EntryBody::Item(item) if item.mid == Some(mid("m-b")) => Some(item),
                EntryBody::Item(_) | EntryBody::Event(_) => None,
            });
            line.map(|item| (item.text, item.reaction.is_some(), item.liked, item.edited))
        };
        let expected = Some((Some("b, anew".to_owned()), true, true, true));
        assert_eq!((seen("1"), seen("2")), (expected.clone(), None));
        told_at_60(&views, 7, of_b(|mid| FactBody::MessageUnliked { mid, rejected: false }));
        told_at_60(&views, 8, of_b(|mid| FactBody::ReactionRemoved { mid }));
        assert_eq!(seen("1"), Some((Some("b, anew".to_owned()), false, false, true)));
        merge(&views, true);
        assert_eq!((seen("1"), seen("2").is_some()), (None, true), "and merged again");
        told_at_60(&views, 9, of_b(|mid| FactBody::MessageDeleted { mid }));
        let gone = Some((Some("Message was deleted".to_owned()), false, false, false));
        assert_eq!(seen("2"), gone);
    }
}

// Holds: R-156
#[test]
fn an_outward_item_says_content_kind_story_answer_echo_reading_and_delivery() {
    let views = Views::default();
    apply(&views, Topic::Conversations, "k", Some(&snapshot("cv-9001", 0)));
    let story = Some(Story { id: Some("s1".to_owned()), url: Some("https://x/s".to_owned()) });
    let mention = Item { kind: ContentKind::StoryMention, story, ..item("a", None) };
    let mention = Item { story_expires_at: Some(Timestamp::from_ms(99)), ..mention };
    let picture = Attachment {
        kind: "image".to_owned(),
        url: Some("https://x/1.png".to_owned()),
        ..Attachment::default()
    };
    let photo = Item { attachments: vec![picture], ..item("b", Some("look")) };
    let send_id = SendId::parse("it-c.0").unwrap();
    let queued = Item { mid: None, send_id: Some(send_id.clone()), ..item("c", Some("hello")) };
    let failed = FactBody::MessageFailed {
        item_id: queued.item_id.clone(),
        send_id,
        code: FailureCode::Refused,
    };
    let answers = Item { reply_to_mid: Some(mid("m-b")), ..item("d", Some("from the app")) };
    let bodies = [
        FactBody::MessageReceived(mention),
        FactBody::MessageReceived(photo),
        FactBody::MessageQueued(queued),
        failed,
        FactBody::MessageSent(answers),
        FactBody::MessageRead { read_up_to_at: Timestamp::from_ms(5_000) },
        FactBody::MessageDeleted { mid: mid("m-b") },
    ];
    for (number, body) in (1..).zip(bodies) {
        told(&views, "9001", number, number * 1_000, body);
    }
    let id = conversation("9001");
    let detail = views.conversation(&id, LOOK).unwrap();
    let outward = outward_items(&detail, &views.reads(&id));
    let items = serde_json::to_value(&outward).unwrap();
    let content = |n: usize| items["items"][n]["content"].clone();
    assert_eq!(
        content(0),
        json!({
            "type": "INSTAGRAM_DIRECT", "content": "Maria mentioned", "attachments": [],
            "subtype": "story_mention", "story": { "id": "s1", "state": "available" },
        })
    );
    assert_eq!(
        content(1),
        json!({
            "type": "INSTAGRAM_DIRECT", "content": "Message was deleted", "attachments": [],
            "subtype": "deleted",
        })
    );
    assert_eq!(content(2)["delivery"], json!({ "state": "failed", "code": "refused" }));
    assert_eq!(
        content(3),
        json!({
            "type": "INSTAGRAM_DIRECT", "content": "from the app", "attachments": [],
            "subtype": "text", "replyTo": "m-b", "echo": true,
            "readAt": "1970-01-01T00:00:06.000Z", "delivery": { "state": "sent" },
        })
    );
    let who = |n: usize| items["items"][n]["initiator"]["type"].clone();
    assert_eq!([who(0), who(2), who(3)], ["CUSTOMER", "AGENT", "SYSTEM"]);
    assert_eq!(items["items"][2]["initiator"]["id"], json!(AgentId::parse("ana").unwrap()));
    assert_eq!(items["items"][3]["timestamp"], "1970-01-01T00:00:05.000Z");
    assert_ne!(Initiator::NativeApp, Initiator::System, "ours tell them apart (R-83)");
}
