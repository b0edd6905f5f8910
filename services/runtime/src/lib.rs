//! The process shell of every role: configuration, listener, health, metrics, logs and shutdown.
//!
//! A role is a function of its configuration, its ports, a listener and a [`Shutdown`]:
//!
//! ```text
//! pub async fn run(config: …, ports: …, listener: TcpListener, shutdown: Shutdown) -> Result<(), RoleError> {
//!     let metrics = Metrics::new(Role::Gateway)?;
//!     let readiness = Readiness::new(Role::Gateway);
//!     let tasks = Tasks::new(shutdown.clone());
//!     readiness.probe(&tasks, "spine", Duration::from_secs(1), move || ping(spine.clone()));
//!     Server::new(Role::Gateway, &metrics, &readiness).api(routes(), openapi()).serve(listener, shutdown.clone()).await?;
//!     tasks.join(shutdown.remaining()).await
//! }
//! ```
//!
//! On shutdown the role is not ready first, then stops accepting, then finishes what it has in hand, all
//! under the one deadline that [`Shutdown::remaining`] counts down to.

pub mod config;
pub mod correlation;
pub mod error;
pub mod extract;
pub mod health;
pub mod http;
pub mod identity;
pub mod metrics;
pub mod problem;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;
pub mod upstream;

pub use correlation::CorrelationId;
pub use error::{BoxError, RoleError, ServeError};
pub use extract::{JsonBody, PathParam, QueryParams, RawBody, RawJson};
pub use health::{Check, Readiness, Story};
pub use http::{Limits, Origin, Server};
pub use identity::{instance_id, producer};
pub use metrics::{Metrics, TypeLabel};
pub use problem::ApiError;
pub use shutdown::Shutdown;
pub use tasks::Tasks;
pub use upstream::{Upstream, UpstreamError, UpstreamLimits, UpstreamUrl};

/// The metrics library, so that roles register what [`Metrics`] has no helper for in the same version.
pub use prometheus;
