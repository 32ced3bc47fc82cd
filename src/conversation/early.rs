//! Changes that come before their message wait for it. Pure.
//!
//! Bounded: of too many, the oldest to come is forgotten; a delete is forgotten last.

use crate::conversation::ledger::Entry;
use crate::conversation::state::{Early, EarlyChange, bound};
use crate::conversation::turn::Turn;
use crate::domain::time::Timestamp;

/// What had waited for an item.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Waited {
    /// The newest edit.
    pub(super) edit: Option<(String, u32)>,
    /// The person's reaction stands.
    pub(super) reaction: Option<(Timestamp, Option<String>)>,
    /// The person has seen it.
    pub(super) read: bool,
}

impl Early {
    const fn is_edit_of(&self, key: u128) -> bool {
        self.key == key && matches!(self.change, EarlyChange::Edited { .. })
    }
}

impl Turn<'_> {
    /// Has a change wait for its message.
    pub(super) fn wait_for(&mut self, key: u128, occurred_at: Timestamp, change: EarlyChange) {
        let early = &mut self.state.early;
        let is_unsent = |early: &Early| early.key == key && early.change == EarlyChange::Deleted;
        match change {
            // Nothing that was said of it stays.
            EarlyChange::Deleted => early.retain(|early| !early.is_edit_of(key)),
            EarlyChange::Edited { .. } if early.iter().any(is_unsent) => return,
            EarlyChange::Edited { .. } | EarlyChange::Reacted { .. } | EarlyChange::Read => (),
        }
        if early.len() >= bound::EARLY {
            let spare = early.iter().position(|waiting| waiting.change != EarlyChange::Deleted);
            early.remove(spare.unwrap_or(0));
        }
        early.push(Early { key, occurred_at, change });
    }

    /// Applies to a new item what had waited for it.
    pub(super) fn apply_waiting(&mut self, entry: &mut Entry) -> Waited {
        let mut waited = Waited::default();
        let is_its = |early: &Early| early.key == entry.key;
        let (its, others): (Vec<_>, Vec<_>) = self.state.early.drain(..).partition(is_its);
        self.state.early = others;
        for early in its {
            match early.change {
                EarlyChange::Deleted => entry.deleted = true,
                EarlyChange::Edited { text, num_edit } => {
                    if num_edit > entry.num_edit {
                        entry.num_edit = num_edit;
                        waited.edit = Some((text, num_edit));
                    }
                }
                EarlyChange::Reacted { emoji, removed } => {
                    if entry.reaction < Some((early.occurred_at, removed)) {
                        entry.reaction = Some((early.occurred_at, removed));
                        waited.reaction = (!removed).then_some((early.occurred_at, emoji));
                    }
                }
                EarlyChange::Read => waited.read = true,
            }
        }
        if entry.deleted {
            // What was edited before it was unsent ends as unsent, whatever came first.
            (waited.edit, entry.num_edit) = (None, 0);
        }
        waited
    }
}
