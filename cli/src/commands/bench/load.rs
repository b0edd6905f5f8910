//! Submits jobs: at a fixed rate, or as fast as they are taken.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use odd_client::{ClientError, Gateway};
use odd_contracts::{JobId, JobSubmission, JobType, JsonObject, Timestamp};
use odd_engine::ledger::LedgerWriter;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::watch::Watch;
use crate::context::Context;
use crate::error::Error;

/// How fast jobs are submitted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// So many jobs a second, whatever the answers.
    Rate(f64),
    /// As fast as they are taken.
    Max,
}

/// What is submitted, and how.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) job_type: JobType,
    pub(super) payload: JsonObject,
    pub(super) pace: Pace,
    pub(super) concurrency: usize,
    pub(super) batch: usize,
}

/// What became of the submissions.
#[derive(Debug, Default)]
pub(super) struct Submission {
    /// Jobs that were submitted.
    pub(super) submitted: u64,
    /// Jobs that were answered with 202.
    pub(super) accepted: u64,
    /// Requests that were repeated because the gateway was too busy.
    pub(super) repeated: u64,
    /// Time from the first submission to the last answer.
    pub(super) took: Duration,
    /// Microseconds from the instant at which each request was due to its answer.
    pub(super) answers: Vec<u64>,
}

/// What the workers share.
struct Shared {
    gateway: Gateway,
    load: Load,
    jobs: u64,
    begun: Instant,
    next: AtomicU64,
    watch: Arc<Watch>,
    ledger: Mutex<LedgerWriter>,
    result: Mutex<Submission>,
}

impl Load {
    /// Submits every job of the watch and waits for the answers.
    pub(super) async fn run(
        &self,
        context: &Context,
        watch: &Arc<Watch>,
        jobs: u64,
    ) -> Result<Submission, Error> {
        let shared = Arc::new(Shared {
            gateway: context.gateway_within(Duration::from_secs(30))?,
            load: self.clone(),
            jobs,
            begun: Instant::now(),
            next: AtomicU64::new(0),
            watch: watch.clone(),
            ledger: Mutex::new(context.ledger()?),
            result: Mutex::default(),
        });
        let mut workers = JoinSet::new();
        for _ in 0..self.concurrency {
            workers.spawn(work(shared.clone()));
        }
        while let Some(ended) = workers.join_next().await {
            ended
                .map_err(|e| Error::new("submit jobs", e))?
                .map_err(|failure| failure.into_error(context))?;
        }
        let mut ledger = shared.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.flush().map_err(|e| Error::new("write the ledger", e))?;
        let mut result = shared.result.lock().unwrap_or_else(PoisonError::into_inner);
        result.took = shared.begun.elapsed();
        Ok(std::mem::take(&mut result))
    }
}

enum Failure {
    Gateway(ClientError),
    Ledger(std::io::Error),
}

impl Failure {
    fn into_error(self, context: &Context) -> Error {
        match self {
            Self::Gateway(error) => context.client_error("submit jobs", error),
            Self::Ledger(error) => Error::new("write the ledger", error),
        }
    }
}

/// Takes the next jobs, waits until they are due, and submits them, until none is left.
async fn work(shared: Arc<Shared>) -> Result<(), Failure> {
    let batch = shared.load.batch as u64;
    loop {
        let first = shared.next.fetch_add(batch, Ordering::Relaxed);
        if first >= shared.jobs {
            return Ok(());
        }
        let count = batch.min(shared.jobs - first);
        let due = match shared.load.pace {
            Pace::Rate(rate) => shared.begun + Duration::from_secs_f64(first as f64 / rate),
            Pace::Max => Instant::now(),
        };
        tokio::time::sleep_until(due.into()).await;
        let ids: Vec<JobId> = (0..count).map(|_| Uuid::new_v4()).collect();
        for id in &ids {
            shared.watch.expect(*id, due);
        }
        let (accepted, repeated) = submit(&shared, &ids).await?;
        note(&shared, &ids, &accepted, repeated, due).map_err(Failure::Ledger)?;
    }
}

fn note(
    shared: &Shared,
    ids: &[JobId],
    accepted: &[JobId],
    repeated: u64,
    due: Instant,
) -> std::io::Result<()> {
    for id in ids.iter().filter(|id| !accepted.contains(id)) {
        shared.watch.forget(*id);
    }
    let now = Timestamp::now();
    let mut ledger = shared.ledger.lock().unwrap_or_else(PoisonError::into_inner);
    for id in accepted {
        ledger.accepted(*id, now)?;
    }
    drop(ledger);
    let mut result = shared.result.lock().unwrap_or_else(PoisonError::into_inner);
    result.submitted += ids.len() as u64;
    result.accepted += accepted.len() as u64;
    result.repeated += repeated;
    result
        .answers
        .push(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX));
    Ok(())
}

/// Submits jobs, again under the same ids while the gateway is too busy. Returns which were accepted,
/// and how often the request was repeated.
async fn submit(shared: &Shared, ids: &[JobId]) -> Result<(Vec<JobId>, u64), Failure> {
    let mut repeated = 0;
    loop {
        match submit_once(shared, ids).await {
            Ok(accepted) => return Ok((accepted, repeated)),
            Err(error) if error.is_retryable() && error.problem().is_some() => {
                repeated += 1;
                tokio::time::sleep(error.retry_after().unwrap_or(Duration::from_millis(100))).await;
            }
            Err(error) => return Err(Failure::Gateway(error)),
        }
    }
}

async fn submit_once(shared: &Shared, ids: &[JobId]) -> Result<Vec<JobId>, ClientError> {
    let document = |id: JobId| JobSubmission {
        id: Some(id),
        job_type: shared.load.job_type.as_str().to_owned(),
        payload: Some(shared.load.payload.clone()),
        ..Default::default()
    };
    if let [id] = ids {
        return shared
            .gateway
            .submit(&document(*id))
            .await
            .map(|accepted| vec![accepted.job_id]);
    }
    let mut lines = Vec::with_capacity(ids.len() * 96);
    for id in ids {
        // A submission of plain values always has JSON.
        if serde_json::to_writer(&mut lines, &document(*id)).is_ok() {
            lines.push(b'\n');
        }
    }
    let answer = shared.gateway.submit_batch(Bytes::from(lines)).await?;
    Ok(answer
        .results
        .into_iter()
        .filter(|result| result.status == 202)
        .filter_map(|result| result.job_id)
        .collect())
}
