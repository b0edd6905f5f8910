//! The HTTP interface.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use odd_contracts::{JobAccepted, Problem};
use odd_runtime::http::body_limit;
use odd_spine::Spine;
use utoipa::openapi::OpenApi;

use crate::accept::Acceptor;
use crate::batch::BatchProblem;
use crate::metrics::GatewayMetrics;
use crate::read_model::ReadModel;

mod batch;
mod cancel;
mod proxy;
mod requeue;
mod retry;
mod submit;

pub(crate) use proxy::Upstreams;

/// What the handlers share.
pub(crate) struct Gateway {
    pub(crate) acceptor: Acceptor,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) read_model: ReadModel,
    pub(crate) spine: Arc<dyn Spine>,
    /// Alertmanager and Prometheus.
    pub(crate) upstreams: Upstreams,
    /// Longest wait for the spine, where no message is published.
    pub(crate) spine_timeout: std::time::Duration,
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(description = "Accepts jobs and publishes them to the event spine. A 202 says that the job will end, \
        whatever single part of the system fails meanwhile; where it stands is for the read-model to say."),
    paths(
        submit::submit,
        batch::submit_batch,
        cancel::cancel,
        retry::retry,
        requeue::requeue,
        proxy::alerts,
        proxy::targets,
    ),
    components(schemas(Problem, JobAccepted, BatchProblem)),
    tags(
        (name = "jobs", description = "Submitting, cancelling and repeating jobs"),
        (name = "dead letters", description = "Messages that were put aside"),
        (name = "monitoring", description = "What Alertmanager and Prometheus say"),
    ),
)]
struct Api;

/// Description of the interface.
pub(crate) fn openapi() -> OpenApi {
    <Api as utoipa::OpenApi>::openapi()
}

/// The routes.
pub(crate) fn routes(gateway: Arc<Gateway>) -> Router {
    let batch = Router::new()
        .route("/jobs/batch", post(batch::submit_batch))
        .layer(body_limit(batch::MAX_BATCH_BODY));
    Router::new()
        .route("/jobs", post(submit::submit))
        .route("/jobs/{id}/cancel", post(cancel::cancel))
        .route("/jobs/{id}/retry", post(retry::retry))
        .route("/dead-letters/{id}/requeue", post(requeue::requeue))
        .route("/proxy/alerts", get(proxy::alerts))
        .route("/proxy/targets", get(proxy::targets))
        .merge(batch)
        .with_state(gateway)
}
