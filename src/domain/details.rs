//! What agents note of a customer, and how numbers and addresses are made comparable. Pure.
//!
//! Instagram's own word (id, name, badge) is not among it and cannot be edited. The username is one the customer gave:
//! it names nobody.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What agents noted of a customer. Personal data: `Debug` shows none of it. Source: desk rules.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Details {
    /// With country code: `+4930123456`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Somebody made sure that the number is theirs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub phone_verified: bool,
    /// In small letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Somebody made sure that the address is theirs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub email_verified: bool,
    /// As the customer gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The customer's id in the shop's own books.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Whatever else, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named: BTreeMap<String, String>,
}

/// One change of what is noted; `to` absent takes it away.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "detail", rename_all = "snake_case")]
pub enum DetailEdit {
    /// The number; another one is not verified.
    Phone {
        /// As [`phone`] writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// Whether the number is verified.
    PhoneVerified {
        /// It is.
        verified: bool,
    },
    /// The address; another one is not verified.
    Email {
        /// As [`email`] writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// Whether the address is verified.
    EmailVerified {
        /// It is.
        verified: bool,
    },
    /// The username the customer gave.
    Username {
        /// As given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// The customer's id elsewhere.
    ExternalId {
        /// As it is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// A free detail.
    Named {
        /// Its name.
        name: String,
        /// What it says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
}

impl Details {
    /// Free details of one customer.
    pub const NAMED_MAX: usize = 32;

    /// Nothing is noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Applies a change; one free detail too many is left out.
    pub fn edit(&mut self, edit: &DetailEdit) {
        match edit {
            DetailEdit::Phone { to } => {
                self.phone_verified &= self.phone == *to;
                self.phone.clone_from(to);
            }
            DetailEdit::PhoneVerified { verified } => {
                self.phone_verified = *verified && self.phone.is_some();
            }
            DetailEdit::Email { to } => {
                self.email_verified &= self.email == *to;
                self.email.clone_from(to);
            }
            DetailEdit::EmailVerified { verified } => {
                self.email_verified = *verified && self.email.is_some();
            }
            DetailEdit::Username { to } => self.username.clone_from(to),
            DetailEdit::ExternalId { to } => self.external_id.clone_from(to),
            DetailEdit::Named { name, to: None } => drop(self.named.remove(name)),
            DetailEdit::Named { name, to: Some(to) } => {
                if self.named.contains_key(name) || self.named.len() < Self::NAMED_MAX {
                    self.named.insert(name.clone(), to.clone());
                }
            }
        }
    }

    /// Which details differ from `other`, by name; free ones are `named`.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let fields = [
            ("phone", self.phone != other.phone),
            ("phone_verified", self.phone_verified != other.phone_verified),
            ("email", self.email != other.email),
            ("email_verified", self.email_verified != other.email_verified),
            ("username", self.username != other.username),
            ("external_id", self.external_id != other.external_id),
            ("named", self.named != other.named),
        ];
        let differing = fields.into_iter().filter(|(_, differs)| *differs);
        differing.map(|(name, _)| name.to_owned()).collect()
    }
}

impl std::fmt::Debug for Details {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Details").field("named", &self.named.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for DetailEdit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self {
            Self::Phone { .. } => "Phone",
            Self::PhoneVerified { .. } => "PhoneVerified",
            Self::Email { .. } => "Email",
            Self::EmailVerified { .. } => "EmailVerified",
            Self::Username { .. } => "Username",
            Self::ExternalId { .. } => "ExternalId",
            Self::Named { .. } => "Named",
        };
        f.debug_struct(what).finish_non_exhaustive()
    }
}

/// A phone number as all of them are written here: `+` and 7 to 15 digits; `None` where it is none with a country code.
#[must_use]
pub fn phone(text: &str) -> Option<String> {
    let plain: String =
        text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '/' | '(' | ')')).collect();
    let digits = plain.strip_prefix('+').or_else(|| plain.strip_prefix("00"))?;
    let is_number = (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    is_number.then(|| ["+", digits].concat())
}

/// An e-mail address as all of them are written here: trimmed, in small letters; `None` where it is none.
#[must_use]
pub fn email(text: &str) -> Option<String> {
    let small = text.trim().to_lowercase();
    let (name, host) = small.split_once('@')?;
    let is_address = !name.is_empty()
        && host.contains('.')
        && !host.starts_with('.')
        && !host.ends_with('.')
        && !host.contains('@')
        && small.len() <= 254
        && !small.contains(|c: char| c.is_whitespace() || c.is_control());
    is_address.then_some(small)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Holds: R-14
    #[test]
    fn numbers_and_addresses_are_equal_however_they_are_written() {
        for written in ["+49 30 123-456", "0049 (30) 123456", "+49.30/123456"] {
            assert_eq!(phone(written).as_deref(), Some("+4930123456"), "{written}");
        }
        for none in ["030 123456", "+49", "", "+49 30 12345678901234", "+0123456789", "+49 30 x"] {
            assert_eq!(phone(none), None, "{none}");
        }
        assert_eq!(email(" Ana@Example.COM ").as_deref(), Some("ana@example.com"));
        for none in ["ana", "ana@", "@example.com", "a@b", "a@b.c@d.e", "a b@c.de", "a@.de"] {
            assert_eq!(email(none), None, "{none}");
        }
    }

    // Holds
    #[test]
    fn another_number_is_not_verified_and_free_details_are_bounded() {
        let mut details = Details::default();
        let number = |to: &str| DetailEdit::Phone { to: Some(to.to_owned()) };
        details.edit(&DetailEdit::PhoneVerified { verified: true });
        assert!(!details.phone_verified, "there is no number yet");
        details.edit(&number("+4930123456"));
        details.edit(&DetailEdit::PhoneVerified { verified: true });
        details.edit(&number("+4930123456"));
        assert!(details.phone_verified, "the same number");
        let before = details.clone();
        details.edit(&number("+4930999999"));
        assert!(!details.phone_verified);
        assert_eq!(details.differences(&before), ["phone", "phone_verified"]);
        for n in 0..40 {
            let (name, to) = (format!("n{n}"), Some("x".to_owned()));
            details.edit(&DetailEdit::Named { name, to });
        }
        assert_eq!(details.named.len(), Details::NAMED_MAX);
        details.edit(&DetailEdit::Named { name: "n0".to_owned(), to: None });
        assert_eq!(details.named.len(), Details::NAMED_MAX - 1);
        assert!(!format!("{details:?} {:?}", number("+4930123456")).contains("4930"));
    }
}
