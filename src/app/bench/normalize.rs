//! Normalizing webhooks against parsing the same JSON alone.

use std::hint::black_box;

use super::report::{Runs, Table, grouped, percent, ratio};
use super::{load, print, progress};
use crate::app::Error;
use crate::cli::BenchArgs;
use crate::clock::{Clock, Stopwatch};
use crate::domain::time::Timestamp;
use crate::normalize::{Accounts, normalize};

/// Webhooks as Meta documents them, each with its name.
const EXAMPLES: [(&str, &str); 8] = [
    ("text", include_str!("../../../schemas/examples/webhooks/message-text.json")),
    ("images", include_str!("../../../schemas/examples/webhooks/media-several.json")),
    ("story reply", include_str!("../../../schemas/examples/webhooks/message-story-reply.json")),
    ("quick reply", include_str!("../../../schemas/examples/webhooks/message-quick-reply.json")),
    ("ad referral", include_str!("../../../schemas/examples/webhooks/message-ad-referral.json")),
    ("echo", include_str!("../../../schemas/examples/webhooks/echo-text.json")),
    ("reaction", include_str!("../../../schemas/examples/webhooks/reaction-added.json")),
    ("batch", include_str!("../../../schemas/examples/webhooks/batch-of-two-accounts.json")),
];

/// Prints rates of both sides.
pub(super) fn measure(args: &BenchArgs) -> Result<(), Error> {
    let examples: Vec<Vec<u8>> =
        EXAMPLES.iter().map(|(_, body)| body.as_bytes().to_vec()).collect();
    let simulated: Result<Vec<Vec<u8>>, Error> = (0..1_000)
        .map(|n| load::Load::new(40, Clock::System.now()).webhook(n).map(|webhook| webhook.body))
        .collect();
    let mut table = Table::new(&[
        "bodies",
        "bytes each",
        "normalized/s",
        "spread",
        "parsed/s",
        "spread",
        "ratio",
        "ns a KB",
    ]);
    for (name, bodies) in [("Meta's examples", examples), ("simulated messages", simulated?)] {
        table.line(&compare(name, &bodies, args));
    }
    print(
        "normalize",
        args,
        &table,
        "limit: serde_json::from_slice::<Value> of the same bytes, one thread\n",
    )
}

fn compare(name: &str, bodies: &[Vec<u8>], args: &BenchArgs) -> Vec<String> {
    let (mut ours, mut limit) = (Runs::default(), Runs::default());
    let accounts = Accounts::of([]);
    let received_at = Timestamp::from_ms(1_700_000_000_000);
    let bar = progress(u64::from(args.runs) * 2, name);
    for _ in 0..args.runs {
        limit.0.push(rate(bodies, args.records, |body| {
            drop(black_box(serde_json::from_slice::<serde_json::Value>(body)));
        }));
        bar.inc(1);
        ours.0.push(rate(bodies, args.records, |body| {
            drop(black_box(normalize(body, received_at, &accounts)));
        }));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    let mean = bytes as f64 / bodies.len() as f64;
    let ns_a_kb = 1e9 / ours.median().max(1.0) * 1024.0 / mean;
    vec![
        name.to_owned(),
        grouped(mean),
        grouped(ours.median()),
        percent(ours.spread()),
        grouped(limit.median()),
        percent(limit.spread()),
        ratio(ours.median(), limit.median()),
        grouped(ns_a_kb),
    ]
}

/// How many a second.
fn rate(bodies: &[Vec<u8>], records: u32, mut work: impl FnMut(&[u8])) -> f64 {
    let watch = Stopwatch::start();
    let mut left = records;
    for body in bodies.iter().cycle() {
        if left == 0 {
            break;
        }
        left -= 1;
        work(black_box(body));
    }
    f64::from(records) / watch.elapsed().as_secs_f64()
}
