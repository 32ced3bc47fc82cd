//! The rows' bytes: versions 1 and 2 by hand, after postcard's wire format; round trips; what is refused.

use proptest::prelude::*;

use super::world::{agent, company, conversation};
use crate::domain::id::{ContactId, InboxId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::engine::stage::{Row, RowError};
use crate::route::row::{
    AgentMore, AgentRow, Banner, CompanyRow, ConversationMore, ConversationRow, Place, Presence,
    RouteRow, RowId, Standing, key, prefix, read_key,
};

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn a_conversation(place: Place) -> RouteRow {
    RouteRow::Conversation(Box::new(ConversationRow {
        thread: Thread::from_key("1784:9").unwrap(),
        contact_id: ContactId::parse("ct-1").unwrap(),
        inbox_id: InboxId::parse("main").unwrap(),
        due_at: Some(at(5)),
        since: at(6),
        unanswered: true,
        banner: Banner::new("Kim", "hi"),
        previous_agent_id: None,
        rejected: [agent("ana")].into(),
        round: 2,
        place,
        trace: Some("00-t".to_owned()),
        more: ConversationMore::default(),
    }))
}

#[test]
fn version_1_is_read_for_ever() {
    check(
        &RouteRow::Company(CompanyRow { decisions: 300, snapshots: 1, retry_at: None }),
        &[&[1, 0, 0xac, 0x02, 1, 0]],
    );
    check(
        &RouteRow::Agent(AgentRow {
            presence: Presence::Away { since: at(5) },
            available: true,
            paused_until_next: false,
            extra_slot: true,
            given_at: Some(at(300)),
            delay_until: None,
            recent_commands: [7].into(),
            more: AgentMore::default(),
        }),
        &[&[1, 1, 1, 5, 1, 0, 1, 1, 0xac, 0x02, 0, 1, 7]],
    );
    let to = agent("ben");
    check(
        &a_conversation(Place::Outstanding { to, number: 7, expires_at: at(8) }),
        &[
            &[1, 2],
            b"\x041784\x019",
            b"\x04ct-1\x04main",
            &[1, 5, 6, 1],
            b"\x03Kim\x02hi",
            &[0, 1],
            b"\x03ana",
            &[2, 1],
            b"\x03ben",
            &[7, 8, 1],
            b"\x0400-t",
        ],
    );

    #[track_caller]
    fn check(row: &RouteRow, parts: &[&[u8]]) {
        assert_eq!(RouteRow::decode(&parts.concat()).unwrap(), *row);
    }
}

#[test]
fn version_2_is_these_bytes_for_ever() {
    check(
        &RouteRow::Company(CompanyRow { decisions: 300, snapshots: 1, retry_at: None }),
        &[&[2, 0, 0xac, 0x02, 1, 0]],
    );
    let inboxes = Some([InboxId::parse("main").unwrap()].into());
    let standing = Standing { focus: true, on_settings_page: false, deactivated: true, inboxes };
    let more = AgentMore { standing, idle_away_at: Some(at(300)), idle_logout_at: None };
    check(
        &RouteRow::Agent(AgentRow { more, ..AgentRow::unseen(at(5)) }),
        &[&[2, 1, 0, 5, 0, 0, 0, 0, 0, 0], &[1, 0, 1, 1, 1], b"\x04main", &[1, 0xac, 0x02, 0]],
    );
    let by = agent("ben");
    let row = a_conversation(Place::Held { by, requeue_at: None });
    let RouteRow::Conversation(mut row) = row else { unreachable!() };
    row.more = ConversationMore { priority_score: -2, seen_at: Some(at(9)) };
    check(
        &RouteRow::Conversation(row),
        &[
            &[2, 2],
            b"\x041784\x019",
            b"\x04ct-1\x04main",
            &[1, 5, 6, 1],
            b"\x03Kim\x02hi",
            &[0, 1],
            b"\x03ana",
            &[2, 2],
            b"\x03ben",
            &[0, 1],
            b"\x0400-t",
            &[3, 1, 9],
        ],
    );

    #[track_caller]
    fn check(row: &RouteRow, parts: &[&[u8]]) {
        let mut bytes = Vec::new();
        row.encode(&mut bytes);
        assert_eq!(bytes, parts.concat());
        assert_eq!(RouteRow::decode(&bytes).unwrap(), *row);
    }
}

#[test]
fn a_row_is_due_when_its_offer_or_grace_or_delay_ends() {
    check(&a_conversation(Place::Queued), None);
    let to = agent("ben");
    check(&a_conversation(Place::Outstanding { to, number: 7, expires_at: at(8) }), Some(8));
    let held = |requeue_at| a_conversation(Place::Held { by: agent("ben"), requeue_at });
    check(&held(None), None);
    check(&held(Some(at(9))), Some(9));
    let idle = AgentRow::unseen(at(1));
    check(&RouteRow::Agent(AgentRow { delay_until: Some(at(4)), ..idle.clone() }), Some(4));
    check(&RouteRow::Agent(idle.clone()), None);
    let more = AgentMore { idle_away_at: Some(at(3)), idle_logout_at: Some(at(2)), ..idle.more };
    let delay_until = Some(at(4));
    check(&RouteRow::Agent(AgentRow { delay_until, more, ..AgentRow::unseen(at(1)) }), Some(2));
    check(&RouteRow::Company(CompanyRow::default()), None);
    let retry_at = Some(at(3));
    check(&RouteRow::Company(CompanyRow { retry_at, ..CompanyRow::default() }), Some(3));

    #[track_caller]
    fn check(row: &RouteRow, expected: Option<u64>) {
        assert_eq!(row.due_at(), expected.map(at));
    }
}

#[test]
fn other_bytes_are_no_row() {
    assert_eq!(RouteRow::decode(&[3, 0, 1, 1]), Err(RowError::UnknownVersion(3)));
    let without_more = [2, 1, 0, 5, 0, 0, 0, 0, 0, 0];
    for bytes in [&[][..], &[1], &[1, 9], &[1, 0, 0xac], &[2, 0, 0xac], &without_more] {
        assert!(matches!(RouteRow::decode(bytes), Err(RowError::Malformed(_))), "{bytes:?}");
    }
}

#[test]
fn keys_are_company_then_kind_then_id_and_read_back() {
    check(&RowId::Company, b"acme\x00\x01");
    check(&RowId::Agent(agent("ana")), b"acme\x00\x02ana");
    check(&RowId::Conversation(conversation("c1")), b"acme\x00\x03c1");
    for other in [&b"acme"[..], b"acme\x00", b"acme\x00\x09x", b"acme\x00\x02", b"\x00\x01"] {
        assert!(read_key(other).is_err(), "{other:?}");
    }

    #[track_caller]
    fn check(id: &RowId, bytes: &[u8]) {
        assert_eq!(key(&company(), id), bytes);
        assert_eq!(read_key(bytes).unwrap(), (company(), id.clone()));
        assert!(bytes.starts_with(&prefix(&company())));
    }
}

#[test]
fn debug_shows_neither_name_nor_preview() {
    let shown = format!("{:?}", a_conversation(Place::Queued));
    assert!(!shown.contains("Kim") && !shown.contains("hi\""), "{shown}");
}

prop_compose! {
    fn conversation_row()(
        (due, since, unanswered) in (any::<Option<u64>>(), any::<u64>(), any::<bool>()),
        (name, preview) in (".{0,200}", ".{0,200}"),
        rejected in prop::collection::btree_set("[a-z]{1,9}", 0..5),
        (round, number, moment) in (any::<u32>(), any::<u64>(), any::<Option<u64>>()),
        kind in 0..3_u8,
        priority_score in any::<i32>(),
    ) -> RouteRow {
        let place = match kind {
            0 => Place::Queued,
            1 => Place::Outstanding { to: agent("ben"), number, expires_at: at(since) },
            _ => Place::Held { by: agent("ben"), requeue_at: moment.map(at) },
        };
        let RouteRow::Conversation(row) = a_conversation(place) else { unreachable!() };
        RouteRow::Conversation(Box::new(ConversationRow {
            due_at: due.map(at),
            since: at(since),
            unanswered,
            banner: Banner::new(&name, &preview),
            rejected: rejected.iter().map(|name| agent(name)).collect(),
            round,
            more: ConversationMore { priority_score, seen_at: moment.map(at) },
            ..*row
        }))
    }
}

proptest! {
    #[test]
    fn a_conversation_reads_back(row in conversation_row()) {
        let mut bytes = Vec::new();
        row.encode(&mut bytes);
        prop_assert_eq!(RouteRow::decode(&bytes).unwrap(), row);
    }

    #[test]
    fn an_agent_reads_back(
        flags: [bool; 3],
        moments: [Option<u64>; 2],
        since: u64,
        recent: Vec<u64>,
        presence in 0..3_u8,
        served in prop::option::of(prop::collection::btree_set("[a-z]{1,9}", 0..4)),
    ) {
        let inbox = |name: &String| InboxId::parse(name).unwrap();
        let inboxes = served.map(|names| names.iter().map(inbox).collect());
        let [focus, on_settings_page, deactivated] = flags;
        let standing = Standing { focus, on_settings_page, deactivated, inboxes };
        let (idle_away_at, idle_logout_at) = (moments[1].map(at), moments[0].map(at));
        let since = at(since);
        let row = RouteRow::Agent(AgentRow {
            presence: match presence {
                0 => Presence::Here,
                1 => Presence::Away { since },
                _ => Presence::Out { since },
            },
            available: flags[0],
            paused_until_next: flags[1],
            extra_slot: flags[2],
            given_at: moments[0].map(at),
            delay_until: moments[1].map(at),
            recent_commands: recent.into(),
            more: AgentMore { standing, idle_away_at, idle_logout_at },
        });
        let mut bytes = Vec::new();
        row.encode(&mut bytes);
        prop_assert_eq!(RouteRow::decode(&bytes).unwrap(), row);
    }

    #[test]
    fn damaged_bytes_never_bring_it_down(bytes: Vec<u8>) {
        drop(RouteRow::decode(&bytes));
        drop(read_key(&bytes));
    }
}
