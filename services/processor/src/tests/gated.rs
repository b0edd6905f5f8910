//! A bed whose processor sees spine and store through gates.

use std::sync::Arc;

use odd_contracts::{Job, JobStatus};

use super::bed::{Bed, job, outcomes, until};
use super::gates::{Mode, SpineGate, StoreGate};
use crate::{Config, Ports};

/// A bed whose processor sees spine and store through gates.
pub(super) struct Gated {
    pub(super) bed: Bed,
    pub(super) spine: Arc<SpineGate>,
    pub(super) store: Arc<StoreGate>,
}

impl Gated {
    pub(super) async fn running(config: Config) -> Self {
        Self::on(Bed::idle(config).await).await
    }

    /// Starts the processor of a bed that has none.
    pub(super) async fn on(mut bed: Bed) -> Self {
        let (spine, store) = (
            SpineGate::new(bed.spine.clone()),
            StoreGate::new(bed.store.clone()),
        );
        bed.start_on(Ports {
            spine: spine.clone(),
            job_store: store.clone(),
        })
        .await;
        Self { bed, spine, store }
    }

    pub(super) async fn submit(&self, count: usize, payload: serde_json::Value) -> Vec<Job> {
        let jobs: Vec<_> = (0..count).map(|_| job(payload.clone())).collect();
        self.bed.submit_all(&jobs).await;
        jobs
    }

    /// Submits jobs and waits until each is executed. Their outcomes are held until the store's gate is set anew.
    pub(super) async fn executing(&self, count: usize) -> Vec<Job> {
        self.store.set(Mode::HoldCommits);
        let jobs = self.submit(count, serde_json::json!({})).await;
        for job in &jobs {
            self.bed.until(job.id, JobStatus::Executing).await;
        }
        jobs
    }

    pub(super) async fn all_settled(&self, jobs: &[Job], status: JobStatus) {
        for job in jobs {
            let stored = self.bed.until(job.id, status).await;
            assert_eq!(outcomes(&stored.attempts), ["succeeded"]);
        }
        self.bed.until_all_settled(jobs.iter().map(|job| job.id)).await;
    }

    pub(super) async fn readiness_says(&self, text: &str) {
        until(text, async || {
            self.bed.get("/readyz").await.contains(text).then_some(())
        })
        .await;
    }

    /// Ends the processor without any chance to clean up.
    pub(super) async fn crash(self) -> Bed {
        drop((self.spine, self.store));
        self.bed.crash().await
    }

    /// Stops the processor and checks that no message was left.
    pub(super) async fn end(self) {
        self.bed.end().await;
    }
}
