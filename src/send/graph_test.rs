//! The Graph API's JSON: what is asked, and every documented code.

use serde_json::{Value, json};

use crate::domain::id::MessageId;
use crate::domain::outbound::{FailureCode, OutboundSend, SendPart};
use crate::send::error::{Class, Error, Remedy};
use crate::send::graph::{read_answer, request_body};

const TEXT: &str = r#"{"type":"text","text":"hé"}"#;
const REACT: &str = r#"{"type":"react","mid":"m1"}"#;

#[test]
fn requests_are_what_meta_documents() {
    // Bodies from Meta's "Messaging API" and "Sender actions" pages.
    check(TEXT, false, json!({"recipient":{"id":"9"},"message":{"text":"hé"}}));
    check(
        TEXT,
        true,
        json!({"recipient":{"id":"9"},"message":{"text":"hé"},"messaging_type":"MESSAGE_TAG","tag":"HUMAN_AGENT"}),
    );
    check(
        r#"{"type":"images","urls":["https://a/1.png"]}"#,
        false,
        json!({"recipient":{"id":"9"},"message":{"attachment":{"type":"image","payload":{"url":"https://a/1.png"}}}}),
    );
    check(
        r#"{"type":"images","urls":["https://a/1.png","https://a/2.png"]}"#,
        true,
        json!({"recipient":{"id":"9"},"message":{"attachments":[
            {"type":"image","payload":{"url":"https://a/1.png"}},
            {"type":"image","payload":{"url":"https://a/2.png"}}]},
            "messaging_type":"MESSAGE_TAG","tag":"HUMAN_AGENT"}),
    );
    for tagged in [false, true] {
        check(
            REACT,
            tagged,
            json!({"recipient":{"id":"9"},"sender_action":"react","payload":{"message_id":"m1","reaction":"love"}}),
        );
        check(
            r#"{"type":"unreact","mid":"m1"}"#,
            tagged,
            json!({"recipient":{"id":"9"},"sender_action":"unreact","payload":{"message_id":"m1"}}),
        );
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn check(part: &str, tagged: bool, expected: Value) {
        let send = OutboundSend {
            part: part_of(part),
            ..serde_json::from_str(
                r#"{"type":"text","text":"","send_id":"s","item_id":"i","account_id":"1784","person_id":"9","conversation_id":"c","requested_at":1,"expires_at":2,"tag_from_at":2}"#,
            )
            .unwrap()
        };
        assert_eq!(request_body(&send, tagged), expected);
    }
}

/// Every row of the table of codes. Source: Meta, "Error codes" of the Messenger Platform; "Rate limits".
#[test]
fn every_documented_code_has_its_class() {
    use Class::{
        AccountDown, Ambiguous, Limited, MediaFetch, OutsideWindow, Permanent, PersonUnavailable,
        TagLimited, Temporary, Unexplained,
    };
    for (code, subcode, class) in [
        (1, None, Unexplained),
        (1, Some(99), Unexplained),
        (1, Some(1_357_046), Ambiguous),
        (2, None, Temporary),
        (2, Some(1_545_133), Temporary),
        (4, None, Limited),
        (17, None, Limited),
        (32, None, Limited),
        (613, None, Limited),
        (613, Some(1_996), Limited),
        (613, Some(2_534_040), Limited),
        (80_002, None, Limited),
        (80_006, None, Limited),
        (613, Some(2_018_338), TagLimited),
        (10, Some(2_534_022), OutsideWindow),
        (10, Some(2_018_278), OutsideWindow),
        (10, Some(2_018_065), OutsideWindow),
        (10, Some(2_534_077), AccountDown),
        (10, Some(1_893_063), AccountDown),
        (10, Some(2_018_108), PersonUnavailable),
        (551, None, PersonUnavailable),
        (551, Some(1_545_041), PersonUnavailable),
        (200, Some(1_545_041), PersonUnavailable),
        (100, None, Permanent),
        (100, Some(2_534_014), Permanent),
        (100, Some(2_534_015), Permanent),
        (100, Some(2_534_025), Permanent),
        (100, Some(2_534_013), AccountDown),
        (100, Some(2_534_029), AccountDown),
        (100, Some(2_534_037), Permanent),
        (2_018_300, None, Permanent),
        (100, Some(2_018_008), MediaFetch),
        (100, Some(2_018_047), Permanent),
        (100, Some(2_018_109), Permanent),
        (100, Some(2_018_294), MediaFetch),
        (2_534_068, None, Permanent),
        (2_534_001, None, Permanent),
        (190, None, AccountDown),
        (190, Some(458), AccountDown),
        (190, Some(459), AccountDown),
        (190, Some(460), AccountDown),
        (190, Some(463), AccountDown),
        (190, Some(464), AccountDown),
        (190, Some(467), AccountDown),
        (200, None, Permanent),
        (200, Some(2_018_028), Permanent),
        (200, Some(2_534_041), AccountDown),
        (230, None, Permanent),
        (9_010, None, Permanent),
        (9_000_001, None, Permanent),
        (368, None, AccountDown),
    ] {
        for status in [400, 500] {
            let body = error_body(code, subcode, false);
            let expected = Error::Refused { class, code: Some(code), subcode, wait_ms: None };
            let answered = read_answer(&part_of(TEXT), status, None, &body);
            assert_eq!(answered, Err(expected), "{code}/{subcode:?} under {status}");
        }
    }
}

#[test]
fn a_code_nobody_documents_is_judged_by_what_stands_beside_it() {
    check(400, &error_body(4711, None, false), Class::Permanent);
    check(400, &error_body(4711, None, true), Class::Temporary);
    check(429, &error_body(4711, None, false), Class::Limited);
    check(500, &error_body(4711, None, false), Class::Ambiguous);
    check(200, &error_body(190, None, false), Class::AccountDown);
    check(400, br#"{"error":{"message":"no code"}}"#, Class::Permanent);
    check(404, b"<html>", Class::Permanent);
    check(302, b"", Class::Permanent);
    check(429, b"", Class::Limited);

    #[track_caller]
    fn check(status: u16, body: &[u8], expected: Class) {
        let answered = read_answer(&part_of(TEXT), status, None, body);
        let Err(Error::Refused { class, .. }) = answered else { panic!("{answered:?}") };
        assert_eq!(class, expected);
    }
}

#[test]
fn an_answer_that_says_nothing_leaves_the_outcome_open() {
    let taken = br#"{"recipient_id":"9","message_id":"aWdf1"}"#;
    let mid = MessageId::parse("aWdf1").unwrap();
    check(TEXT, 200, taken, Ok(Some(mid)));
    check(TEXT, 200, br#"{"recipient_id":"9"}"#, Err(Error::NoAnswer));
    check(TEXT, 200, br#"{"recipient_id":"9","message_id":""}"#, Err(Error::NoAnswer));
    check(TEXT, 200, br#"{"recipient_id":"9","mess"#, Err(Error::NoAnswer));
    check(TEXT, 200, b"", Err(Error::NoAnswer));
    check(TEXT, 200, b"<html>", Err(Error::NoAnswer));
    check(TEXT, 500, b"", Err(Error::NoAnswer));
    check(TEXT, 502, b"<html>bad gateway</html>", Err(Error::NoAnswer));
    check(TEXT, 503, br#"{"recipient_id":"9"}"#, Err(Error::NoAnswer));
    check(TEXT, 408, b"", Err(Error::NoAnswer));
    check(REACT, 200, br#"{"recipient_id":"9"}"#, Ok(None));
    check(REACT, 200, b"{", Err(Error::NoAnswer));

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn check(part: &str, status: u16, body: &[u8], expected: Result<Option<MessageId>, Error>) {
        assert_eq!(read_answer(&part_of(part), status, None, body), expected, "{status}");
    }
}

#[test]
fn a_limited_account_waits_as_long_as_the_platform_says() {
    let usage = r#"{"1784":[{"type":"instagram","call_count":100,"total_cputime":1,"total_time":1,"estimated_time_to_regain_access":7},{"type":"pages"}]}"#;
    check(Some(usage), Some(420_000));
    check(Some(r#"{"1784":[{"estimated_time_to_regain_access":0}]}"#), None);
    check(Some("not json"), None);
    check(None, None);

    #[track_caller]
    fn check(usage: Option<&str>, expected: Option<u64>) {
        let answered = read_answer(&part_of(TEXT), 400, usage, &error_body(80_002, None, false));
        let remedy = answered.unwrap_err().remedy();
        assert_eq!(remedy, Remedy::PauseAccount { wait_ms: expected });
    }
}

#[test]
fn what_a_failure_is_called_outside_follows_its_class() {
    check(551, None, FailureCode::PersonUnavailable);
    check(100, None, FailureCode::Refused);

    #[track_caller]
    fn check(code: u32, subcode: Option<u32>, expected: FailureCode) {
        let error = read_answer(&part_of(TEXT), 400, None, &error_body(code, subcode, false));
        assert_eq!(error.unwrap_err().remedy(), Remedy::GiveUp(expected));
    }
}

fn part_of(json: &str) -> SendPart {
    serde_json::from_str(json).unwrap()
}

fn error_body(code: u32, subcode: Option<u32>, is_transient: bool) -> Vec<u8> {
    let mut error = json!({
        "message": "m", "type": "OAuthException", "code": code, "fbtrace_id": "A",
        "is_transient": is_transient,
    });
    if let Some(subcode) = subcode {
        error["error_subcode"] = json!(subcode);
    }
    serde_json::to_vec(&json!({ "error": error })).unwrap()
}
