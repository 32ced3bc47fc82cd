//! Settings as the log carries them: for each company or account, its whole history in one record. Pure.
//!
//! The topic is compacted, so a reader may see the last record of a key alone: it must be enough.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::id::{AccountId, CompanyId};
use crate::domain::settings::{AccountSettings, CompanySettings, Version};

/// What one company or account was, is and will be told. Topic `settings`, key [`SettingsRecord::key`]; the last record
/// of a key counts, and takes the place of what a configuration file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum SettingsRecord {
    /// A company's.
    #[serde(rename = "company.settings")]
    Company {
        /// Whose.
        company_id: CompanyId,
        /// Oldest first; the first counts for everything before it too.
        versions: Vec<Version<CompanySettings>>,
    },
    /// An account's.
    #[serde(rename = "account.settings")]
    Account {
        /// Whose.
        account_id: AccountId,
        /// Oldest first; the first counts for everything before it too.
        versions: Vec<Version<AccountSettings>>,
    },
}

const COMPANY: &str = "company:";
const ACCOUNT: &str = "account:";

impl SettingsRecord {
    /// The record's key: `company:` or `account:` and the id, because an account may be called like a company.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Company { company_id, .. } => [COMPANY, company_id.as_str()].concat(),
            Self::Account { account_id, .. } => [ACCOUNT, account_id.as_str()].concat(),
        }
    }

    /// The record of a key that says nothing: what a tombstone stands for. `None` when the key is none of ours.
    #[must_use]
    pub fn blank(key: &str) -> Option<Self> {
        if let Some(id) = key.strip_prefix(COMPANY) {
            let company_id = CompanyId::parse(id).ok()?;
            return Some(Self::Company { company_id, versions: Vec::new() });
        }
        let account_id = AccountId::parse(key.strip_prefix(ACCOUNT)?).ok()?;
        Some(Self::Account { account_id, versions: Vec::new() })
    }

    /// The `type` tag, for headers.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Company { .. } => "company.settings",
            Self::Account { .. } => "account.settings",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_whose_settings_they_are() {
        for (key, name) in [("company:7", "company.settings"), ("account:7", "account.settings")] {
            let record = SettingsRecord::blank(key).unwrap();
            assert_eq!((record.key().as_str(), record.name()), (key, name));
        }
        for odd in ["", "7", "company:", "account:", "inbox:7"] {
            assert_eq!(SettingsRecord::blank(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_record_is_written_with_its_type_and_every_setting() {
        let versions = vec![Version {
            effective_at: Default::default(),
            settings: CompanySettings::default(),
        }];
        let record =
            SettingsRecord::Company { company_id: CompanyId::parse("7").unwrap(), versions };
        let value = serde_json::to_value(&record).unwrap();
        assert_eq!(value["type"], record.name());
        assert_eq!(value["company_id"], "7");
        assert_eq!(value["versions"][0]["effective_at"], 0);
        assert_eq!(value["versions"][0]["settings"]["offer_timeout_ms"], 30_000);
        assert_eq!(serde_json::from_value::<SettingsRecord>(value).unwrap(), record);
    }
}
