//! A job of each outcome, held against the history that it must have.

use std::time::Duration;

use odd_contracts::EventType::{
    Cancelled, Completed, Created, Executed, Failed, Retrying, Scheduled, Validated,
};
use odd_contracts::api::JobDetail;
use odd_contracts::{AttemptOutcome, JobStatus};
use serde_json::json;

use super::super::gate::{Gate, ensure, same};
use super::super::history::{Step, ends};
use super::super::run::Outcome;
use super::{plain, submission};

/// History of a job that completes at its first attempt.
pub(super) const AT_ONCE: [Step; 4] = [(Created, 0), (Validated, 0), (Executed, 1), (Completed, 1)];

fn outcomes(job: &JobDetail) -> Vec<Option<AttemptOutcome>> {
    job.attempts.iter().map(|attempt| attempt.outcome).collect()
}

pub(super) async fn completes(gate: Gate) -> Outcome {
    let accepted = gate.submit(&plain()).await?;
    let (job, timeline) = ends(&gate, accepted.job_id, JobStatus::Completed, &AT_ONCE).await?;
    same("outcomes", outcomes(&job), vec![Some(AttemptOutcome::Succeeded)])?;
    same("first event", timeline.events[0].event_id, accepted.event_id)?;
    Ok(format!("{:.1} ms from submission to end", timeline.total_ms))
}

pub(super) async fn retries(gate: Gate) -> Outcome {
    let backoff = 50;
    let job = submission(
        json!({ "simulate": { "failTimes": 1 } }),
        json!({ "backoffMs": backoff }),
    );
    let accepted = gate.submit(&job).await?;
    let steps = [
        (Created, 0),
        (Validated, 0),
        (Executed, 1),
        (Retrying, 1),
        (Executed, 2),
        (Completed, 2),
    ];
    let (job, _) = ends(&gate, accepted.job_id, JobStatus::Completed, &steps).await?;
    let expected = [AttemptOutcome::Failed, AttemptOutcome::Succeeded].map(Some);
    same("outcomes", outcomes(&job), expected.to_vec())?;
    let [first, second] = job.attempts.as_slice() else {
        return Err("a job with two outcomes has two attempts".to_owned());
    };
    let retry_at = first
        .retry_at
        .ok_or("the first attempt does not tell when the next is due")?;
    ensure(second.started_at >= retry_at, || {
        format!(
            "the second attempt began at {}, before {retry_at}",
            second.started_at
        )
    })?;
    let pause = second
        .started_at
        .since(first.finished_at.unwrap_or(first.started_at));
    Ok(format!("2 attempts, {} ms apart", pause.as_millis()))
}

pub(super) async fn fails(gate: Gate) -> Outcome {
    let error = "upstream 502";
    let job = submission(
        json!({ "simulate": { "error": error } }),
        json!({ "maxAttempts": 2, "backoffMs": 10 }),
    );
    let accepted = gate.submit(&job).await?;
    let steps = [
        (Created, 0),
        (Validated, 0),
        (Executed, 1),
        (Retrying, 1),
        (Executed, 2),
        (Failed, 2),
    ];
    let (job, timeline) = ends(&gate, accepted.job_id, JobStatus::Failed, &steps).await?;
    same("outcomes", outcomes(&job), vec![Some(AttemptOutcome::Failed); 2])?;
    same("error of the job", job.record.error.as_deref(), Some(error))?;
    let told = timeline.events[5]
        .payload
        .get("error")
        .and_then(|error| error.as_str());
    same("error of job.failed", told, Some(error))?;
    Ok(format!("2 attempts, «{error}»"))
}

pub(super) async fn times_out(gate: Gate) -> Outcome {
    let limit = 100;
    let job = submission(
        json!({ "simulate": { "durationMs": 20_000 } }),
        json!({ "maxAttempts": 1, "timeoutMs": limit }),
    );
    let accepted = gate.submit(&job).await?;
    let steps = [(Created, 0), (Validated, 0), (Executed, 1), (Failed, 1)];
    let (job, _) = ends(&gate, accepted.job_id, JobStatus::Failed, &steps).await?;
    same("outcomes", outcomes(&job), vec![Some(AttemptOutcome::TimedOut)])?;
    let attempt = &job.attempts[0];
    let ran = attempt
        .finished_at
        .unwrap_or(attempt.started_at)
        .since(attempt.started_at);
    ensure(ran >= Duration::from_millis(limit), || {
        format!("the attempt was ended after {} ms of {limit} ms", ran.as_millis())
    })?;
    Ok(format!("after {} ms of {limit} ms", ran.as_millis()))
}

pub(super) async fn delayed(gate: Gate) -> Outcome {
    let delay = 400;
    let job = submission(json!({}), json!({ "delayMs": delay }));
    let id = gate.submit(&job).await?.job_id;
    let ended = gate.reaches(id, JobStatus::Completed).await?;
    let due = ended.record.submitted_at.plus(Duration::from_millis(delay));
    // Under load it may be taken only after its time, and then has nothing to wait for.
    let scheduled = ended.record.taken_at < due;
    let all = [
        (Created, 0),
        (Validated, 0),
        (Scheduled, 0),
        (Executed, 1),
        (Completed, 1),
    ];
    let steps = if scheduled { &all[..] } else { &AT_ONCE[..] };
    let (job, _) = ends(&gate, id, JobStatus::Completed, steps).await?;
    same(
        "instant it waits for",
        job.record.scheduled_for,
        scheduled.then_some(due),
    )?;
    let began = job.attempts[0].started_at;
    ensure(began >= due, || format!("it began at {began}, before {due}"))?;
    Ok(format!("{} ms after its time", began.since(due).as_millis()))
}

pub(super) async fn cancelled_scheduled(gate: Gate) -> Outcome {
    // Should it not be cancelled, it ends by itself a minute later.
    let accepted = gate
        .submit(&submission(json!({}), json!({ "delayMs": 60_000 })))
        .await?;
    gate.reaches(accepted.job_id, JobStatus::Scheduled).await?;
    gate.patiently(|| gate.gateway().cancel(accepted.job_id)).await?;
    let steps = [(Created, 0), (Validated, 0), (Scheduled, 0), (Cancelled, 0)];
    let (job, _) = ends(&gate, accepted.job_id, JobStatus::Cancelled, &steps).await?;
    same("attempts", job.attempts.len(), 0)?;
    Ok("before its first attempt".to_owned())
}

pub(super) async fn cancelled_running(gate: Gate) -> Outcome {
    let running = json!({ "simulate": { "durationMs": 25_000 } });
    let accepted = gate
        .submit(&submission(running, json!({ "maxAttempts": 1 })))
        .await?;
    gate.reaches(accepted.job_id, JobStatus::Executing).await?;
    gate.patiently(|| gate.gateway().cancel(accepted.job_id)).await?;
    let steps = [(Created, 0), (Validated, 0), (Cancelled, 1)];
    let (job, _) = ends(&gate, accepted.job_id, JobStatus::Cancelled, &steps).await?;
    same("outcomes", outcomes(&job), vec![Some(AttemptOutcome::Cancelled)])?;
    Ok("in its first attempt".to_owned())
}

pub(super) async fn hashes(gate: Gate) -> Outcome {
    // FIPS 180-2, appendix B.1.
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let job = json!({ "type": "hash", "payload": { "input": "abc", "rounds": 1 } });
    let accepted = gate.submit(&job).await?;
    let (job, _) = ends(&gate, accepted.job_id, JobStatus::Completed, &AT_ONCE).await?;
    let result = job.record.result.unwrap_or_default();
    same("digest of «abc»", result["digest"].as_str(), Some(expected))?;
    Ok("digest of «abc»".to_owned())
}
