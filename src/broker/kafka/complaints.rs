//! What Kafka clients complain about, told once per kind and time: a dead cluster makes every client complain every second.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::context::lock;
use crate::clock::Stopwatch;

/// How long the same complaint is not told again; how often it was made meanwhile is.
const QUIET_FOR: Duration = Duration::from_secs(30);

/// Kinds of complaints remembered at most; librdkafka has fewer codes.
const KINDS_MAX: usize = 256;

static TOLD: Mutex<BTreeMap<String, (Stopwatch, u64)>> = Mutex::new(BTreeMap::new());

/// Tells that a client of some `kind` complains, unless this was told a moment ago.
pub(super) fn tell(kind: &'static str, error: &KafkaError) {
    if let Some(untold) = due(format!("{kind} {error}")) {
        tracing::warn!(kafka.client = kind, kafka.error = %error, untold, "a Kafka client reports an error");
    }
}

/// Passes on what librdkafka logs, one line per `facility` and time: its lines differ in milliseconds only.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    let Some(untold) = due(facility.to_owned()) else { return };
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => {
            tracing::warn!(target: "librdkafka", facility, untold, "{message}");
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(target: "librdkafka", facility, untold, "{message}");
        }
    }
}

/// How often a complaint was held back since it was told last; `None` while it is held back.
fn due(complaint: String) -> Option<u64> {
    let mut told = lock(&TOLD);
    if told.len() >= KINDS_MAX {
        told.clear();
    }
    match told.get_mut(&complaint) {
        Some((since, untold)) if since.elapsed() < QUIET_FOR => {
            *untold += 1;
            None
        }
        Some(known) => Some(std::mem::replace(known, (Stopwatch::start(), 0)).1),
        None => {
            told.insert(complaint, (Stopwatch::start(), 0));
            Some(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_complaint_is_told_once_and_another_one_too() {
        assert_eq!(due("first, of a test".to_owned()), Some(0));
        assert_eq!(due("first, of a test".to_owned()), None);
        assert_eq!(due("second, of a test".to_owned()), Some(0));
    }
}
