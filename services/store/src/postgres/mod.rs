//! The job store in PostgreSQL.
//!
//! Batches of jobs travel as arrays in one or two statements, in order of id, so that no two ever wait for each other
//! crosswise. Whatever depends on the present uses the server's clock. A connection is used again only after an operation
//! that ended well; everything is bounded in time, and recovers by itself when the server is back.

mod cancel;
mod commit;
mod database;
mod due;
mod error;
mod held;
mod options;
mod pool;
mod read;
mod row;
mod schema;
mod take;
#[cfg(test)]
mod tests;
mod values;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use odd_contracts::JobId;
use odd_contracts::api::{ExportedJob, JobState, JobSummary};

pub use self::error::OpenError;
pub use self::options::PostgresOptions;

use self::database::Database;
use self::due::{ClaimDue, NextDue, Which};
use self::held::{Deed, Do};
use self::schema::NotReady;
use crate::StoreError;
use crate::job_store::{
    CancelOutcome, CancelRequest, Claim, ClaimToken, Claimed, Commit, Committed, JobCursor, JobFilter,
    JobStore, Poison, Renewal, StoredJob, Taken, Work,
};

/// The job store of roles that run on servers. Its clock is the server's. Clones share their connections.
#[derive(Clone)]
pub struct PostgresJobStore {
    database: Database,
}

impl PostgresJobStore {
    /// The job store in the database of `options`, its tables brought up to date.
    ///
    /// A server that is away, or refuses the credentials, is no error: every operation then fails with
    /// [`StoreError::Unavailable`] until it answers, and the tables are brought up to date first.
    ///
    /// # Errors
    /// [`OpenError`] where waiting does not help: tables of a newer version of the product, a migration that was left
    /// half-way, an address that cannot be read.
    pub async fn open(options: PostgresOptions) -> Result<Self, OpenError> {
        let database = Database::new(options)?;
        match tokio::time::timeout(database.operation_timeout(), database.schema().ready()).await {
            Ok(Err(NotReady::Never(error))) => return Err(error),
            Ok(Err(NotReady::NotYet(error))) => {
                tracing::warn!(error = %chain(&*error), "PostgreSQL is not ready; it is tried again at each operation");
            }
            Err(_) => tracing::warn!("PostgreSQL is not ready in time; it is tried again at each operation"),
            Ok(Ok(())) => {}
        }
        Ok(Self { database })
    }

    /// Closes the connections that nobody uses, and lets no operation begin any more.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

/// The text of an error with those of its sources.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[async_trait]
impl JobStore for PostgresJobStore {
    fn adapter(&self) -> &'static str {
        "postgres"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.database.run(read::Ping).await
    }

    async fn take(&self, work: Arc<[Work]>, claim: &Claim) -> Result<Vec<Taken>, StoreError> {
        if work.is_empty() {
            return Ok(Vec::new());
        }
        self.database.run(take::Take::new(&work, claim)).await
    }

    async fn claim_due(&self, claim: &Claim, limit: usize) -> Result<Vec<Claimed>, StoreError> {
        let which = Which::All;
        self.database.run(ClaimDue { claim, limit, which }).await
    }

    async fn claim_ended(&self, claim: &Claim, limit: usize) -> Result<Vec<Claimed>, StoreError> {
        let which = Which::Ended;
        self.database.run(ClaimDue { claim, limit, which }).await
    }

    async fn next_due(&self) -> Result<Option<Duration>, StoreError> {
        self.database.run(NextDue).await
    }

    async fn renew(&self, jobs: &[(JobId, ClaimToken)], lease: Duration) -> Result<Vec<Renewal>, StoreError> {
        let held = self.database.run(Do::new(jobs, Deed::Renew(lease))).await?;
        Ok(jobs.iter().map(|job| held::renewal(&held, job)).collect())
    }

    async fn park(&self, jobs: &[(JobId, ClaimToken)]) -> Result<Vec<bool>, StoreError> {
        let held = self.database.run(Do::new(jobs, Deed::Park)).await?;
        Ok(jobs.iter().map(|job| held.contains_key(job)).collect())
    }

    async fn commit(&self, commits: Arc<[Commit]>) -> Result<Vec<Committed>, StoreError> {
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        self.database.run(commit::Write::new(&commits)?).await
    }

    async fn settle(&self, jobs: &[(JobId, ClaimToken)]) -> Result<(), StoreError> {
        self.database.run(Do::new(jobs, Deed::Settle)).await?;
        Ok(())
    }

    async fn release(&self, jobs: &[(JobId, ClaimToken)]) -> Result<(), StoreError> {
        self.database.run(Do::new(jobs, Deed::Release)).await?;
        Ok(())
    }

    async fn cancel(
        &self,
        requests: &[CancelRequest],
        claim: &Claim,
    ) -> Result<Vec<CancelOutcome>, StoreError> {
        self.database.run(cancel::Cancel::new(requests, claim)).await
    }

    async fn fail_poison(
        &self,
        poison: Vec<Poison>,
        claim: &Claim,
    ) -> Result<Vec<Option<Claimed>>, StoreError> {
        self.database.run(take::FailPoison::new(poison, claim)).await
    }

    async fn get(&self, id: JobId) -> Result<Option<StoredJob>, StoreError> {
        self.database.run(read::Get(id)).await
    }

    async fn list(
        &self,
        filter: &JobFilter,
        after: Option<JobCursor>,
        limit: usize,
    ) -> Result<Vec<JobSummary>, StoreError> {
        self.database.run(read::List { filter, after, limit }).await
    }

    async fn lookup(&self, ids: &[JobId]) -> Result<Vec<JobState>, StoreError> {
        self.database.run(read::Lookup(ids)).await
    }

    async fn export(&self, after: Option<JobId>, limit: usize) -> Result<Vec<ExportedJob>, StoreError> {
        self.database.run(read::Export { after, limit }).await
    }
}
