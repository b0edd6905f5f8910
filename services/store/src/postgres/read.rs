//! Reading jobs.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use odd_contracts::api::{ExportedJob, JobState, JobSummary};
use odd_contracts::{JobId, JobOptions, JobStatus};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Postgres, QueryBuilder};

use super::database::Operation;
use super::error::Fault;
use super::row::{Columns, status_code};
use super::values::Instant;
use crate::job_store::{JobCursor, JobFilter, StoredJob};

/// Answers when the server does.
pub(super) struct Ping;

impl Operation for Ping {
    type Output = ();

    fn run<'c>(&'c mut self, connection: &'c mut PgConnection) -> BoxFuture<'c, Result<(), Fault>> {
        async move {
            sqlx::query("SELECT 1").execute(connection).await?;
            Ok(())
        }
        .boxed()
    }
}

/// One job.
pub(super) struct Get(pub(super) JobId);

impl Operation for Get {
    type Output = Option<StoredJob>;

    fn run<'c>(&'c mut self, connection: &'c mut PgConnection) -> BoxFuture<'c, Result<Self::Output, Fault>> {
        async move {
            let found = sqlx::query("SELECT * FROM jobs WHERE id = $1")
                .bind(self.0)
                .fetch_optional(connection)
                .await?;
            found.as_ref().map(stored).transpose()
        }
        .boxed()
    }
}

fn stored(row: &PgRow) -> Result<StoredJob, Fault> {
    let row = Columns(row).row()?;
    Ok(StoredJob {
        record: row.record,
        attempts: row.attempts,
        due_at: row.due_at,
    })
}

/// A page of the list.
pub(super) struct List<'a> {
    pub(super) filter: &'a JobFilter,
    pub(super) after: Option<JobCursor>,
    pub(super) limit: usize,
}

impl List<'_> {
    /// The statement. Its shape depends on the filter, so that each has the index that fits it.
    pub(super) fn statement(&self) -> QueryBuilder<Postgres> {
        let mut query = QueryBuilder::new("");
        let mut statuses = self.filter.statuses.clone();
        statuses.sort_unstable();
        statuses.dedup();
        if statuses.len() < 2 || statuses.contains(&JobStatus::Completed) {
            // Most jobs are COMPLETED: where they are asked for, the list itself is the way to them.
            self.branch(&mut query, &statuses);
            return query;
        }
        // The newest of each status, merged: an index has each of them in order, but not all of them.
        for (index, status) in statuses.iter().enumerate() {
            query.push(if index == 0 {
                "SELECT * FROM (("
            } else {
                ") UNION ALL ("
            });
            self.branch(&mut query, std::slice::from_ref(status));
        }
        query.push(")) AS found");
        self.order(&mut query);
        query
    }

    fn branch(&self, query: &mut QueryBuilder<Postgres>, statuses: &[JobStatus]) {
        query.push(
            "SELECT id, type, status, created_at, updated_at, attempt, options, submitted_at, taken_at, finished_at, \
             error FROM jobs WHERE true",
        );
        if !statuses.is_empty() {
            // Written out rather than bound, so that the planner sees whether the partial index has them all.
            query.push(" AND status IN (");
            let mut list = query.separated(", ");
            for status in statuses {
                list.push(status_code(*status));
            }
            query.push(")");
        }
        self.restrict(query);
        self.order(query);
    }

    fn restrict(&self, query: &mut QueryBuilder<Postgres>) {
        let filter = self.filter;
        if let Some(job_type) = &filter.job_type {
            query.push(" AND type = ").push_bind(job_type.clone());
        }
        if let Some(since) = filter.since {
            query.push(" AND created_at >= ").push_bind(Instant(since));
        }
        if let Some(until) = filter.until {
            query.push(" AND created_at < ").push_bind(Instant(until));
        }
        if let Some(text) = &filter.id_contains {
            query
                .push(" AND position(")
                .push_bind(text.to_ascii_lowercase())
                .push(" in id::text) > 0");
        }
        if let Some(cursor) = self.after {
            query
                .push(" AND (created_at, id) < (")
                .push_bind(Instant(cursor.created_at))
                .push(", ")
                .push_bind(cursor.id)
                .push(")");
        }
    }

    fn order(&self, query: &mut QueryBuilder<Postgres>) {
        query
            .push(" ORDER BY created_at DESC, id DESC LIMIT ")
            .push(i64::try_from(self.limit).unwrap_or(i64::MAX));
    }
}

impl Operation for List<'_> {
    type Output = Vec<JobSummary>;

    fn run<'c>(&'c mut self, connection: &'c mut PgConnection) -> BoxFuture<'c, Result<Self::Output, Fault>> {
        async move {
            // Planned for its very values each time, and not kept: there are many shapes.
            let mut statement = self.statement();
            let found = statement.build().persistent(false).fetch_all(connection).await?;
            found.iter().map(summary).collect()
        }
        .boxed()
    }
}

fn summary(row: &PgRow) -> Result<JobSummary, Fault> {
    let columns = Columns(row);
    let options: JobOptions = columns.optional_json("options")?.unwrap_or_default();
    let taken_at = columns.time("taken_at")?;
    let milliseconds = |time: Duration| time.as_micros() as f64 / 1_000.0;
    Ok(JobSummary {
        id: columns.id()?,
        job_type: columns.get("type")?,
        status: columns.status()?,
        created_at: columns.time("created_at")?,
        updated_at: columns.time("updated_at")?,
        attempt: columns.number("attempt")?,
        max_attempts: options.max_attempts(),
        queued_ms: Some(milliseconds(taken_at.since(columns.time("submitted_at")?))),
        ran_ms: columns
            .optional_time("finished_at")?
            .map(|end| milliseconds(end.since(taken_at))),
        error: columns.optional_json("error")?,
    })
}

/// Status of jobs.
pub(super) struct Lookup<'a>(pub(super) &'a [JobId]);

impl Operation for Lookup<'_> {
    type Output = Vec<JobState>;

    fn run<'c>(&'c mut self, connection: &'c mut PgConnection) -> BoxFuture<'c, Result<Self::Output, Fault>> {
        async move {
            let found = sqlx::query("SELECT id, type, status, error FROM jobs WHERE id = ANY($1)")
                .bind(self.0)
                .fetch_all(connection)
                .await?;
            found.iter().map(job_state).collect()
        }
        .boxed()
    }
}

fn job_state(row: &PgRow) -> Result<JobState, Fault> {
    let columns = Columns(row);
    Ok(JobState {
        id: columns.id()?,
        job_type: columns.get("type")?,
        status: columns.status()?,
        error: columns.optional_json("error")?,
    })
}

/// A page of the export.
pub(super) struct Export {
    pub(super) after: Option<JobId>,
    pub(super) limit: usize,
}

impl Export {
    /// The statement. What may be large and is not exported stays where it is.
    pub(super) fn statement(&self) -> QueryBuilder<Postgres> {
        let mut query = QueryBuilder::new(
            "SELECT id, created_at, submitted_at, taken_at, scheduled_for, retry_of, valid, digest, type, \
             NULL::json AS payload, NULL::json AS metadata, NULL::json AS options, correlation_id, traceparent, \
             submitted_by, taken_by, status, cancel_requested, backed, attempt, takes, lost, updated_at, started_at, \
             finished_at, due_at, token, executor, attempts, error, NULL::json AS result FROM jobs",
        );
        if let Some(after) = self.after {
            query.push(" WHERE id > ").push_bind(after);
        }
        query
            .push(" ORDER BY id LIMIT ")
            .push_bind(i64::try_from(self.limit).unwrap_or(i64::MAX));
        query
    }
}

impl Operation for Export {
    type Output = Vec<ExportedJob>;

    fn run<'c>(&'c mut self, connection: &'c mut PgConnection) -> BoxFuture<'c, Result<Self::Output, Fault>> {
        async move {
            let found = self.statement().build().fetch_all(connection).await?;
            found.iter().map(exported).collect()
        }
        .boxed()
    }
}

fn exported(row: &PgRow) -> Result<ExportedJob, Fault> {
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
}
