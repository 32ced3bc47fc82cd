//! What the program registers, as a scrape shows it, and what does not fit to it.

use std::collections::{BTreeMap, BTreeSet};

use super::program::page_after;
use super::promql::{Selector, selectors};

/// Labels that a scrape adds.
pub(super) const OF_THE_SCRAPE: [&str; 2] = ["instance", "job"];

/// Labels whose values no type closes.
const OPEN: [&str; 4] = ["worker", "why", "topic", "partition"];

/// The series the program registers: for each name, its labels and the values they have from the start.
#[derive(Debug)]
pub(super) struct Registered(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Registered {
    /// Asks the program: one registry takes all it registers, as in a running process.
    pub(super) fn of_the_program() -> Self {
        let mut names = BTreeMap::new();
        let page = page_after(|_| ());
        let series = page.lines().filter(|line| !line.starts_with('#'));
        for selector in series.flat_map(selectors) {
            let labels: &mut BTreeMap<_, BTreeSet<_>> =
                names.entry(selector.metric.to_owned()).or_default();
            for (label, _, value) in selector.matchers {
                labels.entry(label.to_owned()).or_default().insert(value.to_owned());
            }
        }
        assert!(names.len() > 20, "only {} names are registered", names.len());
        Self(names)
    }

    /// Metrics as the code names them: a histogram once, without the parts Prometheus knows it by.
    pub(super) fn metrics(&self) -> BTreeSet<&str> {
        self.0.keys().map(|name| whole(name)).collect()
    }

    /// Whether some series of `metrics` has the label.
    pub(super) fn has_label(&self, metrics: &[Selector<'_>], label: &str) -> bool {
        let with = |selector: &Selector<'_>| self.0.get(selector.metric)?.get(label);
        OF_THE_SCRAPE.contains(&label) || metrics.iter().any(|selector| with(selector).is_some())
    }

    /// What `selector` names and the code does not register; empty: nothing.
    pub(super) fn strangers(&self, selector: &Selector<'_>) -> Vec<String> {
        let Some(labels) = self.0.get(selector.metric) else {
            return vec![format!("no metric {}", selector.metric)];
        };
        let mut found = Vec::new();
        for (label, operator, value) in &selector.matchers {
            if OF_THE_SCRAPE.contains(label) || value.contains('$') {
                continue;
            }
            let Some(values) = labels.get(*label) else {
                found.push(format!("{} has no label {label}", selector.metric));
                continue;
            };
            let alternatives = if operator.ends_with('~') { '|' } else { '\0' };
            for value in value.split(alternatives) {
                if !OPEN.contains(label) && !values.contains(value) {
                    found.push(format!("{} never has {label}=\"{value}\"", selector.metric));
                }
            }
        }
        found
    }
}

/// The metric a name belongs to.
pub(super) fn whole(name: &str) -> &str {
    let parts = ["_bucket", "_sum", "_count"];
    parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name)
}

#[test]
fn what_the_code_does_not_register_is_noticed() {
    // expression, what is strange in it
    check(r#"dmstream_records_total{stage="route",exit="emitted"}"#, &[]);
    check(r#"dmstream_commit_seconds_bucket{le="+Inf"}"#, &[]);
    check(r#"dmstream_sends_total{outcome=~"sent|failed", instance="a"}"#, &[]);
    check(r#"dmstream_partitions_assigned{worker="any"}"#, &[]);
    check("dmstream_record_total", &["no metric dmstream_record_total"]);
    check("dmstream_commit_seconds", &["no metric dmstream_commit_seconds"]);
    check(
        r#"dmstream_records_total{stage="rout",step="1"}"#,
        &[
            r#"dmstream_records_total never has stage="rout""#,
            "dmstream_records_total has no label step",
        ],
    );
    check(
        r#"dmstream_sends_total{outcome!~"sent|lost"}"#,
        &[r#"dmstream_sends_total never has outcome="lost""#],
    );

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let registered = Registered::of_the_program();
        let selectors = selectors(text);
        let found: Vec<String> =
            selectors.iter().flat_map(|selector| registered.strangers(selector)).collect();
        assert_eq!(found, expected);
    }
}
