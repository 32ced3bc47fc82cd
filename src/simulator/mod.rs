//! An Instagram with rules of its own, and robot agents: for the demo, the tests and the benchmarks.
//!
//! Promise: it is no script of answers. People write, edit and unsend; the Graph API takes, refuses and loses answers;
//! webhooks come late, twice and out of order; and the books say at the end whether anything was lost or doubled.
//!
//! ```text
//!   people ─▶ World ─▶ webhook ─▶ deliver ══ HTTP ══▶ the product's webhook
//!               ▲ ▲                                        │
//!               │ └────────── graph ◀══════ HTTP ══════════┤
//!            robots ══════════════════════ HTTP ══════════▶ the product's desk
//! ```
//!
//! It meets the product over loopback HTTP only; nothing here knows how the product is built.

mod phrase;
mod occurrence;
mod people;
mod habits;
mod world;
mod take;
mod webhook;
mod happening;
mod account;
mod reconcile;
mod summary;
mod books;
mod deliver;
mod graph_wire;
mod graph;
mod desk_client;
mod robots;
mod settle;
mod run;

pub use account::{Answer, Counts, Ledger, reference_of};
pub use books::Books;
pub use deliver::{Courier, CourierSettings, courier};
pub use graph::{Graph, GraphFaults, GraphParts};
pub use habits::{Habits, WorldSettings};
pub use happening::{Happening, Narrator};
pub use occurrence::{Author, Body, Kind, Media, Occurrence, StoryRef, What};
pub use people::Profile;
pub use reconcile::{Difference, Reconciliation, Wrong};
pub use robots::Manners;
pub use run::{Error, SimulatorSettings, run};
pub use settle::Outcome;
pub use summary::Summary;
pub use take::{Action, RefusedBy, SendCall, TakeError, Taken};
pub use webhook::{body as webhook_body, signature};
pub use world::World;

#[cfg(test)]
mod graph_test;
#[cfg(test)]
mod reconcile_test;
#[cfg(test)]
mod run_test;
#[cfg(test)]
mod webhook_test;
#[cfg(test)]
mod world_test;
