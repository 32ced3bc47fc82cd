//! What agents note of a customer. Pure.
//!
//! The fact names which details changed; what they say stands in the state and in `customers`, where an erasure reaches
//! it.

use crate::conversation::turn::Turn;
use crate::domain::command::{DeskCommand, Refusal};
use crate::domain::details::DetailEdit;
use crate::domain::fact::{FactBody, Initiator};

impl Turn<'_> {
    /// Applies edits; what changes nothing is told to nobody.
    pub(super) fn edit_details(
        &mut self,
        command: &DeskCommand,
        edits: &[DetailEdit],
    ) -> Result<(), Refusal> {
        if !self.state.customer_known {
            return Err(Refusal::ConversationNotFound);
        }
        let before = self.state.more.details.clone();
        for edit in edits {
            self.state.more.details.edit(edit);
        }
        let fields = self.state.more.details.differences(&before);
        if fields.is_empty() {
            return Ok(());
        }
        let by = Initiator::Agent(command.agent_id.clone());
        self.tell(by, self.at, FactBody::CustomerUpdated { fields });
        self.publish_details();
        Ok(())
    }
}
