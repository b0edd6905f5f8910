//! The timeline of a job: its life as stretches without gaps, from its record and its attempts.

use std::time::Duration;

use odd_contracts::api::{SpanKind, Timeline, TimelineSpan};
use odd_contracts::{AttemptOutcome, EventEnvelope, JobAttempt, JobRecord, JobStatus, Timestamp, history};

/// Time for which a processor that runs a job owns it without a further sign of life. A lost attempt is closed
/// when the job is taken again; where that took longer than this, the processor was gone for about this long.
/// Where it was quicker, the processor's own restart gave the job back and nobody knows since when it was gone.
const LEASE: Duration = Duration::from_secs(30);

/// Composes the timeline of a job.
///
/// `events` is its history as the event log has it. A job that no processor has taken yet is PENDING, and
/// its record is what its `job.created` says.
pub(crate) fn timeline(
    record: &JobRecord,
    attempts: &[JobAttempt],
    events: Vec<EventEnvelope>,
    now: Timestamp,
) -> Timeline {
    let end = record.finished_at.unwrap_or(now);
    Timeline {
        id: record.job.id,
        job_type: record.job.job_type.as_str().to_owned(),
        status: record.job.status,
        correlation_id: record.correlation_id.clone(),
        created_at: record.job.created_at,
        total_ms: milliseconds(end.since(record.submitted_at)),
        spans: spans(record, attempts, now),
        complete: is_complete(record, attempts, &events),
        events,
    }
}

/// Whether the log has exactly the events that the job's state implies.
fn is_complete(record: &JobRecord, attempts: &[JobAttempt], events: &[EventEnvelope]) -> bool {
    let recorded = events.iter().map(|event| event.sequence);
    if record.job.status == JobStatus::Pending {
        return recorded.eq([Some(0)]);
    }
    let implied = history::events(record, attempts);
    recorded.eq(implied.iter().map(|event| event.sequence))
}

/// The stretches of a job's life. Each begins where the one before ended, whatever the clocks of the
/// processes that took part say; waits without length are left out.
pub(crate) fn spans(record: &JobRecord, attempts: &[JobAttempt], now: Timestamp) -> Vec<TimelineSpan> {
    let mut line = Line::new(record, now);
    if record.job.status == JobStatus::Pending {
        line.push(SpanKind::QueueWait, 0, None);
        return line.spans;
    }
    line.push(SpanKind::QueueWait, 0, Some(record.taken_at));
    if let Some(run_at) = record.scheduled_for {
        line.push_wait(SpanKind::Delay, 0, Some(run_at));
    }
    for attempt in attempts {
        line.push_wait(SpanKind::SlotWait, attempt.number, Some(attempt.started_at));
        line.push_attempt(attempt);
    }
    line.close(attempts.last());
    line.spans
}

struct Line<'a> {
    record: &'a JobRecord,
    now: Timestamp,
    /// Where the next span begins.
    at: Timestamp,
    /// Whether the last span still lasts, so that nothing can follow.
    open: bool,
    spans: Vec<TimelineSpan>,
}

impl<'a> Line<'a> {
    fn new(record: &'a JobRecord, now: Timestamp) -> Self {
        Self {
            record,
            now: now.max(record.submitted_at),
            at: record.submitted_at,
            open: false,
            spans: Vec::new(),
        }
    }

    /// Adds a span from the present place to `until`; to the end of the job, or open, where that is
    /// absent or lies beyond.
    fn push(&mut self, kind: SpanKind, attempt: u32, until: Option<Timestamp>) {
        if self.open {
            return;
        }
        let started_at = self.at;
        let finished_at = match (until, self.record.finished_at) {
            (Some(until), Some(end)) => Some(until.min(end)),
            (None, Some(end)) => Some(end),
            (until, None) => until.filter(|until| *until <= self.now),
        };
        // A clock that runs behind must not make a span end before it began.
        let finished_at = finished_at.map(|at| at.max(started_at));
        self.open = finished_at.is_none();
        self.at = finished_at.unwrap_or_else(|| self.now.max(started_at));
        self.spans.push(TimelineSpan {
            kind,
            label: label(kind, attempt),
            attempt,
            started_at,
            finished_at,
            duration_ms: milliseconds(self.at.since(started_at)),
            outcome: None,
            error: None,
        });
    }

    /// Adds a span that is left out where it has no length.
    fn push_wait(&mut self, kind: SpanKind, attempt: u32, until: Option<Timestamp>) {
        let end = until.into_iter().chain(self.record.finished_at).min();
        if end.is_none_or(|end| end > self.at) {
            self.push(kind, attempt, until);
        }
    }

    fn push_attempt(&mut self, attempt: &JobAttempt) {
        let lost = attempt.outcome == Some(AttemptOutcome::Lost);
        let expired = |at: Timestamp| lost && at.since(attempt.started_at) > LEASE;
        let until = attempt
            .finished_at
            .map(|at| if expired(at) { at.minus(LEASE) } else { at });
        let count = self.spans.len();
        self.push(SpanKind::Execution, attempt.number, until);
        if let Some(execution) = self.spans.get_mut(count) {
            execution.outcome = attempt.outcome;
            execution.error.clone_from(&attempt.error);
        }
        if lost {
            self.push_wait(SpanKind::Recovery, attempt.number, attempt.finished_at);
        } else if let Some(retry_at) = attempt.retry_at {
            self.push_wait(SpanKind::Backoff, attempt.number, Some(retry_at));
        }
    }

    /// Leads the line to the job's end, or to the present.
    fn close(&mut self, last: Option<&JobAttempt>) {
        if self.record.job.status.is_terminal() {
            self.push_wait(SpanKind::Completion, self.record.attempt, None);
        } else {
            let next = match last {
                Some(attempt) if attempt.outcome == Some(AttemptOutcome::Lost) => attempt.number,
                Some(attempt) => attempt.number.saturating_add(1),
                None => 1,
            };
            self.push_wait(SpanKind::SlotWait, next, None);
        }
    }
}

fn label(kind: SpanKind, attempt: u32) -> String {
    match kind {
        SpanKind::QueueWait => "queue wait".to_owned(),
        SpanKind::Delay => "delay".to_owned(),
        SpanKind::SlotWait => "slot wait".to_owned(),
        SpanKind::Execution => format!("attempt {attempt}"),
        SpanKind::Backoff => "backoff".to_owned(),
        SpanKind::Recovery => "recovery".to_owned(),
        SpanKind::Completion => "completion".to_owned(),
    }
}

/// Milliseconds with microsecond precision.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}

#[cfg(test)]
mod tests;
