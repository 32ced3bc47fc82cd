//! The words every room shares. Pure: std and serde, no I/O, no clock; nothing in it points outward.

pub mod id;
pub mod time;
pub mod thread;
pub mod derive;
pub mod event;
mod flat;
pub mod command;
pub mod thread_note;
pub mod routing;
pub mod outbound;
pub mod details;
pub mod hours;
pub mod customer;
pub mod fact;
pub mod settings;
