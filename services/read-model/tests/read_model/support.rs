//! A read-model of its own for each test: a place of its own on each server, port 0.

use std::sync::Arc;
use std::time::Duration;

use odd_contracts::{
    AttemptOutcome, EventEnvelope, Job, JobAttempt, JobId, JobRecord, JobStatus, Problem, Producer, Role,
    Timestamp, history,
};
use odd_read_model::{Config, Ports, run};
use odd_runtime::{RoleError, Shutdown};
use odd_spine::amqp::{AmqpOptions, AmqpSpine};
use odd_spine::{Queue, codec};
use odd_store::mongo::{MongoEventLog, MongoOptions};
use odd_store::postgres::{PostgresJobStore, PostgresOptions};
use odd_store::redis::{RedisCounters, RedisOptions};
use odd_store::{Claim, ClaimToken, Claimed, Commit, CounterEvent, Due, LoggedEvent, Taken, Work, WorkMode};
use odd_testkit::servers::{self, MongoDatabase, PostgresDatabase, RedisPrefix, VirtualHost};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Longest wait for a state.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// Jobs that are taken together.
const BATCH: usize = 500;

/// A place of its own on each server. It is removed with this.
struct Places {
    host: VirtualHost,
    database: PostgresDatabase,
    log: MongoDatabase,
    keys: RedisPrefix,
}

impl Places {
    async fn make() -> Self {
        let (host, database, log, keys) = tokio::join!(
            servers::rabbitmq(),
            servers::postgres(),
            servers::mongo(),
            servers::redis()
        );
        Self {
            host,
            database,
            log,
            keys,
        }
    }

    /// Ports that answer, and the log's adapter, to be closed.
    async fn open(&self) -> (Ports, MongoEventLog) {
        let log = MongoEventLog::new(MongoOptions::new(&self.log.url))
            .await
            .unwrap();
        let jobs = PostgresJobStore::open(PostgresOptions::new(&self.database.url)).await;
        let counters = RedisCounters::new(RedisOptions::new(&self.keys.url, &self.keys.prefix));
        let ports = Ports {
            spine: AmqpSpine::new(AmqpOptions {
                management_url: Some(self.host.management_url.clone()),
                ..AmqpOptions::new(&self.host.url)
            }),
            job_store: Arc::new(jobs.unwrap()),
            event_log: Arc::new(log.clone()),
            counters: Arc::new(counters.unwrap()),
        };
        wait_for("every server to answer", async || {
            ports.spine.ping().await.ok()?;
            ports.job_store.ping().await.ok()?;
            ports.event_log.ping().await.ok()?;
            ports.counters.ping().await.ok()
        })
        .await;
        // As a metrics-engine does where there are none.
        let counters = ports.counters.begin_rebuild().await.unwrap();
        ports.counters.activate(counters).await.unwrap();
        (ports, log)
    }
}

/// A running read-model and the ports that it reads from.
pub(crate) struct System {
    pub(crate) url: String,
    pub(crate) ports: Ports,
    pub(crate) http: reqwest::Client,
    shutdown: Shutdown,
    role: JoinHandle<Result<(), RoleError>>,
    log: MongoEventLog,
    // Last, so that they are removed after everything in them is closed.
    places: Places,
}

impl System {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}, |ports| ports).await
    }

    /// Starts with other settings, or with ports of another kind.
    pub(crate) async fn start_with(set: impl FnOnce(&mut Config), wrap: impl FnOnce(Ports) -> Ports) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_at(listener, set, wrap).await
    }

    /// The same at a listener of the test's own, which need not be on this machine only.
    pub(crate) async fn start_at(
        listener: TcpListener,
        set: impl FnOnce(&mut Config),
        wrap: impl FnOnce(Ports) -> Ports,
    ) -> Self {
        let places = Places::make().await;
        let (ports, log) = places.open().await;
        let ports = wrap(ports);
        let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let mut config = Config {
            roles: vec![(Role::ReadModel, url.clone())],
            ..Config::default()
        };
        set(&mut config);
        let shutdown = Shutdown::new(Duration::from_secs(5));
        let role = tokio::spawn(run(config, ports.clone(), listener, shutdown.clone()));
        Self {
            url,
            ports,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            shutdown,
            role,
            log,
            places,
        }
    }

    /// Stops the read-model and checks that it ended well.
    pub(crate) async fn stop(self) {
        self.shutdown.trigger();
        let ended = tokio::time::timeout(DEADLINE, self.role).await;
        ended.expect("the read-model ends in time").unwrap().unwrap();
        drop(self.ports);
        self.log.close().await;
        drop(self.places);
    }

    pub(crate) fn trigger_shutdown(&self) {
        self.shutdown.trigger();
    }

    pub(crate) async fn response(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let response = self.response(path).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// The problem that a path answers with.
    pub(crate) async fn problem(&self, path: &str) -> Problem {
        problem(self.response(path).await).await
    }

    pub(crate) async fn post(&self, path: &str, body: &serde_json::Value) -> reqwest::Response {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        request.send().await.unwrap()
    }

    /// Takes a job as a processor does, with its first attempt open or waiting for its time.
    pub(crate) async fn take(&self, job: Job) -> Claimed {
        let mut taken = self.take_all([job]).await;
        taken.remove(0)
    }

    /// The same with many jobs.
    pub(crate) async fn take_all(&self, jobs: impl IntoIterator<Item = Job>) -> Vec<Claimed> {
        let work: Vec<_> = jobs.into_iter().map(work).collect();
        let mut claimed = Vec::with_capacity(work.len());
        for batch in work.chunks(BATCH) {
            let taken = self.ports.job_store.take(batch.into(), &claim()).await.unwrap();
            claimed.extend(taken.into_iter().map(|taken| match taken {
                Taken::Run(claimed) | Taken::Waiting(claimed) => *claimed,
                other => panic!("the job was not taken: {other:?}"),
            }));
        }
        claimed
    }

    /// Ends the open attempt, and with a terminal status the job.
    pub(crate) async fn end(&self, claimed: &Claimed, status: JobStatus, outcome: AttemptOutcome) -> Stored {
        let now = Timestamp::now();
        let (mut record, mut attempts) = (claimed.record.clone(), claimed.attempts.clone());
        let failed = outcome != AttemptOutcome::Succeeded;
        record.job.status = status;
        record.job.updated_at = Some(now);
        record.finished_at = status.is_terminal().then_some(now);
        record.error = failed.then(|| "it broke".to_owned());
        if let Some(open) = attempts.last_mut() {
            open.finished_at = Some(now);
            open.outcome = Some(outcome);
            open.error.clone_from(&record.error);
            open.retry_at = (status == JobStatus::Retrying).then_some(now);
        }
        let due = match status {
            JobStatus::Retrying => Due::In(Duration::ZERO),
            _ => Due::Ended(Duration::from_secs(30)),
        };
        let commit = Commit {
            record: record.clone(),
            attempts: attempts.clone(),
            token: claimed.token,
            due,
        };
        self.ports.job_store.commit([commit].into()).await.unwrap();
        Stored { record, attempts }
    }

    /// Stores a job that ended, with its whole history in the log and in the counters.
    pub(crate) async fn seed(&self, job: Job, status: JobStatus) -> Stored {
        let outcome = match status {
            JobStatus::Completed => AttemptOutcome::Succeeded,
            JobStatus::Cancelled => AttemptOutcome::Cancelled,
            _ => AttemptOutcome::Failed,
        };
        let claimed = self.take(job).await;
        let stored = self.end(&claimed, status, outcome).await;
        self.record(&stored.events()).await;
        stored
    }

    /// Writes events to the log and counts them, as the metrics-engine does.
    pub(crate) async fn record(&self, events: &[EventEnvelope]) {
        let logged = LoggedEvent::of_all(events);
        self.ports.event_log.append(&logged).await.unwrap();
        let counted = CounterEvent::of_all(events);
        self.ports.counters.apply(None, &counted).await.unwrap();
    }

    /// Records what was published to the spine: `count` events.
    pub(crate) async fn record_published(&self, count: usize) {
        let mut consumer = self.ports.spine.consume(Queue::Events, 64).await.unwrap();
        let mut recorded = 0;
        while recorded < count {
            let deliveries = tokio::time::timeout(DEADLINE, consumer.next(64))
                .await
                .unwrap()
                .unwrap();
            for delivery in &deliveries {
                let events: Vec<_> = codec::unpack_delivery(delivery)
                    .into_iter()
                    .map(|event| event.unwrap())
                    .collect();
                recorded += events.len();
                self.record(&events).await;
            }
            let tags: Vec<_> = deliveries.iter().map(|delivery| delivery.tag).collect();
            consumer.acknowledger().ack(&tags).await.unwrap();
        }
    }
}

/// A job as it was stored.
pub(crate) struct Stored {
    pub(crate) record: JobRecord,
    pub(crate) attempts: Vec<JobAttempt>,
}

impl Stored {
    pub(crate) fn id(&self) -> JobId {
        self.record.job.id
    }

    pub(crate) fn events(&self) -> Vec<EventEnvelope> {
        history::events(&self.record, &self.attempts)
    }
}

pub(crate) async fn problem(response: reqwest::Response) -> Problem {
    let problem: Problem = response.json().await.unwrap();
    assert!(problem.correlation_id.is_some(), "{problem:?}");
    problem
}

pub(crate) fn producer(service: &str) -> Producer {
    Producer {
        service: service.to_owned(),
        instance_id: format!("{service}-1"),
        version: "0.1.0".to_owned(),
    }
}

pub(crate) fn claim() -> Claim {
    Claim {
        token: ClaimToken::fresh(),
        by: producer("processor"),
        lease: Duration::from_secs(30),
    }
}

fn work(job: Job) -> Work {
    let submitted_at = job.created_at;
    Work {
        digest: job.digest(),
        scheduled_for: job.options.first_run(submitted_at),
        job,
        submitted_at,
        submitted_by: producer("gateway"),
        correlation_id: "c-1".to_owned(),
        traceparent: None,
        mode: WorkMode::Run,
    }
}

/// A job of this type, created just now.
pub(crate) fn job(job_type: &str) -> Job {
    job_at(job_type, Timestamp::now())
}

pub(crate) fn job_at(job_type: &str, created_at: Timestamp) -> Job {
    let job = json!({
        "id": Uuid::new_v4(), "type": job_type, "status": "PENDING", "createdAt": created_at, "payload": {"n": 1}
    });
    serde_json::from_value(job).unwrap()
}

/// The event that a gateway publishes for the job.
pub(crate) fn created(job: &Job) -> EventEnvelope {
    history::created(job, &producer("gateway"), job.created_at, "c-1", None)
}

/// Asks again until the answer is there.
pub(crate) async fn wait_for<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = tokio::time::Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < DEADLINE, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
