//! The whole way of one job, as spans and events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::event::EventEnvelope;
use crate::job::{AttemptOutcome, JobStatus};
use crate::timestamp::Timestamp;

/// What a stretch of a job's life was spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpanKind {
    /// From publication to the first taking by a processor.
    QueueWait,
    /// Waiting for the instant it was asked to run at.
    Delay,
    /// From taking (or the end of delay or backoff) to the start of the handler.
    SlotWait,
    /// A handler at work.
    Execution,
    /// Waiting between two attempts.
    Backoff,
    /// From the loss of a processor to the job's next taking.
    Recovery,
    /// From the end of the last attempt to the terminal state.
    Completion,
}

/// A stretch of a job's life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineSpan {
    /// What the time went into.
    pub kind: SpanKind,
    /// The same in words, such as `attempt 2`.
    pub label: String,
    /// Number of the attempt it belongs to; 0 before the first.
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; absent while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How long it took (so far), in milliseconds.
    pub duration_ms: f64,
    /// How the attempt ended, of an execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AttemptOutcome>,
    /// Why the attempt did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The whole way of one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// The job.
    pub id: Uuid,
    /// Type of the job.
    #[serde(rename = "type")]
    pub job_type: String,
    /// Where it stands.
    pub status: JobStatus,
    /// Under which its events and log lines can be found.
    pub correlation_id: String,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// Milliseconds from publication to the end, or until now.
    pub total_ms: f64,
    /// Its life without gaps, in order.
    pub spans: Vec<TimelineSpan>,
    /// Its events as the event log has them, in order of sequence.
    pub events: Vec<EventEnvelope>,
    /// Whether the log has exactly the events that the job's state implies.
    pub complete: bool,
}
