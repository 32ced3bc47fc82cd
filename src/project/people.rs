//! Who writes, as their profiles say; what is shown of somebody without one. Pure.
//!
//! Promise: of two profiles of a thread the one fetched later is shown; at the bound the one fetched longest ago goes.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::customer::CustomerProfile;
use crate::domain::fact::ConversationSnapshot;
use crate::domain::id::CustomerId;
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

    /// A conversation's customer, as it is to be shown.
    pub(crate) fn customer_of(&self, snapshot: &ConversationSnapshot) -> CustomerView {
        let known = self.profiles.get(&snapshot.thread);
        let profile = known.map(|known| &known.profile);
        let name = profile.and_then(|profile| profile.name.clone());
        let account = &snapshot.thread.account_id;
        let where_said = |said: Option<bool>| match said {
            Some(true) => vec![account.clone()],
            Some(false) | None => Vec::new(),
        };
        CustomerView {
            customer_id: snapshot.customer_id.clone(),
            name_source: match name {
                Some(_) => NameSource::Instagram,
                None => NameSource::Placeholder,
            },
            display_name: name.unwrap_or_else(|| snapshot.display_name.clone()),
            verified: profile.and_then(|profile| profile.verified),
            follower_count: profile.and_then(|profile| profile.follower_count),
            followed_by_accounts: where_said(profile.and_then(|p| p.followed_by_account)),
            follows_accounts: where_said(profile.and_then(|p| p.follows_account)),
            fetched_at: known.map(|known| known.fetched_at),
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
    use crate::domain::customer::Profile;
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

    #[test]
    fn what_is_shown_of_a_customer_is_what_instagram_said_and_no_more() {
        let mut people = People::default();
        let unnamed = snapshot(CONVERSATION, 1);
        let shown = people.customer_of(&unnamed);
        assert_eq!(shown.display_name, unnamed.display_name);
        assert_eq!(shown.name_source, NameSource::Placeholder);
        assert_eq!((shown.verified, shown.follower_count, shown.fetched_at), (None, None, None));
        assert_eq!((shown.followed_by_accounts.len(), shown.follows_accounts.len()), (0, 0));

        people.learn(profile("9001", 20, Some("Marie")), 9);
        let shown = people.customer_of(&unnamed);
        assert_eq!(
            (shown.display_name.as_str(), shown.name_source),
            ("Marie", NameSource::Instagram)
        );
        assert_eq!((shown.verified, shown.follower_count), (Some(true), Some(7)));
        assert_eq!(shown.fetched_at, Some(Timestamp::from_ms(20)));
        let account = &unnamed.thread.account_id;
        assert_eq!(shown.follows_accounts.iter().collect::<Vec<_>>(), [account], "R-146 [E]");
        assert_eq!(shown.followed_by_accounts, [], "R-146 [D]");
        assert_eq!(people.named(&unnamed).display_name, "Marie");
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
