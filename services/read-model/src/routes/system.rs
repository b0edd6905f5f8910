//! Health, statistics and alerts.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use odd_contracts::api::{Health, Overview, Stats};
use odd_contracts::{JobStatus, Problem, ProblemCode, Timestamp};
use odd_runtime::ApiError;
use std::sync::Arc;

use super::{App, AppState};
use crate::board::Snapshot;
use crate::failure::{Answer, Failure};

/// Version of the shape of [`Overview`].
const OVERVIEW_VERSION: u32 = 1;
/// Most alerts in an [`Overview`].
const OVERVIEW_ALERTS: usize = 100;

/// This role, its stores and the spine.
#[utoipa::path(get, path = "/health", tag = "system", responses(
    (status = 200, body = Health, description = "All of them work"),
    (status = 503, body = Health, description = "Something does not, and why"),
))]
pub(super) async fn health(State(app): AppState) -> Answer<(StatusCode, Json<Health>)> {
    let snapshot = snapshot(&app).await?;
    let (_, mut health) = app.readiness.report();
    for dependency in &snapshot.dependencies {
        let said = dependency.detail.as_deref().unwrap_or("ok");
        health.checks.insert(dependency.name.clone(), said.to_owned());
    }
    let failing: Vec<&str> = health
        .checks
        .iter()
        .filter(|(_, said)| *said != "ok")
        .map(|(name, _)| name.as_str())
        .collect();
    if !failing.is_empty() {
        health.status = format!("not well: {}", failing.join(", "));
    }
    let status = if health.status == "ok" {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok((status, Json(health)))
}

/// Counters, throughput and latency.
#[utoipa::path(get, path = "/stats", tag = "system", responses(
    (status = 200, body = Stats),
    (status = 503, body = Problem, description = "The counters do not answer, or are being rebuilt", content_type = "application/problem+json"),
))]
pub(super) async fn stats(State(app): AppState) -> Answer<Json<Stats>> {
    let counters = app.ports.counters.snapshot().await;
    let counters = counters.map_err(Failure::of_counters)?;
    let figures = app.live.figures(Timestamp::now());
    Ok(Json(Stats {
        completed: counters.in_status(JobStatus::Completed),
        failed: counters.in_status(JobStatus::Failed),
        retrying: counters.in_status(JobStatus::Retrying),
        cancelled: counters.in_status(JobStatus::Cancelled),
        counters,
        throughput: figures.throughput,
        jobs_per_second: figures.jobs_per_second,
        latency_ms: figures.latency,
    }))
}

/// The whole system at a glance, as of the last poll, at most a second or two ago.
#[utoipa::path(get, path = "/overview", tag = "system", responses((status = 200, body = Overview)))]
pub(super) async fn overview(State(app): AppState) -> Answer<Json<Overview>> {
    let snapshot = snapshot(&app).await?;
    let alerts: Vec<_> = snapshot.firing().take(OVERVIEW_ALERTS).cloned().collect();
    Ok(Json(Overview {
        version: OVERVIEW_VERSION,
        instance: app.config.instance.clone(),
        engine: app.config.engine.clone(),
        state: snapshot.state(),
        started_at: app.started_at,
        generated_at: snapshot.at,
        roles: snapshot.roles.clone(),
        dependencies: snapshot.dependencies.clone(),
        queues: snapshot.queues.clone().unwrap_or_default(),
        queues_unknown: snapshot.queues.as_ref().err().cloned(),
        alerts_omitted: snapshot.alerts.firing.saturating_sub(alerts.len()) as u64,
        alerts,
        alert_source: Some(snapshot.alerts.source.clone()),
        event_retention_seconds: snapshot.retention.map(|retention| retention.as_secs()),
    }))
}

pub(super) async fn snapshot(app: &App) -> Result<Arc<Snapshot>, ApiError> {
    let stopping = || ApiError::new(ProblemCode::ShuttingDown, "the read-model is stopping");
    app.board.snapshot().await.ok_or_else(stopping)
}
