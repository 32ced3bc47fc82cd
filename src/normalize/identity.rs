//! What makes an event the same event: its id, equal whenever and however often Meta says it again. Pure.
//!
//! | event                           | its id is made of                                          |
//! |---------------------------------|------------------------------------------------------------|
//! | message, delete, postback, read | account, kind, mid                                         |
//! | edit                            | account, kind, mid, number                                 |
//! | reaction                        | account, kind, person, direction, mid, name, emoji, time   |
//! | anything without mid            | account, kind, person, time, and our words for it          |
//! | ignored, dead letter, test      | kind, reason, and the part itself, its keys in order       |
//!
//! The receipt time is in none of them: a second delivery has another one.

use std::collections::BTreeMap;

use crate::domain::derive;
use crate::domain::event::{Direction, EventKind, Reaction};
use crate::domain::id::EventId;
use crate::domain::time::Timestamp;
use crate::normalize::json::Node;

/// An event of a thread or an account, before it has an id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) kind: &'a EventKind,
    pub(super) account: &'a str,
    /// Empty where the platform names nobody.
    pub(super) person: &'a str,
    pub(super) mid: Option<&'a str>,
    /// By the platform's clock, where it says.
    pub(super) happened_at: Option<Timestamp>,
}

impl Named<'_> {
    /// Its id: what Meta repeats when it says the same again, and nothing else.
    pub(super) fn event_id(&self) -> EventId {
        let (account, name) = (self.account, self.kind.name());
        match (self.kind, self.mid) {
            (EventKind::MessageEdited { num_edit, .. }, Some(mid)) => {
                event_id(&[account, name, mid, &num_edit.to_string()])
            }
            (EventKind::ReactionAdded(reaction) | EventKind::ReactionRemoved(reaction), _) => {
                self.reaction_id(reaction)
            }
            (_, Some(mid)) => event_id(&[account, name, mid]),
            (kind, None) => {
                // Our own types always serialize, fields in their declared order.
                let said = serde_json::to_string(kind).unwrap_or_default();
                event_id(&[account, name, self.person, &self.time(), &said])
            }
        }
    }

    fn reaction_id(&self, reaction: &Reaction) -> EventId {
        let direction = match reaction.direction {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        };
        event_id(&[
            self.account,
            self.kind.name(),
            self.person,
            direction,
            reaction.target_mid.as_str(),
            reaction.reaction.as_deref().unwrap_or_default(),
            reaction.emoji.as_deref().unwrap_or_default(),
            &self.time(),
        ])
    }

    fn time(&self) -> String {
        self.happened_at.map_or_else(String::new, |at| at.as_ms().to_string())
    }
}

/// The id that `parts` name.
pub(super) fn event_id(parts: &[&str]) -> EventId {
    derive::event_id(parts)
}

/// A value as text, equal for equal values whatever order their keys had and however numbers were quoted.
pub(super) fn canonical(node: &Node<'_>) -> String {
    let mut text = String::new();
    write_canonical(node, &mut text);
    text
}

fn write_canonical(node: &Node<'_>, into: &mut String) {
    match node {
        Node::Null => into.push('~'),
        Node::Bool(true) => scalar("true", into),
        Node::Bool(false) => scalar("false", into),
        Node::Number(text) => scalar(text, into),
        Node::Text(text) => scalar(text, into),
        Node::List(nodes) => {
            into.push('[');
            for node in nodes {
                write_canonical(node, into);
            }
            into.push(']');
        }
        Node::Map(fields) => {
            // A map of references: the last of two equal keys stays, and null is an absent key.
            let fields: BTreeMap<&str, &Node<'_>> =
                fields.iter().map(|(key, value)| (key.as_ref(), value)).collect();
            into.push('{');
            for (key, value) in fields {
                if !matches!(value, Node::Null) {
                    scalar(key, into);
                    write_canonical(value, into);
                }
            }
            into.push('}');
        }
    }
}

/// Length first, so that no text can look like structure.
fn scalar(text: &str, into: &mut String) {
    into.push_str(&text.len().to_string());
    into.push(':');
    into.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::json::parse;

    #[test]
    fn whatever_is_named_gets_an_id() {
        assert_eq!(event_id(&[]).as_str().len(), 35);
        assert_eq!(event_id(&["\n", "\u{10ffff}"]).as_str().len(), 35);
    }

    #[test]
    fn equal_values_have_equal_text_and_others_do_not() {
        check(r#"{"a":1,"b":[2,3]}"#, r#"{"b":["2",3],"a":"1"}"#, true);
        check(r#"{"a":1,"a":2}"#, r#"{"a":2}"#, true);
        check(r#"{"a":null}"#, "{}", true);
        check(r#""\u0041""#, r#""A""#, true);
        check(r#"{"a":{"b":1}}"#, r#"{"a":1,"b":{}}"#, false);
        check("[1,2]", "[2,1]", false);
        check("[1,2]", "[12]", false);
        check(r#"["1:2"]"#, "[1,2]", false);

        #[track_caller]
        fn check(one: &str, other: &str, equal: bool) {
            let text = |body| canonical(&parse(body).unwrap());
            assert_eq!(text(one) == text(other), equal);
        }
    }
}
