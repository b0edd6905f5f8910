//! Each way in which a job can end.

use std::sync::atomic::Ordering;

use odd_contracts::control::ControlMessage;
use odd_contracts::{EventEnvelope, EventType, JobStatus, Timestamp};
use odd_spine::{Queue, codec};
use odd_store::JobStore;
use serde_json::json;

use super::bed::{Bed, error, job, outcomes, until};
use super::gated::Gated;
use crate::Config;

#[tokio::test]
async fn a_job_completes_and_its_history_is_published() {
    let bed = Bed::running().await;
    let job = job(json!({}));
    bed.submit(&job).await;
    let stored = bed.until(job.id, JobStatus::Completed).await;
    assert_eq!(outcomes(&stored.attempts), ["succeeded"]);
    bed.until_settled(job.id).await;
    bed.end().await;
}

#[tokio::test]
async fn a_thousand_jobs_complete_once_each() {
    let bed = Bed::running().await;
    let jobs: Vec<_> = (0..1_000).map(|n| job(json!({ "n": n }))).collect();
    // Every message twice: the broker may deliver again at any time.
    bed.submit_all(jobs.iter().flat_map(|job| [job, job])).await;
    for job in &jobs {
        let stored = bed.until(job.id, JobStatus::Completed).await;
        assert_eq!(outcomes(&stored.attempts), ["succeeded"]);
    }
    bed.until_all_settled(jobs.iter().map(|job| job.id)).await;
    bed.end().await;
}

#[tokio::test]
async fn a_job_retries_then_completes() {
    let bed = Bed::running().await;
    let job = job(json!({ "simulate": { "failTimes": 2, "error": "upstream 502" } }));
    bed.submit(&job).await;
    let stored = bed.until(job.id, JobStatus::Completed).await;
    assert_eq!(outcomes(&stored.attempts), ["failed", "failed", "succeeded"]);
    assert_eq!(stored.attempts[0].error.as_deref(), Some("upstream 502"));
    assert_eq!(stored.record.error, None);
    bed.until_settled(job.id).await;
    bed.end().await;
}

#[tokio::test]
async fn a_job_fails_when_its_attempts_are_used_up() {
    let bed = Bed::running().await;
    let mut job = job(json!({ "simulate": { "error": "no" } }));
    job.options.max_attempts = Some(4);
    bed.submit(&job).await;
    let stored = bed.until(job.id, JobStatus::Failed).await;
    assert_eq!(outcomes(&stored.attempts), ["failed"; 4]);
    assert_eq!(error(&stored.record), "no");
    bed.until_settled(job.id).await;
    bed.end().await;
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_ended() {
    let bed = Bed::running().await;
    let mut slow = job(json!({ "simulate": { "durationMs": 60_000 } }));
    slow.options.timeout_ms = Some(20);
    slow.options.max_attempts = Some(1);
    let mut hashing = job(json!({ "rounds": 1_000_000_000 }));
    hashing.job_type = "hash".parse().unwrap();
    hashing.options = slow.options.clone();
    for job in [&slow, &hashing] {
        bed.submit(job).await;
    }
    for job in [&slow, &hashing] {
        let stored = bed.until(job.id, JobStatus::Failed).await;
        assert_eq!(outcomes(&stored.attempts), ["timed_out"]);
        assert_eq!(error(&stored.record), "timed out after 20 ms");
        bed.until_settled(job.id).await;
    }
    bed.end().await;
}

#[tokio::test]
async fn a_job_that_lasts_is_told_while_it_runs() {
    let bed = Bed::running().await;
    let job = job(json!({ "simulate": { "durationMs": 60_000 } }));
    bed.submit(&job).await;
    until("the job to be told", async || {
        let told = |event: &EventEnvelope| event.event_type == EventType::Validated;
        bed.published().await.iter().any(told).then_some(())
    })
    .await;
    bed.until(job.id, JobStatus::Executing).await;
    bed.publish(cancel(job.id)).await;
    bed.until(job.id, JobStatus::Cancelled).await;
    bed.until_settled(job.id).await;
    bed.end().await;
}

#[tokio::test]
async fn a_delayed_job_runs_in_its_time() {
    let bed = Bed::running().await;
    let mut later = job(json!({}));
    later.options.delay_ms = Some(150);
    let mut much_later = job(json!({}));
    much_later.options.delay_ms = Some(3_600_000);
    bed.submit_all([&later, &much_later]).await;
    let stored = bed.until(later.id, JobStatus::Completed).await;
    assert!(stored.attempts[0].started_at >= stored.record.scheduled_for.unwrap());
    bed.until_settled(later.id).await;
    bed.until(much_later.id, JobStatus::Scheduled).await;
    // Its message waits with neither of them.
    bed.end().await;
}

fn cancel(id: uuid::Uuid) -> odd_spine::Message {
    codec::control_message(&ControlMessage::Cancel {
        id,
        correlation_id: "cancel".to_owned(),
        requested_at: Timestamp::now(),
    })
}

#[tokio::test]
async fn cancellation_reaches_a_job_wherever_it_is() {
    let gated = Gated::running(Config::default()).await;
    let bed = &gated.bed;
    let running = job(json!({ "simulate": { "durationMs": 3_600_000 } }));
    let mut scheduled = job(json!({}));
    scheduled.options.delay_ms = Some(3_600_000);
    let unknown = job(json!({}));
    bed.submit_all([&running, &scheduled]).await;
    bed.until(running.id, JobStatus::Executing).await;
    bed.until(scheduled.id, JobStatus::Scheduled).await;
    for job in [&running, &scheduled, &unknown] {
        bed.publish(cancel(job.id)).await;
    }
    assert_eq!(
        outcomes(&bed.until(running.id, JobStatus::Cancelled).await.attempts),
        ["cancelled"]
    );
    bed.until(scheduled.id, JobStatus::Cancelled).await;
    until("the request for the unknown job to be noted", async || {
        (gated.store.cancels.load(Ordering::SeqCst) >= 3).then_some(())
    })
    .await;
    bed.submit(&unknown).await;
    bed.until(unknown.id, JobStatus::Cancelled).await;
    bed.until_all_settled([running.id, scheduled.id, unknown.id])
        .await;
    gated.end().await;
}

#[tokio::test]
async fn a_slow_job_gives_its_message_back_and_keeps_its_claim() {
    let bed = Bed::running().await;
    let slow = job(json!({ "simulate": { "durationMs": 3_600_000 } }));
    bed.submit(&slow).await;
    bed.until_depth(Queue::Work, (0, 1)).await;
    // Parked while it runs.
    bed.until_no_work().await;
    bed.until(slow.id, JobStatus::Executing).await;
    bed.publish(cancel(slow.id)).await;
    let stored = bed.until(slow.id, JobStatus::Cancelled).await;
    assert_eq!(outcomes(&stored.attempts), ["cancelled"], "one execution");
    bed.until_settled(slow.id).await;
    bed.end().await;
}

#[tokio::test]
async fn waiting_for_a_slot_does_not_hold_messages_for_ever() {
    let config = Config {
        slots: 1,
        ..Config::default()
    };
    let mut bed = Bed::idle(config).await;
    let slow = job(json!({ "simulate": { "durationMs": 3_600_000 } }));
    let quick: Vec<_> = (0..3).map(|_| job(json!({}))).collect();
    bed.submit(&slow).await;
    bed.start().await;
    bed.until(slow.id, JobStatus::Executing).await;
    bed.submit_all(&quick).await;
    for job in &quick {
        // Stored without a slot, as due.
        let what = "the job to be parked";
        let parked = until(what, async || bed.store.get(job.id).await.unwrap()).await;
        assert!(
            parked.due_at.is_some() && parked.attempts.is_empty(),
            "{parked:?}"
        );
    }
    bed.until_no_work().await;
    bed.publish(cancel(slow.id)).await;
    for job in &quick {
        bed.until(job.id, JobStatus::Completed).await;
    }
    let all = quick.iter().chain([&slow]).map(|job| job.id);
    bed.until_all_settled(all).await;
    bed.end().await;
}
