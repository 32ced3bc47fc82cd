//! The end of a simulation: waits for the product to catch up, then closes the books.
//!
//! Promise: bounded by the time given. Not here: what is compared (`reconcile.rs`).

use std::time::Duration;

use crate::clock::Stopwatch;

use super::books::Books;
use super::desk_client::Desk;
use super::happening::Happening;
use super::reconcile::{Reconciliation, Wrong};
use super::summary::Summary;

/// First and longest pause between two looks at the timelines while they settle.
const SETTLE_PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(4));

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The books, closed; prints itself.
    pub summary: Summary,
    /// The desk answered at the end; otherwise the comparison could not be made.
    pub compared: bool,
}

impl Outcome {
    /// Compared, nothing on its way, and no difference.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.compared && self.summary.on_the_way() == 0 && self.summary.reconciliation.agrees()
    }
}

/// Waits until nothing is on its way and the timelines agree, or the time is up; then closes the books.
pub(super) async fn settle(within: Duration, desk: &Desk, books: &Books) -> Outcome {
    let since = Stopwatch::start();
    let mut pause = SETTLE_PAUSES.0;
    loop {
        let found = desk.every_conversation().await.map(|conversations| {
            books.with(|ledger| Summary::of(ledger, ledger.reconcile(&conversations)))
        });
        let compared = found.is_some();
        let summary = found
            .unwrap_or_else(|| books.with(|ledger| Summary::of(ledger, Reconciliation::default())));
        let outcome = Outcome { summary, compared };
        let left = within.saturating_sub(since.elapsed());
        if outcome.is_clean() || beyond_repair(&outcome) || left.is_zero() {
            let differences = outcome.summary.reconciliation.differences.len();
            books.tell(Happening::Settled { differences });
            return outcome;
        }
        books.tell(Happening::Settling { open: outcome.summary.reconciliation.differences.len() });
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(SETTLE_PAUSES.1);
    }
}

/// Nothing on its way, and only differences left that waiting does not mend.
fn beyond_repair(outcome: &Outcome) -> bool {
    let differences = &outcome.summary.reconciliation.differences;
    outcome.compared
        && outcome.summary.on_the_way() == 0
        && !differences.is_empty()
        && differences.iter().all(|difference| match difference.what {
            Wrong::ShownTwice
            | Wrong::WrongThread
            | Wrong::WrongDirection
            | Wrong::NeverWritten
            | Wrong::SentTwice => true,
            Wrong::Lost
            | Wrong::NativeLost
            | Wrong::SentNotShown
            | Wrong::StillReadable
            | Wrong::EditNotShown
            | Wrong::WrongAuthor
            | Wrong::NotShownAsSent
            | Wrong::NeverSent
            | Wrong::Unreadable => false,
        })
}
