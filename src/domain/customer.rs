//! Who writes: what Instagram says of a person, what agents noted, and whose profiles are one. Pure. Topic `customers`.
//!
//! The platform's username is not among it: it is never identity, and never stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::details::Details;
use crate::domain::id::CustomerId;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// Shown until the profile is known, and where it names nobody.
pub const PLACEHOLDER_NAME: &str = "Instagram user";

/// Something known of a customer; the last record of a key counts, a tombstone takes it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum CustomerRecord {
    /// What Instagram says, as last fetched.
    #[serde(rename = "customer.profile")]
    Profile(CustomerProfile),
    /// The customer is another one: items go on there.
    #[serde(rename = "customer.merged")]
    Merged(CustomerMerge),
    /// What agents noted.
    #[serde(rename = "customer.details")]
    Details(CustomerDetails),
}

/// What a key of the topic stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomerKey {
    /// A profile.
    Profile(CustomerId),
    /// A merge, by whose profile goes on elsewhere.
    Merged(CustomerId),
    /// What is noted of a customer.
    Details(CustomerId),
}

/// Behind the customer's id in the key of a merge.
const MERGED: &str = ":merged";
/// Behind the customer's id in the key of what is noted.
const DETAILS: &str = ":details";

impl CustomerKey {
    /// The key as the record has it: the customer's id, for a merge with `:merged` behind it, for details with `:details`.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Profile(id) => id.as_str().to_owned(),
            Self::Merged(id) => [id.as_str(), MERGED].concat(),
            Self::Details(id) => [id.as_str(), DETAILS].concat(),
        }
    }

    /// Reads a key; `None` when it is none of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(id) = text.strip_suffix(MERGED) {
            return CustomerId::parse(id).ok().map(Self::Merged);
        }
        match text.strip_suffix(DETAILS) {
            Some(id) => CustomerId::parse(id).ok().map(Self::Details),
            None => CustomerId::parse(text).ok().map(Self::Profile),
        }
    }
}

impl CustomerRecord {
    /// The `type` tag, for headers.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Profile(_) => "customer.profile",
            Self::Merged(_) => "customer.merged",
            Self::Details(_) => "customer.details",
        }
    }

    /// The record's key.
    #[must_use]
    pub fn key(&self) -> CustomerKey {
        match self {
            Self::Profile(profile) => CustomerKey::Profile(profile.customer_id.clone()),
            Self::Merged(merge) => CustomerKey::Merged(merge.customer_id.clone()),
            Self::Details(noted) => CustomerKey::Details(noted.customer_id.clone()),
        }
    }
}

/// A merge that stands; the tombstone of its key: it was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomerMerge {
    /// Whose id answers with a redirect.
    pub customer_id: CustomerId,
    /// Whose items go on elsewhere.
    #[serde(flatten)]
    pub thread: Thread,
    /// Where they go on.
    pub into: Thread,
    /// Whose profile that is.
    pub into_customer_id: CustomerId,
    /// Since when.
    pub merged_at: Timestamp,
}

/// What agents noted of a customer, as it stands; the tombstone of its key: nothing, or it was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomerDetails {
    /// The customer.
    pub customer_id: CustomerId,
    /// Their own thread.
    #[serde(flatten)]
    pub thread: Thread,
    /// What is noted.
    #[serde(flatten)]
    pub details: Details,
    /// When that was last changed.
    pub edited_at: Timestamp,
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
            customer_id: customer_id(&thread),
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
    fn a_key_tells_a_profile_from_a_merge_and_from_details() {
        let id = CustomerId::parse("cu-1").unwrap();
        for (key, text) in [
            (CustomerKey::Profile(id.clone()), "cu-1"),
            (CustomerKey::Merged(id.clone()), "cu-1:merged"),
            (CustomerKey::Details(id), "cu-1:details"),
        ] {
            assert_eq!(key.text(), text);
            assert_eq!(CustomerKey::parse(text), Some(key));
        }
        assert_eq!((CustomerKey::parse(""), CustomerKey::parse(":merged")), (None, None));
    }

    #[test]
    fn a_profile_does_not_print_a_name() {
        let profile = Profile { name: Some("Maria".to_owned()), ..Profile::default() };
        assert_eq!(format!("{profile:?}"), "Profile { named: true, .. }");
    }
}
