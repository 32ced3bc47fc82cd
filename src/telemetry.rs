//! Where log lines go: one line per thing that happens, to standard error, filtered by `DMSTREAM_LOG`.

use std::io::IsTerminal;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// Said before what the filter says, which may say otherwise: sled cries out when a store is closed while it tidies up behind a
/// write. Whatever fails there comes back as an error, and is ours to say.
const BEFORE: &str = "sled=off";

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people; coloured where standard error is a terminal.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Starts logging. Later calls change nothing.
///
/// # Errors
///
/// The filter's, when `filter` is not one.
pub fn start(filter: &str, format: LogFormat) -> Result<(), ParseError> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(lines_of(filter)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(true);
    let started = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
    Ok(())
}

fn lines_of(filter: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(format!("{BEFORE},{filter}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stores_own_lines_are_off_unless_asked_for() {
        check("info", &["sled=off", "info"]);
        check("warn,dmstream::engine=debug", &["sled=off", "warn", "dmstream::engine=debug"]);
        check("info,sled=warn", &["sled=warn", "info"]);
        assert!(lines_of("info,sled=loud").is_err(), "a level there is not");

        #[track_caller]
        fn check(filter: &str, expected: &[&str]) {
            let shown = lines_of(filter).unwrap().to_string();
            let mut directives: Vec<&str> = shown.split(',').collect();
            directives.sort_unstable();
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(directives, expected);
        }
    }
}
