//! Topics and their names in the cluster. Pure.

use std::collections::BTreeMap;

use crate::topics::Topic;

/// Every topic's name with the prefix.
#[derive(Debug)]
pub(super) struct Names {
    by_topic: BTreeMap<Topic, String>,
}

impl Names {
    /// Names that begin with `prefix`.
    pub(super) fn new(prefix: &str) -> Self {
        let named = |topic: Topic| (topic, format!("{prefix}{}", topic.name()));
        Self { by_topic: Topic::ALL.into_iter().map(named).collect() }
    }

    /// The name of `topic`.
    pub(super) fn of(&self, topic: Topic) -> &str {
        self.by_topic.get(&topic).map_or_else(|| topic.name(), String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_its_name_behind_the_prefix() {
        let names = Names::new("shop.");
        for topic in Topic::ALL {
            assert_eq!(names.of(topic).strip_prefix("shop."), Some(topic.name()));
        }
    }
}
