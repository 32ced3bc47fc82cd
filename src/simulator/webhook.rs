//! Occurrences as Meta writes them down: webhook bodies and their signatures. Pure.
//!
//! The bytes are the contract: non-ASCII text is escaped (`\u00e4`, lower case, surrogate pairs), slashes are `\/`, and
//! the signature covers exactly these bytes. Source: `instagram-platform` sections 1.2 and 3.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use crate::domain::time::Timestamp;

use super::occurrence::{Author, Body, Media, Occurrence, What};

/// The body of one notification: an entry for each run of occurrences of one account.
///
/// # Errors
///
/// None in practice: the shapes always serialise.
pub fn body(occurrences: &[Occurrence], sent_at: Timestamp) -> Result<Vec<u8>, serde_json::Error> {
    let same_account = |a: &Occurrence, b: &Occurrence| a.thread.account_id == b.thread.account_id;
    let entry = occurrences
        .chunk_by(same_account)
        .filter_map(|run| {
            let id = run.first()?.thread.account_id.as_str();
            Some(Entry { id, time: sent_at.as_ms(), messaging: run.iter().map(item).collect() })
        })
        .collect();
    let json = serde_json::to_string(&Notification { object: "instagram", entry })?;
    Ok(escaped(&json).into_bytes())
}

/// The value of `X-Hub-Signature-256` for these bytes.
#[must_use]
pub fn signature(app_secret: &str, bytes: &[u8]) -> String {
    // A key of any length is a key, so there is no other branch to take.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()) else {
        return String::new();
    };
    mac.update(bytes);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// JSON text with everything beyond ASCII, and slashes, escaped as Meta does.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 4);
    for letter in json.chars() {
        match letter {
            '/' => out.push_str("\\/"),
            letter if letter.is_ascii() => out.push(letter),
            letter => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    // Writing to a text cannot fail.
                    write!(out, "\\u{unit:04x}").unwrap_or_default();
                }
            }
        }
    }
    out
}

#[derive(Serialize)]
struct Notification<'a> {
    object: &'static str,
    entry: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    time: u64,
    messaging: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Id<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct Item<'a> {
    sender: Id<'a>,
    recipient: Id<'a>,
    timestamp: u64,
    #[serde(flatten)]
    what: Wire<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Wire<'a> {
    Message(Message<'a>),
    MessageEdit { mid: &'a str, text: &'a str, num_edit: u32 },
    Read { mid: &'a str },
    Reaction(Reaction<'a>),
    Postback { mid: &'a str, title: &'a str, payload: &'a str },
}

#[derive(Serialize, Default)]
struct Message<'a> {
    mid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<ReplyTo<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_deleted: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_echo: bool,
}

#[derive(Serialize)]
struct Attachment<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload<'a>>,
}

#[derive(Serialize)]
struct Payload<'a> {
    url: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum ReplyTo<'a> {
    Mid(&'a str),
    Story { id: &'a str, url: &'a str },
}

#[derive(Serialize)]
struct Reaction<'a> {
    mid: &'a str,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reaction: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emoji: Option<&'a str>,
}

fn item(occurrence: &Occurrence) -> Item<'_> {
    let account = occurrence.thread.account_id.as_str();
    let person = occurrence.thread.person_id.as_str();
    let (sender, recipient) =
        if by_business(&occurrence.what) { (account, person) } else { (person, account) };
    Item {
        sender: Id { id: sender },
        recipient: Id { id: recipient },
        timestamp: occurrence.at.as_ms(),
        what: wire(&occurrence.what),
    }
}

const fn by_business(what: &What) -> bool {
    match what {
        What::Message { by, .. } | What::Unsent { by, .. } => !matches!(by, Author::Person),
        What::Edited { .. }
        | What::Read { .. }
        | What::Reacted { .. }
        | What::Unreacted { .. }
        | What::Postback { .. } => false,
    }
}

fn wire(what: &What) -> Wire<'_> {
    match what {
        What::Message { mid, body, .. } => Wire::Message(message(mid.as_str(), body, what)),
        What::Unsent { mid, .. } => Wire::Message(Message {
            mid: mid.as_str(),
            is_deleted: true,
            is_echo: by_business(what),
            ..Message::default()
        }),
        What::Edited { mid, text, num_edit } => {
            Wire::MessageEdit { mid: mid.as_str(), text, num_edit: *num_edit }
        }
        What::Read { mid } => Wire::Read { mid: mid.as_str() },
        What::Reacted { mid, reaction, emoji } => Wire::Reaction(Reaction {
            mid: mid.as_str(),
            action: "react",
            reaction: Some(reaction),
            emoji: Some(emoji),
        }),
        What::Unreacted { mid } => Wire::Reaction(Reaction {
            mid: mid.as_str(),
            action: "unreact",
            reaction: None,
            emoji: None,
        }),
        What::Postback { mid, title, payload } => {
            Wire::Postback { mid: mid.as_str(), title, payload }
        }
    }
}

fn message<'a>(mid: &'a str, body: &'a Body, what: &What) -> Message<'a> {
    let story = body.story.as_ref().map(|s| ReplyTo::Story { id: &s.id, url: &s.url });
    let quoted = body.reply_to.as_ref().map(|mid| ReplyTo::Mid(mid.as_str()));
    Message {
        mid,
        text: body.text.as_deref(),
        attachments: body.media.iter().map(attachment).collect(),
        reply_to: story.or(quoted),
        is_deleted: false,
        is_echo: by_business(what),
    }
}

fn attachment(media: &Media) -> Attachment<'_> {
    Attachment { kind: &media.kind, payload: media.url.as_deref().map(|url| Payload { url }) }
}
