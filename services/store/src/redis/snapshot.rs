//! Reading the counts.

use std::collections::{BTreeMap, HashMap};

use odd_contracts::api::{Counters, TypeCounters};
use odd_contracts::names::metric::OTHER_TYPE;
use odd_contracts::{JobStatus, Timestamp};
use redis::{FromRedisValue, Value};

use crate::StoreError;

pub(super) fn read(answer: Value) -> Result<Counters, StoreError> {
    let fields = HashMap::<String, String>::from_redis_value(answer)
        .map_err(|error| StoreError::Damaged(format!("the counters: {error}")))?;
    if fields.is_empty() {
        return Err(StoreError::Damaged(
            "the counters are gone; they must be rebuilt".to_owned(),
        ));
    }
    let by_status: BTreeMap<_, _> = JobStatus::ALL
        .into_iter()
        .map(|status| (status, count(&fields, &format!("status:{}", status.name()))))
        .filter(|(_, jobs)| *jobs > 0)
        .collect();
    let last_event_at = fields.get("at").and_then(|at| at.parse().ok());
    Ok(Counters {
        total: by_status.values().sum(),
        by_status,
        retries: count(&fields, "retries"),
        dead_lettered: count(&fields, "dead_letters"),
        by_type: types(&fields),
        last_event_at: last_event_at.map(Timestamp::from_micros),
    })
}

fn types(fields: &HashMap<String, String>) -> BTreeMap<String, TypeCounters> {
    let named = fields.iter().filter_map(|(field, number)| {
        let name = field.strip_prefix("type:")?;
        Some((name.to_owned(), number.as_str()))
    });
    named
        .chain([(OTHER_TYPE.to_owned(), "0")])
        .map(|(name, number)| {
            let of = |what: &str| count(fields, &format!("count:{number}:{what}"));
            let counts = TypeCounters {
                total: of("total"),
                completed: of(JobStatus::Completed.name()),
                failed: of(JobStatus::Failed.name()),
                cancelled: of(JobStatus::Cancelled.name()),
            };
            (name, counts)
        })
        .filter(|(_, counts)| counts.total > 0)
        .collect()
}

/// Counts never fall below zero; a damaged one shows as zero.
fn count(fields: &HashMap<String, String>, field: &str) -> u64 {
    fields
        .get(field)
        .and_then(|value| value.parse().ok())
        .unwrap_or_default()
}
