//! Lines of the exports that `odd verify` reconciles.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::job::JobStatus;
use crate::timestamp::Timestamp;

/// One line of `/export/jobs`: state and attempts, for reconciliation. Ordered by job id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportedJob {
    /// Identity of the job.
    pub id: Uuid,
    /// Where it stands.
    pub status: JobStatus,
    /// When its work message was published.
    pub submitted_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// Whether the job store still owes it something, and since when that is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Sequence numbers of the events that its state and attempts imply, in order.
    pub sequences: Vec<u32>,
}

/// One line of `/export/events`: a job's history, for reconciliation. Ordered by job id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportedHistory {
    /// Identity of the job.
    pub id: Uuid,
    /// When its `job.created` happened, where the log has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Sequence numbers of the events in the log, in order, with repetitions where one was recorded twice.
    pub sequences: Vec<u32>,
}
