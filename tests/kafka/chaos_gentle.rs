//! A rolling restart: under the same load and before the same judges as `chaos`, but nothing breaks and nothing may move.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::chaos::{Chaos, Fault, Measure, tell};
use crate::chaos_load::Amount;
use crate::shop::eventually;
use crate::story::kafka;

const GENTLE: Measure = Measure {
    amount: Amount { webhooks: 300, rate_per_s: 40 },
    people: 200,
    kills: 0,
    lost_disks: 0,
    pauses: 0,
    scalings: 0,
    broker_kills: 0,
};
const STAGES: [&str; 5] = ["normalize", "conversation", "route", "send", "profile"];
/// As the shop's configuration says.
const PARTITIONS: usize = 4;
/// Between two looks at the one that goes on.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A process that is away for less than its session comes back to its lanes, and the other one never has them.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_moves_no_lane_and_loses_and_doubles_nothing() {
    let session = "kafka_session_timeout_ms = ";
    let broker = kafka("rolling").replace(&format!("{session}3000"), &format!("{session}30000"));
    let mut chaos = Chaos::begin(GENTLE, broker).await;
    let before = chaos.lanes_shared_out().await;
    for at in 0..before.len() {
        let other = before.len() - 1 - at;
        chaos.pause_ms(300, 1_000).await;
        let fenced = chaos.fleet.fenced(other).await;
        chaos.fleet.stop(at).await;
        chaos.fleet.start_again(at);
        eventually("it has its lanes again, and the other one its own", async || {
            assert_eq!(chaos.fleet.lanes(other).await, before[other], "of the one that goes on");
            tokio::time::sleep(LOOK_EVERY).await;
            (chaos.fleet.lanes(at).await == before[at]).then_some(())
        })
        .await;
        assert_eq!(
            chaos.fleet.fenced(other).await,
            fenced,
            "the one that goes on is not disturbed"
        );
    }
    chaos.look_after(Fault::Restarted, 2).await;
    for (at, lanes) in before.iter().enumerate() {
        assert_eq!(chaos.fleet.lanes(at).await, *lanes);
    }
    let (table, violations) = chaos.end().await;
    tell(&table);
    assert_eq!(violations, [""; 0], "{table}");
}

impl Chaos {
    /// Waits until two processes have half of the lanes of every stage each; which, by process.
    pub(crate) async fn lanes_shared_out(&self) -> Vec<BTreeSet<(String, u32)>> {
        eventually("two processes share all lanes out", async || {
            let lanes = [self.fleet.lanes(0).await, self.fleet.lanes(1).await];
            let halves = STAGES.iter().all(|stage| {
                let of = |at: usize| lanes[at].iter().filter(|(of, _)| of == stage).count();
                of(0) == PARTITIONS / 2 && of(1) == PARTITIONS / 2
            });
            (halves && lanes[0].is_disjoint(&lanes[1])).then_some(lanes.to_vec())
        })
        .await
    }
}
