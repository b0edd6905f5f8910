//! The one place where what went wrong becomes an answer.

use axum::response::{IntoResponse, Response};
use odd_contracts::ProblemCode;
use odd_runtime::ApiError;
use odd_store::StoreError;

use crate::params::InvalidParameter;

/// Why a request was not met.
#[derive(Debug)]
pub(crate) struct Failure(ApiError);

/// An answer, or why there is none.
pub(crate) type Answer<T> = Result<T, Failure>;

impl Failure {
    /// Why the counters tell nothing. Where they are gone or damaged, the metrics-engine rebuilds them from the event
    /// log: that passes, as a server that is away.
    pub(crate) fn of_counters(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(what) => {
                tracing::debug!(what, "the counters tell nothing");
                Self(ApiError::new(
                    ProblemCode::StoreUnavailable,
                    "the counters have to be rebuilt from the event log; try again later",
                ))
            }
            error => error.into(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<InvalidParameter> for Failure {
    fn from(error: InvalidParameter) -> Self {
        Self(ApiError::parameter(error.to_string()))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(match &error {
            StoreError::Unavailable(source) => {
                // The watch of the system says so once; here it would be said at each request.
                tracing::debug!(%error, %source, "a store does not answer");
                ApiError::new(
                    ProblemCode::StoreUnavailable,
                    "a store that this answer needs does not answer; try again later",
                )
            }
            StoreError::Refused(source) => {
                tracing::error!(%source, "a store refused a query");
                ApiError::internal(&error)
            }
            StoreError::Damaged(_) => ApiError::internal(&error),
        })
    }
}
