//! Watches jobs end: by the live stream, and by asking for those whose end it did not show.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use indicatif::ProgressBar;
use odd_client::{ClientError, ReadModel};
use odd_contracts::{EventType, JobId, JobStatus, history};
use tokio::task::JoinHandle;

use crate::context::Context;

/// Ids in one question after jobs.
const LOOKUP: usize = 1_000;
/// Time without news after which jobs are asked for.
const SILENCE: Duration = Duration::from_millis(250);

/// One job: when it was due to be submitted, and when its end was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// When it was due to be submitted.
    pub(super) due: Instant,
    /// When its end was seen, and how it ended.
    pub(super) end: Option<(Instant, JobStatus)>,
}

/// All jobs of a bench.
pub(super) struct Watch {
    samples: Mutex<HashMap<JobId, Sample>>,
    ended: AtomicUsize,
}

impl Watch {
    pub(super) fn new(jobs: usize) -> Self {
        Self {
            samples: Mutex::new(HashMap::with_capacity(jobs)),
            ended: AtomicUsize::new(0),
        }
    }

    /// Expects the end of a job. Called before it is submitted.
    pub(super) fn expect(&self, id: JobId, due: Instant) {
        self.lock().insert(id, Sample { due, end: None });
    }

    /// Expects a job no more: it was not accepted.
    pub(super) fn forget(&self, id: JobId) {
        self.lock().remove(&id);
    }

    /// What was seen.
    pub(super) fn samples(&self) -> Vec<Sample> {
        self.lock().values().copied().collect()
    }

    fn ended(&self, id: JobId, status: JobStatus, at: Instant) {
        if let Some(sample) = self.lock().get_mut(&id).filter(|sample| sample.end.is_none()) {
            sample.end = Some((at, status));
            self.ended.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn missing(&self) -> Vec<JobId> {
        self.lock()
            .iter()
            .filter(|(_, sample)| sample.end.is_none())
            .map(|(id, _)| *id)
            .collect()
    }

    /// Waits until every expected job has ended, or `limit` has passed.
    pub(super) async fn wait(&self, context: &Context, limit: Duration) -> Result<(), ClientError> {
        let Ok(read_model) = context.read_model() else {
            return Ok(());
        };
        let begun = Instant::now();
        loop {
            let before = self.ended.load(Ordering::Relaxed);
            let expected = self.lock().len();
            if before >= expected || begun.elapsed() > limit {
                return Ok(());
            }
            tokio::time::sleep(SILENCE.min(Duration::from_millis(20))).await;
            if self.ended.load(Ordering::Relaxed) == before {
                tokio::time::sleep(SILENCE).await;
                if self.ended.load(Ordering::Relaxed) == before {
                    self.ask(read_model).await?;
                }
            }
        }
    }

    /// Asks for the jobs whose end was not seen.
    async fn ask(&self, read_model: &ReadModel) -> Result<(), ClientError> {
        for ids in self.missing().chunks(LOOKUP) {
            let answer = read_model.lookup(ids).await?;
            let now = Instant::now();
            for job in answer.jobs.into_iter().filter(|job| job.status.is_terminal()) {
                self.ended(job.id, job.status, now);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the live stream, from now on, until the handle is aborted. A stream that breaks is followed
/// no longer: what it does not show is asked for.
pub(super) async fn follow(read_model: &ReadModel, watch: Arc<Watch>) -> Result<JoinHandle<()>, ClientError> {
    let ends = [EventType::Completed, EventType::Failed, EventType::Cancelled];
    let mut events = read_model.stream(&ends).await?;
    Ok(tokio::spawn(async move {
        while let Some(Ok(event)) = events.next().await {
            if let Some(id) = event.job_id() {
                watch.ended(id, history::status_after(event.event_type), Instant::now());
            }
        }
    }))
}

/// Draws the progress until it is aborted.
pub(super) async fn draw(watch: Arc<Watch>, bar: ProgressBar) {
    loop {
        bar.set_position(watch.ended.load(Ordering::Relaxed) as u64);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
