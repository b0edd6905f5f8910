//! The whole system on servers of its own: every role a process, faults between any of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use odd_contracts::names::env;
use odd_contracts::{EventEnvelope, EventType, JobId, Role};
use odd_spine::amqp::{AmqpOptions, AmqpSpine};
use odd_store::EventFilter;
use odd_store::mongo::{MongoEventLog, MongoOptions};
use odd_store::postgres::{PostgresJobStore, PostgresOptions};
use odd_store::redis::{RedisCounters, RedisOptions};
use odd_testkit::servers::{MongoDatabase, PostgresDatabase, RedisPrefix, VirtualHost, dedicated};
use odd_testkit::{FaultProxy, wait_for};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::load::{Ledger, Load};
use crate::process::RoleProcess;
use crate::proof::{Stores, verify};

/// Jobs under way while a fault happens.
pub(crate) const JOBS: usize = 2_000;
/// Of them, those accepted before it happens.
pub(crate) const BEFORE: usize = 500;
/// How long a lost processor's jobs wait for another one.
const LEASE_SECONDS: &str = "5";

/// Servers that the faults of this binary share, one after the other. They go with the run.
pub(crate) struct Servers {
    pub(crate) postgres: PostgresDatabase,
    pub(crate) rabbitmq: VirtualHost,
    pub(crate) mongo: MongoDatabase,
    pub(crate) redis: RedisPrefix,
}

/// One fault at a time: they break what is shared.
static TURN: Mutex<()> = Mutex::const_new(());
static SERVERS: OnceCell<Servers> = OnceCell::const_new();
/// Databases of beds that are gone. They go with their server: MongoDB's stand-in answers nobody for a minute while it
/// drops one.
static LEFT: std::sync::Mutex<Vec<MongoDatabase>> = std::sync::Mutex::new(Vec::new());

impl Servers {
    async fn start() -> Self {
        let (postgres, rabbitmq, mongo, redis) = tokio::join!(
            dedicated::postgres(),
            dedicated::rabbitmq(),
            dedicated::mongo(),
            dedicated::redis()
        );
        Self {
            postgres,
            rabbitmq,
            mongo,
            redis,
        }
    }
}

/// Places of one test on the servers.
struct Places {
    postgres: PostgresDatabase,
    rabbitmq: VirtualHost,
    mongo: Option<MongoDatabase>,
    redis: RedisPrefix,
}

impl Places {
    fn mongo_url(&self) -> &str {
        &self.mongo.as_ref().expect("it is there until the drop").url
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        LEFT.lock().unwrap().extend(self.mongo.take());
    }
}

/// A running system. Fields are dropped in this order: roles, then what they stand on.
pub(crate) struct Bed {
    pub(crate) gateway: RoleProcess,
    pub(crate) processors: Vec<RoleProcess>,
    pub(crate) metrics_engine: RoleProcess,
    pub(crate) read_model: RoleProcess,
    pub(crate) web: RoleProcess,
    /// Of roles that run more than once, all but the first; processors apart.
    pub(crate) replicas: Vec<RoleProcess>,
    /// Between the processors and PostgreSQL.
    pub(crate) to_postgres: FaultProxy,
    /// Address of PostgreSQL through it.
    postgres_url: String,
    /// Between the gateway and RabbitMQ.
    pub(crate) to_rabbitmq: FaultProxy,
    pub(crate) servers: &'static Servers,
    pub(crate) ledger: Ledger,
    stores: Stores,
    places: Places,
    http: reqwest::Client,
    began: Instant,
    seed: u64,
    home: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Bed {
    /// Everything but the processors runs and is ready.
    pub(crate) async fn without_processors(seed: u64) -> Self {
        let turn = TURN.lock().await;
        let servers = SERVERS.get_or_init(Servers::start).await;
        let (postgres, rabbitmq, mongo, redis) = tokio::join!(
            servers.postgres.another(),
            servers.rabbitmq.another(),
            servers.mongo.another(),
            servers.redis.another()
        );
        let places = Places {
            postgres,
            rabbitmq,
            mongo: Some(mongo),
            redis,
        };
        let (to_postgres, postgres_url) = FaultProxy::before(&places.postgres.url).await;
        let (to_rabbitmq, rabbitmq_url) = FaultProxy::before(&places.rabbitmq.url).await;
        let home = tempfile::Builder::new().prefix("odd-fault-").tempdir().unwrap();
        let role = |role, own| RoleProcess::new(role, settings(&places, own), home.path().to_owned());
        let mut bed = Self {
            gateway: role(Role::Gateway, Some((env::AMQP_URL, rabbitmq_url))),
            processors: Vec::new(),
            metrics_engine: role(Role::MetricsEngine, None),
            read_model: role(Role::ReadModel, None),
            web: role(Role::Web, None),
            replicas: Vec::new(),
            ledger: Ledger::at(home.path().join("accepted.txt")),
            stores: stores(&places).await,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(5))
                .build()
                .unwrap(),
            began: Instant::now(),
            to_postgres,
            postgres_url,
            to_rabbitmq,
            servers,
            places,
            seed,
            home,
            _turn: turn,
        };
        let read_model = bed.read_model.url();
        let gateway = bed.gateway.url();
        bed.gateway.set(env::READ_MODEL_URL, read_model.clone());
        bed.web.set(env::READ_MODEL_URL, read_model);
        bed.web.set(env::GATEWAY_URL, gateway);
        for role in [
            &mut bed.gateway,
            &mut bed.metrics_engine,
            &mut bed.read_model,
            &mut bed.web,
        ] {
            role.start();
        }
        bed.ready().await;
        bed
    }

    /// Everything runs and is ready.
    pub(crate) async fn up(seed: u64) -> Self {
        let mut bed = Self::without_processors(seed).await;
        bed.add_processor(None);
        bed.ready().await;
        bed
    }

    /// Starts one more processor.
    pub(crate) fn add_processor(&mut self, failpoint: Option<&str>) {
        let settings = settings(&self.places, Some((env::POSTGRES_URL, self.postgres_url.clone())));
        let mut processor = RoleProcess::new(Role::Processor, settings, self.home.path().to_owned());
        processor.start_with(failpoint);
        self.processors.push(processor);
    }

    /// Starts one more of another role.
    pub(crate) fn add_replica(&mut self, role: Role) {
        let mut settings = settings(&self.places, None);
        settings.insert(env::READ_MODEL_URL, self.read_model.url());
        settings.insert(env::GATEWAY_URL, self.gateway.url());
        let mut replica = RoleProcess::new(role, settings, self.home.path().to_owned());
        replica.start();
        self.replicas.push(replica);
    }

    /// Waits until every role says that it is ready.
    pub(crate) async fn ready(&self) {
        let others = [&self.gateway, &self.metrics_engine, &self.read_model, &self.web];
        for role in others.into_iter().chain(&self.processors).chain(&self.replicas) {
            role.ready(&self.http).await;
        }
    }

    /// Begins to submit [`JOBS`] jobs.
    pub(crate) fn load(&self) -> Load {
        self.load_of(JOBS)
    }

    /// Begins to submit so many jobs, to every gateway.
    pub(crate) fn load_of(&self, jobs: usize) -> Load {
        let replicas = self.replicas.iter().filter(|role| role.role() == Role::Gateway);
        let gateways: Vec<_> = std::iter::once(&self.gateway)
            .chain(replicas)
            .map(RoleProcess::url)
            .collect();
        Load::start(&gateways, jobs, self.seed, &self.ledger)
    }

    /// Begins to submit [`JOBS`] jobs, and waits for the moment of the fault.
    pub(crate) async fn load_until_fault(&self) -> Load {
        let load = self.load();
        load.reaches(BEFORE).await;
        load
    }

    /// A spine beside the roles, to put messages on.
    pub(crate) fn spine(&self) -> Arc<AmqpSpine> {
        AmqpSpine::new(amqp(&self.places))
    }

    /// Waits until the job store has a job.
    pub(crate) async fn until_stored(&self, id: JobId) {
        let what = format!("{id} to be stored");
        wait_for(Duration::from_secs(60), &what, || async {
            self.stores.jobs.get(id).await.unwrap().map(drop)
        })
        .await;
    }

    /// Every event that tells of a dead letter.
    pub(crate) async fn dead_letters(&self) -> Vec<EventEnvelope> {
        let filter = EventFilter {
            event_types: vec![EventType::DeadLettered],
            ..EventFilter::default()
        };
        let found = self.stores.log.since(&filter, None, 10_000).await.unwrap();
        found.into_iter().map(|found| found.event).collect()
    }

    /// How many dead letters the counters have.
    pub(crate) async fn dead_lettered(&self) -> u64 {
        self.stores.counters.snapshot().await.unwrap().dead_lettered
    }

    /// Waits until every job was accepted and every role is ready, and checks that the promise held.
    pub(crate) async fn prove(&self, fault: &str, load: Load) {
        let refused = load.finish().await;
        self.ready().await;
        let accepted = self.ledger.ids();
        let jobs = self.stores.prove(&accepted).await;
        let (gateway, read_model) = (self.gateway.url(), self.read_model.url());
        let verdict = verify(self.home.path(), &gateway, &read_model, self.ledger.path());
        for count in ["lost", "stuck", "duplicated", "drifted", "inFlight"] {
            assert_eq!(verdict[count], 0, "{fault}: {verdict}");
        }
        assert_eq!(verdict["countersCompared"], true, "{fault}: {verdict}");
        assert_eq!(verdict["terminal"], verdict["accepted"], "{fault}: {verdict}");
        assert!(
            verdict["accepted"].as_u64() >= Some(accepted.len() as u64),
            "{fault}: {verdict}"
        );
        let seconds = self.began.elapsed().as_secs_f64();
        println!(
            "{fault:<44} {:>5} accepted {refused:>6} refused {jobs:>5} ended {seconds:>6.1} s",
            accepted.len()
        );
    }
}

fn settings(places: &Places, own: Option<(&'static str, String)>) -> BTreeMap<&'static str, String> {
    let mut settings = BTreeMap::from([
        (env::AMQP_URL, places.rabbitmq.url.clone()),
        (env::AMQP_MANAGEMENT_URL, places.rabbitmq.management_url.clone()),
        (env::POSTGRES_URL, places.postgres.url.clone()),
        (env::MONGO_URL, places.mongo_url().to_owned()),
        (env::REDIS_URL, places.redis.url.clone()),
        (env::REDIS_PREFIX, places.redis.prefix.clone()),
        (env::PROCESSOR_LEASE_SECONDS, LEASE_SECONDS.to_owned()),
        (env::LOG, "info".to_owned()),
    ]);
    settings.extend(own);
    settings
}

fn amqp(places: &Places) -> AmqpOptions {
    let mut options = AmqpOptions::new(places.rabbitmq.url.clone());
    options.management_url = Some(places.rabbitmq.management_url.clone());
    options
}

async fn stores(places: &Places) -> Stores {
    let jobs = PostgresJobStore::open(PostgresOptions::new(&places.postgres.url)).await;
    let log = MongoEventLog::new(MongoOptions::new(places.mongo_url())).await;
    let counters = RedisCounters::new(RedisOptions::new(&places.redis.url, &places.redis.prefix));
    Stores {
        jobs: Box::new(jobs.unwrap()),
        log: Box::new(log.unwrap()),
        counters: Box::new(counters.unwrap()),
    }
}
