//! `POST /jobs/batch`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use odd_contracts::Problem;
use odd_contracts::api::BatchResponse;
use odd_contracts::problem::PROBLEM_JSON;
use odd_runtime::extract::{is_json, media_type, unsupported};
use odd_runtime::{ApiError, RawBody};

use super::Gateway;
use crate::batch::{self, BatchProblem};
use crate::lines::{self, Shape};
use crate::trace::Trace;

/// Most bytes of a batch.
pub(super) const MAX_BATCH_BODY: usize = 8 << 20;

/// Submits up to 1,000 jobs at once.
///
/// One submission a line (`application/x-ndjson`; blank lines do not count) or a JSON array of them. Valid ones are
/// accepted when others are not: the answer is 200 with one result per submission, in order, each with the status that
/// it would have got alone. A repeated id within the batch is answered as a repetition of its first line.
#[utoipa::path(
    post,
    path = "/jobs/batch",
    tag = "jobs",
    request_body(content(
        (String = "application/x-ndjson", example = json!("{\"type\":\"hello\"}\n{\"type\":\"hash\",\"payload\":{\"rounds\":10}}\n")),
        (Vec<odd_contracts::JobSubmission> = "application/json", example = json!([{"type": "hello"}, {"type": ""}])),
    ), description = "1 to 1,000 submissions of at most 1 MiB each, 8 MiB together"),
    responses(
        (status = 200, description = "One result per submission", body = BatchResponse, example = json!({
            "accepted": 1,
            "rejected": 1,
            "results": [
                {"index": 0, "status": 202, "jobId": "0198f3a2-5c1e-7d3a-9a54-3f0d6c1b2e77",
                    "eventId": "5a0f3c66-21f1-5f0c-8d0a-6f0f3f0a7e11"},
                {"index": 1, "status": 400, "problem": {
                    "type": "urn:odd:problem:validation_failed", "title": "The document breaks its contract",
                    "status": 400, "code": "validation_failed", "detail": "/type: must not be empty",
                    "errors": [{"path": "/type", "message": "must not be empty"}]}}
            ]
        })),
        (status = 400, description = "Nothing of the body is a batch", body = BatchProblem,
            content_type = "application/problem+json"),
        (status = 413, description = "More than 1,000 submissions or 8 MiB; none was accepted", body = Problem,
            content_type = "application/problem+json"),
        (status = 415, description = "Neither application/x-ndjson nor application/json", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "Too many submissions wait for the spine; none was accepted", body = BatchProblem,
            content_type = "application/problem+json"),
        (status = 503, description = "The spine took none; repeat each line under the jobId of its result",
            body = BatchProblem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn submit_batch(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    trace: Trace,
    body: Result<RawBody, ApiError>,
) -> Result<Response, ApiError> {
    let shape = shape(&headers)?;
    let RawBody(body) = body?;
    let lines = lines::split(&body, shape)?;
    Ok(
        match batch::accept(&gateway.acceptor, &gateway.metrics, lines, &trace).await {
            Ok(response) => Json(response).into_response(),
            Err(failed) => failure(*failed, &trace),
        },
    )
}

fn shape(headers: &HeaderMap) -> Result<Shape, ApiError> {
    match media_type(headers).as_deref() {
        Some("application/x-ndjson" | "application/ndjson") => Ok(Shape::Ndjson),
        Some(media_type) if is_json(media_type) => Ok(Shape::Array),
        found => Err(unsupported(found, "application/x-ndjson or application/json")),
    }
}

fn failure(mut failed: BatchProblem, trace: &Trace) -> Response {
    failed.problem.correlation_id = Some(trace.correlation_id.as_str().to_owned());
    let status = StatusCode::from_u16(failed.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(&failed)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if failed.problem.code.is_retryable() {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
