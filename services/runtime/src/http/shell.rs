//! What surrounds every request: correlation id, span, panics, metrics and log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use odd_contracts::ProblemCode;
use tracing::Instrument;

use super::Limits;
use crate::correlation::{self, CorrelationId};
use crate::error::panic_message;
use crate::extract::BodyLimit;
use crate::metrics::Metrics;
use crate::problem::{self, ApiError};

/// What the shell needs to know.
pub(super) struct Shell {
    metrics: Metrics,
    body: usize,
}

impl Shell {
    pub(super) fn new(metrics: &Metrics, limits: &Limits) -> Self {
        Self {
            metrics: metrics.clone(),
            body: limits.body,
        }
    }
}

/// Runs a request within its shell.
pub(super) async fn around(State(shell): State<Arc<Shell>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let correlation = CorrelationId::of(request.headers());
    let (method, route) = (
        request.method().clone(),
        request.extensions().get::<MatchedPath>().cloned(),
    );
    request.extensions_mut().insert(correlation.clone());
    request.extensions_mut().insert(BodyLimit(shell.body));
    DefaultBodyLimit::max(shell.body).apply(&mut request);

    // Of the highest level, so that no filter takes the id off the lines below it.
    let span = tracing::error_span!("request", correlation_id = correlation.as_str());
    let response = caught(next.run(request)).instrument(span.clone()).await;

    let mut response = problem::complete(response, correlation.as_str());
    response
        .headers_mut()
        .insert(correlation::HEADER, correlation.header_value());
    let route = route.as_ref().map(MatchedPath::as_str);
    let took = started.elapsed();
    shell
        .metrics
        .http()
        .record(&method, route, response.status(), took);
    span.in_scope(|| log(&method, route, response.status(), took.as_secs_f64()));
    response
}

async fn caught(answer: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(answer)
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| {
            tracing::error!(panic = panic_message(&*panic), "a handler panicked");
            ApiError::new(ProblemCode::Internal, "the service failed on this request").into_response()
        })
}

/// A 503 is the expected answer of a role whose dependency is away; it was counted, and its cause is logged
/// by who noticed it.
fn log(method: &Method, route: Option<&str>, status: StatusCode, seconds: f64) {
    let (path, status) = (route.unwrap_or("unmatched"), status.as_u16());
    if status >= 500 && status != 503 {
        tracing::warn!(%method, path, status, seconds, "request failed");
    } else {
        tracing::debug!(%method, path, status, seconds, "request");
    }
}
