//! Whose profiles are one: threads whose items go on in another's. Pure.
//!
//! Promise: an alias and nothing more; taking it back leaves no trace. Rings, which crossed merges could make for a
//! moment, are followed a bounded way.

use std::collections::BTreeMap;

use crate::domain::customer::CustomerMerge;
use crate::domain::id::CustomerId;
use crate::domain::thread::Thread;

/// How far a chain of merges is followed: as far as items are passed on.
const HOPS_MAX: usize = 8;

/// The merges that stand.
#[derive(Debug, Default)]
pub(crate) struct Kin {
    homes: BTreeMap<Thread, Thread>,
    guests: BTreeMap<Thread, Vec<Thread>>,
    threads: BTreeMap<CustomerId, Thread>,
}

impl Kin {
    /// Takes in a merge, at most `merges_max` of them; whether it says anything new.
    pub(crate) fn tie(&mut self, merge: CustomerMerge, merges_max: usize) -> bool {
        let is_known = self.homes.get(&merge.thread) == Some(&merge.into);
        if is_known || self.homes.len() >= merges_max {
            return false;
        }
        self.untie(&merge.customer_id);
        self.guests.entry(merge.into.clone()).or_default().push(merge.thread.clone());
        self.threads.insert(merge.customer_id, merge.thread.clone());
        self.homes.insert(merge.thread, merge.into);
        true
    }

    /// A merge was taken back; the thread it was of.
    pub(crate) fn untie(&mut self, customer: &CustomerId) -> Option<Thread> {
        let thread = self.threads.remove(customer)?;
        if let Some(home) = self.homes.remove(&thread)
            && let Some(guests) = self.guests.get_mut(&home)
        {
            guests.retain(|guest| *guest != thread);
            if guests.is_empty() {
                self.guests.remove(&home);
            }
        }
        Some(thread)
    }

    /// The thread of a customer whose profile goes on elsewhere.
    pub(crate) fn thread_of(&self, customer: &CustomerId) -> Option<&Thread> {
        self.threads.get(customer)
    }

    /// Where a thread's items go on: itself, unless it was merged.
    pub(crate) fn home_of<'a>(&'a self, thread: &'a Thread) -> &'a Thread {
        let mut home = thread;
        for _ in 0..HOPS_MAX {
            match self.homes.get(home) {
                Some(next) => home = next,
                None => break,
            }
        }
        home
    }

    /// A thread and all that were merged into it, itself first.
    pub(crate) fn family(&self, home: &Thread) -> Vec<Thread> {
        let mut family = vec![home.clone()];
        let mut generation = family.clone();
        for _ in 0..HOPS_MAX {
            let born = generation.iter().filter_map(|thread| self.guests.get(thread)).flatten();
            let born: Vec<Thread> = born.filter(|guest| !family.contains(guest)).cloned().collect();
            family.extend(born.iter().cloned());
            generation = born;
        }
        family
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::project::fixture_test::thread;

    fn customer(person: &str) -> CustomerId {
        CustomerId::parse(&format!("cu-{person}")).unwrap()
    }

    fn merge(person: &str, into: &str) -> CustomerMerge {
        CustomerMerge {
            customer_id: customer(person),
            thread: thread(person),
            into: thread(into),
            into_customer_id: customer(into),
            merged_at: Timestamp::from_ms(5),
        }
    }

    // Holds
    #[test]
    fn a_merge_is_an_alias_and_taking_it_back_leaves_no_trace() {
        let mut kin = Kin::default();
        assert!(kin.tie(merge("2", "1"), 9) && kin.tie(merge("3", "2"), 9));
        assert!(!kin.tie(merge("3", "2"), 9), "read twice");
        assert_eq!(kin.home_of(&thread("3")), &thread("1"), "a chain");
        assert_eq!(kin.family(&thread("1")), ["1", "2", "3"].map(thread));
        assert_eq!(kin.family(&thread("2")), ["2", "3"].map(thread));
        assert_eq!(kin.untie(&customer("3")), Some(thread("3")));
        assert_eq!(kin.untie(&customer("3")), None);
        assert_eq!(kin.home_of(&thread("3")), &thread("3"));
        assert_eq!(kin.untie(&customer("2")), Some(thread("2")));
        assert_eq!((kin.homes.len(), kin.guests.len(), kin.threads.len()), (0, 0, 0));
    }

    #[test]
    fn rings_end_and_merges_are_bounded() {
        let mut kin = Kin::default();
        assert!(kin.tie(merge("2", "1"), 2) && kin.tie(merge("1", "2"), 2));
        assert!([thread("1"), thread("2")].contains(kin.home_of(&thread("1"))));
        assert_eq!(kin.family(&thread("1")).len(), 2);
        assert!(!kin.tie(merge("3", "2"), 2), "no room");
        assert_eq!(kin.thread_of(&customer("3")), None);
    }
}
