//! A partition key for a body that is not yet read: for ingress, which keeps bytes and judges nothing. Pure.
//!
//! Promise: never an error, linear in the body, and the key of the thread whenever the body is about one thread alone.

use std::collections::BTreeSet;

use crate::normalize::envelope::{self, Part, What};
use crate::normalize::sides::{self, Accounts};
use crate::normalize::{json, text_of, translate, wire};

/// Larger bodies are not looked into; a broker takes no larger record by default.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The thread's key when the body is about one thread, else the account when about one, else `None`.
///
/// Source: DESIGN, section 2, key of `webhooks.raw`.
#[must_use]
pub fn key_of(body: &[u8], accounts: &Accounts) -> Option<String> {
    if BODY_BYTES_MAX < body.len() {
        return None;
    }
    let text = text_of(body);
    let root = json::parse(&text).ok()?;
    let parts = envelope::parts(&root).ok()?;
    let mut seen = Seen::default();
    for part in &parts {
        seen.look_at(part, accounts);
        if 1 < seen.accounts.len() {
            return None;
        }
    }
    let account = seen.accounts.first()?;
    match (seen.persons.first(), seen.persons.len(), seen.others) {
        (Some(person), 1, false) => Some([account, ":", person].concat()),
        _ => Some((*account).to_owned()),
    }
}

/// Accounts, persons, and whether there is anything about an account alone.
#[derive(Default)]
struct Seen<'n> {
    accounts: BTreeSet<&'n str>,
    persons: BTreeSet<&'n str>,
    others: bool,
}

impl<'n> Seen<'n> {
    fn look_at(&mut self, part: &Part<'n>, accounts: &Accounts) {
        if let What::Item { .. } = part.what
            && let Some(item) = wire::item(part.node)
        {
            for payload in &item.payloads {
                let author = translate::author(payload);
                let told = author.map(|a| sides::sides(&item, part.entry_id, a, accounts));
                if let Some(Ok(sides)) = told {
                    self.accounts.insert(sides.account);
                    self.persons.insert(sides.person);
                } else {
                    self.account_alone(sides::account(&item, part.entry_id).ok());
                }
            }
        } else if let What::Ignored(..) = part.what {
            self.account_alone(part.entry_id);
        }
    }

    fn account_alone(&mut self, account: Option<&'n str>) {
        self.accounts.extend(account);
        self.others = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::time::Timestamp;
    use crate::normalize::normalize;

    const ONE: &str = r#"{"sender":{"id":"9"},"recipient":{"id":"1"},"message":{"mid":"a"}}"#;
    const ECHO: &str =
        r#"{"sender":{"id":"1"},"recipient":{"id":"9"},"message":{"mid":"b","is_echo":true}}"#;
    const TWO: &str = r#"{"sender":{"id":"8"},"recipient":{"id":"1"},"message":{"mid":"c"}}"#;
    const ELSEWHERE: &str = r#"{"sender":{"id":"9"},"recipient":{"id":"2"},"message":{"mid":"d"}}"#;
    const POLICY: &str = r#"{"recipient":{"id":"1"},"policy_enforcement":{"action":"block"}}"#;

    fn body(items: &[&str]) -> String {
        let items = items.join(",");
        format!(r#"{{"object":"instagram","entry":[{{"id":"1","messaging":[{items}]}}]}}"#)
    }

    #[test]
    fn a_body_of_one_thread_has_its_key_and_one_of_one_account_the_accounts() {
        check(&[ONE], Some("1:9"));
        check(&[ECHO], Some("1:9"));
        check(&[ONE, ECHO, ONE], Some("1:9"));
        check(&[ONE, TWO], Some("1"));
        check(&[POLICY], Some("1"));
        check(&[ONE, POLICY], Some("1"));
        check(&[ONE, ELSEWHERE], None);
        check(&[], Some("1"));

        #[track_caller]
        fn check(items: &[&str], expected: Option<&str>) {
            assert_eq!(key_of(body(items).as_bytes(), &Accounts::All).as_deref(), expected);
        }
    }

    #[test]
    fn what_is_no_webhook_has_no_key() {
        for body in ["", "null", "[]", "{}", "[[[[", r#"{"object":"page"}"#] {
            assert_eq!(key_of(body.as_bytes(), &Accounts::All), None, "{body}");
        }
        let comment = r#"{"object":"instagram","entry":[{"id":"1","field":"comments"}]}"#;
        assert_eq!(key_of(comment.as_bytes(), &Accounts::All).as_deref(), Some("1"));
        let large = format!("{}{}", body(&[ONE]), " ".repeat(BODY_BYTES_MAX));
        assert_eq!(key_of(large.as_bytes(), &Accounts::All), None);
    }

    proptest! {
        #[test]
        fn the_key_is_the_thread_of_the_events_whenever_they_have_one_thread(
            items in prop::collection::vec(prop::sample::select(&[ONE, ECHO, TWO, ELSEWHERE, POLICY][..]), 1..5),
        ) {
            let body = body(&items);
            let events = normalize(body.as_bytes(), Timestamp::from_ms(1), &Accounts::All);
            let threads: Option<BTreeSet<String>> =
                events.iter().map(|event| Some(event.thread()?.key())).collect();
            let key = key_of(body.as_bytes(), &Accounts::All);
            if let Some([only]) = threads.map(Vec::from_iter).as_deref() {
                prop_assert_eq!(key.as_deref(), Some(only.as_str()));
            } else {
                prop_assert!(!key.is_some_and(|key| key.contains(':')));
            }
        }

        #[test]
        fn any_bytes_have_a_key_or_none(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let key = key_of(&bytes, &Accounts::All);
            prop_assert!(key.is_none_or(|key| !key.is_empty()));
        }
    }
}
