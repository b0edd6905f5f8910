//! `POST /dead-letters/{id}/requeue`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use odd_contracts::{Problem, ProblemCode};
use odd_runtime::{ApiError, PathParam};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Gateway;

/// Answer to a dead letter that was put back.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Requeued {
    /// The dead letter.
    id: Uuid,
    /// Always true.
    requeued: bool,
}

/// Puts a dead letter, bytes unchanged, back on the queue it was taken from.
#[utoipa::path(
    post,
    path = "/dead-letters/{id}/requeue",
    tag = "dead letters",
    params(("id" = Uuid, Path, description = "The dead letter")),
    responses(
        (status = 202, description = "On its queue again", body = Requeued,
            example = json!({"id": "7c9e6679-7425-50de-944b-e07fc1f90ae7", "requeued": true})),
        (status = 400, description = "The id is no UUID", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such dead letter, or it was put back before", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The spine does not answer; see Retry-After", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn requeue(
    State(gateway): State<Arc<Gateway>>,
    PathParam(id): PathParam<Uuid>,
) -> Result<(StatusCode, Json<Requeued>), ApiError> {
    let asked = tokio::time::timeout(gateway.spine_timeout, gateway.spine.requeue_dead_letter(id)).await;
    let unavailable = |why: String| ApiError::new(ProblemCode::SpineUnavailable, format!("{why}; ask again"));
    match asked {
        Ok(Ok(true)) => Ok((StatusCode::ACCEPTED, Json(Requeued { id, requeued: true }))),
        Ok(Ok(false)) => Err(ApiError::not_found(format!("there is no dead letter {id}"))),
        Ok(Err(error)) => Err(unavailable(error.to_string())),
        Err(_) => Err(unavailable("the spine did not answer in time".to_owned())),
    }
}
