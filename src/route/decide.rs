//! The one function through which a company changes. Pure and total.
//!
//! Timers due before the input come first; one due exactly at it comes after. Then the input; then the queue is
//! tried.

use crate::domain::command::AgentCommand;
use crate::domain::routing::{RejectReason, RoutingRequest};
use crate::domain::settings::CompanySettings;
use crate::domain::time::Timestamp;
use crate::route::capacity::Capacity;
use crate::route::invariant;
use crate::route::pool::Pool;
use crate::route::row::{Place, RowId};
use crate::route::turn::Turn;

pub use crate::route::turn::{Effect, Skip};

/// What a company is told.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// By a conversation.
    Request(&'a RoutingRequest),
    /// By an agent.
    Command(&'a AgentCommand),
    /// That time has passed.
    Timers,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What the world is to hear, in order: decisions and results, then agents.
    pub effects: Vec<Effect>,
    /// Why the input itself did nothing; due timers may have.
    pub skipped: Option<Skip>,
}

/// Beyond so many conversations, debug builds do not look over the whole company after each input.
const LOOKED_OVER_MAX: usize = 100;

/// Answers one input stamped `now`, under the settings in force then.
pub fn decide(
    pool: &mut Pool,
    input: Input<'_>,
    settings: &CompanySettings,
    now: Timestamp,
) -> Answer {
    pool.fit(Capacity::of(settings));
    let mut turn = Turn { pool, settings, now, effects: Vec::new() };
    turn.fire_due();
    let skipped = match input {
        Input::Request(request) => turn.request(request),
        Input::Command(command) => turn.command(command),
        Input::Timers => None,
    };
    turn.drain_queue();
    turn.show_agents();
    let effects = turn.effects;
    debug_assert!(
        pool.conversations.len() > LOOKED_OVER_MAX || invariant::broken(pool).is_none(),
        "broken: {:?}",
        invariant::broken(pool)
    );
    Answer { effects, skipped }
}

impl Turn<'_> {
    fn fire_due(&mut self) {
        while self.pool.next_due().is_some_and(|due| due < self.now) {
            let Some((_, row)) = self.pool.timers.pop_first() else { return };
            match row {
                // Over: the next automatic offer may come.
                RowId::Agent(id) => {
                    self.pool.with_agent(&id, self.now, |agent| agent.row.delay_until = None);
                }
                RowId::Conversation(id) => {
                    let place = self.pool.conversations.get(&id).map(|found| found.place.clone());
                    match place {
                        Some(Place::Outstanding { .. }) => self.rejected(&id, RejectReason::Missed),
                        Some(Place::Held { by, .. }) => self.requeue(&id, &by),
                        Some(Place::Queued) | None => (),
                    }
                }
                RowId::Company => (),
            }
            self.drain_queue();
        }
    }
}
