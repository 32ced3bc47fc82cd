//! The containers: what `docker-compose.yml`, `Dockerfile`, `.dockerignore` and `.env.example` say holds against the tree and the
//! program. Not here: whether an engine starts them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use clap::Parser;
use dmstream::cli::Cli;
use dmstream::config::Config;
use serde_norway::Value;

use super::promql::names_after;

/// Services that run an image built here.
const OURS: [&str; 2] = ["dmstream", "topics"];

/// The one service that does its work and ends.
const ONE_SHOT: &str = "topics";

#[test]
fn services_run_as_nobody_in_particular_and_may_do_nothing() {
    for (name, service) in services() {
        assert_eq!(service["read_only"], true, "{name}: writes to its root");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        let user = text(&service["user"]);
        let id: u32 = user.split(':').next().unwrap().parse().unwrap();
        assert!(id > 0, "{name} runs as root");
        assert!(service.get("privileged").is_none(), "{name} is privileged");
        assert!(service["logging"]["options"].get("max-size").is_some(), "{name}: logs for ever");
        let checked = service["healthcheck"].get("test").is_some();
        assert_eq!(checked, name != ONE_SHOT, "{name}: health");
    }
}

#[test]
fn what_is_published_listens_on_this_machine_alone() {
    let mut published = 0;
    for (name, service) in services() {
        for port in list(&service, "ports") {
            published += 1;
            let host = unset(&port);
            assert!(host.starts_with("127.0.0.1:"), "{name}: {port} is published to everybody");
        }
    }
    assert!(published > 0, "nothing is published");
}

#[test]
fn images_are_pinned_and_kafka_is_the_one_the_tests_run_on() {
    for (name, service) in services() {
        let image = text(&service["image"]);
        if OURS.contains(&name.as_str()) {
            assert_eq!(text(&service["build"]), ".", "{name}: {image} is built by nobody");
        } else {
            assert!(is_pinned(&image), "{name}: {image} may change overnight");
        }
    }
    let pom = read("scripts/kafka-broker/pom.xml");
    let (_, rest) = pom.split_once("<kafka.version>").unwrap();
    let (version, _) = rest.split_once('<').unwrap();
    assert_eq!(text(&compose()["services"]["kafka"]["image"]), format!("apache/kafka:{version}"));
    for from in instructions("FROM") {
        let image = from.split_whitespace().next().unwrap();
        assert!(is_pinned(image), "Dockerfile: {image} may change overnight");
    }
}

#[test]
fn what_services_refer_to_is_there() {
    let compose = compose();
    let declared = |kind: &str, name: &str| compose[kind].get(name).is_some();
    for (name, service) in services() {
        for volume in list(&service, "volumes") {
            let volume = unset(&volume);
            let mut parts = volume.split(':');
            let (source, mode) = (parts.next().unwrap(), parts.nth(1));
            if source.starts_with('.') {
                assert!(Path::new(source).exists(), "{name}: there is no {source}");
                assert_eq!(mode, Some("ro"), "{name}: may write {source}");
            } else {
                assert!(declared("volumes", source), "{name}: volume {source}");
            }
        }
        for network in list(&service, "networks") {
            assert!(declared("networks", &network), "{name}: network {network}");
        }
        let awaited = service.get("depends_on").and_then(Value::as_mapping).into_iter().flatten();
        for other in awaited.map(|(other, _)| text(other)) {
            assert!(declared("services", &other), "{name}: waits for {other}");
        }
    }
    assert!(read("ops/prometheus/prometheus.yml").contains(&target()));
    let source = read("ops/grafana/provisioning/datasources/prometheus.yml");
    assert!(source.contains("http://prometheus:9090"));
    let provider = read("ops/grafana/provisioning/dashboards/dmstream.yml");
    let mounts = texts(&compose["services"]["grafana"]["volumes"]);
    let shown = mounts.iter().find(|mount| mount.starts_with("./ops/grafana/dashboards:"));
    let inside = shown.unwrap().split(':').nth(1).unwrap();
    assert!(
        provider.contains(&format!("path: {inside}\n")),
        "the dashboards are mounted elsewhere"
    );
}

#[test]
fn the_program_understands_its_environment_and_its_commands() {
    for (name, service) in services().into_iter().filter(|(name, _)| OURS.contains(&name.as_str()))
    {
        let set = environment(&service);
        // An empty value says nothing, so that its name is asked for by itself.
        set.iter().for_each(|(name, _)| assert_known_setting(name));
        let config = Config::read(None, set).unwrap();
        assert_eq!(config.kafka_replication, Some(1), "{name}: one broker holds one copy");
        assert_command(&[&["dmstream".to_owned()], texts(&service["command"]).as_slice()].concat());
        if name == ONE_SHOT {
            assert!(config.admin_token.is_none(), "{name}: is given secrets that it does not need");
        } else {
            config.require_complete().unwrap();
            assert_command(&texts(&service["healthcheck"]["test"])[1..]);
        }
    }
    for setting in instructions("ENV").iter().flat_map(|line| line.split_whitespace()) {
        assert_known_setting(setting.split('=').next().unwrap());
    }
    let entry: Vec<String> = json(&instructions("ENTRYPOINT")[0]);
    let command: Vec<String> = json(&instructions("CMD")[0]);
    assert_command(&[entry, command].concat());
    let check = instructions("HEALTHCHECK");
    assert_command(&json::<Vec<String>>(check[0].split_once("CMD ").unwrap().1));
}

#[test]
fn the_image_and_the_services_agree_on_who_runs() {
    let user = instructions("USER");
    for name in OURS {
        assert_eq!(Some(&text(&compose()["services"][name]["user"])), user.last(), "{name}");
    }
}

#[test]
fn the_example_environment_asks_for_what_the_services_ask_for() {
    let compose = read("docker-compose.yml");
    let mut expected = BTreeMap::new();
    for variable in compose.split("${").skip(1) {
        let end = variable.find([':', '}']).unwrap();
        expected.insert(variable[..end].to_owned(), variable[end..].starts_with(":?"));
    }
    let mut found = BTreeMap::new();
    for line in read(".env.example").lines() {
        let is_set = !line.starts_with('#');
        let Some((name, value)) = line.trim_start_matches('#').split_once('=') else { continue };
        if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            assert_eq!(
                is_set,
                value.is_empty(),
                "{name}: no secret has a value, every default one"
            );
            found.insert(name.to_owned(), is_set);
        }
    }
    assert_eq!(found, expected, "name, must be set");
}

#[test]
fn the_example_settings_are_understood_as_they_stand_and_filled_in() {
    let path = Path::new("ops/dmstream.example.toml");
    Config::read(Some(path), []).unwrap();
    let lines = read("ops/dmstream.example.toml");
    let filled: String = lines
        .lines()
        .filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')))
        .map(|line| format!("{line}\n"))
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dmstream.toml");
    fs::write(&path, filled).unwrap();
    let config = Config::read(Some(&path), []).unwrap();
    let told = (config.accounts.len(), config.companies.len(), config.agents.len());
    assert_eq!(told, (1, 1, 1));
    assert!(!config.kafka_properties.is_empty());
}

#[test]
fn settings_and_commands_that_the_pages_name_exist() {
    let mut commands = 0;
    for page in ["README.md", "CHANGELOG.md", "schemas/README.md"] {
        let page = read(page);
        for name in names_after(&page, "DMSTREAM_").iter().filter(|name| !name.starts_with("TEST_"))
        {
            assert_known_setting(&format!("DMSTREAM_{name}"));
        }
        for command in page.split('`').filter(|quoted| quoted.starts_with("dmstream ")) {
            commands += 1;
            assert_command(&command.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        }
    }
    assert!(commands > 5, "only {commands} commands are named");
}

#[test]
fn the_build_is_given_what_it_compiles() {
    let mut needed = BTreeSet::from(["Cargo.toml".to_owned(), "Cargo.lock".to_owned()]);
    needed.insert("src/main.rs".to_owned());
    for file in crate::tidy::rust_files(Path::new("src")) {
        for included in included(&read(&file)) {
            let path = file.parent().unwrap().join(included).canonicalize().unwrap();
            let root = Path::new(".").canonicalize().unwrap();
            needed.insert(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
    assert!(needed.len() > 4, "nothing is included: {needed:?}");
    // Cargo looks for what its file declares, whatever is built of it.
    let manifest = read("Cargo.toml");
    for (table, dir) in
        [("[[bench]]", "benches"), ("[[example]]", "examples"), ("[[test]]", "tests")]
    {
        needed.extend(manifest.contains(table).then(|| dir.to_owned()));
    }
    // Packages beside this one, which it is built with.
    let paths =
        manifest.lines().filter_map(|line| line.split_once("{ path = \"")?.1.split('"').next());
    needed.extend(paths.map(str::to_owned));
    needed.extend(Path::new("build.rs").exists().then(|| "build.rs".to_owned()));
    let list = read(".dockerignore");
    let lines: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines[0], "*", "not a list of what is let in");
    let let_in: Vec<&str> = lines[1..].iter().map(|line| line.strip_prefix('!').unwrap()).collect();
    for path in &needed {
        let given = let_in.iter().any(|prefix| Path::new(path).starts_with(prefix));
        assert!(given, "{path} is compiled, and .dockerignore keeps it out");
    }
    let secret = let_in.iter().find(|name| name.starts_with(".env") || name.starts_with(".git"));
    assert_eq!(secret, None);
}

#[test]
fn deployment_tests_notice() {
    assert_eq!(included("a(include_str!(\"x.js\"), include_bytes!( \"../y\" ))"), ["x.js", "../y"]);
    assert!(is_pinned("debian:12.12-slim") && is_pinned("prom/prometheus:v3.5.0"));
    assert!(!is_pinned("debian:bookworm") && !is_pinned("debian") && !is_pinned("x:latest"));
    assert_eq!(unset("${A:-127.0.0.1:80}:80"), "127.0.0.1:80:80");
    assert_eq!(unset("80:80"), "80:80");
}

/// Fails for a variable that `src/config.rs` does not know.
#[track_caller]
pub(super) fn assert_known_setting(name: &str) {
    let read = Config::read(None, [(name.to_owned(), "1".to_owned())]);
    let unknown = read.is_err_and(|error| error.to_string().contains("unknown field"));
    assert!(!unknown, "{name} is no setting");
}

#[track_caller]
fn assert_command(words: &[String]) {
    assert_eq!(words.first().map(String::as_str), Some("dmstream"), "{words:?}");
    let refused = Cli::try_parse_from(words).err().map(|error| error.to_string());
    assert_eq!(refused, None, "{words:?}");
}

/// A version with a point in it: what it names does not change by itself.
fn is_pinned(image: &str) -> bool {
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    tag.contains('.') && tag.starts_with(|c: char| c.is_ascii_digit() || c == 'v')
}

/// What a text says when none of its variables is set.
fn unset(text: &str) -> String {
    let Some((before, rest)) = text.split_once("${") else { return text.to_owned() };
    let (variable, after) = rest.split_once('}').unwrap();
    let default = variable.split_once(":-").map_or("", |(_, default)| default);
    format!("{before}{default}{}", unset(after))
}

/// Paths that a source builds in.
fn included(source: &str) -> Vec<&str> {
    let macros = ["include_str!(", "include_bytes!(", "include!("];
    let uses = macros.iter().flat_map(|name| source.split(name).skip(1));
    uses.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next()).collect()
}

/// Where Prometheus finds the program: its service and its port there.
fn target() -> String {
    let listen = compose()["services"]["dmstream"]["environment"]["DMSTREAM_LISTEN"].clone();
    format!("\"dmstream:{}\"", text(&listen).rsplit(':').next().unwrap())
}

/// The service's environment, where everything that must be set is.
fn environment(service: &Value) -> Vec<(String, String)> {
    let pairs = service["environment"].as_mapping().unwrap().iter();
    pairs
        .map(|(name, value)| (text(name), text(value)))
        .map(|(name, value)| {
            let value = if value.contains(":?") { "placeholder".to_owned() } else { unset(&value) };
            (name, value)
        })
        .collect()
}

/// The arguments of every such instruction in the Dockerfile, lines joined.
fn instructions(name: &str) -> Vec<String> {
    let joined = read("Dockerfile").replace("\\\n", " ");
    let found: Vec<String> = joined
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .map(str::to_owned)
        .collect();
    assert!(!found.is_empty(), "the Dockerfile has no {name}");
    found
}

fn services() -> BTreeMap<String, Value> {
    let services = compose()["services"].as_mapping().unwrap().clone();
    services.into_iter().map(|(name, service)| (text(&name), service)).collect()
}

fn compose() -> Value {
    let mut compose: Value = serde_norway::from_str(&read("docker-compose.yml")).unwrap();
    compose.apply_merge().unwrap();
    compose
}

fn list(service: &Value, name: &str) -> Vec<String> {
    service.get(name).map(texts).unwrap_or_default()
}

#[track_caller]
fn texts(value: &Value) -> Vec<String> {
    value.as_sequence().unwrap().iter().map(text).collect()
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[track_caller]
fn json<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

#[track_caller]
fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}
