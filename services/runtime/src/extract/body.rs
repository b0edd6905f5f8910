//! Reading a body within its limit.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use odd_contracts::ProblemCode;

use crate::problem::ApiError;

/// Most bytes of a body where neither server nor route says otherwise.
pub(crate) const DEFAULT_BODY_LIMIT: usize = 1 << 20;

/// Of a body that is too large, so much more is read and thrown away.
const DRAIN_BYTES: usize = 16 << 20;

/// And for so long.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Most bytes of a request's body; an extension of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimit(pub(crate) usize);

/// The bytes of the body; larger than its limit it is `payload_too_large`.
#[derive(Clone, Debug)]
pub struct RawBody(pub Bytes);

impl<S: Sync> FromRequest<S> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let limit = request
            .extensions()
            .get::<BodyLimit>()
            .map_or(DEFAULT_BODY_LIMIT, |limit| limit.0);
        let (parts, body) = request.into_parts();
        read(&parts.headers, body, limit).await.map(Self)
    }
}

async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let mut stream = body.into_data_stream();
    if announced(headers).is_some_and(|length| length > limit as u64) {
        // Who asks first (RFC 9110, 10.1.1) has sent nothing yet.
        if !headers.contains_key(EXPECT) {
            drain(stream).await;
        }
        return Err(too_large(limit));
    }
    let Some(first) = stream.next().await else {
        return Ok(Bytes::new());
    };
    let first = first.map_err(|error| broken(&error))?;
    let mut rest: Option<BytesMut> = None;
    let mut length = first.len();
    while length <= limit {
        let Some(chunk) = stream.next().await else {
            // Most bodies come in one piece and need no copy.
            return Ok(rest.map_or(first, BytesMut::freeze));
        };
        let chunk = chunk.map_err(|error| broken(&error))?;
        length += chunk.len();
        rest.get_or_insert_with(|| BytesMut::from(&first[..]))
            .extend_from_slice(&chunk);
    }
    drain(stream).await;
    Err(too_large(limit))
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the rest of a body that nobody wants, within reason, and throws it away.
///
/// A client that is still sending when the connection closes may lose the answer with it (RFC 9112, 9.6), so
/// the rest is taken off it, within reason.
pub async fn drain(mut stream: BodyDataStream) {
    let draining = async {
        let mut drained = 0;
        while let Some(Ok(chunk)) = stream.next().await {
            drained += chunk.len();
            if drained > DRAIN_BYTES {
                break;
            }
        }
    };
    // Whether all of it came makes no difference to the answer.
    let _ = tokio::time::timeout(DRAIN_TIME, draining).await;
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        ProblemCode::PayloadTooLarge,
        format!("the body may have at most {limit} bytes"),
    )
}

fn broken(error: &axum::Error) -> ApiError {
    ApiError::new(
        ProblemCode::MalformedJson,
        format!("the body ended early: {error}"),
    )
}
