//! Live events as server-sent events (WHATWG HTML, section 9.2).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use odd_contracts::{EventType, Problem};
use prometheus::IntGauge;
use std::convert::Infallible;

use super::{App, AppState, Query};
use crate::failure::Answer;
use crate::live::{Pending, StreamFilter, Subscription};

/// Time after which a silent stream says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// First thing a client sees: the stream is open, and when to come back once it breaks.
const OPENING: Bytes = Bytes::from_static(b": connected\nretry: 1000\n\n");
/// A comment, which clients pass over.
const SIGN_OF_LIFE: Bytes = Bytes::from_static(b": alive\n\n");

/// Live events from now on. Each has its type as the event's name, its id, and the envelope as data.
///
/// A client that is too slow loses events, oldest first, and so do all when the spine was away; they learn of it by an
/// event `odd.dropped` with data such as `{"dropped":12}`, of which there were at least so many. The stream ends when the read-model stops.
#[utoipa::path(get, path = "/stream", tag = "events",
    params(
        ("types" = Option<Vec<EventType>>, Query, description = "Only these types; repeated, or separated by commas"),
        ("jobId" = Option<Uuid>, Query, description = "Only events of this job"),
    ),
    responses(
        (status = 200, body = String, description = "Server-sent events", content_type = "text/event-stream"),
        (status = 400, body = Problem, description = "A parameter is invalid", content_type = "application/problem+json"),
        (status = 429, body = Problem, description = "Too many streams are open", content_type = "application/problem+json"),
    ))]
pub(super) async fn stream(State(app): AppState, Query(mut params): Query) -> Answer<Response> {
    let filter = params.take_stream_filter()?;
    params.finish()?;
    // Subscribed before the answer begins, so that nothing is missed once the client sees it.
    let chunks = chunks(Open::new(&app, filter));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// An open stream, counted as long as it is.
struct Open {
    subscription: Subscription,
    count: IntGauge,
}

impl Open {
    fn new(app: &Arc<App>, filter: StreamFilter) -> Self {
        app.streams.inc();
        Self {
            subscription: app.live.subscribe(filter),
            count: app.streams.clone(),
        }
    }

    async fn next(&self) -> Bytes {
        match tokio::time::timeout(KEEP_ALIVE, self.subscription.next()).await {
            Ok(pending) => write(pending),
            Err(_) => SIGN_OF_LIFE,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.dec();
    }
}

fn chunks(open: Open) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((open, true), |(open, first)| async move {
        let chunk = if first { OPENING } else { open.next().await };
        Some((Ok(chunk), (open, false)))
    })
}

/// All that is pending as one chunk: one write for many events.
fn write(pending: Pending) -> Bytes {
    let size = pending.frames.iter().map(Bytes::len).sum::<usize>() + 64;
    let mut chunk = BytesMut::with_capacity(size);
    if pending.dropped > 0 {
        let notice = format!(
            "event: odd.dropped\ndata: {{\"dropped\":{}}}\n\n",
            pending.dropped
        );
        chunk.extend_from_slice(notice.as_bytes());
    }
    for frame in &pending.frames {
        chunk.extend_from_slice(frame);
    }
    chunk.freeze()
}
