//! What is asked and told of jobs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::job::{JobAttempt, JobRecord, JobStatus};
use crate::problem::Problem;
use crate::timestamp::Timestamp;

/// One row of a list of jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobSummary {
    /// Identity of the job.
    pub id: Uuid,
    /// Type of the job.
    #[serde(rename = "type")]
    pub job_type: String,
    /// Where it stands.
    pub status: JobStatus,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// Number of the current or last attempt; 0 before the first.
    pub attempt: u32,
    /// Attempts it may have.
    pub max_attempts: u32,
    /// Milliseconds from its publication to its first taking by a processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_ms: Option<f64>,
    /// Milliseconds from its first taking to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran_ms: Option<f64>,
    /// Why it failed, or why its last attempt did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A page of a list of jobs, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<JobSummary>,
    /// Asks for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Everything known about one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDetail {
    /// What the job store knows. Of a job that only the event log knows yet, what its `job.created` says.
    #[serde(flatten)]
    pub record: JobRecord,
    /// Its executions, in order.
    pub attempts: Vec<JobAttempt>,
}

/// Status of several jobs at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LookupRequest {
    /// Up to 1,000 job ids.
    pub ids: Vec<Uuid>,
}

/// Status of one job in a [`LookupResponse`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobState {
    /// Identity of the job.
    pub id: Uuid,
    /// Type of the job.
    #[serde(rename = "type")]
    pub job_type: String,
    /// Where it stands.
    pub status: JobStatus,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Status of the jobs that are known; others are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LookupResponse {
    /// The jobs that are known.
    pub jobs: Vec<JobState>,
}

/// Answer to one line of `POST /jobs/batch`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchResult {
    /// Place in the request, from 0.
    pub index: usize,
    /// HTTP status that the line would have got alone.
    pub status: u16,
    /// Identity of the job, where one can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
    /// Identity of its `job.created` event, where it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uuid>,
    /// Whether this id was accepted before with the same payload.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// Why it was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Answer of `POST /jobs/batch`: one result per line, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BatchResponse {
    /// How many were accepted.
    pub accepted: usize,
    /// How many were not.
    pub rejected: usize,
    /// One result per line.
    pub results: Vec<BatchResult>,
}

/// Body of `POST /jobs/{id}/retry`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryRequest {
    /// Identity of the new job; a random one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
}

/// Answer of `POST /jobs/{id}/cancel`: the request is on its way; the processor decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancelAccepted {
    /// The job.
    pub job_id: Uuid,
    /// Of the request.
    pub correlation_id: String,
}
