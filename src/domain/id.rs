//! Identifiers: one type each, parsed once at the door. Pure.
//!
//! Ids are strings, because Meta's exceed 2^53 and nobody may do arithmetic on them. Each has a bound, because
//! ids become keys. Not here: how our own ids are derived ([`super::derive`]).

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// No characters at all.
    #[error("id is empty")]
    Empty,
    /// Longer than the type's bound.
    #[error("id has {bytes} bytes, more than {max_bytes}")]
    TooLong {
        /// Length of the text.
        bytes: usize,
        /// The type's bound.
        max_bytes: usize,
    },
    /// A control character, which no id on the platform or in the desk has.
    #[error("id has a control character")]
    ControlCharacter,
}

/// Gives a string id its parser, its bound and its serde form; what it means stands at the type.
macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident, max_bytes = $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest such id taken from outside, in bytes.
            pub const MAX_BYTES: usize = $max;

            /// Parses an id from the wire, a record or the desk.
            ///
            /// # Errors
            ///
            /// [`IdError`] when the text is empty, too long or holds a control character.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                bounded(text, Self::MAX_BYTES).map(Self)
            }

            /// The id as it goes back on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(IdVisitor::<$name>::new(Self::parse))
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

/// Ids that print themselves: they name no person.
macro_rules! shown {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

/// Ids that show two characters at most: they name a person or a person's message.
macro_rules! personal {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let tail_start = self.0.len().saturating_sub(2);
                write!(f, "{}(..{})", stringify!($name), self.0.get(tail_start..).unwrap_or(""))
            }
        }
    )*};
}

impl AgentId {
    /// Who speaks where no agent does.
    #[must_use]
    pub fn nobody() -> Self {
        Self(Arc::from("system"))
    }
}

/// Ids of ours that are derived from what they name ([`super::derive`]).
macro_rules! derived {
    ($($name:ident),*) => {$(
        impl $name {
            /// An id whose text is one that would parse, by the way it is made.
            pub(super) fn derived(text: &str) -> Self {
                debug_assert_eq!(bounded(text, Self::MAX_BYTES).err(), None);
                Self(Arc::from(text))
            }
        }
    )*};
}

string_id!(
    /// The business account a person writes to.
    ///
    /// Source: Instagram webhook, `entry[].id`; `recipient.id` of an inbound item.
    AccountId, max_bytes = 64
);
string_id!(
    /// The person writing to the business, as Meta scopes them to one account.
    ///
    /// Unique only together with the account. Personal data: `Debug` shows two characters, never the id.
    ///
    /// Source: Instagram webhook, `entry[].messaging[].sender.id`.
    PersonId, max_bytes = 64
);
string_id!(
    /// One message on the platform, opaque, about 160 characters; never parsed.
    ///
    /// Source: Instagram webhook, `message.mid`; Send API, `message_id`.
    MessageId, max_bytes = 512
);
string_id!(
    /// The tenant: one or more accounts, one pool of agents. Source: configuration.
    CompanyId, max_bytes = 64
);
string_id!(
    /// An agent of the company, as the desk knows them. Source: desk API.
    AgentId, max_bytes = 64
);
string_id!(
    /// A queue of conversations and the agents who serve it. Source: configuration.
    InboxId, max_bytes = 64
);
string_id!(
    /// A customer profile, derived from the thread. Source: desk rule R-8.
    CustomerId, max_bytes = 64
);
string_id!(
    /// One conversation of a customer, derived from thread and number. Source: desk rule R-20.
    ConversationId, max_bytes = 64
);
string_id!(
    /// One contact (session) inside a conversation. Source: desk rule R-22.
    ContactId, max_bytes = 64
);
string_id!(
    /// One offer of a conversation to an agent. Source: desk rule R-112.
    OfferId, max_bytes = 96
);
string_id!(
    /// One item an agent wrote, the same in every view. Source: desk rule R-142.
    ItemId, max_bytes = 96
);
string_id!(
    /// One outbound part, the same on every attempt. Source: desk rule R-141.
    SendId, max_bytes = 96
);
string_id!(
    /// One command of an agent or administrator, chosen by the desk. Source: desk API.
    CommandId, max_bytes = 96
);
string_id!(
    /// What the agent's program calls a message; the same twice sends once. Source: desk rule R-145.
    ClientMessageId, max_bytes = 96
);
string_id!(
    /// One normalized event: its `ce_id`, the same whenever the same event is read again.
    EventId, max_bytes = 64
);

shown!(
    AccountId,
    CompanyId,
    AgentId,
    InboxId,
    CustomerId,
    ConversationId,
    ContactId,
    OfferId,
    ItemId,
    SendId,
    CommandId,
    ClientMessageId,
    EventId
);
personal!(PersonId, MessageId);
derived!(CustomerId, ConversationId, ContactId, ItemId, SendId, CommandId, EventId);

fn bounded(text: &str, max_bytes: usize) -> Result<Arc<str>, IdError> {
    match text.len() {
        0 => Err(IdError::Empty),
        bytes if bytes > max_bytes => Err(IdError::TooLong { bytes, max_bytes }),
        _ if text.bytes().any(|byte| byte.is_ascii_control()) => Err(IdError::ControlCharacter),
        _ => Ok(Arc::from(text)),
    }
}

/// Parses an id straight from the deserializer's text, without a `String` between.
struct IdVisitor<Id> {
    parse: fn(&str) -> Result<Id, IdError>,
}

impl<Id> IdVisitor<Id> {
    const fn new(parse: fn(&str) -> Result<Id, IdError>) -> Self {
        Self { parse }
    }
}

impl<Id> serde::de::Visitor<'_> for IdVisitor<Id> {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id: text, not empty, bounded")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Id, E> {
        (self.parse)(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_id_does_not_print_itself() {
        let person = PersonId::parse("6190000000000042").unwrap();
        assert_eq!(format!("{person:?}"), "PersonId(..42)");
        assert_eq!(format!("{:?}", AccountId::parse("1784").unwrap()), "AccountId(1784)");
    }

    #[test]
    fn ids_are_neither_empty_nor_unbounded_nor_odd() {
        check("", Err(IdError::Empty));
        check(&"9".repeat(65), Err(IdError::TooLong { bytes: 65, max_bytes: 64 }));
        check("9\n1", Err(IdError::ControlCharacter));
        check("9", Ok(()));

        #[track_caller]
        fn check(text: &str, expected: Result<(), IdError>) {
            assert_eq!(PersonId::parse(text).map(|_| ()), expected);
        }
    }

    #[test]
    fn an_id_reads_back_what_it_wrote_and_refuses_what_it_would_not_parse() {
        let id = MessageId::parse("m_1").unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, r#""m_1""#);
        assert_eq!(serde_json::from_str::<MessageId>(&json).unwrap(), id);
        assert!(serde_json::from_str::<MessageId>(r#""""#).is_err());
    }
}
