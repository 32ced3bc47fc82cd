//! Who writes: what Instagram says of a person. Pure. Topic `customers`, key customer id.
//!
//! The username is not among it: it is never identity, and never stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::id::CustomerId;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// Shown until the profile is known, and where it names nobody.
pub const PLACEHOLDER_NAME: &str = "Instagram user";

/// Something known of a customer; the last record of a key counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum CustomerRecord {
    /// What Instagram says, as last fetched.
    #[serde(rename = "customer.profile")]
    Profile(CustomerProfile),
}

impl CustomerRecord {
    /// The `type` tag, for headers.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Profile(_) => "customer.profile",
        }
    }
}

/// A profile as last fetched. What Instagram did not say is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomerProfile {
    /// The customer.
    pub customer_id: CustomerId,
    /// The thread whose account asked.
    #[serde(flatten)]
    pub thread: Thread,
    /// When Instagram was asked; the latest counts.
    pub fetched_at: Timestamp,
    /// What it said.
    #[serde(flatten)]
    pub profile: Profile,
}

/// What Instagram says of a person. Personal data: `Debug` shows no name. Source: desk rule R-146.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// As in the Instagram account, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Has the badge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// How many follow the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follower_count: Option<u64>,
    /// The person follows the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows_account: Option<bool>,
    /// The account follows the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed_by_account: Option<bool>,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").field("named", &self.name.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::derive::customer_id;

    #[test]
    fn a_record_says_what_is_known_and_nothing_of_what_is_not() {
        let thread = Thread::from_key("1784:9").unwrap();
        let profile = Profile { name: Some("Maria".to_owned()), ..Profile::default() };
        let record = CustomerRecord::Profile(CustomerProfile {
            customer_id: customer_id(&thread).unwrap(),
            thread,
            fetched_at: Timestamp::from_ms(5),
            profile,
        });
        let value = serde_json::to_value(&record).unwrap();
        let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
        let expected = ["account_id", "customer_id", "fetched_at", "name", "person_id", "type"];
        assert_eq!(keys, expected);
        assert_eq!(value["type"], record.name());
        assert_eq!(serde_json::from_value::<CustomerRecord>(value).unwrap(), record);
    }

    #[test]
    fn a_profile_does_not_print_a_name() {
        let profile = Profile { name: Some("Maria".to_owned()), ..Profile::default() };
        assert_eq!(format!("{profile:?}"), "Profile { named: true, .. }");
    }
}
