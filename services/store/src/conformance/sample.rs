//! Events and shuffles for the suites.

use odd_contracts::{CONTRACT_VERSION, EventEnvelope, EventType, JobId, JobStatus, Producer, Timestamp, ids};
use serde_json::json;
use uuid::Uuid;

/// The event of a job of type `hello`, as the roles publish it.
pub fn event(job: JobId, event_type: EventType, attempt: u32) -> EventEnvelope {
    typed_event(job, "hello", event_type, attempt)
}

/// The event of a job of this type. Its correlation id is `c-` and the job's id.
pub fn typed_event(job: JobId, job_type: &str, event_type: EventType, attempt: u32) -> EventEnvelope {
    let sequence = ids::sequence(event_type, attempt);
    let payload = json!({ "id": job, "type": job_type, "attempt": attempt });
    EventEnvelope {
        contract_version: CONTRACT_VERSION.to_owned(),
        event_type,
        event_id: ids::event_id(job, event_type, attempt),
        // Later events of a job happen later.
        occurred_at: Timestamp::from_micros(
            1_700_000_000_000_000 + i64::from(sequence.unwrap_or_default()) * 1_000,
        ),
        producer: Producer {
            service: "processor".to_owned(),
            instance_id: "conformance-1".to_owned(),
            version: "0.0.0".to_owned(),
        },
        correlation_id: format!("c-{job}"),
        idempotency_key: job.to_string(),
        payload: payload.as_object().cloned().unwrap_or_default(),
        sequence,
        causation_id: None,
        traceparent: None,
    }
}

/// A dead letter, which names the job where there is one.
pub fn dead_letter(id: Uuid, job: Option<JobId>) -> EventEnvelope {
    let mut event = event(id, EventType::DeadLettered, 0);
    event.payload.remove("id");
    if let Some(job) = job {
        event.payload.insert("id".to_owned(), job.to_string().into());
    }
    event
}

/// The whole history of a job that ends in `end` with its attempt number `attempts`.
pub fn history(job: JobId, job_type: &str, attempts: u32, end: JobStatus) -> Vec<EventEnvelope> {
    let mut events = vec![
        typed_event(job, job_type, EventType::Created, 0),
        typed_event(job, job_type, EventType::Validated, 0),
    ];
    for attempt in 1..=attempts {
        events.push(typed_event(job, job_type, EventType::Executed, attempt));
        if attempt < attempts {
            events.push(typed_event(job, job_type, EventType::Retrying, attempt));
        }
    }
    let last = match end {
        JobStatus::Completed => EventType::Completed,
        JobStatus::Failed => EventType::Failed,
        JobStatus::Cancelled => EventType::Cancelled,
        _ => return events,
    };
    events.push(typed_event(job, job_type, last, attempts));
    events
}

/// A job's id from a number; ids sort like their numbers.
pub fn job(number: u128) -> JobId {
    Uuid::from_u128(number)
}

/// Chance that can be repeated: SplitMix64 (Steele, Lea, Flood 2014).
pub struct Chance(pub u64);

impl Chance {
    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % (bound.max(1) as u64)) as usize
    }

    /// Brings `items` into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
