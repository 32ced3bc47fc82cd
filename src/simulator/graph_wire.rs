//! What goes over the wire of the simulated Graph API: shapes alone, no decisions.
//!
//! Source: `instagram-platform` sections 4.2 (bodies), 6 (answers), 7 (profile).

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::id::{AccountId, MessageId, PersonId};

use super::occurrence::{Body, Media};
use super::people::Profile;
use super::take::{Action, RefusedBy, SendCall};

/// A call of the Send API.
#[derive(Debug, Deserialize)]
pub(super) struct SendBody {
    recipient: Recipient,
    message: Option<MessageBody>,
    sender_action: Option<String>,
    payload: Option<Target>,
    tag: Option<String>,
    reply_to: Option<Quoted>,
}

#[derive(Debug, Deserialize)]
struct Recipient {
    id: String,
}

#[derive(Debug, Deserialize)]
struct MessageBody {
    text: Option<String>,
    attachment: Option<Attachment>,
    attachments: Option<OneOrMany>,
}

/// Under `attachments` an IGL sample puts one object; lists are documented too.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Attachment>),
    One(Attachment),
}

#[derive(Debug, Deserialize)]
struct Attachment {
    #[serde(rename = "type")]
    kind: String,
    payload: Option<Payload>,
}

#[derive(Debug, Deserialize)]
struct Payload {
    url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Target {
    message_id: String,
}

#[derive(Debug, Deserialize)]
struct Quoted {
    mid: String,
}

impl SendBody {
    /// The call in our words.
    pub(super) fn into_call(self, account_id: AccountId) -> Result<SendCall, RefusedBy> {
        let person_id = PersonId::parse(&self.recipient.id).or(Err(RefusedBy::UnknownPerson))?;
        let target = self.payload.map(|payload| parse_mid(&payload.message_id)).transpose()?;
        let reply_to = self.reply_to.map(|quoted| parse_mid(&quoted.mid)).transpose()?;
        let action = match (self.sender_action.as_deref(), self.message, target) {
            (None, Some(message), None) => Action::Say(said(message, reply_to)),
            (Some("react"), None, Some(mid)) => Action::React { mid },
            (Some("unreact"), None, Some(mid)) => Action::Unreact { mid },
            (Some("typing_on" | "typing_off" | "mark_seen"), None, None) => Action::Mark,
            _ => return Err(RefusedBy::Parameter),
        };
        Ok(SendCall { account_id, person_id, action, tag: self.tag })
    }
}

fn said(message: MessageBody, reply_to: Option<MessageId>) -> Body {
    let several = message.attachments.map_or_else(Vec::new, |attachments| match attachments {
        OneOrMany::Many(many) => many,
        OneOrMany::One(one) => vec![one],
    });
    let media = message.attachment.into_iter().chain(several).map(|attachment| Media {
        kind: attachment.kind,
        url: attachment.payload.and_then(|payload| payload.url),
    });
    Body { text: message.text, media: media.collect(), reply_to, story: None }
}

fn parse_mid(text: &str) -> Result<MessageId, RefusedBy> {
    MessageId::parse(text).or(Err(RefusedBy::Parameter))
}

/// The answer to what was taken; reactions have no message id.
pub(super) fn sent(recipient: &PersonId, mid: Option<&MessageId>) -> Response {
    let mut answer = json!({ "recipient_id": recipient.as_str() });
    if let (Some(fields), Some(mid)) = (answer.as_object_mut(), mid) {
        fields.insert("message_id".to_owned(), Value::from(mid.as_str()));
    }
    Json(answer).into_response()
}

/// The answer to what was refused; `OAuthException` says nothing about the token.
pub(super) fn error(why: RefusedBy) -> Response {
    let (code, subcode) = why.code();
    let mut error = json!({
        "message": why.message(),
        "type": "OAuthException",
        "code": code,
        "fbtrace_id": "AaBbCcDdEeFfGgHhIiJjKkL",
    });
    if let (Some(fields), Some(subcode)) = (error.as_object_mut(), subcode) {
        fields.insert("error_subcode".to_owned(), Value::from(subcode));
    }
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}

/// A profile.
pub(super) fn profile(person_id: &PersonId, profile: &Profile) -> Response {
    Json(json!({
        "id": person_id.as_str(),
        "name": profile.name,
        "username": profile.username,
        "profile_pic": null,
        "follower_count": profile.followers,
        "is_user_follow_business": profile.follows_business,
        "is_business_follow_user": false,
        "is_verified_user": profile.verified,
    }))
    .into_response()
}
