//! Which of the two sides is our account, which is the person, and who wrote. Pure.
//!
//! `entry.id` is not asked where it can mislead: Meta's own examples put a person there (platform notes,
//! contradiction 8). It helps only where a side is missing, and for edits and deletes, which carry no echo flag.

use std::collections::BTreeSet;

use crate::domain::event::Direction;
use crate::domain::id::AccountId;
use crate::normalize::wire::{Fault, Item, RECIPIENT, SENDER};

/// The accounts that are ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Accounts {
    /// Every account is.
    #[default]
    All,
    /// These are; everything about others is ignored as `unknown_account`.
    Only(BTreeSet<AccountId>),
}

impl Accounts {
    /// These accounts; with none given, every account. Source: DESIGN, section 5.3.
    #[must_use]
    pub fn of(accounts: impl IntoIterator<Item = AccountId>) -> Self {
        let ours: BTreeSet<AccountId> = accounts.into_iter().collect();
        if ours.is_empty() { Self::All } else { Self::Only(ours) }
    }

    /// Whether the account is ours.
    #[must_use]
    pub fn contains(&self, account: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(ours) => ours.contains(account),
        }
    }
}

/// What an item itself says of who wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// It is an echo: the business did.
    Business,
    /// Only persons do this, or echoes would be flagged.
    Person,
    /// Either may have, and there is no flag.
    Unsaid,
}

/// Both sides of an item, as the wire has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sides<'n> {
    pub(super) account: &'n str,
    pub(super) person: &'n str,
    pub(super) direction: Direction,
}

/// Tells account from person.
pub(super) fn sides<'n>(
    item: &Item<'n>,
    entry_id: Option<&'n str>,
    author: Author,
    accounts: &Accounts,
) -> Result<Sides<'n>, Fault> {
    let (sender, recipient) = (item.sender?, item.recipient?);
    let direction = direction((sender, recipient), entry_id, author, accounts);
    let (account, person, account_at, person_at) = match direction {
        Direction::Inbound => (recipient, sender, RECIPIENT, SENDER),
        Direction::Outbound => (sender, recipient, SENDER, RECIPIENT),
    };
    let person = person.ok_or(Fault::nobody(person_at))?;
    let account = account.or(entry_id.filter(|id| *id != person));
    let account = account.ok_or(Fault::shape(account_at))?;
    Ok(Sides { account, person, direction })
}

/// The account of an item that may name no person.
pub(super) fn account<'n>(item: &Item<'n>, entry_id: Option<&'n str>) -> Result<&'n str, Fault> {
    item.recipient?.or(entry_id).ok_or(Fault::shape(RECIPIENT))
}

fn direction(
    (sender, recipient): (Option<&str>, Option<&str>),
    entry_id: Option<&str>,
    author: Author,
    accounts: &Accounts,
) -> Direction {
    if author == Author::Business {
        return Direction::Outbound;
    }
    if let Accounts::Only(ours) = accounts {
        let is_ours = |side: Option<&str>| side.is_some_and(|side| ours.contains(side));
        match (is_ours(sender), is_ours(recipient)) {
            (true, false) => return Direction::Outbound,
            (false, true) => return Direction::Inbound,
            // Two accounts of ours talking, or nobody we know: the set cannot tell.
            (true, true) | (false, false) => (),
        }
    }
    let sent_by_entry = sender.is_some() && sender == entry_id && sender != recipient;
    if author == Author::Unsaid && sent_by_entry { Direction::Outbound } else { Direction::Inbound }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::DeadLetterReason;
    use crate::normalize::{json, wire};

    const ACCOUNT: &str = "17841400000000001";
    const OTHER: &str = "17841400000000002";
    const PERSON: &str = "9000000000000001";

    type Outcome<'a> = Result<(&'a str, &'a str, Direction), DeadLetterReason>;

    #[track_caller]
    fn check(
        (sender, recipient): (&str, &str),
        entry_id: &str,
        author: Author,
        accounts: &Accounts,
        expected: Outcome<'_>,
    ) {
        let body =
            format!(r#"{{"sender":{{"id":"{sender}"}},"recipient":{{"id":"{recipient}"}}}}"#);
        let node = json::parse(&body).unwrap();
        let item = wire::item(&node).unwrap();
        let told = sides(&item, Some(entry_id).filter(|id| !id.is_empty()), author, accounts);
        let told = told.map(|sides| (sides.account, sides.person, sides.direction));
        assert_eq!(told.map_err(|fault| fault.reason), expected);
    }

    fn only(accounts: &[&str]) -> Accounts {
        Accounts::of(accounts.iter().map(|id| AccountId::parse(id).unwrap()))
    }

    #[test]
    fn no_account_named_means_all_of_them() {
        assert_eq!(only(&[]), Accounts::All);
        assert!(Accounts::All.contains(OTHER));
        assert!(only(&[ACCOUNT]).contains(ACCOUNT));
        assert!(!only(&[ACCOUNT]).contains(OTHER));
    }

    #[test]
    fn the_echo_flag_tells_who_wrote_and_entry_id_does_not() {
        let inbound = Ok((ACCOUNT, PERSON, Direction::Inbound));
        let outbound = Ok((ACCOUNT, PERSON, Direction::Outbound));
        for entry_id in [ACCOUNT, PERSON, OTHER, ""] {
            check((PERSON, ACCOUNT), entry_id, Author::Person, &Accounts::All, inbound);
            check((ACCOUNT, PERSON), entry_id, Author::Business, &Accounts::All, outbound);
        }
    }

    #[test]
    fn the_accounts_that_are_ours_tell_where_no_flag_does() {
        let inbound = Ok((ACCOUNT, PERSON, Direction::Inbound));
        let outbound = Ok((ACCOUNT, PERSON, Direction::Outbound));
        for entry_id in [ACCOUNT, PERSON, OTHER, ""] {
            for author in [Author::Person, Author::Unsaid] {
                check((PERSON, ACCOUNT), entry_id, author, &only(&[ACCOUNT]), inbound);
                check((ACCOUNT, PERSON), entry_id, author, &only(&[ACCOUNT]), outbound);
            }
        }
    }

    #[test]
    fn two_accounts_of_ours_talking_are_told_apart_by_flag_then_by_entry() {
        let both = only(&[ACCOUNT, OTHER]);
        let (to_other, from_account) =
            (Ok((OTHER, ACCOUNT, Direction::Inbound)), Ok((ACCOUNT, OTHER, Direction::Outbound)));
        check((ACCOUNT, OTHER), OTHER, Author::Person, &both, to_other);
        check((ACCOUNT, OTHER), ACCOUNT, Author::Business, &both, from_account);
        check((ACCOUNT, OTHER), ACCOUNT, Author::Unsaid, &both, from_account);
        check((ACCOUNT, OTHER), OTHER, Author::Unsaid, &both, to_other);
    }

    #[test]
    fn without_a_set_an_unsaid_author_is_the_entry_or_else_the_person() {
        let outbound = Ok((ACCOUNT, PERSON, Direction::Outbound));
        let inbound = Ok((ACCOUNT, PERSON, Direction::Inbound));
        check((ACCOUNT, PERSON), ACCOUNT, Author::Unsaid, &Accounts::All, outbound);
        check((PERSON, ACCOUNT), ACCOUNT, Author::Unsaid, &Accounts::All, inbound);
    }

    #[test]
    fn a_missing_person_is_nobody_and_a_missing_account_is_the_entry() {
        let all = &Accounts::All;
        check(("", ACCOUNT), ACCOUNT, Author::Person, all, Err(DeadLetterReason::MissingSender));
        check((ACCOUNT, ""), ACCOUNT, Author::Business, all, Err(DeadLetterReason::MissingSender));
        let inbound = Ok((ACCOUNT, PERSON, Direction::Inbound));
        check((PERSON, ""), ACCOUNT, Author::Person, all, inbound);
        check((PERSON, ""), PERSON, Author::Person, all, Err(DeadLetterReason::BadShape));
        check((PERSON, ""), "", Author::Person, all, Err(DeadLetterReason::BadShape));
    }
}
