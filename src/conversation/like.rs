//! Hearts of agents. Pure.
//!
//! A heart is no reply: it clears nothing, arms nothing, assigns nobody.

use crate::conversation::ledger::{Author, mid_key};
use crate::conversation::state::{Doubt, PendingSend, Sending};
use crate::conversation::turn::Turn;
use crate::domain::command::{DeskCommand, Refusal};
use crate::domain::derive;
use crate::domain::event::ContentKind;
use crate::domain::fact::{FactBody, Initiator};
use crate::domain::id::MessageId;
use crate::domain::outbound::{OutboundSend, SendPart};

impl Turn<'_> {
    /// An agent puts a heart on, or takes it off.
    pub(super) fn heart(
        &mut self,
        command: &DeskCommand,
        mid: &MessageId,
        on: bool,
    ) -> Option<Refusal> {
        match self.heartable(mid, on) {
            Ok(true) => (),
            Ok(false) => return None,
            Err(refusal) => return Some(refusal),
        }
        let (at, key) = (self.at, self.world.key);
        let item_id = derive::item_id(&[key, "heart", command.command_id.as_str()]);
        let send_id = derive::send_id(&item_id, 0);
        self.mark(mid, on);
        let body = if on {
            FactBody::MessageLiked { mid: mid.clone() }
        } else {
            FactBody::MessageUnliked { mid: mid.clone(), rejected: false }
        };
        self.tell(Initiator::Agent(command.agent_id.clone()), at, body);
        self.remember_send(PendingSend {
            send_id: send_id.clone(),
            item_id: item_id.clone(),
            contact: self.contact_number(),
            what: Sending::Heart { mid: mid.clone(), on },
            requested_at: at,
            agent_id: command.agent_id.clone(),
            doubt: Doubt::None,
        });
        let thread = self.thread_of(mid);
        let until = self.window_until(&thread);
        let mid = mid.clone();
        self.send(OutboundSend {
            part: if on { SendPart::React { mid } } else { SendPart::Unreact { mid } },
            send_id,
            item_id,
            thread,
            conversation_id: command.conversation_id.clone(),
            requested_at: at,
            expires_at: until.0,
            tag_from_at: until.1.plus_ms(1),
            automatic: false,
        });
        None
    }

    /// Whether there is anything to do; or why not.
    fn heartable(&self, mid: &MessageId, on: bool) -> Result<bool, Refusal> {
        let entry = self.state.ledger.get(mid_key(mid)).ok_or(Refusal::TargetUnavailable)?;
        if entry.author != Author::Customer {
            return Err(Refusal::NotLikeable);
        }
        // Of a story reply only the story goes; its own text stays.
        let shows_story = entry.kind == ContentKind::StoryMention;
        let gone = entry.story_expires_at.is_some_and(|until| shows_story && self.at >= until);
        if on && (entry.deleted || gone) {
            return Err(Refusal::TargetUnavailable);
        }
        if entry.liked != on {
            self.room_for_sends(1)?;
        }
        Ok(entry.liked != on)
    }

    fn mark(&mut self, mid: &MessageId, on: bool) {
        if let Some(entry) = self.state.ledger.get_mut(mid_key(mid)) {
            entry.liked = on;
        }
    }

    /// Instagram refused the last word on a heart: it is taken back.
    pub(super) fn heart_refused(&mut self, mid: &MessageId, on: bool) {
        let overtaken = self.state.sends.iter().any(|send| match &send.what {
            Sending::Heart { mid: other, on: _ } => other == mid,
            Sending::Words { .. } => false,
        });
        let stands = self.state.ledger.get(mid_key(mid)).is_some_and(|entry| entry.liked == on);
        if overtaken || !stands {
            return;
        }
        self.mark(mid, !on);
        let mid = mid.clone();
        let body = if on {
            FactBody::MessageUnliked { mid, rejected: true }
        } else {
            FactBody::MessageLiked { mid }
        };
        self.tell(Initiator::System, self.at, body);
    }
}
