//! Stores that can be made to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use odd_contracts::api::{self, ExportedHistory};
use odd_contracts::{EventEnvelope, JobId};
use odd_store::{
    CounterEvent, Counters, EventFilter, EventLog, Generation, LoggedEvent, NewEvents, Position,
    PositionedEvent, StoreError,
};
use uuid::Uuid;

/// How a store is to fail.
#[derive(Default)]
pub(crate) struct Faults {
    /// It is away.
    pub(crate) away: AtomicBool,
    /// It never answers.
    pub(crate) hangs: AtomicBool,
    /// It refuses batches with events of jobs of the type `refused`.
    pub(crate) refuses: AtomicBool,
    /// It counts no more until it was rebuilt, but looks intact.
    pub(crate) forgets: AtomicBool,
    /// Calls so far.
    pub(crate) calls: AtomicUsize,
}

impl Faults {
    async fn strike(&self, mut types: impl Iterator<Item = &str>) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("unplugged".into()));
        }
        if self.refuses.load(Ordering::SeqCst) && types.any(|job_type| job_type == "refused") {
            return Err(StoreError::Refused("not to its taste".into()));
        }
        Ok(())
    }
}

/// The real event log, but for its faults.
pub(crate) struct FaultyLog(pub(crate) Arc<dyn EventLog>, pub(crate) Arc<Faults>);

#[async_trait]
impl EventLog for FaultyLog {
    fn adapter(&self) -> &'static str {
        self.0.adapter()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.1.strike(std::iter::empty()).await?;
        self.0.ping().await
    }

    async fn append(&self, events: &[LoggedEvent]) -> Result<NewEvents, StoreError> {
        let envelopes: Vec<EventEnvelope> = events
            .iter()
            .map(|event| serde_json::from_str(&event.envelope).unwrap())
            .collect();
        self.1
            .strike(envelopes.iter().filter_map(EventEnvelope::job_type))
            .await?;
        self.0.append(events).await
    }

    async fn history(&self, job: JobId) -> Result<Vec<EventEnvelope>, StoreError> {
        self.0.history(job).await
    }

    async fn newest(
        &self,
        filter: &EventFilter,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        self.0.newest(filter, before, limit).await
    }

    async fn since(
        &self,
        filter: &EventFilter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        self.0.since(filter, after, limit).await
    }

    async fn created(&self, jobs: &[JobId]) -> Result<Vec<EventEnvelope>, StoreError> {
        self.0.created(jobs).await
    }

    async fn dead_letter(&self, event_id: Uuid) -> Result<Option<EventEnvelope>, StoreError> {
        self.0.dead_letter(event_id).await
    }

    async fn export(&self, after: Option<JobId>, limit: usize) -> Result<Vec<ExportedHistory>, StoreError> {
        self.0.export(after, limit).await
    }
}

/// The real counters, but for their faults.
pub(crate) struct FaultyCounters(pub(crate) Arc<dyn Counters>, pub(crate) Arc<Faults>);

#[async_trait]
impl Counters for FaultyCounters {
    fn adapter(&self) -> &'static str {
        self.0.adapter()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }

    async fn is_intact(&self) -> Result<bool, StoreError> {
        self.0.is_intact().await
    }

    async fn apply(&self, into: Option<Generation>, events: &[CounterEvent]) -> Result<(), StoreError> {
        self.1
            .strike(events.iter().map(|event| event.job_type.as_str()))
            .await?;
        if into.is_none() && self.1.forgets.load(Ordering::SeqCst) {
            return Err(StoreError::Damaged(
                "an event is older than all they remember".to_owned(),
            ));
        }
        self.0.apply(into, events).await
    }

    async fn snapshot(&self) -> Result<api::Counters, StoreError> {
        self.0.snapshot().await
    }

    async fn begin_rebuild(&self) -> Result<Generation, StoreError> {
        self.1.forgets.store(false, Ordering::SeqCst);
        self.0.begin_rebuild().await
    }

    async fn activate(&self, generation: Generation) -> Result<(), StoreError> {
        self.0.activate(generation).await
    }
}
