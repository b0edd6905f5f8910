//! The role on the embedded adapters, and stores that can be made to fail.

#![expect(clippy::unwrap_used, reason = "test code fails by panicking")]
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use odd_contracts::api::{self, ExportedHistory};
use odd_contracts::names::spine::{JSON, NDJSON};
use odd_contracts::{EventEnvelope, JobId};
use odd_metrics_engine::{Config, Ports, run};
use odd_runtime::{RoleError, Shutdown};
use odd_spine::embedded::EmbeddedSpine;
use odd_spine::{Message, Queue, Route, Spine};
use odd_store::embedded::{Database, Options, SqliteCounters, SqliteEventLog};
use odd_store::{
    CounterEvent, Counters, EventFilter, EventLog, Generation, LoggedEvent, NewEvents, Position,
    PositionedEvent, StoreError,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Longest wait for a state.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A database with everything on it.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) spine: Arc<EmbeddedSpine>,
    pub(crate) event_log: Arc<SqliteEventLog>,
    pub(crate) counters: Arc<SqliteCounters>,
    // Removed with the world.
    directory: Option<tempfile::TempDir>,
}

impl World {
    /// On a new file.
    pub(crate) async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut world = Self::at(&directory.path().join("odd.db")).await;
        world.directory = Some(directory);
        world
    }

    /// On this file.
    pub(crate) async fn at(path: &Path) -> Self {
        let database = Database::open(path, Options::default()).await.unwrap();
        Self {
            spine: EmbeddedSpine::open(&database).await.unwrap(),
            event_log: Arc::new(SqliteEventLog::new(&database)),
            counters: Arc::new(SqliteCounters::new(&database)),
            database,
            directory: None,
        }
    }

    pub(crate) fn ports(&self) -> Ports {
        Ports {
            spine: self.spine.clone(),
            event_log: self.event_log.clone(),
            counters: self.counters.clone(),
        }
    }

    pub(crate) async fn publish(&self, events: &[EventEnvelope]) {
        odd_spine::codec::publish_events(&*self.spine, events)
            .await
            .unwrap();
    }

    pub(crate) async fn publish_body(&self, content_type: &str, body: String) {
        let message = Message {
            route: Route::Events(odd_contracts::EventType::Created),
            message_id: Uuid::new_v4(),
            content_type: content_type.to_owned(),
            headers: BTreeMap::new(),
            body: body.into(),
        };
        self.spine.publish(vec![message]).await.remove(0).unwrap();
    }

    pub(crate) async fn publish_lines(&self, lines: &[String]) {
        self.publish_body(NDJSON, lines.join("\n")).await;
    }

    pub(crate) async fn publish_json(&self, event: &EventEnvelope) {
        self.publish_body(JSON, line(event)).await;
    }

    /// Messages of a queue: ready and unacknowledged.
    pub(crate) async fn depth(&self, queue: Queue) -> u64 {
        let depths = self.spine.depths().await.unwrap();
        let depth = depths.iter().find(|depth| depth.name == queue.name()).unwrap();
        depth.ready + depth.unacknowledged
    }

    pub(crate) async fn drained(&self) {
        wait_for("the queue to be drained", async || {
            self.depth(Queue::Events).await == 0
        })
        .await;
    }

    pub(crate) async fn snapshot(&self) -> api::Counters {
        self.counters.snapshot().await.unwrap()
    }

    /// Every event in order of recording.
    pub(crate) async fn recorded(&self) -> Vec<EventEnvelope> {
        let everything = EventFilter::default();
        let all = self.event_log.since(&everything, None, 1_000_000).await.unwrap();
        all.into_iter().map(|event| event.event).collect()
    }
}

/// An event as one line.
pub(crate) fn line(event: &EventEnvelope) -> String {
    serde_json::to_string(event).unwrap()
}

pub(crate) async fn wait_for(what: &str, state: impl AsyncFn() -> bool) {
    let reached = async {
        while !state().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, reached)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

/// The role at work.
pub(crate) struct Running {
    pub(crate) shutdown: Shutdown,
    url: String,
    task: JoinHandle<Result<(), RoleError>>,
}

impl Running {
    pub(crate) async fn start(ports: Ports) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = Shutdown::default();
        let task = tokio::spawn(run(Config::default(), ports, listener, shutdown.clone()));
        Self { shutdown, url, task }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let response = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) async fn ready(&self, ready: bool) {
        wait_for("readiness to change", async || {
            (self.get("/readyz").await.0 == 200) == ready
        })
        .await;
    }

    /// Ends the role in good order.
    pub(crate) async fn stop(self) {
        self.shutdown.trigger();
        self.task.await.unwrap().unwrap();
    }

    /// Ends the role where it stands.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

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
