//! The end-to-end stories on a real Kafka, and those that only a log shared by processes can tell.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use dmstream::broker::record::Record;
use dmstream::broker::{Broker, NextOffsets, PollBounds};
use dmstream::config::Config;
use dmstream::simulator::GraphFaults;
use dmstream::topics::Topic;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::shop::story::{
    Echo, Step, a_message_is_answered, an_unanswered_offer_goes_to_another_agent, the_demo_agrees,
};
use crate::shop::{Audit, Doors, Plan, Product, Shop, eventually, free_address, settings, write};
use crate::world;

/// Every stage's group, and what it reads.
pub(crate) const READS: [(&str, &[Topic]); 4] = [
    ("normalize", &[Topic::WebhooksRaw]),
    (
        "conversation",
        &[
            Topic::EventsNormalized,
            Topic::DeskCommands,
            Topic::RoutingDecisions,
            Topic::OutboundResults,
        ],
    ),
    ("route", &[Topic::RoutingRequests, Topic::AgentsCommands]),
    ("send", &[Topic::OutboundSends]),
];
const BATCH: PollBounds =
    PollBounds { records_max: 1_000, bytes_max: 8 << 20, wait: Duration::from_millis(100) };

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_answered_once_though_all_comes_twice_on_kafka() {
    a_message_is_answered(&kafka("story-twice"), Echo::AfterTheAnswer, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_answered_at_most_once_though_the_process_is_killed_on_kafka() {
    let kills = [Step::Accepted, Step::Replied];
    a_message_is_answered(&kafka("story-killed"), Echo::BeforeTheAnswer, &kills).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_nobody_answers_goes_to_another_agent_on_kafka() {
    an_unanswered_offer_goes_to_another_agent(&kafka("story-offer")).await;
}

#[test]
fn the_demo_loses_and_doubles_nothing_on_kafka() {
    the_demo_agrees(&["--seed", "6", "--kafka", &world::settings("demo").bootstrap]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_had_is_taken_over_by_the_living() {
    let plan = Plan { broker: kafka("story-dead"), faults: GraphFaults::NONE, company: "" };
    let broker = plan.broker.clone();
    let shop = Shop::open(plan).await;
    let mut second = one_more(&shop, "1", &broker).await;
    eventually("the second has lanes", async || {
        let series =
            "dmstream_partitions_assigned{stage=\"conversation\",worker=\"1-conversation-0\"}";
        (Doors::at(second.address).counted(series).await > 0).then_some(())
    })
    .await;
    let ana = shop.agent("ana").await;
    let mut written = Vec::new();
    for number in 0..24 {
        let said = shop.instagram.somebody_writes();
        if number == 12 {
            second.kill();
        }
        let first = number >= 12 || number % 2 == 0;
        let doors = if first { shop.doors() } else { Doors::at(second.address) };
        doors.deliver(std::slice::from_ref(&said)).await;
        written.push(said);
    }
    let all: Vec<String> =
        written.iter().map(|said| said.thread.person_id.as_str().to_owned()).collect();
    eventually("everybody is shown", async || {
        let shown = ana.look("/v1/conversations?limit=200").await.to_string();
        all.iter().all(|person| shown.contains(person)).then_some(())
    })
    .await;
    let id = ana.accepts_offer().await;
    let reply = serde_json::json!({ "text": "Still here." });
    ana.wish(&format!("/v1/conversations/{id}/replies"), reply).await;
    eventually("the reply is sent", async || (shop.instagram.taken() == 1).then_some(())).await;
    shop.instagram.echoes_delivered().await;
    let config = config(&shop.file);
    eventually("nothing is left to read", async || unread(&config).is_empty().then_some(())).await;
    shop.product.stop().await;

    let audit = Audit::of(&shop.file);
    assert_eq!(audit.violations, [""; 0]);
    let mut expected: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for said in &written {
        expected.entry(said.thread.key()).or_default().push(said.mid().as_str());
    }
    for (thread, mids) in expected {
        assert_eq!(audit.threads[&thread].received, mids, "{thread}");
    }
}

/// One more process on the same log, with a directory of its own, ready.
pub(crate) async fn one_more(shop: &Shop, instance: &str, broker: &str) -> Product {
    let address = free_address();
    let plan = Plan { broker: broker.to_owned(), faults: GraphFaults::NONE, company: "" };
    let text = settings(&plan, address, shop.instagram.graph_address);
    let dir = shop.file.parent().unwrap();
    let product = Product::start(&write(dir, instance, &text), address);
    product.ready().await;
    product
}

/// The configuration's lines for the real broker, under topics of this story's own.
pub(crate) fn kafka(story: &str) -> String {
    let settings = world::settings(story);
    format!(
        "kafka_bootstrap = {:?}\ntopic_prefix = {:?}\nkafka_replication = 1\nkafka_session_timeout_ms = 3000\n\
         kafka_transaction_timeout_ms = 5000",
        settings.bootstrap, settings.topic_prefix
    )
}

pub(crate) fn config(file: &Path) -> Config {
    Config::read(Some(file), std::iter::empty()).unwrap()
}

/// Committed records that a stage's group has not committed to have read, as `group topic/partition@offset`.
pub(crate) fn unread(config: &Config) -> Vec<String> {
    let broker = dmstream::app::open_broker(config, &dmstream::clock::Clock::System).unwrap();
    let mut left = Vec::new();
    for (group, topics) in READS {
        let from = committed(config, group, topics, &broker);
        let mut reader = broker.reader(&from).unwrap();
        loop {
            let batch = reader.poll(&BATCH).unwrap();
            let place = |record: &Record| {
                format!("{group} {}/{}@{}", record.topic.name(), record.partition, record.offset)
            };
            left.extend(batch.records.iter().map(place));
            if batch.at_end {
                break;
            }
        }
    }
    left
}

/// Where a group goes on.
fn committed(config: &Config, group: &str, topics: &[Topic], broker: &Broker) -> NextOffsets {
    let prefix = &config.topic_prefix;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", config.kafka_bootstrap.as_deref().unwrap())
        .set("group.id", format!("{prefix}{group}"))
        .create()
        .unwrap();
    let mut asked = TopicPartitionList::new();
    let mut from = NextOffsets::new();
    for topic in topics {
        for partition in 0..broker.partitions(*topic).unwrap() {
            let number = i32::try_from(partition).unwrap();
            asked.add_partition(&format!("{prefix}{}", topic.name()), number);
            from.insert((*topic, partition), 0);
        }
    }
    let answered = consumer.committed_offsets(asked, Duration::from_secs(20)).unwrap();
    for place in answered.elements() {
        if let Offset::Offset(next) = place.offset() {
            let topic = topics.iter().find(|topic| place.topic().ends_with(topic.name())).unwrap();
            let key = (*topic, u32::try_from(place.partition()).unwrap());
            from.insert(key, u64::try_from(next).unwrap());
        }
    }
    from
}
