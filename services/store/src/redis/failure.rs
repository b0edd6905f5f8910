//! What Redis fails with, in the words of the port.

use std::time::Duration;

use redis::{ErrorKind, RedisError, Value};

use crate::StoreError;

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("Redis did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("Redis refuses the credentials in its address: check user and password")]
    Credentials(#[source] RedisError),
    #[error("Redis failed")]
    Other(#[source] RedisError),
}

pub(super) fn timed_out(limit: Duration) -> StoreError {
    StoreError::Unavailable(Failure::TimedOut(limit).into())
}

pub(super) fn classify(error: RedisError) -> StoreError {
    let is_login = error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"));
    let failure = if is_login {
        Failure::Credentials(error)
    } else {
        Failure::Other(error)
    };
    StoreError::Unavailable(failure.into())
}

/// What a script answers that cannot count: why.
pub(super) fn must_rebuild(answer: &Value) -> StoreError {
    let why = match answer {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        _ => return unexpected(answer),
    };
    StoreError::Damaged(format!("{why}; the counters must be rebuilt"))
}

pub(super) fn unexpected(answer: &Value) -> StoreError {
    StoreError::Damaged(format!("an answer of the counters' script: {answer:?}"))
}
