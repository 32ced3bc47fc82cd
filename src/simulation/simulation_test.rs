//! Seeds that are always run, the same run twice, and mistakes that must be found.

use super::*;

/// So many seeds at most until a planted mistake is found.
const SEEDS_MAX: u64 = 400;

/// Seeds that once found something, and what.
const FOUND: [(u64, &str); 0] = [];

#[test]
fn the_same_seed_gives_the_same_run_to_the_last_line() {
    let parts = Parts::new().unwrap();
    for seed in 1..4 {
        let one = run(seed, None, true, &parts).unwrap();
        let other = run(seed, None, true, &parts).unwrap();
        assert!(one.log.len() > 500, "{}", one.log.len());
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
fn many_seeds_find_nothing() {
    let seeds = std::env::var("SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let began = std::time::Instant::now();
    let judged = judge_many((1, seeds), None, (2, 10_000), &|| ()).unwrap();
    let mut kinds: std::collections::BTreeMap<String, Vec<u64>> = Default::default();
    for (seed, what) in &judged.violated {
        let kind: String = what.chars().filter(|c| !c.is_numeric()).take(90).collect();
        kinds.entry(kind).or_default().push(*seed);
    }
    for (kind, seeds) in &kinds {
        println!("{:>4} {kind} {:?}", seeds.len(), &seeds[..seeds.len().min(6)]);
    }
    println!(
        "{} seeds in {:?}, {} records, {} faults",
        judged.seeds,
        began.elapsed(),
        judged.records,
        judged.tally.total()
    );
    for fault in Fault::ALL {
        println!("{:>8} {}", judged.tally.of(fault), fault.name());
    }
    assert!(judged.violated.is_empty());
}

#[test]
fn one_seed() {
    let seed = std::env::var("SEED").unwrap().parse().unwrap();
    let verdict = run(seed, None, true, &Parts::new().unwrap()).unwrap();
    for line in verdict.log.iter() {
        println!("{line}");
    }
}

#[test]
fn planted_mistakes_are_found() {
    let missed: Vec<String> = Planted::ALL.into_iter().filter_map(missed).collect();
    assert!(missed.is_empty(), "not found: {missed:#?}");

    fn missed(planted: Planted) -> Option<String> {
        let judged = judge_many((1, SEEDS_MAX), Some(planted), (2, 1), &|| ()).unwrap();
        println!("{planted:?}: {} seeds, {:?}", judged.seeds, judged.violated.first());
        let found = judged.violated.iter().any(|(seed, _)| !judged.panicked.contains(seed));
        (!found).then(|| format!("{planted:?} in {} seeds", judged.seeds))
    }
}
