//! What administrators chose, folded from the log: the records of `settings` become the table that decisions look into. Pure.
//!
//! Promise: reading a record twice changes nothing; a record that does not read leaves what was known. A record of a newer
//! program reads too: settings unknown here are passed over.
//! Not here: the loop that reads the log, and that no stage begins before it was read once to its end (`app`).

use serde::Serialize;
use serde_json::Value;

use crate::broker::record::Record;
use crate::domain::settings::{AccountSettings, CompanySettings, SettingsRecord, SettingsTable};
use crate::topics::Topic;

/// The table as far as the log was read.
#[derive(Debug, Clone)]
pub struct Follower {
    first: SettingsTable,
    table: SettingsTable,
    unreadable: u64,
}

impl Follower {
    /// A follower that has read nothing: until a record says otherwise, what `first` says (the configuration file) counts.
    #[must_use]
    pub fn new(first: SettingsTable) -> Self {
        Self { table: first.clone(), first, unreadable: 0 }
    }

    /// Takes in committed records, in order; whether the table changed.
    pub fn apply(&mut self, records: &[Record]) -> bool {
        if records.is_empty() {
            return false;
        }
        let before = self.table.clone();
        for record in records.iter().filter(|record| record.topic == Topic::Settings) {
            match read(record) {
                Some(chosen) => self.table.apply(chosen, &self.first),
                None => self.unreadable += 1,
            }
        }
        self.table != before
    }

    /// The table.
    #[must_use]
    pub const fn table(&self) -> &SettingsTable {
        &self.table
    }

    /// How many records did not read.
    #[must_use]
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }
}

/// What a record says; `None` when that cannot be known.
fn read(record: &Record) -> Option<SettingsRecord> {
    let Some(bytes) = record.value.as_deref() else {
        let key = std::str::from_utf8(record.key.as_deref()?).ok()?;
        return SettingsRecord::blank(key);
    };
    let mut value: Value = serde_json::from_slice(bytes).ok()?;
    let known = match value.get("type").and_then(Value::as_str)? {
        "company.settings" => names_of(&CompanySettings::default()),
        _ => names_of(&AccountSettings::default()),
    };
    for version in value.get_mut("versions")?.as_array_mut()? {
        let settings = version.get_mut("settings")?.as_object_mut()?;
        settings.retain(|name, _| known.contains(name));
    }
    serde_json::from_value(value).ok()
}

fn names_of(settings: &impl Serialize) -> Vec<String> {
    let value = serde_json::to_value(settings).unwrap_or_default();
    value.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::broker::record::Headers;
    use crate::domain::id::{AccountId, CompanyId};
    use crate::domain::time::Timestamp;

    const fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn record(key: &str, value: Option<&Value>) -> Record {
        Record {
            topic: Topic::Settings,
            partition: 0,
            offset: 0,
            timestamp: at(1),
            key: Some(key.as_bytes().to_vec()),
            value: value.map(|value| value.to_string().into_bytes()),
            headers: Headers::default(),
        }
    }

    /// Company 7 lets so many at once, from then on.
    fn company(versions: &[(u64, u64)]) -> Value {
        let versions = versions.iter().map(|(ms, capacity)| {
            json!({ "effective_at": ms, "settings": { "standard_capacity": capacity } })
        });
        let versions: Vec<Value> = versions.collect();
        json!({ "type": "company.settings", "company_id": "7", "versions": versions })
    }

    fn capacity(follower: &Follower, ms: u64) -> u32 {
        let company = CompanyId::parse("7").unwrap();
        follower.table().company_at(&company, at(ms)).standard_capacity
    }

    #[test]
    fn records_become_the_values_in_force_at_each_time() {
        let mut follower = Follower::new(SettingsTable::default());
        assert_eq!(capacity(&follower, 5), 3, "the default");
        let versions = company(&[(0, 3), (10, 4), (20, 5)]);
        assert!(follower.apply(&[record("company:7", Some(&versions))]));
        for (ms, expected) in [(5, 3), (10, 4), (19, 4), (20, 5)] {
            assert_eq!(capacity(&follower, ms), expected, "at {ms}");
        }
        assert!(!follower.apply(&[record("company:7", Some(&versions))]), "read twice");
        assert!(follower.apply(&[record("company:7", None)]), "a tombstone");
        assert_eq!(capacity(&follower, 20), 3);
    }

    #[test]
    fn an_account_and_a_company_of_one_name_are_two() {
        let mut follower = Follower::new(SettingsTable::default());
        let account = json!({ "type": "account.settings", "account_id": "7", "versions": [
            { "effective_at": 10, "settings": { "company_id": "acme", "account_sla_ms": null } },
        ] });
        follower.apply(&[
            record("company:7", Some(&company(&[(0, 2)]))),
            record("account:7", Some(&account)),
        ]);
        assert_eq!(capacity(&follower, 1), 2);
        let account = AccountId::parse("7").unwrap();
        assert_eq!(follower.table().account_at(&account, at(1)).company_id.as_str(), "acme");
    }

    #[test]
    fn a_newer_programs_record_reads_and_nonsense_leaves_what_was_known() {
        let mut follower = Follower::new(SettingsTable::default());
        let mut newer = company(&[(0, 4)]);
        newer["versions"][0]["settings"]["telepathy"] = json!(true);
        newer["revision"] = json!(9);
        assert!(follower.apply(&[record("company:7", Some(&newer))]));
        assert_eq!(capacity(&follower, 0), 4);

        let mut odd_kind = company(&[(0, 5)]);
        odd_kind["versions"][0]["settings"]["link_format"] = json!("maybe");
        let odd = [json!({}), json!([]), json!({ "type": "inbox.settings" }), odd_kind];
        for (number, odd) in (1..).zip(odd) {
            assert!(!follower.apply(&[record("company:7", Some(&odd))]), "{odd}");
            assert_eq!((capacity(&follower, 0), follower.unreadable()), (4, number));
        }
        assert!(!follower.apply(&[record("inbox:7", None)]));
    }
}
