//! How far behind a session is, as the client's statistics tell.

use std::collections::BTreeMap;

use dmstream::clock::Stopwatch;
use dmstream::topics::Topic;

use crate::world::{Copier, PATIENCE, append, output, read_all, reader, run, world};

const INPUT: (Topic, u32) = (Topic::EventsNormalized, 0);

/// Goes round until the statistics say `behind`, without committing. Lanes that move meanwhile are taken: on a busy machine they do.
#[track_caller]
fn until_behind(copier: &mut Copier, behind: u64) {
    let watch = Stopwatch::start();
    while copier.session.lag().get(&INPUT) != Some(&behind) {
        let lag = copier.session.lag();
        assert!(watch.elapsed() < PATIENCE, "{lag:?}, not {behind}");
        drop(copier.turn().unwrap());
    }
}

/// Written by transactions, so that marks and aborted records lie in the input.
#[test]
fn lag_is_nothing_at_rest_whatever_ends_the_input_and_what_is_not_committed_otherwise() {
    let broker =
        world("lag", &[(Topic::EventsNormalized, 1), (Topic::Timeline, 1), (Topic::Customers, 1)]);
    let producer = broker.producer().unwrap();
    append(&producer, Topic::EventsNormalized, "t", "m0");
    let mut copier = Copier::open(&broker, "a", &[Topic::EventsNormalized]);
    run(&mut [&mut copier], |members| members[0].copied.len() == 1);
    until_behind(&mut copier, 0);

    // A transaction's mark at the end, then aborted records and theirs.
    let mut writer = Copier::open(&broker, "writer", &[Topic::Customers]);
    writer.session.send(&output(Topic::EventsNormalized, "t", "m1")).unwrap();
    writer.session.commit(&BTreeMap::new()).unwrap();
    run(&mut [&mut copier], |members| members[0].copied.len() == 2);
    for _ in 0..5 {
        writer.session.send(&output(Topic::EventsNormalized, "t", "never")).unwrap();
    }
    writer.session.abort().unwrap();
    until_behind(&mut copier, 0);

    // Read and not committed is still to be done.
    for n in 2..5 {
        append(&producer, Topic::EventsNormalized, "t", &format!("m{n}"));
    }
    let next = copier.read_uncommitted();
    let watch = Stopwatch::start();
    while copier.session.lag().get(&INPUT).is_none_or(|behind| *behind < 3) {
        assert!(watch.elapsed() < PATIENCE, "{:?}", copier.session.lag());
        drop(copier.turn().unwrap());
    }
    drop(next);
    copier.session.abort().unwrap();
    copier.copied.clear();
    // A commit that is refused and tried again brings some of them twice.
    let has = |copier: &Copier, name: &str| copier.copied.iter().any(|(_, _, value)| value == name);
    run(&mut [&mut copier], |members| ["m2", "m3", "m4"].iter().all(|name| has(members[0], name)));
    until_behind(&mut copier, 0);
    // What became true is each of them, once.
    let (copied, _) = read_all(&mut reader(&broker, Topic::Timeline));
    assert_eq!(copied, ["m0", "m1", "m2", "m3", "m4"]);
    writer.session.close().unwrap();
    copier.session.close().unwrap();
}
