//! Whether ingress should be sent traffic: there is room, and what was last given to the broker was taken.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::time::{SECOND_MS, Timestamp};

/// After a delivery that failed, and none since that did not, others are better asked for so long. Then it is tried again:
/// without traffic nothing would ever be delivered.
const SHUN_MS: u64 = 10 * SECOND_MS;
/// With more than so many tenths of the room taken, others are better asked.
const FULL_TENTHS: u64 = 9;

/// What deliveries leave behind for whoever asks how they go.
#[derive(Debug, Default)]
pub struct Pulse {
    in_flight_bytes: AtomicU64,
    delivered_at_ms: AtomicU64,
    failed_at_ms: AtomicU64,
}

impl Pulse {
    /// Whether a delivery would probably be taken in, where so many bytes have room.
    #[must_use]
    pub fn is_ready(&self, in_flight_bytes_max: u32, now: Timestamp) -> bool {
        let in_flight = self.in_flight_bytes.load(Ordering::Relaxed);
        let full = in_flight.saturating_mul(10) > u64::from(in_flight_bytes_max) * FULL_TENTHS;
        let failed_at_ms = self.failed_at_ms.load(Ordering::Relaxed);
        let fails = failed_at_ms > self.delivered_at_ms.load(Ordering::Relaxed)
            && now.since_ms(Timestamp::from_ms(failed_at_ms)) < SHUN_MS;
        !full && !fails
    }

    pub(super) fn taken(&self, bytes: u32) {
        self.in_flight_bytes.fetch_add(u64::from(bytes), Ordering::Relaxed);
    }

    pub(super) fn given_back(&self, bytes: u32) {
        self.in_flight_bytes.fetch_sub(u64::from(bytes), Ordering::Relaxed);
    }

    pub(super) fn delivered(&self, now: Timestamp) {
        self.delivered_at_ms.store(now.as_ms(), Ordering::Relaxed);
    }

    pub(super) fn failed(&self, now: Timestamp) {
        self.failed_at_ms.store(now.as_ms(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + seconds * SECOND_MS)
    }

    #[test]
    fn one_that_could_not_deliver_is_shunned_for_a_while_and_a_full_one_while_it_is_full() {
        let pulse = Pulse::default();
        let ready = |seconds| pulse.is_ready(1_000, at(seconds));
        assert!(ready(0), "nothing was delivered yet, and nothing failed");
        pulse.failed(at(1));
        assert!(!ready(1) && !ready(10));
        assert!(ready(11), "it is tried again");
        pulse.failed(at(12));
        pulse.delivered(at(13));
        assert!(ready(13), "it was tried again");
        pulse.taken(900);
        assert!(ready(13));
        pulse.taken(1);
        assert!(!ready(13));
        pulse.given_back(1);
        assert!(ready(13));
    }
}
