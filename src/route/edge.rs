//! The route stage: records in, pools of the companies at hand, rows and records out.
//!
//! Promise: a pool is a cache of rows; whatever an input changed is written before its effects are emitted, in one turn.
//! Not here: any rule of routing.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::broker::record::{CloudEvent, Output, Record, header};
use crate::domain::command::AgentCommand;
use crate::domain::event::DeadLetterReason;
use crate::domain::id::CompanyId;
use crate::domain::routing::RoutingRequest;
use crate::domain::time::Timestamp;
use crate::engine::context::{Context, StateError};
use crate::engine::stage::{Exit, Stage};
use crate::route::decide::{Answer, Effect, Input, decide};
use crate::route::pool::Pool;
use crate::route::row::{RouteRow, key, prefix, read_key};
use crate::topics::Topic;

const SOURCE: &str = "/dmstream/route";

/// The route stage.
#[derive(Debug, Default)]
pub struct RouteStage {
    /// Companies of this lane seen since the last [`Stage::forget`]; bounded by the lane's rows.
    pools: BTreeMap<CompanyId, Pool>,
}

impl RouteStage {
    /// A stage that holds nothing in memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { pools: BTreeMap::new() }
    }

    /// The company's pool, loaded at the first touch. All of it: a conversation left out would be forgotten.
    fn pool(
        &mut self,
        company: &CompanyId,
        context: &Context<'_, Self>,
    ) -> Result<&mut Pool, StateError> {
        if !self.pools.contains_key(company) {
            let mut rows = Vec::new();
            for (key, row) in context.scan_prefix(&prefix(company), usize::MAX)? {
                rows.push((read_key(&key)?.1, row));
            }
            self.pools.insert(company.clone(), Pool::from_rows(company.clone(), rows));
        }
        let empty = || Pool::empty(company.clone());
        Ok(self.pools.entry(company.clone()).or_insert_with(empty))
    }

    fn answer(
        &mut self,
        company: &CompanyId,
        (input, now): (Input<'_>, Timestamp),
        trace: Option<&str>,
        context: &mut Context<'_, Self>,
    ) -> Result<Exit, StateError> {
        let settings = context.settings().company_at(company, now);
        let pool = self.pool(company, context)?;
        let Answer { effects, skipped } = decide(pool, input, settings, now);
        for (id, row) in pool.take_changes() {
            let key = key(company, &id);
            match row {
                Some(row) => context.put(&key, row),
                None => context.delete(&key),
            }
        }
        let is_silent = effects.is_empty();
        for effect in effects {
            context.emit(output(company, &effect, trace)?);
        }
        Ok(match skipped {
            Some(skip) if is_silent => Exit::Skipped(skip.name()),
            Some(_) | None => Exit::Emitted,
        })
    }
}

impl Stage for RouteStage {
    type Row = RouteRow;
    type Action = ();
    type Completion = ();

    fn apply(
        &mut self,
        record: &Record,
        context: &mut Context<'_, Self>,
    ) -> Result<Exit, StateError> {
        let trace = record.headers.text(header::TRACE_PARENT);
        let refused = Ok(Exit::Rejected(DeadLetterReason::BadRecord));
        if record.topic == Topic::RoutingRequests {
            let Ok(request) = serde_json::from_slice::<RoutingRequest>(record.bytes()) else {
                return refused;
            };
            if !is_keyed_by(record, &request.company_id) {
                return refused;
            }
            let input = (Input::Request { request: &request, trace }, request.requested_at);
            return self.answer(&request.company_id, input, trace, context);
        }
        if record.topic == Topic::AgentsCommands {
            let Ok(command) = serde_json::from_slice::<AgentCommand>(record.bytes()) else {
                return refused;
            };
            if !is_keyed_by(record, &command.company_id) {
                return refused;
            }
            let input = (Input::Command(&command), command.issued_at);
            return self.answer(&command.company_id, input, trace, context);
        }
        refused
    }

    fn fire(&mut self, key: &[u8], context: &mut Context<'_, Self>) -> Result<(), StateError> {
        let (company, _) = read_key(key)?;
        let now = context.now();
        self.answer(&company, (Input::Timers, now), None, context).map(|_| ())
    }

    fn complete(&mut self, (): (), _context: &mut Context<'_, Self>) -> Result<(), StateError> {
        Ok(())
    }

    fn forget(&mut self) {
        self.pools.clear();
    }
}

/// A company under another's key would be served on two lanes.
fn is_keyed_by(record: &Record, company: &CompanyId) -> bool {
    record.key.as_deref().is_none_or(|key| key == company.as_str().as_bytes())
}

fn output(
    company: &CompanyId,
    effect: &Effect,
    traceparent: Option<&str>,
) -> Result<Output, StateError> {
    match effect {
        Effect::Decision { decision, trace } => {
            let traceparent = trace.as_deref();
            let id = format!("rd-{company}-{}", decision.number);
            let kind = format!("routing.{}", decision.verdict.name());
            let time = decision.decided_at;
            let event = CloudEvent { id: &id, kind: &kind, source: SOURCE, time, traceparent };
            event_to(Topic::RoutingDecisions, &decision.thread.key(), &event, decision)
        }
        Effect::Result(result) => {
            let id = format!("cr-{}", result.command_id);
            let time = result.decided_at;
            let event =
                CloudEvent { id: &id, kind: "command.result", source: SOURCE, time, traceparent };
            event_to(Topic::CommandResults, result.command_id.as_str(), &event, result)
        }
        Effect::Agent { snapshot, number } => {
            let id = format!("as-{company}-{number}");
            let key = format!("{company}/{}", snapshot.agent_id);
            let time = snapshot.as_of_at;
            let event =
                CloudEvent { id: &id, kind: "agent.snapshot", source: SOURCE, time, traceparent };
            event_to(Topic::Agents, &key, &event, snapshot)
        }
    }
}

fn event_to(
    topic: Topic,
    key: &str,
    event: &CloudEvent<'_>,
    value: &impl Serialize,
) -> Result<Output, StateError> {
    Ok(Output::event(topic, key, event, value)?)
}
