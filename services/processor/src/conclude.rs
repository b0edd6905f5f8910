//! From the outcome of an execution to the next state of its job.

use std::time::Duration;

use odd_contracts::{AttemptOutcome, JobStatus, Timestamp};
use odd_store::{Claimed, Commit, Due};
use serde_json::Value;

use crate::backoff::backoff;
use crate::handlers::HandlerError;

/// Longest error text that is stored, in characters.
const MAX_ERROR: usize = 2_000;
/// Largest result that is stored, as JSON in bytes.
pub(crate) const MAX_RESULT: usize = 256 * 1024;

/// How an execution ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The handler returned.
    Returned(Result<Option<Value>, HandlerError>),
    /// The handler took longer than this.
    TimedOut(Duration),
    /// Somebody asked for the job's cancellation.
    Cancelled,
}

impl Outcome {
    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Returned(Ok(Some(result))) => crate::room::value(result),
            _ => 0,
        }
    }
}

/// The state that `outcome` leads to. `jitter` (0 to 1) spreads the backoff; `lease` is for its events.
pub(crate) fn conclude(
    claimed: Claimed,
    outcome: Outcome,
    now: Timestamp,
    jitter: f64,
    lease: Duration,
) -> Commit {
    let Claimed {
        mut record,
        mut attempts,
        token,
        ..
    } = claimed;
    let (attempt_outcome, result, error) = read(outcome);
    let retryable = error.as_ref().is_some_and(|error| error.retryable);
    let text = error.map(|error| shorten(&error.message));
    let retries = retryable && record.attempt < record.job.options.max_attempts();

    let (status, due) = match attempt_outcome {
        AttemptOutcome::Succeeded => (JobStatus::Completed, Due::Ended(lease)),
        AttemptOutcome::Cancelled => (JobStatus::Cancelled, Due::Ended(lease)),
        _ if retries => (
            JobStatus::Retrying,
            Due::In(backoff(&record.job.options, record.attempt, jitter)),
        ),
        _ => (JobStatus::Failed, Due::Ended(lease)),
    };
    if let Some(open) = attempts.last_mut() {
        open.finished_at = Some(now);
        open.outcome = Some(attempt_outcome);
        open.error.clone_from(&text);
        open.retry_at = match due {
            Due::In(delay) => Some(now.plus(delay)),
            Due::Ended(_) => None,
        };
    }
    record.job.status = status;
    record.job.updated_at = Some(now);
    record.finished_at = status.is_terminal().then_some(now);
    record.result = result;
    // A job that ended well has no error, whatever its earlier attempts met.
    record.error = if status == JobStatus::Completed {
        None
    } else {
        text.or(record.error)
    };
    Commit {
        record,
        attempts,
        token,
        due,
    }
}

/// The state instead of one that the store refuses: the job fails for good.
pub(crate) fn refuse(commit: Commit, error: &str, lease: Duration) -> Commit {
    let Commit {
        mut record,
        mut attempts,
        token,
        ..
    } = commit;
    let now = Timestamp::now();
    let text = shorten(error);
    if let Some(last) = attempts.last_mut() {
        last.outcome = Some(AttemptOutcome::Failed);
        last.error = Some(text.clone());
        last.retry_at = None;
    }
    record.job.status = JobStatus::Failed;
    record.job.updated_at = Some(now);
    record.finished_at = Some(now);
    record.result = None;
    record.error = Some(text);
    Commit {
        record,
        attempts,
        token,
        due: Due::Ended(lease),
    }
}

fn read(outcome: Outcome) -> (AttemptOutcome, Option<Value>, Option<HandlerError>) {
    match outcome {
        Outcome::Returned(Ok(Some(result))) if result.to_string().len() > MAX_RESULT => {
            let text = format!("the handler's result is larger than {MAX_RESULT} bytes");
            (AttemptOutcome::Failed, None, Some(HandlerError::permanent(text)))
        }
        Outcome::Returned(Ok(result)) => (AttemptOutcome::Succeeded, result, None),
        Outcome::Returned(Err(error)) => (AttemptOutcome::Failed, None, Some(error)),
        Outcome::TimedOut(limit) => {
            let text = format!("timed out after {} ms", limit.as_millis());
            (
                AttemptOutcome::TimedOut,
                None,
                Some(HandlerError::retryable(text)),
            )
        }
        Outcome::Cancelled => (AttemptOutcome::Cancelled, None, None),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_ERROR) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use odd_contracts::{Job, JobAttempt, JobRecord, Producer};
    use odd_store::ClaimToken;

    const LEASE: Duration = Duration::from_secs(30);

    /// A job of which this attempt runs since the first microsecond.
    pub(crate) fn claimed(attempt: u32) -> Claimed {
        let at = Timestamp::from_micros(1);
        let producer = Producer {
            service: "processor".to_owned(),
            instance_id: "i".to_owned(),
            version: "0".to_owned(),
        };
        let job = Job {
            id: uuid::Uuid::nil(),
            job_type: "t".parse().unwrap(),
            status: JobStatus::Executing,
            created_at: at,
            updated_at: None,
            payload: Default::default(),
            metadata: Default::default(),
            options: Default::default(),
            retry_of: None,
        };
        Claimed {
            record: JobRecord {
                job,
                correlation_id: "c".to_owned(),
                traceparent: None,
                submitted_at: at,
                submitted_by: producer.clone(),
                taken_at: at,
                taken_by: producer.clone(),
                valid: true,
                attempt,
                takes: attempt,
                scheduled_for: None,
                finished_at: None,
                result: None,
                error: Some("of an earlier attempt".to_owned()),
                cancel_requested: false,
            },
            attempts: vec![JobAttempt {
                number: attempt,
                take: attempt,
                started_at: at,
                finished_at: None,
                outcome: None,
                error: None,
                retry_at: None,
                executor: producer,
            }],
            token: ClaimToken::fresh(),
            backed: true,
        }
    }

    fn after(attempt: u32, outcome: Outcome) -> Commit {
        conclude(claimed(attempt), outcome, Timestamp::from_micros(9), 1.0, LEASE)
    }

    fn failed() -> Outcome {
        Outcome::Returned(Err(HandlerError::retryable("no")))
    }

    #[test]
    fn success_completes_and_clears_the_error() {
        let commit = after(2, Outcome::Returned(Ok(Some(Value::from(1)))));
        assert_eq!(commit.record.job.status, JobStatus::Completed);
        assert_eq!(
            (commit.record.error, commit.record.result),
            (None, Some(Value::from(1)))
        );
        assert_eq!(commit.due, Due::Ended(LEASE));
    }

    #[test]
    fn failure_retries_until_attempts_run_out() {
        let retry = after(1, failed());
        assert_eq!(retry.record.job.status, JobStatus::Retrying);
        assert_eq!(retry.due, Due::In(JobOptions::DEFAULT_BACKOFF));
        assert!(retry.attempts[0].retry_at.is_some());
        let last = after(JobOptions::DEFAULT_MAX_ATTEMPTS, failed());
        assert_eq!(last.record.job.status, JobStatus::Failed);
        assert_eq!(last.attempts[0].retry_at, None);
    }

    #[test]
    fn a_permanent_error_and_an_oversized_result_fail_at_once() {
        let permanent = after(1, Outcome::Returned(Err(HandlerError::permanent("never"))));
        assert_eq!(permanent.record.job.status, JobStatus::Failed);
        let oversized = after(
            1,
            Outcome::Returned(Ok(Some(Value::from("x".repeat(MAX_RESULT))))),
        );
        assert_eq!(oversized.record.job.status, JobStatus::Failed);
        assert_eq!(oversized.record.result, None);
    }

    #[test]
    fn time_out_and_cancellation_say_what_happened() {
        let timed_out = after(1, Outcome::TimedOut(Duration::from_millis(1400)));
        assert_eq!(timed_out.attempts[0].outcome, Some(AttemptOutcome::TimedOut));
        assert_eq!(timed_out.record.error.as_deref(), Some("timed out after 1400 ms"));
        let cancelled = after(1, Outcome::Cancelled);
        assert_eq!(cancelled.record.job.status, JobStatus::Cancelled);
        assert_eq!(cancelled.attempts[0].outcome, Some(AttemptOutcome::Cancelled));
    }

    #[test]
    fn long_errors_are_cut_between_characters() {
        let commit = after(
            1,
            Outcome::Returned(Err(HandlerError::permanent("é".repeat(5_000)))),
        );
        assert_eq!(commit.record.error.unwrap().chars().count(), MAX_ERROR + 1);
    }

    use odd_contracts::JobOptions;
}
