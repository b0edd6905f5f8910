//! The paths that every role has.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use odd_contracts::api::Health;
use odd_contracts::{ProblemCode, Role, VERSION};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use crate::health::Readiness;
use crate::metrics::{self, Metrics};
use crate::problem::ApiError;

#[derive(utoipa::OpenApi)]
#[openapi(paths(healthz, readyz, scrape))]
struct Builtin;

/// A role's description with the built-in paths, its name and its version: what `/openapi.json` answers.
pub fn with_builtin(role: Role, openapi: OpenApi) -> OpenApi {
    let mut openapi = openapi.merge_from(Builtin::openapi());
    openapi.info.title = format!("odd {role}");
    openapi.info.version = VERSION.to_owned();
    if openapi.info.description.as_deref().is_none_or(str::is_empty) {
        openapi.info.description = Some(format!("This role {}.", role.summary()));
    }
    openapi
}

pub(super) fn routes(metrics: &Metrics, readiness: &Readiness) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(readiness.clone())
        .merge(
            Router::new()
                .route("/metrics", get(scrape))
                .with_state(metrics.clone()),
        )
}

/// Whether the process lives; says nothing of its dependencies.
#[utoipa::path(get, path = "/healthz", tag = "role", responses((status = 200, body = Health)))]
async fn healthz(State(readiness): State<Readiness>) -> Json<Health> {
    Json(readiness.liveness())
}

/// Whether the role's required dependencies answered lately. 503 from the moment it is told to stop.
#[utoipa::path(get, path = "/readyz", tag = "role", responses(
    (status = 200, body = Health, description = "Ready"),
    (status = 503, body = Health, description = "Not ready, and why"),
))]
async fn readyz(State(readiness): State<Readiness>) -> (StatusCode, Json<Health>) {
    let (ready, health) = readiness.report();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(health))
}

/// Metrics in Prometheus text format.
#[utoipa::path(get, path = "/metrics", tag = "role", responses((status = 200, body = String, content_type = "text/plain")))]
async fn scrape(State(metrics): State<Metrics>) -> Response {
    match metrics.encode() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

pub(super) async fn not_found(uri: Uri) -> ApiError {
    ApiError::not_found(format!("there is nothing at {}", uri.path()))
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::new(
        ProblemCode::MethodNotAllowed,
        format!("{} does not take {method}", uri.path()),
    )
}
