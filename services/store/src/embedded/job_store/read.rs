//! Reading jobs.

use std::time::Duration;

use odd_contracts::api::{ExportedJob, JobState, JobSummary};
use odd_contracts::{JobId, JobOptions, JobStatus, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};

use super::row::{Columns, status_code};
use crate::StoreError;
use crate::embedded::Database;
use crate::embedded::database::classify;
use crate::embedded::rows::json_array;
use crate::job_store::{JobCursor, JobFilter, StoredJob};

pub(super) async fn next_due(database: &Database) -> Result<Option<Duration>, StoreError> {
    let due: Option<i64> = sqlx::query_scalar("SELECT min(due_at) FROM jobs WHERE due_at IS NOT NULL")
        .fetch_one(database.readers())
        .await
        .map_err(classify)?;
    Ok(due.map(|due| Timestamp::from_micros(due).since(Timestamp::now())))
}

pub(super) async fn get(database: &Database, id: JobId) -> Result<Option<StoredJob>, StoreError> {
    let found = sqlx::query("SELECT * FROM jobs WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(database.readers())
        .await
        .map_err(classify)?;
    found.as_ref().map(stored).transpose()
}

fn stored(row: &SqliteRow) -> Result<StoredJob, StoreError> {
    let row = Columns(row).row()?;
    Ok(StoredJob {
        record: row.record,
        attempts: row.attempts,
        due_at: row.due_at,
    })
}

pub(super) async fn list(
    database: &Database,
    filter: &JobFilter,
    after: Option<JobCursor>,
    limit: usize,
) -> Result<Vec<JobSummary>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT id, type, status, created_at, updated_at, attempt, options, submitted_at, taken_at, finished_at, error \
         FROM jobs WHERE 1",
    );
    restrict(&mut query, filter);
    if let Some(cursor) = after {
        query
            .push(" AND (created_at, id) < (")
            .push_bind(cursor.created_at.micros())
            .push(", ")
            .push_bind(cursor.id.to_string())
            .push(")");
    }
    query
        .push(" ORDER BY created_at DESC, id DESC LIMIT ")
        .push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let found = query
        .build()
        .fetch_all(database.readers())
        .await
        .map_err(classify)?;
    found.iter().map(summary).collect()
}

fn restrict(query: &mut QueryBuilder<Sqlite>, filter: &JobFilter) {
    if !filter.statuses.is_empty() {
        query.push(" AND status IN (");
        let mut list = query.separated(", ");
        for status in &filter.statuses {
            list.push_bind(status_code(*status));
        }
        query.push(")");
        if !filter.statuses.contains(&JobStatus::Completed) {
            // Implied, but the planner needs it in these words to use the partial index.
            query.push(" AND status <> 5");
        }
    }
    if let Some(job_type) = &filter.job_type {
        query.push(" AND type = ").push_bind(job_type.clone());
    }
    if let Some(since) = filter.since {
        query.push(" AND created_at >= ").push_bind(since.micros());
    }
    if let Some(until) = filter.until {
        query.push(" AND created_at < ").push_bind(until.micros());
    }
    if let Some(text) = &filter.id_contains {
        query
            .push(" AND instr(id, ")
            .push_bind(text.to_ascii_lowercase())
            .push(") > 0");
    }
}

fn summary(row: &SqliteRow) -> Result<JobSummary, StoreError> {
    let columns = Columns(row);
    let options: Option<&str> = columns.get("options")?;
    let options: JobOptions = options
        .map(serde_json::from_str)
        .transpose()
        .map_err(|error| StoreError::Damaged(error.to_string()))?
        .unwrap_or_default();
    let taken_at = columns.time("taken_at")?;
    let milliseconds = |time: Duration| time.as_micros() as f64 / 1_000.0;
    Ok(JobSummary {
        id: columns.id()?,
        job_type: columns.get("type")?,
        status: columns.status()?,
        created_at: columns.time("created_at")?,
        updated_at: columns.time("updated_at")?,
        attempt: columns.get("attempt")?,
        max_attempts: options.max_attempts(),
        queued_ms: Some(milliseconds(taken_at.since(columns.time("submitted_at")?))),
        ran_ms: columns
            .optional_time("finished_at")?
            .map(|end| milliseconds(end.since(taken_at))),
        error: columns.get("error")?,
    })
}

pub(super) async fn lookup(database: &Database, ids: &[JobId]) -> Result<Vec<JobState>, StoreError> {
    let found =
        sqlx::query("SELECT id, type, status, error FROM jobs WHERE id IN (SELECT value FROM json_each(?))")
            .bind(json_array(ids))
            .fetch_all(database.readers())
            .await
            .map_err(classify)?;
    found
        .iter()
        .map(|row| {
            let columns = Columns(row);
            Ok(JobState {
                id: columns.id()?,
                job_type: columns.get("type")?,
                status: columns.status()?,
                error: columns.get("error")?,
            })
        })
        .collect()
}

pub(super) async fn export(
    database: &Database,
    after: Option<JobId>,
    limit: usize,
) -> Result<Vec<ExportedJob>, StoreError> {
    let found = sqlx::query("SELECT * FROM jobs WHERE id > ? ORDER BY id LIMIT ?")
        .bind(after.map(|id| id.to_string()).unwrap_or_default())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(database.readers())
        .await
        .map_err(classify)?;
    found
        .iter()
        .map(|row| {
            let stored = stored(row)?;
            let job = &stored.record.job;
            Ok(ExportedJob {
                id: job.id,
                status: job.status,
                submitted_at: stored.record.submitted_at,
                updated_at: job.updated_at.unwrap_or(stored.record.taken_at),
                due_at: stored.due_at,
                sequences: odd_contracts::history::sequences(&stored.record, &stored.attempts),
            })
        })
        .collect()
}
