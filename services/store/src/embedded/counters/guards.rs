//! Guards: per job the largest sequence seen, and the type that it is counted under.

use std::collections::{BTreeSet, HashMap};

use odd_contracts::names::metric::OTHER_TYPE;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::OTHER;
use super::batch::{Batch, Deltas, FoldedJob};
use crate::StoreError;
use crate::counters::MAX_TYPES;
use crate::embedded::database::classify;
use crate::embedded::event_log::bytes;
use crate::embedded::rows;

pub(super) struct Guard {
    pub(super) id: Uuid,
    pub(super) sequence: u32,
    pub(super) type_id: i64,
}

/// The guards that the batch moves forward; what they count goes into `deltas`.
pub(super) async fn advance_guards(
    connection: &mut SqliteConnection,
    generation: i64,
    batch: &Batch,
    deltas: &mut Deltas,
) -> Result<Vec<Guard>, StoreError> {
    if batch.jobs.is_empty() {
        return Ok(Vec::new());
    }
    let stored = read_guards(connection, generation, &batch.jobs).await?;
    let new_types: BTreeSet<&str> = batch
        .jobs
        .iter()
        .zip(&stored)
        .filter(|(_, stored)| stored.is_none())
        .map(|(job, _)| job.job_type.as_str())
        .collect();
    let types = ensure_types(connection, generation, new_types).await?;
    let mut advanced = Vec::with_capacity(batch.jobs.len());
    for (job, known) in batch.jobs.iter().zip(stored) {
        if known.is_some_and(|(sequence, _)| sequence >= job.sequence) {
            continue;
        }
        // A job stays under the type that it was first counted under.
        let type_id = known.map_or_else(
            || types.get(job.job_type.as_str()).copied().unwrap_or(OTHER),
            |(_, type_id)| type_id,
        );
        deltas.job(type_id, known.map(|(sequence, _)| sequence), job.sequence);
        advanced.push(Guard {
            id: job.id,
            sequence: job.sequence,
            type_id,
        });
    }
    Ok(advanced)
}

/// Of each of these jobs the sequence and the type that are stored of it.
async fn read_guards(
    connection: &mut SqliteConnection,
    generation: i64,
    jobs: &[FoldedJob],
) -> Result<Vec<Option<(u32, i64)>>, StoreError> {
    let ids = rows::json_array(jobs.iter().map(|job| job.id.as_simple()));
    // All of them in one row: each row of an answer costs about as much as finding it.
    let found: String = sqlx::query_scalar(
        "SELECT json_group_array(json_array(j.key, g.sequence, g.type_id)) FROM json_each(?) AS j
         CROSS JOIN counter_guards AS g ON g.generation = ? AND g.job_id = unhex(j.value)",
    )
    .bind(ids)
    .bind(generation)
    .fetch_one(connection)
    .await
    .map_err(classify)?;
    let found: Vec<(usize, u32, i64)> = serde_json::from_str(&found)
        .map_err(|error| StoreError::Damaged(format!("a counted job: {error}")))?;
    let mut guards = vec![None; jobs.len()];
    for (index, sequence, type_id) in found {
        if let Some(guard) = guards.get_mut(index) {
            *guard = Some((sequence, type_id));
        }
    }
    Ok(guards)
}

/// Rows of `counter_types` for these types; those that are beyond the limit are left out.
async fn ensure_types(
    connection: &mut SqliteConnection,
    generation: i64,
    mut names: BTreeSet<&str>,
) -> Result<HashMap<String, i64>, StoreError> {
    names.remove("");
    names.remove(OTHER_TYPE);
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query(
        "SELECT name, type_id FROM counter_types
         WHERE generation = ? AND name IN (SELECT value FROM json_each(?))",
    )
    .bind(generation)
    .bind(json_texts(&names)?)
    .fetch_all(&mut *connection)
    .await
    .map_err(classify)?;
    let mut types = HashMap::with_capacity(names.len());
    for row in &rows {
        let name: String = row.try_get(0).map_err(classify)?;
        types.insert(name, row.try_get(1).map_err(classify)?);
    }
    names.retain(|name| !types.contains_key(*name));
    if !names.is_empty() {
        types.extend(insert_types(connection, generation, names).await?);
    }
    Ok(types)
}

async fn insert_types(
    connection: &mut SqliteConnection,
    generation: i64,
    names: BTreeSet<&str>,
) -> Result<Vec<(String, i64)>, StoreError> {
    let last: i64 =
        sqlx::query_scalar("SELECT coalesce(max(type_id), 0) FROM counter_types WHERE generation = ?")
            .bind(generation)
            .fetch_one(&mut *connection)
            .await
            .map_err(classify)?;
    let new: Vec<_> = names
        .into_iter()
        .map(str::to_owned)
        .zip(last + 1..=MAX_TYPES as i64)
        .collect();
    rows::execute(
        connection,
        "INSERT INTO counter_types (generation, type_id, name, total, completed, failed, cancelled) VALUES",
        "",
        7,
        &new,
        |query, (name, type_id)| {
            query
                .bind(generation)
                .bind(*type_id)
                .bind(name.clone())
                .bind(0)
                .bind(0)
                .bind(0)
                .bind(0)
        },
    )
    .await?;
    Ok(new)
}

fn json_texts(texts: &BTreeSet<&str>) -> Result<String, StoreError> {
    serde_json::to_string(texts).map_err(|error| StoreError::Refused(error.into()))
}

pub(super) async fn write_guards(
    connection: &mut SqliteConnection,
    generation: i64,
    guards: &[Guard],
) -> Result<(), StoreError> {
    rows::execute(
        connection,
        "INSERT INTO counter_guards (generation, job_id, sequence, type_id) VALUES",
        "ON CONFLICT (generation, job_id) DO UPDATE SET sequence = excluded.sequence",
        4,
        guards,
        |query, guard| {
            query
                .bind(generation)
                .bind(bytes(guard.id))
                .bind(guard.sequence)
                .bind(guard.type_id)
        },
    )
    .await?;
    Ok(())
}

/// Remembers dead letters and tells how many are new.
pub(super) async fn write_dead_letters(
    connection: &mut SqliteConnection,
    generation: i64,
    ids: &[Uuid],
) -> Result<i64, StoreError> {
    let new = rows::execute(
        connection,
        "INSERT INTO counter_dead_letters (generation, id) VALUES",
        "ON CONFLICT (generation, id) DO NOTHING RETURNING 1",
        2,
        ids,
        |query, id| query.bind(generation).bind(bytes(*id)),
    )
    .await?;
    Ok(i64::try_from(new.len()).unwrap_or(i64::MAX))
}
