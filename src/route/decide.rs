//! The one function through which a company changes. Pure and total.
//!
//! Timers due before the input come first; one due exactly at it comes after. Then the input.
//!
//! Offers are made by timers alone: an input's time is when it was written, which after an outage is long ago, and an
//! offer made then would be missed before anybody saw it. Whenever somebody waits and somebody has room, the company's own
//! timer is due at once, in the same turn once the input is read.

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
    Request {
        /// What it asks.
        request: &'a RoutingRequest,
        /// Its trace, to go on with; one longer than [`TRACE_BYTES_MAX`] is dropped.
        trace: Option<&'a str>,
    },
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

/// Longest trace kept; a W3C `traceparent` has 55 bytes.
pub const TRACE_BYTES_MAX: usize = 64;

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
    let trace = match input {
        Input::Request { trace, .. } => trace.filter(|trace| trace.len() <= TRACE_BYTES_MAX),
        Input::Command(_) | Input::Timers => None,
    };
    let mut turn = Turn { pool, settings, now, trace, effects: Vec::new() };
    turn.fire_due();
    let skipped = match input {
        Input::Request { request, .. } => turn.request(request),
        Input::Command(command) => turn.command(command),
        Input::Timers => {
            turn.drain_queue();
            None
        }
    };
    turn.show_agents();
    let effects = turn.effects;
    pool.plan_retry(now);
    debug_assert!(
        pool.conversations.len() > LOOKED_OVER_MAX || invariant::broken(pool).is_none(),
        "broken: {:?}",
        invariant::broken(pool)
    );
    Answer { effects, skipped }
}

impl Turn<'_> {
    fn fire_due(&mut self) {
        while let Some(timer) = self.first_due() {
            self.pool.timers.remove(&timer);
            match timer.1 {
                RowId::Agent(id) => self.agent_due(&id),
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
        }
    }

    /// The earliest timer due, but for the company's own: that one is answered by trying the queue.
    fn first_due(&self) -> Option<(Timestamp, RowId)> {
        let mut due = self.pool.timers.iter().take_while(|(due, _)| *due < self.now);
        due.find(|(_, row)| *row != RowId::Company).cloned()
    }
}
