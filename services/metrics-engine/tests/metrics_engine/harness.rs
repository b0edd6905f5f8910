//! The role at work on servers, each test in places of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use odd_contracts::names::env;
use odd_contracts::names::spine::{JSON, NDJSON};
use odd_contracts::{EventEnvelope, EventType, api};
use odd_metrics_engine::{Config, Ports, run};
use odd_runtime::{RoleError, Shutdown};
use odd_spine::amqp::{AmqpOptions, AmqpSpine};
use odd_spine::{Message, Queue, Route, Spine, codec};
use odd_store::mongo::{MongoEventLog, MongoOptions};
use odd_store::redis::{RedisCounters, RedisOptions};
use odd_store::{Counters, EventFilter, EventLog, PositionedEvent};
use odd_testkit::servers::{self, MongoDatabase, RedisPrefix, VirtualHost};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::watched::{Ledger, Watched};

/// Longest wait for a state.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// Events read or written at a time.
const PAGE: usize = 500;

/// A virtual host, a database and a prefix; removed with this.
pub(crate) struct Places {
    host: VirtualHost,
    database: MongoDatabase,
    pub(crate) redis: RedisPrefix,
}

impl Places {
    pub(crate) async fn new() -> Self {
        Self {
            host: servers::rabbitmq().await,
            database: servers::mongo().await,
            redis: servers::redis().await,
        }
    }

    pub(crate) fn addresses(&self) -> Addresses {
        let values = [
            (env::AMQP_URL, &self.host.url),
            (env::AMQP_MANAGEMENT_URL, &self.host.management_url),
            (env::MONGO_URL, &self.database.url),
            (env::REDIS_URL, &self.redis.url),
            (env::REDIS_PREFIX, &self.redis.prefix),
        ];
        Addresses(
            values
                .into_iter()
                .map(|(name, value)| (name, value.clone()))
                .collect(),
        )
    }
}

/// Where the places are, by the names of the environment.
pub(crate) struct Addresses(pub(crate) BTreeMap<&'static str, String>);

impl Addresses {
    /// Those that another process was told.
    pub(crate) fn of_environment() -> Self {
        let names = [
            env::AMQP_URL,
            env::AMQP_MANAGEMENT_URL,
            env::MONGO_URL,
            env::REDIS_URL,
            env::REDIS_PREFIX,
        ];
        Self(
            names
                .into_iter()
                .map(|name| (name, std::env::var(name).unwrap()))
                .collect(),
        )
    }

    fn amqp(&self) -> AmqpOptions {
        AmqpOptions {
            management_url: Some(self.0[env::AMQP_MANAGEMENT_URL].clone()),
            confirm_timeout: DEADLINE,
            answer_timeout: DEADLINE,
            ..AmqpOptions::new(&self.0[env::AMQP_URL])
        }
    }

    fn mongo(&self) -> MongoOptions {
        MongoOptions {
            operation_timeout: DEADLINE,
            // Of a role that was ended; tests read when nobody else writes.
            abandoned_after: Duration::from_secs(2),
            ..MongoOptions::new(&self.0[env::MONGO_URL])
        }
    }

    fn redis(&self) -> RedisOptions {
        RedisOptions {
            operation_timeout: DEADLINE,
            ..RedisOptions::new(&self.0[env::REDIS_URL], &self.0[env::REDIS_PREFIX])
        }
    }
}

/// Everything that the role works on. The counters are not built before a role does.
pub(crate) struct World {
    pub(crate) spine: Arc<Watched>,
    pub(crate) event_log: Arc<MongoEventLog>,
    pub(crate) counters: Arc<RedisCounters>,
    // Removed behind what is connected to them.
    places: Option<Places>,
}

impl World {
    /// In new places.
    pub(crate) async fn open() -> Self {
        Self::within(Places::new().await).await
    }

    /// In these places, which it removes.
    pub(crate) async fn within(places: Places) -> Self {
        let mut world = Self::at(&places.addresses()).await;
        world.places = Some(places);
        world
    }

    /// In somebody else's places.
    pub(crate) async fn at(addresses: &Addresses) -> Self {
        Self {
            spine: Arc::new(Watched {
                inner: AmqpSpine::new(addresses.amqp()),
                ledger: Arc::default(),
            }),
            event_log: Arc::new(MongoEventLog::new(addresses.mongo()).await.unwrap()),
            counters: Arc::new(RedisCounters::new(addresses.redis()).unwrap()),
            places: None,
        }
    }

    fn places(&self) -> &Places {
        self.places.as_ref().expect("places of its own")
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.spine.ledger
    }

    pub(crate) fn ports(&self) -> Ports {
        Ports {
            spine: self.spine.clone(),
            event_log: self.event_log.clone(),
            counters: self.counters.clone(),
        }
    }

    /// Ports of another process: the same places, and nothing else in common.
    pub(crate) async fn other_ports(&self) -> Ports {
        let other = Self::at(&self.places().addresses()).await;
        let spine = Watched {
            inner: Arc::clone(&other.spine.inner),
            ledger: Arc::clone(&self.spine.ledger),
        };
        Ports {
            spine: Arc::new(spine),
            ..other.ports()
        }
    }

    pub(crate) async fn publish(&self, events: &[EventEnvelope]) {
        self.publish_by(events.len().max(1), events).await;
    }

    /// Publishes events in messages of at most `few` at a time.
    pub(crate) async fn publish_by(&self, few: usize, events: &[EventEnvelope]) {
        let messages = events.chunks(few).flat_map(codec::pack).collect();
        self.publish_all(messages).await;
    }

    async fn publish_all(&self, messages: Vec<Message>) {
        let outcomes = self.spine.publish(messages).await;
        outcomes.into_iter().for_each(Result::unwrap);
    }

    pub(crate) async fn publish_body(&self, content_type: &str, body: String) {
        let message = Message {
            route: Route::Events(EventType::Created),
            message_id: Uuid::new_v4(),
            content_type: content_type.to_owned(),
            headers: BTreeMap::new(),
            body: body.into(),
        };
        self.publish_all(vec![message]).await;
    }

    pub(crate) async fn publish_lines(&self, lines: &[String]) {
        self.publish_body(NDJSON, lines.join("\n")).await;
    }

    pub(crate) async fn publish_json(&self, event: &EventEnvelope) {
        self.publish_body(JSON, line(event)).await;
    }

    /// Messages of a queue that nobody has in hand.
    pub(crate) async fn ready(&self, queue: Queue) -> u64 {
        let depths = self.spine.depths().await.unwrap();
        depths
            .iter()
            .find(|depth| depth.name == queue.name())
            .unwrap()
            .ready
    }

    /// Waits until everything that was published is acknowledged, and the broker knows it.
    pub(crate) async fn drained(&self) {
        wait_for("everything to be acknowledged", async || {
            self.ledger().open() == 0
        })
        .await;
        wait_for("the queue to be drained", async || {
            let depths = self.spine.depths().await.unwrap();
            depths
                .iter()
                .filter(|depth| depth.name == Queue::Events.name())
                .all(|depth| depth.ready + depth.unacknowledged == 0)
        })
        .await;
    }

    /// Messages with events that no role has acknowledged; none may be at work any more.
    pub(crate) async fn left_behind(&self) -> usize {
        // Opened when all that was in the hands of others is back.
        let mut consumer = self.spine.inner.consume(Queue::Events, 1_000).await.unwrap();
        self.publish_body("text/plain", "the last one".to_owned()).await;
        let mut before = 0;
        loop {
            let next = tokio::time::timeout(DEADLINE, consumer.next(1_000)).await;
            for delivery in next.expect("the last one in time").unwrap() {
                if &delivery.body[..] == b"the last one" {
                    return before;
                }
                before += 1;
            }
        }
    }

    /// The counters, once they are built.
    pub(crate) async fn snapshot(&self) -> api::Counters {
        odd_testkit::wait_for(DEADLINE, "the counters to be built", || async {
            self.counters.snapshot().await.ok()
        })
        .await
    }

    /// Empties Redis of what the counters have there.
    pub(crate) async fn empty_counters(&self) {
        self.places().redis.clear().await;
    }

    /// Every event in order of recording.
    pub(crate) async fn recorded(&self) -> Vec<EventEnvelope> {
        let mut all: Vec<PositionedEvent> = Vec::new();
        loop {
            let after = all.last().map(|event| event.position);
            let page = self.event_log.since(&EventFilter::default(), after, PAGE).await;
            let page = page.unwrap();
            if page.is_empty() {
                return all.into_iter().map(|event| event.event).collect();
            }
            all.extend(page);
        }
    }
}

/// An event as one line.
pub(crate) fn line(event: &EventEnvelope) -> String {
    serde_json::to_string(event).unwrap()
}

pub(crate) async fn wait_for(what: &str, state: impl AsyncFn() -> bool) {
    let state = &state;
    odd_testkit::wait_for(DEADLINE, what, || async move { state().await.then_some(()) }).await;
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
