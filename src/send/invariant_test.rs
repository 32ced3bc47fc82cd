//! The invariants of one account's outbound (S-1 to S-4, see `decide.rs`), whatever comes in which order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::domain::time::{DAY_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::send::decide::{Answered, Effect};
use crate::send::decide_test::{World, refused, taken};
use crate::send::error::{Class, Error};
use crate::send::state::{Slot, ThreadDigest};

/// What may happen next in a random world.
#[derive(Debug, Clone)]
enum Step {
    Request {
        thread: u128,
        automatic: bool,
        expires_in_ms: u64,
    },
    /// The `at`th call under way comes back so; the answer may also come after it was given up, or twice.
    Answer {
        at: usize,
        with: usize,
    },
    /// The `at`th call under way is lost for good.
    Lose {
        at: usize,
    },
    Wait {
        ms: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..4_u128, any::<bool>(), 0..3 * DAY_MS).prop_map(|(thread, automatic, expires_in_ms)| {
            Step::Request { thread, automatic, expires_in_ms }
        }),
        3 => (0..8_usize, 0..10_usize).prop_map(|(at, with)| Step::Answer { at, with }),
        1 => (0..8_usize).prop_map(|at| Step::Lose { at }),
        2 => (1..5 * SECOND_MS).prop_map(|ms| Step::Wait { ms }),
        1 => (1..20 * MINUTE_MS).prop_map(|ms| Step::Wait { ms }),
    ];
    prop::collection::vec(step, 1..120)
}

/// Every kind of answer; the second of a pair says whether it rules out that the message went out.
fn answers() -> [(Answered, bool); 10] {
    [
        (taken(), false),
        (Err(Error::NoAnswer), false),
        (refused(Class::Ambiguous), false),
        (Err(Error::NotSent), true),
        (refused(Class::Temporary), true),
        (refused(Class::Limited), true),
        (refused(Class::TagLimited), true),
        (refused(Class::AccountDown), true),
        (refused(Class::OutsideWindow), true),
        (refused(Class::Permanent), true),
    ]
}

/// A world that checks the invariants as it goes.
struct Watched {
    world: World,
    requested: u128,
    thread_of: BTreeMap<u128, u128>,
    under_way: Vec<(u128, u32)>,
    /// Calls begun and not yet known to have failed: at most one a part, for ever.
    perhaps_out: BTreeSet<u128>,
    first_called: BTreeMap<u128, Vec<u128>>,
    begun_at: Vec<Timestamp>,
    settled: BTreeSet<u128>,
}

impl Watched {
    fn new(rate: u32) -> Self {
        let mut world = World::new();
        world.settings.send_rate = rate;
        Self {
            world,
            requested: 0,
            thread_of: BTreeMap::new(),
            under_way: Vec::new(),
            perhaps_out: BTreeSet::new(),
            first_called: BTreeMap::new(),
            begun_at: Vec::new(),
            settled: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        let effects = match step {
            Step::Request { thread, automatic, expires_in_ms } => {
                self.requested += 1;
                self.thread_of.insert(self.requested, *thread);
                let slot = self.world.slot(self.requested, *thread);
                let expires_at = self.world.now.plus_ms(*expires_in_ms);
                self.world.request(Slot { automatic: *automatic, expires_at, ..slot })
            }
            Step::Answer { at, with } => {
                let Some((id, attempt)) = self.under_way.get(*at).copied() else { return };
                let (answered, rules_out) = answers()[*with].clone();
                let is_open = self.world.account.slots.iter().any(|slot| slot.id.0 == id);
                // An answer after the stage gave up changes nothing about what may be called.
                if rules_out && is_open {
                    self.perhaps_out.remove(&id);
                }
                self.under_way.remove(*at);
                let mut effects = self.world.answer(id, attempt, answered.clone());
                effects.extend(self.world.answer(id, attempt, answered));
                effects
            }
            Step::Lose { at } => {
                if *at < self.under_way.len() {
                    self.under_way.remove(*at);
                }
                Vec::new()
            }
            Step::Wait { ms } => {
                let effects = self.world.wait(*ms);
                let wake_at = self.world.account.wake_at;
                assert!(wake_at.is_none_or(|at| self.world.now <= at), "a timer must move on");
                effects
            }
        };
        self.check(&effects);
    }

    fn check(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Call { id, attempt, .. } => {
                    assert!(!self.settled.contains(&id.0), "called after it was settled");
                    assert!(self.perhaps_out.insert(id.0), "S-1: called again while in doubt");
                    self.under_way.push((id.0, *attempt));
                    self.begun_at.push(self.world.now);
                    let order = self.first_called.entry(self.thread_of[&id.0]).or_default();
                    if !order.contains(&id.0) {
                        order.push(id.0);
                    }
                }
                Effect::Settle { id, .. } => assert!(self.settled.insert(id.0), "settled twice"),
            }
        }
        for order in self.first_called.values() {
            assert!(order.is_sorted(), "S-2: {order:?}");
        }
        let calling = self.world.account.slots.iter().filter(|slot| slot.calling_since().is_some());
        let threads: Vec<ThreadDigest> = calling.map(|slot| slot.thread).collect();
        let distinct: BTreeSet<ThreadDigest> = threads.iter().copied().collect();
        assert_eq!(threads.len(), distinct.len(), "S-2: two of a thread on the wire");
        let rate = self.world.settings.send_rate as usize;
        for span in self.begun_at.windows(rate + 1) {
            assert!(span[rate].since_ms(span[0]) >= 300 * SECOND_MS, "S-3");
        }
    }
}

proptest! {
    #[test]
    fn the_invariants_hold_whatever_happens(steps in steps(), rate in 1..12_u32) {
        let mut watched = Watched::new(rate);
        for step in &steps {
            watched.step(step);
        }
        // S-4: with every answer lost from here on, all parts are settled all the same.
        for _ in 0..5_000 {
            watched.step(&Step::Wait { ms: MINUTE_MS });
        }
        prop_assert_eq!(&watched.world.account.slots, &Vec::new());
        prop_assert_eq!(watched.settled.len() as u128, watched.requested);
    }
}
