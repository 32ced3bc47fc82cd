//! Whether an erased person has left what is kept for ever: state and compacted topics.
//!
//! Promise: looks at the newest record of every key that is theirs, and says what is left by its name, never what it says.
//! Not here: topics that are deleted by time; `schemas/README.md` says how long each keeps what it has.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use super::scan::{Scan, scan};
use super::{Error, open_broker};
use crate::broker::record::{Record, rfc3339};
use crate::cli::EraseCheckArgs;
use crate::clock::Clock;
use crate::config::Config;
use crate::conversation::ThreadState;
use crate::domain::customer::CustomerKey;
use crate::domain::derive::customer_id;
use crate::domain::fact::{Fact, FactBody};
use crate::domain::thread::Thread;
use crate::engine::stage::Row;
use crate::topics::Topic;

/// What is looked at.
const TOPICS: [Topic; 4] =
    [Topic::Conversations, Topic::Customers, Topic::ConversationChangelog, Topic::Timeline];

/// Prints what is left of a person.
///
/// # Errors
///
/// The broker's; what is left is an exit code of 1, not an error.
pub(super) fn show(args: &EraseCheckArgs) -> Result<ExitCode, Error> {
    let config = Config::from_process(args.config.config.as_deref())?;
    let key = format!("{}:{}", args.account, args.person);
    let thread = Thread::from_key(&key).map_err(|error| Error::Failed(error.to_string()))?;
    let broker = open_broker(&config, &Clock::System)?;
    let mut looked = Looked::new(thread)?;
    scan(&broker, &TOPICS, |record| {
        looked.at(record);
        Ok(Scan::Continue)
    })?;
    let mut out = std::io::stdout().lock();
    for line in looked.lines() {
        writeln!(out, "{line}")?;
    }
    Ok(if looked.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was seen of one person.
#[derive(Debug)]
struct Looked {
    thread: Thread,
    /// Keys of `customers` that are theirs, and what stands there.
    customers: BTreeMap<String, bool>,
    has_snapshot: bool,
    /// What the state keeps, and which others keep messages of theirs.
    state: Vec<&'static str>,
    elsewhere: BTreeMap<Vec<u8>, usize>,
    erased: Vec<String>,
}

impl Looked {
    fn new(thread: Thread) -> Result<Self, Error> {
        let id = customer_id(&thread);
        let keys = [
            CustomerKey::Profile(id.clone()),
            CustomerKey::Details(id.clone()),
            CustomerKey::Merged(id),
        ];
        Ok(Self {
            thread,
            customers: keys.iter().map(|key| (key.text(), false)).collect(),
            has_snapshot: false,
            state: Vec::new(),
            elsewhere: BTreeMap::new(),
            erased: Vec::new(),
        })
    }

    /// Takes in a record; the last of a key counts.
    fn at(&mut self, record: &Record) {
        let Some(key) = &record.key else { return };
        let is_own = *key == self.thread.key().into_bytes();
        let is_there = record.value.is_some();
        if record.topic == Topic::ConversationChangelog {
            self.state_of(key, record.bytes(), is_own);
        } else if record.topic == Topic::Customers {
            let its = std::str::from_utf8(key).ok();
            if let Some(stands) = its.and_then(|key| self.customers.get_mut(key)) {
                *stands = is_there;
            }
        } else if record.topic == Topic::Conversations && is_own {
            self.has_snapshot = is_there;
        } else if record.topic == Topic::Timeline && is_own {
            self.fact(record);
        }
    }

    fn state_of(&mut self, key: &[u8], bytes: &[u8], is_own: bool) {
        let state = ThreadState::decode(bytes).unwrap_or_default();
        let its = state.ties.guests.iter().filter(|guest| guest.thread == self.thread);
        let messages: usize = its.map(|guest| guest.mids.len()).sum();
        self.elsewhere.remove(key);
        if messages > 0 {
            self.elsewhere.insert(key.to_vec(), messages);
        }
        if is_own {
            self.state = state.content();
        }
    }

    fn fact(&mut self, record: &Record) {
        let Ok(fact) = serde_json::from_slice::<Fact>(record.bytes()) else { return };
        if let FactBody::CustomerDeleted { items } = fact.body {
            self.erased.push(format!("erased at {}: {items} items", rfc3339(fact.occurred_at)));
        }
    }

    fn is_clean(&self) -> bool {
        !self.erased.is_empty()
            && !self.has_snapshot
            && self.state.is_empty()
            && self.elsewhere.is_empty()
            && self.customers.values().all(|stands| !stands)
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = self.erased.clone();
        if lines.is_empty() {
            lines.push("never erased, as far as the timeline reaches back".to_owned());
        }
        if self.has_snapshot {
            lines.push(format!("left: {}", Topic::Conversations.name()));
        }
        for key in self.customers.iter().filter(|(_, stands)| **stands).map(|(key, _)| key) {
            let what = key.split_once(':').map_or("profile", |(_, what)| what);
            lines.push(format!("left: {} ({what})", Topic::Customers.name()));
        }
        if !self.state.is_empty() {
            lines.push(format!("left: state ({})", self.state.join(", ")));
        }
        if !self.elsewhere.is_empty() {
            let messages: usize = self.elsewhere.values().sum();
            lines.push(format!("left: {messages} message ids with whom they were merged"));
        }
        if self.is_clean() {
            lines.push("nothing is left in state and compacted topics".to_owned());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::record::{CloudEvent, Output};
    use crate::conversation::ConversationStage;
    use crate::domain::command::{DeskCommand, DeskWish};
    use crate::domain::derive::{conversation_id, event_id};
    use crate::domain::details::DetailEdit;
    use crate::domain::event::{Content, ContentKind, Event, EventKind, MessageBody};
    use crate::domain::id::{AgentId, CommandId, MessageId};
    use crate::domain::settings::SettingsTable;
    use crate::domain::time::Timestamp;
    use crate::engine::rehearsal::Rehearsal;

    const NOW: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    fn record(output: Output) -> Record {
        Record {
            topic: output.topic,
            partition: 0,
            offset: 0,
            timestamp: NOW,
            key: Some(output.key),
            value: output.value,
            headers: output.headers,
        }
    }

    fn thread() -> Thread {
        Thread::from_key("1784:9").unwrap()
    }

    fn input(topic: Topic, value: &impl serde::Serialize) -> Record {
        let about = CloudEvent { id: "x", kind: "x", source: "/t", time: NOW, traceparent: None };
        record(Output::event(topic, &thread().key(), &about, value).unwrap())
    }

    fn says(text: &str) -> Record {
        let body = MessageBody {
            content: Content { kind: ContentKind::Text, text: Some(text.to_owned()) },
            attachments: Vec::new(),
            reply_to_mid: None,
            story: None,
            quick_reply: None,
            referral: None,
            standby: false,
            to_self: false,
            folder: None,
            app_id: None,
        };
        let event = Event {
            kind: EventKind::MessageReceived(body),
            event_id: event_id(&[text]),
            account_id: Some(thread().account_id),
            person_id: Some(thread().person_id),
            occurred_at: NOW,
            received_at: NOW,
            mid: Some(MessageId::parse(text).unwrap()),
        };
        input(Topic::EventsNormalized, &event)
    }

    fn wish(name: &str, wish: DeskWish) -> Record {
        let command = DeskCommand {
            wish,
            command_id: CommandId::parse(name).unwrap(),
            thread: thread(),
            conversation_id: conversation_id(&thread(), 1),
            agent_id: AgentId::parse("ana").unwrap(),
            issued_at: NOW,
        };
        input(Topic::DeskCommands, &command)
    }

    // Holds: R-154
    #[test]
    fn what_is_left_of_a_person_is_named_until_they_are_erased_and_when_they_write_again() {
        let mut stage = Rehearsal::new(ConversationStage, SettingsTable::default());
        let mut looked = Looked::new(thread()).unwrap();
        let mut step = |looked: &mut Looked, input: Record| {
            for output in stage.apply(&input).unwrap().outputs {
                looked.at(&record(output));
            }
            let mut bytes = Vec::new();
            let key = thread().key();
            stage.row(key.as_bytes()).unwrap().unwrap().encode(&mut bytes);
            looked.at(&Record { topic: Topic::ConversationChangelog, value: Some(bytes), ..input });
        };
        step(&mut looked, says("hello"));
        let to = Some("+4930123456".to_owned());
        let edits = vec![DetailEdit::Phone { to }];
        step(&mut looked, wish("c1", DeskWish::EditDetails { edits }));
        assert!(!looked.is_clean());
        let lines = looked.lines().join("\n");
        for part in ["never erased", "customers (details)", "conversations", "preview", "items"] {
            assert!(lines.contains(part), "{part} is not in {lines}");
        }
        assert!(!lines.contains("4930") && !lines.contains("hello"), "{lines}");
        step(&mut looked, wish("c2", DeskWish::Erase));
        let lines = looked.lines();
        assert!(looked.is_clean(), "{lines:?}");
        let expected = [
            "erased at 2023-11-14T22:13:20.000Z: 1 items",
            "nothing is left in state and compacted topics",
        ];
        assert_eq!(lines, expected);
        step(&mut looked, says("again"));
        assert!(!looked.is_clean(), "they wrote again: a customer of their own anew");
    }
}
