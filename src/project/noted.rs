//! What agents noted of customers, and who is found by it. Pure.
//!
//! Promise: bounded; what a tombstone takes away is found no more.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::customer::CustomerDetails;
use crate::domain::details::Details;
use crate::domain::id::CustomerId;
use crate::domain::thread::Thread;
use crate::project::view::HandleKind;

/// By what a customer is found: the value as `domain::details` writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Handle {
    /// Of which kind.
    pub kind: HandleKind,
    /// Exactly this.
    pub value: String,
}

/// What is noted, by thread.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    details: BTreeMap<Thread, CustomerDetails>,
    threads: BTreeMap<CustomerId, Thread>,
    reach: BTreeMap<Handle, BTreeSet<Thread>>,
}

impl Noted {
    /// Takes in what is noted, of at most `most` customers; whether it says anything new.
    pub(crate) fn learn(&mut self, noted: CustomerDetails, most: usize) -> bool {
        let thread = noted.thread.clone();
        let known = self.details.get(&thread);
        if known == Some(&noted) || (known.is_none() && self.details.len() >= most) {
            return false;
        }
        self.forget(&noted.customer_id);
        for handle in handles(&noted.details) {
            self.reach.entry(handle).or_default().insert(thread.clone());
        }
        self.threads.insert(noted.customer_id.clone(), thread.clone());
        self.details.insert(thread, noted);
        true
    }

    /// Nothing is noted of a customer any more; the thread they were.
    pub(crate) fn forget(&mut self, customer: &CustomerId) -> Option<Thread> {
        let thread = self.threads.remove(customer)?;
        let gone = self.details.remove(&thread)?;
        for handle in handles(&gone.details) {
            if let Some(threads) = self.reach.get_mut(&handle) {
                threads.remove(&thread);
                if threads.is_empty() {
                    self.reach.remove(&handle);
                }
            }
        }
        Some(thread)
    }

    pub(crate) fn thread_of(&self, customer: &CustomerId) -> Option<&Thread> {
        self.threads.get(customer)
    }

    /// The threads something is noted of that is exactly this.
    pub(crate) fn with(&self, handle: &Handle) -> impl Iterator<Item = &Thread> {
        self.reach.get(handle).into_iter().flatten()
    }

    /// What is noted of a customer of several threads: each detail from the first that has it.
    pub(crate) fn of(&self, family: &[Thread]) -> Details {
        let mut all = Details::default();
        for noted in family.iter().filter_map(|thread| self.details.get(thread)) {
            let own = noted.details.clone();
            if all.phone.is_none() {
                (all.phone, all.phone_verified) = (own.phone, own.phone_verified);
            }
            if all.email.is_none() {
                (all.email, all.email_verified) = (own.email, own.email_verified);
            }
            all.username = all.username.or(own.username);
            all.external_id = all.external_id.or(own.external_id);
            for (name, says) in own.named {
                all.named.entry(name).or_insert(says);
            }
        }
        all
    }

    /// Other threads with an equal number or address that is verified on both sides, or an equal id.
    pub(crate) fn alike(&self, family: &[Thread]) -> Vec<(Thread, HandleKind)> {
        let mut alike = Vec::new();
        for noted in family.iter().filter_map(|thread| self.details.get(thread)) {
            for handle in handles(&noted.details).filter(|it| is_sure(it.kind, &noted.details)) {
                let others = self.with(&handle).filter(|other| !family.contains(other));
                let sure = others.filter(|other| {
                    let theirs = self.details.get(*other);
                    theirs.is_some_and(|theirs| is_sure(handle.kind, &theirs.details))
                });
                alike.extend(sure.map(|other| (other.clone(), handle.kind)));
            }
        }
        alike
    }
}

fn handles(details: &Details) -> impl Iterator<Item = Handle> + use<> {
    let of = |kind, value: &Option<String>| value.clone().map(|value| Handle { kind, value });
    let all = [
        of(HandleKind::Phone, &details.phone),
        of(HandleKind::Email, &details.email),
        of(HandleKind::ExternalId, &details.external_id),
    ];
    all.into_iter().flatten()
}

const fn is_sure(kind: HandleKind, details: &Details) -> bool {
    match kind {
        HandleKind::Phone => details.phone_verified,
        HandleKind::Email => details.email_verified,
        HandleKind::ExternalId => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::derive::customer_id;
    use crate::domain::time::Timestamp;
    use crate::project::fixture_test::thread;

    fn noted(person: &str, details: Details) -> CustomerDetails {
        let thread = thread(person);
        let (customer_id, edited_at) = (customer_id(&thread), Timestamp::from_ms(1));
        CustomerDetails { customer_id, thread, details, edited_at }
    }

    fn phone(number: &str, phone_verified: bool) -> Details {
        Details { phone: Some(number.to_owned()), phone_verified, ..Details::default() }
    }

    fn handle(kind: HandleKind, value: &str) -> Handle {
        Handle { kind, value: value.to_owned() }
    }

    // Holds: R-14
    #[test]
    fn who_has_a_number_is_found_by_it_until_it_is_another_or_erased() {
        let mut known = Noted::default();
        assert!(known.learn(noted("1", phone("+4930", false)), 9));
        assert!(!known.learn(noted("1", phone("+4930", false)), 9), "read twice");
        let found = |known: &Noted, value: &str| {
            known.with(&handle(HandleKind::Phone, value)).cloned().collect::<Vec<_>>()
        };
        assert_eq!(found(&known, "+4930"), [thread("1")]);
        known.learn(noted("1", phone("+4940", false)), 9);
        assert_eq!((found(&known, "+4930"), found(&known, "+4940").len()), (vec![], 1));
        let customer = customer_id(&thread("1"));
        assert_eq!(known.forget(&customer), Some(thread("1")));
        assert_eq!((known.reach.len(), known.details.len(), known.threads.len()), (0, 0, 0));
        assert!(known.learn(noted("1", phone("+1", true)), 1));
        assert!(!known.learn(noted("2", phone("+1", true)), 1), "bounded");
    }

    // Holds
    #[test]
    fn only_what_is_verified_on_both_sides_or_an_id_suggests_a_merge() {
        check(phone("+4930", true), phone("+4930", true), &[HandleKind::Phone]);
        check(phone("+4930", true), phone("+4930", false), &[]);
        check(phone("+4930", true), phone("+4940", true), &[]);
        let mail = |email_verified| Details {
            email: Some("a@b.de".to_owned()),
            email_verified,
            ..Details::default()
        };
        check(mail(true), mail(true), &[HandleKind::Email]);
        check(mail(false), mail(true), &[]);
        let id = Details { external_id: Some("7".to_owned()), ..Details::default() };
        check(id.clone(), id, &[HandleKind::ExternalId]);
        let name = Details { username: Some("marie".to_owned()), ..Details::default() };
        check(name.clone(), name, &[]);

        #[track_caller]
        fn check(one: Details, other: Details, expected: &[HandleKind]) {
            let mut known = Noted::default();
            known.learn(noted("1", one), 9);
            known.learn(noted("2", other), 9);
            let alike = known.alike(&[thread("1")]);
            let kinds: Vec<HandleKind> = alike.iter().map(|(_, kind)| *kind).collect();
            assert_eq!(kinds, expected);
            assert_eq!(known.alike(&[thread("1"), thread("2")]), [], "one already");
        }
    }

    #[test]
    fn of_merged_threads_each_detail_is_the_first_ones() {
        let mut known = Noted::default();
        known.learn(noted("2", phone("+4940", true)), 9);
        let mail = Details { email: Some("a@b.de".to_owned()), ..Details::default() };
        known.learn(noted("1", mail), 9);
        let both = known.of(&[thread("1"), thread("2")]);
        assert_eq!((both.email.as_deref(), both.phone.as_deref()), (Some("a@b.de"), Some("+4940")));
        assert!(both.phone_verified);
    }
}
