//! One company's agents, capacity, offers and queue.
//!
//! Promise: nobody who waits is forgotten, a conversation has one holder at a time, and offers made by themselves never
//! exceed an agent's capacity. The predicates that say so stand in [`invariant`].
//!
//! Everything here is pure but [`edge`], which reads records and writes rows. Not here: when a conversation needs an
//! agent, and what it does with a decision; Focus and idle times, for which there is no command yet.

pub mod row;
pub mod capacity;
mod queue;
pub mod pool;
mod changes;
mod choose;
mod turn;
mod offer;
mod leave;
mod request;
mod command;
pub mod decide;
pub mod invariant;
pub mod edge;

#[cfg(test)]
mod tests;
