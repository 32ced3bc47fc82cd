//! Transactions, groups and readers, in memory and on disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::test_room::{
    INPUT, OUTPUT, append, bounds, open, output, polled, read, settings, short, spec, taken, values,
};
use super::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Error, NextOffsets, PollBounds, Polled, SessionSpec};
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::topics::{Topic, catalogue};

/// Every rule below holds for both.
fn on_both(check: impl Fn(&EmbeddedBroker)) {
    check(&EmbeddedBroker::in_memory(&settings()));
    let dir = tempfile::tempdir().unwrap();
    check(&open(dir.path()));
}

#[test]
fn outputs_and_offsets_become_true_together_at_the_commit() {
    on_both(|broker| {
        append(broker, output(INPUT, 0, "k", "in"));
        let mut session = taken(broker, "a");
        assert_eq!(polled(&mut session), [(0, "in".to_owned())]);
        session.send(&output(OUTPUT, 1, "k", "out")).unwrap();
        assert!(values(broker, (OUTPUT, 1)).is_empty(), "read before the commit");
        session.commit(&NextOffsets::from([((INPUT, 0), 1)])).unwrap();
        assert_eq!(values(broker, (OUTPUT, 1)), ["out"]);
        session.close().unwrap();
        assert!(polled(&mut taken(broker, "a")).is_empty(), "what was committed is not read again");
        append(broker, output(INPUT, 0, "k", "next"));
        assert_eq!(polled(&mut taken(broker, "a")), [(0, "next".to_owned())]);
    });
}

#[test]
fn an_abort_drops_the_outputs_and_rewinds() {
    on_both(|broker| {
        append(broker, output(INPUT, 0, "k", "one"));
        append(broker, output(INPUT, 1, "k", "two"));
        let mut session = taken(broker, "a");
        let first = polled(&mut session);
        assert_eq!(first.len(), 2);
        session.send(&output(OUTPUT, 0, "k", "dropped")).unwrap();
        session.abort().unwrap();
        let mut again = polled(&mut session);
        again.sort();
        assert_eq!(again, [(0, "one".to_owned()), (1, "two".to_owned())]);
        session.commit(&NextOffsets::from([((INPUT, 0), 1), ((INPUT, 1), 1)])).unwrap();
        assert!(values(broker, (OUTPUT, 0)).is_empty());
    });
}

#[test]
fn a_member_opened_again_fences_its_former_self() {
    on_both(|broker| {
        let mut old = taken(broker, "a");
        old.send(&output(OUTPUT, 0, "k", "late")).unwrap();
        let _new = taken(broker, "a");
        assert!(matches!(old.commit(&NextOffsets::new()), Err(Error::Fatal(_))));
        assert!(matches!(old.poll(&bounds(1, 0)), Err(Error::Fatal(_))));
        assert!(values(broker, (OUTPUT, 0)).is_empty());
    });
}

#[test]
fn a_commit_on_a_lane_that_was_lost_fails_and_an_abort_heals() {
    let settings = settings();
    let broker = EmbeddedBroker::in_memory(&settings);
    let mut ana = taken(&broker, "a");
    let mut ben = broker.session(&spec("b")).unwrap();
    assert_eq!(ana.poll(&bounds(1, 0)).unwrap(), Polled::Revoked(vec![1]));
    settings.clock.set(Timestamp::from_ms(30_000));
    assert_eq!(ben.poll(&bounds(1, 0)).unwrap(), Polled::Assigned(vec![1]));
    ana.send(&output(OUTPUT, 0, "k", "late")).unwrap();
    assert!(matches!(ana.commit(&NextOffsets::new()), Err(Error::Abortable(_))));
    let unaborted = ana.send(&output(OUTPUT, 0, "k", "later"));
    assert!(matches!(unaborted, Err(Error::Abortable(_))));
    assert_eq!(ana.poll(&bounds(1, 0)).unwrap(), Polled::Lost(vec![1]));
    ana.give_up(&[1]).unwrap();
    ana.abort().unwrap();
    ana.send(&output(OUTPUT, 0, "k", "mine")).unwrap();
    ana.commit(&NextOffsets::from([((INPUT, 0), 0)])).unwrap();
    assert_eq!(values(&broker, (OUTPUT, 0)), ["mine"]);
    assert!(matches!(ana.take(&[1]), Err(Error::Abortable(_))));
}

#[test]
fn a_reader_begins_where_it_is_told_and_says_where_it_goes_on() {
    on_both(|broker| {
        for value in ["a", "b", "c"] {
            append(broker, output(OUTPUT, 1, "k", value));
        }
        let batch = read(broker, (OUTPUT, 1), 1);
        assert_eq!(
            batch.records.iter().map(short).collect::<Vec<_>>(),
            [(1, "b".to_owned()), (1, "c".to_owned())]
        );
        assert_eq!(batch.next, NextOffsets::from([((OUTPUT, 1), 3)]));
        assert!(matches!(
            broker.reader(&NextOffsets::from([((OUTPUT, 9), 0)])),
            Err(Error::Topics(_))
        ));
    });
}

#[test]
fn a_poll_keeps_its_bounds_and_brings_one_record_at_least() {
    on_both(|broker| {
        for value in ["aaaa", "bbbb", "cccc"] {
            append(broker, output(INPUT, 0, "", value));
        }
        let mut session = taken(broker, "a");
        check(&mut session, (10, 3), 1, false);
        // The first is free, the next fits.
        check(&mut session, (10, 4), 2, true);
        session.abort().unwrap();
        check(&mut session, (2, 100), 2, false);
        check(&mut session, (2, 100), 1, true);

        #[track_caller]
        fn check(
            session: &mut super::Session,
            (records_max, bytes_max): (usize, usize),
            count: usize,
            end: bool,
        ) {
            let bounds = PollBounds { records_max, bytes_max, wait: Duration::ZERO };
            let told = session.poll(&bounds).unwrap();
            let Polled::Records { records, drained } = told else { panic!("{told:?}") };
            assert_eq!(records.len(), count);
            assert!(!end || drained);
        }
    });
}

#[test]
fn what_is_too_large_or_goes_nowhere_is_refused() {
    on_both(|broker| {
        let mut session = taken(broker, "a");
        let large = "x".repeat(catalogue().defaults.max_message_bytes as usize + 1);
        let sent = session.send(&output(OUTPUT, 0, "k", &large));
        assert!(matches!(sent, Err(Error::TooLarge { .. })));
        assert!(matches!(session.send(&output(OUTPUT, 2, "k", "v")), Err(Error::Topics(_))));
        let other = SessionSpec { inputs: vec![INPUT, Topic::Settings], ..spec("b") };
        assert!(matches!(broker.session(&other), Err(Error::Topics(_))));
    });
}

#[test]
fn a_full_queue_refuses_producers() {
    let settings = EmbeddedSettings { queue_records_max: 0, ..settings() };
    let broker = EmbeddedBroker::in_memory(&settings);
    let append = broker.producer().unwrap().append(output(INPUT, 0, "k", "v"));
    assert!(matches!(super::test_room::wait(append), Err(Error::QueueFull)));
    let mut session = taken(&broker, "a");
    session.send(&output(OUTPUT, 0, "k", "v")).unwrap();
    session.commit(&NextOffsets::new()).unwrap();
}

#[test]
fn a_waiting_poll_wakes_on_data() {
    on_both(|broker| {
        let mut session = taken(broker, "a");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| session.poll(&bounds(1, 60_000)).unwrap());
            append(broker, output(INPUT, 0, "k", "v"));
            let Polled::Records { records, .. } = waiting.join().unwrap() else { panic!() };
            assert_eq!(short(&records[0]).1, "v");
        });
    });
}

/// EB-3: members come and go on threads of their own; every input becomes one output, in order per partition.
#[test]
fn hand_overs_between_threads_lose_and_repeat_nothing() {
    const RECORDS: u64 = 600;
    on_both(|broker| {
        let done = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for member in ["a", "b", "c"] {
                let (broker, done) = (broker.clone(), &done);
                scope.spawn(move || {
                    for life in 0.. {
                        if done.load(Ordering::SeqCst) >= RECORDS {
                            return;
                        }
                        live(&broker, member, 5 + life, done);
                    }
                });
            }
            for n in 0..RECORDS {
                let partition = u32::try_from(n % 2).unwrap();
                append(broker, output(INPUT, partition, "k", &n.to_string()));
            }
        });
        for lane in 0..2 {
            let expected: Vec<String> =
                (0..RECORDS).filter(|n| n % 2 == u64::from(lane)).map(|n| n.to_string()).collect();
            assert_eq!(values(broker, (OUTPUT, lane)), expected);
        }
    });

    /// Copies inputs to outputs for some turns, then goes; every third life without a word.
    fn live(broker: &EmbeddedBroker, member: &str, turns: u64, done: &AtomicU64) {
        let mut session = broker.session(&spec(member)).unwrap();
        for turn in 0..turns {
            match session.poll(&bounds(10, 5)).unwrap() {
                Polled::Assigned(lanes) => session.take(&lanes).unwrap(),
                Polled::Revoked(lanes) | Polled::Lost(lanes) => session.give_up(&lanes).unwrap(),
                Polled::Idle => (),
                Polled::Records { records, .. } => {
                    let mut next = NextOffsets::new();
                    for record in &records {
                        let (lane, value) = short(record);
                        session.send(&output(OUTPUT, lane, "k", &value)).unwrap();
                        next.insert((INPUT, lane), record.offset + 1);
                    }
                    if turn % 4 == 3 {
                        session.abort().unwrap();
                    } else {
                        session.commit(&next).unwrap();
                        done.fetch_add(records.len() as u64, Ordering::SeqCst);
                    }
                }
            }
        }
    }
}

#[test]
fn a_closed_log_answers_nothing() {
    on_both(|broker| {
        let mut session = taken(broker, "a");
        let producer = broker.producer().unwrap();
        broker.clone().close().unwrap();
        assert!(matches!(session.poll(&bounds(1, 0)), Err(Error::Fatal(_))));
        assert!(matches!(session.commit(&NextOffsets::new()), Err(Error::Fatal(_))));
        let late = super::test_room::wait(producer.append(output(INPUT, 0, "k", "v")));
        assert!(matches!(late, Err(Error::Fatal(_))));
    });
}

#[test]
fn the_catalogue_says_how_many_partitions_unless_the_settings_do() {
    let usual = EmbeddedSettings { clock: Clock::System, ..EmbeddedSettings::default() };
    let broker = EmbeddedBroker::in_memory(&usual);
    assert_eq!(broker.partitions(INPUT).unwrap(), 8);
    assert_eq!(broker.partitions(Topic::Settings).unwrap(), 1);
    let broker = EmbeddedBroker::in_memory(&settings());
    assert_eq!(broker.partitions(INPUT).unwrap(), 2);
    assert_eq!(broker.partitions(Topic::Settings).unwrap(), 1);
}
