//! Jobs: lists, one job, its timeline, and the status of many.

use axum::Json;
use axum::extract::State;
use odd_contracts::api::{JobDetail, JobPage, JobState, JobSummary, LookupRequest, LookupResponse, Timeline};
use odd_contracts::{EventEnvelope, EventType, Job, JobId, JobRecord, JobStatus, Problem, Timestamp};
use odd_runtime::{ApiError, JsonBody, PathParam};
use odd_store::{JobCursor, JobFilter, StoredJob};
use serde_json::Value;
use std::collections::HashSet;
use uuid::Uuid;

use super::{App, AppState, Query};
use crate::cursor;
use crate::failure::Answer;
use crate::timeline;

/// Most ids of one lookup.
const MAX_LOOKUP: usize = 1_000;

/// Jobs, newest first.
#[utoipa::path(get, path = "/jobs", tag = "jobs",
    params(
        ("status" = Option<Vec<JobStatus>>, Query, description = "Only these statuses; repeated, or separated by commas"),
        ("type" = Option<String>, Query, description = "Only this type"),
        ("since" = Option<Timestamp>, Query, description = "Only jobs created at or after this instant"),
        ("until" = Option<Timestamp>, Query, description = "Only jobs created before this instant"),
        ("id" = Option<String>, Query, description = "Only jobs whose id contains this text"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Most jobs of the page: 1 to 500, 50 by default"),
    ),
    responses(
        (status = 200, body = JobPage),
        (status = 400, body = Problem, description = "A parameter is invalid", content_type = "application/problem+json"),
        (status = 503, body = Problem, description = "The job store does not answer", content_type = "application/problem+json"),
    ))]
pub(super) async fn list(State(app): AppState, Query(mut params): Query) -> Answer<Json<JobPage>> {
    let filter = params.take_job_filter()?;
    let after = params.take_job_cursor()?;
    let limit = params.take_limit()?;
    params.finish()?;
    // One more than asked for tells whether there is another page.
    let mut jobs = app.ports.job_store.list(&filter, after, limit + 1).await?;
    let more = jobs.len() > limit;
    jobs.truncate(limit);
    let next_cursor = jobs.last().filter(|_| more).map(cursor_behind);
    Ok(Json(JobPage { jobs, next_cursor }))
}

fn cursor_behind(job: &JobSummary) -> String {
    cursor::of_job(JobCursor {
        created_at: job.created_at,
        id: job.id,
    })
}

/// The newest jobs.
#[utoipa::path(get, path = "/jobs/recent", tag = "jobs",
    params(("limit" = Option<u32>, Query, description = "How many: 1 to 500, 50 by default")),
    responses(
        (status = 200, body = JobPage),
        (status = 400, body = Problem, description = "A parameter is invalid", content_type = "application/problem+json"),
        (status = 503, body = Problem, description = "The job store does not answer", content_type = "application/problem+json"),
    ))]
pub(super) async fn recent(State(app): AppState, Query(mut params): Query) -> Answer<Json<JobPage>> {
    let limit = params.take_limit()?;
    params.finish()?;
    let jobs = app
        .ports
        .job_store
        .list(&JobFilter::default(), None, limit)
        .await?;
    Ok(Json(JobPage {
        jobs,
        next_cursor: None,
    }))
}

/// One job with its attempts. One that only the event log knows yet is PENDING.
#[utoipa::path(get, path = "/jobs/{id}", tag = "jobs",
    params(("id" = Uuid, Path, description = "Identity of the job")),
    responses(
        (status = 200, body = JobDetail),
        (status = 404, body = Problem, description = "The job is not known (yet)", content_type = "application/problem+json"),
        (status = 503, body = Problem, description = "A store does not answer", content_type = "application/problem+json"),
    ))]
pub(super) async fn detail(State(app): AppState, PathParam(id): PathParam<Uuid>) -> Answer<Json<JobDetail>> {
    let (job, _) = find(&app, id).await?;
    Ok(Json(JobDetail {
        record: job.record,
        attempts: job.attempts,
    }))
}

/// The whole way of one job: what its time went into, and its events.
#[utoipa::path(get, path = "/jobs/{id}/timeline", tag = "jobs",
    params(("id" = Uuid, Path, description = "Identity of the job")),
    responses(
        (status = 200, body = Timeline),
        (status = 404, body = Problem, description = "The job is not known (yet)", content_type = "application/problem+json"),
        (status = 503, body = Problem, description = "A store does not answer", content_type = "application/problem+json"),
    ))]
pub(super) async fn timeline(State(app): AppState, PathParam(id): PathParam<Uuid>) -> Answer<Json<Timeline>> {
    let (job, history) = find(&app, id).await?;
    let history = match history {
        Some(history) => history,
        None => app.ports.event_log.history(id).await?,
    };
    Ok(Json(timeline::timeline(
        &job.record,
        &job.attempts,
        history,
        Timestamp::now(),
    )))
}

/// The job as the job store has it, else as its `job.created` says; with its history where that was read.
async fn find(app: &App, id: JobId) -> Answer<(StoredJob, Option<Vec<EventEnvelope>>)> {
    if let Some(job) = app.ports.job_store.get(id).await? {
        return Ok((job, None));
    }
    let history = app.ports.event_log.history(id).await?;
    let created = history
        .iter()
        .find(|event| event.event_type == EventType::Created);
    let Some(job) = created.and_then(pending) else {
        return Err(ApiError::not_found(format!("no job {id} is known (yet)")).into());
    };
    Ok((job, Some(history)))
}

/// A job that no processor has taken yet. None where the event carries no job.
fn pending(created: &EventEnvelope) -> Option<StoredJob> {
    let mut job: Job = serde_json::from_value(Value::Object(created.payload.clone())).ok()?;
    job.status = JobStatus::Pending;
    let scheduled_for = job.options.first_run(created.occurred_at);
    let record = JobRecord {
        job,
        correlation_id: created.correlation_id.clone(),
        traceparent: created.traceparent.clone(),
        submitted_at: created.occurred_at,
        submitted_by: created.producer.clone(),
        // Nobody has taken it; its publication is the last thing known.
        taken_at: created.occurred_at,
        taken_by: created.producer.clone(),
        valid: true,
        attempt: 0,
        takes: 0,
        scheduled_for,
        finished_at: None,
        result: None,
        error: None,
        cancel_requested: false,
    };
    Some(StoredJob {
        record,
        attempts: Vec::new(),
        due_at: None,
    })
}

/// Status of those of up to 1,000 jobs that are known, in the order of the request.
#[utoipa::path(post, path = "/jobs/lookup", tag = "jobs", request_body = LookupRequest,
    responses(
        (status = 200, body = LookupResponse),
        (status = 400, body = Problem, description = "More than 1,000 ids, or no list of ids", content_type = "application/problem+json"),
        (status = 503, body = Problem, description = "A store does not answer", content_type = "application/problem+json"),
    ))]
pub(super) async fn lookup(
    State(app): AppState,
    JsonBody(request): JsonBody<LookupRequest>,
) -> Answer<Json<LookupResponse>> {
    if request.ids.len() > MAX_LOOKUP {
        let detail = format!(
            "\"ids\" has {} entries; at most {MAX_LOOKUP} are answered",
            request.ids.len()
        );
        return Err(ApiError::parameter(detail).into());
    }
    let mut asked = HashSet::new();
    let ids: Vec<JobId> = request.ids.into_iter().filter(|id| asked.insert(*id)).collect();
    let mut known: std::collections::HashMap<JobId, JobState> = app
        .ports
        .job_store
        .lookup(&ids)
        .await?
        .into_iter()
        .map(|job| (job.id, job))
        .collect();
    let missing: Vec<JobId> = ids.iter().copied().filter(|id| !known.contains_key(id)).collect();
    if !missing.is_empty() {
        let created = app.ports.event_log.created(&missing).await?;
        known.extend(created.iter().filter_map(pending_state).map(|job| (job.id, job)));
    }
    Ok(Json(LookupResponse {
        jobs: ids.iter().filter_map(|id| known.remove(id)).collect(),
    }))
}

/// A job that only the event log knows.
fn pending_state(created: &EventEnvelope) -> Option<JobState> {
    Some(JobState {
        id: created.job_id()?,
        job_type: created.job_type().unwrap_or_default().to_owned(),
        status: JobStatus::Pending,
        error: None,
    })
}
