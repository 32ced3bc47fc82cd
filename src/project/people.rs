//! Who writes, as their profiles say; what is shown of somebody without one. Pure.
//!
//! Promise: of two profiles of a thread the one fetched later is shown; at the bound the one fetched longest ago goes.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::customer::{CustomerProfile, Profile};
use crate::domain::fact::ConversationSnapshot;
use crate::domain::id::{AccountId, CustomerId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::project::view::{CustomerView, NameSource};

/// Profiles by the thread whose account asked.
#[derive(Debug, Default)]
pub(crate) struct People {
    profiles: BTreeMap<Thread, CustomerProfile>,
    threads: BTreeMap<CustomerId, Thread>,
    by_age: BTreeSet<(Timestamp, Thread)>,
}

impl People {
    /// Takes in a profile, at most `profiles_max` of them; whether it says anything new.
    pub(crate) fn learn(&mut self, profile: CustomerProfile, profiles_max: usize) -> bool {
        let thread = profile.thread.clone();
        let known = self.profiles.get(&thread);
        if known.is_some_and(|known| known.fetched_at >= profile.fetched_at) {
            return false;
        }
        self.forget_thread(&thread);
        self.threads.insert(profile.customer_id.clone(), thread.clone());
        self.by_age.insert((profile.fetched_at, thread.clone()));
        self.profiles.insert(thread, profile);
        while self.profiles.len() > profiles_max {
            let Some((_, oldest)) = self.by_age.first().cloned() else { break };
            self.forget_thread(&oldest);
        }
        true
    }

    /// A customer's profile is gone; the thread it was of.
    pub(crate) fn forget(&mut self, customer: &CustomerId) -> Option<Thread> {
        let thread = self.threads.get(customer).cloned()?;
        self.forget_thread(&thread);
        Some(thread)
    }

    /// The name Instagram gives a thread's person.
    pub(crate) fn name_of(&self, thread: &Thread) -> Option<&str> {
        self.profiles.get(thread)?.profile.name.as_deref()
    }

    /// The conversation, under the name its person has now.
    pub(crate) fn named(&self, snapshot: &ConversationSnapshot) -> ConversationSnapshot {
        let mut named = snapshot.clone();
        if let Some(name) = self.name_of(&snapshot.thread) {
            name.clone_into(&mut named.display_name);
        }
        named
    }

    /// The thread a profile was of.
    pub(crate) fn thread_of(&self, customer: &CustomerId) -> Option<&Thread> {
        self.threads.get(customer)
    }

    /// A customer of one or more threads, as they are to be shown; `fallback` where nobody said a name.
    pub(crate) fn shown(
        &self,
        customer_id: CustomerId,
        threads: &[Thread],
        fallback: &str,
    ) -> CustomerView {
        let known: Vec<&CustomerProfile> =
            threads.iter().filter_map(|thread| self.profiles.get(thread)).collect();
        let name = known.iter().find_map(|known| known.profile.name.clone());
        let accounts = |said: fn(&Profile) -> Option<bool>| -> Vec<AccountId> {
            let who = known.iter().filter(|known| said(&known.profile) == Some(true));
            who.map(|known| known.thread.account_id.clone()).collect()
        };
        CustomerView {
            customer_id,
            name_source: match name {
                Some(_) => NameSource::Instagram,
                None => NameSource::Placeholder,
            },
            display_name: name.unwrap_or_else(|| fallback.to_owned()),
            verified: known.iter().find_map(|known| known.profile.verified),
            follower_count: known.iter().find_map(|known| known.profile.follower_count),
            followed_by_accounts: accounts(|profile| profile.followed_by_account),
            follows_accounts: accounts(|profile| profile.follows_account),
            fetched_at: known.iter().map(|known| known.fetched_at).max(),
        }
    }

    fn forget_thread(&mut self, thread: &Thread) {
        if let Some(gone) = self.profiles.remove(thread) {
            self.threads.remove(&gone.customer_id);
            self.by_age.remove(&(gone.fetched_at, thread.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::customer::PLACEHOLDER_NAME;
    use crate::project::fixture_test::{CONVERSATION, snapshot, thread};

    fn profile(person: &str, fetched_ms: u64, name: Option<&str>) -> CustomerProfile {
        CustomerProfile {
            customer_id: CustomerId::parse(&format!("cu-{person}")).unwrap(),
            thread: thread(person),
            fetched_at: Timestamp::from_ms(fetched_ms),
            profile: Profile {
                name: name.map(str::to_owned),
                verified: Some(true),
                follower_count: Some(7),
                follows_account: Some(true),
                followed_by_account: Some(false),
            },
        }
    }

    #[test]
    fn the_profile_fetched_later_is_shown_in_whatever_order_they_come() {
        let mut people = People::default();
        for (fetched_ms, name, is_new) in
            [(20, "Marie", true), (10, "Maria", false), (20, "M", false)]
        {
            assert_eq!(people.learn(profile("9001", fetched_ms, Some(name)), 9), is_new);
        }
        assert_eq!(people.name_of(&thread("9001")), Some("Marie"));
        assert_eq!(people.name_of(&thread("9002")), None);
        assert!(people.learn(profile("9001", 30, None), 9), "a person may take their name away");
        assert_eq!(people.name_of(&thread("9001")), None);
    }

    // Holds
    #[test]
    fn what_is_shown_of_a_customer_is_what_instagram_said_and_no_more() {
        let mut people = People::default();
        let unnamed = snapshot(CONVERSATION, 1);
        let threads = [thread("9001"), Thread { account_id: other(), ..thread("9002") }];
        let show =
            |people: &People| people.shown(unnamed.customer_id.clone(), &threads, PLACEHOLDER_NAME);
        let shown = show(&people);
        assert_eq!(shown.display_name, "Instagram user");
        assert_eq!(shown.name_source, NameSource::Placeholder);
        assert_eq!((shown.verified, shown.follower_count, shown.fetched_at), (None, None, None));
        assert_eq!((shown.followed_by_accounts.len(), shown.follows_accounts.len()), (0, 0));

        people.learn(profile("9001", 20, Some("Marie")), 9);
        let shown = show(&people);
        assert_eq!(shown.display_name, "Marie");
        assert_eq!(shown.name_source, NameSource::Instagram);
        assert_eq!((shown.verified, shown.follower_count), (Some(true), Some(7)));
        assert_eq!(shown.fetched_at, Some(Timestamp::from_ms(20)));
        assert_eq!(names(&shown.follows_accounts), ["1784"], "[E]");
        assert_eq!(shown.followed_by_accounts.len(), 0, "[D]");
        assert_eq!(people.named(&unnamed).display_name, "Marie");

        let second =
            CustomerProfile { thread: threads[1].clone(), ..profile("9002", 30, Some("M")) };
        people.learn(second, 9);
        let shown = show(&people);
        assert_eq!(shown.display_name, "Marie", "of several threads the first names them");
        assert_eq!(names(&shown.follows_accounts), ["1784", "1999"]);
        assert_eq!(shown.fetched_at, Some(Timestamp::from_ms(30)));

        fn names(accounts: &[AccountId]) -> Vec<&str> {
            accounts.iter().map(AccountId::as_str).collect()
        }

        fn other() -> AccountId {
            AccountId::parse("1999").unwrap()
        }
    }

    #[test]
    fn at_the_bound_the_profile_fetched_longest_ago_goes() {
        let mut people = People::default();
        for (person, fetched_ms) in [("9001", 30), ("9002", 10), ("9003", 20)] {
            people.learn(profile(person, fetched_ms, Some(person)), 2);
        }
        let names =
            ["9001", "9002", "9003"].map(|person| people.name_of(&thread(person)).is_some());
        assert_eq!(names, [true, false, true]);
        assert_eq!(people.forget(&CustomerId::parse("cu-9001").unwrap()), Some(thread("9001")));
        assert_eq!(people.forget(&CustomerId::parse("cu-9001").unwrap()), None);
        assert_eq!((people.profiles.len(), people.by_age.len(), people.threads.len()), (1, 1, 1));
    }
}
