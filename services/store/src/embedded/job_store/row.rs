//! A row of the table `jobs`, to and from SQLite.

use std::collections::HashMap;

use odd_contracts::ids::PayloadDigest;
use odd_contracts::{Job, JobAttempt, JobId, JobRecord, JobStatus, Producer, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::StoreError;
use crate::embedded::database::classify;
use crate::embedded::rows::{self, Bound};
use crate::job_store::ClaimToken;
use crate::lifecycle::Row;

/// Code of a status in the table. Never to change: it is stored.
pub(super) const fn status_code(status: JobStatus) -> i64 {
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

pub(super) fn status_of(code: i64) -> Result<JobStatus, StoreError> {
    JobStatus::ALL
        .into_iter()
        .find(|status| status_code(*status) == code)
        .ok_or_else(|| StoreError::Damaged(format!("no job status has the code {code}")))
}

/// JSON of a value of ours, which always has one.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused(error.into()))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn id_of(text: &str) -> Result<JobId, StoreError> {
    text.parse()
        .map_err(|_| StoreError::Damaged(format!("{text:?} is no job id")))
}

/// Reads columns by name. A wrong type means a damaged file.
pub(super) struct Columns<'r>(pub(super) &'r SqliteRow);

impl<'r> Columns<'r> {
    pub(super) fn get<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.0.try_get(column).map_err(classify)
    }

    pub(super) fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_micros(self.get(column)?))
    }

    pub(super) fn optional_time(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp::from_micros))
    }

    pub(super) fn id(&self) -> Result<JobId, StoreError> {
        id_of(self.get("id")?)
    }

    pub(super) fn status(&self) -> Result<JobStatus, StoreError> {
        status_of(self.get("status")?)
    }

    fn optional_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, StoreError> {
        self.get::<Option<&str>>(column)?.map(parse).transpose()
    }

    fn number(&self, column: &str) -> Result<u32, StoreError> {
        u32::try_from(self.get::<i64>(column)?)
            .map_err(|_| StoreError::Damaged(format!("{column} is out of range")))
    }

    fn job(&self) -> Result<Job, StoreError> {
        Ok(Job {
            id: self.id()?,
            job_type: self.get::<&str>("type")?.parse().map_err(
                |error: odd_contracts::job::InvalidJobType| StoreError::Damaged(error.to_string()),
            )?,
            status: self.status()?,
            created_at: self.time("created_at")?,
            updated_at: Some(self.time("updated_at")?),
            payload: parse(self.get("payload")?)?,
            metadata: self.optional_json("metadata")?.unwrap_or_default(),
            options: self.optional_json("options")?.unwrap_or_default(),
            retry_of: self.get::<Option<&str>>("retry_of")?.map(id_of).transpose()?,
        })
    }

    fn record(&self) -> Result<JobRecord, StoreError> {
        Ok(JobRecord {
            job: self.job()?,
            correlation_id: self.get("correlation_id")?,
            traceparent: self.get("traceparent")?,
            submitted_at: self.time("submitted_at")?,
            submitted_by: parse(self.get("submitted_by")?)?,
            taken_at: self.time("taken_at")?,
            taken_by: parse(self.get("taken_by")?)?,
            valid: self.get("valid")?,
            attempt: self.number("attempt")?,
            takes: self.number("takes")?,
            scheduled_for: self.optional_time("scheduled_for")?,
            finished_at: self.optional_time("finished_at")?,
            result: self.optional_json("result")?,
            error: self.get("error")?,
            cancel_requested: self.get("cancel_requested")?,
        })
    }

    pub(super) fn row(&self) -> Result<Row, StoreError> {
        let record = self.record()?;
        let mut attempts: Vec<JobAttempt> = parse(self.get("attempts")?)?;
        attempts.extend(self.open_attempt(&record)?);
        let digest: &[u8] = self.get("digest")?;
        let token: &[u8] = self.get("token")?;
        let damaged =
            |what: &str| StoreError::Damaged(format!("{what} of job {} has a wrong length", record.job.id));
        Ok(Row {
            attempts,
            digest: PayloadDigest(digest.try_into().map_err(|_| damaged("digest"))?),
            lost: self.number("lost")?,
            due_at: self.optional_time("due_at")?,
            token: ClaimToken(uuid::Uuid::from_slice(token).map_err(|_| damaged("token"))?),
            backed: self.get("backed")?,
            record,
        })
    }

    /// The attempt that runs is kept in columns of its own, and joins the list when it ends.
    fn open_attempt(&self, record: &JobRecord) -> Result<Option<JobAttempt>, StoreError> {
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

/// Rows by job id; ids that are not known are left out.
pub(super) async fn load(
    connection: &mut SqliteConnection,
    ids: impl IntoIterator<Item = JobId>,
) -> Result<HashMap<JobId, Row>, StoreError> {
    let found =
        sqlx::query("SELECT jobs.* FROM json_each(?) AS wanted CROSS JOIN jobs ON jobs.id = wanted.value")
            .bind(rows::json_array(ids))
            .fetch_all(connection)
            .await
            .map_err(classify)?;
    found
        .iter()
        .map(|row| Columns(row).row().map(|row| (row.record.job.id, row)))
        .collect()
}

/// What of a row changes after its insertion, ready to be bound.
struct Mutable {
    attempts: String,
    started_at: Option<i64>,
    executor: Option<String>,
    result: Option<String>,
}

impl Mutable {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let (closed, open) = match row.attempts.split_last() {
            Some((last, rest)) if last.outcome.is_none() => (rest, Some(last)),
            _ => (row.attempts.as_slice(), None),
        };
        Ok(Self {
            attempts: json(closed)?,
            started_at: open.map(|attempt| attempt.started_at.micros()),
            executor: open.map(|attempt| json(&attempt.executor)).transpose()?,
            result: row.record.result.as_ref().map(json).transpose()?,
        })
    }
}

/// Inserts rows whose ids are not known.
pub(super) async fn insert(connection: &mut SqliteConnection, new: &[Row]) -> Result<(), StoreError> {
    struct Prepared<'a> {
        row: &'a Row,
        mutable: Mutable,
        payload: String,
        metadata: Option<String>,
        options: Option<String>,
        submitted_by: String,
        taken_by: String,
    }
    let prepared = new
        .iter()
        .map(|row| {
            let job = &row.record.job;
            Ok(Prepared {
                row,
                mutable: Mutable::of(row)?,
                payload: json(&job.payload)?,
                metadata: (!job.metadata.is_empty())
                    .then(|| json(&job.metadata))
                    .transpose()?,
                options: (job.options != Default::default())
                    .then(|| json(&job.options))
                    .transpose()?,
                submitted_by: json(&row.record.submitted_by)?,
                taken_by: json(&row.record.taken_by)?,
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    const BEFORE: &str = "INSERT OR FAIL INTO jobs (id, type, created_at, digest, payload, metadata, options, retry_of, \
         correlation_id, traceparent, submitted_at, submitted_by, taken_at, taken_by, valid, scheduled_for, \
         status, updated_at, attempt, takes, lost, started_at, executor, attempts, finished_at, result, error, \
         cancel_requested, due_at, token, backed) VALUES";
    rows::execute(
        connection,
        BEFORE,
        "",
        16 + MUTABLE_COLUMNS,
        &prepared,
        |query, item| {
            let record = &item.row.record;
            let job = &record.job;
            let query = query
                .bind(job.id.to_string())
                .bind(job.job_type.as_str().to_owned())
                .bind(job.created_at.micros())
                .bind(item.row.digest.0.to_vec())
                .bind(item.payload.clone())
                .bind(item.metadata.clone())
                .bind(item.options.clone())
                .bind(job.retry_of.map(|id| id.to_string()))
                .bind(record.correlation_id.clone())
                .bind(record.traceparent.clone())
                .bind(record.submitted_at.micros())
                .bind(item.submitted_by.clone())
                .bind(record.taken_at.micros())
                .bind(item.taken_by.clone())
                .bind(record.valid)
                .bind(record.scheduled_for.map(Timestamp::micros));
            bind_mutable(query, item.row, &item.mutable)
        },
    )
    .await?;
    Ok(())
}

const MUTABLE_COLUMNS: usize = 15;

fn bind_mutable<'q>(query: Bound<'q>, row: &Row, mutable: &Mutable) -> Bound<'q> {
    let record = &row.record;
    query
        .bind(status_code(record.job.status))
        .bind(record.job.updated_at.unwrap_or(record.taken_at).micros())
        .bind(i64::from(record.attempt))
        .bind(i64::from(record.takes))
        .bind(i64::from(row.lost))
        .bind(mutable.started_at)
        .bind(mutable.executor.clone())
        .bind(mutable.attempts.clone())
        .bind(record.finished_at.map(Timestamp::micros))
        .bind(mutable.result.clone())
        .bind(record.error.clone())
        .bind(record.cancel_requested)
        .bind(row.due_at.map(Timestamp::micros))
        .bind(row.token.0.as_bytes().to_vec())
        .bind(row.backed)
}

/// Writes rows back that were loaded in the same transaction.
pub(super) async fn update(connection: &mut SqliteConnection, changed: &[Row]) -> Result<(), StoreError> {
    let prepared = changed
        .iter()
        .map(|row| Ok((row, Mutable::of(row)?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    const BEFORE: &str = "UPDATE OR FAIL jobs SET status = v.column2, updated_at = v.column3, attempt = v.column4, \
         takes = v.column5, lost = v.column6, started_at = v.column7, executor = v.column8, attempts = v.column9, \
         finished_at = v.column10, result = v.column11, error = v.column12, cancel_requested = v.column13, \
         due_at = v.column14, token = v.column15, backed = v.column16 FROM (VALUES";
    const AFTER: &str = ") AS v WHERE jobs.id = v.column1";
    rows::execute(
        connection,
        BEFORE,
        AFTER,
        1 + MUTABLE_COLUMNS,
        &prepared,
        |query, (row, mutable)| bind_mutable(query.bind(row.record.job.id.to_string()), row, mutable),
    )
    .await?;
    Ok(())
}
