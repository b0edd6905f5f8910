//! What the tests stand on: a virtual host and a database of their own, and a processor on them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use odd_contracts::{
    EventEnvelope, EventType, Job, JobAttempt, JobId, JobOptions, JobRecord, JobStatus, Producer, Timestamp,
    history,
};
use odd_runtime::{RoleError, Shutdown};
use odd_spine::amqp::{AmqpOptions, AmqpSpine};
use odd_spine::{Message, Queue, Route, Spine, codec};
use odd_store::postgres::{PostgresJobStore, PostgresOptions};
use odd_store::{JobStore, StoredJob};
use odd_testkit::servers::{self, PostgresDatabase, VirtualHost};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::published::{Published, marker, next};
use crate::{Config, Ports, run};

/// Longest wait for a state.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);
/// Messages that are published together.
const BATCH: usize = 256;

/// Spine and store of one test, and the processor that runs on them.
pub(super) struct Bed {
    pub(super) spine: Arc<AmqpSpine>,
    pub(super) store: Arc<PostgresJobStore>,
    /// Longest time for the processor to stop.
    pub(super) stop_within: Duration,
    config: Config,
    address: Option<std::net::SocketAddr>,
    processor: Option<(Shutdown, JoinHandle<Result<(), RoleError>>)>,
    published: Published,
    // Last, so that they go after everything that uses them.
    places: Places,
}

/// Where spine and store are.
struct Places {
    host: VirtualHost,
    database: PostgresDatabase,
}

impl Places {
    /// Opens both, as a process does when it starts.
    async fn open(&self) -> (Arc<AmqpSpine>, Arc<PostgresJobStore>) {
        let spine = AmqpSpine::new(AmqpOptions {
            management_url: Some(self.host.management_url.clone()),
            ..AmqpOptions::new(&self.host.url)
        });
        let store = PostgresJobStore::open(PostgresOptions::new(&self.database.url)).await;
        let store = Arc::new(store.unwrap());
        until("spine and store to answer", async || {
            spine.ping().await.ok()?;
            store.ping().await.ok()
        })
        .await;
        (spine, store)
    }
}

impl Bed {
    /// A bed without a processor.
    pub(super) async fn idle(config: Config) -> Self {
        let (host, database) = tokio::join!(servers::rabbitmq(), servers::postgres());
        Self::at(Places { host, database }, config).await
    }

    async fn at(places: Places, config: Config) -> Self {
        let (spine, store) = places.open().await;
        Self {
            spine,
            store,
            stop_within: Duration::from_secs(10),
            config,
            address: None,
            processor: None,
            published: Published::default(),
            places,
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
        let shutdown = Shutdown::new(self.stop_within);
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

    /// Stops the processor where one runs, and checks that no message was left for others.
    pub(super) async fn end(mut self) {
        if self.processor.is_some() {
            self.stop().await;
        }
        for (queue, route) in [(Queue::Work, Route::Work), (Queue::Control, Route::Control)] {
            // What the processor gives back comes before it.
            let last = marker(route);
            self.publish(last.clone()).await;
            let mut consumer = self.spine.consume(queue, 1).await.unwrap();
            let first = next(&mut *consumer, 1).await;
            assert_eq!(
                first[0].message_id,
                Some(last.message_id.to_string()),
                "nothing else is left: {first:?}"
            );
        }
    }

    /// Ends the processor without any chance to clean up, and connects anew as after a crash. What it had in hand
    /// is due when its leases end.
    pub(super) async fn crash(self) -> Self {
        let Self {
            spine,
            store,
            stop_within,
            config,
            processor,
            published,
            places,
            ..
        } = self;
        if let Some((_, role)) = processor {
            role.abort();
            let _ = role.await;
        }
        let published = published.disconnected();
        until("everything of the processor to be gone", async || {
            (Arc::strong_count(&spine) == 1 && Arc::strong_count(&store) == 1).then_some(())
        })
        .await;
        drop((spine, store));
        Self {
            stop_within,
            published,
            ..Self::at(places, config).await
        }
    }

    /// Publishes the work message of a job, as the gateway does.
    pub(super) async fn submit(&self, job: &Job) {
        self.publish(codec::work_message(&created(job))).await;
    }

    /// Publishes the work messages of many jobs.
    pub(super) async fn submit_all<'a>(&self, jobs: impl IntoIterator<Item = &'a Job>) {
        let messages: Vec<_> = jobs
            .into_iter()
            .map(|job| codec::work_message(&created(job)))
            .collect();
        for batch in messages.chunks(BATCH) {
            for result in self.spine.publish(batch.to_vec()).await {
                result.unwrap();
            }
        }
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

    /// Ready and unacknowledged messages of a queue. What is ready is exact; what is unacknowledged is what the
    /// broker counted last, about half a second ago.
    pub(super) async fn depth(&self, queue: Queue) -> (u64, u64) {
        let depths = until("the spine to tell its depths", async || {
            self.spine.depths().await.ok()
        })
        .await;
        let depth = depths.iter().find(|depth| depth.name == queue.name()).unwrap();
        (depth.ready, depth.unacknowledged)
    }

    /// Waits until so many messages of a queue are ready and so many unacknowledged.
    pub(super) async fn until_depth(&self, queue: Queue, wanted: (u64, u64)) {
        until(&format!("{} to have {wanted:?}", queue.name()), async || {
            (self.depth(queue).await == wanted).then_some(())
        })
        .await;
    }

    /// Waits until nothing is on the queue of work messages, neither ready nor unacknowledged, and the broker said so for longer than
    /// it takes to count anew. [`Bed::end`] knows for sure.
    pub(super) async fn until_no_work(&self) {
        let mut since = None;
        until("the broker to have counted no work", async || {
            if self.depth(Queue::Work).await == (0, 0) {
                let since = *since.get_or_insert_with(Instant::now);
                (since.elapsed() > COUNTS_ANEW).then_some(())
            } else {
                since = None;
                None
            }
        })
        .await;
    }

    /// Waits until nobody owes the job anything and its message is gone, and checks that exactly the events
    /// which its state implies were published.
    pub(super) async fn until_settled(&self, id: JobId) {
        self.until_all_settled([id]).await;
    }

    /// The same for many jobs.
    pub(super) async fn until_all_settled(&self, ids: impl IntoIterator<Item = JobId>) {
        let mut implied = HashMap::new();
        let mut settled = HashSet::new();
        for id in ids {
            let stored = until("the job to be settled", async || {
                let stored = self.store.get(id).await.unwrap().unwrap();
                stored.due_at.is_none().then_some(stored)
            })
            .await;
            let events = history::events(&stored.record, &stored.attempts);
            implied.extend(events.into_iter().map(|event| (event.event_id, event)));
            settled.insert(id);
        }
        let published = until("every implied event to be published", async || {
            let published = self.published().await;
            let known: HashSet<_> = published.iter().map(|event| event.event_id).collect();
            implied.keys().all(|id| known.contains(id)).then_some(published)
        })
        .await;
        let of_these = |event: &&EventEnvelope| event.job_id().is_some_and(|id| settled.contains(&id));
        for event in published.iter().filter(of_these) {
            // Some other message may have been put aside under the same id.
            if event.event_type != EventType::DeadLettered {
                let as_stored = implied.get(&event.event_id);
                assert_eq!(as_stored, Some(event), "nothing is published but what is stored");
            }
        }
        self.until_no_work().await;
    }

    /// Every lifecycle event published so far.
    pub(super) async fn published(&self) -> Vec<EventEnvelope> {
        self.published.read(&self.spine).await
    }
}

/// Longer than the broker of the tests takes to count what is unacknowledged on a queue: twice its `quorum_tick_interval`.
const COUNTS_ANEW: Duration = Duration::from_millis(1_100);

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

#[tokio::test]
#[should_panic(expected = "nothing else is left")]
async fn a_message_that_was_given_back_is_found_at_the_end() {
    let bed = Bed::idle(Config::default()).await;
    bed.submit(&job(serde_json::json!({}))).await;
    let mut consumer = bed.spine.consume(Queue::Work, 10).await.unwrap();
    assert_eq!(next(&mut *consumer, 10).await.len(), 1);
    drop(consumer);
    bed.end().await;
}
