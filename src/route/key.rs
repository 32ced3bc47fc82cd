//! Under which key a row of a company stands. Pure.

use crate::domain::id::{AgentId, CompanyId, ConversationId};
use crate::engine::stage::RowError;

/// Stands between the company's id, which has no control character, and the rest of a key.
const SEPARATOR: u8 = 0;

/// Written to disk: never renumber, never reuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Company = 1,
    Agent = 2,
    Conversation = 3,
}

/// Which row of a company.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowId {
    /// The company's own.
    Company,
    /// An agent's.
    Agent(AgentId),
    /// A conversation's.
    Conversation(ConversationId),
}

/// What all keys of a company start with, and no other's.
#[must_use]
pub fn prefix(company: &CompanyId) -> Vec<u8> {
    [company.as_str().as_bytes(), &[SEPARATOR]].concat()
}

/// The key of a row.
#[must_use]
pub fn key(company: &CompanyId, id: &RowId) -> Vec<u8> {
    let (kind, id) = match id {
        RowId::Company => (Kind::Company, ""),
        RowId::Agent(id) => (Kind::Agent, id.as_str()),
        RowId::Conversation(id) => (Kind::Conversation, id.as_str()),
    };
    [company.as_str().as_bytes(), &[SEPARATOR, kind as u8], id.as_bytes()].concat()
}

/// Reads a key written by [`key`].
///
/// # Errors
///
/// [`RowError::Malformed`] when the bytes are no such key.
pub fn read_key(key: &[u8]) -> Result<(CompanyId, RowId), RowError> {
    let malformed = || RowError::Malformed("a routing key".to_owned());
    let mut parts = key.splitn(2, |byte| *byte == SEPARATOR);
    let (company, rest) = parts.next().zip(parts.next()).ok_or_else(malformed)?;
    let (kind, id) = rest.split_first().ok_or_else(malformed)?;
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let company = text(company).and_then(|text| CompanyId::parse(text).ok());
    let id = match *kind {
        kind if kind == Kind::Company as u8 && id.is_empty() => Some(RowId::Company),
        kind if kind == Kind::Agent as u8 => {
            text(id).and_then(|text| AgentId::parse(text).ok()).map(RowId::Agent)
        }
        kind if kind == Kind::Conversation as u8 => {
            text(id).and_then(|text| ConversationId::parse(text).ok()).map(RowId::Conversation)
        }
        _ => None,
    };
    company.zip(id).ok_or_else(malformed)
}
