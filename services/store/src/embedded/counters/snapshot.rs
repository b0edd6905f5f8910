//! Reading the counts.

use std::collections::BTreeMap;

use odd_contracts::api::TypeCounters;
use odd_contracts::{JobStatus, Timestamp};
use sqlx::{Row, SqliteConnection};

use super::status_code;
use crate::StoreError;
use crate::embedded::database::classify;

pub(super) async fn read_snapshot(
    connection: &mut SqliteConnection,
) -> Result<odd_contracts::api::Counters, StoreError> {
    let row = sqlx::query(
        "SELECT generation, retries, dead_letters, last_event_at
         FROM counter_generations JOIN counter_meta USING (generation)",
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(classify)?
    .ok_or_else(|| StoreError::Damaged("the counters are gone; they must be rebuilt".to_owned()))?;
    let generation: i64 = row.try_get(0).map_err(classify)?;
    let last_event_at: Option<i64> = row.try_get(3).map_err(classify)?;
    let by_status = read_statuses(connection, generation).await?;
    Ok(odd_contracts::api::Counters {
        total: by_status.values().sum(),
        by_status,
        retries: count(row.try_get(1).map_err(classify)?),
        dead_lettered: count(row.try_get(2).map_err(classify)?),
        by_type: read_types(connection, generation).await?,
        last_event_at: last_event_at.map(Timestamp::from_micros),
    })
}

async fn read_statuses(
    connection: &mut SqliteConnection,
    generation: i64,
) -> Result<BTreeMap<JobStatus, u64>, StoreError> {
    let rows = sqlx::query("SELECT status, jobs FROM counter_statuses WHERE generation = ? AND jobs <> 0")
        .bind(generation)
        .fetch_all(connection)
        .await
        .map_err(classify)?;
    let mut by_status = BTreeMap::new();
    for row in &rows {
        let code: i64 = row.try_get(0).map_err(classify)?;
        let status = JobStatus::ALL
            .into_iter()
            .find(|status| status_code(*status) == code)
            .ok_or_else(|| StoreError::Damaged(format!("a counter of status {code}")))?;
        by_status.insert(status, count(row.try_get(1).map_err(classify)?));
    }
    Ok(by_status)
}

async fn read_types(
    connection: &mut SqliteConnection,
    generation: i64,
) -> Result<BTreeMap<String, TypeCounters>, StoreError> {
    let rows = sqlx::query(
        "SELECT name, total, completed, failed, cancelled FROM counter_types WHERE generation = ? AND total <> 0",
    )
    .bind(generation)
    .fetch_all(connection)
    .await
    .map_err(classify)?;
    rows.iter()
        .map(|row| {
            let counters = TypeCounters {
                total: count(row.try_get(1).map_err(classify)?),
                completed: count(row.try_get(2).map_err(classify)?),
                failed: count(row.try_get(3).map_err(classify)?),
                cancelled: count(row.try_get(4).map_err(classify)?),
            };
            Ok((row.try_get(0).map_err(classify)?, counters))
        })
        .collect()
}

/// Counts never fall below zero; a damaged one shows as zero.
fn count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}
