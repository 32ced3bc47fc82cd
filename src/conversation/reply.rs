//! Send: a reply becomes parts on their way. Pure.

use crate::conversation::compose;
use crate::conversation::ledger::{Author, Entry};
use crate::conversation::outcome::send_key;
use crate::conversation::seen::Memory;
use crate::conversation::state::{Doubt, PendingSend, Phase, Sending, bound};
use crate::conversation::turn::Turn;
use crate::domain::command::{DeskCommand, Refusal};
use crate::domain::derive;
use crate::domain::event::{Attachment, ContentKind, Direction};
use crate::domain::fact::{FactBody, Initiator, Item};
use crate::domain::id::{ClientMessageId, ItemId};
use crate::domain::outbound::{OutboundSend, SendPart};
use crate::domain::routing::AssignReason;
use crate::domain::time::Timestamp;

/// A reply as the agent pressed Send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draft<'a> {
    pub(super) client_message_id: &'a ClientMessageId,
    pub(super) text: &'a str,
    pub(super) image_urls: &'a [String],
    pub(super) automatic: bool,
    pub(super) declared_bytes: u64,
}

impl Turn<'_> {
    /// An agent, or a rule, pressed Send.
    pub(super) fn reply(&mut self, command: &DeskCommand, draft: Draft<'_>) -> Option<Refusal> {
        let name = draft.client_message_id.as_str();
        let digest = derive::digest(&["client", name]);
        if self.state.seen_commands.recall(digest, self.at) == Memory::Repeated {
            return None;
        }
        let (parts, expires_at) = match self.sendable(command, draft) {
            Ok(sendable) => sendable,
            Err(refusal) => {
                self.tell_late(command, refusal);
                return Some(refusal);
            }
        };
        self.state.seen_commands.remember(digest, self.at);
        let item_id = derive::item_id(&[self.world.key, "client", name]);
        let human = !draft.automatic;
        if human {
            self.take_up(command);
        }
        for (place, part) in parts.into_iter().enumerate() {
            self.send_part(command, (&item_id, place), part, (human, expires_at));
        }
        if human {
            if let Some(contact) = self.contact_mut() {
                contact.agent_replied = true;
            }
            self.answer_for_now(Initiator::Agent(command.agent_id.clone()), self.at);
        }
        None
    }

    /// Reports count replies that came too late.
    fn tell_late(&mut self, command: &DeskCommand, code: Refusal) {
        if matches!(code, Refusal::ReplyWindowExpired | Refusal::AutomationWindowExpired) {
            let by = Initiator::Agent(command.agent_id.clone());
            self.tell(by, self.at, FactBody::MessageRefused { code });
        }
    }

    /// The parts to send and the last moment to try, or why not.
    fn sendable(
        &self,
        command: &DeskCommand,
        draft: Draft<'_>,
    ) -> Result<(Vec<SendPart>, Timestamp), Refusal> {
        let target = self.reply_target().ok_or_else(|| self.no_window())?;
        self.current(command)?;
        self.not_closed()?;
        let link_format = self.company(self.at).link_format;
        let parts = compose::parts(draft.text, draft.image_urls, link_format)?;
        compose::declared(draft.declared_bytes)?;
        let account = self.world.settings.account_at(&target.thread.account_id, self.at);
        let human_until = target.human_until(account);
        let expires_at =
            if draft.automatic { human_until.min(target.untagged_until()) } else { human_until };
        if self.at > expires_at {
            let automatic_late = draft.automatic && self.at <= human_until;
            return Err(if automatic_late {
                Refusal::AutomationWindowExpired
            } else {
                Refusal::ReplyWindowExpired
            });
        }
        self.room_for_sends(parts.len())?;
        Ok((parts, expires_at))
    }

    /// The person never wrote, or nothing that opens the window.
    const fn no_window(&self) -> Refusal {
        match self.state.last_inbound_at {
            Some(_) => Refusal::ReplyWindowExpired,
            None => Refusal::CannotInitiate,
        }
    }

    /// R-142 bounds what waits: beyond it, Send answers that it is too much.
    pub(super) fn room_for_sends(&self, more: usize) -> Result<(), Refusal> {
        let open = self.state.sends.iter().filter(|send| send.doubt != Doubt::Asked);
        if open.count() + more > bound::SENDS {
            return Err(Refusal::Overloaded);
        }
        Ok(())
    }

    /// Remembers a send; the oldest one the agent was asked about makes room.
    pub(super) fn remember_send(&mut self, send: PendingSend) {
        let sends = &mut self.state.sends;
        if sends.len() >= bound::SENDS
            && let Some(asked) = sends.iter().position(|send| send.doubt == Doubt::Asked)
        {
            sends.remove(asked);
        }
        sends.push(send);
    }

    /// A human reply takes up what nobody has.
    fn take_up(&mut self, command: &DeskCommand) {
        let (at, agent_id) = (self.at, command.agent_id.clone());
        let Some(conversation) = &self.state.conversation else { return };
        let unassigned = conversation.agent.is_none();
        match &conversation.phase {
            Phase::Waiting => {
                if conversation.agent.as_ref() != Some(&agent_id) {
                    self.unassign(at);
                }
                if let Some(conversation) = &mut self.state.conversation {
                    conversation.agent = Some(agent_id.clone());
                }
                let initiator = Initiator::Agent(agent_id.clone());
                self.start_contact(Direction::Outbound, None, &initiator, at);
                self.assign(agent_id, AssignReason::MessageOutbound);
            }
            Phase::Live(_) if unassigned => self.assign(agent_id, AssignReason::MessageOutbound),
            Phase::Live(_) | Phase::Closed { .. } => (),
        }
    }

    fn send_part(
        &mut self,
        command: &DeskCommand,
        (item_id, place): (&ItemId, usize),
        part: SendPart,
        (human, expires_at): (bool, Timestamp),
    ) {
        let send_id = derive::send_id(item_id, place);
        let at = self.at;
        let (kind, text, attachments) = shown(&part);
        let mut entry = Entry::new(send_key(&send_id), Author::Desk, kind, at);
        entry.contact = self.contact_number();
        self.remember_send(PendingSend {
            send_id: send_id.clone(),
            item_id: item_id.clone(),
            contact: entry.contact,
            what: Sending::Words {
                digest: compose::words_digest(&part).unwrap_or_default(),
                human,
            },
            requested_at: at,
            agent_id: command.agent_id.clone(),
            doubt: Doubt::None,
        });
        self.state.ledger.insert(entry);
        self.count_item(at, false);
        let (to, untagged_until) = match self.reply_target() {
            Some(target) => (target.thread.clone(), target.untagged_until()),
            None => (self.world.thread.clone(), at),
        };
        let initiator =
            if human { Initiator::Agent(command.agent_id.clone()) } else { Initiator::System };
        let item = Item {
            item_id: item_id.clone(),
            mid: None,
            send_id: Some(send_id.clone()),
            kind,
            text,
            attachments,
            reply_to_mid: None,
            story: None,
            story_expires_at: None,
            deleted: false,
            standby: false,
            request_folder: None,
            origin: Some(to.clone()).filter(|to| to != self.world.thread),
        };
        self.tell(initiator, at, FactBody::MessageQueued(item));
        self.send(OutboundSend {
            part,
            send_id,
            item_id: item_id.clone(),
            thread: to,
            conversation_id: command.conversation_id.clone(),
            requested_at: at,
            expires_at,
            tag_from_at: untagged_until.plus_ms(1),
            automatic: !human,
        });
    }
}

/// A part as the timeline shows it.
fn shown(part: &SendPart) -> (ContentKind, Option<String>, Vec<Attachment>) {
    match part {
        SendPart::Text { text } => (ContentKind::Text, Some(text.clone()), Vec::new()),
        SendPart::Images { urls } => {
            let image = |url: &String| Attachment {
                kind: "image".to_owned(),
                url: Some(url.clone()),
                ..Attachment::default()
            };
            (ContentKind::Media, None, urls.iter().map(image).collect())
        }
        SendPart::React { .. } | SendPart::Unreact { .. } => (ContentKind::Like, None, Vec::new()),
    }
}
