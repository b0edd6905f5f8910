//! The gateway: accepts jobs over HTTP and publishes them to the event spine.
//!
//! It keeps no state that matters: a job is accepted exactly when the spine has confirmed its work message, and then
//! the answer is 202. What it remembers of ids ([`Config::window`]) only makes repetitions cheap.
//!
//! A submission's way: `routes::submit` → `submission` (is it a job?) → `accept` (was it here before?) → `publisher`
//! (confirmed?) → 202, and behind the answer `created` (its first event).

mod accept;
mod batch;
mod config;
mod created;
mod lines;
mod metrics;
mod publisher;
mod read_model;
mod routes;
mod submission;
mod trace;
mod window;

use std::sync::Arc;
use std::time::Duration;

use odd_contracts::Role;
use odd_runtime::{Limits, Metrics, Readiness, RoleError, Server, Shutdown, Tasks, producer};
use odd_spine::Spine;
use tokio::net::TcpListener;

pub use config::Config;

use accept::Acceptor;
use created::CreatedEvents;
use metrics::GatewayMetrics;
use publisher::Publisher;
use read_model::ReadModel;
use routes::{Gateway, Upstreams};
use window::Window;

/// Time between two questions whether the spine answers.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// What a request may take beyond the wait for a confirm.
const REQUEST_MARGIN: Duration = Duration::from_secs(10);

/// What the gateway works with.
#[derive(Clone)]
pub struct Ports {
    /// Where accepted jobs go.
    pub spine: Arc<dyn Spine>,
}

/// Serves the gateway on `listener` until the shutdown, then finishes the requests in hand and publishes the events
/// that wait, under the shutdown's deadline.
///
/// # Errors
/// Where it cannot begin to serve, or one of its tasks fails or does not end in time.
pub async fn run(
    config: Config,
    ports: Ports,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<(), RoleError> {
    let metrics = Metrics::new(Role::Gateway)?;
    let readiness = Readiness::new(Role::Gateway);
    let tasks = Tasks::new(shutdown.clone());
    probe_spine(&readiness, &tasks, &ports.spine);
    let counts = GatewayMetrics::register(&metrics)?;
    let created = publish_created_events(&config, &ports, &counts, &tasks);
    let gateway = Arc::new(build(&config, ports, counts, created)?);
    let served = Server::new(Role::Gateway, &metrics, &readiness)
        .api(routes::routes(gateway), routes::openapi())
        .limits(limits(&config))
        .cors(config.origins)
        .serve(listener, shutdown.clone())
        .await;
    // The routes and with them the last sender of created events are gone: their publisher drains and ends.
    shutdown.trigger();
    let joined = tasks.join(shutdown.remaining()).await;
    served?;
    joined
}

fn probe_spine(readiness: &Readiness, tasks: &Tasks, spine: &Arc<dyn Spine>) {
    let spine = Arc::clone(spine);
    readiness.probe(tasks, "spine", PROBE_INTERVAL, move || {
        let spine = Arc::clone(&spine);
        async move { spine.ping().await }
    });
}

fn publish_created_events(
    config: &Config,
    ports: &Ports,
    counts: &GatewayMetrics,
    tasks: &Tasks,
) -> CreatedEvents {
    let dropped = counts.events_dropped.clone();
    let (events, publisher) = created::queue(Arc::clone(&ports.spine), config.confirm_timeout, dropped);
    tasks.spawn("publisher of created events", publisher.run());
    events
}

fn build(
    config: &Config,
    ports: Ports,
    metrics: GatewayMetrics,
    created: CreatedEvents,
) -> Result<Gateway, RoleError> {
    let publisher = Publisher::new(
        Arc::clone(&ports.spine),
        config.max_waiting.get(),
        config.confirm_timeout,
        metrics.confirm_seconds.clone(),
    );
    Ok(Gateway {
        acceptor: Acceptor {
            publisher,
            window: Window::new(config.window),
            created,
            producer: producer(Role::Gateway),
        },
        metrics,
        read_model: ReadModel::new(&config.read_model_url)
            .map_err(RoleError::dependency("client of the read-model"))?,
        upstreams: Upstreams::new(config).map_err(RoleError::dependency("HTTP client"))?,
        spine: ports.spine,
        spine_timeout: config.confirm_timeout,
    })
}

fn limits(config: &Config) -> Limits {
    Limits {
        timeout: config.confirm_timeout.saturating_add(REQUEST_MARGIN),
        concurrency: config.max_waiting.get(),
        ..Limits::default()
    }
}
