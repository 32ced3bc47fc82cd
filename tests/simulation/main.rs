//! Worlds in which everything goes wrong: thousands of seeds, those that once found something, and mistakes on purpose.
//!
//! `cargo test --profile simulation --test simulation`: unoptimised it takes ten times as long.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests fail here, and say what they saw"
)]

use std::thread::available_parallelism;

use dmstream::simulation::{Fault, Parts, Planted, judge_many, run};

/// Worlds that must hold; `DMSTREAM_TEST_SEEDS` asks for more.
const SEEDS: u64 = 10_000;
/// So many worlds at most until a mistake on purpose is found.
const SEEDS_OF_A_MISTAKE: u64 = 1_000;

/// Seeds that once found something, and what.
const FOUND: [(u64, &str); 7] = [
    (3_905, "two erasures in one moment shared an id"),
    (566, "by a clock that was behind a person was asked for again within a minute"),
    (146, "an erasure that came twice left two tombstones of one id"),
    (308, "in a ring of merges a change that had waited was passed on twice under one id"),
    (2_406, "in a ring of merges an event was given back twice under one id"),
    (2_775, "in a ring of merges an event that came round was passed on under the same id again"),
    (2_043, "an outcome told while others stopped was taken for something forgotten"),
];

fn threads() -> usize {
    available_parallelism().map_or(1, std::num::NonZero::get)
}

#[test]
fn many_worlds_hold() {
    let asked = std::env::var_os("DMSTREAM_TEST_SEEDS").and_then(|text| text.into_string().ok());
    let seeds = asked.and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let judged = judge_many((1, seeds), None, (threads(), 20), &|| ()).unwrap();
    for fault in Fault::ALL {
        println!("{:>9} {}", judged.tally.of(fault), fault.name());
        assert!(seeds < SEEDS || judged.tally.of(fault) > 0, "never: {}", fault.name());
    }
    println!("{} seeds, {} records", judged.seeds, judged.records);
    let replay =
        |(seed, what): &(u64, String)| format!("{what}\n  dmstream simulate --seed {seed} --log");
    let violated: Vec<String> = judged.violated.iter().map(replay).collect();
    assert!(violated.is_empty(), "{}", violated.join("\n"));
}

#[test]
fn the_same_seed_gives_the_same_run_to_the_last_line() {
    let parts = Parts::new().unwrap();
    for seed in 1..6 {
        let one = run(seed, None, true, &parts).unwrap();
        let other = run(seed, None, true, &parts).unwrap();
        assert!(one.log.len() > 50, "{}", one.log.len());
        assert_eq!(one, other);
    }
}

#[test]
fn seeds_that_once_found_something_find_nothing_any_more() {
    let parts = Parts::new().unwrap();
    for (seed, what) in FOUND {
        assert_eq!(run(seed, None, false, &parts).unwrap().violated, None, "{seed}: {what}");
    }
}

#[test]
fn every_mistake_on_purpose_is_found_and_not_by_a_panic() {
    let missed: Vec<Planted> = Planted::ALL.into_iter().filter(|one| !is_found(*one)).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}

fn is_found(planted: Planted) -> bool {
    let bounds = (threads(), 1);
    let judged = judge_many((1, SEEDS_OF_A_MISTAKE), Some(planted), bounds, &|| ()).unwrap();
    println!("{planted:?}: {} seeds: {:?}", judged.seeds, judged.violated.first());
    judged.violated.iter().any(|(seed, _)| !judged.panicked.contains(seed))
}
