//! Jobs: what is submitted, what is kept of them, and what their execution may be told.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::event::Producer;
use uuid::Uuid;

use crate::ids::PayloadDigest;
use crate::number::optional_whole;
use crate::timestamp::Timestamp;

/// A JSON object.
pub type JsonObject = serde_json::Map<String, Value>;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobStatus {
    /// Accepted; the processor has not seen it yet.
    Pending,
    /// Checked by the processor, waiting for a free slot.
    Validated,
    /// Waiting for the instant at which it was asked to run.
    Scheduled,
    /// A handler works on it.
    Executing,
    /// An attempt failed; the next one waits for its backoff.
    Retrying,
    /// Ended well.
    Completed,
    /// Ended badly: no attempt is left, or it could never run.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
}

impl JobStatus {
    /// Every status, in the order in which a job can pass them.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Validated,
        Self::Scheduled,
        Self::Executing,
        Self::Retrying,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The status as it is written everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Validated => "VALIDATED",
            Self::Scheduled => "SCHEDULED",
            Self::Executing => "EXECUTING",
            Self::Retrying => "RETRYING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether a job in this status never changes again.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that is no job status.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "unknown job status {0:?}; statuses are PENDING, VALIDATED, SCHEDULED, EXECUTING, RETRYING, COMPLETED, FAILED and CANCELLED"
)]
pub struct UnknownStatus(pub String);

impl FromStr for JobStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

/// The kind of a job, which chooses its handler: 1–50 of `[A-Za-z0-9._-]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[schema(value_type = String, pattern = "^[A-Za-z0-9._-]{1,50}$", example = "hello")]
pub struct JobType(String);

/// A text that is no job type.
#[derive(Debug, Clone, thiserror::Error)]
#[error("a job type is 1 to 50 characters of A-Z, a-z, 0-9, '.', '_' and '-'")]
pub struct InvalidJobType;

impl JobType {
    /// Longest job type, in characters.
    pub const MAX_LENGTH: usize = 50;

    /// The type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JobType {
    type Err = InvalidJobType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=Self::MAX_LENGTH).contains(&text.len());
        if fits
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidJobType)
        }
    }
}

impl fmt::Display for JobType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for JobType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How a job is to be executed. Everything absent takes its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobOptions {
    /// Attempts before the job ends FAILED: 1–25, 3 where absent.
    #[serde(
        default,
        deserialize_with = "optional_whole",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 1, maximum = 25)]
    pub max_attempts: Option<u32>,
    /// Backoff before the second attempt, in milliseconds, doubled for each further one: 0–3,600,000, 500 where absent.
    #[serde(
        default,
        deserialize_with = "optional_whole",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(maximum = 3_600_000)]
    pub backoff_ms: Option<u64>,
    /// Longest time one attempt may take, in milliseconds: 1–86,400,000, 30,000 where absent.
    #[serde(
        default,
        deserialize_with = "optional_whole",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 1, maximum = 86_400_000)]
    pub timeout_ms: Option<u64>,
    /// Time to wait before the first attempt, in milliseconds: 0–31,536,000,000 (a year). Excludes `runAt`.
    #[serde(
        default,
        deserialize_with = "optional_whole",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(maximum = 31_536_000_000_u64)]
    pub delay_ms: Option<u64>,
    /// Instant before which the first attempt must not start. Excludes `delayMs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Timestamp>,
}

impl JobOptions {
    /// Attempts where `maxAttempts` is absent.
    pub const DEFAULT_MAX_ATTEMPTS: u32 = 3;
    /// Most attempts that can be asked for.
    pub const MAX_ATTEMPTS: u32 = 25;
    /// Backoff where `backoffMs` is absent.
    pub const DEFAULT_BACKOFF: Duration = Duration::from_millis(500);
    /// Longest first backoff that can be asked for.
    pub const MAX_BACKOFF_MS: u64 = 3_600_000;
    /// Time limit of an attempt where `timeoutMs` is absent.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
    /// Longest time limit that can be asked for.
    pub const MAX_TIMEOUT_MS: u64 = 86_400_000;
    /// Longest delay that can be asked for: 365 days.
    pub const MAX_DELAY_MS: u64 = 31_536_000_000;

    /// Attempts before the job ends FAILED.
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts.unwrap_or(Self::DEFAULT_MAX_ATTEMPTS)
    }

    /// Backoff before the second attempt.
    pub fn backoff(&self) -> Duration {
        self.backoff_ms
            .map_or(Self::DEFAULT_BACKOFF, Duration::from_millis)
    }

    /// Time limit of one attempt.
    pub fn timeout(&self) -> Duration {
        self.timeout_ms
            .map_or(Self::DEFAULT_TIMEOUT, Duration::from_millis)
    }

    /// Instant at which a job submitted at `submitted_at` may first run; none where it may run at once.
    pub fn first_run(&self, submitted_at: Timestamp) -> Option<Timestamp> {
        match (self.run_at, self.delay_ms) {
            (Some(at), _) => Some(at),
            (None, Some(delay)) if delay > 0 => Some(submitted_at.plus(Duration::from_millis(delay))),
            _ => None,
        }
    }
}

/// A job as it travels: the payload of `job.created` and the core of every answer about a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Identity and idempotency key.
    pub id: Uuid,
    /// Chooses the handler.
    #[serde(rename = "type")]
    pub job_type: JobType,
    /// Where the job stands.
    pub status: JobStatus,
    /// When it was submitted, as the submitter or the gateway says.
    pub created_at: Timestamp,
    /// When its state last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// Input of the handler.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub payload: JsonObject,
    /// Free annotations; no part of the system reads them.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[schema(value_type = Object)]
    pub metadata: JsonObject,
    /// How to execute it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub options: JobOptions,
    /// The job that this one repeats (`odd jobs retry`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<Uuid>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Job {
    /// Digest that decides whether another message under this id is the same job.
    pub fn digest(&self) -> PayloadDigest {
        PayloadDigest::of(self.job_type.as_str(), &self.payload)
    }
}

/// What a client sends to submit a job. The gateway fills what is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobSubmission {
    /// Identity and idempotency key; a random one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Chooses the handler.
    #[serde(rename = "type")]
    #[schema(pattern = "^[A-Za-z0-9._-]{1,50}$", example = "hello")]
    pub job_type: String,
    /// `PENDING`, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<JobStatus>,
    /// When the job was made; the present where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Taken as the original contract has it; the gateway does not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// Input of the handler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub payload: Option<JsonObject>,
    /// Free annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<JsonObject>,
    /// How to execute it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<JobOptions>,
}

/// The gateway's answer to an accepted submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobAccepted {
    /// Identity of the job.
    pub job_id: Uuid,
    /// Identity of its `job.created` event.
    pub event_id: Uuid,
    /// Always `PENDING`: acceptance says nothing about execution.
    pub status: JobStatus,
    /// Under which the job's events and log lines can be found.
    pub correlation_id: String,
    /// Whether this id was accepted before with the same payload; no second job was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The handler returned a result.
    Succeeded,
    /// The handler returned an error.
    Failed,
    /// The handler took longer than the job's `timeoutMs`.
    TimedOut,
    /// The job was cancelled while the handler ran.
    Cancelled,
    /// The processor that ran it was lost; the attempt was taken again under the same number.
    Lost,
}

impl AttemptOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Lost,
    ];

    /// The outcome as it is written everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

/// One execution of a job by one processor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobAttempt {
    /// Number of the attempt, from 1. A lost attempt's successor has the same number.
    pub number: u32,
    /// How often the job had been taken when this execution began, from 1; unique in a job.
    pub take: u32,
    /// When the handler was started.
    pub started_at: Timestamp,
    /// When the handler ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How it ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AttemptOutcome>,
    /// Why it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When the next attempt is due, where one follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// The processor that ran it.
    pub executor: Producer,
}

/// All that the job store knows of a job, but for its lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobRecord {
    /// The job as it stands.
    #[serde(flatten)]
    pub job: Job,
    /// Under which its events and log lines can be found.
    pub correlation_id: String,
    /// W3C trace context of the submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// When its work message was published (`occurredAt` of `job.created`).
    pub submitted_at: Timestamp,
    /// Who published its work message.
    pub submitted_by: Producer,
    /// When a processor first took it.
    pub taken_at: Timestamp,
    /// The processor that first took it.
    pub taken_by: Producer,
    /// Whether it passed validation; a job that did not ended FAILED without an attempt.
    pub valid: bool,
    /// Number of the current or last attempt; 0 before the first.
    pub attempt: u32,
    /// How often a processor took it to execute it.
    pub takes: u32,
    /// Instant before which its first attempt must not start, where it was asked to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// What its handler returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    /// Why it failed, or why its last attempt did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether somebody asked for its cancellation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel_requested: bool,
}
