//! Generations: building counters beside those in use, swapping them, dropping the old ones.

use sqlx::SqliteConnection;

use super::existing_generation;
use crate::embedded::database::classify;
use crate::{Generation, StoreError};

/// Guards of an abandoned generation that one write drops; other writes pass in between.
pub(super) const DROPPED_AT_ONCE: i64 = 10_000;

pub(super) async fn insert_generation(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    // The rows of a generation may outlive its entry while they are being dropped.
    sqlx::query_scalar(
        "INSERT INTO counter_generations (generation)
         SELECT 1 + max(
             coalesce((SELECT max(generation) FROM counter_generations), 0),
             coalesce((SELECT max(generation) FROM counter_meta), 0),
             coalesce((SELECT max(generation) FROM counter_guards), 0),
             coalesce((SELECT max(generation) FROM counter_types), 0),
             coalesce((SELECT max(generation) FROM counter_statuses), 0),
             coalesce((SELECT max(generation) FROM counter_dead_letters), 0))
         RETURNING generation",
    )
    .fetch_one(connection)
    .await
    .map_err(classify)
}

pub(super) async fn activate(connection: &mut SqliteConnection, generation: i64) -> Result<(), StoreError> {
    existing_generation(connection, Some(Generation(generation))).await?;
    for statement in [
        "INSERT INTO counter_meta (id, generation) VALUES (1, ?)
         ON CONFLICT (id) DO UPDATE SET generation = excluded.generation",
        "DELETE FROM counter_generations WHERE generation <> ?",
        "DELETE FROM counter_statuses WHERE generation <> ?",
        "DELETE FROM counter_types WHERE generation <> ?",
    ] {
        sqlx::query(statement)
            .bind(generation)
            .execute(&mut *connection)
            .await
            .map_err(classify)?;
    }
    Ok(())
}

pub(super) async fn drop_some(connection: &mut SqliteConnection, kept: i64) -> Result<bool, StoreError> {
    let mut dropped = 0;
    for statement in [
        "DELETE FROM counter_guards WHERE (generation, job_id) IN
         (SELECT generation, job_id FROM counter_guards WHERE generation < ? LIMIT ?)",
        "DELETE FROM counter_dead_letters WHERE (generation, id) IN
         (SELECT generation, id FROM counter_dead_letters WHERE generation < ? LIMIT ?)",
    ] {
        dropped += sqlx::query(statement)
            .bind(kept)
            .bind(DROPPED_AT_ONCE)
            .execute(&mut *connection)
            .await
            .map_err(classify)?
            .rows_affected();
    }
    Ok(dropped > 0)
}
