//! The HTTP server of a role: its interface, and around it what every role has.

mod accept;
mod builtin;
mod cors;
mod docs;
mod guard;
mod shell;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use odd_contracts::Role;
use tokio::net::TcpListener;
use utoipa::openapi::OpenApi;

pub use accept::Peer;
pub use builtin::with_builtin;
pub use cors::{InvalidOrigin, Origin};

use crate::error::ServeError;
use crate::extract::BodyLimit;
use crate::health::Readiness;
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;
use crate::telemetry;

/// What one client may ask of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a body; more is 413. A route may differ by [`body_limit`].
    pub body: usize,
    /// Most time for one request of [`Server::api`], its body included; more is 408.
    pub timeout: Duration,
    /// Most requests of [`Server::api`] in hand at a time; more is 429.
    pub concurrency: usize,
    /// Most answers of [`Server::streaming`] open at a time; more is 429.
    pub streams: usize,
    /// Most time for the head of a request, and for an idle connection to be kept.
    pub head: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            timeout: Duration::from_secs(10),
            concurrency: 1024,
            streams: 256,
            head: Duration::from_secs(30),
        }
    }
}

/// Serves a role's routes beside `/healthz`, `/readyz`, `/metrics`, `/openapi.json` and `/docs`.
pub struct Server {
    role: Role,
    metrics: Metrics,
    readiness: Readiness,
    api: Router,
    streaming: Router,
    openapi: OpenApi,
    limits: Limits,
    origins: Vec<Origin>,
    gate: Gate,
    drain_delay: Duration,
}

type Gate = Box<dyn FnOnce(Router) -> Router + Send>;

impl Server {
    /// A server with the built-in paths alone.
    pub fn new(role: Role, metrics: &Metrics, readiness: &Readiness) -> Self {
        Self {
            role,
            metrics: metrics.clone(),
            readiness: readiness.clone(),
            api: Router::new(),
            streaming: Router::new(),
            openapi: OpenApi::default(),
            limits: Limits::default(),
            origins: Vec::new(),
            gate: Box::new(|routes| routes),
            drain_delay: Duration::ZERO,
        }
    }

    /// The role's routes and their description. A route at a built-in path panics, as axum's own conflicts do.
    #[must_use]
    pub fn api(mut self, routes: Router, openapi: OpenApi) -> Self {
        self.api = routes;
        self.openapi = openapi;
        self
    }

    /// Routes whose answers last: server-sent events and exports. They have no time limit and do not count
    /// as requests in hand. On shutdown `text/event-stream` ends at once; any other answer may go on until the
    /// deadline and is then cut so that the client can tell (an export must never look complete when it is not).
    #[must_use]
    pub fn streaming(mut self, routes: Router) -> Self {
        self.streaming = routes;
        self
    }

    /// Other limits than [`Limits::default`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Origins whose pages may call the role from a browser; none by default.
    #[must_use]
    pub fn cors(mut self, origins: impl IntoIterator<Item = Origin>) -> Self {
        self.origins = origins.into_iter().collect();
        self
    }

    /// A layer that everything passes but what monitoring asks, `/healthz`, `/readyz` and `/metrics`: the role's routes, their
    /// description, and paths at which there is nothing.
    #[must_use]
    pub fn gate(mut self, layered: impl FnOnce(Router) -> Router + Send + 'static) -> Self {
        self.gate = Box::new(layered);
        self
    }

    /// Time between `/readyz` turning 503 and the listener closing, for load balancers to notice; none by
    /// default. At most half of what is left of the shutdown's time.
    #[must_use]
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.drain_delay = delay;
        self
    }

    /// Serves until the shutdown: then not ready, no longer accepting, finishing the requests in hand; those
    /// not finished at the deadline are cut off. Returns when the last connection is closed.
    ///
    /// # Errors
    /// When it cannot start to serve. A connection's errors are its own.
    pub async fn serve(self, listener: TcpListener, shutdown: Shutdown) -> Result<(), ServeError> {
        let role = self.role;
        telemetry::in_role(role, self.serve_within(listener, shutdown)).await
    }

    async fn serve_within(self, listener: TcpListener, shutdown: Shutdown) -> Result<(), ServeError> {
        let address = listener.local_addr().map_err(ServeError::Listener)?;
        let (head, delay, readiness) = (self.limits.head, self.drain_delay, self.readiness.clone());
        self.metrics.watch(&readiness).map_err(ServeError::Metrics)?;
        let router = self.router(&shutdown)?;
        tracing::info!(%address, "listening");
        accept::serve(
            accept::Acceptor {
                listener,
                router,
                head,
                delay,
                readiness,
            },
            &shutdown,
        )
        .await;
        Ok(())
    }

    /// The routes in their layers, outermost last.
    fn router(self, shutdown: &Shutdown) -> Result<Router, ServeError> {
        let api = self
            .api
            .layer(from_fn_with_state(guard::Guard::new(&self.limits), guard::api));
        let streams = guard::Streams::new(&self.limits, shutdown.clone());
        let streaming = self
            .streaming
            .layer(from_fn_with_state(streams, guard::streaming));
        let openapi = with_builtin(self.role, self.openapi);
        let shell = shell::Shell::new(&self.metrics, &self.limits);
        let gated = docs::routes(self.role, &openapi)?
            .merge(api)
            .merge(streaming)
            .fallback(builtin::not_found)
            // Within the gate: set later, it would take the place of what the gate surrounds.
            .method_not_allowed_fallback(builtin::method_not_allowed);
        let router = builtin::routes(&self.metrics, &self.readiness)
            .method_not_allowed_fallback(builtin::method_not_allowed)
            .merge((self.gate)(gated))
            .layer(from_fn_with_state(Arc::new(shell), shell::around));
        Ok(cors::allow(router, self.origins))
    }
}

/// Another limit of the body than the server's, as a layer for a route or router.
pub fn body_limit(
    bytes: usize,
) -> (
    DefaultBodyLimit,
    axum::Extension<impl Clone + Send + Sync + 'static>,
) {
    (DefaultBodyLimit::max(bytes), axum::Extension(BodyLimit(bytes)))
}
