//! Everything, for reconciliation: one JSON document a line, in order of job id, page by page from the store.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use odd_contracts::api::{ExportedHistory, ExportedJob};
use odd_contracts::names::spine::NDJSON;
use odd_contracts::{JobId, Problem};
use odd_store::StoreError;
use serde::Serialize;

use super::{AppState, Query};
use crate::failure::Answer;

/// Jobs of one page of the store.
const PAGE: usize = 1_000;
/// How often a page is read before the answer breaks off, and the pause between two tries: a store that is late once shall not
/// cost the reader what it has already.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// State of every job, ordered by job id. An answer that breaks off before its end is not complete.
#[utoipa::path(get, path = "/export/jobs", tag = "reconciliation", responses(
    (status = 200, body = ExportedJob, description = "One document a line", content_type = "application/x-ndjson"),
    (status = 503, body = Problem, description = "The job store does not answer", content_type = "application/problem+json"),
))]
pub(super) async fn jobs(State(app): AppState, Query(params): Query) -> Answer<Response> {
    params.finish()?;
    let store = Arc::clone(&app.ports.job_store);
    export(move |after| {
        let store = Arc::clone(&store);
        async move {
            let page = store.export(after, PAGE).await?;
            Ok((page.last().map(|job| job.id), page.len(), lines(&page)?))
        }
    })
    .await
}

/// History of every job in the event log, ordered by job id. An answer that breaks off before its end is not complete.
#[utoipa::path(get, path = "/export/events", tag = "reconciliation", responses(
    (status = 200, body = ExportedHistory, description = "One document a line", content_type = "application/x-ndjson"),
    (status = 503, body = Problem, description = "The event log does not answer", content_type = "application/problem+json"),
))]
pub(super) async fn events(State(app): AppState, Query(params): Query) -> Answer<Response> {
    params.finish()?;
    let log = Arc::clone(&app.ports.event_log);
    export(move |after| {
        let log = Arc::clone(&log);
        async move {
            let page = log.export(after, PAGE).await?;
            Ok((page.last().map(|history| history.id), page.len(), lines(&page)?))
        }
    })
    .await
}

/// A page: its last id, its length, and its lines.
type Page = (Option<JobId>, usize, Bytes);

/// Reads the first page before it answers, so that a store that is away is a proper error. An error
/// later breaks the answer off.
async fn export<F, Fut>(page: F) -> Answer<Response>
where
    F: Fn(Option<JobId>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Page, StoreError>> + Send + 'static,
{
    let (last, length, first) = page(None).await?;
    let next = last.filter(|_| length == PAGE);
    let rest = stream::try_unfold((page, next), |(page, after)| async move {
        let Some(after) = after else { return Ok(None) };
        let (last, length, lines) = repeatedly(|| page(Some(after))).await?;
        let next = last.filter(|_| length == PAGE);
        Ok::<_, StoreError>(Some((lines, (page, next))))
    });
    let rest = rest.inspect_err(|error| tracing::warn!(%error, "an export broke off"));
    let body = Body::from_stream(stream::iter([Ok(first)]).chain(rest));
    Ok(([(CONTENT_TYPE, NDJSON)], body).into_response())
}

/// Reads a page again where the store does not answer.
async fn repeatedly<Fut>(page: impl Fn() -> Fut) -> Result<Page, StoreError>
where
    Fut: Future<Output = Result<Page, StoreError>>,
{
    for _ in 1..TRIES {
        match page().await {
            Err(error) if error.is_transient() => tracing::debug!(%error, "a page is read again"),
            answer => return answer,
        }
        tokio::time::sleep(PAUSE).await;
    }
    page().await
}

fn lines<T: Serialize>(page: &[T]) -> Result<Bytes, StoreError> {
    let mut lines = Vec::with_capacity(page.len() * 192);
    for document in page {
        serde_json::to_writer(&mut lines, document)
            .map_err(|error| StoreError::Damaged(error.to_string()))?;
        lines.push(b'\n');
    }
    Ok(lines.into())
}
