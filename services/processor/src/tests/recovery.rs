//! Crashes and shutdowns: nothing is lost, nothing ends twice.

use std::time::Duration;

use odd_contracts::JobStatus;
use odd_store::JobStore;
use serde_json::json;

use super::bed::{Bed, job, outcomes, until};
use super::gated::Gated;
use crate::Config;

/// A processor whose work others take over as soon as may be configured.
fn short_lease() -> Config {
    Config {
        lease: Duration::from_secs(5),
        ..Config::default()
    }
}

#[tokio::test]
async fn a_crash_in_the_middle_of_an_execution() {
    let gated = Gated::running(short_lease()).await;
    let jobs = gated.executing(1).await;
    let mut bed = gated.crash().await;
    bed.start().await;
    let stored = bed.until(jobs[0].id, JobStatus::Completed).await;
    assert_eq!(outcomes(&stored.attempts), ["lost", "succeeded"]);
    assert!(
        stored.attempts.iter().all(|attempt| attempt.number == 1),
        "a lost execution uses up no attempt"
    );
    bed.until_settled(jobs[0].id).await;
    bed.end().await;
}

#[tokio::test]
async fn crashes_under_load_lose_nothing() {
    let mut bed = Bed::idle(short_lease()).await;
    bed.start().await;
    let jobs: Vec<_> = (0..400_u32)
        .map(|n| job(json!({ "simulate": { "durationMs": n % 7, "failTimes": u32::from(n % 50 == 0) } })))
        .collect();
    for batch in jobs.chunks(100) {
        for job in batch {
            bed.submit(job).await;
        }
        until("some of them to be taken", async || {
            bed.store.get(batch[0].id).await.unwrap()
        })
        .await;
        bed = bed.crash().await;
        bed.start().await;
    }
    for job in &jobs {
        bed.until(job.id, JobStatus::Completed).await;
    }
    bed.until_all_settled(jobs.iter().map(|job| job.id)).await;
    bed.end().await;
}

#[tokio::test]
async fn a_shutdown_finishes_what_is_in_hand_and_leaves_the_rest() {
    let config = Config {
        slots: 2,
        ..Config::default()
    };
    let mut bed = Bed::idle(config).await;
    let jobs: Vec<_> = (0..12)
        .map(|_| job(json!({ "simulate": { "durationMs": 300 } })))
        .collect();
    bed.submit_all(&jobs).await;
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
    }
    bed.until_all_settled(jobs.iter().map(|job| job.id)).await;
    bed.end().await;
}

#[tokio::test]
async fn a_shutdown_gives_back_what_does_not_end() {
    let mut bed = Bed::idle(Config::default()).await;
    bed.stop_within = Duration::from_secs(4);
    bed.start().await;
    let endless = job(json!({ "simulate": { "durationMs": 25_000 } }));
    bed.submit(&endless).await;
    bed.until(endless.id, JobStatus::Executing).await;
    bed.stop().await;
    let left = bed.store.next_due().await.unwrap();
    assert_eq!(left, Some(Duration::ZERO), "due at once, for whoever comes");
}
