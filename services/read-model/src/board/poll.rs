//! Asks every role, store and the spine how they are.

use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::{join, join_all};
use odd_contracts::api::{DependencyHealth, Health, HealthState, QueueDepth, RoleHealth};
use odd_contracts::{Role, Timestamp};
use odd_runtime::error::chain;
use odd_runtime::{Check, Readiness, Story};
use odd_spine::Spine;
use reqwest::StatusCode;
use tokio::sync::watch;

use super::{Snapshot, replicas};
use crate::alerts::{Alerts, Sample};
use crate::live::Live;
use crate::{Config, Ports};

/// Time between two polls.
const INTERVAL: Duration = Duration::from_secs(1);
/// Time before the second poll after a start, doubled for each further one up to [`INTERVAL`]: a system that
/// starts is seen to be up soon after it is.
const FIRST_INTERVAL: Duration = Duration::from_millis(50);
/// Longest wait for one answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Name of the spine among the dependencies.
const SPINE: &str = "spine";
/// Names of the stores among the dependencies.
const STORES: [&str; 3] = ["job-store", "event-log", "counters"];

/// Asks, and tells the role's readiness what it learns. The stores are required, the spine is not:
/// without it only the live stream stands still.
pub(crate) struct Poller {
    http: reqwest::Client,
    roles: Vec<(Role, String)>,
    ports: Ports,
    live: Arc<Live>,
    alerts: Arc<Alerts>,
    checks: [Check; 3],
    /// What the log says of each dependency, in the order of [`Poller::dependencies`].
    stories: Mutex<[Story; 4]>,
    /// For how long the event log last said that it keeps events.
    retention: Mutex<Option<Duration>>,
}

/// Polls until it is dropped, evaluates the alerts, and shows what it finds.
pub(crate) async fn watch_system(poller: Poller, shown: watch::Sender<Option<Arc<Snapshot>>>) {
    let mut interval = FIRST_INTERVAL;
    loop {
        let mut snapshot = poller.poll().await;
        // While the system starts, roles that are not up yet are no reason for an alert.
        if interval >= INTERVAL {
            poller.alerts.observe(&poller.sample(&snapshot));
        }
        snapshot.alerts = poller.alerts.shown(snapshot.at);
        shown.send_replace(Some(Arc::new(snapshot)));
        tokio::time::sleep(interval).await;
        interval = (interval * 2).min(INTERVAL);
    }
}

impl Poller {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// Where the HTTP client cannot be made.
    pub(crate) fn new(
        config: &Config,
        ports: Ports,
        live: Arc<Live>,
        alerts: Arc<Alerts>,
        readiness: &Readiness,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: reqwest::Client::builder()
                .timeout(ANSWER_LIMIT)
                .no_proxy()
                .pool_max_idle_per_host(1)
                .build()?,
            roles: config.roles.clone(),
            ports,
            live,
            alerts,
            checks: STORES.map(|name| readiness.require(name)),
            stories: Mutex::new([STORES[0], STORES[1], STORES[2], SPINE].map(Story::of)),
            retention: Mutex::default(),
        })
    }

    async fn poll(&self) -> Snapshot {
        let roles = join_all(self.roles.iter().map(|(role, url)| self.role(*role, url)));
        let ((roles, dependencies), (queues, retention)) = join(
            join(roles, self.dependencies()),
            join(depths(self.ports.spine.as_ref()), self.retention()),
        )
        .await;
        let at = Timestamp::now();
        Snapshot {
            at,
            roles,
            dependencies,
            queues,
            alerts: self.alerts.shown(at),
            retention,
        }
    }

    /// What the event log said last, while it does not answer.
    async fn retention(&self) -> Option<Duration> {
        let asked = tokio::time::timeout(ANSWER_LIMIT, self.ports.event_log.retention()).await;
        let mut known = self.retention.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(Ok(retention)) = asked {
            *known = retention;
        }
        *known
    }

    /// The stores in the order of [`STORES`], then the spine; tells the role's readiness.
    async fn dependencies(&self) -> Vec<DependencyHealth> {
        let Ports {
            spine,
            job_store,
            event_log,
            counters,
        } = &self.ports;
        let (jobs, log) = join(
            dependency(STORES[0], job_store.adapter(), job_store.ping()),
            dependency(STORES[1], event_log.adapter(), event_log.ping()),
        )
        .await;
        let (counters, spine) = join(
            dependency(STORES[2], counters.adapter(), counters.ping()),
            dependency(SPINE, spine.adapter(), spine.ping()),
        )
        .await;
        let all = vec![jobs, log, counters, spine];
        // Told at once: a role that is slow to answer must not keep this one from being ready.
        for (check, store) in self.checks.iter().zip(&all) {
            match &store.detail {
                None => check.ok(),
                Some(why) => check.failed(why),
            }
        }
        self.tell(&all);
        all
    }

    fn tell(&self, all: &[DependencyHealth]) {
        // A panic cannot leave a story half-told, so that a poisoned lock is as good as any.
        let mut stories = self.stories.lock().unwrap_or_else(PoisonError::into_inner);
        for (story, dependency) in stories.iter_mut().zip(all) {
            story.tell(&dependency.detail.clone().map_or(Ok(()), Err));
        }
    }

    async fn role(&self, role: Role, url: &str) -> RoleHealth {
        let bases = replicas::of(url).await;
        let (asked, replicas) = if bases.is_empty() {
            (self.ask(url).await, None)
        } else {
            let answers = join_all(bases.iter().map(|base| self.ask(base))).await;
            let (asked, replicas) = replicas::together(bases.into_iter().zip(answers).collect());
            (asked, Some(replicas))
        };
        RoleHealth {
            role,
            state: asked.state,
            url: url.to_owned(),
            version: asked.version,
            detail: asked.detail,
            replicas,
        }
    }

    async fn ask(&self, base: &str) -> Asked {
        match self.http.get(format!("{base}/readyz")).send().await {
            Ok(response) => read_health(response).await,
            Err(error) => Asked {
                state: HealthState::Down,
                version: None,
                detail: Some(why(&error)),
            },
        }
    }

    fn sample(&self, snapshot: &Snapshot) -> Sample {
        let roles = snapshot.roles.iter();
        let stores = snapshot.dependencies.iter().filter(|store| store.name != SPINE);
        Sample {
            at: snapshot.at,
            roles: roles.map(|role| (role.role, not_ready(role))).collect(),
            stores: stores
                .map(|store| (store.name.clone(), store.detail.clone()))
                .collect(),
            queues: snapshot.queues.clone().unwrap_or_default(),
            outcomes: self.live.outcomes(snapshot.at),
        }
    }
}

/// What one process of a role said.
#[derive(Debug)]
pub(super) struct Asked {
    /// Whether it works. One that answers but is not ready is degraded.
    pub(super) state: HealthState,
    /// Version it runs.
    pub(super) version: Option<String>,
    /// Why it is not healthy.
    pub(super) detail: Option<String>,
}

async fn read_health(response: reqwest::Response) -> Asked {
    let status = response.status();
    let health = response.json::<Health>().await.ok();
    let version = health.as_ref().map(|health| health.version.clone());
    let ready = status == StatusCode::OK;
    let said = health.map(|health| health.status);
    Asked {
        state: if ready {
            HealthState::Healthy
        } else {
            HealthState::Degraded
        },
        version,
        detail: (!ready)
            .then(|| said.unwrap_or_else(|| format!("it answered with status {}", status.as_u16()))),
    }
}

/// Why a role does not do its work. One of several replicas is enough for it to.
fn not_ready(role: &RoleHealth) -> Option<String> {
    match role.replicas {
        Some(replicas) if replicas.ready > 0 => None,
        _ => role.detail.clone(),
    }
}

fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "it did not answer in time".to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        error.to_string()
    }
}

async fn dependency<E: Error>(
    name: &str,
    adapter: &str,
    ping: impl Future<Output = Result<(), E>>,
) -> DependencyHealth {
    let asked = Instant::now();
    let detail = match tokio::time::timeout(ANSWER_LIMIT, ping).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(chain(&error).to_string()),
        Err(_) => Some("it did not answer in time".to_owned()),
    };
    DependencyHealth {
        name: name.to_owned(),
        adapter: adapter.to_owned(),
        state: if detail.is_none() {
            HealthState::Healthy
        } else {
            HealthState::Down
        },
        latency_ms: detail
            .is_none()
            .then(|| asked.elapsed().as_micros() as f64 / 1_000.0),
        detail,
    }
}

async fn depths(spine: &dyn Spine) -> Result<Vec<QueueDepth>, String> {
    match tokio::time::timeout(ANSWER_LIMIT, spine.depths()).await {
        Ok(Ok(depths)) => Ok(depths),
        Ok(Err(error)) => Err(chain(&error).to_string()),
        Err(_) => Err(format!(
            "the spine did not tell them within {} s",
            ANSWER_LIMIT.as_secs()
        )),
    }
}
