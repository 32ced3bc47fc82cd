//! A company under test: says what it is told in words, and after every step looks over its invariants and its rows.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::command::{AgentCommand, AgentWish};
use crate::domain::id::{
    AgentId, CommandId, CompanyId, ContactId, ConversationId, InboxId, OfferId,
};
use crate::domain::routing::{
    AgentSnapshot, AssignReason, RoutingAsk, RoutingRequest, RoutingVerdict, UnassignReason,
};
use crate::domain::settings::CompanySettings;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::engine::stage::Row;
use crate::route::capacity::Capacity;
use crate::route::decide::{Answer, Effect, Input, Skip, decide};
use crate::route::invariant;
use crate::route::pool::Pool;
use crate::route::row::{Place, RouteRow, key, read_key};

/// Time zero of the stories, in milliseconds.
pub(super) const START_MS: u64 = 1_700_000_000_000;

pub(super) struct World {
    pub(super) pool: Pool,
    pub(super) settings: CompanySettings,
    /// Milliseconds after [`START_MS`].
    pub(super) at_ms: u64,
    pub(super) rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Keys written by the last step.
    pub(super) rows_written: BTreeSet<Vec<u8>>,
    /// What the last step said: to the input, then to the timers due at once.
    pub(super) answers: Vec<Vec<Effect>>,
    /// The same in a row.
    pub(super) effects: Vec<Effect>,
    commands: u32,
}

pub(super) fn company() -> CompanyId {
    CompanyId::parse("acme").unwrap()
}

pub(super) fn agent(name: &str) -> AgentId {
    AgentId::parse(name).unwrap()
}

pub(super) fn inbox(name: &str) -> InboxId {
    InboxId::parse(name).unwrap()
}

pub(super) fn conversation(name: &str) -> ConversationId {
    ConversationId::parse(name).unwrap()
}

/// `c1` asks about contact `c1-1` unless it says `c1#2`.
pub(super) fn request(name: &str, ask: RoutingAsk, at: Timestamp) -> RoutingRequest {
    let (id, contact) = name.split_once('#').unwrap_or((name, "1"));
    RoutingRequest {
        ask,
        company_id: company(),
        thread: Thread::from_key(&format!("1784:{id}")).unwrap(),
        conversation_id: conversation(id),
        contact_id: ContactId::parse(&format!("ct-{id}-{contact}")).unwrap(),
        requested_at: at,
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(super) fn with(change: impl FnOnce(&mut CompanySettings)) -> Self {
        let mut settings = CompanySettings::default();
        change(&mut settings);
        Self {
            pool: Pool::empty(company()),
            settings,
            at_ms: 0,
            rows: BTreeMap::new(),
            rows_written: BTreeSet::new(),
            effects: Vec::new(),
            answers: Vec::new(),
            commands: 0,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_ms(START_MS + self.at_ms)
    }

    /// Moves time on by hand; timers wait for the next step.
    pub(super) fn after(&mut self, span_ms: u64) -> &mut Self {
        self.at_ms += span_ms;
        self
    }

    /// One input, and then the timers, as in a turn of the engine.
    #[track_caller]
    pub(super) fn step(&mut self, input: Input<'_>) -> Vec<String> {
        self.rows_written.clear();
        let skipped = self.decide(input);
        let first = std::mem::take(&mut self.effects);
        if !matches!(input, Input::Timers) {
            self.decide(Input::Timers);
        }
        self.answers = vec![first, std::mem::take(&mut self.effects)];
        self.effects = self.answers.concat();
        let mut said: Vec<String> = self.effects.iter().filter_map(told).collect();
        said.extend(skipped.map(|skip| format!("skipped {}", skip.name())));
        said
    }

    #[track_caller]
    fn decide(&mut self, input: Input<'_>) -> Option<Skip> {
        let now = self.now();
        let Answer { effects, skipped } = decide(&mut self.pool, input, &self.settings, now);
        self.effects = effects;
        self.check_rows();
        skipped
    }

    #[track_caller]
    fn check_rows(&mut self) {
        let changes = self.pool.take_changes();
        for (id, row) in changes {
            let key = key(&company(), &id);
            self.rows_written.insert(key.clone());
            match row {
                Some(row) => {
                    let mut bytes = Vec::new();
                    row.encode(&mut bytes);
                    self.rows.insert(key, bytes);
                }
                None => {
                    self.rows.remove(&key);
                }
            }
        }
        if self.rows.len() > 100 {
            return;
        }
        assert_eq!(invariant::broken(&self.pool), None);
        assert_eq!(self.reloaded(), self.pool, "the rows say what the pool says");
    }

    /// The pool that the rows written so far say.
    pub(super) fn reloaded(&self) -> Pool {
        let rows = self
            .rows
            .iter()
            .map(|(key, bytes)| (read_key(key).unwrap().1, RouteRow::decode(bytes).unwrap()));
        let mut pool = Pool::from_rows(company(), rows);
        pool.fit(Capacity::of(&self.settings));
        pool
    }

    #[track_caller]
    pub(super) fn ask(&mut self, name: &str, ask: RoutingAsk) -> Vec<String> {
        let request = request(name, ask, self.now());
        self.step(Input::Request { request: &request, trace: None })
    }

    /// Due in an hour, waiting since now.
    #[track_caller]
    pub(super) fn enqueue(&mut self, name: &str) -> Vec<String> {
        let due_at = Some(self.now().plus_ms(3_600_000));
        self.enqueue_due(name, due_at)
    }

    #[track_caller]
    pub(super) fn enqueue_due(&mut self, name: &str, due_at: Option<Timestamp>) -> Vec<String> {
        let ask = enqueue_ask(due_at, self.now());
        self.ask(name, ask)
    }

    #[track_caller]
    pub(super) fn update(&mut self, name: &str, due_at: Option<Timestamp>) -> Vec<String> {
        self.ask(name, RoutingAsk::Update { due_at, preview: "more".to_owned() })
    }

    #[track_caller]
    pub(super) fn assign(&mut self, name: &str, to: &str, reason: AssignReason) -> Vec<String> {
        let inbox_id = inbox("main");
        self.ask(name, RoutingAsk::Assign { inbox_id, agent_id: agent(to), reason })
    }

    #[track_caller]
    pub(super) fn wish(&mut self, who: &str, wish: AgentWish) -> Vec<String> {
        self.commands += 1;
        let id = format!("cmd-{}", self.commands);
        self.wish_as(&id, who, wish)
    }

    #[track_caller]
    pub(super) fn wish_as(&mut self, id: &str, who: &str, wish: AgentWish) -> Vec<String> {
        let command = AgentCommand {
            wish,
            command_id: CommandId::parse(id).unwrap(),
            company_id: company(),
            agent_id: agent(who),
            issued_at: self.now(),
        };
        self.step(Input::Command(&command))
    }

    #[track_caller]
    pub(super) fn tick(&mut self) -> Vec<String> {
        self.step(Input::Timers)
    }

    /// Logs in and becomes available, one after the other.
    #[track_caller]
    pub(super) fn start(&mut self, names: &[&str]) {
        for name in names {
            self.wish(name, AgentWish::LogIn);
            self.wish(name, AgentWish::SetAvailability { available: true });
        }
    }

    /// The offer on an agent's banner; one that never was, when there is none.
    pub(super) fn offer_of(&self, who: &str) -> OfferId {
        let offer = self.pool.agent(&agent(who)).and_then(|agent| agent.offer.as_ref());
        let place = offer.and_then(|id| self.pool.conversation(id)).map(|row| &row.place);
        match place {
            Some(Place::Outstanding { number, .. }) => self.pool.offer_id(*number),
            Some(Place::Queued | Place::Held { .. }) | None => OfferId::parse("of-none").unwrap(),
        }
    }

    #[track_caller]
    pub(super) fn accept(&mut self, who: &str) -> Vec<String> {
        let offer_id = self.offer_of(who);
        self.wish(who, AgentWish::Accept { offer_id })
    }

    #[track_caller]
    pub(super) fn decline(&mut self, who: &str) -> Vec<String> {
        let offer_id = self.offer_of(who);
        self.wish(who, AgentWish::Decline { offer_id })
    }

    /// Gives an agent a conversation to hold: assigned by hand, answered.
    #[track_caller]
    pub(super) fn hold(&mut self, who: &str, names: &[&str]) {
        for name in names {
            self.assign(name, who, AssignReason::MessageOutbound);
        }
    }

    /// The last snapshot the last step showed of an agent.
    pub(super) fn shown(&self, who: &str) -> Option<&AgentSnapshot> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Agent { snapshot, .. } => Some(snapshot).filter(|s| s.agent_id == agent(who)),
            Effect::Decision { .. } | Effect::Result(_) => None,
        })
    }
}

pub(super) fn enqueue_ask(due_at: Option<Timestamp>, since: Timestamp) -> RoutingAsk {
    RoutingAsk::Enqueue {
        inbox_id: inbox("main"),
        due_at,
        waiting_since_at: since,
        customer_name: "Kim".to_owned(),
        preview: "hello".to_owned(),
        previous_agent_id: None,
    }
}

/// A decision or result in words; agents are looked at apart.
fn told(effect: &Effect) -> Option<String> {
    match effect {
        Effect::Decision { decision, .. } => {
            let what = match &decision.verdict {
                RoutingVerdict::Queued { .. } => "queued".to_owned(),
                RoutingVerdict::Offered { agent_id, round, .. } => {
                    format!("offered {agent_id} round {round}")
                }
                RoutingVerdict::Accepted { agent_id, .. } => format!("accepted {agent_id}"),
                RoutingVerdict::Rejected { agent_id, reason, .. } => {
                    format!("rejected {agent_id} {reason:?}")
                }
                RoutingVerdict::Rescinded { agent_id, reason, .. } => {
                    format!("rescinded {agent_id}{}", because(*reason))
                }
                RoutingVerdict::Assigned { agent_id, reason } => {
                    format!("assigned {agent_id} {reason:?}")
                }
                RoutingVerdict::Unassigned { agent_id, reason } => {
                    format!("unassigned {agent_id}{}", because(*reason))
                }
            };
            Some(format!("{} {what}", decision.conversation_id))
        }
        Effect::Result(result) => Some(match result.refusal {
            Some(refusal) => format!("refused {refusal:?}"),
            None => "done".to_owned(),
        }),
        Effect::Agent { .. } => None,
    }
}

/// Why, where it is not that the agent is absent.
fn because(reason: UnassignReason) -> String {
    match reason {
        UnassignReason::ReroutedUnassign => String::new(),
        UnassignReason::UserDeactivation
        | UnassignReason::Manual
        | UnassignReason::CustomerConversationMerge => format!(" {reason:?}"),
    }
}
