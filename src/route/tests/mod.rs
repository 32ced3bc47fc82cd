//! Stories, properties and the edge of routing. Expected values come from the desk rules.

mod world;
mod ledger;
mod offers;
mod agents;
mod requests;
mod inboxes;
mod standing;
mod idle;
mod order;
mod properties;
mod layout;
mod edge;
