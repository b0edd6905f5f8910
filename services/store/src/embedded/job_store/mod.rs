//! The job store in SQLite.

mod claims;
mod read;
mod row;
mod take;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use odd_contracts::api::{ExportedJob, JobState, JobSummary};
use odd_contracts::{JobId, JobStatus, Timestamp};

use super::Database;
use super::database::classify;
use crate::StoreError;
use crate::job_store::{
    CancelOutcome, CancelRequest, Claim, ClaimToken, Claimed, Commit, Committed, JobCursor, JobFilter,
    JobStore, Poison, Renewal, StoredJob, Taken, Work,
};

/// The job store of an embedded instance. Its clock is the machine's.
#[derive(Clone)]
pub struct SqliteJobStore {
    database: Database,
}

impl SqliteJobStore {
    /// The job store in `database`.
    ///
    /// The caller is the only process on the file, so whatever was being worked on is not worked on any
    /// more: every lease is made due at once, and nobody waits for it to run out.
    ///
    /// # Errors
    /// [`StoreError`] where the database cannot be written.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        database
            .write(|connection| {
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE jobs SET due_at = ?1 WHERE due_at > ?1 AND (status = ?2 OR finished_at IS NOT NULL)",
                    )
                    .bind(Timestamp::now().micros())
                    .bind(row::status_code(JobStatus::Executing))
                    .execute(connection)
                    .await
                    .map_err(classify)?;
                    Ok(())
                })
            })
            .await?;
        Ok(Self {
            database: database.clone(),
        })
    }
}

#[async_trait]
impl JobStore for SqliteJobStore {
    fn adapter(&self) -> &'static str {
        "sqlite"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.database.ping().await
    }

    async fn take(&self, work: Arc<[Work]>, claim: &Claim) -> Result<Vec<Taken>, StoreError> {
        take::take(&self.database, work, claim.clone()).await
    }

    async fn claim_due(&self, claim: &Claim, limit: usize) -> Result<Vec<Claimed>, StoreError> {
        claims::claim_due(&self.database, claim.clone(), limit, claims::Which::All).await
    }

    async fn claim_ended(&self, claim: &Claim, limit: usize) -> Result<Vec<Claimed>, StoreError> {
        claims::claim_due(&self.database, claim.clone(), limit, claims::Which::Ended).await
    }

    async fn next_due(&self) -> Result<Option<Duration>, StoreError> {
        read::next_due(&self.database).await
    }

    async fn renew(&self, jobs: &[(JobId, ClaimToken)], lease: Duration) -> Result<Vec<Renewal>, StoreError> {
        claims::renew(&self.database, jobs.to_vec(), lease).await
    }

    async fn park(&self, jobs: &[(JobId, ClaimToken)]) -> Result<Vec<bool>, StoreError> {
        claims::park(&self.database, jobs.to_vec()).await
    }

    async fn commit(&self, commits: Arc<[Commit]>) -> Result<Vec<Committed>, StoreError> {
        claims::commit(&self.database, commits).await
    }

    async fn settle(&self, jobs: &[(JobId, ClaimToken)]) -> Result<(), StoreError> {
        claims::settle(&self.database, jobs.to_vec()).await
    }

    async fn release(&self, jobs: &[(JobId, ClaimToken)]) -> Result<(), StoreError> {
        claims::release(&self.database, jobs.to_vec()).await
    }

    async fn cancel(
        &self,
        requests: &[CancelRequest],
        claim: &Claim,
    ) -> Result<Vec<CancelOutcome>, StoreError> {
        take::cancel(&self.database, requests.to_vec(), claim.clone()).await
    }

    async fn fail_poison(
        &self,
        poison: Vec<Poison>,
        claim: &Claim,
    ) -> Result<Vec<Option<Claimed>>, StoreError> {
        take::fail_poison(&self.database, poison, claim.clone()).await
    }

    async fn get(&self, id: JobId) -> Result<Option<StoredJob>, StoreError> {
        read::get(&self.database, id).await
    }

    async fn list(
        &self,
        filter: &JobFilter,
        after: Option<JobCursor>,
        limit: usize,
    ) -> Result<Vec<JobSummary>, StoreError> {
        read::list(&self.database, filter, after, limit).await
    }

    async fn lookup(&self, ids: &[JobId]) -> Result<Vec<JobState>, StoreError> {
        read::lookup(&self.database, ids).await
    }

    async fn export(&self, after: Option<JobId>, limit: usize) -> Result<Vec<ExportedJob>, StoreError> {
        read::export(&self.database, after, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::Options;

    async fn open() -> (Arc<dyn JobStore>, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&directory.path().join("odd.db"), Options::default())
            .await
            .unwrap();
        (
            Arc::new(SqliteJobStore::open(&database).await.unwrap()),
            directory,
        )
    }

    crate::job_store_conformance!(open());
}
