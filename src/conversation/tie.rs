//! Whose profiles are one, as a record that is kept: `customers` knows it when `timeline` has forgotten. Pure.

use crate::broker::record::{CloudEvent, Output};
use crate::conversation::written::SOURCE;
use crate::domain::customer::{CustomerKey, CustomerMerge, CustomerRecord};
use crate::domain::derive::{customer_id, event_id};
use crate::domain::fact::{Fact, FactBody};
use crate::domain::time::Timestamp;
use crate::topics::Topic;

/// What a fact says of it: a merge, or the tombstone of one; `None` where it says nothing.
pub(super) fn tie(
    fact: &Fact,
    now: Timestamp,
    trace: Option<&str>,
) -> Result<Option<Output>, serde_json::Error> {
    let Some((key, merge)) = said(fact) else { return Ok(None) };
    let id = event_id(&["tie", &key.text(), fact.fact_id.as_str()]);
    let (id, kind, source, time) = (id.as_str(), "customer.merged", SOURCE, now);
    let event = CloudEvent { id, kind, source, time, traceparent: trace };
    let record = Output::event(Topic::Customers, &key.text(), &event, &merge)?;
    Ok(Some(Output { value: record.value.filter(|_| merge.is_some()), ..record }))
}

fn said(fact: &Fact) -> Option<(CustomerKey, Option<CustomerRecord>)> {
    if let FactBody::CustomerMerged { source, source_customer_id, .. } = &fact.body {
        let merge = CustomerRecord::Merged(CustomerMerge {
            customer_id: source_customer_id.clone(),
            thread: source.clone(),
            into: fact.thread.clone(),
            into_customer_id: customer_id(&fact.thread),
            merged_at: fact.occurred_at,
        });
        return Some((merge.key(), Some(merge)));
    }
    if let FactBody::CustomerUnmerged { source_customer_id, .. } = &fact.body {
        return Some((CustomerKey::Merged(source_customer_id.clone()), None));
    }
    // Whoever is erased goes on nowhere.
    let is_erased = matches!(fact.body, FactBody::CustomerDeleted { .. });
    is_erased.then(|| (CustomerKey::Merged(customer_id(&fact.thread)), None))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fact(body: &Value) -> Fact {
        let mut fact = json!({
            "fact_id": "fa-1", "number": 1, "channel": "INSTAGRAM_DIRECT", "company_id": "default",
            "account_id": "1784", "person_id": "9", "customer_id": "cu-any",
            "initiator": { "initiator": "customer" }, "occurred_at": 5, "recorded_at": 6,
        });
        for (name, value) in body.as_object().unwrap() {
            fact[name] = value.clone();
        }
        serde_json::from_value(fact).unwrap()
    }

    // Holds
    #[test]
    fn a_merge_is_kept_until_it_is_taken_back_or_its_person_is_erased() {
        let source = json!({ "account_id": "1784", "person_id": "8" });
        let merged = fact(&json!({
            "type": "customer.merged", "source": source, "source_customer_id": "cu-8",
        }));
        let output = tie(&merged, Timestamp::from_ms(7), None).unwrap().unwrap();
        assert_eq!((output.topic, output.key.as_slice()), (Topic::Customers, &b"cu-8:merged"[..]));
        let own = customer_id(&merged.thread);
        let value: Value = serde_json::from_slice(output.value.as_deref().unwrap()).unwrap();
        assert_eq!(
            value,
            json!({
                "type": "customer.merged", "customer_id": "cu-8", "account_id": "1784",
                "person_id": "8", "into": { "account_id": "1784", "person_id": "9" },
                "into_customer_id": own.as_str(), "merged_at": 5,
            })
        );
        let unmerged = fact(&json!({
            "type": "customer.unmerged", "source": source, "source_customer_id": "cu-8",
        }));
        check(&unmerged, "cu-8:merged");
        let erased = fact(&json!({ "type": "customer.deleted", "items": 3 }));
        check(&erased, &format!("{}:merged", own.as_str()));
        let other = fact(&json!({ "type": "conversation.created" }));
        assert_eq!(tie(&other, Timestamp::from_ms(7), None).unwrap(), None);

        #[track_caller]
        fn check(fact: &Fact, key: &str) {
            let output = tie(fact, Timestamp::from_ms(7), None).unwrap().unwrap();
            assert_eq!((output.key.as_slice(), output.value), (key.as_bytes(), None));
        }
    }
}
