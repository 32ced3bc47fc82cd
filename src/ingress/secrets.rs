//! What only Meta and we know. Pure. The types do not print, and cannot be empty: an open door is a mistake, not a mode.

use std::fmt;

/// Why ingress cannot be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing to check signatures with.
    #[error(
        "no app secret: set DMSTREAM_APP_SECRETS to the Meta app's secret (several: comma-separated)"
    )]
    NoSecret,
    /// Nothing to check the handshake with.
    #[error(
        "no verify token: set DMSTREAM_VERIFY_TOKEN to the word typed into the Meta app's webhook page"
    )]
    NoVerifyToken,
}

/// The app secrets webhooks may be signed with: more than one while one is being replaced. Never empty.
#[derive(Clone)]
pub struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// Takes the secrets as they stand in a setting; blanks around them and empty ones fall away.
    ///
    /// # Errors
    ///
    /// [`Error::NoSecret`] when none is left.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let trimmed = secrets.into_iter().map(str::trim).filter(|secret| !secret.is_empty());
        let secrets: Vec<Vec<u8>> = trimmed.map(|secret| secret.as_bytes().to_vec()).collect();
        if secrets.is_empty() { Err(Error::NoSecret) } else { Ok(Self(secrets)) }
    }

    /// Each of them, oldest setting first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} hidden)", self.0.len())
    }
}

/// The word typed into the Meta app's webhook page. Never empty. Source: Meta, Webhooks, "Verification Requests".
#[derive(Clone)]
pub struct VerifyToken(String);

impl VerifyToken {
    /// Takes the token as it stands in a setting, without blanks around it.
    ///
    /// # Errors
    ///
    /// [`Error::NoVerifyToken`] when nothing is left.
    pub fn new(token: &str) -> Result<Self, Error> {
        let token = token.trim();
        if token.is_empty() { Err(Error::NoVerifyToken) } else { Ok(Self(token.to_owned())) }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for VerifyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyToken(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_setting_is_refused_with_the_name_of_the_setting() {
        for empty in ["", " ", " , ,"] {
            let error = Secrets::new(empty.split(',')).unwrap_err();
            assert!(error.to_string().contains("DMSTREAM_APP_SECRETS"), "{error}");
        }
        let error = VerifyToken::new(" \n").unwrap_err();
        assert!(error.to_string().contains("DMSTREAM_VERIFY_TOKEN"), "{error}");
    }

    #[test]
    fn secrets_do_not_print() {
        let secrets = Secrets::new(["first-secret", " second-secret "]).unwrap();
        assert_eq!(format!("{secrets:?}"), "Secrets(2 hidden)");
        assert_eq!(secrets.iter().last(), Some(b"second-secret".as_slice()));
        assert_eq!(format!("{:?}", VerifyToken::new("word").unwrap()), "VerifyToken(hidden)");
    }
}
