//! The counters: a projection of the event log that never counts an event twice.
//!
//! An event's sequence tells the status its job has after it, and the largest sequence of a job tells
//! its latest status. The guard is therefore one number per job, the largest sequence seen: applying an
//! event is `max`, which neither order nor repetition can spoil.

use async_trait::async_trait;
use odd_contracts::history::status_at;
use odd_contracts::{EventEnvelope, EventHead, EventType, JobOptions, Timestamp};
use uuid::Uuid;

use crate::StoreError;

/// Most job types that are counted on their own; the jobs of further types are counted under `other`.
/// Which types those are depends on the order in which they were first seen.
pub const MAX_TYPES: usize = 200;

/// A key set of counters. A rebuild fills a new one beside the one in use and then swaps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub i64);

/// What the counters need of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterEvent {
    /// The job; of a dead letter, its own id.
    pub key: Uuid,
    /// Place in the job's history; none of a dead letter.
    pub sequence: Option<u32>,
    /// Type of the job.
    pub job_type: String,
    /// When it happened.
    pub occurred_at: Timestamp,
}

impl CounterEvent {
    /// What the counters need of an event; none where it counts for nothing (no job, or a sequence that no event has).
    pub fn of(event: &EventHead<'_>) -> Option<Self> {
        let (key, sequence) = if event.event_type == EventType::DeadLettered {
            (event.key?, None)
        } else {
            let given = event.given_sequence.filter(|sequence| exists(*sequence));
            let sequence = given.or_else(|| event.implied_sequence().filter(|sequence| exists(*sequence)));
            (event.job_id?, Some(sequence?))
        };
        Some(Self {
            key,
            sequence,
            job_type: event.job_type.as_deref().unwrap_or_default().to_owned(),
            occurred_at: event.occurred_at,
        })
    }

    /// What the counters need of these events.
    pub fn of_all(events: &[EventEnvelope]) -> Vec<Self> {
        events
            .iter()
            .filter_map(|event| Self::of(&EventHead::of(event)))
            .collect()
    }
}

/// Whether an event can have this sequence. A foreign producer may write any number, and a large one would
/// count as so many retries.
fn exists(sequence: u32) -> bool {
    status_at(sequence).is_some_and(|(_, attempt)| attempt <= JobOptions::MAX_ATTEMPTS)
}

/// The port. Every method may fail with [`StoreError`], and then nothing was counted.
#[async_trait]
pub trait Counters: Send + Sync + 'static {
    /// What the counters are made of, such as `sqlite`.
    fn adapter(&self) -> &'static str;

    /// Answers when the counters do.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Whether what is stored can be trusted; false asks for a rebuild.
    async fn is_intact(&self) -> Result<bool, StoreError>;

    /// Counts events, all of them or none. Those counted before change nothing. Counts into the
    /// generation in use, or into one that is being built.
    async fn apply(&self, into: Option<Generation>, events: &[CounterEvent]) -> Result<(), StoreError>;

    /// The counters of the generation in use.
    async fn snapshot(&self) -> Result<odd_contracts::api::Counters, StoreError>;

    /// An empty generation to build beside the one in use.
    async fn begin_rebuild(&self) -> Result<Generation, StoreError>;

    /// Puts a rebuilt generation in use, and drops the others.
    async fn activate(&self, generation: Generation) -> Result<(), StoreError>;
}
