//! What an agent's own timer does: the routing delay ends, or nothing was heard for too long. Pure.
//! Source: desk rules.
//!
//! Both deadlines run from the newest activity, by the settings in force then.

use crate::domain::id::AgentId;
use crate::domain::time::Timestamp;
use crate::route::row::{AgentRow, Presence};
use crate::route::turn::Turn;

impl Turn<'_> {
    /// The agent did something: idle times begin anew.
    pub(super) fn was_active(&mut self, id: &AgentId) {
        let Some(agent) = self.pool.agents.get(id) else { return };
        let deadline = |ms: Option<u64>| ms.map(|ms| self.now.plus_ms(ms));
        let (away_at, logout_at) = match agent.row.presence {
            Presence::Here => {
                (deadline(self.settings.idle_away_ms), deadline(self.settings.idle_logout_ms))
            }
            Presence::Away { .. } => (None, deadline(self.settings.idle_logout_ms)),
            Presence::Out { .. } => (None, None),
        };
        let before = (agent.row.more.idle_away_at, agent.row.more.idle_logout_at);
        if before != (away_at, logout_at) {
            self.pool.with_agent(id, self.now, |agent| {
                agent.row.more.idle_away_at = away_at;
                agent.row.more.idle_logout_at = logout_at;
            });
        }
    }

    /// Something of an agent is due: whatever has passed is done, the later deadline first, for it includes the other.
    pub(super) fn agent_due(&mut self, id: &AgentId) {
        let Some(agent) = self.pool.agents.get(id) else { return };
        let now = self.now;
        let has_passed = |at: Option<Timestamp>| at.is_some_and(|at| at < now);
        let (away_at, logout_at) = (agent.row.more.idle_away_at, agent.row.more.idle_logout_at);
        self.pool.with_agent(id, now, |agent| {
            agent.row.delay_until = agent.row.delay_until.filter(|until| *until >= now);
        });
        if has_passed(logout_at) {
            self.set_presence(id, Presence::Out { since: now });
        } else if has_passed(away_at) {
            self.set_presence(id, Presence::Away { since: now });
        }
    }
}

impl AgentRow {
    /// Takes away the deadlines that make no sense any more: of going Away once absent, of both once logged out.
    pub(super) const fn stop_idling(&mut self) {
        match self.presence {
            Presence::Here => (),
            Presence::Away { .. } => self.more.idle_away_at = None,
            Presence::Out { .. } => {
                self.more.idle_away_at = None;
                self.more.idle_logout_at = None;
            }
        }
    }
}
