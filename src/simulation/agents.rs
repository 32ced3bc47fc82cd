//! Agents and administrators: they log in, take offers or not, reply, like, close, merge, erase; they change settings.
//!
//! They know what decisions said. What they ask may come too late or twice; the product answers for that.

use std::collections::BTreeMap;

use rand::Rng;
use rand::rngs::StdRng;

use crate::broker::record::{CloudEvent, Headers, Output, header};
use crate::domain::command::{AgentCommand, AgentWish, CommandResult, DeskCommand, DeskWish};
use crate::domain::id::{
    AccountId, AgentId, ClientMessageId, CommandId, CompanyId, ConversationId, IdError, OfferId,
};
use crate::domain::routing::{RoutingDecision, RoutingVerdict};
use crate::domain::settings::{AccountSettings, AfterReject, CompanySettings, SettingsTable};
use crate::domain::thread::Thread;
use crate::domain::time::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::topics::Topic;

use super::Error;
use super::fault::Fault;
use super::universe::Universe;

const SOURCE: &str = "/dmstream/desk";

/// All agents.
pub(super) struct Agents {
    company: CompanyId,
    minds: Vec<Mind>,
    commands: u64,
    /// References of replies, by the command that asks for them.
    asked: BTreeMap<CommandId, String>,
    last: Option<Output>,
    /// Merges and erasures happen in this run.
    pub(super) merges: bool,
}

/// What one agent knows.
struct Mind {
    id: AgentId,
    logged_in: bool,
    /// Logged in and available, once at least.
    at_work: bool,
    offers: Vec<OfferId>,
    held: BTreeMap<ConversationId, Thread>,
}

impl Agents {
    pub(super) fn new(dice: &mut StdRng) -> Result<Self, Error> {
        let count: u32 = dice.random_range(1..=3);
        let minds = (0..count).map(|n| {
            let id = AgentId::parse(&format!("a{n}"))?;
            Ok(Mind {
                id,
                logged_in: false,
                at_work: false,
                offers: Vec::new(),
                held: BTreeMap::new(),
            })
        });
        Ok(Self {
            company: CompanyId::parse("default")?,
            minds: minds.collect::<Result<Vec<_>, IdError>>()?,
            commands: 0,
            asked: BTreeMap::new(),
            last: None,
            merges: dice.random_bool(0.2),
        })
    }

    /// Agents hear what was decided.
    pub(super) fn decided(&mut self, decision: &RoutingDecision) {
        let id = &decision.conversation_id;
        match &decision.verdict {
            RoutingVerdict::Offered { offer_id, agent_id, .. } => {
                self.of(agent_id, |mind| mind.offers.push(offer_id.clone()));
            }
            RoutingVerdict::Accepted { agent_id, .. }
            | RoutingVerdict::Assigned { agent_id, .. } => {
                let thread = decision.thread.clone();
                self.of(agent_id, |mind| drop(mind.held.insert(id.clone(), thread)));
            }
            RoutingVerdict::Queued { .. }
            | RoutingVerdict::Rejected { .. }
            | RoutingVerdict::Rescinded { .. }
            | RoutingVerdict::Unassigned { .. } => (),
        }
    }

    fn of(&mut self, agent: &AgentId, tell: impl FnOnce(&mut Mind)) {
        if let Some(mind) = self.minds.iter_mut().find(|mind| mind.id == *agent) {
            tell(mind);
        }
    }

    fn command_id(&mut self) -> Result<CommandId, IdError> {
        self.commands += 1;
        CommandId::parse(&format!("cmd-{}", self.commands))
    }

    fn of_agent(&mut self, at: usize, wish: AgentWish, now: Timestamp) -> Result<Output, Error> {
        let command_id = self.command_id()?;
        let agent_id =
            self.minds.get(at).map_or_else(|| AgentId::parse("a0"), |mind| Ok(mind.id.clone()))?;
        let (kind, key) = (wish.name(), self.company.as_str().to_owned());
        let command = AgentCommand {
            wish,
            command_id: command_id.clone(),
            company_id: self.company.clone(),
            agent_id,
            issued_at: now,
        };
        let id = command_id.as_str();
        let event = CloudEvent { id, kind, source: SOURCE, time: now, traceparent: None };
        Ok(Output::event(Topic::AgentsCommands, &key, &event, &command)?)
    }

    fn of_thread(
        &mut self,
        at: usize,
        (conversation_id, thread): (ConversationId, Thread),
        wish: DeskWish,
        now: Timestamp,
    ) -> Result<(CommandId, Output), Error> {
        let command_id = self.command_id()?;
        let agent_id =
            self.minds.get(at).map_or_else(|| AgentId::parse("a0"), |mind| Ok(mind.id.clone()))?;
        let (kind, key) = (wish.name(), thread.key());
        let command = DeskCommand {
            wish,
            command_id: command_id.clone(),
            thread,
            conversation_id,
            agent_id,
            issued_at: now,
        };
        let event = CloudEvent {
            id: command_id.as_str(),
            kind,
            source: SOURCE,
            time: now,
            traceparent: None,
        };
        let output = Output::event(Topic::DeskCommands, &key, &event, &command)?;
        Ok((command_id, output))
    }
}

impl Universe {
    /// Everybody hears committed records.
    pub(super) fn hear(&self, sent: &[Output]) {
        for output in sent {
            match self.heard.borrow_mut().look(output) {
                Ok(None) => (),
                Ok(Some(decision)) => self.agents.borrow_mut().decided(&decision),
                Err(what) => self.find(what),
            }
            self.hear_of_people(output);
            if output.topic == Topic::CommandResults {
                self.hear_result(output);
            }
        }
    }

    fn hear_result(&self, output: &Output) {
        let value = output.value.as_deref().unwrap_or_default();
        let Ok(result) = serde_json::from_slice::<CommandResult>(value) else { return };
        let reference = self.agents.borrow_mut().asked.remove(&result.command_id);
        if let (Some(reference), Some(_)) = (reference, result.refusal) {
            self.instagram.borrow_mut().ledger.ask_not_taken(&reference);
        }
    }

    /// An agent does something.
    pub(super) fn work(&self) {
        match self.wish() {
            Ok(Some(output)) => {
                self.append(output.clone());
                if self.by_bad_luck(60) {
                    self.count(Fault::CommandDoubled);
                    self.append(output.clone());
                }
                let earlier = self.agents.borrow_mut().last.replace(output);
                if let Some(earlier) = earlier.filter(|_| self.by_bad_luck(30)) {
                    self.count(Fault::CommandDoubled);
                    self.append(earlier);
                }
            }
            Ok(None) => (),
            Err(error) => self.find(format!("an agent cannot wish: {error}")),
        }
    }

    fn wish(&self) -> Result<Option<Output>, Error> {
        let now = self.now();
        let mut agents = self.agents.borrow_mut();
        let at = usize::try_from(self.roll(agents.minds.len() as u64)).unwrap_or(0);
        let (rolled, second) = (self.roll(100), self.roll(100));
        let Some(mind) = agents.minds.get_mut(at) else { return Ok(None) };
        if !mind.at_work {
            mind.at_work = mind.logged_in;
            let wish = match std::mem::replace(&mut mind.logged_in, true) {
                false => AgentWish::LogIn,
                true => AgentWish::SetAvailability { available: true },
            };
            return agents.of_agent(at, wish, now).map(Some);
        }
        if let Some(offer_id) = mind.offers.pop() {
            let wish = match rolled {
                0..75 => AgentWish::Accept { offer_id },
                75..90 => AgentWish::Decline { offer_id },
                _ => return Ok(None),
            };
            return agents.of_agent(at, wish, now).map(Some);
        }
        let wish = match rolled {
            0..12 => AgentWish::Next,
            12..16 => AgentWish::SetAway { away: second < 50 },
            16..20 => AgentWish::SetAvailability { available: second < 70 },
            20..23 => {
                (mind.logged_in, mind.at_work) = (false, false);
                AgentWish::LogOut
            }
            23..26 => AgentWish::LogIn,
            _ => return self.wish_about_a_thread(&mut agents, at, second),
        };
        agents.of_agent(at, wish, now).map(Some)
    }

    fn wish_about_a_thread(
        &self,
        agents: &mut Agents,
        at: usize,
        rolled: u64,
    ) -> Result<Option<Output>, Error> {
        let now = self.now();
        let held: Vec<_> = agents.minds.get(at).map_or_else(Vec::new, |mind| {
            mind.held.iter().map(|(id, thread)| (id.clone(), thread.clone())).collect()
        });
        let Some(about) = self.one_of(&held) else { return Ok(None) };
        let mut instagram = self.instagram.borrow_mut();
        let newest = instagram.newest.get(&about.1).cloned();
        let reference = format!("#r{}", agents.commands);
        let wish = match (rolled, newest) {
            (0..60, _) => DeskWish::Reply {
                client_message_id: ClientMessageId::parse(&reference)?,
                text: format!("Hello {reference}"),
                // Of an item in parts, one may be taken and another fail: the books know items of one part only.
                image_urls: match rolled {
                    0..10 if agents.merges => vec!["https://shop.example/a.png".to_owned()],
                    _ => Vec::new(),
                },
                automatic: false,
                declared_bytes: 0,
            },
            (60..66, Some(mid)) => DeskWish::Like { mid },
            (66..69, Some(mid)) => DeskWish::Unlike { mid },
            (69..72, Some(mid)) => DeskWish::NoReplyNeeded { mid },
            (72..78, _) => DeskWish::Close { force: rolled < 75 },
            (78..81, _) => DeskWish::Reopen,
            (81..84, _) => DeskWish::AddTopic { topic: "size".to_owned() },
            (84..87, _) => DeskWish::AddNote { text: "asks often".to_owned() },
            (87..94, _) if agents.merges => {
                let threads = instagram.threads().to_vec();
                let Some(into) = self.one_of(&threads) else { return Ok(None) };
                DeskWish::Merge { into, confirmed: true }
            }
            (94..97, _) if agents.merges => DeskWish::Unmerge,
            (97..100, _) if agents.merges => DeskWish::Erase,
            _ => return Ok(None),
        };
        let replies = matches!(wish, DeskWish::Reply { .. });
        let (command_id, output) = agents.of_thread(at, about, wish, now)?;
        if replies {
            instagram.ledger.asked(&reference);
            agents.asked.insert(command_id, reference);
        }
        Ok(Some(output))
    }

    /// An administrator changes their mind.
    pub(super) fn change_settings(&self) {
        self.count(Fault::SettingsChanged);
        let mut table = SettingsTable::clone(&self.settings.load());
        let now = self.now();
        let company = company_settings(&mut self.dice.borrow_mut());
        table.set_company(self.agents.borrow().company.clone(), now, company);
        for account in self.instagram.borrow().accounts.clone() {
            let settings = account_settings(&mut self.dice.borrow_mut());
            table.set_account(account, now, settings);
        }
        self.choose(table);
    }
}

/// The same offer to an agent who does not exist, for a planted mistake.
pub(super) fn offer_to_another(output: &Output) -> Option<Output> {
    if output.topic != Topic::RoutingDecisions {
        return None;
    }
    let decision: RoutingDecision = serde_json::from_slice(output.value.as_deref()?).ok()?;
    let RoutingVerdict::Offered { offer_id, expires_at, round, .. } = decision.verdict.clone()
    else {
        return None;
    };
    let agent_id = AgentId::parse("somebody-else").ok()?;
    let verdict = RoutingVerdict::Offered { offer_id, agent_id, expires_at, round };
    let other = RoutingDecision { verdict, ..decision };
    let mut again = output.clone();
    again.value = Some(serde_json::to_vec(&other).ok()?);
    again.headers = Headers::default();
    again.headers.extend_with(&output.headers, |name| name != header::ID);
    Some(again)
}

/// What administrators chose at first.
pub(super) fn first_settings(dice: &mut StdRng, accounts: &[AccountId]) -> SettingsTable {
    let (account, company) = (account_settings(dice), company_settings(dice));
    let mut table = SettingsTable::with_fallback(account, company);
    let begin = Timestamp::from_ms(0);
    for id in accounts {
        table.set_account(id.clone(), begin, account_settings(dice));
    }
    table
}

fn account_settings(dice: &mut StdRng) -> AccountSettings {
    AccountSettings {
        route_on_echo_only: dice.random(),
        echo_hold_ms: dice.random_range(0..=10) * SECOND_MS,
        send_rate: dice.random_range(8..=200),
        unknown_after_ms: dice.random_range(20..=60) * SECOND_MS,
        ..AccountSettings::default()
    }
}

fn company_settings(dice: &mut StdRng) -> CompanySettings {
    let pause = dice.random();
    CompanySettings {
        inbox_sla_ms: dice.random_range(1..=60) * MINUTE_MS,
        standard_capacity: dice.random_range(1..=3),
        offer_timeout_ms: dice.random_range(5..=60) * SECOND_MS,
        after_reject: if pause { AfterReject::PauseUntilNext } else { AfterReject::DelayOnly },
        routing_delay_ms: dice.random_range(0..=15) * SECOND_MS,
        same_agent_limit_ms: dice.random_range(1..=15) * MINUTE_MS,
        inbound_assignment: dice.random_bool(0.8),
        requeue_grace_logout_ms: dice.random_range(0..=60) * SECOND_MS,
        ..CompanySettings::default()
    }
}
