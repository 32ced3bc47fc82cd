//! Stage threads: which stage reads what, where its state is written, and how its actions reach the world.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use tokio::runtime::Handle;

use super::{Error, own_accounts};
use crate::broker::SessionSpec;
use crate::config::{Config, Role};
use crate::conversation::ConversationStage;
use crate::domain::id::AccountId;
use crate::engine;
use crate::engine::stage::Stage;
use crate::engine::worker::{Act, Pulse, Surroundings, Worker, WorkerSpec};
use crate::metrics::StageName;
use crate::normalize::edge::NormalizeStage;
use crate::profile::{self, ProfileStage};
use crate::route::edge::RouteStage;
use crate::send::{self, Caller, SendStage, Token};
use crate::store::Place;
use crate::topics::Topic;

/// A stage thread.
#[derive(Debug)]
pub(super) struct Running {
    name: String,
    pub(super) pulse: Arc<Pulse>,
    thread: JoinHandle<Result<(), engine::Error>>,
}

impl Running {
    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Bytes of state on its way back that may wait for the disk, in all workers of a stage: a million conversations of one message.
const UNWRITTEN_BYTES: u64 = 448 << 20;

/// Starts the stages that the configured roles name; when one cannot start, those that did are stopped again.
pub(super) fn start(
    config: &Config,
    around: &Surroundings,
    sends: &send::Metrics,
) -> Result<Vec<Running>, Error> {
    let mut running = Vec::new();
    for role in config.roles() {
        for slot in 0..workers_of(config, role) {
            match start_one(config, around, sends, (role, slot)) {
                Ok(started) => running.extend(started),
                Err(error) => {
                    // What failed first is what to say.
                    drop(stop(running));
                    return Err(error);
                }
            }
        }
    }
    Ok(running)
}

fn workers_of(config: &Config, role: Role) -> u32 {
    let own = match role {
        Role::Conversation => config.conversation_workers,
        Role::Ingress | Role::Desk | Role::Normalize | Role::Route | Role::Send | Role::Profile => {
            None
        }
    };
    own.unwrap_or(config.workers).max(1)
}

/// The workers of the stage that has most of them.
fn most_workers(config: &Config) -> u32 {
    config.roles().into_iter().map(|role| workers_of(config, role)).max().unwrap_or(1)
}

fn start_one(
    config: &Config,
    around: &Surroundings,
    sends: &send::Metrics,
    (role, slot): (Role, u32),
) -> Result<Option<Running>, Error> {
    let started = match role {
        Role::Ingress | Role::Desk => return Ok(None),
        Role::Normalize => {
            let spec = spec(config, (StageName::Normalize, slot), &[Topic::WebhooksRaw], None);
            let stage = NormalizeStage::new(own_accounts(config));
            spawn::<NormalizeStage>(spec, around, stage, nothing_to_do::<NormalizeStage>())
        }
        Role::Conversation => {
            let inputs = [
                Topic::EventsNormalized,
                Topic::DeskCommands,
                Topic::RoutingDecisions,
                Topic::OutboundResults,
            ];
            let changelog = Some(Topic::ConversationChangelog);
            let spec = spec(config, (StageName::Conversation, slot), &inputs, changelog);
            spawn(spec, around, ConversationStage, nothing_to_do::<ConversationStage>())
        }
        Role::Route => {
            let inputs = [Topic::RoutingRequests, Topic::AgentsCommands];
            let spec = spec(config, (StageName::Route, slot), &inputs, Some(Topic::RouteChangelog));
            spawn(spec, around, RouteStage::new(), nothing_to_do::<RouteStage>())
        }
        Role::Send => {
            let changelog = Some(Topic::SendChangelog);
            let spec = spec(config, (StageName::Send, slot), &[Topic::OutboundSends], changelog);
            let act = calls(config, around)?;
            spawn(spec, around, SendStage::new(sends.clone()), act)
        }
        Role::Profile => {
            let changelog = Some(Topic::ProfileChangelog);
            let spec = spec(config, (StageName::Profile, slot), &profile::INPUTS, changelog);
            spawn(spec, around, ProfileStage, questions(config, around)?)
        }
    };
    started.map(Some)
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
    inputs: &[Topic],
    changelog: Option<Topic>,
) -> WorkerSpec {
    let member = format!("{}-{}-{slot}", config.instance, stage.name());
    WorkerSpec {
        stage,
        session: SessionSpec { group: stage.name().to_owned(), member, inputs: inputs.to_vec() },
        changelog,
        // One folder a lane, whichever worker of the process has it: it moves between them without being replayed. Its
        // lock keeps them apart; whoever finds it held sets it aside and rebuilds.
        stores: Place::Directory(config.data_dir.join("state")),
        unwritten_bytes: UNWRITTEN_BYTES / u64::from(most_workers(config)),
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
    let worker = Worker::new(spec, around.clone(), stage, act, Arc::clone(&pulse));
    let ending = Ending(Arc::clone(&pulse));
    let thread = std::thread::Builder::new().name(name.clone()).spawn(move || {
        // Said even if it panics.
        let _ending = ending;
        let ended = worker.run();
        if let Err(error) = &ended {
            tracing::error!(%error, "stage stopped; a person must look at it");
        }
        ended
    })?;
    Ok(Running { name, pulse, thread })
}

/// Says when it goes that its worker has ended.
struct Ending(Arc<Pulse>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }
}

fn nothing_to_do<S: Stage<Action = (), Completion = ()>>() -> Act<S> {
    Box::new(|_, (), _| ())
}

/// Calls leave from the runtime's threads; what came of them returns to the worker.
fn calls(config: &Config, around: &Surroundings) -> Result<Act<SendStage>, Error> {
    let caller = Caller::new(&config.graph_url, tokens(config)?, around.clock.clone())
        .map_err(|error| Error::Failed(format!("Graph API client: {error}")))?;
    let runtime = Handle::current();
    Ok(Box::new(move |lane, call, completions| {
        let caller = caller.clone();
        drop(runtime.spawn(async move {
            let completion = caller.call(call).await;
            if completions.send((lane, completion)).is_err() {
                tracing::debug!("a call ended after its worker; its timer sees to it");
            }
        }));
    }))
}

/// Questions leave from the runtime's threads too, a bounded number at once.
fn questions(config: &Config, around: &Surroundings) -> Result<Act<ProfileStage>, Error> {
    let tokens = config.accounts.iter().map(|(id, account)| (id.clone(), account.token.clone()));
    let caller = profile::Caller::new(&config.graph_url, tokens.collect(), around.clock.clone())
        .map_err(|error| Error::Failed(format!("Graph API client: {error}")))?;
    let runtime = Handle::current();
    Ok(Box::new(move |lane, call, completions| {
        let caller = caller.clone();
        drop(runtime.spawn(async move {
            let completion = caller.call(call).await;
            if completions.send((lane, completion)).is_err() {
                tracing::debug!("a question ended after its worker; its timer sees to it");
            }
        }));
    }))
}

fn tokens(config: &Config) -> Result<BTreeMap<AccountId, Token>, Error> {
    let mut tokens = BTreeMap::new();
    for (id, account) in &config.accounts {
        let token = Token::new(account.token.expose()).ok_or_else(|| {
            Error::Failed(format!("account {id}: the token is empty or no header could carry it"))
        })?;
        tokens.insert(id.clone(), token);
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_of_a_process_find_a_lane_in_one_place_under_names_of_their_own() {
        let config = Config::default();
        let of = |slot| spec(&config, (StageName::Route, slot), &[], Some(Topic::RouteChangelog));
        let places = [0, 1].map(|slot| format!("{:?}", of(slot).stores));
        assert_eq!(places[0], places[1]);
        assert_ne!(of(0).session.member, of(1).session.member);
    }

    #[test]
    fn conversation_has_as_many_workers_as_others_unless_told_and_never_none() {
        // workers, those of the conversation stage alone, how many route and conversation get
        for (workers, conversation_workers, expected) in
            [(1, None, (1, 1)), (2, None, (2, 2)), (1, Some(4), (1, 4)), (0, Some(0), (1, 1))]
        {
            let config = Config { workers, conversation_workers, ..Config::default() };
            let got = (workers_of(&config, Role::Route), workers_of(&config, Role::Conversation));
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn what_may_wait_for_the_disk_is_divided_among_the_workers_of_a_stage() {
        for (workers, conversation_workers) in [(1, None), (2, Some(4)), (4, Some(1))] {
            let config = Config { workers, conversation_workers, ..Config::default() };
            for (role, stage) in
                [(Role::Conversation, StageName::Conversation), (Role::Route, StageName::Route)]
            {
                let one = spec(&config, (stage, 0), &[], None).unwritten_bytes;
                assert!(one > 0 && one * u64::from(workers_of(&config, role)) <= UNWRITTEN_BYTES);
            }
        }
    }
}
