//! The event log: every lifecycle event, once.

use async_trait::async_trait;
use odd_contracts::api::ExportedHistory;
use odd_contracts::{EventEnvelope, EventType, JobId};
use uuid::Uuid;

use crate::StoreError;

/// Place of an event in the order of recording. Opaque but for its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub i64);

/// An event and its place.
#[derive(Clone, Debug)]
pub struct PositionedEvent {
    /// Its place in the order of recording.
    pub position: Position,
    /// The event.
    pub event: EventEnvelope,
}

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only these types; all where empty.
    pub event_types: Vec<EventType>,
    /// Only events of this job.
    pub job_id: Option<JobId>,
    /// Only events under this correlation id.
    pub correlation_id: Option<String>,
}

/// The port. Every method may fail with [`StoreError`], and then nothing was written.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// What the log is made of, such as `sqlite`.
    fn adapter(&self) -> &'static str;

    /// Answers when the log does.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Records events; one whose `event_id` is recorded already is ignored. Tells, in order, which are new.
    async fn append(&self, events: &[EventEnvelope]) -> Result<Vec<bool>, StoreError>;

    /// A job's events in order of sequence. A dead letter that names the job is not part of it.
    async fn history(&self, job: JobId) -> Result<Vec<EventEnvelope>, StoreError>;

    /// Events newest first, those before `before`, at most `limit`.
    async fn newest(
        &self,
        filter: &EventFilter,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError>;

    /// Events in order of recording, those after `after`, at most `limit`.
    async fn since(
        &self,
        filter: &EventFilter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError>;

    /// One event.
    async fn get(&self, event_id: Uuid) -> Result<Option<EventEnvelope>, StoreError>;

    /// Histories for reconciliation, in order of job id, from the first behind `after`, at most `limit` jobs.
    async fn export(&self, after: Option<JobId>, limit: usize) -> Result<Vec<ExportedHistory>, StoreError>;
}
