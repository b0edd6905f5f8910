//! Claims: taking what is due, keeping it, giving it back, and committing what became of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use odd_contracts::{JobId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::row::{self, Columns, json, status_code};
use crate::StoreError;
use crate::embedded::Database;
use crate::embedded::database::classify;
use crate::embedded::rows;
use crate::job_store::{Claim, ClaimToken, Claimed, Commit, Committed, Due, Renewal};
use crate::lifecycle::Row;

type Held = (JobId, ClaimToken);

/// Which due jobs to claim.
#[derive(Clone, Copy)]
pub(super) enum Which {
    All,
    Ended,
}

pub(super) async fn claim_due(
    database: &Database,
    claim: Claim,
    limit: usize,
    which: Which,
) -> Result<Vec<Claimed>, StoreError> {
    let claim = Arc::new(claim);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    database
        .write(move |connection| {
            let claim = claim.clone();
            Box::pin(async move { claim_due_in(connection, &claim, limit, which).await })
        })
        .await
}

async fn claim_due_in(
    connection: &mut SqliteConnection,
    claim: &Claim,
    limit: i64,
    which: Which,
) -> Result<Vec<Claimed>, StoreError> {
    let now = Timestamp::now();
    let select = match which {
        Which::All => "SELECT * FROM jobs WHERE due_at <= ? ORDER BY due_at LIMIT ?",
        Which::Ended => "SELECT * FROM jobs WHERE due_at <= ? AND status >= 5 ORDER BY due_at LIMIT ?",
    };
    let due = sqlx::query(select)
        .bind(now.micros())
        .bind(limit)
        .fetch_all(&mut *connection)
        .await
        .map_err(classify)?;
    let mut rows = due
        .iter()
        .map(|row| Columns(row).row())
        .collect::<Result<Vec<Row>, _>>()?;
    for row in &mut rows {
        row.backed = false;
        row.take_again(claim, now);
    }
    row::update(connection, &rows).await?;
    Ok(rows.into_iter().map(Row::into_claimed).collect())
}

/// Updates the rows of `held` whose token is the latest, and returns what the statement returns for them.
async fn update_held(
    connection: &mut SqliteConnection,
    before: &'static str,
    after: &'static str,
    held: &[Held],
) -> Result<Vec<SqliteRow>, StoreError> {
    rows::execute(connection, before, after, 2, held, |query, (id, token)| {
        query.bind(id.to_string()).bind(token.0.as_bytes().to_vec())
    })
    .await
}

/// A taking of a job: a batch may hold two of one job.
type Taking = (String, Vec<u8>);

fn taking(id: JobId, token: ClaimToken) -> Taking {
    (id.to_string(), token.0.as_bytes().to_vec())
}

/// What of `column` was returned for each taking.
fn returned<'r, T>(rows: &'r [SqliteRow], column: &str) -> Result<HashMap<Taking, T>, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    rows.iter()
        .map(|row| {
            let taking = (
                row.try_get("id").map_err(classify)?,
                row.try_get("token").map_err(classify)?,
            );
            Ok((taking, row.try_get(column).map_err(classify)?))
        })
        .collect()
}

pub(super) async fn renew(
    database: &Database,
    held: Vec<Held>,
    lease: Duration,
) -> Result<Vec<Renewal>, StoreError> {
    let held = Arc::new(held);
    database
        .write(move |connection| {
            let held = held.clone();
            Box::pin(async move {
                let due_at = Timestamp::now().plus(lease).micros();
                // The new instant travels as a column of the list, so that the statement's text stays the same.
                let found = rows::execute(
                    connection,
                    "UPDATE jobs SET due_at = v.column3 FROM (VALUES",
                    ") AS v WHERE jobs.id = v.column1 AND jobs.token = v.column2 AND jobs.status = 3 \
                     RETURNING jobs.id, jobs.token, jobs.cancel_requested",
                    3,
                    &held,
                    |query, (id, token)| {
                        query
                            .bind(id.to_string())
                            .bind(token.0.as_bytes().to_vec())
                            .bind(due_at)
                    },
                )
                .await?;
                let flags: HashMap<Taking, bool> = returned(&found, "cancel_requested")?;
                Ok(held
                    .iter()
                    .map(|(id, token)| match flags.get(&taking(*id, *token)) {
                        Some(true) => Renewal::CancelRequested,
                        Some(false) => Renewal::Held,
                        None => Renewal::Lost,
                    })
                    .collect())
            })
        })
        .await
}

pub(super) async fn park(database: &Database, held: Vec<Held>) -> Result<Vec<bool>, StoreError> {
    let held = Arc::new(held);
    database
        .write(move |connection| {
            let held = held.clone();
            Box::pin(async move {
                let found = update_held(
                    connection,
                    "UPDATE jobs SET backed = 0 FROM (VALUES",
                    ") AS v WHERE jobs.id = v.column1 AND jobs.token = v.column2 AND jobs.status = 3 \
                     RETURNING jobs.id, jobs.token, jobs.backed",
                    &held,
                )
                .await?;
                let parked: HashMap<Taking, bool> = returned(&found, "backed")?;
                Ok(held
                    .iter()
                    .map(|(id, token)| parked.contains_key(&taking(*id, *token)))
                    .collect())
            })
        })
        .await
}

pub(super) async fn settle(database: &Database, held: Vec<Held>) -> Result<(), StoreError> {
    let held = Arc::new(held);
    database
        .write(move |connection| {
            let held = held.clone();
            Box::pin(async move {
                update_held(
                    connection,
                    "UPDATE jobs SET due_at = NULL FROM (VALUES",
                    ") AS v WHERE jobs.id = v.column1 AND jobs.token = v.column2 AND jobs.status >= 5",
                    &held,
                )
                .await?;
                Ok(())
            })
        })
        .await
}

pub(super) async fn release(database: &Database, held: Vec<Held>) -> Result<(), StoreError> {
    let held = Arc::new(held);
    database
        .write(move |connection| {
            let held = held.clone();
            Box::pin(async move {
                // 0 lies before every instant: due at once.
                update_held(
                    connection,
                    "UPDATE jobs SET due_at = 0 FROM (VALUES",
                    ") AS v WHERE jobs.id = v.column1 AND jobs.token = v.column2 AND jobs.status = 3",
                    &held,
                )
                .await?;
                Ok(())
            })
        })
        .await
}

pub(super) async fn commit(
    database: &Database,
    commits: Arc<[Commit]>,
) -> Result<Vec<Committed>, StoreError> {
    database
        .write(move |connection| {
            let commits = commits.clone();
            Box::pin(async move { commit_in(connection, &commits).await })
        })
        .await
}

/// A commit with its JSON columns.
struct Prepared<'a> {
    commit: &'a Commit,
    attempts: String,
    result: Option<String>,
    due_at: i64,
}

async fn commit_in(
    connection: &mut SqliteConnection,
    commits: &[Commit],
) -> Result<Vec<Committed>, StoreError> {
    let now = Timestamp::now();
    let prepared = commits
        .iter()
        .map(|commit| {
            let (Due::In(delay) | Due::Ended(delay)) = commit.due;
            Ok(Prepared {
                commit,
                attempts: json(&commit.attempts)?,
                result: commit.record.result.as_ref().map(json).transpose()?,
                due_at: now.plus(delay).micros(),
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    // Whether the row is backed is read in the same statement: the message may have been parked meanwhile.
    const BEFORE: &str = "UPDATE OR FAIL jobs SET status = v.column3, updated_at = v.column4, attempt = v.column5, \
         attempts = v.column6, started_at = NULL, executor = NULL, finished_at = v.column7, result = v.column8, \
         error = v.column9, backed = CASE WHEN v.column3 < 5 THEN 0 ELSE jobs.backed END, \
         due_at = CASE WHEN v.column3 >= 5 AND jobs.backed THEN NULL ELSE v.column10 END FROM (VALUES";
    const AFTER: &str = ") AS v WHERE jobs.id = v.column1 AND jobs.token = v.column2 AND jobs.status = 3 \
         RETURNING jobs.id, jobs.token, jobs.backed";
    let written = rows::execute(connection, BEFORE, AFTER, 10, &prepared, |query, item| {
        let record = &item.commit.record;
        query
            .bind(record.job.id.to_string())
            .bind(item.commit.token.0.as_bytes().to_vec())
            .bind(status_code(record.job.status))
            .bind(record.job.updated_at.unwrap_or(now).micros())
            .bind(i64::from(record.attempt))
            .bind(item.attempts.clone())
            .bind(record.finished_at.map(Timestamp::micros))
            .bind(item.result.clone())
            .bind(record.error.clone())
            .bind(item.due_at)
    })
    .await?;
    let backed: HashMap<Taking, bool> = returned(&written, "backed")?;
    Ok(commits
        .iter()
        .map(
            |commit| match backed.get(&taking(commit.record.job.id, commit.token)) {
                Some(true) => Committed::Backed,
                Some(false) => Committed::Unbacked,
                None => Committed::Discarded,
            },
        )
        .collect())
}
