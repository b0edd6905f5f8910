//! Taking work messages, requests to cancel, and poison.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use odd_contracts::{JobId, JobStatus, Timestamp};
use sqlx::SqliteConnection;

use super::row;
use crate::StoreError;
use crate::embedded::Database;
use crate::embedded::database::classify;
use crate::embedded::rows::json_array;
use crate::job_store::{CancelOutcome, CancelRequest, Claim, Claimed, Poison, Taken, Work};
use crate::lifecycle::Row;

/// Requests to cancel a job that never came are forgotten after this time.
const REMEMBER_CANCELLATIONS: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

pub(super) async fn take(
    database: &Database,
    work: Arc<[Work]>,
    claim: Claim,
) -> Result<Vec<Taken>, StoreError> {
    let shared = Arc::new((work, claim));
    database
        .write(move |connection| {
            let shared = shared.clone();
            Box::pin(async move { take_in(connection, &shared.0, &shared.1).await })
        })
        .await
}

/// What becomes of one message of a batch: already told, or by the row inserted for it.
enum Told {
    Already(Taken),
    ByNewRow,
}

async fn take_in(
    connection: &mut SqliteConnection,
    work: &[Work],
    claim: &Claim,
) -> Result<Vec<Taken>, StoreError> {
    let now = Timestamp::now();
    let mut known = row::load(connection, work.iter().map(|item| item.job.id)).await?;
    let cancelled = take_cancellations(connection, work, &known).await?;
    let (mut new, mut changed, mut told) = (Vec::new(), Vec::new(), Vec::with_capacity(work.len()));
    for item in work {
        if let Some(mut row) = known.remove(&item.job.id) {
            let (met, has_changed) = row.meet(item, claim, now);
            if has_changed {
                changed.push(row.clone());
            }
            told.push(Told::Already(met.told(row)));
        } else {
            new.push(Row::of_work(
                item.clone(),
                claim,
                now,
                cancelled.contains(&item.job.id),
            ));
            told.push(Told::ByNewRow);
        }
    }
    row::insert(connection, &new).await?;
    row::update(connection, &changed).await?;
    let mut new = new.into_iter();
    let taken = told.into_iter().filter_map(|told| match told {
        Told::Already(taken) => Some(taken),
        Told::ByNewRow => new.next().map(|row| row.met().told(row)),
    });
    Ok(taken.collect())
}

/// Which of the new jobs somebody asked to cancel before they came. Forgets those requests.
async fn take_cancellations(
    connection: &mut SqliteConnection,
    work: &[Work],
    known: &HashMap<JobId, Row>,
) -> Result<HashSet<JobId>, StoreError> {
    let any: Option<i64> = sqlx::query_scalar("SELECT 1 FROM cancellations LIMIT 1")
        .fetch_optional(&mut *connection)
        .await
        .map_err(classify)?;
    if any.is_none() {
        return Ok(HashSet::new());
    }
    let new = work
        .iter()
        .map(|item| item.job.id)
        .filter(|id| !known.contains_key(id));
    let found: Vec<String> = sqlx::query_scalar(
        "DELETE FROM cancellations WHERE job_id IN (SELECT value FROM json_each(?)) RETURNING job_id",
    )
    .bind(json_array(new))
    .fetch_all(connection)
    .await
    .map_err(classify)?;
    Ok(found.iter().filter_map(|id| id.parse().ok()).collect())
}

pub(super) async fn cancel(
    database: &Database,
    requests: Vec<CancelRequest>,
    claim: Claim,
) -> Result<Vec<CancelOutcome>, StoreError> {
    let shared = Arc::new((requests, claim));
    database
        .write(move |connection| {
            let shared = shared.clone();
            Box::pin(async move { cancel_in(connection, &shared.0, &shared.1).await })
        })
        .await
}

async fn cancel_in(
    connection: &mut SqliteConnection,
    requests: &[CancelRequest],
    claim: &Claim,
) -> Result<Vec<CancelOutcome>, StoreError> {
    let now = Timestamp::now();
    let mut known = row::load(connection, requests.iter().map(|request| request.id)).await?;
    let mut outcomes = Vec::with_capacity(requests.len());
    for request in requests {
        let Some(row) = known.get_mut(&request.id) else {
            remember(connection, request, now).await?;
            outcomes.push(CancelOutcome::Remembered);
            continue;
        };
        if !row.cancel(claim, now) {
            outcomes.push(CancelOutcome::TooLate);
            continue;
        }
        row::update(connection, std::slice::from_ref(row)).await?;
        outcomes.push(if row.record.job.status == JobStatus::Cancelled {
            CancelOutcome::Cancelled(Box::new(row.clone().into_claimed()))
        } else {
            CancelOutcome::Signalled
        });
    }
    Ok(outcomes)
}

async fn remember(
    connection: &mut SqliteConnection,
    request: &CancelRequest,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM cancellations WHERE requested_at < ?")
        .bind(now.minus(REMEMBER_CANCELLATIONS).micros())
        .execute(&mut *connection)
        .await
        .map_err(classify)?;
    sqlx::query("INSERT INTO cancellations (job_id, requested_at) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(request.id.to_string())
        .bind(now.micros())
        .execute(connection)
        .await
        .map_err(classify)?;
    Ok(())
}

pub(super) async fn fail_poison(
    database: &Database,
    poison: Vec<Poison>,
    claim: Claim,
) -> Result<Vec<Option<Claimed>>, StoreError> {
    let shared = Arc::new((poison, claim));
    database
        .write(move |connection| {
            let shared = shared.clone();
            Box::pin(async move { fail_poison_in(connection, &shared.0, &shared.1).await })
        })
        .await
}

async fn fail_poison_in(
    connection: &mut SqliteConnection,
    poison: &[Poison],
    claim: &Claim,
) -> Result<Vec<Option<Claimed>>, StoreError> {
    let now = Timestamp::now();
    let known = row::load(connection, poison.iter().map(|item| item.record.job.id)).await?;
    let mut seen: HashSet<JobId> = known.into_keys().collect();
    let mut new = Vec::new();
    let mut outcomes = Vec::with_capacity(poison.len());
    for item in poison {
        if seen.insert(item.record.job.id) {
            let row = Row::of_poison(item.clone(), claim, now);
            outcomes.push(Some(row.clone().into_claimed()));
            new.push(row);
        } else {
            outcomes.push(None);
        }
    }
    row::insert(connection, &new).await?;
    Ok(outcomes)
}
