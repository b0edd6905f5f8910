//! Each way in which a job can end.

use std::time::Duration;

use odd_contracts::control::ControlMessage;
use odd_contracts::{JobStatus, Timestamp};
use odd_spine::codec;
use serde_json::json;

use super::bed::{Bed, error, job, outcomes};

#[tokio::test]
async fn a_job_completes_and_its_history_is_published() {
    let bed = Bed::running().await;
    let job = job(json!({}));
    bed.submit(&job).await;
    let stored = bed.until(job.id, JobStatus::Completed).await;
    assert_eq!(outcomes(&stored.attempts), ["succeeded"]);
    bed.until_settled(job.id).await;
}

#[tokio::test]
async fn a_thousand_jobs_complete_once_each() {
    let mut bed = Bed::running().await;
    let jobs: Vec<_> = (0..1_000).map(|n| job(json!({ "n": n }))).collect();
    for job in &jobs {
        bed.submit(job).await;
        // Every message twice: the broker may deliver again at any time.
        bed.submit(job).await;
    }
    for job in &jobs {
        let stored = bed.until(job.id, JobStatus::Completed).await;
        assert_eq!(outcomes(&stored.attempts), ["succeeded"]);
    }
    bed.until_no_work().await;
    bed.stop().await;
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
}

#[tokio::test]
async fn a_delayed_job_runs_in_its_time() {
    let bed = Bed::running().await;
    let mut later = job(json!({}));
    later.options.delay_ms = Some(150);
    bed.submit(&later).await;
    let waiting = bed.until(later.id, JobStatus::Scheduled).await;
    bed.until_no_work().await;
    let stored = bed.until(later.id, JobStatus::Completed).await;
    assert!(stored.attempts[0].started_at >= waiting.record.scheduled_for.unwrap());
    bed.until_settled(later.id).await;
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
    let bed = Bed::running().await;
    let running = job(json!({ "simulate": { "durationMs": 60_000 } }));
    let mut scheduled = job(json!({}));
    scheduled.options.delay_ms = Some(60_000);
    let unknown = job(json!({}));
    bed.submit(&running).await;
    bed.submit(&scheduled).await;
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
    super::bed::until("the request for the unknown job to be dealt with", async || {
        let depths = odd_spine::Spine::depths(&*bed.spine).await.unwrap();
        let control = depths
            .iter()
            .find(|depth| depth.name == odd_spine::Queue::Control.name())
            .unwrap();
        (control.ready + control.unacknowledged == 0).then_some(())
    })
    .await;
    bed.submit(&unknown).await;
    bed.until(unknown.id, JobStatus::Cancelled).await;
    for job in [&running, &scheduled, &unknown] {
        bed.until_settled(job.id).await;
    }
}

#[tokio::test]
async fn a_slow_job_gives_its_message_back_and_keeps_its_claim() {
    let bed = Bed::running().await;
    let slow = job(json!({ "simulate": { "durationMs": 7_500 } }));
    bed.submit(&slow).await;
    bed.until(slow.id, JobStatus::Executing).await;
    bed.until_no_work().await;
    assert_eq!(
        odd_store::JobStore::get(&*bed.store, slow.id)
            .await
            .unwrap()
            .unwrap()
            .record
            .job
            .status,
        JobStatus::Executing,
        "parked while it runs"
    );
    let stored = bed.until(slow.id, JobStatus::Completed).await;
    assert_eq!(outcomes(&stored.attempts), ["succeeded"]);
    bed.until_settled(slow.id).await;
}

#[tokio::test]
async fn waiting_for_a_slot_does_not_hold_messages_for_ever() {
    let config = crate::Config {
        slots: 1,
        ..Default::default()
    };
    let mut bed = Bed::idle(config).await;
    let slow = job(json!({ "simulate": { "durationMs": 7_000 } }));
    let quick: Vec<_> = (0..3).map(|_| job(json!({}))).collect();
    bed.submit(&slow).await;
    bed.start().await;
    bed.until(slow.id, JobStatus::Executing).await;
    for job in &quick {
        bed.submit(job).await;
    }
    bed.until_no_work().await;
    for job in &quick {
        bed.until(job.id, JobStatus::Completed).await;
        bed.until_settled(job.id).await;
    }
    assert!(Duration::from_secs(7) > crate::intake::PARK_AFTER);
}
