//! One part of a body, in our words. Pure.
//!
//! Promise: a part becomes at least one event, and nothing it holds can cost another part its own.
//!
//! Not here: Meta's names (`wire.rs`), who is who (`sides.rs`), what a message is (`content.rs`), ids (`identity.rs`).

use crate::domain::event::{
    DeadLetterReason, Direction, Event, EventKind, IgnoreReason, Reaction, ThreadControlAction,
};
use crate::domain::id::{AccountId, IdError, MessageId, PersonId};
use crate::domain::time::Timestamp;
use crate::normalize::content::message_body;
use crate::normalize::envelope::{Part, What};
use crate::normalize::identity;
use crate::normalize::json::Node;
use crate::normalize::sides::{self, Accounts, Author};
use crate::normalize::wire::{self, Fault, Item, Payload, RECIPIENT, ReactionAction, SENDER};

/// Everything `part` says, appended to `events`.
pub(super) fn translate(
    part: &Part<'_>,
    received_at: Timestamp,
    accounts: &Accounts,
    events: &mut Vec<Event>,
) {
    let (sent_at, entry_id) = (part.sent_at, part.entry_id);
    match &part.what {
        What::Item { standby } => {
            let Some(item) = wire::item(part.node) else {
                return events.push(fault(part, Fault::shape(""), received_at));
            };
            let happened_at = item.happened_at.or(sent_at);
            let standby = *standby;
            let around =
                Around { item: &item, entry_id, standby, happened_at, received_at, accounts };
            if item.payloads.is_empty() {
                events.push(unknown_kind(part, &around, item.unknown));
            }
            for payload in &item.payloads {
                let event = around.event(payload, part);
                events.push(event.unwrap_or_else(|found| fault(part, found, received_at)));
            }
        }
        What::Test { field } => {
            let kind = EventKind::WebhookTest { field: (*field).to_owned() };
            events.push(apart(part, kind, None, received_at));
        }
        What::Ignored(reason, what) => {
            let account = entry_id.and_then(|id| AccountId::parse(id).ok());
            events.push(apart(part, ignored(*reason, *what), account, received_at));
        }
        What::Fault(found) => events.push(fault(part, *found, received_at)),
    }
}

/// A body of which nothing could be read.
pub(super) fn unreadable(
    (reason, detail): (DeadLetterReason, String),
    body: &str,
    received_at: Timestamp,
) -> Event {
    let event_id = identity::event_id(&["dead_letter", reason.name(), body]);
    Event {
        kind: EventKind::DeadLetter { reason, detail: Some(detail) },
        event_id,
        account_id: None,
        person_id: None,
        occurred_at: received_at,
        received_at,
        mid: None,
    }
}

/// A JSON path: `place`, and below it `at`.
pub(super) fn path(place: &impl ToString, at: &str) -> String {
    let mut path = place.to_string();
    if !at.is_empty() {
        path.push('.');
        path.push_str(at);
    }
    path
}

fn fault(part: &Part<'_>, fault: Fault, received_at: Timestamp) -> Event {
    let detail = Some(path(&part.place, fault.at));
    apart(part, EventKind::DeadLetter { reason: fault.reason, detail }, None, received_at)
}

fn ignored(reason: IgnoreReason, what: Option<&str>) -> EventKind {
    EventKind::Ignored { reason, what: what.map(str::to_owned) }
}

fn unknown_kind(part: &Part<'_>, around: &Around<'_>, what: Option<&str>) -> Event {
    let account = sides::account(around.item, around.entry_id).ok();
    let account = account.and_then(|id| AccountId::parse(id).ok());
    let kind = ignored(IgnoreReason::UnknownKind, what);
    apart(part, kind, account, around.received_at)
}

/// An event of no thread, named by the part itself.
fn apart(
    part: &Part<'_>,
    kind: EventKind,
    account_id: Option<AccountId>,
    received_at: Timestamp,
) -> Event {
    let why = match &kind {
        EventKind::Ignored { reason, .. } => reason.name(),
        EventKind::DeadLetter { reason, .. } => reason.name(),
        EventKind::MessageReceived(_)
        | EventKind::MessageEchoed(_)
        | EventKind::MessageEdited { .. }
        | EventKind::MessageDeleted { .. }
        | EventKind::MessageRead { .. }
        | EventKind::ReactionAdded(_)
        | EventKind::ReactionRemoved(_)
        | EventKind::PostbackReceived { .. }
        | EventKind::ReferralReceived { .. }
        | EventKind::ThreadControl(_)
        | EventKind::AccountPolicy { .. }
        | EventKind::WebhookTest { .. } => "",
    };
    let content = identity::canonical(part.node);
    let event_id = identity::event_id(&[kind.name(), why, &content]);
    let happened_at = wire::item(part.node).and_then(|item| item.happened_at).or(part.sent_at);
    let occurred_at = happened_at.unwrap_or(received_at);
    Event { kind, event_id, account_id, person_id: None, occurred_at, received_at, mid: None }
}

/// An item and what is known around it.
struct Around<'n> {
    item: &'n Item<'n>,
    entry_id: Option<&'n str>,
    standby: bool,
    /// By the platform's clock, where it says.
    happened_at: Option<Timestamp>,
    received_at: Timestamp,
    accounts: &'n Accounts,
}

/// What is to become an event, its account and person checked.
struct Draft {
    kind: EventKind,
    account_id: AccountId,
    person_id: Option<PersonId>,
    mid: Option<MessageId>,
}

/// Both sides, parsed; the direction is the writer's.
struct Who {
    account_id: AccountId,
    person_id: PersonId,
    direction: Direction,
}

impl Around<'_> {
    /// Whose it is comes before what it says: what a stranger's item says is no dead letter of ours.
    fn event(&self, payload: &Payload<'_>, part: &Part<'_>) -> Result<Event, Fault> {
        let draft = match author(payload) {
            Some(author) => {
                let who = self.who(author)?;
                if !self.accounts.contains(who.account_id.as_str()) {
                    return Ok(self.of_stranger(part, who.account_id));
                }
                self.draft(payload, who)?
            }
            None => {
                let account = sides::account(self.item, self.entry_id)?;
                let account_id = account_id(account, RECIPIENT)?;
                if !self.accounts.contains(account_id.as_str()) {
                    return Ok(self.of_stranger(part, account_id));
                }
                Draft { kind: of_account(payload)?, account_id, person_id: None, mid: None }
            }
        };
        if let EventKind::Ignored { .. } = draft.kind {
            Ok(apart(part, draft.kind, Some(draft.account_id), self.received_at))
        } else {
            Ok(self.named(draft))
        }
    }

    fn of_stranger(&self, part: &Part<'_>, account_id: AccountId) -> Event {
        let kind = ignored(IgnoreReason::UnknownAccount, None);
        apart(part, kind, Some(account_id), self.received_at)
    }

    fn draft(&self, payload: &Payload<'_>, who: Who) -> Result<Draft, Fault> {
        let Who { account_id, person_id, direction } = who;
        let (kind, mid) = match payload {
            Payload::Message(node) if wire::is_deleted(node) => {
                (EventKind::MessageDeleted { direction }, Some(wire::deleted_mid(node)?))
            }
            Payload::Message(node) => {
                let message = wire::message(node)?;
                let mid = message.mid.clone();
                let body = message_body(message, self.standby, self.item.to_self);
                let kind = match direction {
                    Direction::Inbound => EventKind::MessageReceived(body),
                    Direction::Outbound => EventKind::MessageEchoed(body),
                };
                (kind, mid)
            }
            Payload::Edit(node) => {
                let (mid, text, number) = wire::edit(node)?;
                // An edit is at least the first; zero is Meta's own in development mode.
                let num_edit = number.unwrap_or(1);
                (EventKind::MessageEdited { text: text.to_owned(), num_edit }, Some(mid))
            }
            Payload::Reaction(node) => reaction(node, direction)?,
            Payload::Read(node) => {
                let (mid, watermark_at) = wire::read_mark(node)?;
                (EventKind::MessageRead { watermark_at }, mid)
            }
            Payload::Postback(node) => {
                let read = wire::postback(node)?;
                let (title, payload) = (read.title, read.payload.to_owned());
                let referral = read.referral;
                (EventKind::PostbackReceived { title, payload, referral }, read.mid)
            }
            Payload::Referral(node) => {
                let referral = wire::lone_referral(node)?;
                (EventKind::ReferralReceived { referral }, None)
            }
            Payload::Control(..) | Payload::Policy(_) => (of_account(payload)?, None),
        };
        Ok(Draft { kind, account_id, person_id: Some(person_id), mid })
    }

    fn who(&self, author: Author) -> Result<Who, Fault> {
        let sides = sides::sides(self.item, self.entry_id, author, self.accounts)?;
        let (account_at, person_at) = match sides.direction {
            Direction::Inbound => (RECIPIENT, SENDER),
            Direction::Outbound => (SENDER, RECIPIENT),
        };
        let person_id =
            PersonId::parse(sides.person).map_err(|error| id_fault(error, person_at))?;
        let account_id = account_id(sides.account, account_at)?;
        Ok(Who { account_id, person_id, direction: sides.direction })
    }

    fn named(&self, draft: Draft) -> Event {
        let Draft { kind, account_id, person_id, mid } = draft;
        let named = identity::Named {
            kind: &kind,
            account: account_id.as_str(),
            person: person_id.as_ref().map_or("", PersonId::as_str),
            mid: mid.as_ref().map(MessageId::as_str),
            happened_at: self.happened_at,
        };
        let event_id = named.event_id();
        let received_at = self.received_at;
        let occurred_at = self.happened_at.unwrap_or(received_at);
        let account_id = Some(account_id);
        Event { kind, event_id, account_id, person_id, occurred_at, received_at, mid }
    }
}

/// Who wrote, as far as the item says; `None` for what names an account alone.
pub(super) fn author(payload: &Payload<'_>) -> Option<Author> {
    match payload {
        Payload::Message(node) if wire::is_echo(node) => Some(Author::Business),
        Payload::Message(node) if wire::is_deleted(node) => Some(Author::Unsaid),
        Payload::Edit(_) => Some(Author::Unsaid),
        Payload::Policy(_) | Payload::Control(ThreadControlAction::RolesChanged, _) => None,
        Payload::Message(_)
        | Payload::Reaction(_)
        | Payload::Read(_)
        | Payload::Postback(_)
        | Payload::Referral(_)
        | Payload::Control(
            ThreadControlAction::Passed
            | ThreadControlAction::Taken
            | ThreadControlAction::Requested,
            _,
        ) => Some(Author::Person),
    }
}

/// What may name an account alone.
fn of_account(payload: &Payload<'_>) -> Result<EventKind, Fault> {
    match payload {
        Payload::Policy(node) => {
            let (action, reason) = wire::policy(node);
            Ok(EventKind::AccountPolicy { action, reason })
        }
        Payload::Control(action, node) => {
            Ok(EventKind::ThreadControl(wire::control(*action, node)))
        }
        Payload::Message(_)
        | Payload::Edit(_)
        | Payload::Reaction(_)
        | Payload::Read(_)
        | Payload::Postback(_)
        | Payload::Referral(_) => Err(Fault::nobody(SENDER)),
    }
}

fn reaction(
    node: &Node<'_>,
    direction: Direction,
) -> Result<(EventKind, Option<MessageId>), Fault> {
    let wire::WireReaction { target_mid, action, name, emoji } = wire::reaction(node)?;
    let reaction = Reaction { target_mid, reaction: name, emoji, direction };
    let kind = match action {
        ReactionAction::Added => EventKind::ReactionAdded(reaction),
        ReactionAction::Removed => EventKind::ReactionRemoved(reaction),
        ReactionAction::Other(word) => ignored(IgnoreReason::UnknownKind, word),
    };
    Ok((kind, None))
}

fn account_id(text: &str, at: &'static str) -> Result<AccountId, Fault> {
    // A thread's key is `account:person`: a colon in the account would make two threads one.
    if text.contains(':') {
        return Err(Fault::shape(at));
    }
    AccountId::parse(text).map_err(|error| id_fault(error, at))
}

const fn id_fault(error: IdError, at: &'static str) -> Fault {
    match error {
        IdError::Empty => Fault::nobody(at),
        IdError::TooLong { .. } | IdError::ControlCharacter => Fault::shape(at),
    }
}
