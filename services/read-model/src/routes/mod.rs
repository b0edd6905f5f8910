//! The HTTP interface.

mod alerts;
mod dead_letters;
mod events;
mod export;
mod jobs;
mod stream;
mod system;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::routing::{get, post};
use odd_contracts::{Problem, Timestamp};
use odd_runtime::http::body_limit;
use odd_runtime::{ApiError, QueryParams, Readiness};
use prometheus::IntGauge;
use utoipa::OpenApi as _;

use crate::alerts::Alerts;
use crate::board::Board;
use crate::live::Live;
use crate::params::Params;
use crate::{Config, Ports};
pub(crate) use alerts::Places;
use alerts::WebhookToken;

/// What every handler works with.
#[derive(Debug)]
pub(crate) struct App {
    /// Settings.
    pub(crate) config: Config,
    /// Stores and spine.
    pub(crate) ports: Ports,
    /// Live feed and its statistics.
    pub(crate) live: Arc<Live>,
    /// What is known of alerts.
    pub(crate) alerts: Arc<Alerts>,
    /// Places for notifications that are read at the same time.
    pub(crate) notifications: Places,
    /// State of the whole system.
    pub(crate) board: Board,
    /// Readiness of this role.
    pub(crate) readiness: Readiness,
    /// Streams that are open.
    pub(crate) streams: IntGauge,
    /// When the role started.
    pub(crate) started_at: Timestamp,
}

/// Handle of [`App`], as handlers get it.
type AppState = axum::extract::State<Arc<App>>;

/// Routes with a time limit.
pub(crate) fn api(app: &Arc<App>) -> Router {
    let webhook = Router::new()
        .route("/alerts/webhook", post(alerts::webhook))
        .layer(body_limit(alerts::MAX_NOTIFICATION));
    Router::new()
        .route("/health", get(system::health))
        .route("/stats", get(system::stats))
        .route("/overview", get(system::overview))
        .route("/alerts", get(alerts::list))
        .route("/alerts/history", get(alerts::history))
        .route("/jobs", get(jobs::list))
        .route("/jobs/recent", get(jobs::recent))
        .route("/jobs/lookup", post(jobs::lookup))
        .route("/jobs/{id}", get(jobs::detail))
        .route("/jobs/{id}/timeline", get(jobs::timeline))
        .route("/events", get(events::list))
        .route("/dead-letters", get(dead_letters::list))
        .route("/dead-letters/{id}", get(dead_letters::one))
        .merge(webhook)
        .with_state(Arc::clone(app))
}

/// Routes whose answers last.
pub(crate) fn streaming(app: &Arc<App>) -> Router {
    Router::new()
        .route("/stream", get(stream::stream))
        .route("/export/jobs", get(export::jobs))
        .route("/export/events", get(export::events))
        .with_state(Arc::clone(app))
}

#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        system::health,
        system::stats,
        system::overview,
        alerts::list,
        alerts::history,
        alerts::webhook,
        jobs::list,
        jobs::recent,
        jobs::lookup,
        jobs::detail,
        jobs::timeline,
        events::list,
        dead_letters::list,
        dead_letters::one,
        stream::stream,
        export::jobs,
        export::events,
    ),
    components(schemas(Problem)),
    modifiers(&WebhookToken),
    tags(
        (name = "jobs", description = "Jobs, their attempts and their timelines"),
        (name = "events", description = "The event log and the live stream"),
        (name = "system", description = "Health, statistics and alerts"),
        (name = "reconciliation", description = "What odd verify compares"),
    )
)]
struct Description;

/// Description of the interface.
pub(crate) fn description() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// Query parameters, read strictly: what is left over in the end is an error.
pub(crate) struct Query(pub(crate) Params);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let QueryParams(pairs) = QueryParams::from_request_parts(parts, state).await?;
        Ok(Self(Params::new(pairs)))
    }
}
