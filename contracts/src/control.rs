//! Control messages: what the gateway asks of the processor, on the queue `jobs.control`.

use serde::{Deserialize, Serialize};

use crate::ids::JobId;
use crate::timestamp::Timestamp;

/// A request about a job. The processor decides; a request that comes too late changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum ControlMessage {
    /// End the job CANCELLED unless it has ended.
    Cancel {
        /// The job.
        id: JobId,
        /// Of the request.
        correlation_id: String,
        /// When the gateway took the request.
        requested_at: Timestamp,
    },
}
