//! Taking work messages, and poison.

use std::collections::HashMap;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use odd_contracts::{JobId, Timestamp};
use sqlx::Connection as _;
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::database::Operation;
use super::error::Fault;
use super::row;
use super::values::Instant;
use crate::job_store::{Claim, ClaimToken, Claimed, Poison, Taken, Work};
use crate::lifecycle::Row;

/// Whether an earlier try, whose connection broke before it could answer, wrote this row at the instant `at`.
pub(super) fn is_own(row: &Row, token: ClaimToken, at: Option<Timestamp>) -> bool {
    at.is_some() && row.token == token && row.record.job.updated_at == at
}

/// Takes the jobs of work messages.
pub(super) struct Take<'a> {
    pub(super) work: &'a [Work],
    pub(super) claim: &'a Claim,
    written_at: Option<Timestamp>,
}

impl<'a> Take<'a> {
    pub(super) fn new(work: &'a [Work], claim: &'a Claim) -> Self {
        Self {
            work,
            claim,
            written_at: None,
        }
    }

    async fn run_in(&mut self, connection: &mut PgConnection) -> Result<Vec<Taken>, Fault> {
        // In order of id, so that two batches with the same jobs never wait for each other crosswise.
        let mut sorted: Vec<&Work> = self.work.iter().collect();
        sorted.sort_unstable_by_key(|item| item.job.id);
        let ids: Vec<JobId> = sorted.iter().map(|item| item.job.id).collect();
        let mut transaction = connection.begin().await?;
        let (now, cancelled) = begin(&mut transaction, &ids).await?;
        let new: Vec<Row> = sorted
            .into_iter()
            .map(|item| Row::of_work(item.clone(), self.claim, now, cancelled.contains(&item.job.id)))
            .collect();
        let inserted = row::insert(&mut transaction, &new).await?;
        let known: Vec<JobId> = ids.into_iter().filter(|id| !inserted.contains(id)).collect();
        let mut told = if known.is_empty() {
            HashMap::new()
        } else {
            self.meet(&mut transaction, &known, now).await?
        };
        self.written_at = Some(now);
        transaction.commit().await?;
        let mut new: HashMap<JobId, Row> = new
            .into_iter()
            .map(|row| (row.record.job.id, row))
            .filter(|(id, _)| inserted.contains(id))
            .collect();
        Ok(self
            .work
            .iter()
            .map(|item| match new.remove(&item.job.id) {
                Some(row) => row.met().told(row),
                // Another message of the same job in this batch.
                None => told.remove(&item.job.id).unwrap_or(Taken::Owed),
            })
            .collect())
    }

    /// Messages meet the rows that are stored under their ids.
    async fn meet(
        &self,
        connection: &mut PgConnection,
        known: &[JobId],
        now: Timestamp,
    ) -> Result<HashMap<JobId, Taken>, Fault> {
        let mut rows = row::lock(connection, known).await?;
        let mut met = Vec::with_capacity(rows.len());
        let mut changed = Vec::with_capacity(rows.len());
        for item in self.work {
            let id = item.job.id;
            let Some(mut row) = rows.remove(&id) else {
                continue;
            };
            let (outcome, has_changed) = if is_own(&row, self.claim.token, self.written_at) {
                (row.met(), false)
            } else {
                row.meet(item, self.claim, now)
            };
            changed.push(has_changed);
            met.push((outcome, row));
        }
        let rows: Vec<&Row> = met
            .iter()
            .zip(changed)
            .filter(|(_, has_changed)| *has_changed)
            .map(|((_, row), _)| row)
            .collect();
        row::update(connection, &rows).await?;
        Ok(met
            .into_iter()
            .map(|(outcome, row)| (row.record.job.id, outcome.told(row)))
            .collect())
    }
}

impl Operation for Take<'_> {
    type Output = Vec<Taken>;

    fn run<'c>(&'c mut self, connection: &'c mut PgConnection) -> BoxFuture<'c, Result<Self::Output, Fault>> {
        self.run_in(connection).boxed()
    }
}

/// The server's clock, and which of the jobs somebody asked to cancel before they came. Forgets those requests.
///
/// That it writes to the table, be it nothing, holds off whoever wants to note that a job is not known yet until this
/// transaction ends: either the request is found here, or the job is found there.
async fn begin(connection: &mut PgConnection, ids: &[JobId]) -> Result<(Timestamp, Vec<JobId>), sqlx::Error> {
    let row = sqlx::query(
        "WITH asked AS MATERIALIZED ( \
             SELECT job_id FROM cancellations WHERE job_id = ANY($1) ORDER BY job_id FOR UPDATE), \
         gone AS (DELETE FROM cancellations USING asked WHERE cancellations.job_id = asked.job_id \
             RETURNING cancellations.job_id) \
         SELECT clock_timestamp(), ARRAY(SELECT job_id FROM gone)",
    )
    .bind(ids)
    .fetch_one(connection)
    .await?;
    Ok((row.try_get::<Instant, _>(0)?.0, row.try_get(1)?))
}

/// Stores poison as FAILED jobs.
pub(super) struct FailPoison<'a> {
    poison: Vec<Poison>,
    claim: &'a Claim,
    written_at: Option<Timestamp>,
}

impl<'a> FailPoison<'a> {
    pub(super) fn new(poison: Vec<Poison>, claim: &'a Claim) -> Self {
        Self {
            poison,
            claim,
            written_at: None,
        }
    }

    async fn run_in(&mut self, connection: &mut PgConnection) -> Result<Vec<Option<Claimed>>, Fault> {
        let mut transaction = connection.begin().await?;
        let now: Instant = sqlx::query_scalar("SELECT clock_timestamp()")
            .fetch_one(&mut *transaction)
            .await?;
        let now = now.0;
        let mut new: Vec<Row> = self
            .poison
            .iter()
            .map(|item| Row::of_poison(item.clone(), self.claim, now))
            .collect();
        // The first of an id counts.
        new.sort_by_key(|row| row.record.job.id);
        new.dedup_by_key(|row| row.record.job.id);
        let inserted = row::insert(&mut transaction, &new).await?;
        let known: Vec<JobId> = new
            .iter()
            .map(|row| row.record.job.id)
            .filter(|id| self.written_at.is_some() && !inserted.contains(id))
            .collect();
        let mut stored: HashMap<JobId, Row> = new
            .into_iter()
            .map(|row| (row.record.job.id, row))
            .filter(|(id, _)| inserted.contains(id))
            .collect();
        if !known.is_empty() {
            let mut own = row::lock(&mut transaction, &known).await?;
            own.retain(|_, row| is_own(row, self.claim.token, self.written_at));
            stored.extend(own);
        }
        self.written_at = Some(now);
        transaction.commit().await?;
        Ok(self
            .poison
            .iter()
            .map(|item| stored.remove(&item.record.job.id).map(Row::into_claimed))
            .collect())
    }
}

impl Operation for FailPoison<'_> {
    type Output = Vec<Option<Claimed>>;

    fn run<'c>(&'c mut self, connection: &'c mut PgConnection) -> BoxFuture<'c, Result<Self::Output, Fault>> {
        self.run_in(connection).boxed()
    }
}
