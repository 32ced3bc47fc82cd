//! What an offer shows, cut to its bounds. Pure. Source: desk rule R-111.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an offer shows. Personal: `Debug` says nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Banner {
    /// The customer's name; at most [`Banner::NAME_MAX`] characters.
    pub customer_name: String,
    /// A short preview; at most [`Banner::PREVIEW_MAX`] characters.
    pub preview: String,
}

impl Banner {
    /// Longest preview, in code points.
    pub const PREVIEW_MAX: usize = 80;
    /// Longest name kept, in code points.
    pub const NAME_MAX: usize = 128;

    /// Both, cut to their bounds.
    #[must_use]
    pub fn new(customer_name: &str, preview: &str) -> Self {
        Self { customer_name: first(customer_name, Self::NAME_MAX), preview: Self::cut(preview) }
    }

    /// A preview, cut to its bound.
    #[must_use]
    pub fn cut(preview: &str) -> String {
        first(preview, Self::PREVIEW_MAX)
    }
}

fn first(text: &str, code_points: usize) -> String {
    text.chars().take(code_points).collect()
}

impl fmt::Debug for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Banner(..)")
    }
}
