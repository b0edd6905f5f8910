//! `POST /jobs/{id}/retry`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use odd_contracts::api::RetryRequest;
use odd_contracts::{FieldError, Job, JobAccepted, Problem, ProblemCode, Schema, Timestamp};
use odd_runtime::extract::{parse_json, require_json};
use odd_runtime::{ApiError, PathParam, RawBody};
use uuid::Uuid;

use super::Gateway;
use crate::submission::{self, Submission};
use crate::trace::Trace;

/// Submits a job like one that has ended, under a new id.
///
/// The new job has the type, payload, metadata and options of the old one but for its delay, runs at once, and names
/// the old one as `retryOf`. The body is optional; give an `id` to be able to repeat the request without making two jobs.
#[utoipa::path(
    post,
    path = "/jobs/{id}/retry",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job to repeat")),
    request_body(content = Option<RetryRequest>, content_type = "application/json",
        example = json!({"id": "0198f3a2-5c1e-7d3a-9a54-3f0d6c1b2e78"})),
    responses(
        (status = 202, description = "Accepted: the new job will end", body = JobAccepted,
            headers(("Location" = String, description = "Path of the new job in the read-model"))),
        (status = 400, description = "An id is no UUID, or the new id is the old one", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The job has not ended (state_conflict), or the new id belongs to another job \
            (id_conflict)", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not application/json", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many submissions wait for the spine; see Retry-After", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The read-model (store_unavailable) or the spine (spine_unavailable) does not \
            answer; see Retry-After", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn retry(
    State(gateway): State<Arc<Gateway>>,
    PathParam(id): PathParam<Uuid>,
    headers: HeaderMap,
    trace: Trace,
    RawBody(body): RawBody,
) -> Result<Response, ApiError> {
    let new_id = new_id(&headers, &body, id)?;
    let submission = gateway.repetition(id, new_id, &trace).await;
    gateway.answer(submission, &trace).await
}

impl Gateway {
    async fn repetition(&self, old: Uuid, new: Option<Uuid>, trace: &Trace) -> Result<Submission, ApiError> {
        let job = self.read_model.job(old, trace.correlation_id.as_str()).await?;
        self.metrics.submitted(Some(job.job_type.as_str()));
        if !job.status.is_terminal() {
            let detail = format!(
                "{old} is {} and has not ended; cancel it first, or wait",
                job.status
            );
            return Err(state_conflict(old, detail));
        }
        let submission = submission::retry(job, new, Timestamp::now());
        if !keeps_contract(&submission.job) {
            let detail =
                format!("{old} never was a valid job, and would be none again; submit a corrected one");
            return Err(state_conflict(old, detail));
        }
        Ok(submission)
    }
}

/// A job that came to the spine by another way than the gateway may have ended because it is none.
fn keeps_contract(job: &Job) -> bool {
    serde_json::to_value(job).is_ok_and(|document| Schema::Job.is_valid(&document))
}

fn state_conflict(id: Uuid, detail: String) -> ApiError {
    Problem::new(ProblemCode::StateConflict, detail)
        .with_job_id(id)
        .into()
}

/// Id that the body asks for. A request without a body, or with an empty one, needs no content type.
fn new_id(headers: &HeaderMap, body: &[u8], old: Uuid) -> Result<Option<Uuid>, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    require_json(headers)?;
    let request: RetryRequest = parse_json(body)?;
    if request.id == Some(old) {
        let message = "must not be the id of the job to repeat".to_owned();
        return Err(ApiError::invalid(vec![FieldError {
            path: "/id".to_owned(),
            message,
        }]));
    }
    Ok(request.id)
}
