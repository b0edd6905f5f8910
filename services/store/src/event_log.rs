//! The event log: every lifecycle event, once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use odd_contracts::api::ExportedHistory;
use odd_contracts::{EventEnvelope, EventHead, EventType, JobId, Timestamp};
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

/// An event as the log takes it: the envelope's text, and what the log finds it by. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Identity of the event.
    pub event_id: Uuid,
    /// What happened.
    pub event_type: EventType,
    /// The job that the event is about. None where it names none.
    pub job_id: Option<JobId>,
    /// Place in the job's history. None exactly for dead letters, which are no part of one.
    pub sequence: Option<u32>,
    /// Shared by everything that follows from one submission.
    pub correlation_id: Arc<str>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The whole envelope as JSON.
    pub envelope: Arc<str>,
}

impl LoggedEvent {
    /// The event with this head and this text.
    pub fn new(head: &EventHead<'_>, envelope: &str) -> Self {
        let sequence = (head.event_type != EventType::DeadLettered).then(|| {
            let sequence = head.given_sequence.or_else(|| head.implied_sequence());
            // An event with an attempt beyond all numbers still belongs to its job's history: last.
            sequence.unwrap_or(u32::MAX)
        });
        Self {
            event_id: head.event_id,
            event_type: head.event_type,
            job_id: head.job_id,
            sequence,
            correlation_id: head.correlation_id.as_ref().into(),
            occurred_at: head.occurred_at,
            envelope: envelope.into(),
        }
    }

    /// These events, written anew.
    pub fn of_all(envelopes: &[EventEnvelope]) -> Vec<Self> {
        envelopes.iter().map(Self::from).collect()
    }
}

impl From<&EventEnvelope> for LoggedEvent {
    fn from(envelope: &EventEnvelope) -> Self {
        let text = serde_json::to_string(envelope)
            .expect("a document of plain values and texts as keys can be written");
        Self::new(&EventHead::of(envelope), &text)
    }
}

/// Of each event type how many events were recorded that had not been before.
pub type NewEvents = BTreeMap<EventType, u64>;

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

    /// Records events; those recorded already are ignored. Tells how many are new.
    ///
    /// Two events are the same where their `event_id` is, their job and their sequence: a producer gives
    /// one id to one event, and what happened does not change.
    async fn append(&self, events: &[LoggedEvent]) -> Result<NewEvents, StoreError>;

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

    /// The `job.created` of each of these jobs that has one, in no particular order.
    async fn created(&self, jobs: &[JobId]) -> Result<Vec<EventEnvelope>, StoreError>;

    /// The event `job.dead_lettered` with this id.
    async fn dead_letter(&self, event_id: Uuid) -> Result<Option<EventEnvelope>, StoreError>;

    /// Histories for reconciliation, in order of job id, from the first behind `after`, at most `limit` jobs.
    async fn export(&self, after: Option<JobId>, limit: usize) -> Result<Vec<ExportedHistory>, StoreError>;

    /// For how long events are kept; for ever where none. A history whose job was submitted longer ago may be there in
    /// part or not at all.
    async fn retention(&self) -> Result<Option<Duration>, StoreError> {
        Ok(None)
    }
}
