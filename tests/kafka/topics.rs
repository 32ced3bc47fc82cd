//! `topics check` and `apply` against a cluster of one broker.

use dmstream::broker::kafka::KafkaBroker;
use dmstream::broker::{Change, Difference};
use dmstream::topics::Topic;
use rdkafka::admin::{AdminOptions, AlterConfig, ResourceSpecifier};

use crate::world::{admin, create, settings, wait};

#[test]
fn what_is_missing_is_created_what_differs_is_set_and_partitions_are_left() {
    let mut settings = settings("topics");
    settings.partitions = Some(2);
    settings.replication = None;
    create(&settings, &[(Topic::DeskCommands, 1)]);
    let name = format!("{}{}", settings.topic_prefix, Topic::DeskCommands.name());
    let foreign = AlterConfig::new(ResourceSpecifier::Topic(&name)).set("segment.ms", "7777777");
    wait(admin(&settings).alter_configs([&foreign], &AdminOptions::new())).unwrap();
    let broker = KafkaBroker::connect(settings.clone()).unwrap();
    let missing = broker.check_topics().unwrap();
    let missing = missing.iter().filter(|one| one.difference == Difference::Missing);
    assert_eq!(missing.count(), Topic::ALL.len() - 1);

    let changes = broker.apply_topics().unwrap();
    let created = changes.iter().filter(|one| matches!(one.change, Change::Created { .. }));
    assert_eq!(created.count(), Topic::ALL.len() - 1);
    let timeline = changes.iter().find(|one| one.topic == Topic::Timeline).unwrap();
    let capped = Change::Created { partitions: 2, replication: 1, capped_from: Some(3) };
    assert_eq!(timeline.change, capped, "one broker has one copy, and it is said");
    let of_desk = || changes.iter().filter(|one| one.topic == Topic::DeskCommands);
    let refused = of_desk().find(|one| matches!(one.change, Change::Refused { .. })).unwrap();
    assert!(refused.to_string().contains("partition"), "{refused}");
    assert!(
        of_desk()
            .any(|one| matches!(&one.change, Change::Set { key, .. } if key == "retention.ms"))
    );

    // Only what was refused is left, and what others set is still there.
    let left = broker.check_topics().unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].difference, Difference::Partitions { declared: 2, found: 1 });
    let asked = [ResourceSpecifier::Topic(&name)];
    let described = wait(admin(&settings).describe_configs(&asked, &AdminOptions::new())).unwrap();
    let described = described.into_iter().next().unwrap().unwrap();
    assert_eq!(described.get("segment.ms").unwrap().value.as_deref(), Some("7777777"));
    assert_eq!(broker.partitions(Topic::Settings).unwrap(), 1, "fixed in topics.yaml");
}
