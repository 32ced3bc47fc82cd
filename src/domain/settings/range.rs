//! What settings may be, setting by setting. Pure.
//!
//! Source: desk rules, section 18, "range", and the rules named there.

use std::collections::BTreeMap;

use crate::domain::hours::BusinessHours;
use crate::domain::id::InboxId;
use crate::domain::settings::{AccountSettings, CompanySettings, InboxSettings};
use crate::domain::time::{DAY_MS, MINUTE_MS, SECOND_MS};

/// A setting outside its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` takes {takes}")]
pub struct OutOfRange {
    /// Which setting, as the records and the API spell it.
    pub field: &'static str,
    /// What it takes, in words.
    pub takes: &'static str,
}

/// Steps of `sla_overdue_steps_ms`.
const OVERDUE_STEPS_MAX: usize = 10;

type Rule = (bool, &'static str, &'static str);

impl AccountSettings {
    /// Whether every value is within its range.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`], naming the first that is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let sla = self.account_sla_ms.is_none_or(|ms| ms >= MINUTE_MS);
        first_broken(&[
            (sla, "account_sla_ms", "60000 (one minute) or more, or null for the inbox's"),
            (self.echo_hold_ms <= MINUTE_MS, "echo_hold_ms", "0 to 60000 (one minute)"),
            (self.reply_window_ms <= 7 * DAY_MS, "reply_window_ms", "0 to 604800000 (seven days)"),
            (self.ad_window_ms <= 7 * DAY_MS, "ad_window_ms", "0 to 604800000 (seven days)"),
            (
                !self.window_openers.is_empty(),
                "window_openers",
                "one or more of message, story_reply, story_mention, postback",
            ),
            ((1..=200).contains(&self.send_rate), "send_rate", "1 to 200 messages in 300 s"),
            (
                (10 * SECOND_MS..=10 * MINUTE_MS).contains(&self.unknown_after_ms),
                "unknown_after_ms",
                "10000 to 600000 (ten seconds to ten minutes)",
            ),
        ])
    }
}

impl CompanySettings {
    /// Whether every value is within its range.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`], naming the first that is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let grace = "0 to 86400000 (24 hours)";
        first_broken(&[
            (self.inbox_sla_ms >= MINUTE_MS, "inbox_sla_ms", "60000 (one minute) or more"),
            (
                steps_rise(&self.sla_overdue_steps_ms),
                "sla_overdue_steps_ms",
                "at most 10 rising times of 1000 (one second) to 604800000 (seven days)",
            ),
            (inboxes_fit(&self.inboxes), "inboxes", InboxSettings::TAKES),
            (
                self.business_hours.as_ref().is_none_or(BusinessHours::is_sound),
                "business_hours",
                BusinessHours::TAKES,
            ),
            (self.sla_due_soon_permille <= 1_000, "sla_due_soon_permille", "0 to 1000"),
            (self.standard_capacity >= 1, "standard_capacity", "1 or more"),
            (
                self.standard_capacity <= self.maximum_capacity,
                "maximum_capacity",
                "`standard_capacity` or more",
            ),
            (
                (5 * SECOND_MS..=300 * SECOND_MS).contains(&self.offer_timeout_ms),
                "offer_timeout_ms",
                "5000 to 300000 (five seconds to five minutes)",
            ),
            (self.routing_delay_ms <= MINUTE_MS, "routing_delay_ms", "0 to 60000 (one minute)"),
            (
                self.same_agent_limit_ms >= MINUTE_MS,
                "same_agent_limit_ms",
                "60000 (one minute) or more",
            ),
            (self.requeue_grace_logout_ms <= DAY_MS, "requeue_grace_logout_ms", grace),
            (self.requeue_grace_away_ms <= DAY_MS, "requeue_grace_away_ms", grace),
            (is_idle(self.idle_away_ms), "idle_away_ms", IDLE_TAKES),
            (is_idle(self.idle_logout_ms), "idle_logout_ms", IDLE_TAKES),
        ])
    }
}

const IDLE_TAKES: &str = "60000 (one minute) to 86400000 (24 hours), or null for never";

fn is_idle(ms: Option<u64>) -> bool {
    ms.is_none_or(|ms| (MINUTE_MS..=DAY_MS).contains(&ms))
}

/// R-99; as many as anybody reads.
fn steps_rise(steps_ms: &[u64]) -> bool {
    steps_ms.len() <= OVERDUE_STEPS_MAX
        && steps_ms.iter().all(|ms| (SECOND_MS..=7 * DAY_MS).contains(ms))
        && steps_ms.is_sorted_by(|one, next| one < next)
}

fn inboxes_fit(inboxes: &BTreeMap<InboxId, InboxSettings>) -> bool {
    inboxes.len() <= InboxSettings::INBOXES_MAX && inboxes.values().all(InboxSettings::is_sound)
}

fn first_broken(rules: &[Rule]) -> Result<(), OutOfRange> {
    match rules.iter().find(|(holds, _, _)| !holds) {
        Some(&(_, field, takes)) => Err(OutOfRange { field, takes }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_their_ranges() {
        assert_eq!(AccountSettings::default().check(), Ok(()));
        assert_eq!(CompanySettings::default().check(), Ok(()));
    }

    #[test]
    fn an_accounts_values_have_the_ranges_of_the_desk_rules() {
        check(|to, ms| to.account_sla_ms = Some(ms), "account_sla_ms", (60_000, u64::MAX));
        check(|to, ms| to.echo_hold_ms = ms, "echo_hold_ms", (0, 60_000));
        check(|to, ms| to.reply_window_ms = ms, "reply_window_ms", (0, 604_800_000));
        check(|to, ms| to.unknown_after_ms = ms, "unknown_after_ms", (10_000, 600_000));
        check(|to, n| to.send_rate = u32::try_from(n).unwrap(), "send_rate", (1, 200));

        #[track_caller]
        fn check(set: fn(&mut AccountSettings, u64), field: &str, (least, most): (u64, u64)) {
            within((least, most), field, |value| {
                let mut settings = AccountSettings::default();
                set(&mut settings, value);
                settings.check()
            });
        }
    }

    #[test]
    fn a_companys_values_have_the_ranges_of_the_desk_rules() {
        let day = 86_400_000;
        check(|to, ms| to.inbox_sla_ms = ms, "inbox_sla_ms", (60_000, u64::MAX));
        check(|to, ms| to.offer_timeout_ms = ms, "offer_timeout_ms", (5_000, 300_000));
        check(|to, ms| to.routing_delay_ms = ms, "routing_delay_ms", (0, 60_000));
        check(|to, ms| to.same_agent_limit_ms = ms, "same_agent_limit_ms", (60_000, u64::MAX));
        check(|to, ms| to.requeue_grace_logout_ms = ms, "requeue_grace_logout_ms", (0, day));
        check(|to, ms| to.requeue_grace_away_ms = ms, "requeue_grace_away_ms", (0, day));
        check(|to, ms| to.idle_away_ms = Some(ms), "idle_away_ms", (60_000, day));
        check(|to, ms| to.idle_logout_ms = Some(ms), "idle_logout_ms", (60_000, day));
        check(|to, n| to.sla_due_soon_permille = count32(n), "sla_due_soon_permille", (0, 1_000));
        check(|to, n| to.maximum_capacity = count32(n), "maximum_capacity", (3, u32::MAX.into()));
        let broken = CompanySettings { standard_capacity: 0, ..CompanySettings::default() };
        assert_eq!(broken.check().unwrap_err().field, "standard_capacity");

        fn count32(value: u64) -> u32 {
            u32::try_from(value).unwrap()
        }

        #[track_caller]
        fn check(set: fn(&mut CompanySettings, u64), field: &str, (least, most): (u64, u64)) {
            within((least, most), field, |value| {
                let mut settings = CompanySettings::default();
                set(&mut settings, value);
                settings.check()
            });
        }
    }

    /// Both ends are taken, and one beyond each is not.
    #[track_caller]
    fn within(
        (least, most): (u64, u64),
        field: &str,
        answer: impl Fn(u64) -> Result<(), OutOfRange>,
    ) {
        assert_eq!(answer(least), Ok(()), "{field} {least}");
        assert_eq!(answer(most), Ok(()), "{field} {most}");
        if let Some(less) = least.checked_sub(1) {
            assert_eq!(answer(less).unwrap_err().field, field, "{less}");
        }
        if most < u64::from(u32::MAX) {
            let error = answer(most + 1).unwrap_err();
            assert_eq!(error.field, field, "{most}");
            assert!(error.to_string().contains(field), "{error}");
        }
    }
}
