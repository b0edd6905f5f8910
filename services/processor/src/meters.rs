//! The processor's metrics.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use odd_contracts::names::{metric, spine};
use odd_contracts::{AttemptOutcome, JobId, JobRecord, JobStatus, Timestamp};
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
    queue_wait: Histogram,
    latency: Histogram,
    running: IntGauge,
    /// Jobs that ended by being taken, of which the store may tell more than once.
    ended_by_taking: Mutex<HashSet<JobId>>,
}

/// Jobs of which it is remembered that their end was counted.
const REMEMBERED: usize = 4_096;

impl Meters {
    /// The metrics of a processor that executes `slots` jobs at the same time.
    pub(crate) fn register(metrics: &Metrics, slots: usize) -> prometheus::Result<Self> {
        let available = metrics.gauge(
            metric::PROCESSOR_SLOTS,
            "Executions that may run at the same time.",
        )?;
        available.set(i64::try_from(slots).unwrap_or(i64::MAX));
        let dead_lettered = metrics.counter_vec(metric::DEAD_LETTERED, "Messages put aside.", &["reason"])?;
        // A counter that appears with its first increment hides it from rates.
        for reason in spine::reason::ALL {
            dead_lettered.with_label_values(&[reason]);
        }
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
            dead_lettered,
            seconds: metrics.histogram(metric::PROCESSOR_SECONDS, "Seconds that one execution took.")?,
            queue_wait: metrics.histogram(
                metric::PROCESSOR_QUEUE_WAIT_SECONDS,
                "Seconds from when a job could run to the start of its first execution.",
            )?,
            latency: metrics.histogram(
                metric::PROCESSOR_LATENCY_SECONDS,
                "Seconds from when a job could run to its end.",
            )?,
            running: metrics.gauge(metric::PROCESSOR_RUNNING, "Executions running now.")?,
            ended_by_taking: Mutex::default(),
        })
    }

    /// Counts an execution that begins as running until the guard is dropped.
    pub(crate) fn running(&self, claimed: &Claimed) -> impl Drop + use<> {
        if let [first] = &*claimed.attempts {
            let wait = first.started_at.since(could_run_at(&claimed.record));
            self.queue_wait.observe(wait.as_secs_f64());
        }
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
        if let Some(finished_at) = commit.record.finished_at {
            let latency = finished_at.since(could_run_at(&commit.record));
            self.latency.observe(latency.as_secs_f64());
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

/// When nothing but free slots kept a job from running: it was published, or the instant came that it was delayed to.
fn could_run_at(record: &JobRecord) -> Timestamp {
    record.scheduled_for.unwrap_or(record.submitted_at)
}

struct Running(IntGauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use odd_contracts::Role;

    use super::*;
    use crate::conclude::tests::claimed;
    use crate::conclude::{Outcome, conclude};
    use crate::handlers::HandlerError;

    const LEASE: Duration = Duration::from_secs(30);

    fn second(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    /// Published in second 10 and started in second 14.
    fn started(attempt: u32, scheduled_for: Option<i64>) -> Claimed {
        let mut claimed = claimed(attempt);
        claimed.record.submitted_at = second(10);
        claimed.record.scheduled_for = scheduled_for.map(second);
        claimed.attempts[0].started_at = second(14);
        claimed
    }

    fn succeeded() -> Outcome {
        Outcome::Returned(Ok(None))
    }

    #[test]
    fn waiting_and_latency_begin_when_a_job_could_run() {
        let meters = Meters::register(&Metrics::new(Role::Processor).unwrap(), 4).unwrap();
        let told = || {
            let (wait, latency) = (&meters.queue_wait, &meters.latency);
            let sums = (wait.get_sample_sum() as u64, latency.get_sample_sum() as u64);
            (wait.get_sample_count(), latency.get_sample_count(), sums)
        };
        let now = started(1, None);
        drop(meters.running(&now));
        assert_eq!(
            told(),
            (1, 0, (4, 0)),
            "published in second 10, started in second 14"
        );
        meters.committed(&conclude(now, succeeded(), second(20), 1.0, LEASE));
        assert_eq!(told(), (1, 1, (4, 10)));

        let delayed = started(1, Some(13));
        drop(meters.running(&delayed));
        meters.committed(&conclude(delayed, succeeded(), second(20), 1.0, LEASE));
        assert_eq!(
            told(),
            (2, 2, (4 + 1, 10 + 7)),
            "a delay that was asked for is no wait"
        );

        let again = Outcome::Returned(Err(HandlerError::retryable("not yet")));
        meters.committed(&conclude(started(1, None), again, second(20), 1.0, LEASE));
        assert_eq!(told().1, 2, "a job that is tried again has not ended");

        let mut second_attempt = started(2, None);
        second_attempt
            .attempts
            .insert(0, second_attempt.attempts[0].clone());
        drop(meters.running(&second_attempt));
        assert_eq!(told().0, 2, "only the first execution ends the wait");
    }

    #[test]
    fn every_reason_is_counted_from_the_start() {
        let metrics = Metrics::new(Role::Processor).unwrap();
        let meters = Meters::register(&metrics, 4).unwrap();
        meters.refused(spine::reason::ID_CONFLICT);
        let text = metrics.encode().unwrap();
        for reason in spine::reason::ALL {
            let count = u8::from(reason == spine::reason::ID_CONFLICT);
            let line = format!(
                "odd_messages_dead_lettered_total{{reason=\"{reason}\",service=\"processor\"}} {count}"
            );
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
        assert!(
            text.contains("processor_slots{service=\"processor\"} 4"),
            "{text}"
        );
    }
}
