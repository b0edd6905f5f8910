//! Limits of a role's own routes. The built-in paths have none, so that monitoring sees a role that is busy.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use odd_contracts::ProblemCode;
use tokio::sync::Semaphore;

use super::Limits;
use crate::problem::ApiError;
use crate::shutdown::Shutdown;

/// Limits of ordinary routes.
#[derive(Clone)]
pub(super) struct Guard {
    places: Arc<Semaphore>,
    timeout: Duration,
}

impl Guard {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            places: places(limits.concurrency),
            timeout: limits.timeout,
        }
    }
}

/// Refuses what is too much at once and ends what takes too long.
pub(super) async fn api(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Ok(_place) = guard.places.try_acquire() else {
        return overloaded("too many requests are in hand");
    };
    match tokio::time::timeout(guard.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => timed_out(guard.timeout),
    }
}

/// Limits of routes whose answers last.
#[derive(Clone)]
pub(super) struct Streams {
    places: Arc<Semaphore>,
    shutdown: Shutdown,
}

impl Streams {
    pub(super) fn new(limits: &Limits, shutdown: Shutdown) -> Self {
        Self {
            places: places(limits.streams),
            shutdown,
        }
    }
}

/// Refuses what is too much at once; keeps the place until the answer ends, and ends live streams on shutdown.
pub(super) async fn streaming(State(streams): State<Streams>, request: Request, next: Next) -> Response {
    let Ok(place) = Arc::clone(&streams.places).try_acquire_owned() else {
        return overloaded("too many streams are open");
    };
    let (parts, body) = next.run(request).await.into_parts();
    let live = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    let chunks = body.into_data_stream().map(move |chunk| {
        let _held = &place;
        chunk
    });
    let body = if live {
        Body::from_stream(chunks.take_until(streams.shutdown.signalled_owned()))
    } else {
        Body::from_stream(chunks)
    };
    Response::from_parts(parts, body)
}

fn places(wanted: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(wanted.min(Semaphore::MAX_PERMITS)))
}

fn overloaded(detail: &str) -> Response {
    ApiError::new(ProblemCode::Overloaded, detail).into_response()
}

fn timed_out(limit: Duration) -> Response {
    let detail = format!("the request was not finished after {} s", limit.as_secs_f64());
    let mut response = ApiError::new(ProblemCode::RequestTimeout, detail).into_response();
    // Half of its body may still be under way (RFC 9110, 15.5.9).
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
