//! The processor's metrics.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use odd_contracts::names::metric;
use odd_contracts::{AttemptOutcome, JobId, JobStatus};
use odd_runtime::Metrics;
use odd_runtime::prometheus::{self, Histogram, IntCounter, IntCounterVec, IntGauge};
use odd_store::{Claimed, Commit};

/// The processor's metrics.
pub(crate) struct Meters {
    processed: IntCounter,
    completed: IntCounter,
    failed: IntCounter,
    cancelled: IntCounter,
    retried: IntCounter,
    invalid: IntCounter,
    dead_lettered: IntCounterVec,
    seconds: Histogram,
    running: IntGauge,
    /// Jobs that ended by being taken, of which the store may tell more than once.
    ended_by_taking: Mutex<HashSet<JobId>>,
}

/// Jobs of which it is remembered that their end was counted.
const REMEMBERED: usize = 4_096;

impl Meters {
    pub(crate) fn register(metrics: &Metrics) -> prometheus::Result<Self> {
        Ok(Self {
            processed: metrics.counter(
                metric::PROCESSOR_PROCESSED,
                "Executions that ended, whatever their outcome.",
            )?,
            completed: metrics.counter(metric::PROCESSOR_COMPLETED, "Jobs that ended COMPLETED.")?,
            failed: metrics.counter(metric::PROCESSOR_FAILED, "Jobs that ended FAILED.")?,
            cancelled: metrics.counter(metric::PROCESSOR_CANCELLED, "Jobs that ended CANCELLED.")?,
            retried: metrics.counter(
                metric::PROCESSOR_RETRIED,
                "Attempts that failed and are followed by another.",
            )?,
            invalid: metrics.counter(
                metric::PROCESSOR_VALIDATION_FAILED,
                "Work messages that were no valid job.",
            )?,
            dead_lettered: metrics.counter_vec(metric::DEAD_LETTERED, "Messages put aside.", &["reason"])?,
            seconds: metrics.histogram(metric::PROCESSOR_SECONDS, "Seconds that one execution took.")?,
            running: metrics.gauge(metric::PROCESSOR_RUNNING, "Executions running now.")?,
            ended_by_taking: Mutex::default(),
        })
    }

    /// Counts an execution as running until the guard is dropped.
    pub(crate) fn running(&self) -> impl Drop + use<> {
        self.running.inc();
        Running(self.running.clone())
    }

    /// Counts a state that was committed at the end of an execution.
    pub(crate) fn committed(&self, commit: &Commit) {
        self.processed.inc();
        if let Some(attempt) = commit.attempts.last() {
            let finished_at = attempt.finished_at.unwrap_or(attempt.started_at);
            self.seconds
                .observe(finished_at.since(attempt.started_at).as_secs_f64());
            debug_assert_ne!(
                attempt.outcome,
                Some(AttemptOutcome::Lost),
                "nobody is left to commit a lost attempt"
            );
        }
        match commit.record.job.status {
            JobStatus::Retrying => self.retried.inc(),
            status => self.ended(status),
        }
    }

    /// Counts the end of a job.
    pub(crate) fn ended(&self, status: JobStatus) {
        match status {
            JobStatus::Completed => self.completed.inc(),
            JobStatus::Failed => self.failed.inc(),
            JobStatus::Cancelled => self.cancelled.inc(),
            _ => {}
        }
    }

    /// Counts the end of a job that ended by being taken: because its processor was lost too often, or because its
    /// cancellation was asked for before it ran, or while a processor ran it that is lost. Of a job that ended
    /// otherwise, whose history is only published again, nothing is counted.
    pub(crate) fn ended_by_taking(&self, claimed: &Claimed) {
        let record = &claimed.record;
        let last = claimed.attempts.last().and_then(|attempt| attempt.outcome);
        let while_running = last == Some(AttemptOutcome::Lost);
        let before = record.takes == 0 && record.valid && record.finished_at == Some(record.taken_at);
        if !record.job.status.is_terminal() || !(while_running || before) {
            return;
        }
        let mut known = self
            .ended_by_taking
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        if known.insert(record.job.id) {
            self.ended(record.job.status);
        }
    }

    /// Counts a work message that was put aside.
    pub(crate) fn refused(&self, reason: &str) {
        self.invalid.inc();
        self.dead_lettered.with_label_values(&[reason]).inc();
    }
}

struct Running(IntGauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}
