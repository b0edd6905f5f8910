//! The read-model: the one read surface of every user interface.
//!
//! It answers from the job store (the authority), the event log and the counters (its projections), follows
//! the spine's live feed for streams and statistics, and watches the health of every role. It writes nowhere.

mod alerts;
mod board;
mod config;
mod cursor;
mod failure;
mod live;
mod params;
mod routes;
mod timeline;

use std::sync::Arc;

use odd_contracts::names::metric;
use odd_contracts::{Role, Timestamp};
use odd_runtime::{Metrics, Readiness, RoleError, Server, Shutdown, Tasks};
use odd_spine::Spine;
use odd_store::{Counters, EventLog, JobStore};
use tokio::net::TcpListener;

use alerts::Alerts;
use board::{Board, Poller};
use live::Live;
use routes::App;

pub use config::Config;

/// What the read-model reads from.
#[derive(Clone)]
pub struct Ports {
    /// Live feed and depths of the queues.
    pub spine: Arc<dyn Spine>,
    /// The authority on the state of jobs.
    pub job_store: Arc<dyn JobStore>,
    /// Every lifecycle event.
    pub event_log: Arc<dyn EventLog>,
    /// Counts of jobs.
    pub counters: Arc<dyn Counters>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports")
            .field("spine", &self.spine.adapter())
            .field("job_store", &self.job_store.adapter())
            .field("event_log", &self.event_log.adapter())
            .field("counters", &self.counters.adapter())
            .finish()
    }
}

/// Runs the read-model until the shutdown.
///
/// Stores that do not answer do not end it: it is not ready and answers `store_unavailable` until they do.
///
/// # Errors
/// When it cannot start to serve, or a task of its own fails.
pub async fn run(
    config: Config,
    ports: Ports,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<(), RoleError> {
    let metrics = Metrics::new(Role::ReadModel)?;
    let readiness = Readiness::new(Role::ReadModel);
    let tasks = Tasks::new(shutdown.clone());
    let live = Arc::new(Live::new(config.stream_events));
    let alerts = Arc::new(Alerts::new(config.alertmanager.is_some()));
    watch_alerts(&config, &alerts, &tasks)?;
    let board = start_watching(&config, &ports, (&live, &alerts), &readiness, &tasks)?;
    let feed = live::subscribe(ports.spine.as_ref()).await;
    let following = live::follow(Arc::clone(&ports.spine), Arc::clone(&live), feed);
    spawn_until_shutdown(&tasks, "live feed", following);

    let origins = config.origins.clone();
    let app = Arc::new(App {
        config,
        ports,
        live,
        alerts,
        notifications: routes::Places::default(),
        board,
        readiness: readiness.clone(),
        streams: metrics.gauge(metric::READ_MODEL_STREAMS, "Subscribers of the live stream.")?,
        started_at: Timestamp::now(),
    });
    let served = Server::new(Role::ReadModel, &metrics, &readiness)
        .api(routes::api(&app), routes::description())
        .streaming(routes::streaming(&app))
        .cors(origins)
        .serve(listener, shutdown.clone())
        .await;
    shutdown.trigger();
    let ended = tasks.join(shutdown.remaining()).await;
    served?;
    ended
}

fn watch_alerts(config: &Config, alerts: &Arc<Alerts>, tasks: &Tasks) -> Result<(), RoleError> {
    if let Some(alertmanager) = &config.alertmanager {
        let sources = alerts::Sources::new(alertmanager.clone(), config.prometheus.clone())
            .map_err(RoleError::dependency("HTTP client"))?;
        spawn_until_shutdown(tasks, "alerts", alerts::watch(sources, Arc::clone(alerts)));
    }
    Ok(())
}

fn start_watching(
    config: &Config,
    ports: &Ports,
    (live, alerts): (&Arc<Live>, &Arc<Alerts>),
    readiness: &Readiness,
    tasks: &Tasks,
) -> Result<Board, RoleError> {
    let (live, alerts) = (Arc::clone(live), Arc::clone(alerts));
    let poller = Poller::new(config, ports.clone(), live, alerts, readiness)
        .map_err(RoleError::dependency("HTTP client"))?;
    let (shown, board) = Board::new();
    spawn_until_shutdown(tasks, "system watch", board::watch_system(poller, shown));
    Ok(board)
}

/// Runs a task that never ends by itself, and drops it on shutdown: it holds nothing that needs an orderly end.
fn spawn_until_shutdown(tasks: &Tasks, name: &str, task: impl Future<Output = ()> + Send + 'static) {
    let shutdown = tasks.shutdown().clone();
    tasks.spawn(name, async move {
        tokio::select! {
            () = task => {}
            () = shutdown.signalled() => {}
        }
    });
}
