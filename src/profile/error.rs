//! Why a profile was not given, and what that means. Pure.

/// Why a profile was not given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Instagram does not give it: the person has not agreed, is gone, or blocked us.
    #[error("the profile is not given (code {code:?})")]
    Refused {
        /// The platform's code, where it gave one.
        code: Option<u32>,
    },
    /// The account's token is dead, or lacks a permission.
    #[error("the account may not ask (code {code:?}); mend its connection")]
    AccountDown {
        /// The platform's code.
        code: Option<u32>,
    },
    /// The account has no token.
    #[error("the account has no token; set one")]
    NoToken,
    /// Too many questions, or a fault that passes.
    #[error("not now (code {code:?})")]
    Temporary {
        /// The platform's code, where it gave one.
        code: Option<u32>,
    },
    /// No answer, or one that cannot be read.
    #[error("no answer")]
    NoAnswer,
    /// It was too late to begin.
    #[error("not asked in time")]
    NotAsked,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Ask again by ourselves.
    AskAgain,
    /// Rest; the person's next item after that asks again.
    Rest,
}

impl Error {
    /// The one place that turns an error into a decision.
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::Refused { .. } | Self::AccountDown { .. } | Self::NoToken => Remedy::Rest,
            Self::Temporary { .. } | Self::NoAnswer | Self::NotAsked => Remedy::AskAgain,
        }
    }
}
