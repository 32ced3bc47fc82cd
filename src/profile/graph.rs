//! The Graph API's JSON of a profile, here alone: what is asked, and what the answers mean. Pure.
//!
//! Only what is shown is asked for (R-146): no username (R-13), no picture. A field of another kind than documented counts
//! as not given; a profile without any is still an answer.
//!
//! Source: Meta, "User Profile API" of the Messenger Platform; "Error codes".

use serde::Deserialize;
use serde_json::Value;

use crate::domain::customer::Profile;
use crate::profile::error::Error;

/// What is asked for.
pub(super) const FIELDS: &str =
    "name,follower_count,is_user_follow_business,is_business_follow_user,is_verified_user";

/// Characters of a name; more are cut off.
const NAME_CHARS_MAX: usize = 200;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    follower_count: Value,
    #[serde(default)]
    is_user_follow_business: Value,
    #[serde(default)]
    is_business_follow_user: Value,
    #[serde(default)]
    is_verified_user: Value,
    #[serde(default)]
    error: Option<ErrorAnswer>,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    #[serde(default)]
    code: Option<u32>,
    #[serde(default)]
    is_transient: bool,
}

/// What an answer says of a person, or why it says nothing.
///
/// # Errors
///
/// [`Error`] by the platform's code, else by the status; [`Error::NoAnswer`] when the answer says nothing.
pub(super) fn read_answer(status: u16, body: &[u8]) -> Result<Profile, Error> {
    let answer = serde_json::from_slice::<Answer>(body).ok();
    if let Some(error) = answer.as_ref().and_then(|answer| answer.error.as_ref()) {
        return Err(refused(error, status));
    }
    match (status, answer) {
        (200..=299, Some(answer)) => Ok(profile(&answer)),
        (429, _) => Err(Error::Temporary { code: None }),
        (300..=407 | 409..=499, _) => Err(Error::Refused { code: None }),
        (_, _) => Err(Error::NoAnswer),
    }
}

fn profile(answer: &Answer) -> Profile {
    Profile {
        name: answer.name.as_str().and_then(shown_name),
        verified: answer.is_verified_user.as_bool(),
        follower_count: answer.follower_count.as_u64(),
        follows_account: answer.is_user_follow_business.as_bool(),
        followed_by_account: answer.is_business_follow_user.as_bool(),
    }
}

/// A name on one line, bounded; `None` when nothing of it can be seen.
fn shown_name(name: &str) -> Option<String> {
    let one_line: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let name: String = one_line.trim().chars().take(NAME_CHARS_MAX).collect();
    (!name.is_empty()).then_some(name)
}

const fn refused(error: &ErrorAnswer, status: u16) -> Error {
    let code = error.code;
    match (code, error.is_transient, status) {
        (Some(10 | 190 | 200 | 368), _, _) => Error::AccountDown { code },
        (Some(1 | 2 | 4 | 17 | 32 | 613 | 80_002 | 80_006), _, _)
        | (_, true, _)
        | (None, false, 429 | 500..) => Error::Temporary { code },
        (_, false, _) => Error::Refused { code },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // Holds: R-13
    #[test]
    fn a_profile_is_what_instagram_says_and_what_it_leaves_out_is_absent() {
        // From Meta's page on the User Profile API; the username is there and goes nowhere.
        let full = json!({
            "id": "9", "name": "Peter Chang", "username": "peter_chang_live",
            "profile_pic": "https://fbcdn-profile-a.akamaihd.net/p50x50.jpg", "follower_count": 1234,
            "is_user_follow_business": false, "is_business_follow_user": true, "is_verified_user": false,
        });
        let expected = Profile {
            name: Some("Peter Chang".to_owned()),
            verified: Some(false),
            follower_count: Some(1234),
            follows_account: Some(false),
            followed_by_account: Some(true),
        };
        assert_eq!(read_answer(200, full.to_string().as_bytes()), Ok(expected));
        assert!(!FIELDS.contains("username"), "R-13");

        let sparse = json!({ "id": "9", "name": null, "follower_count": "many" });
        assert_eq!(read_answer(200, sparse.to_string().as_bytes()), Ok(Profile::default()));
    }

    #[test]
    fn a_name_is_one_line_bounded_and_visible_or_none() {
        check("Maria", Some("Maria"));
        check("  Mar\u{7}ia\n", Some("Mar ia"));
        check("ماريا 🌷", Some("ماريا 🌷"));
        check(" \n", None);
        check(&"ä".repeat(201), Some(&"ä".repeat(200)));

        #[track_caller]
        fn check(name: &str, expected: Option<&str>) {
            let body = json!({ "id": "9", "name": name }).to_string();
            let profile = read_answer(200, body.as_bytes()).unwrap();
            assert_eq!(profile.name.as_deref(), expected);
        }
    }

    #[test]
    fn every_error_has_its_meaning() {
        use Error::{AccountDown, NoAnswer, Refused, Temporary};
        for (status, code, expected) in [
            (400, 230, Refused { code: Some(230) }),
            (400, 9_010, Refused { code: Some(9_010) }),
            (400, 100, Refused { code: Some(100) }),
            (400, 551, Refused { code: Some(551) }),
            (500, 999, Refused { code: Some(999) }),
            (400, 190, AccountDown { code: Some(190) }),
            (403, 10, AccountDown { code: Some(10) }),
            (400, 200, AccountDown { code: Some(200) }),
            (400, 368, AccountDown { code: Some(368) }),
            (500, 1, Temporary { code: Some(1) }),
            (500, 2, Temporary { code: Some(2) }),
            (400, 4, Temporary { code: Some(4) }),
            (400, 613, Temporary { code: Some(613) }),
            (400, 80_002, Temporary { code: Some(80_002) }),
        ] {
            let body = json!({ "error": { "code": code, "type": "OAuthException" } }).to_string();
            assert_eq!(read_answer(status, body.as_bytes()), Err(expected), "{status} {code}");
        }
        let passing = br#"{"error":{"code":230,"is_transient":true}}"#;
        assert_eq!(read_answer(400, passing), Err(Temporary { code: Some(230) }));
        for (status, body, expected) in [
            (200, "", NoAnswer),
            (200, "<html>", NoAnswer),
            (502, "<html>", NoAnswer),
            (408, "", NoAnswer),
            (429, "", Temporary { code: None }),
            (500, r#"{"error":{}}"#, Temporary { code: None }),
            (404, "", Refused { code: None }),
            (302, "", Refused { code: None }),
        ] {
            assert_eq!(read_answer(status, body.as_bytes()), Err(expected), "{status} {body}");
        }
    }
}
