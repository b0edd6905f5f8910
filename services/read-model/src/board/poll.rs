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

use super::Snapshot;
use crate::alerts::{AlertBook, Sample};
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
    checks: [Check; 3],
    /// What the log says of each dependency, in the order of [`Poller::dependencies`].
    stories: Mutex<[Story; 4]>,
    /// For how long the event log last said that it keeps events.
    retention: Mutex<Option<Duration>>,
}

/// Polls until it is dropped, evaluates the alerts, and shows what it finds.
pub(crate) async fn watch_system(poller: Poller, shown: watch::Sender<Option<Arc<Snapshot>>>) {
    let mut alerts = AlertBook::default();
    let mut interval = FIRST_INTERVAL;
    loop {
        let mut snapshot = poller.poll().await;
        // While the system starts, roles that are not up yet are no reason for an alert.
        if interval >= INTERVAL {
            alerts.observe(&poller.sample(&snapshot));
        }
        snapshot.alerts = alerts.shown();
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
        Snapshot {
            at: Timestamp::now(),
            roles,
            dependencies,
            queues,
            alerts: Vec::new(),
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
        let (state, version, detail) = match self.http.get(format!("{url}/readyz")).send().await {
            Ok(response) => read_health(response).await,
            Err(error) => (HealthState::Down, None, Some(why(&error))),
        };
        RoleHealth {
            role,
            state,
            url: url.to_owned(),
            version,
            detail,
        }
    }

    fn sample(&self, snapshot: &Snapshot) -> Sample {
        let roles = snapshot.roles.iter();
        let stores = snapshot.dependencies.iter().filter(|store| store.name != SPINE);
        Sample {
            at: snapshot.at,
            roles: roles.map(|role| (role.role, role.detail.clone())).collect(),
            stores: stores
                .map(|store| (store.name.clone(), store.detail.clone()))
                .collect(),
            queues: snapshot.queues.clone(),
            outcomes: self.live.outcomes(snapshot.at),
        }
    }
}

/// State, version and, where it is not healthy, the reason. A role that answers but is not ready is degraded.
async fn read_health(response: reqwest::Response) -> (HealthState, Option<String>, Option<String>) {
    let status = response.status();
    let health = response.json::<Health>().await.ok();
    let version = health.as_ref().map(|health| health.version.clone());
    if status == StatusCode::OK {
        return (HealthState::Healthy, version, None);
    }
    let said = health.map(|health| health.status);
    let detail = said.unwrap_or_else(|| format!("it answered with status {}", status.as_u16()));
    (HealthState::Degraded, version, Some(detail))
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

async fn depths(spine: &dyn Spine) -> Vec<QueueDepth> {
    match tokio::time::timeout(ANSWER_LIMIT, spine.depths()).await {
        Ok(Ok(depths)) => depths,
        // The spine's own health says so already.
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}
