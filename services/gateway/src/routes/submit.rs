//! `POST /jobs`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use odd_contracts::{JobAccepted, JobSubmission, Problem, Timestamp};
use odd_runtime::{ApiError, RawJson};

use super::Gateway;
use crate::submission::{self, Submission};
use crate::trace::Trace;

/// Submits a job.
///
/// The id is the idempotency key: submitting again under the same id with the same type and payload makes no second
/// job and is answered with `duplicate: true` where the gateway still knows of it. After a 503 or 429 repeat under
/// the `jobId` of the problem. The header `X-Correlation-Id` is taken over into every event of the job, and so is a
/// well-formed `traceparent`. Payload and metadata may nest 100 levels deep.
#[utoipa::path(
    post,
    path = "/jobs",
    tag = "jobs",
    params(
        ("x-correlation-id" = Option<String>, Header, description = "1 to 128 visible ASCII characters; made where absent"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context"),
    ),
    request_body(content = JobSubmission, content_type = "application/json", examples(
        ("the least" = (value = json!({"type": "hello"}))),
        ("with everything" = (value = json!({
            "id": "0198f3a2-5c1e-7d3a-9a54-3f0d6c1b2e77",
            "type": "hash",
            "payload": {"rounds": 1000, "input": "abc"},
            "metadata": {"team": "blue"},
            "options": {"maxAttempts": 5, "backoffMs": 200, "timeoutMs": 10000, "delayMs": 1500}
        }))),
    )),
    responses(
        (status = 202, description = "Accepted: the job will end", body = JobAccepted,
            headers(("Location" = String, description = "Path of the job in the read-model")),
            example = json!({
                "jobId": "0198f3a2-5c1e-7d3a-9a54-3f0d6c1b2e77",
                "eventId": "5a0f3c66-21f1-5f0c-8d0a-6f0f3f0a7e11",
                "status": "PENDING",
                "correlationId": "2f1c8e3e-7a55-4c52-a1de-0d7e1b5ac0de"
            })),
        (status = 400, description = "No JSON, or a document that breaks the contract",
            body = Problem, content_type = "application/problem+json", example = json!({
                "type": "urn:odd:problem:validation_failed", "title": "The document breaks its contract",
                "status": 400, "code": "validation_failed", "detail": "/options/maxAttempts: must be at most 25",
                "errors": [{"path": "/options/maxAttempts", "message": "must be at most 25"}]
            })),
        (status = 409, description = "The id was submitted before with another type or payload",
            body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 1 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not application/json", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many submissions wait for the spine; see Retry-After",
            body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The spine does not confirm; repeat under the jobId, see Retry-After",
            body = Problem, content_type = "application/problem+json", example = json!({
                "type": "urn:odd:problem:spine_unavailable", "title": "The event spine does not answer",
                "status": 503, "code": "spine_unavailable",
                "detail": "the spine did not confirm in time; repeat the submission under the id in jobId",
                "jobId": "0198f3a2-5c1e-7d3a-9a54-3f0d6c1b2e77"
            })),
    ),
)]
pub(super) async fn submit(
    State(gateway): State<Arc<Gateway>>,
    trace: Trace,
    body: Result<RawJson, ApiError>,
) -> Result<Response, ApiError> {
    let read = match body {
        Ok(RawJson { value, .. }) => {
            gateway.metrics.submitted(submission::named_type(&value));
            submission::read(value, Timestamp::now()).map_err(|invalid| invalid.problem)
        }
        Err(error) => {
            gateway.metrics.submitted(None);
            Err(error)
        }
    };
    gateway.answer(read, &trace).await
}

impl Gateway {
    /// Accepts a submission that could be read, and answers.
    pub(super) async fn answer(
        &self,
        submission: Result<Submission, ApiError>,
        trace: &Trace,
    ) -> Result<Response, ApiError> {
        let answer = match submission {
            Ok(submission) => self.acceptor.accept(submission, trace).await,
            Err(error) => Err(error),
        };
        self.metrics.answered(answer.as_ref().map_err(|error| &*error.0));
        answer.map(accepted)
    }
}

fn accepted(accepted: JobAccepted) -> Response {
    let location = format!("/jobs/{}", accepted.job_id);
    (StatusCode::ACCEPTED, [(LOCATION, location)], Json(accepted)).into_response()
}
