//! Every setting of every company and account at hand, folded from records. Pure.

use std::collections::BTreeMap;

use crate::domain::id::{AccountId, CompanyId};
use crate::domain::settings::{AccountSettings, CompanySettings, History, SettingsRecord};
use crate::domain::time::Timestamp;

/// Every setting of every company and account, with its history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsTable {
    fallback_account: AccountSettings,
    fallback_company: CompanySettings,
    accounts: BTreeMap<AccountId, History<AccountSettings>>,
    companies: BTreeMap<CompanyId, History<CompanySettings>>,
}

impl SettingsTable {
    /// A table in which whatever is not set says `account` and `company`.
    #[must_use]
    pub const fn with_fallback(account: AccountSettings, company: CompanySettings) -> Self {
        Self {
            fallback_account: account,
            fallback_company: company,
            accounts: BTreeMap::new(),
            companies: BTreeMap::new(),
        }
    }

    /// Sets an account from `effective_at` on.
    pub fn set_account(&mut self, id: AccountId, effective_at: Timestamp, to: AccountSettings) {
        self.accounts.entry(id).or_default().set(effective_at, to);
    }

    /// Sets a company from `effective_at` on.
    pub fn set_company(&mut self, id: CompanyId, effective_at: Timestamp, to: CompanySettings) {
        self.companies.entry(id).or_default().set(effective_at, to);
    }

    /// Takes in a record: its history takes the place of what was known. One without versions, as a tombstone says it,
    /// brings back what `first` says.
    pub fn apply(&mut self, record: SettingsRecord, first: &Self) {
        match record {
            SettingsRecord::Company { company_id, versions } if versions.is_empty() => {
                restore(&mut self.companies, &first.companies, company_id);
            }
            SettingsRecord::Company { company_id, versions } => {
                self.companies.insert(company_id, versions.into_iter().collect());
            }
            SettingsRecord::Account { account_id, versions } if versions.is_empty() => {
                restore(&mut self.accounts, &first.accounts, account_id);
            }
            SettingsRecord::Account { account_id, versions } => {
                self.accounts.insert(account_id, versions.into_iter().collect());
            }
        }
    }

    /// What counts for an account at a moment.
    #[must_use]
    pub fn account_at(&self, id: &AccountId, at: Timestamp) -> &AccountSettings {
        let history = self.accounts.get(id);
        history.and_then(|history| history.at(at)).unwrap_or(&self.fallback_account)
    }

    /// What counts for a company at a moment.
    #[must_use]
    pub fn company_at(&self, id: &CompanyId, at: Timestamp) -> &CompanySettings {
        let history = self.companies.get(id);
        history.and_then(|history| history.at(at)).unwrap_or(&self.fallback_company)
    }

    /// An account's history; of one that nobody set, that it always was as everybody is.
    #[must_use]
    pub fn account_history(&self, id: &AccountId) -> History<AccountSettings> {
        history_of(self.accounts.get(id), &self.fallback_account)
    }

    /// A company's history; of one that nobody set, that it always was as everybody is.
    #[must_use]
    pub fn company_history(&self, id: &CompanyId) -> History<CompanySettings> {
        history_of(self.companies.get(id), &self.fallback_company)
    }

    /// Whether anything was set for a company.
    #[must_use]
    pub fn has_company(&self, id: &CompanyId) -> bool {
        self.companies.contains_key(id)
    }

    /// Whether anything was set for an account.
    #[must_use]
    pub fn has_account(&self, id: &AccountId) -> bool {
        self.accounts.contains_key(id)
    }

    /// How many companies and accounts are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accounts.len() + self.companies.len()
    }

    /// Nothing is set: everything is as the fallback says.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn restore<Id: Ord, T: Clone>(
    table: &mut BTreeMap<Id, History<T>>,
    first: &BTreeMap<Id, History<T>>,
    id: Id,
) {
    match first.get(&id) {
        Some(history) => table.insert(id, history.clone()),
        None => table.remove(&id),
    };
}

fn history_of<T: Clone + PartialEq>(known: Option<&History<T>>, fallback: &T) -> History<T> {
    known.cloned().unwrap_or_else(|| {
        let mut always = History::default();
        always.set(Timestamp::from_ms(0), fallback.clone());
        always
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::Version;

    const fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn company() -> CompanyId {
        CompanyId::parse("7").unwrap()
    }

    /// From when on, how many conversations at once.
    fn record(versions: &[(u64, u32)]) -> SettingsRecord {
        let settings =
            |standard_capacity| CompanySettings { standard_capacity, ..CompanySettings::default() };
        let versions = versions
            .iter()
            .map(|(ms, capacity)| Version { effective_at: at(*ms), settings: settings(*capacity) });
        SettingsRecord::Company { company_id: company(), versions: versions.collect() }
    }

    // Holds: R-4
    #[test]
    fn a_decision_uses_the_value_in_force_at_its_time() {
        let account = AccountId::parse("1784").unwrap();
        let mut table = SettingsTable::default();
        assert!(table.account_at(&account, at(0)).echo, "the default");
        for (ms, echo) in [(10, false), (20, true)] {
            let to = AccountSettings { echo, ..AccountSettings::default() };
            table.set_account(account.clone(), at(ms), to);
        }
        for (ms, echo) in [(5, false), (10, false), (19, false), (20, true), (99, true)] {
            assert_eq!(table.account_at(&account, at(ms)).echo, echo, "at {ms}");
        }
    }

    #[test]
    fn the_last_record_of_a_key_alone_says_what_all_of_them_said() {
        let first = SettingsTable::default();
        let (mut all, mut last) = (first.clone(), first.clone());
        for versions in [&[(0, 3), (10, 4)][..], &[(0, 3), (10, 4), (20, 5)][..]] {
            all.apply(record(versions), &first);
        }
        last.apply(record(&[(0, 3), (10, 4), (20, 5)]), &first);
        assert_eq!(all, last);
        for (ms, capacity) in [(0, 3), (10, 4), (25, 5)] {
            assert_eq!(all.company_at(&company(), at(ms)).standard_capacity, capacity, "at {ms}");
        }
    }

    #[test]
    fn a_record_takes_the_place_of_the_file_and_a_tombstone_gives_it_back() {
        let mut first = SettingsTable::default();
        let from_file = CompanySettings { standard_capacity: 1, ..CompanySettings::default() };
        first.set_company(company(), at(0), from_file);
        let mut table = first.clone();
        table.apply(record(&[(10, 4)]), &first);
        assert_eq!(table.company_at(&company(), at(10)).standard_capacity, 4);
        table.apply(record(&[]), &first);
        assert_eq!(table, first);

        let mut unset = SettingsTable::default();
        unset.apply(record(&[(10, 4)]), &SettingsTable::default());
        assert_eq!(unset.len(), 1);
        unset.apply(record(&[]), &SettingsTable::default());
        assert!(unset.is_empty());
    }

    #[test]
    fn who_was_never_set_has_always_been_like_everybody() {
        let table = SettingsTable::default();
        let history = table.company_history(&company());
        assert_eq!(history.versions().len(), 1);
        assert_eq!(history.at(at(0)), Some(&CompanySettings::default()));
    }
}
