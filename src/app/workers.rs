//! Stage threads: which stage reads what, where its state is written, and how its actions reach the world.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use tokio::runtime::Handle;

use crate::broker::SessionSpec;
use crate::config::{Config, Role};
use crate::conversation::ConversationStage;
use crate::engine::stage::Stage;
use crate::engine::worker::{Act, Pulse, Surroundings, Worker, WorkerSpec};
use crate::metrics::StageName;
use crate::normalize::NormalizeStage;
use crate::route::RouteStage;
use crate::send::{Caller, SendStage};
use crate::topics::Topic;

use super::{Error, own_accounts};

/// A stage thread.
#[derive(Debug)]
pub(super) struct Running {
    name: String,
    pub(super) pulse: Arc<Pulse>,
    thread: JoinHandle<Result<(), crate::engine::Error>>,
}

impl Running {
    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Starts the stages that the configured roles name.
pub(super) fn start(config: &Config, around: &Surroundings) -> Result<Vec<Running>, Error> {
    let mut running = Vec::new();
    for role in config.roles() {
        for slot in 0..config.workers.max(1) {
            match role {
                Role::Ingress | Role::Desk => (),
                Role::Normalize => {
                    let accounts = own_accounts(config);
                    let stage = NormalizeStage::new(accounts.into());
                    let inputs = vec![Topic::WebhooksRaw];
                    let spec = spec(config, (StageName::Normalize, slot), inputs, None);
                    running.push(spawn(spec, around, stage, nothing_to_do())?);
                }
                Role::Conversation => {
                    let inputs = vec![
                        Topic::EventsNormalized,
                        Topic::DeskCommands,
                        Topic::RoutingDecisions,
                        Topic::OutboundResults,
                    ];
                    let changelog = Some(Topic::ConversationChangelog);
                    let spec = spec(config, (StageName::Conversation, slot), inputs, changelog);
                    running.push(spawn(spec, around, ConversationStage::new(), nothing_to_do())?);
                }
                Role::Route => {
                    let inputs = vec![Topic::RoutingRequests, Topic::AgentsCommands];
                    let changelog = Some(Topic::RouteChangelog);
                    let spec = spec(config, (StageName::Route, slot), inputs, changelog);
                    running.push(spawn(spec, around, RouteStage::new(), nothing_to_do())?);
                }
                Role::Send => {
                    let inputs = vec![Topic::OutboundSends];
                    let changelog = Some(Topic::SendChangelog);
                    let spec = spec(config, (StageName::Send, slot), inputs, changelog);
                    let act = calls(config)?;
                    running.push(spawn(spec, around, SendStage::new(), act)?);
                }
            }
        }
    }
    Ok(running)
}

/// Tells all to stop, then joins them.
pub(super) fn stop(running: Vec<Running>) -> Result<(), Error> {
    for worker in &running {
        worker.pulse.stop.store(true, Ordering::Relaxed);
    }
    let mut first = Ok(());
    for worker in running {
        let ended = match worker.thread.join() {
            Ok(ended) => ended.map_err(Error::from),
            Err(_) => Err(Error::Failed(format!("worker {} panicked", worker.name))),
        };
        if let Err(error) = &ended {
            tracing::error!(worker = worker.name, %error, "worker ended badly");
        }
        first = first.and(ended);
    }
    first
}

fn spec(
    config: &Config,
    (stage, slot): (StageName, u32),
    inputs: Vec<Topic>,
    changelog: Option<Topic>,
) -> WorkerSpec {
    let member = format!("{}-{}-{slot}", config.instance, stage.name());
    WorkerSpec {
        stage,
        session: SessionSpec { group: stage.name().to_owned(), member, inputs },
        changelog,
        // Two workers of one process never own one lane, but while lanes move both may have it open.
        data_dir: config.data_dir.join("state").join(slot.to_string()),
    }
}

fn spawn<S: Stage>(
    spec: WorkerSpec,
    around: &Surroundings,
    stage: S,
    act: Act<S>,
) -> Result<Running, Error> {
    let name = spec.session.member.clone();
    let pulse = Arc::new(Pulse::default());
    let worker = Worker::new(spec, around.clone(), stage, act, pulse.clone());
    let thread = std::thread::Builder::new().name(name.clone()).spawn(move || {
        let ended = worker.run();
        if let Err(error) = &ended {
            tracing::error!(%error, "stage stopped; a person must look at it");
        }
        ended
    })?;
    Ok(Running { name, pulse, thread })
}

fn nothing_to_do<S: Stage<Action = (), Completion = ()>>() -> Act<S> {
    Box::new(|_, (), _| ())
}

/// Calls leave from the runtime's threads; what came of them returns to the worker.
fn calls(config: &Config) -> Result<Act<SendStage>, Error> {
    let tokens = config.accounts.iter().map(|(id, account)| (id.clone(), account.token.clone()));
    let caller = Caller::new(&config.graph_url, tokens.collect())
        .map_err(|error| Error::Failed(error.to_string()))?;
    let (caller, runtime) = (Arc::new(caller), Handle::current());
    Ok(Box::new(move |lane, call, completions| {
        let caller = Arc::clone(&caller);
        runtime.spawn(async move {
            let completion = caller.call(call).await;
            if completions.send((lane, completion)).is_err() {
                tracing::debug!("a call ended after its worker; its timer sees to it");
            }
        });
    }))
}
