//! The Instagram Direct channel of a customer-service desk, as an exactly-once stream-processing pipeline.
//!
//! Promise: no message lost or shown twice, whatever crashes; nothing sent twice even when the answer is lost.

pub mod domain;
pub mod topics;
pub mod clock;
pub mod secret;
pub mod config;
pub mod telemetry;
pub mod metrics;
pub mod schemas;
pub mod broker;
pub mod store;
pub mod engine;
pub mod ingress;
pub mod normalize;
pub mod conversation;
pub mod route;
pub mod send;
pub mod profile;
pub mod project;
pub mod desk;
pub mod simulator;
pub mod simulation;
pub mod cli;
pub mod app;
