//! JSON Schemas of the public records, generated from their Rust types, and what would break a reader. Pure.
//!
//! `schemas/*.json` are these, committed; `schemas/released/` are those that readers rely on.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::command::{AgentCommand, CommandResult, DeskCommand};
use crate::domain::customer::CustomerRecord;
use crate::domain::event::Event;
use crate::domain::fact::{ConversationSnapshot, Fact};
use crate::domain::outbound::{OutboundSend, SendResult};
use crate::domain::routing::{AgentSnapshot, RoutingDecision, RoutingRequest};
use crate::domain::settings::SettingsRecord;
use crate::project::OutwardEvent;

/// Every public schema by the name `topics.yaml` calls it.
#[must_use]
pub fn all() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("event", schemars::schema_for!(Event).to_value()),
        ("desk-command", schemars::schema_for!(DeskCommand).to_value()),
        ("agent-command", schemars::schema_for!(AgentCommand).to_value()),
        ("command-result", schemars::schema_for!(CommandResult).to_value()),
        ("routing-request", schemars::schema_for!(RoutingRequest).to_value()),
        ("routing-decision", schemars::schema_for!(RoutingDecision).to_value()),
        ("agent-snapshot", schemars::schema_for!(AgentSnapshot).to_value()),
        ("outbound-send", schemars::schema_for!(OutboundSend).to_value()),
        ("send-result", schemars::schema_for!(SendResult).to_value()),
        ("fact", schemars::schema_for!(Fact).to_value()),
        ("conversation-snapshot", schemars::schema_for!(ConversationSnapshot).to_value()),
        ("customer", schemars::schema_for!(CustomerRecord).to_value()),
        ("settings", schemars::schema_for!(SettingsRecord).to_value()),
    ])
}

/// Schemas of what is served outwardly, in the words other desks use; no topic carries it.
#[must_use]
pub fn outward() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([("outward-event", schemars::schema_for!(OutwardEvent).to_value())])
}

/// What a reader of `old` would miss or misread in records of `new`, each with its place. Empty: compatible.
///
/// A new property, a new `type` or a new word of an enum is an addition readers must expect; what goes away, changes its
/// type or stops being required is a break.
#[must_use]
pub fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", old, new, &mut found);
    found
}

fn compare(place: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, old) in old {
                let place = format!("{place}/{key}");
                match (key.as_str(), new.get(key)) {
                    ("description" | "title" | "$schema" | "default", _) => (),
                    (_, None) => found.push(format!("{place} is gone")),
                    ("required" | "enum", Some(new)) => subset(&place, old, new, found),
                    ("oneOf" | "anyOf", Some(new)) => alternatives(&place, old, new, found),
                    (_, Some(new)) => compare(&place, old, new, found),
                }
            }
        }
        (old, new) if old == new => (),
        (old, new) => found.push(format!("{place} was {old}, is {new}")),
    }
}

fn subset(place: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    let empty = Vec::new();
    let new = new.as_array().unwrap_or(&empty);
    for word in old.as_array().unwrap_or(&empty) {
        if !new.contains(word) {
            found.push(format!("{place} no longer has {word}"));
        }
    }
}

/// Each old alternative must have a new one that breaks nothing of it.
fn alternatives(place: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    let empty = Vec::new();
    let new = new.as_array().unwrap_or(&empty);
    for old in old.as_array().unwrap_or(&empty) {
        if !new.iter().any(|new| breaks(old, new).is_empty()) {
            let name = old.pointer("/properties/type/const").or_else(|| old.get("const"));
            found.push(format!("{place} has nothing for {}", name.unwrap_or(old)));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_goes_away_or_changes_is_a_break_and_what_is_new_is_none() {
        let old = json!({"properties": {"a": {"type": "string"}}, "required": ["a"]});
        let wider = json!({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a", "b"]});
        check(&old, &old, &[]);
        check(&old, &wider, &[]);
        check(&wider, &old, &["/properties/b is gone", "/required no longer has \"b\""]);
        let other = json!({"properties": {"a": {"type": "integer"}}, "required": ["a"]});
        check(&old, &other, &["/properties/a/type was \"string\", is \"integer\""]);
        check(
            &json!({"enum": ["x", "y"]}),
            &json!({"enum": ["y", "z"]}),
            &["/enum no longer has \"x\""],
        );
        let one = json!({"oneOf": [{"const": "x"}]});
        check(&one, &json!({"oneOf": [{"const": "w"}, {"const": "x"}]}), &[]);
        check(&one, &json!({"oneOf": [{"const": "w"}]}), &["/oneOf has nothing for \"x\""]);

        #[track_caller]
        fn check(old: &Value, new: &Value, expected: &[&str]) {
            assert_eq!(breaks(old, new), expected);
        }
    }
}
