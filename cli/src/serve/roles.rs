//! How each role is started. The only place that knows every role crate.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use odd_contracts::Role;
use odd_runtime::{RoleError, Shutdown};
use odd_spine::Spine;
use odd_store::{Counters, EventLog, JobStore};
use tokio::net::TcpListener;

use super::servers::Server;
use super::settings::RoleSettings;

/// What roles work with: at least what each role of the process needs.
pub(super) struct Parts {
    pub(super) spine: Option<Arc<dyn Spine>>,
    pub(super) job_store: Option<Arc<dyn JobStore>>,
    pub(super) event_log: Option<Arc<dyn EventLog>>,
    pub(super) counters: Option<Arc<dyn Counters>>,
}

impl Parts {
    fn spine(&self) -> Arc<dyn Spine> {
        needed(self.spine.as_ref(), Server::RabbitMq)
    }

    fn job_store(&self) -> Arc<dyn JobStore> {
        needed(self.job_store.as_ref(), Server::Postgres)
    }

    fn event_log(&self) -> Arc<dyn EventLog> {
        needed(self.event_log.as_ref(), Server::MongoDb)
    }

    fn counters(&self) -> Arc<dyn Counters> {
        needed(self.counters.as_ref(), Server::Redis)
    }
}

#[expect(
    clippy::panic,
    reason = "settings are complete for every role: `Server::is_needed_by`"
)]
fn needed<T: ?Sized>(part: Option<&Arc<T>>, server: Server) -> Arc<T> {
    match part {
        Some(part) => Arc::clone(part),
        None => panic!("{} is opened for every role that needs it", server.part()),
    }
}

/// The role at work on `listener` until the shutdown.
pub(super) fn run(
    role: Role,
    settings: &RoleSettings,
    parts: &Parts,
    listener: TcpListener,
    shutdown: Shutdown,
) -> BoxFuture<'static, Result<(), RoleError>> {
    match role {
        Role::Gateway => {
            let ports = odd_gateway::Ports { spine: parts.spine() };
            odd_gateway::run(settings.gateway.clone(), ports, listener, shutdown).boxed()
        }
        Role::Processor => {
            let ports = odd_processor::Ports {
                spine: parts.spine(),
                job_store: parts.job_store(),
            };
            odd_processor::run(settings.processor.clone(), ports, listener, shutdown).boxed()
        }
        Role::MetricsEngine => {
            let ports = odd_metrics_engine::Ports {
                spine: parts.spine(),
                event_log: parts.event_log(),
                counters: parts.counters(),
            };
            odd_metrics_engine::run(settings.metrics_engine, ports, listener, shutdown).boxed()
        }
        Role::ReadModel => {
            let ports = odd_read_model::Ports {
                spine: parts.spine(),
                job_store: parts.job_store(),
                event_log: parts.event_log(),
                counters: parts.counters(),
            };
            odd_read_model::run(settings.read_model.clone(), ports, listener, shutdown).boxed()
        }
        Role::Web => odd_web::run(settings.web.clone(), listener, shutdown).boxed(),
    }
}
