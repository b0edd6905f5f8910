//! `POST /jobs/{id}/cancel`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use odd_contracts::api::CancelAccepted;
use odd_contracts::control::ControlMessage;
use odd_contracts::{Problem, Timestamp};
use odd_runtime::{ApiError, CorrelationId, PathParam};
use odd_spine::codec;
use uuid::Uuid;

use super::Gateway;
use crate::accept::spine_problem;

/// Asks for the end of a job.
///
/// The request is on its way to the processor, which decides: a job that has ended, or that nobody knows, stays as it
/// is. Asking again is harmless.
#[utoipa::path(
    post,
    path = "/jobs/{id}/cancel",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    responses(
        (status = 202, description = "On its way", body = CancelAccepted, example = json!({
            "jobId": "0198f3a2-5c1e-7d3a-9a54-3f0d6c1b2e77",
            "correlationId": "2f1c8e3e-7a55-4c52-a1de-0d7e1b5ac0de"
        })),
        (status = 400, description = "The id is no UUID", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests wait for the spine; see Retry-After", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The spine does not confirm; see Retry-After", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn cancel(
    State(gateway): State<Arc<Gateway>>,
    PathParam(id): PathParam<Uuid>,
    correlation_id: CorrelationId,
) -> Result<(StatusCode, Json<CancelAccepted>), ApiError> {
    let correlation_id = correlation_id.as_str().to_owned();
    let request = ControlMessage::Cancel {
        id,
        correlation_id: correlation_id.clone(),
        requested_at: Timestamp::now(),
    };
    let confirmed = gateway
        .acceptor
        .publisher
        .publish_one(codec::control_message(&request))
        .await;
    confirmed.map_err(|refusal| spine_problem(&refusal, "ask again").with_job_id(id))?;
    let accepted = CancelAccepted {
        job_id: id,
        correlation_id,
    };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}
