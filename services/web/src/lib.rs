//! The web role: what browsers open.
//!
//! It serves one page, passes requests on to the gateway and the read-model under its own address, so that the page
//! needs no other origin, and has a terminal for it. It keeps nothing.

mod config;
mod description;
mod hosts;
mod interfaces;
mod metrics;
mod page;
mod proxy;
mod terminal;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use odd_contracts::Role;
use odd_runtime::{Limits, Metrics, Readiness, RoleError, ServeError, Server, Shutdown, Tasks};
use tokio::net::TcpListener;

use hosts::Hosts;
use interfaces::Interfaces;
use metrics::WebMetrics;
use proxy::{Proxy, Upstream};
use terminal::Terminal;

pub use config::Config;
pub use hosts::{AllowedHost, InvalidHost};
pub use terminal::config::{AccessToken, InvalidMode, InvalidToken, Program, TerminalConfig, TerminalMode};

/// Time between two questions whether a role behind is ready.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);
/// Time beyond the wait for an answer that a request may take, its body included.
const MARGIN: Duration = Duration::from_secs(10);

/// Runs the web role until the shutdown.
///
/// Roles behind it that do not answer do not end it: the page says so, and requests to them are 502 until they do.
///
/// # Errors
/// When it cannot start to serve, or a task of its own fails.
pub async fn run(config: Config, listener: TcpListener, shutdown: Shutdown) -> Result<(), RoleError> {
    let metrics = Metrics::new(Role::Web)?;
    let readiness = Readiness::new(Role::Web);
    let tasks = Tasks::new(shutdown.clone());
    let proxy = Arc::new(Proxy::new(&config, WebMetrics::register(&metrics)?));
    observe(&readiness, &tasks, &proxy);
    let port = listener.local_addr().map_err(ServeError::Listener)?.port();
    let (short, lasting) = proxy.routes();
    let own = Router::new()
        .route("/interfaces", get(description::interfaces))
        .with_state(Interfaces::new(port, config.port_offset));
    let terminal = terminal::routes(Terminal::new(&config, &tasks, &metrics)?);
    let own = page::routes()
        .merge(own)
        .merge(terminal)
        .layer(from_fn(proxy::paths_only));
    let ours_only = from_fn_with_state(Hosts::new(&config.allowed_hosts), hosts::ours_only);
    let served = Server::new(Role::Web, &metrics, &readiness)
        .api(own.merge(short), description::openapi())
        .streaming(lasting)
        .gate(move |routes| routes.layer(ours_only))
        .limits(Limits {
            timeout: config.answer_timeout.saturating_add(MARGIN),
            ..Limits::default()
        })
        .serve(listener, shutdown.clone())
        .await;
    shutdown.trigger();
    let ended = tasks.join(shutdown.remaining()).await;
    served?;
    ended
}

/// The page is of use without any role behind it: it says what is missing. So none is required.
fn observe(readiness: &Readiness, tasks: &Tasks, proxy: &Arc<Proxy>) {
    for upstream in Upstream::ALL {
        let proxy = Arc::clone(proxy);
        readiness.probe_observed(tasks, upstream.role().name(), PROBE_INTERVAL, move || {
            let proxy = Arc::clone(&proxy);
            async move { proxy.ready(upstream).await }
        });
    }
}
