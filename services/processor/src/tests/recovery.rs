//! Crashes and shutdowns: nothing is lost, nothing ends twice.

use std::time::Duration;

use odd_contracts::JobStatus;
use serde_json::json;

use super::bed::{Bed, job, outcomes, until};
use odd_store::JobStore;

#[tokio::test]
async fn a_crash_in_the_middle_of_an_execution() {
    let mut bed = Bed::running().await;
    let slow = job(json!({ "simulate": { "durationMs": 700 } }));
    bed.submit(&slow).await;
    bed.until(slow.id, JobStatus::Executing).await;
    bed = bed.crash().await;
    bed.start().await;
    let stored = bed.until(slow.id, JobStatus::Completed).await;
    assert_eq!(outcomes(&stored.attempts), ["lost", "succeeded"]);
    assert!(
        stored.attempts.iter().all(|attempt| attempt.number == 1),
        "a lost execution uses up no attempt"
    );
    bed.until_settled(slow.id).await;
}

#[tokio::test]
async fn crashes_under_load_lose_nothing() {
    let mut bed = Bed::running().await;
    let jobs: Vec<_> = (0..400_u32)
        .map(|n| job(json!({ "simulate": { "durationMs": n % 7, "failTimes": u32::from(n % 50 == 0) } })))
        .collect();
    for (n, job) in jobs.iter().enumerate() {
        bed.submit(job).await;
        if n % 100 == 99 {
            bed = bed.crash().await;
            bed.start().await;
        }
    }
    for job in &jobs {
        bed.until(job.id, JobStatus::Completed).await;
        bed.until_settled(job.id).await;
    }
}

#[tokio::test]
async fn a_shutdown_finishes_what_is_in_hand_and_leaves_the_rest() {
    let config = crate::Config {
        slots: 2,
        ..Default::default()
    };
    let mut bed = Bed::idle(config).await;
    let jobs: Vec<_> = (0..20)
        .map(|_| job(json!({ "simulate": { "durationMs": 300 } })))
        .collect();
    for job in &jobs {
        bed.submit(job).await;
    }
    bed.start().await;
    until("two jobs to run", async || {
        let running = odd_store::JobFilter {
            statuses: vec![JobStatus::Executing],
            ..Default::default()
        };
        (bed.store.list(&running, None, 10).await.unwrap().len() == 2).then_some(())
    })
    .await;
    bed.stop().await;
    let running = odd_store::JobFilter {
        statuses: vec![JobStatus::Executing],
        ..Default::default()
    };
    assert!(
        bed.store.list(&running, None, 10).await.unwrap().is_empty(),
        "nothing is left in hand"
    );
    bed.start().await;
    for job in &jobs {
        let stored = bed.until(job.id, JobStatus::Completed).await;
        assert_eq!(outcomes(&stored.attempts), ["succeeded"]);
        bed.until_settled(job.id).await;
    }
}

#[tokio::test]
async fn a_shutdown_gives_back_what_does_not_end() {
    let mut bed = Bed::running().await;
    let endless = job(json!({ "simulate": { "durationMs": 25_000 } }));
    bed.submit(&endless).await;
    bed.until(endless.id, JobStatus::Executing).await;
    bed.stop().await;
    let left = bed.store.next_due().await.unwrap();
    assert_eq!(left, Some(Duration::ZERO), "due at once, for whoever comes");
}
