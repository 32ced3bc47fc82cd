//! Commands of agents: each once, carried out or refused with its rule's code. Pure.

use crate::conversation::ledger::mid_key;
use crate::conversation::reply::Draft;
use crate::conversation::seen::Memory;
use crate::conversation::state::{Phase, bound};
use crate::conversation::turn::Turn;
use crate::domain::command::{DeskCommand, DeskWish, Refusal};
use crate::domain::derive;
use crate::domain::event::Direction;
use crate::domain::fact::{EndReason, FactBody, Initiator};
use crate::domain::id::MessageId;
use crate::domain::routing::AssignReason;
use crate::engine::stage::Exit;

/// What a thread whose items go on elsewhere no longer does.
const fn elsewhere(wish: &DeskWish) -> Option<Refusal> {
    match wish {
        DeskWish::Reply { .. }
        | DeskWish::NoReplyNeeded { .. }
        | DeskWish::Close { .. }
        | DeskWish::Reopen
        | DeskWish::AddTopic { .. }
        | DeskWish::RemoveTopic { .. }
        | DeskWish::AddNote { .. }
        | DeskWish::Transfer { .. }
        | DeskWish::EditDetails { .. }
        | DeskWish::Merge { .. } => Some(Refusal::CustomerMerged),
        DeskWish::Like { .. }
        | DeskWish::Unlike { .. }
        | DeskWish::StoryGone { .. }
        | DeskWish::Unmerge
        | DeskWish::Erase
        | DeskWish::Note(_) => None,
    }
}

impl Turn<'_> {
    /// Carries a command out, or refuses it.
    pub(super) fn command(&mut self, command: &DeskCommand) -> Exit {
        let digest = derive::digest(&["command", command.command_id.as_str()]);
        match self.state.seen_commands.recall(digest, command.issued_at) {
            Memory::Repeated | Memory::Forgotten => return Exit::Skipped("duplicate"),
            Memory::New => self.state.seen_commands.remember(digest, command.issued_at),
        }
        if self.state.ties.home.is_some()
            && let Some(refusal) = elsewhere(&command.wish)
        {
            self.answer(&command.command_id, Some(refusal));
            return Exit::Emitted;
        }
        let refusal = match &command.wish {
            DeskWish::Reply { client_message_id, text, image_urls, automatic, declared_bytes } => {
                let (automatic, declared_bytes) = (*automatic, *declared_bytes);
                let draft =
                    Draft { client_message_id, text, image_urls, automatic, declared_bytes };
                self.reply(command, draft)
            }
            DeskWish::Like { mid } => self.heart(command, mid, true),
            DeskWish::Unlike { mid } => self.heart(command, mid, false),
            DeskWish::NoReplyNeeded { mid } => self.no_reply_needed(command, mid).err(),
            DeskWish::Close { force } => self.close(command, *force).err(),
            DeskWish::Reopen => self.reopen(command).err(),
            DeskWish::AddTopic { topic } => self.add_topic(command, topic).err(),
            DeskWish::RemoveTopic { topic } => self.remove_topic(command, topic).err(),
            DeskWish::AddNote { text } => self.add_note(command, text).err(),
            DeskWish::Transfer { inbox_id, to_agent_id } => {
                self.transfer(command, (inbox_id, to_agent_id.as_ref())).err()
            }
            DeskWish::EditDetails { edits } => self.edit_details(command, edits).err(),
            DeskWish::StoryGone { mid } => self.story_gone(mid).err(),
            DeskWish::Merge { into, confirmed } => self.merge(command, (into, *confirmed)),
            DeskWish::Unmerge => match self.unmerge(command) {
                // The home answers.
                None => return Exit::Emitted,
                refused => refused,
            },
            DeskWish::Erase => {
                self.erase(command);
                None
            }
            // Not the desk's: nobody waits for an answer.
            DeskWish::Note(note) => {
                self.heed(command, note);
                return Exit::Emitted;
            }
        };
        self.answer(&command.command_id, refusal);
        Exit::Emitted
    }

    /// The command must mean the current conversation.
    pub(super) fn current(&self, command: &DeskCommand) -> Result<(), Refusal> {
        let number = self.state.conversation.as_ref().map(|conversation| conversation.number);
        let id = number.map(|number| derive::conversation_id(self.world.thread, number));
        match id {
            Some(id) if id == command.conversation_id => Ok(()),
            Some(_) | None => Err(Refusal::ConversationNotFound),
        }
    }

    ///
    pub(super) fn not_closed(&self) -> Result<(), Refusal> {
        match self.state.conversation.as_ref().map(|conversation| &conversation.phase) {
            Some(Phase::Closed { .. }) => Err(Refusal::ConversationClosed),
            Some(Phase::Live(_) | Phase::Waiting) | None => Ok(()),
        }
    }

    ///
    fn no_reply_needed(&mut self, command: &DeskCommand, mid: &MessageId) -> Result<(), Refusal> {
        self.current(command)?;
        self.not_closed()?;
        let newest = self.state.ledger.newest_inbound().map(|entry| entry.key);
        if newest != Some(mid_key(mid)) {
            return Err(Refusal::NotLastMessage);
        }
        let initiator = Initiator::Agent(command.agent_id.clone());
        self.end_contact(EndReason::NoReplyNeeded, &initiator, self.at);
        Ok(())
    }

    ///
    fn close(&mut self, command: &DeskCommand, force: bool) -> Result<(), Refusal> {
        self.current(command)?;
        self.not_closed()?;
        let at = self.at;
        let topicless = self.state.conversation.as_ref().is_some_and(|c| c.topics.is_empty());
        if topicless && self.company(at).require_topic_to_close {
            return Err(Refusal::TopicRequired);
        }
        if !force && self.contact().is_some_and(|contact| contact.due.is_some()) {
            return Err(Refusal::CustomerWaiting);
        }
        let initiator = Initiator::Agent(command.agent_id.clone());
        self.end_contact(EndReason::ConversationClosed, &initiator, at);
        self.tell(initiator, at, FactBody::ConversationClosed);
        if let Some(conversation) = &mut self.state.conversation {
            conversation.last_agent = conversation.agent.take().or(conversation.last_agent.take());
            conversation.phase = Phase::Closed { at };
        }
        Ok(())
    }

    /// open again, in this agent's hands, not routed. Of an open one nothing is left to do.
    fn reopen(&mut self, command: &DeskCommand) -> Result<(), Refusal> {
        self.current(command)?;
        if self.not_closed().is_ok() {
            return Ok(());
        }
        let (at, agent_id) = (self.at, command.agent_id.clone());
        let initiator = Initiator::Agent(agent_id.clone());
        self.tell(initiator.clone(), at, FactBody::ConversationReopened);
        if let Some(conversation) = &mut self.state.conversation {
            conversation.phase = Phase::Waiting;
            conversation.agent = Some(agent_id.clone());
        }
        self.start_contact(Direction::Outbound, None, &initiator, at);
        self.assign(agent_id, AssignReason::Manual);
        Ok(())
    }

    ///
    fn add_topic(&mut self, command: &DeskCommand, topic: &str) -> Result<(), Refusal> {
        self.current(command)?;
        self.not_closed()?;
        let conversation = self.state.conversation.as_mut().ok_or(Refusal::ConversationNotFound)?;
        if conversation.topics.iter().any(|known| known == topic) {
            return Ok(());
        }
        if conversation.topics.len() >= bound::TOPICS {
            return Err(Refusal::Overloaded);
        }
        conversation.topics.push(topic.to_owned());
        let initiator = Initiator::Agent(command.agent_id.clone());
        self.tell(initiator, self.at, FactBody::TopicAdded { topic: topic.to_owned() });
        Ok(())
    }

    fn remove_topic(&mut self, command: &DeskCommand, topic: &str) -> Result<(), Refusal> {
        self.current(command)?;
        self.not_closed()?;
        let conversation = self.state.conversation.as_mut().ok_or(Refusal::ConversationNotFound)?;
        let before = conversation.topics.len();
        conversation.topics.retain(|known| known != topic);
        if conversation.topics.len() < before {
            let initiator = Initiator::Agent(command.agent_id.clone());
            self.tell(initiator, self.at, FactBody::TopicRemoved { topic: topic.to_owned() });
        }
        Ok(())
    }

    /// nothing but the note.
    fn add_note(&mut self, command: &DeskCommand, text: &str) -> Result<(), Refusal> {
        self.current(command)?;
        self.not_closed()?;
        let initiator = Initiator::Agent(command.agent_id.clone());
        self.tell(initiator, self.at, FactBody::NoteCreated { text: text.to_owned() });
        Ok(())
    }
}
