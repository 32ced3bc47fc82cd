//! What comes in of a customer's details: fields to edits, numbers and addresses made comparable. Pure.
//!
//! `null` takes a detail away, which is why the body is read field by field. What came from Instagram is refused by its rule
//!

use serde_json::{Map, Value};

use crate::desk::Error;
use crate::desk::extract::name_of;
use crate::desk::wire::HandleQuery;
use crate::domain::command::Refusal;
use crate::domain::details::{DetailEdit, Details, email, phone};
use crate::domain::id::AgentId;
use crate::project::{Handle, HandleKind};

/// What is shown of a customer and came from Instagram, or follows from it.
const READ_ONLY: [&str; 13] = [
    "id",
    "customer_id",
    "person_id",
    "account_id",
    "instagram_id",
    "instagram_username",
    "name",
    "display_name",
    "name_source",
    "verified",
    "follower_count",
    "follows_accounts",
    "followed_by_accounts",
];
/// Characters of a detail.
const CHARS_MAX: usize = 200;
const PHONE: &str = "a number with country code, such as +49 30 123456, or null";
const EMAIL: &str = "an e-mail address, or null";

/// The edits of a body, and for whom an administrator acts.
pub(super) fn edits(
    fields: Map<String, Value>,
) -> Result<(Option<AgentId>, Vec<DetailEdit>), Error> {
    let (mut agent_id, mut edits) = (None, Vec::new());
    for (name, value) in fields {
        match name.as_str() {
            "agent_id" => {
                let named = serde_json::from_value(value);
                agent_id = named.map_err(|_odd| Error::WrongKind(name))?;
            }
            "phone" => edits.push(DetailEdit::Phone { to: comparable(value, "phone", PHONE)? }),
            "email" => edits.push(DetailEdit::Email { to: comparable(value, "email", EMAIL)? }),
            "phone_verified" => {
                edits.push(DetailEdit::PhoneVerified { verified: flag(&name, &value)? });
            }
            "email_verified" => {
                edits.push(DetailEdit::EmailVerified { verified: flag(&name, &value)? });
            }
            "username" => edits.push(DetailEdit::Username { to: words("username", value)? }),
            "external_id" => {
                edits.push(DetailEdit::ExternalId { to: words("external_id", value)? });
            }
            "named" => edits.extend(free(value)?),
            read_only if READ_ONLY.contains(&read_only) => {
                return Err(Error::Refused(Refusal::FieldReadOnly));
            }
            unknown => return Err(Error::UnknownField(name_of(unknown))),
        }
    }
    // A number and that it is verified may come in one body: the number first.
    edits.sort_by_key(|edit| {
        matches!(edit, DetailEdit::PhoneVerified { .. } | DetailEdit::EmailVerified { .. })
    });
    Ok((agent_id, edits))
}

/// By what a customer is asked for; exactly one thing.
pub(super) fn handle(query: HandleQuery) -> Option<Handle> {
    let HandleQuery { phone: number, email: address, external_id } = query;
    match (number, address, external_id) {
        (Some(number), None, None) => {
            // In a query a plus may have become a space.
            let number = phone(&number).or_else(|| phone(&["+", number.trim()].concat()))?;
            Some(Handle { kind: HandleKind::Phone, value: number })
        }
        (None, Some(address), None) => {
            Some(Handle { kind: HandleKind::Email, value: email(&address)? })
        }
        (None, None, Some(value)) => {
            Some(Handle { kind: HandleKind::ExternalId, value: value.trim().to_owned() })
        }
        _ => None,
    }
}

fn comparable(
    value: Value,
    field: &'static str,
    takes: &'static str,
) -> Result<Option<String>, Error> {
    let Some(text) = words(field, value)? else { return Ok(None) };
    let written = if field == "phone" { phone(&text) } else { email(&text) };
    written.map(Some).ok_or(Error::OutOfRange { field, takes })
}

fn flag(name: &str, value: &Value) -> Result<bool, Error> {
    value.as_bool().ok_or_else(|| Error::WrongKind(name.to_owned()))
}

/// A text within the bound; `null` for none.
fn words(field: &'static str, value: Value) -> Result<Option<String>, Error> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            return Err(Error::WrongKind(field.to_owned()));
        }
    };
    let is_bounded = (1..=CHARS_MAX).contains(&text.chars().count());
    let bounds = Error::TextBounds { field, chars_min: 1, chars_max: CHARS_MAX };
    if is_bounded { Ok(Some(text)) } else { Err(bounds) }
}

fn free(value: Value) -> Result<Vec<DetailEdit>, Error> {
    let Value::Object(named) = value else { return Err(Error::WrongKind("named".to_owned())) };
    if named.len() > Details::NAMED_MAX {
        return Err(Error::OutOfRange { field: "named", takes: "at most 32 details" });
    }
    let edit = |(name, value): (String, Value)| {
        let name = words("named", Value::String(name))?.unwrap_or_default();
        Ok(DetailEdit::Named { name, to: words("named", value)? })
    };
    named.into_iter().map(edit).collect()
}
