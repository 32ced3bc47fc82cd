//! The Graph API's JSON, here alone: what is asked, and what the answers mean. Pure.
//!
//! The HTTP status of an error is not documented, so code and subcode decide; the status counts where they are missing.
//! What cannot be read may have been taken: then the answer is [`Error::NoAnswer`], and nothing is repeated.
//!
//! Source: Meta, "Messaging API", "Sender actions", "Error codes" of the Messenger Platform, "Rate limits".

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::id::MessageId;
use crate::domain::outbound::{OutboundSend, SendPart};
use crate::domain::time::MINUTE_MS;
use crate::send::error::{Class, Error};

/// The header that says how long a limited account must wait.
pub(super) const USAGE_HEADER: &str = "x-business-use-case-usage";

/// What to POST for `send`; `tagged` adds the human-agent tag to messages. Reactions take no tag.
pub(super) fn request_body(send: &OutboundSend, tagged: bool) -> Value {
    let recipient = json!({ "id": send.thread.person_id.as_str() });
    let message = match &send.part {
        SendPart::Text { text } => json!({ "text": text }),
        SendPart::Images { urls } => images(urls),
        SendPart::React { mid } => {
            let payload = json!({ "message_id": mid.as_str(), "reaction": "love" });
            return json!({ "recipient": recipient, "sender_action": "react", "payload": payload });
        }
        SendPart::Unreact { mid } => {
            let payload = json!({ "message_id": mid.as_str() });
            return json!({ "recipient": recipient, "sender_action": "unreact", "payload": payload });
        }
    };
    if tagged {
        let (kind, tag) = ("MESSAGE_TAG", "HUMAN_AGENT");
        return json!({ "recipient": recipient, "message": message, "messaging_type": kind, "tag": tag });
    }
    json!({ "recipient": recipient, "message": message })
}

/// One image stands under `attachment`, several under `attachments`.
fn images(urls: &[String]) -> Value {
    let image = |url: &String| json!({ "type": "image", "payload": { "url": url } });
    match urls {
        [url] => json!({ "attachment": image(url) }),
        urls => json!({ "attachments": urls.iter().map(image).collect::<Vec<_>>() }),
    }
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    message_id: Option<String>,
    #[serde(default)]
    error: Option<ErrorAnswer>,
}

#[derive(Debug, Deserialize)]
struct ErrorAnswer {
    #[serde(default)]
    code: Option<u32>,
    #[serde(default)]
    error_subcode: Option<u32>,
    #[serde(default)]
    is_transient: bool,
}

/// What an answer says: the mid of what was taken (reactions have none), or why not.
///
/// # Errors
///
/// [`Error::Refused`] with the class of the platform's codes; [`Error::NoAnswer`] when the answer says nothing.
pub(super) fn read_answer(
    part: &SendPart,
    status: u16,
    usage: Option<&str>,
    body: &[u8],
) -> Result<Option<MessageId>, Error> {
    let answer = serde_json::from_slice::<Answer>(body).ok();
    if let Some(error) = answer.as_ref().and_then(|answer| answer.error.as_ref()) {
        return Err(refused(error, status, usage));
    }
    match (status, answer) {
        (200..=299, Some(answer)) => accepted(part, answer.message_id.as_deref()),
        (429, _) => Err(without_codes(Class::Limited, usage)),
        // Not carried out, by whatever answered in the platform's stead; a timeout there is a timeout.
        (300..=407 | 409..=499, _) => Err(without_codes(Class::Permanent, usage)),
        (_, _) => Err(Error::NoAnswer),
    }
}

/// Only a message without `message_id` is in doubt: reactions never have one.
fn accepted(part: &SendPart, message_id: Option<&str>) -> Result<Option<MessageId>, Error> {
    let mid = message_id.and_then(|mid| MessageId::parse(mid).ok());
    match (part, mid) {
        (SendPart::React { .. } | SendPart::Unreact { .. }, mid) => Ok(mid),
        (SendPart::Text { .. } | SendPart::Images { .. }, Some(mid)) => Ok(Some(mid)),
        (SendPart::Text { .. } | SendPart::Images { .. }, None) => Err(Error::NoAnswer),
    }
}

fn refused(error: &ErrorAnswer, status: u16, usage: Option<&str>) -> Error {
    let (code, subcode) = (error.code, error.error_subcode);
    let known = code.and_then(|code| class_of(code, subcode));
    let class = known.unwrap_or(match (error.is_transient, status) {
        (true, _) => Class::Temporary,
        (false, 429) => Class::Limited,
        (false, 500..) => Class::Ambiguous,
        (false, _) => Class::Permanent,
    });
    Error::Refused { class, code, subcode, wait_ms: wait_ms(usage) }
}

fn without_codes(class: Class, usage: Option<&str>) -> Error {
    Error::Refused { class, code: None, subcode: None, wait_ms: wait_ms(usage) }
}

/// What a code means; `None` for codes that no page names. A subcode beside its family's code decides first.
fn class_of(code: u32, subcode: Option<u32>) -> Option<Class> {
    let by_subcode = subcode.and_then(|subcode| class_of_subcode(code, subcode));
    by_subcode.or_else(|| class_of_code(code))
}

const fn class_of_subcode(code: u32, subcode: u32) -> Option<Class> {
    Some(match (code, subcode) {
        (1, 1_357_046) => Class::Ambiguous,
        (613, 2_018_338) => Class::TagLimited,
        (10, 2_534_022 | 2_018_278 | 2_018_065) => Class::OutsideWindow,
        (10, 2_534_077 | 1_893_063)
        | (100, 2_534_013 | 2_534_029)
        | (200, 2_534_041)
        | (190, _) => Class::AccountDown,
        (10, 2_018_108) | (200 | 551, 1_545_041) => Class::PersonUnavailable,
        (100, 2_018_008 | 2_018_294) => Class::MediaFetch,
        _ => return None,
    })
}

/// The bare codes; those with a meaning of their own under several families stand here once.
const fn class_of_code(code: u32) -> Option<Class> {
    Some(match code {
        1 => Class::Unexplained,
        2 => Class::Temporary,
        4 | 17 | 32 | 613 | 80_002 | 80_006 => Class::Limited,
        190 | 368 => Class::AccountDown,
        551 => Class::PersonUnavailable,
        10 | 100 | 200 | 230 | 9_010 | 2_018_300 | 2_534_001 | 2_534_068 | 9_000_001 => {
            Class::Permanent
        }
        2_018_008 | 2_018_294 => Class::MediaFetch,
        _ => return None,
    })
}

/// How long until access is regained, the longest of all that is said. The header counts in minutes.
fn wait_ms(usage: Option<&str>) -> Option<u64> {
    #[derive(Deserialize)]
    struct Usage {
        #[serde(default)]
        estimated_time_to_regain_access: u64,
    }
    let by_object: BTreeMap<String, Vec<Usage>> = serde_json::from_str(usage?).ok()?;
    let minutes = by_object.values().flatten().map(|usage| usage.estimated_time_to_regain_access);
    minutes.max().filter(|minutes| *minutes > 0).map(|minutes| minutes.saturating_mul(MINUTE_MS))
}
