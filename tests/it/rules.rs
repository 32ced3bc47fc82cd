//! Which test holds which desk rule: a table of all rules, committed as `docs/rules.md`.
//!
//! A test says what it holds in a line `// Holds: R-24, R-26` above its `#[test]`. A rule nobody holds fails here, unless it
//! stands in `NOT_YET` with the reason; one that is held leaves that list.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Every rule and what it says, in a line each.
const RULES: &str = include_str!("rules.txt");

/// Rules without a test, and why.
const NOT_YET: &[(u32, &str)] = &[];

/// Rules held but for a part, and which.
const BUT_FOR: &[(u32, &str)] = &[
    (14, "other channels are not part of this program: they ask `GET /v1/customers?phone=…`"),
    (103, "no rules in sort order"),
    (
        138,
        "images are sent by address: their sizes are those declared with them, the rest Instagram judges",
    ),
];

/// A test, by file and name.
type Test = (PathBuf, String);

#[test]
fn every_rule_is_held_by_a_test_or_says_why_not() {
    let held = held();
    for (number, _) in rules() {
        let excused = NOT_YET.iter().any(|(rule, _)| *rule == number);
        let tests = held.get(&number).map_or(0, Vec::len);
        assert!(tests > 0 || excused, "R-{number}: no test holds it");
        assert!(tests == 0 || !excused, "R-{number} is held by {tests}: take it off NOT_YET");
    }
    let known: Vec<u32> = rules().iter().map(|(number, _)| *number).collect();
    let named = held.keys().copied().chain(BUT_FOR.iter().map(|(rule, _)| *rule));
    let strange: Vec<u32> = named.filter(|rule| !known.contains(rule)).collect();
    assert!(strange.is_empty(), "no such rules: {strange:?}");
    assert_eq!(known, (1..=157).collect::<Vec<u32>>());
}

#[test]
fn the_committed_table_is_that_of_the_tests() {
    let table = table(&held());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rules.md");
    fs::write(&path, &table).unwrap();
    let committed = fs::read_to_string("docs/rules.md").unwrap_or_default();
    assert!(committed == table, "docs/rules.md is old: copy {} there", path.display());
}

#[test]
fn a_line_that_holds_stands_above_a_test() {
    let text = "// Holds: R-1, R-22\n#[test]\nfn one() {}\n// Holds: R-3\nfn no_test() {}\n";
    assert_eq!(holds(text), [(Some("one".to_owned()), vec![1, 22]), (None, vec![3])]);
    let script = "// Holds: R-4\ntest(\"it is so\", () => {\n";
    assert_eq!(holds(script), [(Some("it is so".to_owned()), vec![4])]);
}

/// The rules each test holds.
fn held() -> BTreeMap<u32, Vec<Test>> {
    let mut held: BTreeMap<u32, Vec<Test>> = BTreeMap::new();
    let scripts = files_with(Path::new("tests/console"), "cjs");
    let code = ["src", "tests"].iter().flat_map(|dir| files_with(Path::new(dir), "rs"));
    for path in code.chain(scripts) {
        // This file shows what such lines look like.
        if path.ends_with("it/rules.rs") {
            continue;
        }
        for (name, rules) in holds(&fs::read_to_string(&path).unwrap()) {
            assert!(name.is_some(), "{}: a line holds no test: {rules:?}", path.display());
            let name = name.unwrap_or_default();
            for rule in rules {
                held.entry(rule).or_default().push((path.clone(), name.clone()));
            }
        }
    }
    held
}

/// What the lines of a file hold, and the test they stand above.
fn holds(text: &str) -> Vec<(Option<String>, Vec<u32>)> {
    let lines: Vec<&str> =
        text.lines().map(|line| line.trim().trim_end_matches(", () => {")).collect();
    let mut found = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let Some(rules) = line.strip_prefix("// Holds: ") else { continue };
        let rules = rules.split(", ").map(|rule| number(rule).unwrap()).collect();
        let below = lines.get(place + 1..).unwrap_or_default();
        // A script's test is named by its words: `test("…", () => {`.
        let script = below.first().and_then(|line| line.strip_prefix("test(\""));
        if let Some(name) = script.and_then(|line| line.strip_suffix('"')) {
            found.push((Some(name.to_owned()), rules));
            continue;
        }
        let is_test = below
            .first()
            .is_some_and(|line| *line == "#[test]" || line.starts_with("#[tokio::test"));
        let function = below.iter().find_map(|line| {
            let line = line.strip_prefix("async ").unwrap_or(line);
            line.strip_prefix("fn ")?.split('(').next()
        });
        found.push((function.filter(|_| is_test).map(str::to_owned), rules));
    }
    found
}

fn number(rule: &str) -> Option<u32> {
    rule.strip_prefix("R-")?.parse().ok()
}

fn rules() -> Vec<(u32, &'static str)> {
    let rule = |line: &'static str| {
        let (name, says) = line.split_once(' ')?;
        Some((number(name)?, says))
    };
    RULES.lines().map(|line| rule(line).unwrap()).collect()
}

fn table(held: &BTreeMap<u32, Vec<Test>>) -> String {
    let count = rules().len() - NOT_YET.len();
    let mut out = format!(
        "# Desk rules and the tests that hold them\n\n\
         {count} of {} rules are held. Written by `tests/it/rules.rs` from the `// Holds:` lines above tests; \
         `cargo test --test it rules` says when it is old.\n\n\
         | rule | says | held by |\n|---|---|---|\n",
        rules().len()
    );
    let why = |list: &[(u32, &'static str)], number| {
        list.iter().find(|(rule, _)| *rule == number).map(|(_, reason)| *reason)
    };
    for (number, says) in rules() {
        let tests = held.get(&number).map_or(&[][..], Vec::as_slice);
        let mut cell = cell(tests);
        if let Some(reason) = why(NOT_YET, number) {
            write!(cell, "**not yet**: {reason}").unwrap();
        }
        if let Some(part) = why(BUT_FOR, number) {
            write!(cell, "<br>**but for**: {part}").unwrap();
        }
        writeln!(out, "| R-{number} | {says} | {cell} |").unwrap();
    }
    out
}

fn cell(tests: &[Test]) -> String {
    let mut lines: Vec<String> = tests
        .iter()
        .map(|(path, name)| {
            let room = path.with_extension("");
            let room = room.strip_prefix("src").unwrap_or(&room).display().to_string();
            format!("`{room}` {}", name.replace('_', " "))
        })
        .collect();
    lines.sort();
    lines.join("<br>")
}

fn files_with(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_with(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            files.push(path);
        }
    }
    files.sort();
    files
}
