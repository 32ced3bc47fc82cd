//! What the folds promise: tables of facts and what is shown after them, and that prefixes may be read twice.

use proptest::prelude::*;

use super::CustomerView;
use super::fixture_test::{CONVERSATION, fact, item, mid, snapshot};
use super::fold::{fold, fold_snapshot};
use super::people::People;
use super::row::ThreadRow;
use super::shown::{Look, shown};
use super::{ConversationDetail, Delivery, Entry, EntryBody, ItemEntry, StoryState};
use crate::domain::event::{Attachment, ContentKind, Story};
use crate::domain::fact::{EndReason, EndStatus, Fact, FactBody, Item, Status};
use crate::domain::id::{AgentId, OfferId, SendId};
use crate::domain::outbound::FailureCode;
use crate::domain::routing::AssignReason;
use crate::domain::time::{DAY_MS, Timestamp};

/// Somebody called Maria.
fn customer() -> CustomerView {
    let snapshot = snapshot(CONVERSATION, 0);
    People::default().shown(snapshot.customer_id, &[], &snapshot.display_name)
}

/// The bodies as facts 1, 2, 3, …, folded from nothing.
fn folded(bodies: Vec<FactBody>) -> ThreadRow {
    let facts = (1..).zip(bodies).map(|(number, body)| fact(number, body));
    facts.fold(ThreadRow::default(), |row, fact| fold(row, &fact, 100))
}

fn look_at(row: &ThreadRow, now_ms: u64) -> ConversationDetail {
    let look = Look { now: Timestamp::from_ms(now_ms), show_reactions: true };
    shown(&row.conversations[CONVERSATION], customer(), row.read_up_to_at, look)
}

fn items(detail: &ConversationDetail) -> Vec<&ItemEntry> {
    detail.items.iter().filter_map(as_item).collect()
}

fn as_item(entry: &Entry) -> Option<&ItemEntry> {
    match &entry.body {
        EntryBody::Item(item) => Some(item),
        EntryBody::Event(_) => None,
    }
}

fn events(detail: &ConversationDetail) -> Vec<(&str, &str)> {
    let lines = detail.items.iter().filter_map(|entry| match &entry.body {
        EntryBody::Item(_) => None,
        EntryBody::Event(event) => Some((event.event.as_str(), event.text.as_str())),
    });
    lines.collect()
}

fn send(id: &str) -> SendId {
    SendId::parse(id).unwrap()
}

fn with_send(mut of: Item, send_id: &str) -> Item {
    of.send_id = Some(send(send_id));
    of
}

fn image() -> Attachment {
    Attachment {
        kind: "image".to_owned(),
        url: Some("https://x/1.png".to_owned()),
        ..Attachment::default()
    }
}

// Holds: R-58
#[test]
fn a_deleted_message_says_so_and_its_content_is_gone() {
    let mut said = item("a", Some("secret words"));
    said.attachments = vec![image()];
    let row = folded(vec![
        FactBody::MessageReceived(said),
        FactBody::MessageDeleted { mid: mid("m-a") },
        FactBody::MessageEdited { mid: mid("m-a"), text: "edited words".to_owned(), num_edit: 1 },
        FactBody::ReactionAdded { mid: mid("m-a"), emoji: None },
    ]);
    let detail = look_at(&row, 9_000);
    let shown = items(&detail)[0];
    assert_eq!(shown.text.as_deref(), Some("Message was deleted"), "R-58");
    assert!(shown.deleted && !shown.edited && shown.attachments.is_empty());
    assert_eq!(shown.reaction, None);
    let kept = format!("{row:?}");
    assert!(!kept.contains("secret words") && !kept.contains("edited words"), "not even the row");
}

// Holds: R-60
#[test]
fn a_message_deleted_before_it_came_never_shows_what_it_said() {
    let mut said = item("a", Some("secret words"));
    said.deleted = true;
    let row = folded(vec![FactBody::MessageReceived(said)]);
    assert_eq!(items(&look_at(&row, 0))[0].text.as_deref(), Some("Message was deleted"), "R-60");
    assert!(!format!("{row:?}").contains("secret words"));
}

// Holds: R-62
#[test]
fn the_highest_edit_wins() {
    let edited = |text: &str, num_edit| FactBody::MessageEdited {
        mid: mid("m-a"),
        text: text.to_owned(),
        num_edit,
    };
    check(vec![], "first", false);
    check(vec![edited("second", 1)], "second", true);
    check(vec![edited("third", 2), edited("second", 1)], "third", true);
    check(vec![edited("second", 1), edited("other", 1)], "second", true);

    #[track_caller]
    fn check(edits: Vec<FactBody>, text: &str, is_edited: bool) {
        let mut bodies = vec![FactBody::MessageReceived(item("a", Some("first")))];
        bodies.extend(edits);
        let detail = look_at(&folded(bodies), 0);
        let shown = items(&detail)[0];
        assert_eq!((shown.text.as_deref(), shown.edited), (Some(text), is_edited), "R-62");
    }
}

// Holds
#[test]
fn a_reaction_is_shown_as_a_heart_and_keeps_its_emoji() {
    let received = FactBody::MessageReceived(item("a", Some("hello")));
    let added =
        |emoji: &str| FactBody::ReactionAdded { mid: mid("m-a"), emoji: Some(emoji.to_owned()) };
    let removed = FactBody::ReactionRemoved { mid: mid("m-a") };
    check(vec![received.clone()], None);
    check(vec![received.clone(), added("😂")], Some(("❤️", "😂")));
    check(vec![received.clone(), added("😂"), added("😮")], Some(("❤️", "😮")));
    check(vec![received, added("😂"), removed], None);

    #[track_caller]
    fn check(bodies: Vec<FactBody>, expected: Option<(&str, &str)>) {
        let row = folded(bodies);
        let detail = look_at(&row, 0);
        let reaction = items(&detail)[0].reaction.as_ref();
        let shown = reaction.map(|held| (held.shown.as_str(), held.emoji.as_deref().unwrap()));
        assert_eq!(shown, expected, "R-64, R-66");
        let off = Look { now: Timestamp::from_ms(0), show_reactions: false };
        let hidden = shown_with(&row, off);
        assert_eq!(items(&hidden)[0].reaction, None, "R-65: switched off");
    }

    fn shown_with(row: &ThreadRow, look: Look) -> ConversationDetail {
        shown(&row.conversations[CONVERSATION], customer(), row.read_up_to_at, look)
    }
}

#[test]
fn an_agents_heart_comes_and_goes() {
    let received = FactBody::MessageReceived(item("a", Some("hello")));
    let liked = FactBody::MessageLiked { mid: mid("m-a") };
    let unliked = FactBody::MessageUnliked { mid: mid("m-a"), rejected: true };
    assert!(items(&look_at(&folded(vec![received.clone(), liked.clone()]), 0))[0].liked);
    assert!(!items(&look_at(&folded(vec![received, liked, unliked]), 0))[0].liked);
}

// Holds
#[test]
fn a_story_is_gone_from_the_instant_its_day_is_over() {
    // kind, own text, what the item says before and after
    check(ContentKind::StoryMention, None, "Maria mentioned", "Story is no longer available");
    check(ContentKind::StoryReply, Some("nice!"), "nice!", "nice!");

    #[track_caller]
    fn check(kind: ContentKind, own: Option<&str>, before: &str, after: &str) {
        let mut said = item("a", own);
        said.kind = kind;
        said.story =
            Some(Story { id: Some("s1".to_owned()), url: Some("https://cdn/s1".to_owned()) });
        said.story_expires_at = Some(Timestamp::from_ms(DAY_MS));
        let received = FactBody::MessageReceived(said);
        let row = fold_snapshot(folded(vec![received.clone()]), snapshot(CONVERSATION, 1));
        for (now_ms, text, state) in
            [(DAY_MS - 1, before, StoryState::Available), (DAY_MS, after, StoryState::Gone)]
        {
            let detail = look_at(&row, now_ms);
            let shown = items(&detail)[0];
            let story = shown.story.as_ref().unwrap();
            assert_eq!((shown.text.as_deref(), story.state), (Some(text), state), "at {now_ms}");
            let gone = state == StoryState::Gone;
            assert_eq!(story.url.is_none(), gone, "R-51");
            assert_eq!(story.text.as_deref() == Some("Story is no longer available"), gone);
        }
        let early = folded(vec![received, FactBody::StoryExpired { mid: mid("m-a") }]);
        let detail = look_at(&early, 0);
        assert_eq!(items(&detail)[0].story.as_ref().unwrap().state, StoryState::Gone, "by fact");
    }
}

// Holds: R-142
#[test]
fn an_item_of_ours_is_as_far_as_its_slowest_part() {
    let mut both = item("a", Some("hello"));
    both.mid = None;
    both.attachments = vec![image()];
    let queued = FactBody::MessageQueued(both.clone());
    let sent = |part: &str| FactBody::MessageSent(with_send(both.clone(), part));
    let (item_id, send_id) = (both.item_id.clone(), send("it-a.1"));
    let unknown = FactBody::MessageUnknown { item_id: item_id.clone(), send_id: send_id.clone() };
    let failed = FactBody::MessageFailed { item_id, send_id, code: FailureCode::Refused };
    check(vec![queued.clone()], Delivery::Queued, None);
    check(vec![queued.clone(), sent("it-a.0")], Delivery::Queued, None);
    check(vec![queued.clone(), sent("it-a.0"), sent("it-a.1")], Delivery::Sent, None);
    check(vec![queued.clone(), sent("it-a.0"), unknown.clone()], Delivery::Unknown, None);
    check(vec![queued.clone(), sent("it-a.0"), unknown, sent("it-a.1")], Delivery::Sent, None);
    let refused = Some(FailureCode::Refused);
    check(vec![queued, sent("it-a.0"), failed], Delivery::Failed, refused);

    #[track_caller]
    fn check(bodies: Vec<FactBody>, state: Delivery, failure: Option<FailureCode>) {
        let detail = look_at(&folded(bodies), 0);
        let shown = items(&detail);
        assert_eq!(shown.len(), 1, "one item, one line");
        assert_eq!((shown[0].state, shown[0].failure), (Some(state), failure), "R-142");
        assert_eq!(shown[0].attachments.len(), 1, "content is not repeated by its parts");
        assert_eq!(shown[0].agent_id, Some(AgentId::parse("ana").unwrap()));
        assert!(!shown[0].native_app);
    }
}

#[test]
fn parts_queued_one_by_one_become_one_line() {
    let text = with_send(item("a", Some("hello")), "it-a.0");
    let mut images = with_send(item("a", None), "it-a.1");
    images.attachments = vec![image()];
    let queued =
        vec![FactBody::MessageQueued(text.clone()), FactBody::MessageQueued(images.clone())];
    let mut all = queued;
    all.push(FactBody::MessageSent(text));
    assert_eq!(items(&look_at(&folded(all.clone()), 0))[0].state, Some(Delivery::Queued));
    all.push(FactBody::MessageSent(images));
    let detail = look_at(&folded(all), 0);
    let shown = items(&detail)[0];
    assert_eq!(shown.state, Some(Delivery::Sent));
    assert_eq!((shown.text.as_deref(), shown.attachments.len()), (Some("hello"), 1));
}

// Holds
#[test]
fn a_message_of_the_app_is_marked_and_sent() {
    let detail = look_at(&folded(vec![FactBody::MessageSent(item("e", Some("from the app")))]), 0);
    let shown = items(&detail)[0];
    assert!(shown.native_app, "R-75");
    assert_eq!(shown.state, Some(Delivery::Sent));
}

// Holds
#[test]
fn the_read_mark_is_on_the_last_outbound_message_alone() {
    let first = FactBody::MessageSent(item("a", Some("one")));
    let second = FactBody::MessageSent(item("b", Some("two")));
    let read = |up_to: u64| FactBody::MessageRead { read_up_to_at: Timestamp::from_ms(up_to) };
    check(vec![first.clone()], &[false]);
    check(vec![first.clone(), read(999)], &[false]);
    check(vec![first.clone(), read(1_000)], &[true]);
    check(vec![first.clone(), read(1_000), read(500)], &[true]);
    check(vec![first.clone(), read(1_000), second.clone()], &[false, false]);
    check(vec![first, second, read(2_000)], &[false, true]);

    #[track_caller]
    fn check(bodies: Vec<FactBody>, expected: &[bool]) {
        let detail = look_at(&folded(bodies), 0);
        let marks: Vec<bool> = items(&detail).iter().map(|item| item.read).collect();
        assert_eq!(marks, expected, "R-72, R-73");
        assert_eq!(detail.read, expected.last().copied().unwrap());
    }
}

#[test]
fn a_message_seen_before_its_result_came_counts_as_seen() {
    let part = with_send(item("a", Some("hello")), "it-a.0");
    let read = FactBody::MessageRead { read_up_to_at: Timestamp::from_ms(1_500) };
    let queued = FactBody::MessageQueued(part.clone());
    assert!(!look_at(&folded(vec![queued.clone(), read.clone()]), 0).read, "not sent yet");
    assert!(look_at(&folded(vec![queued, read, FactBody::MessageSent(part)]), 0).read, "R-72");
}

// Holds: R-77
#[test]
fn the_reason_of_an_assignment_is_told() {
    let agent_id = AgentId::parse("ana").unwrap();
    let routed = "Routed to you because of an outgoing Instagram message.";
    let accepted = FactBody::ContactAccepted {
        offer_id: OfferId::parse("of-1").unwrap(),
        agent_id: agent_id.clone(),
        text: Some(routed.to_owned()),
    };
    let by_reply =
        FactBody::ContactAssigned { agent_id, reason: AssignReason::MessageOutbound, text: None };
    let closed = FactBody::ConversationClosed;
    let detail = look_at(&folded(vec![accepted, by_reply, closed]), 0);
    let expected = [
        ("contact.accepted", routed),
        ("contact.assigned", "Assigned by replying"),
        ("conversation.closed", "Conversation closed"),
    ];
    assert_eq!(events(&detail), expected, "R-77");
}

// Holds: R-23
#[test]
fn without_a_snapshot_the_facts_say_where_a_conversation_stands() {
    let ana = || AgentId::parse("ana").unwrap();
    let assigned =
        FactBody::ContactAssigned { agent_id: ana(), reason: AssignReason::Manual, text: None };
    let ended = FactBody::ContactEnded {
        reason: EndReason::CustomerNoReply,
        status: EndStatus::Answered,
        business_ms: None,
    };
    let mut bodies = vec![FactBody::ConversationCreated];
    check(&bodies, Status::New, None);
    bodies.push(assigned);
    check(&bodies, Status::Open, Some(ana()));
    bodies.push(ended);
    check(&bodies, Status::Waiting, Some(ana()));
    bodies.push(FactBody::ConversationClosed);
    check(&bodies, Status::Closed, Some(ana()));

    #[track_caller]
    fn check(bodies: &[FactBody], status: Status, agent: Option<AgentId>) {
        let row = folded(bodies.to_vec());
        let held = &row.conversations[CONVERSATION].snapshot;
        assert_eq!((held.status, held.agent_id.clone()), (status, agent), "R-23");
    }
}

#[test]
fn an_older_snapshot_changes_nothing_and_facts_it_includes_do_not_undo_it() {
    let row = fold_snapshot(ThreadRow::default(), snapshot(CONVERSATION, 5));
    let mut older = snapshot(CONVERSATION, 4);
    older.status = Status::Closed;
    let row = fold_snapshot(row, older);
    let row = fold(row, &fact(3, FactBody::ConversationClosed), 100);
    assert_eq!(row.conversations[CONVERSATION].snapshot, snapshot(CONVERSATION, 5));
    assert_eq!(look_at(&row, 0).items.len(), 1, "the fact is in the timeline all the same");
}

#[test]
fn a_long_conversation_keeps_its_newest_entries_and_counts_the_rest() {
    let facts = (1..=7).map(|number| {
        fact(number, FactBody::MessageReceived(item(&number.to_string(), Some("hello"))))
    });
    let row = facts.fold(ThreadRow::default(), |row, fact| fold(row, &fact, 3));
    let detail = look_at(&row, 0);
    let numbers: Vec<u64> = detail.items.iter().map(|entry| entry.number).collect();
    assert_eq!((numbers, detail.omitted), (vec![5, 6, 7], 4));
}

fn any_body() -> impl Strategy<Value = FactBody> {
    let name = || prop::sample::select(vec!["a", "b", "c"]);
    let ana = || AgentId::parse("ana").unwrap();
    let emoji = prop::option::of(Just("😂".to_owned()));
    prop_oneof![
        name().prop_map(|n| FactBody::MessageReceived(item(n, Some("hello")))),
        name().prop_map(|n| FactBody::MessageQueued(item(n, Some("hello")))),
        name().prop_map(|n| FactBody::MessageSent(with_send(item(n, None), "it-x.0"))),
        name().prop_map(|n| FactBody::MessageUnknown {
            item_id: item(n, None).item_id,
            send_id: send("it-x.0"),
        }),
        name().prop_map(|n| FactBody::MessageDeleted { mid: mid(&format!("m-{n}")) }),
        (name(), 1..4_u32).prop_map(|(n, num_edit)| FactBody::MessageEdited {
            mid: mid(&format!("m-{n}")),
            text: format!("edit {num_edit}"),
            num_edit,
        }),
        (name(), emoji)
            .prop_map(|(n, emoji)| FactBody::ReactionAdded { mid: mid(&format!("m-{n}")), emoji }),
        (0..9_000_u64)
            .prop_map(|at| FactBody::MessageRead { read_up_to_at: Timestamp::from_ms(at) }),
        Just(FactBody::ConversationClosed),
        Just(FactBody::ConversationReopened),
        Just(FactBody::ContactUnassigned { agent_id: ana(), reason: Default::default() }),
        Just(FactBody::NoteCreated { text: "a note".to_owned() }),
    ]
}

proptest! {
    #[test]
    fn reading_any_prefix_twice_changes_nothing(
        bodies in prop::collection::vec(any_body(), 0..40),
        again_from in 0..40_usize,
        again_to in 0..40_usize,
    ) {
        let facts: Vec<Fact> = (1..).zip(bodies).map(|(n, body)| fact(n, body)).collect();
        let once = facts.iter().fold(ThreadRow::default(), |row, fact| fold(row, fact, 10));
        let to = again_to.min(facts.len());
        let from = again_from.min(to);
        let order = facts[..to].iter().chain(&facts[from..]);
        let twice = order.fold(ThreadRow::default(), |row, fact| fold(row, fact, 10));
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn a_timeline_only_grows_downwards_and_stays_bounded(
        bodies in prop::collection::vec(any_body(), 1..60),
    ) {
        let facts = (1..).zip(bodies).map(|(n, body)| fact(n, body));
        let row = facts.fold(ThreadRow::default(), |row, fact| fold(row, &fact, 10));
        for conversation in row.conversations.values() {
            prop_assert!(conversation.entries.len() <= 10);
            let numbers: Vec<u64> = conversation.entries.iter().map(|entry| entry.number).collect();
            prop_assert!(numbers.is_sorted_by(|a, b| a < b));
        }
    }
}
