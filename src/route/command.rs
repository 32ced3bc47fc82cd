//! What agents wish about their own work. Pure. Source: desk rules.
//!
//! Next grants work from the queue. Going back to an own conversation with something unseen comes before it and is the
//! desk's to do, which knows the items; up to when an agent has seen them is kept here. Not here: Focus, inboxes and
//! what else keeps an agent from work (`standing`).

use xxhash_rust::xxh3::xxh3_64;

use crate::domain::command::{AgentCommand, AgentWish, CommandResult, Refusal};
use crate::domain::id::{AgentId, CommandId, ConversationId, OfferId};
use crate::domain::routing::RejectReason;
use crate::route::capacity::Capacity;
use crate::route::row::{AgentRow, Place, Presence};
use crate::route::turn::{Effect, Skip, Turn};

/// Most agents a company may have.
pub(super) const AGENTS_MAX: usize = 20_000;

impl Turn<'_> {
    /// Carries out a command, or refuses it; the same one twice acts and answers once.
    pub(super) fn command(&mut self, command: &AgentCommand) -> Option<Skip> {
        let digest = digest(&command.command_id);
        let known = self.pool.agents.get(&command.agent_id);
        if known.is_some_and(|agent| agent.row.recent_commands.contains(&digest)) {
            return Some(Skip::Duplicate);
        }
        let refusal = self.carry_out(&command.agent_id, &command.wish).err();
        if !command.wish.is_administrators() {
            self.was_active(&command.agent_id);
        }
        // Of an agent never seen nothing is remembered: being refused again is all a duplicate gets.
        if self.pool.agents.contains_key(&command.agent_id) && !command.wish.may_repeat() {
            self.pool.with_agent(&command.agent_id, self.now, |agent| {
                remember(&mut agent.row, digest);
            });
        }
        let (command_id, decided_at) = (command.command_id.clone(), self.now);
        self.effects.push(Effect::Result(CommandResult { command_id, refusal, decided_at }));
        None
    }

    fn carry_out(&mut self, id: &AgentId, wish: &AgentWish) -> Result<(), Refusal> {
        match wish {
            AgentWish::LogIn => return self.log_in(id),
            AgentWish::SetInboxes { inbox_ids } => {
                return self.set_inboxes(id, inbox_ids.as_deref());
            }
            AgentWish::Deactivate => {
                self.known_or_new(id)?;
                self.deactivate(id);
                return Ok(());
            }
            AgentWish::Reactivate => {
                self.reactivate(id);
                return Ok(());
            }
            AgentWish::Prioritize { conversation_id, priority_score } => {
                return self.prioritize(conversation_id, *priority_score);
            }
            AgentWish::LogOut
            | AgentWish::SetAvailability { .. }
            | AgentWish::SetAway { .. }
            | AgentWish::Accept { .. }
            | AgentWish::Decline { .. }
            | AgentWish::SetFocus { .. }
            | AgentWish::SetSettingsPage { .. }
            | AgentWish::StayActive
            | AgentWish::See { .. }
            | AgentWish::Next => (),
        }
        let presence = self.logged_in(id)?.presence;
        match wish {
            AgentWish::LogIn
            | AgentWish::SetInboxes { .. }
            | AgentWish::Deactivate
            | AgentWish::Reactivate
            | AgentWish::Prioritize { .. }
            | AgentWish::StayActive => (),
            AgentWish::LogOut => self.set_presence(id, Presence::Out { since: self.now }),
            AgentWish::SetAvailability { available } => self.set_availability(id, *available),
            AgentWish::SetAway { away } => match (presence, *away) {
                (Presence::Here, true) => self.set_presence(id, Presence::Away { since: self.now }),
                (Presence::Away { .. }, false) => self.set_presence(id, Presence::Here),
                (Presence::Here, false)
                | (Presence::Away { .. }, true)
                | (Presence::Out { .. }, _) => (),
            },
            AgentWish::Accept { offer_id } => {
                let (conversation, number) = self.own_offer(id, offer_id)?;
                self.accepted(&conversation, id, number);
            }
            AgentWish::Decline { offer_id } => {
                let (conversation, _) = self.own_offer(id, offer_id)?;
                self.rejected(&conversation, RejectReason::Declined);
            }
            AgentWish::Next => self.next(id)?,
            AgentWish::SetFocus { focus } => self.set_focus(id, *focus),
            AgentWish::SetSettingsPage { open } => self.set_settings_page(id, *open),
            AgentWish::See { conversation_id, seen_at } => {
                self.see(id, conversation_id, *seen_at)?;
            }
        }
        Ok(())
    }

    /// Begins work, not yet available; logging in twice changes nothing.
    fn log_in(&mut self, id: &AgentId) -> Result<(), Refusal> {
        let agent = self.known_or_new(id)?;
        if agent.is_some_and(|agent| agent.row.more.standing.deactivated) {
            return Err(Refusal::UserDeactivated);
        }
        if self.logged_in(id).is_err() {
            self.set_presence(id, Presence::Here);
        }
        Ok(())
    }

    /// Switching clears the pause; going off loses the extra slot. An offer stays on the banner.
    fn set_availability(&mut self, id: &AgentId, available: bool) {
        self.pool.with_agent(id, self.now, |agent| {
            if agent.row.available != available {
                agent.row.available = available;
                agent.row.paused_until_next = false;
                agent.row.extra_slot = false;
            }
        });
    }

    /// Ends the pause and the delay; at the standard capacity or above, grants one slot more.
    fn next(&mut self, id: &AgentId) -> Result<(), Refusal> {
        let Capacity { standard, maximum } = self.pool.capacity;
        let agent = self.pool.agents.get(id).ok_or(Refusal::NotLoggedIn)?;
        if !agent.is_available() {
            return Err(Refusal::NotAvailable);
        }
        if agent.used() >= maximum {
            return Err(Refusal::AtMaximum);
        }
        self.pool.with_agent(id, self.now, |agent| {
            agent.row.paused_until_next = false;
            agent.row.delay_until = None;
            agent.row.extra_slot |= agent.used() >= standard;
        });
        Ok(())
    }

    fn logged_in(&self, id: &AgentId) -> Result<&AgentRow, Refusal> {
        let row = self.pool.agents.get(id).map(|agent| &agent.row);
        row.filter(|row| !matches!(row.presence, Presence::Out { .. })).ok_or(Refusal::NotLoggedIn)
    }

    /// The offer on the agent's banner, if it is this one and still in time.
    fn own_offer(
        &self,
        id: &AgentId,
        offer_id: &OfferId,
    ) -> Result<(ConversationId, u64), Refusal> {
        let offer = self.pool.agents.get(id).and_then(|agent| agent.offer.as_ref());
        let conversation = offer.and_then(|id| Some((id, self.pool.conversations.get(id)?)));
        let (conversation_id, conversation) = conversation.ok_or(Refusal::OfferExpired)?;
        match conversation.place {
            Place::Outstanding { number, expires_at, .. }
                if self.now <= expires_at && self.pool.offer_id(number) == *offer_id =>
            {
                Ok((conversation_id.clone(), number))
            }
            Place::Outstanding { .. } | Place::Queued | Place::Held { .. } => {
                Err(Refusal::OfferExpired)
            }
        }
    }
}

fn digest(command: &CommandId) -> u64 {
    xxh3_64(command.as_str().as_bytes())
}

fn remember(row: &mut AgentRow, digest: u64) {
    if row.recent_commands.len() >= AgentRow::RECENT_COMMANDS_MAX {
        row.recent_commands.pop_front();
    }
    row.recent_commands.push_back(digest);
}
