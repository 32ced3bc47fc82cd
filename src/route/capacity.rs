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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extra_slot_reaches_beyond_standard_and_never_beyond_the_maximum() {
        // standard, maximum, used, extra slot, has room
        check((3, 5), 2, false, true);
        check((3, 5), 3, false, false);
        check((3, 5), 3, true, true);
        check((3, 5), 4, true, true);
        check((3, 5), 5, true, false);
        check((3, 5), 6, true, false);
        check((3, 3), 3, true, false);
        check((5, 3), 3, false, false);

        #[track_caller]
        fn check((standard, maximum): (usize, usize), used: usize, extra: bool, expected: bool) {
            assert_eq!(Capacity { standard, maximum }.has_room(used, extra), expected);
        }
    }
}
