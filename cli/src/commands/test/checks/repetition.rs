//! The same job again: repeated ids, batches, retries.

use odd_contracts::api::RetryRequest;
use odd_contracts::{JobId, JobStatus, ProblemCode};
use serde_json::json;
use uuid::Uuid;

use super::super::gate::{Gate, ensure, same, text};
use super::super::history::ends;
use super::super::run::Outcome;
use super::jobs::AT_ONCE;
use super::{JOB_TYPE, plain};

/// Lines of the batch. So many that the failures that the gate causes stay below the 5 % at which
/// `JobFailureRateHigh` fires: a gate that passes must not ring.
const LINES: usize = 100;
/// The bad one.
const BAD: usize = 37;

pub(super) async fn duplicate(gate: Gate) -> Outcome {
    let mut job = plain();
    job["id"] = json!(Uuid::new_v4());
    let first = gate.submit(&job).await?;
    ensure(!first.duplicate, || {
        "the first submission counts as a repetition".to_owned()
    })?;
    let again = gate.submit(&job).await?;
    ensure(again.duplicate, || {
        "the second submission does not count as a repetition".to_owned()
    })?;
    same("event", again.event_id, first.event_id)?;
    same("correlation id", &again.correlation_id, &first.correlation_id)?;
    let (job, _) = ends(&gate, first.job_id, JobStatus::Completed, &AT_ONCE).await?;
    same("executions", job.record.takes, 1)?;
    let found = gate.listed(&first.job_id.to_string()).await?;
    same("jobs under this id", found.len(), 1)?;
    Ok("executed once".to_owned())
}

pub(super) async fn conflict(gate: Gate) -> Outcome {
    let mut job = plain();
    job["id"] = json!(Uuid::new_v4());
    let accepted = gate.submit(&job).await?;
    job["payload"] = json!({ "other": true });
    let Err(refused) = gate.gateway().submit_value(&job).await else {
        return Err("another payload was accepted under the same id".to_owned());
    };
    let Some(problem) = refused.problem() else {
        return Err(text(refused));
    };
    same("code", problem.code, ProblemCode::IdConflict)?;
    same("status", problem.status, 409)?;
    same("job of the problem", problem.job_id, Some(accepted.job_id))?;
    let (job, _) = ends(&gate, accepted.job_id, JobStatus::Completed, &AT_ONCE).await?;
    ensure(job.record.job.payload.is_empty(), || {
        "the second payload replaced the first".to_owned()
    })?;
    Ok("409, and the first payload stays".to_owned())
}

pub(super) async fn batch(gate: Gate) -> Outcome {
    let ids: Vec<JobId> = (0..LINES).map(|_| Uuid::new_v4()).collect();
    let line = |(index, id): (usize, &JobId)| match index {
        BAD => json!({ "id": id, "type": "" }).to_string(),
        _ => json!({ "id": id, "type": JOB_TYPE }).to_string(),
    };
    let body = ids.iter().enumerate().map(line).collect::<Vec<_>>().join("\n");
    let body = bytes::Bytes::from(body);
    let answer = gate
        .patiently(|| gate.gateway().submit_batch(body.clone()))
        .await?;
    let accepted = answer.results.iter().filter(|result| result.problem.is_none());
    gate.note(accepted.filter_map(|result| result.job_id))?;
    same(
        "accepted and rejected",
        (answer.accepted, answer.rejected),
        (LINES - 1, 1),
    )?;
    for (index, (result, id)) in answer.results.iter().zip(&ids).enumerate() {
        same("place of a result", result.index, index)?;
        same("id of a result", result.job_id, Some(*id))?;
        let status = if index == BAD { 400 } else { 202 };
        same(&format!("status of line {index}"), result.status, status)?;
    }
    let good: Vec<JobId> = ids.iter().copied().filter(|id| *id != ids[BAD]).collect();
    gate.completed(&good).await?;
    let bad = gate.read_model().job(ids[BAD]).await;
    ensure(bad.is_err_and(|error| error.is_not_found()), || {
        "the bad line became a job".to_owned()
    })?;
    Ok(format!("{} of {LINES} lines completed", good.len()))
}

pub(super) async fn retry(gate: Gate) -> Outcome {
    let mut job = plain();
    job["payload"] = json!({ "kept": [1, 2, 3] });
    job["options"] = json!({ "delayMs": 1 });
    let old = gate.submit(&job).await?;
    let ended = gate.reaches(old.job_id, JobStatus::Completed).await?;
    let request = RetryRequest {
        id: Some(Uuid::new_v4()),
    };
    let new = gate
        .patiently(|| gate.gateway().retry(old.job_id, &request))
        .await?;
    gate.note([new.job_id])?;
    same("id of the new job", Some(new.job_id), request.id)?;
    let (again, _) = ends(&gate, new.job_id, JobStatus::Completed, &AT_ONCE).await?;
    same("link to the old job", again.record.job.retry_of, Some(old.job_id))?;
    same("payload", &again.record.job.payload, &ended.record.job.payload)?;
    Ok("retryOf, payload and type are those of the old job".to_owned())
}
