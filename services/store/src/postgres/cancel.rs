//! Requests to cancel jobs.

use std::collections::HashSet;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use odd_contracts::{JobId, JobStatus, Timestamp};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::database::Operation;
use super::error::Fault;
use super::row;
use super::take::is_own;
use super::values::Instant;
use crate::job_store::{CancelOutcome, CancelRequest, Claim};
use crate::lifecycle::Row;

/// Cancels jobs, or lets their processors know.
pub(super) struct Cancel<'a> {
    requests: &'a [CancelRequest],
    claim: &'a Claim,
    written_at: Option<Timestamp>,
}

impl<'a> Cancel<'a> {
    pub(super) fn new(requests: &'a [CancelRequest], claim: &'a Claim) -> Self {
        Self {
            requests,
            claim,
            written_at: None,
        }
    }

    async fn run_in(&mut self, connection: &mut PgConnection) -> Result<Vec<CancelOutcome>, Fault> {
        let mut ids: Vec<JobId> = self.requests.iter().map(|request| request.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let known: Vec<JobId> = sqlx::query_scalar("SELECT id FROM jobs WHERE id = ANY($1)")
            .bind(&ids)
            .fetch_all(&mut *connection)
            .await?;
        let mut transaction = connection.begin().await?;
        if known.len() < ids.len() {
            // Waits until no job is being taken: afterwards a job that is still not known comes later, and finds
            // the request. Before any row, so that nobody who is waited for waits for this one.
            sqlx::query("LOCK TABLE cancellations IN SHARE ROW EXCLUSIVE MODE")
                .execute(&mut *transaction)
                .await?;
        }
        let (now, outcomes) = self.apply(&mut transaction, &ids).await?;
        self.written_at = Some(now);
        transaction.commit().await?;
        Ok(outcomes)
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        ids: &[JobId],
    ) -> Result<(Timestamp, Vec<CancelOutcome>), Fault> {
        let mut rows = row::lock(connection, ids).await?;
        let now: Instant = sqlx::query_scalar("SELECT clock_timestamp()")
            .fetch_one(&mut *connection)
            .await?;
        let (mut changed, mut unknown) = (HashSet::new(), Vec::new());
        let mut outcomes = Vec::with_capacity(self.requests.len());
        for request in self.requests {
            let Some(row) = rows.get_mut(&request.id) else {
                unknown.push(request.id);
                outcomes.push(CancelOutcome::Remembered);
                continue;
            };
            let was_done = is_own(row, self.claim.token, self.written_at) && !changed.contains(&request.id);
            if !was_done && !row.cancel(self.claim, now.0) {
                outcomes.push(CancelOutcome::TooLate);
                continue;
            }
            changed.insert(request.id);
            outcomes.push(if row.record.job.status == JobStatus::Cancelled {
                CancelOutcome::Cancelled(Box::new(row.clone().into_claimed()))
            } else {
                CancelOutcome::Signalled
            });
        }
        let changed: Vec<&Row> = changed.iter().filter_map(|id| rows.get(id)).collect();
        row::update(connection, &changed).await?;
        remember(connection, &unknown).await?;
        Ok((now.0, outcomes))
    }
}

/// Notes requests for jobs that are not known yet, and forgets those for jobs that never came.
async fn remember(connection: &mut PgConnection, ids: &[JobId]) -> Result<(), sqlx::Error> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query("DELETE FROM cancellations WHERE requested_at < statement_timestamp() - interval '24 hours'")
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO cancellations (job_id, requested_at) SELECT id, statement_timestamp() \
         FROM unnest($1::uuid[]) AS v(id) ON CONFLICT DO NOTHING",
    )
    .bind(ids)
    .execute(connection)
    .await?;
    Ok(())
}

impl Operation for Cancel<'_> {
    type Output = Vec<CancelOutcome>;

    fn run<'c>(&'c mut self, connection: &'c mut PgConnection) -> BoxFuture<'c, Result<Self::Output, Fault>> {
        self.run_in(connection).boxed()
    }
}
