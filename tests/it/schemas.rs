//! The committed schemas are those of the code, and break no reader of those released.

use std::fs;
use std::path::Path;

use dmstream::schemas;
use dmstream::topics::catalogue;
use serde_json::Value;

#[test]
fn committed_schemas_are_those_of_the_code() {
    for (name, schema) in schemas::all() {
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
