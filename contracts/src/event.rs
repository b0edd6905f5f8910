//! Events: the envelope of every message on the spine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ids::JobId;
use crate::job::JsonObject;
use crate::timestamp::Timestamp;

/// Version of the event envelope that this build writes.
pub const CONTRACT_VERSION: &str = "1.1.0";

/// What an event reports. Its name is also its routing key on the exchange `odd.events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum EventType {
    /// A job was accepted.
    #[serde(rename = "job.created")]
    Created,
    /// A processor took the job and found it well-formed.
    #[serde(rename = "job.validated")]
    Validated,
    /// The job waits for the instant it was asked to run at.
    #[serde(rename = "job.scheduled")]
    Scheduled,
    /// An attempt was executed: its handler returned, well or badly, or ran out of time.
    #[serde(rename = "job.executed")]
    Executed,
    /// An attempt failed and another follows after a backoff.
    #[serde(rename = "job.retrying")]
    Retrying,
    /// The job ended well.
    #[serde(rename = "job.completed")]
    Completed,
    /// The job ended badly.
    #[serde(rename = "job.failed")]
    Failed,
    /// The job ended because somebody asked for it.
    #[serde(rename = "job.cancelled")]
    Cancelled,
    /// A message that no consumer can take was put aside.
    #[serde(rename = "job.dead_lettered")]
    DeadLettered,
}

impl EventType {
    /// Every event type, in the order in which they can happen to a job.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::Validated,
        Self::Scheduled,
        Self::Executed,
        Self::Retrying,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::DeadLettered,
    ];

    /// The event's name and routing key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "job.created",
            Self::Validated => "job.validated",
            Self::Scheduled => "job.scheduled",
            Self::Executed => "job.executed",
            Self::Retrying => "job.retrying",
            Self::Completed => "job.completed",
            Self::Failed => "job.failed",
            Self::Cancelled => "job.cancelled",
            Self::DeadLettered => "job.dead_lettered",
        }
    }

    /// Whether a job's history ends with this event.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that is no event type.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "unknown event type {0:?}; event types are job.created, job.validated, job.scheduled, job.executed, job.retrying, job.completed, job.failed, job.cancelled and job.dead_lettered"
)]
pub struct UnknownEventType(pub String);

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|event| event.name() == text)
            .ok_or_else(|| UnknownEventType(text.to_owned()))
    }
}

/// The process that published an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Producer {
    /// Name of its role.
    pub service: String,
    /// Which of the role's processes it was.
    pub instance_id: String,
    /// Version of its build.
    pub version: String,
}

/// The envelope of every message on the spine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventEnvelope {
    /// Version of the envelope contract, SemVer.
    pub contract_version: String,
    /// What happened.
    pub event_type: EventType,
    /// Identity of the event; equal ids are the same event.
    pub event_id: Uuid,
    /// When it happened, by the producer's clock.
    pub occurred_at: Timestamp,
    /// Who reports it.
    pub producer: Producer,
    /// Shared by everything that follows from one submission.
    pub correlation_id: String,
    /// What makes a repetition recognisable: the job's id (of a dead letter: its own).
    pub idempotency_key: String,
    /// What there is to say. `id`, `type` and `status` are the job's; of `job.created` it is the whole job.
    #[schema(value_type = Object)]
    pub payload: JsonObject,
    /// Place in the job's history ([`crate::ids::sequence`]).
    #[serde(
        default,
        deserialize_with = "crate::number::optional_whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub sequence: Option<u32>,
    /// The event that led to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl EventEnvelope {
    /// The job that the event is about: `payload.id`. None where a dead letter's job cannot be told.
    pub fn job_id(&self) -> Option<JobId> {
        self.payload.get("id")?.as_str()?.parse().ok()
    }

    /// Type of the job that the event is about: `payload.type`.
    pub fn job_type(&self) -> Option<&str> {
        self.payload.get("type")?.as_str()
    }
}
