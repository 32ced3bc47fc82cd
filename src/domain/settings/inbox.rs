//! What one inbox of a company has of its own. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::hours::BusinessHours;
use crate::domain::id::InboxId;
use crate::domain::settings::CompanySettings;
use crate::domain::time::MINUTE_MS;

/// What is chosen for one inbox; what it does not say, the company's settings do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("additionalProperties" = true))]
pub struct InboxSettings {
    /// Time to answer.
    pub sla_ms: Option<u64>,
    /// When it is open, for reports.
    pub business_hours: Option<BusinessHours>,
}

impl InboxSettings {
    /// Inboxes a company can set.
    pub const INBOXES_MAX: usize = 200;
    /// What the setting takes, in words.
    pub(super) const TAKES: &'static str = "at most 200 inboxes by id, each with `sla_ms` of 60000 (one minute) or more \
                                            and sound `business_hours`, or null for the company's";

    pub(super) fn is_sound(&self) -> bool {
        self.sla_ms.is_none_or(|ms| ms >= MINUTE_MS)
            && self.business_hours.as_ref().is_none_or(BusinessHours::is_sound)
    }
}

impl CompanySettings {
    /// An inbox's time to answer.
    #[must_use]
    pub fn inbox_sla_ms(&self, inbox: &InboxId) -> u64 {
        let own = self.inboxes.get(inbox).and_then(|own| own.sla_ms);
        own.unwrap_or(self.inbox_sla_ms)
    }

    /// An inbox's business hours.
    #[must_use]
    pub fn hours_of(&self, inbox: &InboxId) -> Option<&BusinessHours> {
        let own = self.inboxes.get(inbox).and_then(|own| own.business_hours.as_ref());
        own.or(self.business_hours.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::HOUR_MS;

    // Holds: R-91
    #[test]
    fn an_inbox_has_a_target_of_its_own_or_the_companys() {
        let mut company = CompanySettings::default();
        let (fast, other) = (InboxId::parse("fast").unwrap(), InboxId::parse("other").unwrap());
        let own = InboxSettings { sla_ms: Some(5 * MINUTE_MS), ..InboxSettings::default() };
        company.inboxes.insert(fast.clone(), own);
        assert_eq!(company.inbox_sla_ms(&fast), 5 * MINUTE_MS);
        assert_eq!(company.inbox_sla_ms(&other), HOUR_MS);
        assert_eq!(company.check(), Ok(()));
        company.inboxes.get_mut(&fast).unwrap().sla_ms = Some(MINUTE_MS - 1);
        assert_eq!(company.check().unwrap_err().field, "inboxes");
    }
}
