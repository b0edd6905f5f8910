//! The role `metrics-engine`: writes every lifecycle event to the event log and keeps the counters.
//!
//! Events are recorded first, then counted, then acknowledged. Recording ignores an event that is in the log,
//! and counting one that was counted, so a delivery that comes again after a crash changes nothing.

mod batch;
mod bisect;
mod instruments;
mod pulse;
mod rebuild;
mod recorder;

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use odd_contracts::Role;
use odd_runtime::error::chain;
use odd_runtime::{Metrics, Readiness, RoleError, Server, Shutdown, Tasks, telemetry};
use odd_spine::Spine;
use odd_store::{Counters, EventLog};
use tokio::net::TcpListener;

use instruments::Instruments;
use recorder::Recorder;

/// How often each dependency is asked whether it answers.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Settings of the metrics-engine. Each has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Messages that are recorded together at most; 32 by default. Twice as many may be unacknowledged: one
    /// batch is recorded while the one before is counted.
    pub batch: NonZero<usize>,
    /// Events that one statement of a store takes at most; 1,024 by default.
    pub events: NonZero<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            batch: NonZero::new(32).expect("32 is not 0"),
            events: NonZero::new(1_024).expect("1,024 is not 0"),
        }
    }
}

/// What the metrics-engine works on.
#[derive(Clone)]
pub struct Ports {
    /// Where events come from and dead letters go.
    pub spine: Arc<dyn Spine>,
    /// Where events are recorded.
    pub event_log: Arc<dyn EventLog>,
    /// Where events are counted.
    pub counters: Arc<dyn Counters>,
}

/// Runs the role until the shutdown.
///
/// # Errors
/// When its HTTP server fails, a metric cannot be registered, or what it has in hand is not done by the deadline.
/// A dependency that is away is no error: the role is not ready until it is back.
pub async fn run(
    config: Config,
    ports: Ports,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<(), RoleError> {
    telemetry::in_role(Role::MetricsEngine, serve(config, ports, listener, shutdown)).await
}

async fn serve(
    config: Config,
    ports: Ports,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<(), RoleError> {
    let metrics = Metrics::new(Role::MetricsEngine)?;
    let instruments = Instruments::register(&metrics)?;
    let readiness = Readiness::new(Role::MetricsEngine);
    let tasks = Tasks::new(shutdown.clone());
    probe(&readiness, &tasks, &ports);
    let recorder = Recorder::new(
        config,
        ports,
        instruments,
        readiness.require("recording"),
        shutdown.clone(),
    );
    tasks.spawn("recorder", recorder.run());
    let served = Server::new(Role::MetricsEngine, &metrics, &readiness)
        .serve(listener, shutdown.clone())
        .await;
    // A server that could not start must not leave the recorder behind.
    shutdown.trigger();
    let joined = tasks.join(shutdown.remaining()).await;
    served?;
    joined
}

fn probe(readiness: &Readiness, tasks: &Tasks, ports: &Ports) {
    let spine = Arc::clone(&ports.spine);
    readiness.probe(tasks, "spine", PROBE_INTERVAL, move || {
        let spine = Arc::clone(&spine);
        async move { spine.ping().await }
    });
    let event_log = Arc::clone(&ports.event_log);
    readiness.probe(tasks, "event-log", PROBE_INTERVAL, move || {
        let event_log = Arc::clone(&event_log);
        async move { event_log.ping().await.map_err(|error| chain(&error).to_string()) }
    });
    let counters = Arc::clone(&ports.counters);
    readiness.probe(tasks, "counters", PROBE_INTERVAL, move || {
        let counters = Arc::clone(&counters);
        async move { counters.ping().await.map_err(|error| chain(&error).to_string()) }
    });
}
