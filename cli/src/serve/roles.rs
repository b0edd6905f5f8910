//! How each role is started. The only place that knows every role crate.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use odd_contracts::Role;
use odd_runtime::{RoleError, Shutdown};
use odd_spine::Spine;
use odd_store::{Counters, EventLog, JobStore};
use tokio::net::TcpListener;

use super::settings::Settings;

/// What roles work with.
pub(super) struct Parts {
    pub(super) spine: Arc<dyn Spine>,
    pub(super) job_store: Arc<dyn JobStore>,
    pub(super) event_log: Arc<dyn EventLog>,
    pub(super) counters: Arc<dyn Counters>,
}

/// The role at work on `listener` until the shutdown.
pub(super) fn run(
    role: Role,
    settings: &Settings,
    parts: &Parts,
    listener: TcpListener,
    shutdown: Shutdown,
) -> BoxFuture<'static, Result<(), RoleError>> {
    let spine = Arc::clone(&parts.spine);
    let job_store = Arc::clone(&parts.job_store);
    let event_log = Arc::clone(&parts.event_log);
    let counters = Arc::clone(&parts.counters);
    match role {
        Role::Gateway => {
            let ports = odd_gateway::Ports { spine };
            odd_gateway::run(settings.gateway.clone(), ports, listener, shutdown).boxed()
        }
        Role::Processor => {
            let ports = odd_processor::Ports { spine, job_store };
            odd_processor::run(settings.processor.clone(), ports, listener, shutdown).boxed()
        }
        Role::MetricsEngine => {
            let ports = odd_metrics_engine::Ports {
                spine,
                event_log,
                counters,
            };
            odd_metrics_engine::run(settings.metrics_engine, ports, listener, shutdown).boxed()
        }
        Role::ReadModel => {
            let ports = odd_read_model::Ports {
                spine,
                job_store,
                event_log,
                counters,
            };
            odd_read_model::run(settings.read_model.clone(), ports, listener, shutdown).boxed()
        }
    }
}
