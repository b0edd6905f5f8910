//! From a delivery of `jobs.created` to a job, or to the reason why it is none.

use odd_contracts::ids::PayloadDigest;
use odd_contracts::names::spine::reason;
use odd_contracts::schema::{Schema, validate};
use odd_contracts::{EventEnvelope, EventType, Job, JobId, JobRecord, JobStatus, Producer, Timestamp};
use odd_spine::{Delivery, codec, dead_letter};
use odd_store::{Poison, Work, WorkMode};
use serde_json::Value;

/// Why a delivery is no job.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// One of [`reason`].
    pub(crate) reason: &'static str,
    /// What exactly is wrong.
    pub(crate) detail: String,
    /// The job it names, where one can be read.
    pub(crate) job_id: Option<JobId>,
    /// Type of that job, where a valid one can be read.
    job_type: Option<String>,
    /// Correlation id, where one can be read.
    correlation_id: Option<String>,
}

/// Reads the work message of a delivery.
pub(crate) fn parse(delivery: &Delivery) -> Result<Work, Refusal> {
    let envelope = single_envelope(delivery)?;
    if envelope.event_type != EventType::Created {
        let detail = format!("an event of type {} is no work message", envelope.event_type);
        return Err(refuse(&envelope, reason::INVALID_ENVELOPE, detail));
    }
    let payload = Value::Object(envelope.payload.clone());
    if let Err(errors) = validate(Schema::Job, &payload) {
        let detail: Vec<_> = errors
            .iter()
            .map(|error| format!("{}: {}", error.path, error.message))
            .collect();
        return Err(refuse(&envelope, reason::INVALID_JOB, detail.join("; ")));
    }
    let job: Job = match serde_json::from_value(payload) {
        Ok(job) => job,
        Err(error) => return Err(refuse(&envelope, reason::INVALID_JOB, error.to_string())),
    };
    if job.status != JobStatus::Pending {
        let detail = format!(
            "a work message asks for a job in status PENDING, not {}",
            job.status
        );
        return Err(refuse(&envelope, reason::INVALID_JOB, detail));
    }
    Ok(Work {
        digest: job.digest(),
        submitted_at: envelope.occurred_at,
        scheduled_for: job.options.first_run(envelope.occurred_at),
        submitted_by: envelope.producer,
        correlation_id: envelope.correlation_id,
        traceparent: envelope.traceparent,
        mode: WorkMode::Run,
        job,
    })
}

fn single_envelope(delivery: &Delivery) -> Result<EventEnvelope, Refusal> {
    let unreadable = |reason, detail| Refusal {
        reason,
        detail,
        job_id: dead_letter::guess_job_id(&delivery.body),
        job_type: None,
        correlation_id: None,
    };
    let mut envelopes = codec::unpack_delivery(delivery);
    match (envelopes.pop(), envelopes.is_empty()) {
        (Some(Ok(envelope)), true) => Ok(envelope),
        (Some(Err(bad)), true) => Err(unreadable(bad.reason, bad.detail)),
        (Some(_), false) => Err(unreadable(
            reason::INVALID_ENVELOPE,
            "a work message carries exactly one envelope".to_owned(),
        )),
        (None, _) => Err(unreadable(reason::NOT_JSON, "the message is empty".to_owned())),
    }
}

fn refuse(envelope: &EventEnvelope, reason: &'static str, detail: String) -> Refusal {
    Refusal {
        reason,
        detail,
        job_id: envelope
            .job_id()
            .or_else(|| envelope.idempotency_key.parse().ok()),
        job_type: envelope.job_type().map(str::to_owned),
        correlation_id: Some(envelope.correlation_id.clone()),
    }
}

/// Type of a job whose own cannot be read.
const UNKNOWN_TYPE: &str = "unknown";

impl Refusal {
    /// A job that never could run, under the id that the message names.
    pub(crate) fn poison(&self, by: &Producer) -> Option<Poison> {
        let id = self.job_id?;
        let now = Timestamp::now();
        let job_type = self.job_type.as_deref().unwrap_or(UNKNOWN_TYPE);
        let job_type = job_type.parse().or_else(|_| UNKNOWN_TYPE.parse()).ok()?;
        let record = JobRecord {
            job: Job {
                id,
                job_type,
                status: JobStatus::Failed,
                created_at: now,
                updated_at: Some(now),
                payload: Default::default(),
                metadata: Default::default(),
                options: Default::default(),
                retry_of: None,
            },
            correlation_id: self.correlation_id.clone().unwrap_or_else(|| id.to_string()),
            traceparent: None,
            submitted_at: now,
            submitted_by: by.clone(),
            taken_at: now,
            taken_by: by.clone(),
            valid: false,
            attempt: 0,
            takes: 0,
            scheduled_for: None,
            finished_at: Some(now),
            result: None,
            error: Some(format!("{}: {}", self.reason, self.detail)),
            cancel_requested: false,
        };
        // No job has this digest, so that whatever comes later under the id is in conflict with it.
        Some(Poison {
            record,
            digest: PayloadDigest([0; 32]),
        })
    }
}

impl Refusal {
    /// Another payload was stored under the job's id first. The job that has the id is not touched.
    pub(crate) fn conflict(work: &Work) -> Self {
        let detail = format!("another payload was stored under the id {} first", work.job.id);
        Self::of_work(work, reason::ID_CONFLICT, detail)
    }

    /// The store refuses the job itself.
    pub(crate) fn by_store(work: &Work, error: &odd_store::StoreError) -> Self {
        let cause = std::error::Error::source(error)
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        Self::of_work(work, reason::STORE_REFUSED, format!("{error}{cause}"))
    }

    fn of_work(work: &Work, reason: &'static str, detail: String) -> Self {
        Self {
            reason,
            detail,
            job_id: Some(work.job.id),
            job_type: Some(work.job.job_type.as_str().to_owned()),
            correlation_id: Some(work.correlation_id.clone()),
        }
    }
}
