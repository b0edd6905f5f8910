use odd_contracts::{Job, Producer};
use uuid::Uuid;

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + ms * 1_000)
}

fn producer() -> Producer {
    Producer {
        service: "processor".to_owned(),
        instance_id: "p-1".to_owned(),
        version: "0.1.0".to_owned(),
    }
}

/// A job submitted at 0 ms, taken at 5 ms.
fn record(status: JobStatus, attempt: u32, finished: Option<i64>) -> JobRecord {
    JobRecord {
        job: Job {
            id: Uuid::from_u128(9),
            job_type: "hello".parse().unwrap(),
            status,
            created_at: at(0),
            updated_at: None,
            payload: Default::default(),
            metadata: Default::default(),
            options: Default::default(),
            retry_of: None,
        },
        correlation_id: "c".to_owned(),
        traceparent: None,
        submitted_at: at(0),
        submitted_by: producer(),
        taken_at: at(5),
        taken_by: producer(),
        valid: true,
        attempt,
        takes: attempt,
        scheduled_for: None,
        finished_at: finished.map(at),
        result: None,
        error: None,
        cancel_requested: false,
    }
}

fn attempt(
    number: u32,
    take: u32,
    from: i64,
    to: Option<i64>,
    outcome: Option<AttemptOutcome>,
) -> JobAttempt {
    JobAttempt {
        number,
        take,
        started_at: at(from),
        finished_at: to.map(at),
        outcome,
        error: None,
        retry_at: None,
        executor: producer(),
    }
}

fn retried(mut attempt: JobAttempt, retry_at: i64) -> JobAttempt {
    attempt.retry_at = Some(at(retry_at));
    attempt
}

/// Kinds and lengths in milliseconds; checks that nothing is missing between them.
fn shape(record: &JobRecord, attempts: &[JobAttempt], now: i64) -> Vec<(SpanKind, f64)> {
    let spans = spans(record, attempts, at(now));
    assert_eq!(spans[0].started_at, record.submitted_at);
    for pair in spans.windows(2) {
        assert_eq!(
            pair[0].finished_at,
            Some(pair[1].started_at),
            "a gap in {spans:?}"
        );
    }
    let last = spans.last().unwrap();
    assert_eq!(last.finished_at, record.finished_at, "the end of {spans:?}");
    let total: f64 = spans.iter().map(|span| span.duration_ms).sum();
    let whole = timeline(record, attempts, Vec::new(), at(now)).total_ms;
    assert!((total - whole).abs() < 0.001, "{total} of {whole}");
    spans.iter().map(|span| (span.kind, span.duration_ms)).collect()
}

#[test]
fn a_job_that_completes_at_once() {
    let attempts = [attempt(1, 1, 5, Some(6), Some(AttemptOutcome::Succeeded))];
    let done = record(JobStatus::Completed, 1, Some(8));
    assert_eq!(
        shape(&done, &attempts, 100),
        [
            (SpanKind::QueueWait, 5.0),
            (SpanKind::Execution, 1.0),
            (SpanKind::Completion, 2.0)
        ]
    );
}

#[test]
fn a_job_that_retries_then_completes() {
    let attempts = [
        retried(attempt(1, 1, 7, Some(10), Some(AttemptOutcome::TimedOut)), 110),
        attempt(2, 2, 115, Some(120), Some(AttemptOutcome::Succeeded)),
    ];
    let done = record(JobStatus::Completed, 2, Some(120));
    assert_eq!(
        shape(&done, &attempts, 500),
        [
            (SpanKind::QueueWait, 5.0),
            (SpanKind::SlotWait, 2.0),
            (SpanKind::Execution, 3.0),
            (SpanKind::Backoff, 100.0),
            (SpanKind::SlotWait, 5.0),
            (SpanKind::Execution, 5.0),
        ]
    );
    let spans = spans(&done, &attempts, at(500));
    assert_eq!(
        (spans[2].label.as_str(), spans[2].outcome),
        ("attempt 1", Some(AttemptOutcome::TimedOut))
    );
    assert_eq!(spans[5].label, "attempt 2");
}

#[test]
fn a_lost_attempt_is_followed_by_its_recovery() {
    let attempts = [
        attempt(1, 1, 5, Some(40_005), Some(AttemptOutcome::Lost)),
        attempt(1, 2, 40_005, Some(40_010), Some(AttemptOutcome::Succeeded)),
    ];
    assert_eq!(
        shape(&record(JobStatus::Completed, 1, Some(40_010)), &attempts, 50_000),
        [
            (SpanKind::QueueWait, 5.0),
            (SpanKind::Execution, 10_000.0),
            (SpanKind::Recovery, 30_000.0),
            (SpanKind::Execution, 5.0),
        ]
    );
}

#[test]
fn an_attempt_lost_in_a_quick_restart_is_one_stretch() {
    let attempts = [
        attempt(1, 1, 5, Some(2_005), Some(AttemptOutcome::Lost)),
        attempt(1, 2, 2_005, Some(2_010), Some(AttemptOutcome::Succeeded)),
    ];
    let spans = spans(
        &record(JobStatus::Completed, 1, Some(2_010)),
        &attempts,
        at(3_000),
    );
    assert_eq!(spans[1].outcome, Some(AttemptOutcome::Lost));
    let kinds: Vec<_> = spans.iter().map(|span| (span.kind, span.duration_ms)).collect();
    assert_eq!(
        kinds[1..],
        [(SpanKind::Execution, 2_000.0), (SpanKind::Execution, 5.0)]
    );
}

#[test]
fn a_delayed_job_before_and_after_its_time() {
    let mut waiting = record(JobStatus::Scheduled, 0, None);
    waiting.scheduled_for = Some(at(1_000));
    assert_eq!(
        shape(&waiting, &[], 205),
        [(SpanKind::QueueWait, 5.0), (SpanKind::Delay, 200.0)]
    );
    assert_eq!(
        shape(&waiting, &[], 1_100),
        [
            (SpanKind::QueueWait, 5.0),
            (SpanKind::Delay, 995.0),
            (SpanKind::SlotWait, 100.0)
        ]
    );
}

#[test]
fn a_job_cancelled_while_it_waits() {
    let mut delayed = record(JobStatus::Cancelled, 0, Some(300));
    delayed.scheduled_for = Some(at(1_000));
    assert_eq!(
        shape(&delayed, &[], 2_000),
        [(SpanKind::QueueWait, 5.0), (SpanKind::Delay, 295.0)]
    );
    let attempts = [retried(
        attempt(1, 1, 5, Some(10), Some(AttemptOutcome::Failed)),
        500,
    )];
    assert_eq!(
        shape(&record(JobStatus::Cancelled, 1, Some(100)), &attempts, 2_000),
        [
            (SpanKind::QueueWait, 5.0),
            (SpanKind::Execution, 5.0),
            (SpanKind::Backoff, 90.0)
        ]
    );
}

#[test]
fn a_job_that_still_runs_or_waits() {
    assert_eq!(
        shape(&record(JobStatus::Pending, 0, None), &[], 50),
        [(SpanKind::QueueWait, 50.0)]
    );
    assert_eq!(
        shape(&record(JobStatus::Validated, 0, None), &[], 50),
        [(SpanKind::QueueWait, 5.0), (SpanKind::SlotWait, 45.0)]
    );
    assert_eq!(
        shape(
            &record(JobStatus::Executing, 1, None),
            &[attempt(1, 1, 5, None, None)],
            50
        ),
        [(SpanKind::QueueWait, 5.0), (SpanKind::Execution, 45.0)]
    );
    let attempts = [retried(
        attempt(1, 1, 5, Some(10), Some(AttemptOutcome::Failed)),
        500,
    )];
    assert_eq!(
        shape(&record(JobStatus::Retrying, 1, None), &attempts, 50),
        [
            (SpanKind::QueueWait, 5.0),
            (SpanKind::Execution, 5.0),
            (SpanKind::Backoff, 40.0)
        ]
    );
}

#[test]
fn a_job_that_never_was_valid() {
    let mut poison = record(JobStatus::Failed, 0, Some(5));
    poison.valid = false;
    assert_eq!(shape(&poison, &[], 50), [(SpanKind::QueueWait, 5.0)]);
}

#[test]
fn clocks_that_disagree_never_make_a_negative_span() {
    let attempts = [attempt(1, 1, 2, Some(4), Some(AttemptOutcome::Succeeded))];
    assert_eq!(
        shape(&record(JobStatus::Completed, 1, Some(7)), &attempts, 1),
        [
            (SpanKind::QueueWait, 5.0),
            (SpanKind::Execution, 0.0),
            (SpanKind::Completion, 2.0)
        ]
    );
}

#[test]
fn complete_is_exactly_what_the_state_implies() {
    let attempts = [attempt(1, 1, 5, Some(6), Some(AttemptOutcome::Succeeded))];
    let done = record(JobStatus::Completed, 1, Some(6));
    let all = history::events(&done, &attempts);
    let complete = |events: Vec<EventEnvelope>| timeline(&done, &attempts, events, at(9)).complete;
    assert!(complete(all.clone()));
    assert!(!complete(all[..all.len() - 1].to_vec()));
    assert!(!complete(all.iter().chain(&all[3..]).cloned().collect()));

    let pending = record(JobStatus::Pending, 0, None);
    assert!(timeline(&pending, &[], all[..1].to_vec(), at(9)).complete);
    assert!(!timeline(&pending, &[], Vec::new(), at(9)).complete);
}
