//! The history of a job: exactly the events that its state and attempts imply.
//!
//! Events are never composed anywhere else. The processor publishes what this module derives from the
//! rows it has committed, and `odd verify` compares the event log with what this module derives from
//! the rows it reads; publishing a history again yields the same events, to the byte.

use serde_json::{Value, json};

use crate::event::{CONTRACT_VERSION, EventEnvelope, EventType, Producer};
use crate::ids;
use crate::job::{AttemptOutcome, Job, JobAttempt, JobRecord, JobStatus, JsonObject};
use crate::timestamp::Timestamp;

/// The `job.created` event of a job: its work message, and the first event of its history.
pub fn created(
    job: &Job,
    producer: &Producer,
    occurred_at: Timestamp,
    correlation_id: &str,
    traceparent: Option<&str>,
) -> EventEnvelope {
    let mut job = job.clone();
    job.status = JobStatus::Pending;
    job.updated_at = None;
    let payload = match serde_json::to_value(&job) {
        Ok(Value::Object(payload)) => payload,
        _ => unreachable!("a job is an object of plain values"),
    };
    EventEnvelope {
        contract_version: CONTRACT_VERSION.to_owned(),
        event_type: EventType::Created,
        event_id: ids::event_id(job.id, EventType::Created, 0),
        occurred_at,
        producer: producer.clone(),
        correlation_id: correlation_id.to_owned(),
        idempotency_key: job.id.to_string(),
        payload,
        sequence: ids::sequence(EventType::Created, 0),
        causation_id: None,
        traceparent: traceparent.map(str::to_owned),
    }
}

/// Every event that the record and its attempts imply, in order of sequence.
///
/// A job that never was valid has no `job.created` here: nobody accepted it.
pub fn events(record: &JobRecord, attempts: &[JobAttempt]) -> Vec<EventEnvelope> {
    let mut chain = Chain {
        record,
        events: Vec::with_capacity(4),
    };
    if record.valid {
        chain.events.push(created(
            &record.job,
            &record.submitted_by,
            record.submitted_at,
            &record.correlation_id,
            record.traceparent.as_deref(),
        ));
        chain.push(
            EventType::Validated,
            0,
            record.taken_at,
            &record.taken_by,
            JsonObject::new(),
        );
        if let Some(run_at) = record.scheduled_for {
            chain.push(
                EventType::Scheduled,
                0,
                record.taken_at,
                &record.taken_by,
                object(json!({ "runAt": run_at })),
            );
        }
    }
    let mut closed: Vec<_> = attempts.iter().filter(|attempt| was_executed(attempt)).collect();
    closed.sort_by_key(|attempt| (attempt.number, attempt.take));
    for attempt in closed {
        chain.push_attempt(attempt);
    }
    chain.push_end(attempts);
    chain.events
}

/// Sequence numbers of the events that the record and its attempts imply, in order.
pub fn sequences(record: &JobRecord, attempts: &[JobAttempt]) -> Vec<u32> {
    events(record, attempts)
        .into_iter()
        .filter_map(|event| event.sequence)
        .collect()
}

/// Whether the attempt's handler returned (a lost or cancelled one did not, as far as anybody knows).
fn was_executed(attempt: &JobAttempt) -> bool {
    matches!(
        attempt.outcome,
        Some(AttemptOutcome::Succeeded | AttemptOutcome::Failed | AttemptOutcome::TimedOut)
    )
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

struct Chain<'a> {
    record: &'a JobRecord,
    events: Vec<EventEnvelope>,
}

impl Chain<'_> {
    fn push(
        &mut self,
        event_type: EventType,
        attempt: u32,
        occurred_at: Timestamp,
        producer: &Producer,
        mut payload: JsonObject,
    ) {
        let job = &self.record.job;
        payload.insert("id".to_owned(), job.id.to_string().into());
        payload.insert("type".to_owned(), job.job_type.as_str().into());
        payload.insert("status".to_owned(), status_after(event_type).name().into());
        payload.insert("attempt".to_owned(), attempt.into());
        self.events.push(EventEnvelope {
            contract_version: CONTRACT_VERSION.to_owned(),
            event_type,
            event_id: ids::event_id(job.id, event_type, attempt),
            occurred_at,
            producer: producer.clone(),
            correlation_id: self.record.correlation_id.clone(),
            idempotency_key: job.id.to_string(),
            payload,
            sequence: ids::sequence(event_type, attempt),
            causation_id: self.events.last().map(|event| event.event_id),
            traceparent: self.record.traceparent.clone(),
        });
    }

    fn push_attempt(&mut self, attempt: &JobAttempt) {
        let finished_at = attempt.finished_at.unwrap_or(attempt.started_at);
        let mut payload = object(json!({
            "startedAt": attempt.started_at,
            "durationMs": milliseconds(finished_at.since(attempt.started_at)),
            "outcome": attempt.outcome,
        }));
        if let Some(error) = &attempt.error {
            payload.insert("error".to_owned(), error.as_str().into());
        }
        self.push(
            EventType::Executed,
            attempt.number,
            finished_at,
            &attempt.executor,
            payload,
        );
        if let Some(retry_at) = attempt.retry_at {
            let payload = object(json!({
                "retryAt": retry_at,
                "backoffMs": milliseconds(retry_at.since(finished_at)),
                "error": attempt.error,
            }));
            self.push(
                EventType::Retrying,
                attempt.number,
                finished_at,
                &attempt.executor,
                payload,
            );
        }
    }

    fn push_end(&mut self, attempts: &[JobAttempt]) {
        let event_type = match self.record.job.status {
            JobStatus::Completed => EventType::Completed,
            JobStatus::Failed => EventType::Failed,
            JobStatus::Cancelled => EventType::Cancelled,
            _ => return,
        };
        let record = self.record;
        let last = attempts
            .iter()
            .filter(|a| a.number == record.attempt)
            .max_by_key(|a| a.take);
        let producer = last.map_or(&record.taken_by, |attempt| &attempt.executor);
        let mut payload = JsonObject::new();
        if let (Some(error), true) = (&record.error, event_type == EventType::Failed) {
            payload.insert("error".to_owned(), error.as_str().into());
        }
        let at = record.finished_at.unwrap_or(record.taken_at);
        self.push(event_type, record.attempt, at, producer, payload);
    }
}

/// Milliseconds with microsecond precision.
fn milliseconds(duration: std::time::Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}

/// Status of a job right after this event.
pub const fn status_after(event_type: EventType) -> JobStatus {
    match event_type {
        EventType::Created => JobStatus::Pending,
        EventType::Validated => JobStatus::Validated,
        EventType::Scheduled => JobStatus::Scheduled,
        EventType::Executed => JobStatus::Executing,
        EventType::Retrying => JobStatus::Retrying,
        EventType::Completed => JobStatus::Completed,
        EventType::Failed | EventType::DeadLettered => JobStatus::Failed,
        EventType::Cancelled => JobStatus::Cancelled,
    }
}

/// Status that a sequence number stands for ([`crate::ids::sequence`]), and its attempt.
/// None for a number that no event has.
pub const fn status_at(sequence: u32) -> Option<(JobStatus, u32)> {
    let attempt = sequence / ids::SEQUENCE_STRIDE;
    let status = match (sequence % ids::SEQUENCE_STRIDE, attempt) {
        (0, 0) => JobStatus::Pending,
        (1, 0) => JobStatus::Validated,
        (2, 0) => JobStatus::Scheduled,
        (1, _) => JobStatus::Executing,
        (2, _) => JobStatus::Retrying,
        (3, _) => JobStatus::Completed,
        (4, _) => JobStatus::Failed,
        (5, _) => JobStatus::Cancelled,
        _ => return None,
    };
    Some((status, attempt))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer(service: &str) -> Producer {
        Producer {
            service: service.to_owned(),
            instance_id: "i".to_owned(),
            version: "0.1.0".to_owned(),
        }
    }

    fn record(status: JobStatus, attempt: u32) -> JobRecord {
        let at = Timestamp::from_micros(1_000_000);
        JobRecord {
            job: Job {
                id: uuid::Uuid::from_u128(1),
                job_type: "hello".parse().unwrap(),
                status,
                created_at: at,
                updated_at: None,
                payload: JsonObject::new(),
                metadata: JsonObject::new(),
                options: Default::default(),
                retry_of: None,
            },
            correlation_id: "c".to_owned(),
            traceparent: None,
            submitted_at: at,
            submitted_by: producer("gateway"),
            taken_at: at,
            taken_by: producer("processor"),
            valid: true,
            attempt,
            takes: attempt,
            scheduled_for: None,
            finished_at: status.is_terminal().then_some(at),
            result: None,
            error: None,
            cancel_requested: false,
        }
    }

    fn attempt(number: u32, take: u32, outcome: Option<AttemptOutcome>, retried: bool) -> JobAttempt {
        let at = Timestamp::from_micros(2_000_000);
        JobAttempt {
            number,
            take,
            started_at: at,
            finished_at: outcome.map(|_| at),
            outcome,
            error: None,
            retry_at: retried.then_some(at),
            executor: producer("processor"),
        }
    }

    fn names(record: &JobRecord, attempts: &[JobAttempt]) -> Vec<(EventType, u32)> {
        let events = events(record, attempts);
        assert!(
            events.windows(2).all(|pair| pair[0].sequence < pair[1].sequence),
            "sequences must rise"
        );
        events
            .iter()
            .map(|event| (event.event_type, event.sequence.unwrap() / ids::SEQUENCE_STRIDE))
            .collect()
    }

    #[test]
    fn a_job_that_retries_then_completes() {
        use AttemptOutcome::{Failed, Lost, Succeeded};
        let attempts = [
            attempt(1, 1, Some(Failed), true),
            attempt(2, 2, Some(Lost), false),
            attempt(2, 3, Some(Succeeded), false),
        ];
        assert_eq!(
            names(&record(JobStatus::Completed, 2), &attempts),
            [
                (EventType::Created, 0),
                (EventType::Validated, 0),
                (EventType::Executed, 1),
                (EventType::Retrying, 1),
                (EventType::Executed, 2),
                (EventType::Completed, 2)
            ]
        );
    }

    #[test]
    fn a_running_attempt_implies_nothing_yet() {
        let implied = names(&record(JobStatus::Executing, 1), &[attempt(1, 1, None, false)]);
        assert_eq!(implied, [(EventType::Created, 0), (EventType::Validated, 0)]);
    }

    #[test]
    fn a_job_cancelled_before_its_first_attempt() {
        let mut scheduled = record(JobStatus::Cancelled, 0);
        scheduled.scheduled_for = Some(Timestamp::MAX);
        let implied = names(&scheduled, &[]);
        assert_eq!(
            implied[2..],
            [(EventType::Scheduled, 0), (EventType::Cancelled, 0)]
        );
    }

    #[test]
    fn a_poison_job_only_failed() {
        let mut poison = record(JobStatus::Failed, 0);
        poison.valid = false;
        assert_eq!(names(&poison, &[]), [(EventType::Failed, 0)]);
    }

    #[test]
    fn every_sequence_tells_the_status_of_its_event() {
        for event_type in EventType::ALL {
            let attempt = u32::from(matches!(event_type, EventType::Executed | EventType::Retrying));
            if let Some(sequence) = ids::sequence(event_type, attempt) {
                assert_eq!(status_at(sequence), Some((status_after(event_type), attempt)));
            }
        }
        assert_eq!(status_at(6), None);
        assert_eq!(status_at(10), None);
    }
}
