//! Every layout ever released is read for ever: one file of bytes a layout, written once.
//!
//! What the files hold: a mention, an edit that waits, a reaction, two replies of which one is in doubt, a heart, a topic,
//! an echo held; from layout 2 on a guest and a home; from layout 3 on a move, a step behind the due date, an ad and details;
//! from layout 4 on what keeps the guest's window open, and the home before. Layout 5 is 4 with its due time in front and digests
//! of fixed width, layout 6 the same with its items in one piece.

use crate::conversation::rehearsed::{agent, at, mid};
use crate::conversation::state::{GuestWindow, More, Overdue, ThreadState};
use crate::domain::details::Details;
use crate::domain::fact::WindowReason;
use crate::domain::thread::Thread;
use crate::engine::stage::{Row, RowError};

const LAYOUTS: [&str; 6] = [
    include_str!("row_1.hex"),
    include_str!("row_2.hex"),
    include_str!("row_3.hex"),
    include_str!("row_4.hex"),
    include_str!("row_5.hex"),
    include_str!("row_6.hex"),
];

fn bytes(hex_text: &str) -> Vec<u8> {
    hex::decode(hex_text.trim()).unwrap()
}

#[test]
fn every_layout_reads_as_it_was_written() {
    for (place, hex_text) in LAYOUTS.iter().enumerate() {
        let bytes = bytes(hex_text);
        assert_eq!(usize::from(bytes[0]), place + 1);
        let state = ThreadState::decode(&bytes).unwrap();
        let conversation = state.conversation.as_ref().unwrap();
        assert_eq!(conversation.agent, Some(agent("ana")));
        assert_eq!(conversation.topics, ["billing"]);
        assert_eq!((state.facts, state.sends.len(), state.held.len()), (13, 3, 1));
        assert_eq!((state.early.len(), state.stories.len()), (1, 1));
        assert_eq!(state.ledger.entries().len(), 4);
        assert_eq!(state.window.unwrap().opened_at, at(2));
        assert_eq!(conversation.contact().unwrap().suspended.unwrap().due_at, at(60));
    }
}

#[test]
fn layout_two_knows_guests_and_home() {
    assert_eq!(ThreadState::decode(&bytes(LAYOUTS[0])).unwrap().ties.home, None);
    let ties = ThreadState::decode(&bytes(LAYOUTS[1])).unwrap().ties;
    assert_eq!(ties.home, Some(Thread::from_key("1784:900").unwrap()));
    assert_eq!(ties.guests.len(), 1);
    assert_eq!(ties.guests[0].thread, Thread::from_key("1784:901").unwrap());
    assert_eq!(ties.guests[0].opened_at, Some(at(5)));
    assert_eq!(ties.guests[0].mids, [mid("g1")]);
    assert_eq!(ties.newest_from, Some((at(5), Some(Thread::from_key("1784:901").unwrap()))));
}

#[test]
fn layout_three_knows_what_was_added_last_and_older_ones_have_nothing_of_it() {
    for old in [LAYOUTS[0], LAYOUTS[1]] {
        assert_eq!(ThreadState::decode(&bytes(old)).unwrap().more, More::default());
    }
    let more = ThreadState::decode(&bytes(LAYOUTS[2])).unwrap().more;
    let expected = More {
        transferred: true,
        due_before: Some((at(40), at(20))),
        overdue: Some(Overdue { due_at: at(40), told: 1, next_at: Some(at(50)) }),
        outs: vec![at(3), at(4)],
        opened_by: Some(WindowReason::Ad),
        ad_until: Some(at(99)),
        was_guest: true,
        details: Details {
            phone: Some("+4930123456".to_owned()),
            phone_verified: true,
            named: [("size".to_owned(), "38".to_owned())].into(),
            ..Details::default()
        },
    };
    assert_eq!(more, expected);
}

#[test]
fn layout_four_knows_what_keeps_a_guests_window_open_and_older_ones_have_nothing_of_it() {
    let old = ThreadState::decode(&bytes(LAYOUTS[2])).unwrap().ties;
    assert_eq!(old.guests[0].window, GuestWindow::default());
    assert_eq!((old.last_home, old.last_gone), (None, None));
    let ties = ThreadState::decode(&bytes(LAYOUTS[3])).unwrap().ties;
    let window = GuestWindow { opened_by: Some(WindowReason::StoryReply), ad_until: Some(at(77)) };
    assert_eq!(ties.guests[0].window, window);
    assert_eq!(ties.last_home, Some(Thread::from_key("1784:902").unwrap()));
    assert_eq!(ties.last_gone, Some((Thread::from_key("1784:903").unwrap(), at(88))));
}

#[test]
fn layout_five_says_in_front_when_it_is_due_and_older_ones_say_it_too() {
    let older = bytes(LAYOUTS[3]);
    let state = ThreadState::decode(&older).unwrap();
    assert!(state.due_at().is_some());
    assert_eq!(ThreadState::due_in(&older), Ok(state.due_at()));
    for newer in [bytes(LAYOUTS[4]), bytes(LAYOUTS[5])] {
        assert_eq!(ThreadState::decode(&newer), Ok(state.clone()));
        assert_eq!(ThreadState::due_in(&newer), Ok(state.due_at()));
        assert_eq!(ThreadState::due_in(&newer[..9]), Ok(state.due_at()), "no more is read");
    }
    let mut idle = Vec::new();
    ThreadState::default().encode(&mut idle);
    assert_eq!(ThreadState::due_in(&idle), Ok(None));
}

#[test]
fn the_newest_layout_is_written_and_older_ones_are_written_anew_without_loss() {
    let newest = bytes(LAYOUTS[5]);
    let mut again = Vec::new();
    ThreadState::decode(&newest).unwrap().encode(&mut again);
    assert_eq!(hex::encode(again), hex::encode(newest));
    for old in &LAYOUTS[..5] {
        let old = ThreadState::decode(&bytes(old)).unwrap();
        let mut anew = Vec::new();
        old.encode(&mut anew);
        assert_eq!(ThreadState::decode(&anew), Ok(old));
    }
}

#[test]
fn other_bytes_are_no_row() {
    for unknown in [&[99][..], &[0]] {
        let error = RowError::UnknownVersion(unknown[0]);
        assert_eq!(ThreadState::decode(unknown), Err(error.clone()));
        assert_eq!(ThreadState::due_in(unknown), Err(error));
    }
    for broken in [&[][..], &[1], &[2], &[3], &[4], &[5], &[5, 0, 0], &[6]] {
        assert!(matches!(ThreadState::decode(broken), Err(RowError::Malformed(_))));
        assert!(matches!(ThreadState::due_in(broken), Err(RowError::Malformed(_))));
    }
    for whole in [bytes(LAYOUTS[4]), bytes(LAYOUTS[5])] {
        for cut in 0..whole.len() {
            let read = ThreadState::decode(&whole[..cut]);
            assert!(matches!(read, Err(RowError::Malformed(_))), "{cut}");
        }
    }
}
