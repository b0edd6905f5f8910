//! What MongoDB fails with, in the words of the port.

use std::future::Future;
use std::time::Duration;

use mongodb::error::{Error, ErrorKind, WriteFailure};
use tokio::time::timeout;

use crate::StoreError;

/// Server codes: <https://www.mongodb.com/docs/manual/reference/error-codes/>.
pub(super) const DUPLICATE_KEY: i32 = 11_000;
const UNAUTHORIZED: i32 = 13;
const AUTHENTICATION_FAILED: i32 = 18;
const DOCUMENT_VALIDATION_FAILURE: i32 = 121;
const BSON_OBJECT_TOO_LARGE: i32 = 10_334;

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("MongoDB did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error(
        "MongoDB refuses the credentials in its address: check user, password and authSource (usually ?authSource=admin)"
    )]
    Credentials(#[source] Error),
    #[error(
        "the user in the address of MongoDB may not do this: it needs the role readWrite on the database"
    )]
    Rights(#[source] Error),
    #[error("another process has been recording events for long; what comes before them is not settled yet")]
    Blocked,
    #[error("MongoDB failed")]
    Other(#[source] Error),
}

/// A request with a deadline. Dropping it closes its connection, so that a late answer reaches nobody.
pub(super) async fn within<T>(
    limit: Duration,
    request: impl Future<Output = mongodb::error::Result<T>>,
) -> Result<T, StoreError> {
    match timeout(limit, request).await {
        Ok(answer) => answer.map_err(classify),
        Err(_) => Err(timed_out(limit)),
    }
}

pub(super) fn timed_out(limit: Duration) -> StoreError {
    StoreError::Unavailable(Failure::TimedOut(limit).into())
}

/// A reader waited in vain for an append on lower positions.
pub(super) fn blocked() -> StoreError {
    StoreError::Unavailable(Failure::Blocked.into())
}

pub(super) fn classify(error: Error) -> StoreError {
    match code(&error) {
        Some(DOCUMENT_VALIDATION_FAILURE | BSON_OBJECT_TOO_LARGE) => StoreError::Refused(error.into()),
        Some(AUTHENTICATION_FAILED) => StoreError::Unavailable(Failure::Credentials(error).into()),
        Some(UNAUTHORIZED) => StoreError::Unavailable(Failure::Rights(error).into()),
        _ if matches!(*error.kind, ErrorKind::Authentication { .. }) => {
            StoreError::Unavailable(Failure::Credentials(error).into())
        }
        _ => StoreError::Unavailable(Failure::Other(error).into()),
    }
}

/// Whether the server refused a document of an insert for what it is.
pub(super) fn refuses_document(code: i32) -> bool {
    matches!(code, DOCUMENT_VALIDATION_FAILURE | BSON_OBJECT_TOO_LARGE)
}

/// The code of a server's answer.
pub(super) fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        _ => None,
    }
}

/// Whether the server surely did nothing and will do nothing: the request never left, or it was answered.
pub(super) fn is_settled(error: &Error) -> bool {
    !matches!(
        *error.kind,
        ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } | ErrorKind::InvalidResponse { .. }
    )
}
