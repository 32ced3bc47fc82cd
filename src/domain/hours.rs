//! When a desk is open, and how much of a span of time that was. Pure.
//!
//! Local times are those of an IANA zone with its changes of summer time, from the table built into the program: the same
//! on every machine. No clock of the desk goes by business hours: they are a number in reports.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;
/// Days looked at: a longer span counts as far as this.
const DAYS_MAX: usize = 3_660;

/// When a desk is open, week by week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("additionalProperties" = true))]
pub struct BusinessHours {
    /// The IANA zone of the times: `Europe/Berlin`, `UTC`.
    pub time_zone: String,
    /// The spans of a week in which it is open; they do not overlap.
    pub open: Vec<OpenSpan>,
}

/// A span of one day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("additionalProperties" = true))]
pub struct OpenSpan {
    /// Which day.
    pub day: Day,
    /// Minutes after midnight, inclusive.
    pub from_minute: u16,
    /// Minutes after midnight, exclusive; 1440 is the end of the day.
    pub to_minute: u16,
}

/// A day of the week.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// The first.
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The seventh.
    Sunday,
}

impl BusinessHours {
    /// What the setting takes, in words.
    pub const TAKES: &'static str = "an IANA time zone and at most 50 spans of a week, from_minute below to_minute, at most \
                                     1440, none over another; or null";
    /// Spans of a week.
    const SPANS_MAX: usize = 50;

    /// Whether the zone is known, and the spans are such and do not overlap.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let spans = &self.open;
        let are_spans = spans
            .iter()
            .all(|span| span.from_minute < span.to_minute && span.to_minute <= DAY_MINUTES);
        let mut in_order: Vec<(Day, u16, u16)> =
            spans.iter().map(|span| (span.day, span.from_minute, span.to_minute)).collect();
        in_order.sort_unstable();
        let apart = in_order.is_sorted_by(|one, next| one.0 != next.0 || one.2 <= next.1);
        spans.len() <= Self::SPANS_MAX && are_spans && apart && self.zone().is_some()
    }

    /// How many milliseconds between two moments fell into business hours; `None` where the zone is not known here.
    #[must_use]
    pub fn open_ms(&self, from: Timestamp, to: Timestamp) -> Option<u64> {
        let zone = self.zone()?;
        let (from_ms, to_ms) = (signed(from)?, signed(to)?);
        let first = jiff::Timestamp::from_millisecond(from_ms).ok()?.to_zoned(zone.clone()).date();
        let last = jiff::Timestamp::from_millisecond(to_ms).ok()?.to_zoned(zone.clone()).date();
        let mut total_ms = 0_u64;
        for date in first.series(jiff::Span::new().days(1)).take(DAYS_MAX) {
            if date > last {
                break;
            }
            for span in self.open.iter().filter(|span| span.day == day_of(date)) {
                let opens = moment(&zone, date, span.from_minute)?.max(from_ms);
                let closes = moment(&zone, date, span.to_minute)?.min(to_ms);
                total_ms += u64::try_from(closes.saturating_sub(opens)).unwrap_or(0);
            }
        }
        Some(total_ms)
    }

    fn zone(&self) -> Option<TimeZone> {
        // The table in the program, never the machine's: a decision replayed elsewhere is the same.
        TimeZoneDatabase::bundled().get(&self.time_zone).ok()
    }
}

fn signed(moment: Timestamp) -> Option<i64> {
    i64::try_from(moment.as_ms()).ok()
}

/// A minute of a local day, in milliseconds since the epoch; one that summer time skips counts as just after the gap.
fn moment(zone: &TimeZone, date: Date, minute: u16) -> Option<i64> {
    let (date, minute) = match minute {
        DAY_MINUTES => (date.tomorrow().ok()?, 0),
        within => (date, within),
    };
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    let local = date.to_datetime(Time::new(hour, minute, 0, 0).ok()?);
    Some(zone.to_timestamp(local).ok()?.as_millisecond())
}

fn day_of(date: Date) -> Day {
    match date.weekday() {
        Weekday::Monday => Day::Monday,
        Weekday::Tuesday => Day::Tuesday,
        Weekday::Wednesday => Day::Wednesday,
        Weekday::Thursday => Day::Thursday,
        Weekday::Friday => Day::Friday,
        Weekday::Saturday => Day::Saturday,
        Weekday::Sunday => Day::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::time::{DAY_MS, HOUR_MS, MINUTE_MS};

    fn hours(time_zone: &str, open: &[(Day, u16, u16)]) -> BusinessHours {
        let span = |&(day, from, to): &(Day, u16, u16)| OpenSpan {
            day,
            from_minute: from * 60,
            to_minute: to * 60,
        };
        BusinessHours { time_zone: time_zone.to_owned(), open: open.iter().map(span).collect() }
    }

    fn at(text: &str) -> Timestamp {
        let moment: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_ms(u64::try_from(moment.as_millisecond()).unwrap())
    }

    // Holds: R-101
    #[test]
    fn business_time_is_what_falls_into_the_open_spans_of_the_local_week() {
        let shop = [(Day::Monday, 9, 17), (Day::Tuesday, 9, 12), (Day::Tuesday, 13, 17)];
        // 2026-06-01 is a Monday; Berlin is two hours ahead in summer.
        check("UTC", "2026-06-01T10:00Z", "2026-06-01T11:30Z", 90);
        check("UTC", "2026-06-01T16:00Z", "2026-06-02T10:00Z", 120);
        check("UTC", "2026-06-02T11:00Z", "2026-06-02T14:00Z", 120);
        check("UTC", "2026-06-05T00:00Z", "2026-06-08T09:00Z", 0);
        check("UTC", "2026-06-01T00:00Z", "2026-06-15T00:00Z", 2 * 15 * 60);
        check("Europe/Berlin", "2026-06-01T06:30Z", "2026-06-01T07:30Z", 30);
        check("Europe/Berlin", "2026-12-07T06:30Z", "2026-12-07T08:30Z", 30);
        check("UTC", "2026-06-01T11:00Z", "2026-06-01T10:00Z", 0);

        #[track_caller]
        fn check(zone: &str, from: &str, to: &str, minutes: u64) {
            let shop = [(Day::Monday, 9, 17), (Day::Tuesday, 9, 12), (Day::Tuesday, 13, 17)];
            let open_ms = hours(zone, &shop).open_ms(at(from), at(to));
            assert_eq!(open_ms, Some(minutes * MINUTE_MS));
        }
        assert!(hours("UTC", &shop).is_sound());
    }

    #[test]
    fn the_night_of_summer_time_has_an_hour_less_and_that_of_winter_time_one_more() {
        let all_day = hours("Europe/Berlin", &[(Day::Sunday, 0, 24)]);
        let day = |date: &str, next: &str| {
            all_day.open_ms(at(&format!("{date}T12:00Z")).minus_ms(DAY_MS), at(next)).unwrap()
        };
        assert_eq!(day("2026-03-29", "2026-03-30T12:00:00Z"), 23 * HOUR_MS);
        assert_eq!(day("2026-10-25", "2026-10-26T12:00:00Z"), 25 * HOUR_MS);
    }

    #[test]
    fn what_is_no_week_is_not_sound() {
        for (zone, open) in [
            ("Mars/Olympus", vec![]),
            ("UTC", vec![(Day::Monday, 9, 9)]),
            ("UTC", vec![(Day::Monday, 9, 25)]),
            ("UTC", vec![(Day::Monday, 9, 12), (Day::Monday, 11, 13)]),
            ("UTC", vec![(Day::Monday, 9, 12); 51]),
        ] {
            assert!(!hours(zone, &open).is_sound(), "{zone} {open:?}");
        }
        assert!(hours("UTC", &[(Day::Monday, 13, 17), (Day::Monday, 9, 13)]).is_sound());
    }

    proptest! {
        #[test]
        fn parts_of_a_span_add_up_and_never_exceed_it(
            from_h in 0_u64..20_000,
            a_ms in 0_u64..(40 * DAY_MS),
            b_ms in 0_u64..(40 * DAY_MS),
        ) {
            let shop = hours("America/New_York", &[(Day::Monday, 0, 8), (Day::Sunday, 20, 24)]);
            let from = Timestamp::from_ms(1_700_000_000_000 + from_h * HOUR_MS);
            let (middle, to) = (from.plus_ms(a_ms), from.plus_ms(a_ms + b_ms));
            let (first, second) = (shop.open_ms(from, middle), shop.open_ms(middle, to));
            let whole = shop.open_ms(from, to).unwrap();
            prop_assert_eq!(first.unwrap() + second.unwrap(), whole);
            prop_assert!(whole <= a_ms + b_ms);
        }
    }
}
