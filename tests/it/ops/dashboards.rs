//! What the dashboards ask Prometheus.

use std::fs;

use serde_json::Value;

/// A dashboard's file name and what it says, for every dashboard.
pub(super) fn all() -> Vec<(String, Value)> {
    let files = fs::read_dir("ops/grafana/dashboards").unwrap();
    let mut found: Vec<(String, Value)> = files
        .map(|file| file.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
        .map(|(path, text)| (path, serde_json::from_str(&text).unwrap()))
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(!found.is_empty(), "there is no dashboard");
    found
}

/// Every expression, panels' and annotations', with the text that names its place.
pub(super) fn queries(path: &str, dashboard: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    for panel in panels.chain(dashboard["annotations"]["list"].as_array().unwrap()) {
        let title = panel["title"].as_str().or_else(|| panel["name"].as_str()).unwrap();
        let targets = panel["targets"].as_array().into_iter().flatten();
        for query in targets.chain([panel]).filter_map(|target| target["expr"].as_str()) {
            found.push((format!("{path}: {title}"), query.to_owned()));
        }
    }
    found
}
