//! A row of the table `jobs`, to and from PostgreSQL.

use std::collections::{HashMap, HashSet};

use odd_contracts::ids::PayloadDigest;
use odd_contracts::{AttemptOutcome, Job, JobAttempt, JobId, JobRecord, JobStatus, Producer, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgBindIterExt as _, PgConnection, PgRow};
use sqlx::{Postgres, Row as _};
use uuid::Uuid;

use super::error::Fault;
use super::values::{Instant, JsonText};
use crate::StoreError;
use crate::job_store::ClaimToken;
use crate::lifecycle::Row;

/// Code of a status in the table. Never to change: it is stored.
pub(super) const fn status_code(status: JobStatus) -> i16 {
    match status {
        JobStatus::Pending => 0,
        JobStatus::Validated => 1,
        JobStatus::Scheduled => 2,
        JobStatus::Executing => 3,
        JobStatus::Retrying => 4,
        JobStatus::Completed => 5,
        JobStatus::Failed => 6,
        JobStatus::Cancelled => 7,
    }
}

fn status_of(code: i16) -> Result<JobStatus, StoreError> {
    JobStatus::ALL
        .into_iter()
        .find(|status| status_code(*status) == code)
        .ok_or_else(|| StoreError::Damaged(format!("no job status has the code {code}")))
}

/// JSON of a value of ours, which always has one.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<JsonText, StoreError> {
    serde_json::to_string(value)
        .map(JsonText)
        .map_err(|error| StoreError::Refused(error.into()))
}

pub(super) fn optional_json<T: Serialize>(value: Option<&T>) -> Result<Option<JsonText>, StoreError> {
    value.map(json).transpose()
}

fn count(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// An attempt as it is stored: its executor is left out where it is the one that first took the job.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredAttempt {
    number: u32,
    take: u32,
    started_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<AttemptOutcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    executor: Option<Producer>,
}

impl StoredAttempt {
    fn of(attempt: &JobAttempt, taken_by: &Producer) -> Self {
        Self {
            number: attempt.number,
            take: attempt.take,
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
            outcome: attempt.outcome,
            error: attempt.error.clone(),
            retry_at: attempt.retry_at,
            executor: (attempt.executor != *taken_by).then(|| attempt.executor.clone()),
        }
    }

    fn restore(self, taken_by: &Producer) -> JobAttempt {
        JobAttempt {
            number: self.number,
            take: self.take,
            started_at: self.started_at,
            finished_at: self.finished_at,
            outcome: self.outcome,
            error: self.error,
            retry_at: self.retry_at,
            executor: self.executor.unwrap_or_else(|| taken_by.clone()),
        }
    }
}

/// Attempts that ended, as they are stored.
pub(super) fn attempts_json(attempts: &[JobAttempt], taken_by: &Producer) -> Result<JsonText, StoreError> {
    if attempts.is_empty() {
        return Ok(JsonText("[]".to_owned()));
    }
    let stored: Vec<_> = attempts
        .iter()
        .map(|attempt| StoredAttempt::of(attempt, taken_by))
        .collect();
    json(&stored)
}

/// Reads columns by name.
pub(super) struct Columns<'r>(pub(super) &'r PgRow);

impl<'r> Columns<'r> {
    pub(super) fn get<T>(&self, column: &str) -> Result<T, sqlx::Error>
    where
        T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
    {
        self.0.try_get(column)
    }

    pub(super) fn time(&self, column: &str) -> Result<Timestamp, sqlx::Error> {
        Ok(self.get::<Instant>(column)?.0)
    }

    pub(super) fn optional_time(&self, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
        Ok(self.get::<Option<Instant>>(column)?.map(|instant| instant.0))
    }

    pub(super) fn id(&self) -> Result<JobId, sqlx::Error> {
        self.get::<Uuid>("id")
    }

    pub(super) fn status(&self) -> Result<JobStatus, Fault> {
        Ok(status_of(self.get("status")?)?)
    }

    pub(super) fn json<T>(&self, column: &str) -> Result<T, sqlx::Error>
    where
        T: DeserializeOwned + 'static,
    {
        Ok(self.get::<sqlx::types::Json<T>>(column)?.0)
    }

    pub(super) fn optional_json<T>(&self, column: &str) -> Result<Option<T>, sqlx::Error>
    where
        T: DeserializeOwned + 'static,
    {
        Ok(self
            .get::<Option<sqlx::types::Json<T>>>(column)?
            .map(|json| json.0))
    }

    pub(super) fn number(&self, column: &str) -> Result<u32, Fault> {
        u32::try_from(self.get::<i32>(column)?)
            .map_err(|_| StoreError::Damaged(format!("{column} is out of range")).into())
    }

    fn job(&self) -> Result<Job, Fault> {
        Ok(Job {
            id: self.id()?,
            job_type: self.get::<&str>("type")?.parse().map_err(
                |error: odd_contracts::job::InvalidJobType| StoreError::Damaged(error.to_string()),
            )?,
            status: self.status()?,
            created_at: self.time("created_at")?,
            updated_at: Some(self.time("updated_at")?),
            payload: self.optional_json("payload")?.unwrap_or_default(),
            metadata: self.optional_json("metadata")?.unwrap_or_default(),
            options: self.optional_json("options")?.unwrap_or_default(),
            retry_of: self.get("retry_of")?,
        })
    }

    fn record(&self) -> Result<JobRecord, Fault> {
        Ok(JobRecord {
            job: self.job()?,
            correlation_id: self.get("correlation_id")?,
            traceparent: self.get("traceparent")?,
            submitted_at: self.time("submitted_at")?,
            submitted_by: self.json("submitted_by")?,
            taken_at: self.time("taken_at")?,
            taken_by: self.json("taken_by")?,
            valid: self.get("valid")?,
            attempt: self.number("attempt")?,
            takes: self.number("takes")?,
            scheduled_for: self.optional_time("scheduled_for")?,
            finished_at: self.optional_time("finished_at")?,
            result: self.optional_json("result")?,
            error: self.optional_json("error")?,
            cancel_requested: self.get("cancel_requested")?,
        })
    }

    pub(super) fn row(&self) -> Result<Row, Fault> {
        let record = self.record()?;
        let stored: Vec<StoredAttempt> = self.json("attempts")?;
        let mut attempts: Vec<_> = stored
            .into_iter()
            .map(|attempt| attempt.restore(&record.taken_by))
            .collect();
        attempts.extend(self.open_attempt(&record)?);
        let digest: &[u8] = self.get("digest")?;
        let digest = digest.try_into().map_err(|_| {
            StoreError::Damaged(format!("the digest of job {} has a wrong length", record.job.id))
        })?;
        Ok(Row {
            attempts,
            digest: PayloadDigest(digest),
            lost: self.number("lost")?,
            due_at: self.optional_time("due_at")?,
            token: ClaimToken(self.get("token")?),
            backed: self.get("backed")?,
            record,
        })
    }

    /// The attempt that runs is kept in columns of its own, and joins the list when it ends.
    fn open_attempt(&self, record: &JobRecord) -> Result<Option<JobAttempt>, Fault> {
        let Some(started_at) = self.optional_time("started_at")? else {
            return Ok(None);
        };
        let executor: Option<Producer> = self.optional_json("executor")?;
        Ok(Some(JobAttempt {
            number: record.attempt,
            take: record.takes,
            started_at,
            finished_at: None,
            outcome: None,
            error: None,
            retry_at: None,
            executor: executor.unwrap_or_else(|| record.taken_by.clone()),
        }))
    }
}

/// Locks rows, in order of id, and returns them by id; ids that are not known are left out.
pub(super) async fn lock(connection: &mut PgConnection, ids: &[JobId]) -> Result<HashMap<JobId, Row>, Fault> {
    let found = sqlx::query("SELECT * FROM jobs WHERE id = ANY($1) ORDER BY id FOR UPDATE")
        .bind(ids)
        .fetch_all(connection)
        .await?;
    found
        .iter()
        .map(|row| Columns(row).row().map(|row| (row.record.job.id, row)))
        .collect()
}

/// What of a row changes after its insertion and has no plain column, ready to be bound.
struct Mutable<'a> {
    row: &'a Row,
    open: Option<&'a JobAttempt>,
    executor: Option<JsonText>,
    attempts: JsonText,
    error: Option<JsonText>,
    result: Option<JsonText>,
}

impl<'a> Mutable<'a> {
    fn of(row: &'a Row) -> Result<Self, StoreError> {
        let taken_by = &row.record.taken_by;
        let (closed, open) = match row.attempts.split_last() {
            Some((last, rest)) if last.outcome.is_none() => (rest, Some(last)),
            _ => (row.attempts.as_slice(), None),
        };
        let executor = open.map(|attempt| &attempt.executor).filter(|by| *by != taken_by);
        Ok(Self {
            row,
            open,
            executor: optional_json(executor)?,
            attempts: attempts_json(closed, taken_by)?,
            error: optional_json(row.record.error.as_ref())?,
            result: optional_json(row.record.result.as_ref())?,
        })
    }
}

/// Values of an optional column: none at all where every row leaves it out, which `unnest` fills up with nulls.
pub(super) fn sparse<T>(values: impl Iterator<Item = Option<T>>) -> Vec<Option<T>> {
    let values: Vec<_> = values.collect();
    if values.iter().all(Option::is_none) {
        return Vec::new();
    }
    values
}

type Bound<'q> = sqlx::query::Query<'q, Postgres, sqlx::postgres::PgArguments>;

/// Binds the columns that change after the insertion, in the order of the statements here.
fn bind_mutable<'q>(query: Bound<'q>, rows: &'q [Mutable<'q>]) -> Bound<'q> {
    let records = || rows.iter().map(|item| &item.row.record);
    query
        .bind(records().map(|record| status_code(record.job.status)).bind_iter())
        .bind(records().map(|record| record.cancel_requested).bind_iter())
        .bind(rows.iter().map(|item| item.row.backed).bind_iter())
        .bind(records().map(|record| count(record.attempt)).bind_iter())
        .bind(records().map(|record| count(record.takes)).bind_iter())
        .bind(rows.iter().map(|item| count(item.row.lost)).bind_iter())
        .bind(
            records()
                .map(|record| Instant(record.job.updated_at.unwrap_or(record.taken_at)))
                .bind_iter(),
        )
        .bind(sparse(
            rows.iter()
                .map(|item| item.open.map(|attempt| Instant(attempt.started_at))),
        ))
        .bind(sparse(records().map(|record| record.finished_at.map(Instant))))
        .bind(sparse(rows.iter().map(|item| item.row.due_at.map(Instant))))
        .bind(rows.iter().map(|item| item.row.token.0).bind_iter())
        .bind(sparse(rows.iter().map(|item| item.executor.as_ref())))
        .bind(rows.iter().map(|item| &item.attempts).bind_iter())
        .bind(sparse(rows.iter().map(|item| item.error.as_ref())))
        .bind(sparse(rows.iter().map(|item| item.result.as_ref())))
}

/// Inserts rows in their order, but for those whose ids are known. Returns which were inserted.
pub(super) async fn insert(connection: &mut PgConnection, new: &[Row]) -> Result<HashSet<JobId>, Fault> {
    struct Fixed {
        payload: JsonText,
        metadata: Option<JsonText>,
        options: Option<JsonText>,
        submitted_by: JsonText,
        taken_by: JsonText,
    }
    let mutable = new.iter().map(Mutable::of).collect::<Result<Vec<_>, _>>()?;
    let fixed = new
        .iter()
        .map(|row| {
            let job = &row.record.job;
            let metadata = Some(&job.metadata).filter(|metadata| !metadata.is_empty());
            let options = Some(&job.options).filter(|options| **options != Default::default());
            Ok(Fixed {
                payload: json(&job.payload)?,
                metadata: optional_json(metadata)?,
                options: optional_json(options)?,
                submitted_by: json(&row.record.submitted_by)?,
                taken_by: json(&row.record.taken_by)?,
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let records = || new.iter().map(|row| &row.record);
    let query = sqlx::query(INSERT)
        .bind(records().map(|record| record.job.id).bind_iter())
        .bind(records().map(|record| Instant(record.job.created_at)).bind_iter())
        .bind(records().map(|record| Instant(record.submitted_at)).bind_iter())
        .bind(records().map(|record| Instant(record.taken_at)).bind_iter())
        .bind(sparse(records().map(|record| record.scheduled_for.map(Instant))))
        .bind(sparse(records().map(|record| record.job.retry_of)))
        .bind(records().map(|record| record.valid).bind_iter())
        .bind(new.iter().map(|row| row.digest.0.as_slice()).bind_iter())
        .bind(records().map(|record| record.job.job_type.as_str()).bind_iter())
        .bind(fixed.iter().map(|item| &item.payload).bind_iter())
        .bind(sparse(fixed.iter().map(|item| item.metadata.as_ref())))
        .bind(sparse(fixed.iter().map(|item| item.options.as_ref())))
        .bind(records().map(|record| record.correlation_id.as_str()).bind_iter())
        .bind(sparse(records().map(|record| record.traceparent.as_deref())))
        .bind(fixed.iter().map(|item| &item.submitted_by).bind_iter())
        .bind(fixed.iter().map(|item| &item.taken_by).bind_iter());
    let inserted = bind_mutable(query, &mutable).fetch_all(connection).await?;
    let ids = inserted.iter().map(|row| row.try_get::<Uuid, _>(0));
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The columns in the order in which [`insert`] and [`bind_mutable`] bind them.
const INSERT: &str = "\
    INSERT INTO jobs (id, created_at, submitted_at, taken_at, scheduled_for, retry_of, valid, digest, type, payload, \
        metadata, options, correlation_id, traceparent, submitted_by, taken_by, \
        status, cancel_requested, backed, attempt, takes, lost, updated_at, started_at, finished_at, due_at, token, \
        executor, attempts, error, result) \
    SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], \
        $6::uuid[], $7::boolean[], $8::bytea[], $9::text[], $10::json[], $11::json[], $12::json[], $13::text[], \
        $14::text[], $15::json[], $16::json[], $17::smallint[], $18::boolean[], $19::boolean[], $20::integer[], \
        $21::integer[], $22::integer[], $23::timestamptz[], $24::timestamptz[], $25::timestamptz[], \
        $26::timestamptz[], $27::uuid[], $28::json[], $29::json[], $30::json[], $31::json[]) \
    ON CONFLICT (id) DO NOTHING RETURNING id";

pub(super) const UPDATE: &str = "\
    UPDATE jobs SET status = v.status, cancel_requested = v.cancel_requested, backed = v.backed, attempt = v.attempt, \
        takes = v.takes, lost = v.lost, updated_at = v.updated_at, started_at = v.started_at, \
        finished_at = v.finished_at, due_at = v.due_at, token = v.token, executor = v.executor, \
        attempts = v.attempts, error = v.error, result = v.result \
    FROM unnest($1::uuid[], $2::smallint[], $3::boolean[], $4::boolean[], $5::integer[], $6::integer[], \
        $7::integer[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::uuid[], \
        $13::json[], $14::json[], $15::json[], $16::json[]) \
        AS v(id, status, cancel_requested, backed, attempt, takes, lost, updated_at, started_at, finished_at, due_at, \
        token, executor, attempts, error, result) \
    WHERE jobs.id = v.id";

/// Writes rows back that were locked in the same transaction.
pub(super) async fn update(connection: &mut PgConnection, changed: &[&Row]) -> Result<(), Fault> {
    if changed.is_empty() {
        return Ok(());
    }
    let mutable = changed
        .iter()
        .copied()
        .map(Mutable::of)
        .collect::<Result<Vec<_>, _>>()?;
    let ids = changed.iter().map(|row| row.record.job.id).bind_iter();
    bind_mutable(sqlx::query(UPDATE).bind(ids), &mutable)
        .execute(connection)
        .await?;
    Ok(())
}
