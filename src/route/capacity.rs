//! How much an agent may have in hand. Pure. Source: desk rules.

use crate::domain::settings::CompanySettings;

/// How much one agent may have in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// Conversations routed by themselves.
    pub standard: usize,
    /// Conversations by Next; what is assigned directly may exceed it.
    pub maximum: usize,
}

impl Capacity {
    /// What the administrator chose.
    #[must_use]
    pub fn of(settings: &CompanySettings) -> Self {
        let wide = |slots: u32| usize::try_from(slots).unwrap_or(usize::MAX);
        Self {
            standard: wide(settings.standard_capacity),
            maximum: wide(settings.maximum_capacity),
        }
    }

    /// Whether one more fits beside `used`.
    #[must_use]
    pub const fn has_room(self, used: usize, extra_slot: bool) -> bool {
        used < self.maximum && (used < self.standard || extra_slot)
    }
}
