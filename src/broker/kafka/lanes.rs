//! Which lanes a member holds, has been offered, or has to give up. Pure.
//!
//! Promise: a revoke is answered once, when every lane of it was given up, and names every partition that was taken.

use std::collections::BTreeSet;

/// The lanes of one member.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// Their input is read.
    taken: BTreeSet<u32>,
    /// Asked back by the group, not yet given up.
    leaving: BTreeSet<u32>,
    /// Given up, but the answer waits for the rest of `leaving`.
    left: BTreeSet<u32>,
    lost: bool,
}

impl Lanes {
    /// Whether the input of `lane` is ours to read.
    pub(super) fn holds(&self, lane: u32) -> bool {
        self.taken.contains(&lane)
    }

    /// The lanes whose input is read.
    pub(super) fn taken(&self) -> impl Iterator<Item = u32> + '_ {
        self.taken.iter().copied()
    }

    /// Those of `lanes` that were not taken before, taken now.
    pub(super) fn take(&mut self, lanes: &[u32]) -> Vec<u32> {
        lanes.iter().copied().filter(|lane| self.taken.insert(*lane)).collect()
    }

    /// The group asks `lanes` back.
    pub(super) fn revoke(&mut self, lanes: &[u32], lost: bool) {
        self.leaving.extend(lanes);
        self.lost = lost;
    }

    /// What the group waits for, and whether it is lost already.
    pub(super) fn leaving(&self) -> Option<(Vec<u32>, bool)> {
        (!self.leaving.is_empty()).then(|| (self.leaving.iter().copied().collect(), self.lost))
    }

    /// Gives `lanes` up. When nothing is left to wait for: the lanes that were taken and are to be unassigned now.
    pub(super) fn give_up(&mut self, lanes: &[u32]) -> Option<Vec<u32>> {
        let mut concerned = false;
        for lane in lanes {
            concerned |= self.leaving.remove(lane);
            if self.taken.remove(lane) {
                self.left.insert(*lane);
                concerned = true;
            }
        }
        (concerned && self.leaving.is_empty())
            .then(|| std::mem::take(&mut self.left).into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revoke_is_answered_once_when_all_of_it_was_given_up() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.take(&[0, 1, 2]), [0, 1, 2]);
        lanes.revoke(&[0, 2, 5], false);
        assert_eq!(lanes.leaving(), Some((vec![0, 2, 5], false)));
        assert_eq!(lanes.give_up(&[0]), None);
        assert!(!lanes.holds(0), "nothing is read from a lane given up");
        // 5 was offered but never taken: nothing to unassign for it.
        assert_eq!(lanes.give_up(&[2, 5]), Some(vec![0, 2]));
        assert_eq!(lanes.leaving(), None);
        assert_eq!(lanes.give_up(&[2]), None, "answered already");
        assert_eq!(lanes.taken().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_revoke_of_lanes_never_taken_is_answered_with_nothing() {
        let mut lanes = Lanes::default();
        lanes.revoke(&[3], true);
        assert_eq!(lanes.leaving(), Some((vec![3], true)));
        assert_eq!(lanes.give_up(&[3]), Some(vec![]));
    }

    #[test]
    fn a_lane_is_taken_once() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.take(&[1]), [1]);
        assert_eq!(lanes.take(&[1, 2]), [2]);
    }
}
