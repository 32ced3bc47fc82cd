//! Raw webhooks to timeline and routing decisions, against the same records copied over the same hops.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::cluster::{Cluster, Held};
use super::load::{Load, MESSAGES_PER_PERSON};
use super::pass_through::{Hop, KeyOf, PassThrough, Stream};
use super::product::Product;
use super::report::{Runs, Table, grouped, percent, ratio};
use super::watch::{self, Took};
use super::{print, progress};
use crate::app::Error;
use crate::cli::BenchArgs;
use crate::clock::Clock;
use crate::config::Role;
use crate::topics::Topic;

/// What the conversation stage writes for an event, and under which key.
const CONVERSATION_WRITES: [(Topic, KeyOf); 4] = [
    (Topic::Timeline, KeyOf::Input),
    (Topic::Conversations, KeyOf::Input),
    (Topic::RoutingRequests, KeyOf::Company),
    (Topic::ConversationChangelog, KeyOf::InputLane),
];
/// What the route stage writes for a request.
const ROUTE_WRITES: [(Topic, KeyOf); 2] =
    [(Topic::RoutingDecisions, KeyOf::Input), (Topic::RouteChangelog, KeyOf::InputLane)];

/// What each topic was seen to hold after a run of the product.
pub(super) type Written = BTreeMap<Topic, Held>;

/// Prints rates of the product and of its limits.
pub(super) fn measure(args: &BenchArgs) -> Result<(), Error> {
    let cluster = super::cluster(args)?;
    let (mut ours, mut all, mut lean) = (Side::default(), Side::default(), Side::default());
    let mut written = Written::new();
    for _ in 0..args.runs {
        let (took, seen) = run_product(&cluster, args.records)?;
        ours.add(args.records, took);
        written = seen;
        all.add(args.records, run_limit(&cluster, args.records, &hops(&written, true))?);
        lean.add(args.records, run_limit(&cluster, args.records, &hops(&written, false))?);
    }
    let mut table = Table::new(&["", "webhooks/s", "spread", "ratio", "CPU µs a webhook"]);
    for (name, side) in [
        ("dmstream", &ours),
        ("limit: every record it writes, copied", &all),
        ("limit: one public record a hop, copied", &lean),
    ] {
        table.line(&[
            name.to_owned(),
            grouped(side.rates.median()),
            percent(side.rates.spread()),
            ratio(ours.rates.median(), side.rates.median()),
            format!("{:.1}", side.cpu.median()),
        ]);
    }
    print("pipeline", args, &table, &what_crossed(&written, args.records))
}

/// Rates and costs of one side.
#[derive(Debug, Default)]
struct Side {
    rates: Runs,
    cpu: Runs,
}

impl Side {
    fn add(&mut self, records: u32, took: Took) {
        self.rates.0.push(f64::from(records) / took.seconds.max(f64::MIN_POSITIVE));
        self.cpu.0.push(took.cpu_seconds * 1e6 / f64::from(records));
    }
}

/// A prefix nobody else uses.
pub(super) fn prefix() -> String {
    format!("bench-{:08x}.", StdRng::from_os_rng().random::<u32>())
}

fn run_product(cluster: &Cluster, records: u32) -> Result<(Took, Written), Error> {
    let prefix = prefix();
    let mut product = Product::set_up(cluster, &prefix)?;
    let named = |topic: Topic| format!("{prefix}{}", topic.name());
    let bar = progress(u64::from(records), "filling");
    let load = Load::of_records(records, Clock::System.now());
    cluster.fill(&named(Topic::WebhooksRaw), load, records, |n| bar.inc(n))?;
    bar.set_message("dmstream");
    bar.set_position(0);
    // The first hop starts when the others are ready, so that what is measured is work and not joining.
    product.start(&[Role::Conversation, Role::Route])?;
    product.start(&[Role::Normalize])?;
    let ends = [named(Topic::Timeline), named(Topic::RoutingDecisions)];
    let first = named(Topic::EventsNormalized);
    let took = watch::until_done(cluster, &first, &ends, (u64::from(records), &bar));
    bar.finish_and_clear();
    let stopped = product.stop();
    let took = took?;
    stopped?;
    let topics: Vec<String> = written_topics().map(named).collect();
    let mut held = cluster.survey(&topics)?;
    let seen = written_topics()
        .map(|topic| (topic, held.remove(&named(topic)).unwrap_or_default()))
        .collect();
    cluster.delete(&prefix)?;
    Ok((took, seen))
}

fn written_topics() -> impl Iterator<Item = Topic> {
    let stages = CONVERSATION_WRITES.iter().chain(&ROUTE_WRITES).map(|(topic, _)| *topic);
    [Topic::EventsNormalized, Topic::DeadLetters].into_iter().chain(stages)
}

fn run_limit(cluster: &Cluster, records: u32, plan: &[Hop]) -> Result<Took, Error> {
    let prefix = prefix();
    let named = |hop: &Hop| Hop {
        name: hop.name.clone(),
        inputs: hop.inputs.iter().map(|name| format!("{prefix}{name}")).collect(),
        outputs: hop
            .outputs
            .iter()
            .map(|stream| Stream { topic: format!("{prefix}{}", stream.topic), ..stream.clone() })
            .collect(),
    };
    let hops: Vec<Hop> = plan.iter().map(named).collect();
    let topic = |topic: Topic| format!("{prefix}{}", topic.name());
    let mut topics: Vec<String> = written_topics().map(topic).collect();
    topics.push(topic(Topic::WebhooksRaw));
    cluster.create(&topics)?;
    let bar = progress(u64::from(records), "filling");
    let load = Load::of_records(records, Clock::System.now());
    cluster.fill(&topic(Topic::WebhooksRaw), load, records, |n| bar.inc(n))?;
    bar.set_message("limit");
    bar.set_position(0);
    let running = PassThrough::start(cluster, &prefix, hops)?;
    let ends = [topic(Topic::Timeline), topic(Topic::RoutingDecisions)];
    let first = topic(Topic::EventsNormalized);
    let took = watch::until_done(cluster, &first, &ends, (u64::from(records), &bar));
    bar.finish_and_clear();
    let stopped = running.stop();
    let took = took?;
    stopped?;
    cluster.delete(&prefix)?;
    Ok(took)
}

/// What the copying loops write: all that the product wrote, or one public record a hop and a request for every person.
pub(super) fn hops(written: &Written, all: bool) -> Vec<Hop> {
    let inputs = |topics: &[Topic]| topics.iter().map(|topic| topic.name().to_owned()).collect();
    let none = Held::default();
    let held = |topic: &Topic| written.get(topic).unwrap_or(&none);
    let events = held(&Topic::EventsNormalized);
    let requests = held(&Topic::RoutingRequests);
    let one = 1.0;
    let per_person = one / f64::from(MESSAGES_PER_PERSON);
    let stream = |topic: Topic, per_input: f64, key: KeyOf| {
        let Held { headers, samples, .. } = held(&topic);
        let (topic, values) = (topic.name().to_owned(), samples.clone().into());
        Stream { topic, per_input, values, headers: *headers > 0, key }
    };
    let share = |topic: Topic, of: &Held| held(&topic).records as f64 / (of.records.max(1) as f64);
    let conversation = CONVERSATION_WRITES.iter().filter_map(|&(topic, key)| match (all, topic) {
        (true, topic) => Some(stream(topic, share(topic, events), key)),
        (false, Topic::Timeline) => Some(stream(topic, one, key)),
        (false, Topic::RoutingRequests) => Some(stream(topic, per_person, KeyOf::Input)),
        (false, _) => None,
    });
    let route = ROUTE_WRITES.iter().filter_map(|&(topic, key)| match (all, topic) {
        (true, topic) => Some(stream(topic, share(topic, requests), key)),
        (false, Topic::RoutingDecisions) => Some(stream(topic, one, key)),
        (false, _) => None,
    });
    vec![
        Hop {
            name: "normalize".to_owned(),
            inputs: inputs(&[Topic::WebhooksRaw]),
            outputs: vec![stream(Topic::EventsNormalized, one, KeyOf::Input)],
        },
        Hop {
            name: "conversation".to_owned(),
            inputs: inputs(&[Topic::EventsNormalized, Topic::RoutingDecisions]),
            outputs: conversation.collect(),
        },
        Hop {
            name: "route".to_owned(),
            inputs: inputs(&[Topic::RoutingRequests]),
            outputs: route.collect(),
        },
    ]
}

fn what_crossed(written: &Written, records: u32) -> String {
    let mut table = Table::new(&["written", "a webhook", "bytes each"]);
    for (topic, held) in written {
        let each = held.bytes.checked_div(held.records).unwrap_or(0);
        table.line(&[
            topic.name().to_owned(),
            format!("{:.3}", held.records as f64 / f64::from(records)),
            each.to_string(),
        ]);
    }
    format!(
        "{MESSAGES_PER_PERSON} messages a person, {} people\n\n{table}",
        records / MESSAGES_PER_PERSON
    )
}
