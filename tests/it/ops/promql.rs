//! The names in an expression of Prometheus, or on a page it scrapes: as much of the grammar as `ops/` uses. Pure.

use std::collections::BTreeSet;

/// What all our series begin with.
pub(super) const PREFIX: &str = "dmstream_";

/// A series' name, as it stands in a text, and what is said in braces behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selector<'t> {
    pub(super) metric: &'t str,
    /// Label, operator, value.
    pub(super) matchers: Vec<(&'t str, &'t str, &'t str)>,
}

/// Every series of ours that `text` names, be it an expression, a page or prose.
pub(super) fn selectors(text: &str) -> Vec<Selector<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text.get(at..).and_then(|rest| rest.find(PREFIX)) {
        let start = at + next;
        let rest = &text[start..];
        let metric = &rest[..rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())];
        at = start + metric.len();
        if !text[..start].ends_with(is_of_name) {
            let braces = text[at..].strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let matchers = braces.map_or_else(Vec::new, |(inside, _)| matchers(inside));
            found.push(Selector { metric, matchers });
        }
    }
    found
}

fn matchers(inside: &str) -> Vec<(&str, &str, &str)> {
    let mut parts = inside.split('"');
    let mut found = Vec::new();
    while let (Some(head), Some(value)) = (parts.next(), parts.next()) {
        let head = head.trim_start_matches([',', ' ']);
        let operator = head.find(['=', '!']).unwrap_or(head.len());
        found.push((head[..operator].trim(), head[operator..].trim(), value));
    }
    found
}

/// Labels that `by (…)`, `on (…)` and the like name.
pub(super) fn groupings(text: &str) -> BTreeSet<&str> {
    let words = ["by (", "on (", "without (", "ignoring ("];
    let lists = words.iter().flat_map(|word| text.split(word).skip(1));
    lists
        .filter_map(|rest| rest.split_once(')'))
        .flat_map(|(list, _)| list.split(','))
        .map(str::trim)
        .collect()
}

/// What follows `before` in `text`, as far as it is a name: `$labels.` and `{{` of templates.
pub(super) fn names_after<'t>(text: &'t str, before: &str) -> Vec<&'t str> {
    let rests = text.split(before).skip(1);
    rests
        .map(|rest| rest.trim_start())
        .map(|rest| &rest[..rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())])
        .filter(|name| !name.is_empty())
        .collect()
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[test]
fn selectors_are_found_with_their_matchers() {
    let text = r#"sum(rate(dmstream_a_total{x="1",y=~"2|3"}[5m])) / dmstream_b and up{x="1"}"#;
    let first = Selector {
        metric: "dmstream_a_total",
        matchers: vec![("x", "=", "1"), ("y", "=~", "2|3")],
    };
    assert_eq!(selectors(text), [first, Selector { metric: "dmstream_b", matchers: Vec::new() }]);
    assert_eq!(selectors("no_dmstream_here"), []);
}

#[test]
fn labels_are_found_where_they_are_named() {
    let text = "sum by (stage, why) (x) and on (job) y";
    assert_eq!(groupings(text), BTreeSet::from(["job", "stage", "why"]));
    assert_eq!(
        names_after("{{ $labels.stage }} of {{ $labels.worker}}", "$labels."),
        ["stage", "worker"]
    );
    assert_eq!(names_after("{{stage}}: {{ why }}", "{{"), ["stage", "why"]);
}
