//! One decision under way: the state as it becomes, and what is to be told. Pure.
//!
//! Facts take who, where and under whose care from the state at the moment they are told; ids are derived at
//! the end, in `finish`.

use crate::conversation::decide::{Effect, World};
use crate::conversation::state::{Contact, Conversation, ThreadState};
use crate::domain::command::{CommandResult, DeskCommand, Refusal};
use crate::domain::customer::CustomerDetails;
use crate::domain::derive;
use crate::domain::fact::{Channel, Fact, FactBody, Initiator};
use crate::domain::id::{
    AgentId, CommandId, CompanyId, ContactId, ConversationId, CustomerId, InboxId,
};
use crate::domain::outbound::OutboundSend;
use crate::domain::routing::{RoutingAsk, RoutingRequest};
use crate::domain::settings::{AccountSettings, CompanySettings};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// Name shown until a profile gives one.
pub const PLACEHOLDER_NAME: &str = "Instagram user";

/// What is told at most of a decision beside what it did: how the conversation stands, and what is noted.
const TOLD_AT_THE_END: usize = 2;

/// A fact before its ids.
#[derive(Debug)]
struct Draft {
    body: FactBody,
    number: u64,
    conversation: Option<u32>,
    contact: Option<u32>,
    initiator: Initiator,
    company_id: CompanyId,
    inbox_id: Option<InboxId>,
    assignee_id: Option<AgentId>,
    occurred_at: Timestamp,
}

/// A request before its ids.
#[derive(Debug)]
struct Ask {
    ask: RoutingAsk,
    company_id: CompanyId,
    conversation: u32,
    contact: u32,
}

/// One decision under way.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The state as it becomes.
    pub(super) state: Box<ThreadState>,
    /// The input's own time, never later than now.
    pub(super) at: Timestamp,
    /// The thread, the time, the settings.
    pub(super) world: &'a World<'a>,
    /// The thread the input came on, when it is a guest's (ADR 0006).
    pub(super) origin: Option<Thread>,
    /// Whose customer the facts are about: the home's, once merged.
    customer: Thread,
    /// The thread's key.
    pub(super) key: String,
    facts: Vec<Draft>,
    asks: Vec<Ask>,
    sends: Vec<OutboundSend>,
    results: Vec<CommandResult>,
    notes: Vec<DeskCommand>,
    forgotten: bool,
    published: bool,
    noted: bool,
}

impl<'a> Turn<'a> {
    /// A turn over `state` for an input stamped `at`.
    pub(super) fn new(state: Box<ThreadState>, at: Timestamp, world: &'a World<'a>) -> Self {
        let customer = state.ties.home.clone().unwrap_or_else(|| world.thread.clone());
        Self {
            state,
            at,
            world,
            origin: None,
            customer,
            key: world.thread.key(),
            facts: Vec::new(),
            asks: Vec::new(),
            sends: Vec::new(),
            results: Vec::new(),
            notes: Vec::new(),
            forgotten: false,
            published: false,
            noted: false,
        }
    }

    /// The account's settings in force at `at`; of a guest's item, the guest's.
    pub(super) fn account(&self, at: Timestamp) -> &'a AccountSettings {
        let thread = self.origin.as_ref().unwrap_or(self.world.thread);
        self.world.settings.account_at(&thread.account_id, at)
    }

    /// The company's settings in force at `at`.
    pub(super) fn company(&self, at: Timestamp) -> &'a CompanySettings {
        self.world.settings.company_at(&self.account(at).company_id, at)
    }

    /// The open contact.
    pub(super) fn contact(&self) -> Option<&Contact> {
        self.state.conversation.as_ref().and_then(Conversation::contact)
    }

    /// The open contact, to be changed.
    pub(super) fn contact_mut(&mut self) -> Option<&mut Contact> {
        self.state.conversation.as_mut().and_then(Conversation::contact_mut)
    }

    /// The open contact's number, zero for none.
    pub(super) fn contact_number(&self) -> u32 {
        self.contact().map_or(0, |contact| contact.number)
    }

    /// The conversation's agent.
    pub(super) fn agent(&self) -> Option<AgentId> {
        self.state.conversation.as_ref().and_then(|conversation| conversation.agent.clone())
    }

    /// Tells a fact.
    pub(super) fn tell(&mut self, initiator: Initiator, at: Timestamp, body: FactBody) {
        let contact = self.contact().map(|contact| contact.number);
        self.tell_of(contact, initiator, at, body);
    }

    /// Tells a fact about a contact that need not be open any more.
    pub(super) fn tell_of(
        &mut self,
        contact: Option<u32>,
        initiator: Initiator,
        at: Timestamp,
        body: FactBody,
    ) {
        self.state.facts = self.state.facts.saturating_add(1);
        let conversation = self.state.conversation.as_ref();
        let company_id = conversation.map_or_else(
            || self.account(at).company_id.clone(),
            |conversation| conversation.company_id.clone(),
        );
        if self.facts.is_empty() {
            // Most decisions tell one; a `Vec` makes room for four.
            self.facts.reserve_exact(1);
        }
        self.facts.push(Draft {
            body,
            number: self.state.facts,
            conversation: conversation.map(|conversation| conversation.number),
            contact,
            initiator,
            company_id,
            inbox_id: conversation.map(|conversation| conversation.inbox_id.clone()),
            assignee_id: conversation.and_then(|conversation| conversation.agent.clone()),
            occurred_at: at,
        });
    }

    /// Asks routing about the open contact.
    pub(super) fn ask(&mut self, ask: RoutingAsk) {
        let Some(conversation) = &self.state.conversation else { return };
        let Some(contact) = conversation.contact() else { return };
        self.asks.push(Ask {
            ask,
            company_id: conversation.company_id.clone(),
            conversation: conversation.number,
            contact: contact.number,
        });
    }

    /// Has a part sent.
    pub(super) fn send(&mut self, send: OutboundSend) {
        self.sends.push(send);
    }

    /// Answers a command.
    pub(super) fn answer(&mut self, command_id: &CommandId, refusal: Option<Refusal>) {
        let command_id = command_id.clone();
        self.results.push(CommandResult { command_id, refusal, decided_at: self.at });
    }

    /// Says something to another thread.
    pub(super) fn note(&mut self, note: DeskCommand) {
        self.notes.push(note);
    }

    /// Has what the world keeps of the conversation taken back.
    pub(super) const fn forget_snapshot(&mut self) {
        self.forgotten = true;
    }

    /// Has the world know how the conversation stands, though no fact tells of it.
    pub(super) const fn publish_snapshot(&mut self) {
        self.published = true;
    }

    /// Has the world know what is noted of the customer now.
    pub(super) const fn publish_details(&mut self) {
        self.noted = true;
    }

    /// Something was told or asked.
    pub(super) const fn has_effects(&self) -> bool {
        !(self.facts.is_empty()
            && self.asks.is_empty()
            && self.sends.is_empty()
            && self.results.is_empty()
            && self.notes.is_empty())
    }

    /// The state and the effects, with their ids.
    pub(super) fn finish(self) -> (Box<ThreadState>, Vec<Effect>) {
        let (thread, now) = (self.world.thread, self.world.now);
        let customer_id = derive::customer_id(&self.customer);
        let own = self.asks.len() + self.sends.len() + self.results.len() + self.notes.len();
        let mut effects = Vec::with_capacity(self.facts.len() + own + TOLD_AT_THE_END);
        let mut ids = Ids::new(thread);
        let published = self.published || !self.facts.is_empty();
        for draft in self.facts {
            let conversation = draft.conversation.map(|n| ids.conversation(n));
            let contact = draft.contact.map(|n| ids.contact(n));
            effects.push(Effect::Fact(Box::new(Fact {
                body: draft.body,
                fact_id: derive::fact_id(&self.key, draft.number),
                number: draft.number,
                channel: Channel::InstagramDirect,
                company_id: draft.company_id,
                thread: thread.clone(),
                customer_id: customer_id.clone(),
                conversation_id: conversation,
                contact_id: contact,
                initiator: draft.initiator,
                inbox_id: draft.inbox_id,
                assignee_id: draft.assignee_id,
                occurred_at: draft.occurred_at,
                recorded_at: now,
            })));
        }
        for ask in self.asks {
            effects.push(Effect::Routing(RoutingRequest {
                ask: ask.ask,
                company_id: ask.company_id,
                thread: thread.clone(),
                conversation_id: ids.conversation(ask.conversation),
                contact_id: ids.contact(ask.contact),
                // Routing's time goes on with ours: what happened long ago is asked for now.
                requested_at: now,
            }));
        }
        effects.extend(self.sends.into_iter().map(Effect::Send));
        effects.extend(self.results.into_iter().map(Effect::Result));
        effects.extend(self.notes.into_iter().map(|note| Effect::Note(Box::new(note))));
        if self.noted {
            effects.push(details(&self.state, &customer_id, self.world));
        }
        if self.forgotten {
            effects.push(Effect::Forget(self.state.facts));
        } else if published && self.state.conversation.is_some() {
            effects.push(Effect::Snapshot);
        }
        (self.state, effects)
    }
}

/// The ids one decision names, each derived once: nearly all of it is about one conversation and one contact.
struct Ids<'a> {
    thread: &'a Thread,
    conversation: Option<(u32, ConversationId)>,
    contact: Option<(u32, ContactId)>,
}

impl<'a> Ids<'a> {
    const fn new(thread: &'a Thread) -> Self {
        Self { thread, conversation: None, contact: None }
    }

    fn conversation(&mut self, number: u32) -> ConversationId {
        match &self.conversation {
            Some((known, id)) if *known == number => id.clone(),
            Some(_) | None => {
                let id = derive::conversation_id(self.thread, number);
                self.conversation = Some((number, id.clone()));
                id
            }
        }
    }

    fn contact(&mut self, number: u32) -> ContactId {
        match &self.contact {
            Some((known, id)) if *known == number => id.clone(),
            Some(_) | None => {
                let id = derive::contact_id(self.thread, number);
                self.contact = Some((number, id.clone()));
                id
            }
        }
    }
}

/// What is noted, as a record; nothing: the tombstone of it.
fn details(state: &ThreadState, customer_id: &CustomerId, world: &World<'_>) -> Effect {
    let details = state.more.details.clone();
    let noted = (!details.is_empty()).then(|| {
        let (customer_id, thread) = (customer_id.clone(), world.thread.clone());
        Box::new(CustomerDetails { customer_id, thread, details, edited_at: world.now })
    });
    Effect::Details(customer_id.clone(), noted)
}

/// The customer's name, or what stands for it.
pub(super) fn display_name(state: &ThreadState) -> String {
    state.customer_name.clone().unwrap_or_else(|| PLACEHOLDER_NAME.to_owned())
}
