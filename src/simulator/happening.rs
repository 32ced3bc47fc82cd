//! What the demo tells as it happens, and how a line of it reads. Pure.
//!
//! Names and texts are invented, so they may be shown. Not here: printing.

use crate::domain::time::{SECOND_MS, Timestamp};

/// Something worth a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A person did something.
    Wrote {
        /// Who.
        name: String,
        /// What, in words.
        what: String,
    },
    /// Somebody of the business answered in the Instagram app.
    NativeApp {
        /// To whom.
        name: String,
        /// What.
        what: String,
    },
    /// A robot did something.
    Agent {
        /// Which robot.
        agent: String,
        /// What, in words: `accepts`, `declines`, …
        did: &'static str,
        /// With whose conversation.
        name: String,
        /// What was said, if something was.
        text: Option<String>,
    },
    /// The Graph API took a message.
    Taken {
        /// For whom.
        name: String,
    },
    /// The simulation broke something on purpose.
    Fault {
        /// What.
        what: &'static str,
    },
    /// How it goes, now and then.
    Progress {
        /// Occurrences acknowledged so far.
        acknowledged: u64,
        /// Occurrences on their way.
        waiting: u64,
        /// Messages the Graph API took so far.
        taken: u64,
    },
    /// People are done; the product catches up.
    Settling {
        /// Items not yet right in the timeline.
        open: usize,
    },
    /// The books are closed.
    Settled {
        /// Differences left.
        differences: usize,
    },
}

impl Happening {
    /// Told however much else there is to tell.
    #[must_use]
    pub const fn always_told(&self) -> bool {
        match self {
            Self::Progress { .. } | Self::Settling { .. } | Self::Settled { .. } => true,
            Self::Wrote { .. }
            | Self::NativeApp { .. }
            | Self::Agent { .. }
            | Self::Taken { .. }
            | Self::Fault { .. } => false,
        }
    }
}

/// Turns happenings into lines, and keeps a flood of them readable.
#[derive(Debug)]
pub struct Narrator {
    lines_per_s: u32,
    second: u64,
    told: u32,
    untold: u64,
}

impl Narrator {
    /// A narrator who tells at most `lines_per_s` lines a second, and counts the rest.
    #[must_use]
    pub const fn new(lines_per_s: u32) -> Self {
        Self { lines_per_s, second: 0, told: 0, untold: 0 }
    }

    /// The line for a happening; `None` when this second has had its lines.
    pub fn line(&mut self, happening: &Happening, now: Timestamp) -> Option<String> {
        let second = now.as_ms() / SECOND_MS;
        if second != self.second {
            self.second = second;
            self.told = 0;
        }
        if !happening.always_told() {
            if self.told >= self.lines_per_s {
                self.untold += 1;
                return None;
            }
            self.told += 1;
        }
        let untold = std::mem::take(&mut self.untold);
        let more = if untold > 0 { format!("  (+{untold} untold)") } else { String::new() };
        Some(format!("{}{more}", words(happening)))
    }
}

fn words(happening: &Happening) -> String {
    match happening {
        Happening::Wrote { name, what } => format!("  ← {name}: {what}"),
        Happening::NativeApp { name, what } => format!("  ⌂ in the app, to {name}: {what}"),
        Happening::Agent { agent, did, name, text } => match text {
            Some(text) => format!("  → {agent} {did} {name}: {text}"),
            None => format!("  · {agent} {did} {name}"),
        },
        Happening::Taken { name } => format!("  ✓ Instagram took the message for {name}"),
        Happening::Fault { what } => format!("  ⚡ {what}"),
        Happening::Progress { acknowledged, waiting, taken } => format!(
            "{acknowledged} events acknowledged, {waiting} on their way; {taken} replies taken"
        ),
        Happening::Settling { open } => format!("people are done; {open} items still to settle"),
        Happening::Settled { differences: 0 } => "the books agree".to_owned(),
        Happening::Settled { differences } => format!("the books differ in {differences} places"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_what_was_cut_is_counted() {
        let mut narrator = Narrator::new(2);
        let wrote = Happening::Wrote { name: "Mia".to_owned(), what: "hi".to_owned() };
        let at = Timestamp::from_ms(1_000);
        assert_eq!(narrator.line(&wrote, at).as_deref(), Some("  ← Mia: hi"));
        assert!(narrator.line(&wrote, at).is_some());
        for _ in 0..3 {
            assert_eq!(narrator.line(&wrote, at), None, "two lines a second");
        }
        let settled = Happening::Settled { differences: 0 };
        let line = narrator.line(&settled, at);
        assert_eq!(line.as_deref(), Some("the books agree  (+3 untold)"));
        assert!(narrator.line(&wrote, at.plus_ms(SECOND_MS)).is_some(), "a new second");
    }
}
