//! What the tests stand on: a spine and a store in one directory, and a processor on them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use odd_contracts::{
    EventType, Job, JobAttempt, JobId, JobOptions, JobRecord, JobStatus, Producer, Timestamp, history,
};
use odd_runtime::{RoleError, Shutdown};
use odd_spine::embedded::EmbeddedSpine;
use odd_spine::{Message, Queue, Route, Spine, codec};
use odd_store::embedded::{Database, Options, SqliteJobStore};
use odd_store::{JobStore, StoredJob};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{Config, Ports, run};

const DEADLINE: Duration = Duration::from_secs(30);

/// Spine and store of one test, and the processor that runs on them.
pub(super) struct Bed {
    directory: Option<tempfile::TempDir>,
    pub(super) spine: Arc<EmbeddedSpine>,
    pub(super) store: Arc<SqliteJobStore>,
    config: Config,
    address: Option<std::net::SocketAddr>,
    processor: Option<(Shutdown, JoinHandle<Result<(), RoleError>>)>,
}

impl Bed {
    /// A bed without a processor.
    pub(super) async fn idle(config: Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (spine, store) = open(directory.path()).await;
        Self {
            directory: Some(directory),
            spine,
            store,
            config,
            address: None,
            processor: None,
        }
    }

    /// A bed with a running processor.
    pub(super) async fn running() -> Self {
        let mut bed = Self::idle(Config::default()).await;
        bed.start().await;
        bed
    }

    pub(super) async fn start(&mut self) {
        self.start_on(Ports {
            spine: self.spine.clone(),
            job_store: self.store.clone(),
        })
        .await;
    }

    /// Starts a processor that sees the spine and the store of this bed through others.
    pub(super) async fn start_on(&mut self, ports: Ports) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.address = Some(listener.local_addr().unwrap());
        let shutdown = Shutdown::new(Duration::from_secs(10));
        let role = tokio::spawn(run(self.config.clone(), ports, listener, shutdown.clone()));
        self.processor = Some((shutdown, role));
    }

    /// Gives the signal to stop.
    pub(super) fn begin_to_stop(&self) {
        self.processor.as_ref().expect("a processor runs").0.trigger();
    }

    /// What the processor answers to a request for `path`.
    pub(super) async fn get(&self, path: &str) -> String {
        let address = self.address.expect("a processor runs");
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: processor\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Stops the processor as a signal would, and waits for it.
    pub(super) async fn stop(&mut self) {
        let (shutdown, role) = self.processor.take().expect("a processor runs");
        shutdown.trigger();
        role.await.unwrap().unwrap();
    }

    /// Ends the processor without any chance to clean up, and opens the stores anew as after a crash.
    pub(super) async fn crash(mut self) -> Self {
        if let Some((_, role)) = self.processor.take() {
            role.abort();
            let _ = role.await;
        }
        let directory = self.directory.take().expect("the directory is there");
        let (config, path) = (self.config.clone(), directory.path().to_owned());
        drop(self);
        let (spine, store) = open(&path).await;
        Self {
            directory: Some(directory),
            spine,
            store,
            config,
            address: None,
            processor: None,
        }
    }

    /// Publishes the work message of a job, as the gateway does.
    pub(super) async fn submit(&self, job: &Job) {
        self.publish(codec::work_message(&created(job))).await;
    }

    pub(super) async fn publish(&self, message: Message) {
        for result in self.spine.publish(vec![message]).await {
            result.unwrap();
        }
    }

    /// Publishes bytes on the queue of work messages.
    pub(super) async fn publish_bytes(&self, bytes: &[u8]) {
        self.publish(Message {
            route: Route::Work,
            message_id: Uuid::new_v4(),
            content_type: "application/json".to_owned(),
            headers: Default::default(),
            body: Bytes::copy_from_slice(bytes),
        })
        .await;
    }

    /// Waits until the job has this status, and returns it.
    pub(super) async fn until(&self, id: JobId, status: JobStatus) -> StoredJob {
        let what = format!("job {id} to be {status}");
        until(&what, async || {
            let stored = self.store.get(id).await.unwrap()?;
            let reached = stored.record.job.status == status;
            assert!(
                reached || !stored.record.job.status.is_terminal(),
                "{what}: it is {:?}",
                stored.record
            );
            reached.then_some(stored)
        })
        .await
    }

    /// Waits until nothing is on the queue of work messages, neither ready nor unacknowledged.
    pub(super) async fn until_no_work(&self) {
        until("jobs.created to be empty", async || {
            let depths = self.spine.depths().await.unwrap();
            let work = depths
                .iter()
                .find(|depth| depth.name == Queue::Work.name())
                .unwrap();
            (work.ready + work.unacknowledged == 0).then_some(())
        })
        .await;
    }

    /// Waits until nobody owes the job anything and its message is gone, and checks that exactly the events
    /// which its state implies were published.
    pub(super) async fn until_settled(&self, id: JobId) {
        self.until_no_work().await;
        let stored = until("the job to be settled", async || {
            let stored = self.store.get(id).await.unwrap().unwrap();
            stored.due_at.is_none().then_some(stored)
        })
        .await;
        let implied = history::events(&stored.record, &stored.attempts);
        let published = self.published().await;
        for event in &implied {
            let found = published.iter().find(|other| other.event_id == event.event_id);
            assert_eq!(
                found,
                Some(event),
                "every implied event is published as it is stored"
            );
        }
        let known: HashSet<_> = implied.iter().map(|event| event.event_id).collect();
        let foreign = published.iter().find(|event| {
            event.job_id() == Some(id)
                && !known.contains(&event.event_id)
                && event.event_type != EventType::DeadLettered
        });
        assert_eq!(foreign, None, "nothing else is published");
    }

    /// Every lifecycle event published so far; they stay on their queue.
    pub(super) async fn published(&self) -> Vec<odd_contracts::EventEnvelope> {
        let ready = |depths: Vec<odd_contracts::api::QueueDepth>| {
            depths
                .iter()
                .find(|depth| depth.name == Queue::Events.name())
                .map_or(0, |depth| depth.ready)
        };
        let total = usize::try_from(ready(self.spine.depths().await.unwrap())).unwrap();
        let mut consumer = self.spine.consume(Queue::Events, total.max(1)).await.unwrap();
        let mut deliveries = Vec::new();
        while deliveries.len() < total {
            deliveries.extend(consumer.next(total).await.unwrap());
        }
        deliveries
            .iter()
            .flat_map(codec::unpack_delivery)
            .map(Result::unwrap)
            .collect()
    }
}

async fn open(path: &std::path::Path) -> (Arc<EmbeddedSpine>, Arc<SqliteJobStore>) {
    let file = path.join("odd.db");
    let database = until("the database to be free", async || {
        Database::open(&file, Options::default()).await.ok()
    })
    .await;
    let spine = EmbeddedSpine::open(&database).await.unwrap();
    (spine, Arc::new(SqliteJobStore::open(&database).await.unwrap()))
}

/// Asks again and again until there is an answer.
pub(super) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A job with this payload.
pub(super) fn job(payload: Value) -> Job {
    let Value::Object(payload) = payload else {
        panic!("a payload is an object")
    };
    Job {
        id: Uuid::new_v4(),
        job_type: "test".parse().unwrap(),
        status: JobStatus::Pending,
        created_at: Timestamp::now(),
        updated_at: None,
        payload,
        metadata: Default::default(),
        options: JobOptions {
            backoff_ms: Some(5),
            ..Default::default()
        },
        retry_of: None,
    }
}

/// The work message of a job.
pub(super) fn created(job: &Job) -> odd_contracts::EventEnvelope {
    let gateway = Producer {
        service: "gateway".to_owned(),
        instance_id: "gateway-1".to_owned(),
        version: "0.0.0".to_owned(),
    };
    history::created(job, &gateway, Timestamp::now(), "correlation", None)
}

/// Outcomes of the attempts, in order.
pub(super) fn outcomes(attempts: &[JobAttempt]) -> Vec<&'static str> {
    attempts
        .iter()
        .map(|attempt| {
            attempt
                .outcome
                .map_or("running", odd_contracts::AttemptOutcome::name)
        })
        .collect()
}

/// Why the job failed.
pub(super) fn error(record: &JobRecord) -> &str {
    record.error.as_deref().unwrap_or_default()
}
