//! What `/livez` and `/readyz` say: restart me, and send me traffic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Clock;
use crate::domain::time::MINUTE_MS;
use crate::engine::worker::Pulse;
use crate::ingress::{self, Limits};

/// A worker that has not gone round for so long is stuck: half of Kafka's patience with a silent member.
const BEAT_WITHIN_MS: u64 = 2 * MINUTE_MS + MINUTE_MS / 2;

/// What both look at.
#[derive(Debug)]
pub(super) struct Health {
    pub(super) workers: Vec<Arc<Pulse>>,
    /// The views have caught up; none without a desk.
    pub(super) views: Option<Arc<AtomicBool>>,
    /// None without ingress.
    pub(super) ingress: Option<Arc<ingress::Pulse>>,
    pub(super) clock: Clock,
    pub(super) stopping: AtomicBool,
}

impl Health {
    /// Every worker has its lanes, restored; views have caught up; ingress has room and delivers; nobody is stopping.
    pub(super) fn is_ready(&self) -> bool {
        let now = self.clock.now();
        let joined = self.workers.iter().all(|worker| worker.joined.load(Ordering::Relaxed));
        let caught_up = self.views.as_ref().is_none_or(|views| views.load(Ordering::Relaxed));
        let room = Limits::default().in_flight_bytes_max;
        let delivers = self.ingress.as_ref().is_none_or(|pulse| pulse.is_ready(room, now));
        joined && caught_up && delivers && !self.stopping.load(Ordering::Relaxed)
    }

    /// Every worker is there and goes round, be it to try again. Says nothing about Kafka: its outage must not restart the
    /// fleet.
    pub(super) fn is_live(&self) -> bool {
        let now_ms = self.clock.now().as_ms();
        let stopping = self.stopping.load(Ordering::Relaxed);
        self.workers.iter().all(|worker| {
            let beat_at_ms = worker.beat_at_ms.load(Ordering::Relaxed);
            let beats = beat_at_ms == 0 || now_ms.saturating_sub(beat_at_ms) < BEAT_WITHIN_MS;
            beats && (stopping || !worker.ended.load(Ordering::Relaxed))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    /// One worker that has its lanes and went round a moment ago, under a clock moved by hand.
    fn health() -> Health {
        let clock = Clock::manual(Timestamp::from_ms(10 * MINUTE_MS));
        let worker = Pulse::default();
        worker.beat_at_ms.store(10 * MINUTE_MS, Ordering::Relaxed);
        worker.joined.store(true, Ordering::Relaxed);
        Health {
            workers: vec![Arc::new(worker)],
            views: None,
            ingress: None,
            clock,
            stopping: AtomicBool::new(false),
        }
    }

    #[test]
    fn it_lives_while_its_workers_go_round() {
        // what has become of the worker, minutes since it went round, whether that is a life
        check(|_| (), 0, true);
        check(|_| (), 2, true);
        check(|_| (), 3, false);
        check(|health| health.workers[0].joined.store(false, Ordering::Relaxed), 0, true);
        check(|health| health.workers[0].ended.store(true, Ordering::Relaxed), 0, false);
        check(|health| health.workers[0].beat_at_ms.store(0, Ordering::Relaxed), 60, true);
        let stopping = |health: &Health| {
            health.stopping.store(true, Ordering::Relaxed);
            health.workers[0].ended.store(true, Ordering::Relaxed);
        };
        check(stopping, 0, true);

        #[track_caller]
        fn check(change: impl Fn(&Health), minutes: u64, lives: bool) {
            let health = health();
            change(&health);
            health.clock.set(health.clock.now().plus_ms(minutes * MINUTE_MS));
            assert_eq!(health.is_live(), lives);
        }
    }

    #[test]
    fn it_is_ready_when_all_parts_are_and_nobody_stops_it() {
        check(|_| (), true);
        check(|health| health.workers[0].joined.store(false, Ordering::Relaxed), false);
        check(|health| health.views = Some(Arc::new(AtomicBool::new(false))), false);
        check(|health| health.views = Some(Arc::new(AtomicBool::new(true))), true);
        check(|health| health.ingress = Some(Arc::default()), true);
        check(|health| health.stopping.store(true, Ordering::Relaxed), false);

        #[track_caller]
        fn check(change: impl Fn(&mut Health), ready: bool) {
            let mut health = health();
            change(&mut health);
            assert_eq!(health.is_ready(), ready);
        }
    }
}
