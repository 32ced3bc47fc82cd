//! Early, twice and late: whatever the order, the facts show what a reckoning over the set of events says.
//!
//! The reckoning knows nothing of the stage: it reads the events as a set and applies the rules' own words.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one of many")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::conversation::decide::Input;
use crate::conversation::property_test::platform_event;
use crate::conversation::rehearsed::{Story, at};
use crate::conversation::state::ThreadState;
use crate::domain::event::{Event, EventKind};
use crate::domain::fact::FactBody;
use crate::domain::id::MessageId;
use crate::domain::time::{HOUR_MS, Timestamp};

/// A message as it is shown in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shown {
    text: Option<String>,
    deleted: bool,
    hearted: bool,
    /// How often it was told.
    told: usize,
}

/// Where it all ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    messages: BTreeMap<MessageId, Shown>,
    read_up_to: Option<Timestamp>,
    window_opened: Option<Timestamp>,
    due: Option<Timestamp>,
}

/// By the rules, over the events as a set.
pub(super) fn reckoned(events: &[Event]) -> End {
    let mut end = End::default();
    let (mut inbound, mut outbound) = (BTreeMap::new(), BTreeMap::new());
    for event in events {
        let mid = event.mid.clone().unwrap();
        match &event.kind {
            EventKind::MessageReceived(_) => inbound.insert(mid, event.occurred_at),
            EventKind::MessageEchoed(_) => outbound.insert(mid, event.occurred_at),
            _ => None,
        };
    }
    let times: BTreeMap<_, _> = inbound.iter().chain(&outbound).collect();
    for (mid, sent_at) in times {
        let about = || events.iter().filter(|event| event.mid.as_ref() == Some(mid));
        let original = about().find_map(|event| match &event.kind {
            EventKind::MessageReceived(body) | EventKind::MessageEchoed(body) => {
                Some(body.content.text.clone())
            }
            _ => None,
        });
        let edits = about().filter_map(|event| match &event.kind {
            EventKind::MessageEdited { text, num_edit } => Some((*num_edit, text.clone())),
            _ => None,
        });
        let reactions = about().filter_map(|event| match &event.kind {
            EventKind::ReactionAdded(_) => Some((event.occurred_at, false)),
            EventKind::ReactionRemoved(_) => Some((event.occurred_at, true)),
            _ => None,
        });
        let deleted = about().any(|event| matches!(event.kind, EventKind::MessageDeleted { .. }));
        let newest = edits.max().map(|(_, text)| text).or(original.flatten());
        let hearted = reactions.max().is_some_and(|(_, removed)| !removed);
        let shown = Shown {
            text: newest.filter(|_| !deleted),
            deleted,
            hearted: hearted && !deleted,
            told: 1,
        };
        end.messages.insert(mid.clone(), shown);
        if about().any(|event| matches!(event.kind, EventKind::MessageRead { .. })) {
            end.read_up_to = end.read_up_to.max(Some(*sent_at));
        }
    }
    end.window_opened = inbound.values().max().copied();
    let answered = outbound.values().max();
    let waiting = inbound.values().filter(|at| answered.is_none_or(|answered| *at > answered));
    end.due = waiting.min().map(|since| since.plus_ms(HOUR_MS));
    end
}

/// By what the stage told, in the order it told it; the rest from its state.
pub(super) fn told(events: &[Event]) -> (End, ThreadState) {
    let (mut story, mut end) = (Story::new(), End::default());
    for event in events {
        for body in story.apply(&Input::Event(event), at(20)).bodies() {
            tell(&mut end, body);
        }
    }
    for shown in end.messages.values_mut().filter(|shown| shown.deleted) {
        (shown.text, shown.hearted) = (None, false);
    }
    end.window_opened = story.state.window.map(|window| window.opened_at);
    end.due = story.due_at();
    (end, story.state)
}

fn tell(end: &mut End, body: FactBody) {
    let mut with = |mid: &MessageId, change: &dyn Fn(&mut Shown)| {
        change(end.messages.get_mut(mid).expect("a message told of before it is changed"));
    };
    match body {
        FactBody::MessageReceived(item) | FactBody::MessageSent(item) => {
            let shown = end.messages.entry(item.mid.unwrap()).or_default();
            shown.told += 1;
            (shown.text, shown.deleted) = (item.text, item.deleted);
        }
        FactBody::MessageEdited { mid, text, .. } => {
            with(&mid, &|shown| shown.text = Some(text.clone()));
        }
        FactBody::MessageDeleted { mid } => with(&mid, &|shown| shown.deleted = true),
        FactBody::ReactionAdded { mid, .. } => with(&mid, &|shown| shown.hearted = true),
        FactBody::ReactionRemoved { mid } => with(&mid, &|shown| shown.hearted = false),
        FactBody::MessageRead { read_up_to_at } => {
            assert!(end.read_up_to < Some(read_up_to_at), "it only grows");
            end.read_up_to = Some(read_up_to_at);
        }
        _ => (),
    }
}

/// Events, each once or twice, in some order.
fn a_delivery() -> impl Strategy<Value = Vec<Event>> {
    let event = (platform_event(), 1_usize..3);
    proptest::collection::vec(event, 1..40)
        .prop_map(|events| {
            let twice = |(event, times): (Event, usize)| std::iter::repeat_n(event, times);
            events.into_iter().flat_map(twice).collect::<Vec<Event>>()
        })
        .prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 1_000,
        ..ProptestConfig::default()
    })]

    // Holds
    #[test]
    fn early_twice_or_late_the_facts_show_what_the_events_say_as_a_set(events in a_delivery()) {
        prop_assert_eq!(told(&events).0, reckoned(&events));
    }
}
