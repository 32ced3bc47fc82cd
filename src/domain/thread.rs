//! Who talks with whom: the identity of everything about one conversation partner. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::id::{AccountId, IdError, PersonId};

/// One person's exchange with one account: the key of everything a conversation reads and writes.
///
/// Never the username or the name. Source: desk rules.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Thread {
    /// Whom the person writes to.
    pub account_id: AccountId,
    /// Who writes.
    pub person_id: PersonId,
}

impl Thread {
    /// The record key of this thread: `account:person`. Keys of co-partitioned topics are these bytes.
    #[must_use]
    pub fn key(&self) -> String {
        [self.account_id.as_str(), ":", self.person_id.as_str()].concat()
    }

    /// Reads a key written by [`Thread::key`].
    ///
    /// # Errors
    ///
    /// [`IdError`] when the text is no such key.
    pub fn from_key(key: &str) -> Result<Self, IdError> {
        let (account, person) = key.split_once(':').ok_or(IdError::Empty)?;
        Ok(Self { account_id: AccountId::parse(account)?, person_id: PersonId::parse(person)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back() {
        let thread = Thread {
            account_id: AccountId::parse("17841400000000001").unwrap(),
            person_id: PersonId::parse("9000000000000001").unwrap(),
        };
        assert_eq!(thread.key(), "17841400000000001:9000000000000001");
        assert_eq!(Thread::from_key(&thread.key()), Ok(thread));
        assert_eq!(Thread::from_key("17841400000000001"), Err(IdError::Empty));
    }
}
