//! The trace that what comes in belongs to: the sender's where it names one, else a new one.
//!
//! Every edge asks here, so that whatever a webhook or a command brings about can be found again by its trace.
//!
//! Source: W3C Trace Context, "Traceparent Header".

use std::hash::{BuildHasher, RandomState};

/// The trace context to write beside what came in: `header` when it is well-formed, else a new one.
#[must_use]
pub fn traceparent(header: Option<&str>) -> String {
    header.filter(|given| is_well_formed(given)).map_or_else(new, str::to_owned)
}

/// Version 00, four fields of lower-case hex, neither id all zeros.
fn is_well_formed(header: &str) -> bool {
    let fields: Vec<&str> = header.split('-').collect();
    let [version, trace, parent, flags] = fields.as_slice() else { return false };
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_id = |text: &str, digits: usize| {
        text.len() == digits && is_hex(text) && text.bytes().any(|digit| digit != b'0')
    };
    *version == "00" && is_id(trace, 32) && is_id(parent, 16) && flags.len() == 2 && is_hex(flags)
}

fn new() -> String {
    format!("00-{:016x}{:016x}-{:016x}-01", random(), random(), random())
}

/// Never zero. A fresh `RandomState` hashes under keys the operating system seeded: random enough to tell traces apart.
fn random() -> u64 {
    RandomState::new().hash_one(()) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_well_formed_trace_goes_on() {
        assert_eq!(traceparent(Some(GIVEN)), GIVEN);
    }

    #[test]
    fn anything_else_begins_a_new_one() {
        for odd in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            let trace = traceparent(Some(odd));
            assert_ne!(trace, odd);
            assert!(is_well_formed(&trace), "{trace}");
        }
        assert_ne!(traceparent(None), traceparent(None));
    }
}
