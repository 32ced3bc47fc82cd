//! Random histories: order does not matter, repetition does not matter, invariants hold, rows read back.

use proptest::prelude::*;

use crate::conversation::decide::Input;
use crate::conversation::rehearsed::{
    Story, accepted, agent, at, body, echo, event, failed, mid, text, thread,
};
use crate::conversation::state::ThreadState;
use crate::domain::command::{DeskCommand, DeskWish};
use crate::domain::derive;
use crate::domain::details::DetailEdit;
use crate::domain::event::{ContentKind, Direction, Event, EventKind, Reaction};
use crate::domain::id::{ClientMessageId, CommandId, InboxId, OfferId};
use crate::domain::outbound::{OutboundSend, SendOutcome, SendResult};
use crate::domain::routing::{AssignReason, RejectReason, RoutingDecision, RoutingVerdict};
use crate::domain::settings::{AccountSettings, CompanySettings};
use crate::domain::time::{SECOND_MS, Timestamp};
use crate::engine::stage::Row;

/// What the platform may report about eight messages, `m0` to `m4` inbound, `e5` to `e7` echoes.
pub(super) fn platform_event() -> impl Strategy<Value = Event> {
    (0_u64..6, 0_u64..8, 0_u64..10).prop_map(|(what, which, minute)| {
        let inbound = which < 5;
        let name = format!("{}{which}", if inbound { "m" } else { "e" });
        let direction = if inbound { Direction::Inbound } else { Direction::Outbound };
        let reaction = Reaction {
            target_mid: mid(&name),
            reaction: None,
            emoji: None,
            direction: Direction::Inbound,
        };
        let written_at = at((which * 3) % 10);
        match what {
            0 if which == 4 => {
                let body = body(ContentKind::StoryMention, None);
                event(EventKind::MessageReceived(body), &name, written_at)
            }
            0 if inbound => text(&name, written_at),
            0 => echo(&name, &format!("app {which}"), written_at),
            1 => event(EventKind::MessageDeleted { direction }, &name, at(minute)),
            2 => {
                let num_edit = u32::try_from(minute).unwrap() + 1;
                let text = format!("{name} edit {num_edit}");
                event(EventKind::MessageEdited { text, num_edit }, &name, at(minute))
            }
            3 => event(EventKind::ReactionAdded(reaction), &name, at(minute)),
            4 => event(EventKind::ReactionRemoved(reaction), &name, at(minute)),
            _ => event(EventKind::MessageRead { watermark_at: None }, &name, at(minute)),
        }
    })
}

/// What R-3 promises to be the same.
pub(super) fn end_state(state: &ThreadState) -> impl PartialEq + std::fmt::Debug + use<> {
    let items: Vec<_> = state.ledger.entries().to_vec();
    let contact = state.conversation.as_ref().and_then(|c| c.contact().cloned());
    let due_at = contact.as_ref().and_then(|contact| contact.due).map(|due| due.due_at);
    let out_at = contact.as_ref().and_then(|contact| contact.last_out_at);
    let window = (state.window, state.answered_up_to, state.last_inbound_at);
    (items, due_at, out_at, window, state.read_up_to_at, state.preview.clone())
}

pub(super) fn heard(events: &[Event]) -> ThreadState {
    let mut story = Story::new();
    for event in events {
        story.apply(&Input::Event(event), at(20));
    }
    story.state
}

/// An input, to be handed over again.
#[derive(Debug, Clone)]
enum Done {
    Event(Box<Event>),
    Command(DeskCommand),
    Routing(RoutingDecision),
    Outcome(SendResult),
    Timer,
}

impl Done {
    const fn input(&self) -> Input<'_> {
        match self {
            Self::Event(event) => Input::Event(event),
            Self::Command(command) => Input::Command(command),
            Self::Routing(decision) => Input::Routing(decision),
            Self::Outcome(result) => Input::Outcome(result),
            Self::Timer => Input::Timer,
        }
    }
}

/// A thread's random life: what was done when, and how it ended.
fn live(choices: &[(u8, u8, u16)]) -> (Story, Vec<(Done, Timestamp)>) {
    let company = CompanySettings {
        sla_overdue_steps_ms: vec![SECOND_MS, 40 * SECOND_MS],
        ..CompanySettings::default()
    };
    let (mut history, mut sends) = (Vec::new(), Vec::new());
    let mut story = Story::with(AccountSettings::default(), company);
    let mut now = at(0);
    for (place, (what, which, seconds)) in choices.iter().enumerate() {
        now = now.plus_ms(u64::from(*seconds) * SECOND_MS);
        let done = choose((*what, *which), place, now, (&story.state, &sends));
        sends.extend(story.apply(&done.input(), now).sends());
        history.push((done, now));
    }
    (story, history)
}

fn choose(
    (what, which): (u8, u8),
    place: usize,
    now: Timestamp,
    (state, sends): (&ThreadState, &[OutboundSend]),
) -> Done {
    let some = usize::from(which);
    match what % 8 {
        0 => {
            let when = now.minus_ms(u64::from(which) * SECOND_MS);
            Done::Event(Box::new(text(&format!("m{place}"), when)))
        }
        1 => {
            let name = format!("out{some}");
            Done::Event(Box::new(echo(&name, ["one", "two", "three"][some % 3], now)))
        }
        2 | 3 => Done::Command(command(which, place, now, state)),
        4 | 5 => Done::Routing(decision(which, place, now, state)),
        6 => match sends.get(some % sends.len().max(1)) {
            Some(send) => Done::Outcome(SendResult {
                outcome: match which % 3 {
                    0 => accepted(&format!("out{some}")),
                    1 => failed(),
                    _ => SendOutcome::Unknown,
                },
                send_id: send.send_id.clone(),
                item_id: send.item_id.clone(),
                thread: thread(),
                conversation_id: send.conversation_id.clone(),
                attempts: 1,
                settled_at: now,
            }),
            None => Done::Timer,
        },
        _ => Done::Timer,
    }
}

fn command(which: u8, place: usize, now: Timestamp, state: &ThreadState) -> DeskCommand {
    let newest = state.history_mid();
    let words = ["one", "two", "three"][usize::from(which) % 3];
    let wish = match which % 10 {
        0..=2 => DeskWish::Reply {
            client_message_id: ClientMessageId::parse(&format!("c{place}")).unwrap(),
            text: words.to_owned(),
            image_urls: Vec::new(),
            automatic: which.is_multiple_of(5),
            declared_bytes: 0,
        },
        3 => DeskWish::Close { force: which.is_multiple_of(2) },
        4 => DeskWish::Reopen,
        5 => DeskWish::NoReplyNeeded { mid: newest },
        6 => DeskWish::Like { mid: newest },
        7 => DeskWish::Transfer {
            inbox_id: InboxId::parse(["billing", "default"][usize::from(which / 10) % 2]).unwrap(),
            to_agent_id: which.is_multiple_of(3).then(|| agent("ben")),
        },
        8 => {
            let to = Some(format!("+49301234{which}"));
            DeskWish::EditDetails { edits: vec![DetailEdit::Phone { to }] }
        }
        _ => DeskWish::Unlike { mid: newest },
    };
    DeskCommand {
        wish,
        command_id: CommandId::parse(&format!("cmd-{place}")).unwrap(),
        thread: thread(),
        conversation_id: derive::conversation_id(&thread(), state.conversations.max(1)),
        agent_id: agent(["ana", "ben"][usize::from(which) % 2]),
        issued_at: now,
    }
}

fn decision(which: u8, place: usize, now: Timestamp, state: &ThreadState) -> RoutingDecision {
    let agent_id = agent(["ana", "ben"][usize::from(which) % 2]);
    let offer_id = OfferId::parse("of-1").unwrap();
    let verdict = match which % 7 {
        0 => RoutingVerdict::Queued { inbox_id: AccountSettings::default().inbox_id },
        1 => RoutingVerdict::Offered { offer_id, agent_id, expires_at: now, round: 1 },
        2 => RoutingVerdict::Accepted { offer_id, agent_id },
        3 => RoutingVerdict::Rejected { offer_id, agent_id, reason: RejectReason::Declined },
        4 => RoutingVerdict::Rescinded { offer_id, agent_id, reason: Default::default() },
        5 => RoutingVerdict::Assigned { agent_id, reason: AssignReason::Manual },
        _ => RoutingVerdict::Unassigned { agent_id, reason: Default::default() },
    };
    RoutingDecision {
        verdict,
        company_id: AccountSettings::default().company_id,
        thread: thread(),
        conversation_id: derive::conversation_id(&thread(), state.conversations.max(1)),
        contact_id: derive::contact_id(&thread(), state.contacts.max(1)),
        decided_at: now,
        number: u64::try_from(place).unwrap() + 1,
    }
}

impl ThreadState {
    /// A mid the histories use that may be the newest inbound one.
    fn history_mid(&self) -> crate::domain::id::MessageId {
        let known = (0..80).map(|n| mid(&format!("m{n}")));
        let newest = self.ledger.newest_inbound().map(|entry| entry.key);
        let mut its = known.filter(|m| Some(super::ledger::mid_key(m)) == newest);
        its.next().unwrap_or_else(|| mid("m0"))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // Holds: R-3
    #[test]
    fn the_same_platform_events_end_the_same_in_any_order(
        (events, shuffled) in proptest::collection::vec(platform_event(), 1..30)
            .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle()))
    ) {
        prop_assert_eq!(end_state(&heard(&events)), end_state(&heard(&shuffled)));
    }

    #[test]
    fn whatever_happens_invariants_hold_repetition_changes_nothing_and_the_row_reads_back(
        choices in proptest::collection::vec((any::<u8>(), any::<u8>(), 0_u16..600), 1..60),
        again in 0_usize..60,
    ) {
        let (mut story, history) = live(&choices);
        let before = story.state.clone();
        let last = history.last().map_or(at(0), |(_, now)| *now);
        for (done, _) in history.iter().take(again).filter(|(done, _)| !matches!(done, Done::Timer)) {
            let step = story.apply(&done.input(), last);
            prop_assert_eq!(step.effects.len(), 0, "{:?}", done);
        }
        prop_assert_eq!(&story.state, &before);
        let mut bytes = Vec::new();
        story.state.encode(&mut bytes);
        prop_assert_eq!(ThreadState::decode(&bytes), Ok(before));
        // Whatever timers are left end by themselves.
        story.timers(at(60 * 24 * 60));
        prop_assert_eq!(story.state.due_at(), None);
    }
}
