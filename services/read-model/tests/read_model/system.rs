//! Health, overview, alerts, stores that are away, and what browsers may do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use odd_contracts::alert::condition;
use odd_contracts::api::{
    AlertList, DependencyHealth, ExportedHistory, Health, HealthState, JobDetail, Overview, Stats,
};
use odd_contracts::{AlertState, EventEnvelope, JobId, JobStatus, ProblemCode, Role, VERSION};
use odd_read_model::Ports;
use odd_spine::amqp::{AmqpOptions, AmqpSpine};
use odd_store::redis::{RedisCounters, RedisOptions};
use odd_store::{
    Counters, EventFilter, EventLog, LoggedEvent, NewEvents, Position, PositionedEvent, StoreError,
};
use odd_testkit::servers;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::support::{System, job, wait_for};

#[tokio::test]
async fn an_overview_of_a_system_that_is_well() {
    let system = System::start_with(|config| config.instance = "demo".to_owned(), |ports| ports).await;
    let overview: Overview = wait_for("a healthy system", async || {
        let overview: Overview = system.get("/overview").await;
        // The depths of queues are told with a time limit of their own.
        let well = overview.state == HealthState::Healthy && !overview.queues.is_empty();
        well.then_some(overview)
    })
    .await;
    assert_eq!((overview.version, overview.instance.as_str()), (1, "demo"));
    assert_eq!(overview.roles[0].role, Role::ReadModel);
    assert_eq!(overview.roles[0].version.as_deref(), Some(VERSION));
    let dependencies: Vec<_> = overview
        .dependencies
        .iter()
        .map(|store| (store.name.as_str(), store.adapter.as_str()))
        .collect();
    assert_eq!(
        dependencies,
        [
            ("job-store", "postgres"),
            ("event-log", "mongodb"),
            ("counters", "redis"),
            ("spine", "amqp")
        ]
    );
    let measured = |store: &DependencyHealth| store.latency_ms.is_some();
    assert!(overview.dependencies.iter().all(measured));
    assert_eq!((overview.queues.len(), overview.queues_unknown), (4, None));
    assert_eq!(overview.alerts, []);
    let source = overview.alert_source.unwrap();
    assert_eq!(
        (source.name.as_str(), source.state),
        ("native", HealthState::Healthy)
    );
    let health: Health = system.get("/health").await;
    assert_eq!(
        (health.status.as_str(), health.checks["spine"].as_str()),
        ("ok", "ok")
    );
    assert_eq!(system.response("/readyz").await.status(), 200);
    system.stop().await;
}

#[tokio::test]
async fn statistics_come_back_when_counters_that_are_gone_are_rebuilt() {
    let keys = servers::redis().await;
    let counters = RedisCounters::new(RedisOptions::new(&keys.url, &keys.prefix)).unwrap();
    let nobodys = Arc::new(counters.clone());
    let wrap = |ports: Ports| Ports {
        counters: nobodys,
        ..ports
    };
    let system = System::start_with(|_| {}, wrap).await;
    let response = system.response("/stats").await;
    assert_eq!(response.headers()["retry-after"], "1");
    let problem = crate::support::problem(response).await;
    assert_eq!(problem.code, ProblemCode::StoreUnavailable);
    assert!(problem.detail.unwrap().contains("rebuilt"));

    let generation = counters.begin_rebuild().await.unwrap();
    counters.activate(generation).await.unwrap();
    let stats: Stats = system.get("/stats").await;
    assert_eq!(stats.counters.total, 0);
    system.stop().await;
}

/// An event log that can be switched off.
struct Switch {
    log: Arc<dyn EventLog>,
    away: Arc<AtomicBool>,
}

impl Switch {
    fn log(&self) -> Result<&Arc<dyn EventLog>, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("switched off".into()));
        }
        Ok(&self.log)
    }
}

#[async_trait]
impl EventLog for Switch {
    fn adapter(&self) -> &'static str {
        self.log.adapter()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.log()?.ping().await
    }

    async fn append(&self, events: &[LoggedEvent]) -> Result<NewEvents, StoreError> {
        self.log()?.append(events).await
    }

    async fn history(&self, job: JobId) -> Result<Vec<EventEnvelope>, StoreError> {
        self.log()?.history(job).await
    }

    async fn newest(
        &self,
        filter: &EventFilter,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        self.log()?.newest(filter, before, limit).await
    }

    async fn since(
        &self,
        filter: &EventFilter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        self.log()?.since(filter, after, limit).await
    }

    async fn created(&self, jobs: &[JobId]) -> Result<Vec<EventEnvelope>, StoreError> {
        self.log()?.created(jobs).await
    }

    async fn dead_letter(&self, event_id: Uuid) -> Result<Option<EventEnvelope>, StoreError> {
        self.log()?.dead_letter(event_id).await
    }

    async fn export(&self, after: Option<JobId>, limit: usize) -> Result<Vec<ExportedHistory>, StoreError> {
        self.log()?.export(after, limit).await
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_told_and_the_rest_goes_on() {
    let away = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&away);
    let wrap = |ports: Ports| Ports {
        event_log: Arc::new(Switch {
            log: Arc::clone(&ports.event_log),
            away: switch,
        }),
        ..ports
    };
    let system = System::start_with(|_| {}, wrap).await;
    let stored = system.seed(job("hello"), JobStatus::Completed).await;
    let ready = async |wanted: u16| {
        wait_for("the readiness", async || {
            (system.response("/readyz").await.status() == wanted).then_some(())
        })
        .await;
    };
    ready(200).await;
    away.store(true, Ordering::SeqCst);
    for path in [
        "/events".to_owned(),
        "/export/events".to_owned(),
        format!("/jobs/{}/timeline", stored.id()),
    ] {
        let response = system.response(&path).await;
        assert_eq!(response.headers()["retry-after"], "1", "{path}");
        let problem = crate::support::problem(response).await;
        assert_eq!(
            (problem.code, problem.status),
            (ProblemCode::StoreUnavailable, 503),
            "{path}"
        );
    }
    let _: JobDetail = system.get(&format!("/jobs/{}", stored.id())).await;
    ready(503).await;
    let health: Health = system.response("/health").await.json().await.unwrap();
    assert!(health.status.contains("event-log"), "{health:?}");
    let firing = |list: &AlertList, state| {
        list.alerts.iter().any(|alert| {
            alert.name == condition::DATABASE_UNAVAILABLE
                && alert.subject == "event-log"
                && alert.state == state
        })
    };
    alerts_until(&system, |list| firing(list, AlertState::Firing)).await;
    let overview: Overview = system.get("/overview").await;
    assert_eq!(overview.state, HealthState::Down);
    assert!(!overview.alerts.is_empty());

    away.store(false, Ordering::SeqCst);
    ready(200).await;
    alerts_until(&system, |list| firing(list, AlertState::Resolved)).await;
    system.stop().await;
}

async fn alerts_until(system: &System, holds: impl Fn(&AlertList) -> bool) -> AlertList {
    wait_for("the alert", async || {
        let list: AlertList = system.get("/alerts").await;
        assert_eq!(list.source, "native");
        holds(&list).then_some(list)
    })
    .await
}

#[tokio::test]
async fn a_role_that_is_away_raises_an_alert() {
    // A port that nobody listens on.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let system = System::start_with(|config| config.roles.push((Role::Gateway, nobody)), |ports| ports).await;
    let overview: Overview = system.get("/overview").await;
    let gateway = overview
        .roles
        .iter()
        .find(|role| role.role == Role::Gateway)
        .unwrap();
    assert_eq!(
        (gateway.state, gateway.detail.as_deref()),
        (HealthState::Down, Some("no connection"))
    );
    let list = alerts_until(&system, |list| !list.alerts.is_empty()).await;
    assert_eq!(
        (list.alerts[0].name.as_str(), list.alerts[0].subject.as_str()),
        (condition::SERVICE_DOWN, "gateway")
    );
    system.stop().await;
}

#[tokio::test]
async fn queues_that_are_not_known_are_told_with_the_reason() {
    let host = servers::rabbitmq().await;
    let management = format!("http://odd:s3cret@127.0.0.1:{}", odd_testkit::free_port());
    let spine = AmqpSpine::new(AmqpOptions {
        management_url: Some(management),
        ..AmqpOptions::new(&host.url)
    });
    let system = System::start_with(|_| {}, |ports| Ports { spine, ..ports }).await;
    let overview = wait_for("the spine to answer", async || {
        let overview: Overview = system.get("/overview").await;
        let spine = overview.dependencies.iter().find(|store| store.name == "spine");
        let answers = spine.is_some_and(|spine| spine.state == HealthState::Healthy);
        (answers && overview.queues_unknown.as_ref()?.contains("management")).then_some(overview)
    })
    .await;
    assert_eq!(overview.queues, []);
    assert!(!overview.queues_unknown.unwrap().contains("s3cret"));
    system.stop().await;
}

#[tokio::test]
async fn only_allowed_pages_may_call_from_a_browser() {
    let allowed = "http://127.0.0.1:8081";
    let system = System::start_with(
        |config| config.origins = vec![allowed.parse().unwrap()],
        |ports| ports,
    )
    .await;
    let allow_origin = async |path: &str, origin: &str| {
        let request = system
            .http
            .get(format!("{}{path}", system.url))
            .header("origin", origin);
        let response = request.send().await.unwrap();
        let header = response.headers().get("access-control-allow-origin").cloned();
        header.map(|value| value.to_str().unwrap().to_owned())
    };
    for path in ["/jobs", "/stream", "/jobs/not-an-id"] {
        assert_eq!(
            allow_origin(path, allowed).await.as_deref(),
            Some(allowed),
            "{path}"
        );
        assert_eq!(allow_origin(path, "http://evil.example").await, None, "{path}");
    }
    system.stop().await;
}

#[tokio::test]
async fn every_path_is_described_and_other_paths_are_problems() {
    let system = System::start().await;
    let openapi: serde_json::Value = system.get("/openapi.json").await;
    let paths = openapi["paths"].as_object().unwrap();
    for path in [
        "/health",
        "/stats",
        "/overview",
        "/alerts",
        "/alerts/history",
        "/alerts/webhook",
        "/jobs",
        "/jobs/recent",
        "/jobs/lookup",
        "/jobs/{id}",
        "/jobs/{id}/timeline",
        "/events",
        "/dead-letters",
        "/dead-letters/{id}",
        "/stream",
        "/export/jobs",
        "/export/events",
    ] {
        assert!(paths.contains_key(path), "{path} is not described");
    }
    let names = |path: &str| -> Vec<&str> {
        let parameters = paths[path]["get"]["parameters"].as_array();
        parameters
            .unwrap()
            .iter()
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect()
    };
    assert_eq!(
        names("/jobs"),
        ["status", "type", "since", "until", "id", "cursor", "limit"]
    );
    assert_eq!(names("/stream"), ["types", "jobId"]);
    assert_eq!(system.problem("/nowhere").await.code, ProblemCode::NotFound);
    let response = system.post("/events", &serde_json::json!({})).await;
    assert_eq!(
        crate::support::problem(response).await.code,
        ProblemCode::MethodNotAllowed
    );
    system.stop().await;
}
