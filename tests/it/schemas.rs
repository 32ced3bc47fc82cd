//! The committed schemas are those of the code, break no reader of those released, and the analysts' page fits to them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dmstream::schemas;
use dmstream::topics::catalogue;
use serde_json::Value;

#[test]
fn committed_schemas_are_those_of_the_code() {
    for (name, schema) in schemas::all().into_iter().chain(schemas::outward()) {
        let path = format!("schemas/{name}.json");
        let committed = fs::read_to_string(&path).unwrap_or_default();
        let committed: Value = serde_json::from_str(&committed).unwrap_or_default();
        assert_eq!(committed, schema, "{path}: run `cargo run -- schemas write`");
    }
}

#[test]
fn no_schema_breaks_a_reader_of_the_released_one() {
    let released = Path::new("schemas/released");
    let mut compared = 0;
    for (name, schema) in schemas::all() {
        let text = fs::read_to_string(released.join(format!("{name}.json")));
        let Ok(text) = text else { continue };
        let breaks = schemas::breaks(&serde_json::from_str(&text).unwrap(), &schema);
        assert!(breaks.is_empty(), "{name}: {breaks:#?}");
        compared += 1;
    }
    assert!(compared > 0, "nothing is released, so nothing was compared");
}

#[test]
fn every_public_topic_has_a_schema_and_every_schema_a_topic() {
    let mut named: Vec<&str> = catalogue().topics.iter().map(|t| t.schema.as_str()).collect();
    named.retain(|name| *name != "none");
    named.sort_unstable();
    let schemas: Vec<&str> = schemas::all().into_keys().collect();
    assert_eq!(named, schemas);
}

#[test]
fn records_on_the_analysts_page_are_valid() {
    let page = analysts_page();
    let mut shown = 0;
    for block in page.split("```json ").skip(1) {
        let (name, rest) = block.split_once('\n').unwrap();
        let record: Value = serde_json::from_str(rest.split("```").next().unwrap()).unwrap();
        let schema = schemas::all().remove(name).or_else(|| schemas::outward().remove(name));
        let schema = schema.unwrap();
        let wrong = jsonschema::validate(&schema, &record).err().map(|error| error.to_string());
        assert_eq!(wrong, None, "{name}: {record:#}");
        shown += 1;
    }
    assert!(shown > 2, "only {shown} records are shown");
}

#[test]
fn the_analysts_page_names_the_topics_they_read_and_only_facts_that_exist() {
    let page = analysts_page();
    let quoted: BTreeSet<&str> = page.split('`').skip(1).step_by(2).collect();
    let prefixed = |name: &str| format!("dm.{name}");
    let topics: Vec<String> = catalogue().topics.iter().map(|t| prefixed(&t.name)).collect();
    for topic in &catalogue().topics {
        let read = topic.reads.iter().any(|reader| reader == "analytics");
        let named = quoted.contains(prefixed(&topic.name).as_str());
        assert!(!read || named, "{}: analysts read it and the page says nothing", topic.name);
    }
    for name in quoted.iter().filter(|name| name.starts_with("dm.") && **name != "dm.") {
        assert!(topics.iter().any(|topic| topic == name), "there is no topic {name}");
    }
    let facts = constants(&schemas::all()["fact"]);
    let (_, figures) = page.split_once("## From facts to figures").unwrap();
    let (figures, _) = figures.split_once("\n## ").unwrap();
    let of_name = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
    let is_type =
        |word: &&str| word.contains('.') && !word.starts_with('.') && word.chars().all(of_name);
    let named: Vec<&str> = figures.split('`').skip(1).step_by(2).filter(is_type).collect();
    assert!(named.len() > 10, "{named:?}");
    let strangers: Vec<&&str> = named.iter().filter(|name| !facts.contains(**name)).collect();
    assert!(strangers.is_empty(), "there are no such facts: {strangers:?}");
}

fn analysts_page() -> String {
    fs::read_to_string("schemas/README.md").unwrap()
}

/// Every constant of a schema.
fn constants(schema: &Value) -> BTreeSet<String> {
    match schema {
        Value::Object(object) => {
            let own = object.get("const").and_then(Value::as_str).map(str::to_owned);
            object.values().flat_map(constants).chain(own).collect()
        }
        Value::Array(list) => list.iter().flat_map(constants).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeSet::new(),
    }
}
