//! What the compiler cannot check about the house: every file says what it is for, no room reaches into another, a file that
//! calls itself pure is, and names stay in their one place.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms and the only crate paths each may name besides its own.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("store", &[]),
    ("broker", &["domain", "topics", "clock"]),
    ("engine", &["domain", "topics", "clock", "broker", "store", "metrics"]),
    ("ingress", &["domain", "topics", "clock", "broker", "secret"]),
    ("normalize", &["domain", "topics", "broker", "engine"]),
    ("conversation", &["domain", "topics", "broker", "engine"]),
    ("route", &["domain", "topics", "broker", "engine"]),
    ("send", &["domain", "topics", "broker", "engine", "secret", "clock"]),
    ("profile", &["domain", "topics", "broker", "engine", "secret", "clock"]),
    ("project", &["domain", "topics", "broker"]),
    ("desk", &["domain", "topics", "broker", "clock", "secret", "project"]),
    ("simulator", &["domain", "clock", "secret"]),
    (
        "simulation",
        &[
            "domain",
            "topics",
            "clock",
            "broker",
            "store",
            "engine",
            "metrics",
            "normalize",
            "conversation",
            "route",
            "send",
            "profile",
            "project",
            "simulator",
        ],
    ),
];

/// What a pure file may not name. Clocks and the environment are clippy's business already.
const IMPURE: &[&str] =
    &["async ", "std::fs", "std::net", "tokio::", "rdkafka::", "sled::", "rand::"];

/// Words that stand in one room alone, and where.
const ONE_PLACE: &[(&str, &[&str])] = &[
    // The limit's side of a measurement speaks to the cluster without the product.
    ("rdkafka::", &["src/broker/kafka", "src/app/bench"]),
    ("sled::", &["src/store", "src/broker/embedded"]),
    ("SystemTime::now", &["src/clock.rs"]),
    // Meta's JSON: read in `normalize`, written in `send`; the simulator has a mouth of its own.
    ("\"is_echo\"", &["src/normalize"]),
    ("\"messaging_type\"", &["src/send/graph.rs"]),
];

#[test]
fn every_file_opens_with_its_purpose() {
    let mut files = rust_files(Path::new("src"));
    files.extend(rust_files(Path::new("tests")));
    files.extend(rust_files(Path::new("crates")));
    let silent: Vec<&PathBuf> =
        files.iter().filter(|path| !read(path).starts_with("//! ")).collect();
    assert!(silent.is_empty(), "open these files with a `//!` line: {silent:?}");
}

#[test]
fn rooms_use_only_what_they_may() {
    for (room, may_use) in MAY_USE {
        let files = rust_files(&Path::new("src").join(room));
        assert!(!files.is_empty(), "`{room}` is not a room: correct MAY_USE");
        for path in files.iter().filter(|path| !is_test(path)) {
            let text = read(path);
            let strangers = strangers(code_of(&text), room, may_use);
            assert!(strangers.is_empty(), "{}: {strangers:?} not for `{room}`", path.display());
        }
    }
}

#[test]
fn pure_files_stay_pure() {
    let mut pure = 0;
    for path in rust_files(Path::new("src")) {
        let text = read(&path);
        let code = code_of(&text);
        if says_pure(code) {
            pure += 1;
            let found = impurities(code);
            assert!(found.is_empty(), "{}: pure, yet names {found:?}", path.display());
        }
    }
    assert!(pure > 20, "only {pure} files call themselves pure");
}

#[test]
fn what_has_one_place_stands_nowhere_else() {
    for (word, places) in ONE_PLACE {
        for path in rust_files(Path::new("src")) {
            let allowed = places.iter().any(|place| path.starts_with(place));
            let text = read(&path);
            let named =
                !is_test(&path) && lines_of_code(code_of(&text)).any(|line| line.contains(word));
            assert!(allowed || !named, "{}: `{word}` belongs in {places:?}", path.display());
        }
    }
}

#[test]
fn topic_names_stand_in_topics_yaml_alone() {
    let names: Vec<String> = dmstream::topics::catalogue()
        .topics
        .iter()
        .filter(|topic| topic.name.contains('.'))
        .map(|topic| format!("\"{}\"", topic.name))
        .collect();
    for path in rust_files(Path::new("src")).iter().filter(|path| !is_test(path)) {
        let text = read(path);
        for line in lines_of_code(code_of(&text)) {
            let named = names.iter().find(|name| line.contains(name.as_str()));
            assert!(named.is_none(), "{}: {named:?}: use `Topic`", path.display());
        }
    }
}

#[test]
fn tidy_notices() {
    assert_eq!(strangers("use crate::store::key;", "send", &["domain"]), ["store"]);
    assert_eq!(strangers("use crate::domain::id;", "send", &["domain"]), [""; 0]);
    assert!(says_pure("//! Time as data. Pure.\n"));
    assert_eq!(impurities("let now = tokio::time::Instant::now();"), ["tokio::"]);
    assert_eq!(code_of("code\n#[cfg(test)]\nmod tests {}"), "code\n");
}

fn strangers<'t>(text: &'t str, room: &str, may_use: &[&str]) -> Vec<&'t str> {
    text.split("crate::")
        .skip(1)
        .map(|used| used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(""))
        .filter(|name| *name != room && !may_use.contains(name))
        .collect()
}

fn says_pure(text: &str) -> bool {
    let purpose = text.lines().take_while(|line| line.starts_with("//!"));
    purpose.take(1).any(|line| line.contains("Pure"))
}

fn impurities(code: &str) -> Vec<&'static str> {
    IMPURE
        .iter()
        .copied()
        .filter(|word| lines_of_code(code).any(|line| line.contains(word)))
        .collect()
}

fn lines_of_code(code: &str) -> impl Iterator<Item = &str> {
    code.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// The text before the file's tests.
fn code_of(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or("")
}

fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("_test"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

pub(super) fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
