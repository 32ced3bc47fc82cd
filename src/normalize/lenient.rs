//! Reading one JSON value as what it stands for, whichever way it was written. Pure.
//!
//! Meta writes the same thing as a number and as a string, as a flag and as its name (platform notes, contradiction 11).

use crate::domain::time::Timestamp;
use crate::normalize::json::Node;

/// Below it a time is in seconds, from it on in milliseconds. Source: platform notes, section 1.4.
const SECONDS_BELOW: u64 = 100_000_000_000;
/// From it on (the year 5138) a number is no time; timers and retention would take it for one.
const TIME_MS_END: u64 = 100_000_000_000_000;

impl Node<'_> {
    /// A text, or a number as it was written.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(digits) => Some(digits),
            Self::Null | Self::Bool(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// An id: a text, or a number that is digits alone, exactly.
    pub(super) fn id(&self) -> Option<&str> {
        let text = self.text()?;
        let whole = !matches!(self, Self::Number(_)) || text.bytes().all(|b| b.is_ascii_digit());
        whole.then_some(text)
    }

    /// `true`, `"true"`, `1` or `"1"`.
    pub(super) fn flag(&self) -> bool {
        match self {
            Self::Bool(flag) => *flag,
            Self::Text(word) => word.eq_ignore_ascii_case("true") || word == "1",
            Self::Number(digits) => *digits == "1",
            Self::Null | Self::List(_) | Self::Map(_) => false,
        }
    }

    /// A whole number, written either way.
    pub(super) fn whole(&self) -> Option<u64> {
        let text = self.text()?.trim();
        // `1700000000123.0` is what some programs between make of `1700000000123`.
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        fraction.bytes().all(|byte| byte == b'0').then(|| whole.parse().ok())?
    }

    /// A moment, in seconds or milliseconds; `None` where it is none.
    pub(super) fn moment(&self) -> Option<Timestamp> {
        match self.whole()? {
            0 => None,
            seconds if seconds < SECONDS_BELOW => Some(Timestamp::from_ms(seconds * 1_000)),
            ms if ms < TIME_MS_END => Some(Timestamp::from_ms(ms)),
            _ => None,
        }
    }
}

/// `text` when it is a plain bounded word: fit for a label, and no one's id or words.
pub(super) fn plain_word(text: &str) -> Option<&str> {
    const BYTES_MAX: usize = 48;
    let starts_plain = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (text.len() <= BYTES_MAX && starts_plain && text.bytes().all(plain)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::json::parse;

    #[test]
    fn a_time_is_seconds_or_milliseconds_written_either_way() {
        check("1700000000123", Some(1_700_000_000_123));
        check(r#""1700000000123""#, Some(1_700_000_000_123));
        check("1520622968", Some(1_520_622_968_000));
        check(r#""1527459824""#, Some(1_527_459_824_000));
        check("99999999999", Some(99_999_999_999_000));
        check("100000000000", Some(100_000_000_000));
        check("1700000000123.0", Some(1_700_000_000_123));
        check("100000000000000", None);
        check("0", None);
        check("-5", None);
        check("1.5", None);
        check("1e12", None);
        check(r#""soon""#, None);
        check(r#""""#, None);
        check("{}", None);
        check("99999999999999999999999999", None);

        #[track_caller]
        fn check(body: &str, expected_ms: Option<u64>) {
            assert_eq!(parse(body).unwrap().moment(), expected_ms.map(Timestamp::from_ms));
        }
    }

    #[test]
    fn a_flag_is_a_flag_or_its_name() {
        check("true", true);
        check(r#""true""#, true);
        check(r#""True""#, true);
        check("1", true);
        check("false", false);
        check(r#""false""#, false);
        check(r#""yes please""#, false);
        check("[]", false);

        #[track_caller]
        fn check(body: &str, expected: bool) {
            assert_eq!(parse(body).unwrap().flag(), expected);
        }
    }

    #[test]
    fn an_id_is_exact_or_none() {
        check("9007199254740993", Some("9007199254740993"));
        check(r#""9007199254740993""#, Some("9007199254740993"));
        check("1.7841e16", None);
        check("-1", None);
        check("true", None);
        check("{}", None);

        #[track_caller]
        fn check(body: &str, expected: Option<&str>) {
            assert_eq!(parse(body).unwrap().id(), expected);
        }
    }

    #[test]
    fn a_label_is_a_word_and_never_an_id_or_a_sentence() {
        check("messaging_optins", true);
        check("policy-enforcement", true);
        check("17841400000000001", false);
        check("hello there", false);
        check("", false);
        check("ä", false);
        check(&"a".repeat(49), false);

        #[track_caller]
        fn check(text: &str, expected: bool) {
            assert_eq!(plain_word(text).is_some(), expected);
        }
    }
}
