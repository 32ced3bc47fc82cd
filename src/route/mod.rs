//! One company's agents, capacity, offers and queue.
//!
//! Promise: nobody who waits is forgotten, a conversation has one holder at a time, and offers made by themselves never
//! exceed an agent's capacity. The predicates that say so stand in [`invariant`].
//!
//! Everything here is pure but [`edge`], which reads records and writes rows. Not here: when a conversation needs an
//! agent, and what it does with a decision; what of a conversation an agent has not seen (the desk's, R-124).

mod banner;
mod key;
pub mod row;
pub mod capacity;
mod ready;
mod queue;
pub mod pool;
mod changes;
mod choose;
mod turn;
mod offer;
mod leave;
mod idle;
mod request;
mod command;
mod standing;
pub mod decide;
pub mod invariant;
pub mod edge;

#[cfg(test)]
mod tests;
