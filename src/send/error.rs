//! Why a call did not end in an accepted message, and what to do about it. Pure. Called `send::Error` outside.

use crate::domain::outbound::FailureCode;

/// Why a call did not end in an accepted message. Holds codes only, never what was written or to whom.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a byte of the request left: no connection, or too late to begin.
    #[error("the request was not begun")]
    NotSent,
    /// The request may have arrived; nothing that came back says so or denies it.
    #[error("no usable answer: the message may have gone out")]
    NoAnswer,
    /// Nobody gave us a token for this account.
    #[error("no token for this account")]
    NoToken,
    /// The platform said why not.
    #[error("the platform answered with code {code:?}, subcode {subcode:?}")]
    Refused {
        /// What that means for us.
        class: Class,
        /// Its code, where it gave one.
        code: Option<u32>,
        /// Its subcode, where it gave one.
        subcode: Option<u32>,
        /// How long it asks us to wait, where it said so.
        wait_ms: Option<u64>,
    },
}

/// What an error answer means. Which code is which: `graph.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It may have gone out all the same.
    Ambiguous,
    /// Something on their side; soon over.
    Temporary,
    /// No reason given; perhaps a permission.
    Unexplained,
    /// The platform could not fetch the picture.
    MediaFetch,
    /// Too much of something, app or account.
    Limited,
    /// Too many tagged messages.
    TagLimited,
    /// Nothing goes out from this account until a person mends its connection.
    AccountDown,
    /// Outside the reply window.
    OutsideWindow,
    /// The person cannot be reached.
    PersonUnavailable,
    /// This message will never be taken.
    Permanent,
}

/// What to do after an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Never again by us: the echo settles it.
    AwaitEcho,
    /// Again, later and later, up to so many calls in all.
    Retry {
        /// Calls in all.
        attempts_max: u32,
    },
    /// The whole account waits, then again.
    PauseAccount {
        /// As long as the platform asked; else longer with each time in a row.
        wait_ms: Option<u64>,
    },
    /// Messages that need the tag wait, then again.
    PauseTagged,
    /// Again with the human-agent tag where it had none and may have one; else it came too late.
    AddTag,
    /// The whole account waits and tries one message now and then, until somebody mended it.
    Reconnect,
    /// Tell the conversation that it failed.
    GiveUp(FailureCode),
}

impl Error {
    /// The one place that turns an error into a decision.
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::NotSent => Remedy::Retry { attempts_max: 8 },
            Self::NoAnswer => Remedy::AwaitEcho,
            Self::NoToken => Remedy::Reconnect,
            Self::Refused { class, wait_ms, .. } => match class {
                Class::Ambiguous => Remedy::AwaitEcho,
                Class::Temporary => Remedy::Retry { attempts_max: 5 },
                Class::Unexplained => Remedy::Retry { attempts_max: 3 },
                Class::MediaFetch => Remedy::Retry { attempts_max: 2 },
                Class::Limited => Remedy::PauseAccount { wait_ms: *wait_ms },
                Class::TagLimited => Remedy::PauseTagged,
                Class::AccountDown => Remedy::Reconnect,
                Class::OutsideWindow => Remedy::AddTag,
                Class::PersonUnavailable => Remedy::GiveUp(FailureCode::PersonUnavailable),
                Class::Permanent => Remedy::GiveUp(FailureCode::Refused),
            },
        }
    }

    /// The platform's code and subcode, where it gave them.
    #[must_use]
    pub const fn platform_codes(&self) -> (Option<u32>, Option<u32>) {
        match self {
            Self::NotSent | Self::NoAnswer | Self::NoToken => (None, None),
            Self::Refused { code, subcode, .. } => (*code, *subcode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_gone_out_is_never_called_again() {
        let ambiguous =
            Error::Refused { class: Class::Ambiguous, code: Some(1), subcode: None, wait_ms: None };
        assert_eq!(Error::NoAnswer.remedy(), Remedy::AwaitEcho);
        assert_eq!(ambiguous.remedy(), Remedy::AwaitEcho);
        assert!(matches!(Error::NotSent.remedy(), Remedy::Retry { .. }), "nothing left, so again");
    }
}
