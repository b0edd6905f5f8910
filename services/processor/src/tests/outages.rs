//! Servers that are away for a while: nothing is lost, nothing runs twice, nothing spins.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use odd_contracts::names::spine::reason;
use odd_contracts::{EventType, JobStatus, Producer, Timestamp};
use odd_spine::Queue;
use odd_store::{Claim, ClaimToken, JobFilter, JobStore, Work, WorkMode};
use serde_json::json;

use super::bed::{Bed, error, job, outcomes, until};
use super::gated::Gated;
use super::gates::Mode;
use crate::Config;

#[tokio::test]
async fn a_store_that_is_away_has_its_consumer_cancelled_until_it_is_back() {
    let gated = Gated::running(Config::default()).await;
    gated.store.set(Mode::Away);
    let jobs = gated.submit(40, json!({})).await;
    gated.readiness_says("the store is unplugged").await;
    assert!(gated.bed.get("/healthz").await.contains("200 OK"));
    let (takes, refused) = (&gated.store.takes, &gated.store.refused);
    // Not the first: the probe of readiness may find the store away before any message came.
    until("the first take to be refused", async || {
        (takes.load(Ordering::SeqCst) > 0).then_some(())
    })
    .await;
    gated.bed.until_depth(Queue::Work, (40, 0)).await;
    let before = (takes.load(Ordering::SeqCst), refused.load(Ordering::SeqCst));
    let begun = Instant::now();
    until("some further pings", async || {
        (refused.load(Ordering::SeqCst) > before.1 + 8).then_some(())
    })
    .await;
    assert_eq!(
        takes.load(Ordering::SeqCst),
        before.0,
        "nothing is taken meanwhile"
    );
    // Three loops ask, each after 25, 50 and 100 ms at the soonest.
    assert!(begun.elapsed() > Duration::from_millis(100), "nothing spins");
    gated.store.set(Mode::Open);
    gated.all_settled(&jobs, JobStatus::Completed).await;
    gated.readiness_says("200 OK").await;
    gated.end().await;
}

#[tokio::test]
async fn outcomes_wait_for_the_store_and_then_count_once() {
    let gated = Gated::running(Config::default()).await;
    let jobs = gated.executing(20).await;
    gated.store.set(Mode::Away);
    let refused = gated.store.refused.load(Ordering::SeqCst);
    until("commits to be refused", async || {
        (gated.store.refused.load(Ordering::SeqCst) > refused + 10).then_some(())
    })
    .await;
    gated.store.set(Mode::Open);
    gated.all_settled(&jobs, JobStatus::Completed).await;
    gated.end().await;
}

#[tokio::test]
async fn a_lost_connection_gives_messages_back_and_their_jobs_run_once() {
    let gated = Gated::running(Config::default()).await;
    let jobs = gated.executing(30).await;
    gated.spine.set(Mode::Away);
    gated.readiness_says("the spine is unplugged").await;
    gated.store.set(Mode::Open);
    for job in &jobs {
        gated.bed.until(job.id, JobStatus::Completed).await;
    }
    // They came back with the connection.
    gated.bed.until_depth(Queue::Work, (30, 0)).await;
    let consumes = gated.spine.consumes.load(Ordering::SeqCst);
    assert!(consumes < 40, "nothing spins: {consumes}");
    gated.spine.set(Mode::Open);
    gated.all_settled(&jobs, JobStatus::Completed).await;
    gated.end().await;
}

#[tokio::test]
async fn events_that_are_not_taken_hold_their_messages() {
    let gated = Gated::running(Config::default()).await;
    gated.spine.set(Mode::Blocked);
    let jobs = gated.submit(10, json!({})).await;
    for job in &jobs {
        gated.bed.until(job.id, JobStatus::Completed).await;
    }
    // Not acknowledged before their events are confirmed.
    gated.bed.until_depth(Queue::Work, (0, 10)).await;
    gated.spine.set(Mode::Open);
    gated.all_settled(&jobs, JobStatus::Completed).await;
    gated.end().await;
}

#[tokio::test]
async fn large_jobs_stop_the_intake_long_before_they_fill_the_memory() {
    const COUNT: usize = 140;
    let gated = Gated::running(Config::default()).await;
    gated.spine.set(Mode::Blocked);
    let payload = json!({ "text": "x".repeat(512 << 10) });
    let jobs = gated.submit(COUNT, payload).await;
    let everything = JobFilter::default();
    let taken = async || {
        gated
            .bed
            .store
            .list(&everything, None, COUNT)
            .await
            .unwrap()
            .len()
    };
    let (mut count, mut since) = (0, Instant::now());
    until("the intake to stand still", async || {
        let now = taken().await;
        if now != count {
            (count, since) = (now, Instant::now());
        }
        (count >= 16 && since.elapsed() > Duration::from_secs(1)).then_some(())
    })
    .await;
    // 64 of them fill the room, those that come twice included; a batch may be in flight above it.
    assert!(count <= 128, "{count} of {COUNT}");
    gated.spine.set(Mode::Open);
    for job in &jobs {
        let stored = gated.bed.until(job.id, JobStatus::Completed).await;
        assert_eq!(outcomes(&stored.attempts), ["succeeded"]);
    }
    gated.end().await;
}

#[tokio::test]
async fn a_shutdown_without_the_spine_ends_in_good_order() {
    let mut bed = Bed::idle(Config::default()).await;
    bed.stop_within = Duration::from_secs(4);
    let mut gated = Gated::on(bed).await;
    gated.spine.set(Mode::Blocked);
    let jobs = gated.submit(5, json!({})).await;
    for job in &jobs {
        gated.bed.until(job.id, JobStatus::Completed).await;
    }
    gated.bed.stop().await;
    // Nothing was acknowledged.
    gated.bed.until_depth(Queue::Work, (5, 0)).await;
    gated.bed.start().await;
    gated.all_settled(&jobs, JobStatus::Completed).await;
    gated.end().await;
}

#[tokio::test]
async fn a_job_that_is_taken_while_the_shutdown_begins_is_given_back() {
    let mut bed = Bed::idle(Config::default()).await;
    bed.stop_within = Duration::from_secs(4);
    let mut gated = Gated::on(bed).await;
    gated.store.set(Mode::HoldTakes);
    let jobs = gated
        .submit(1, json!({ "simulate": { "durationMs": 25_000 } }))
        .await;
    until("the take to be in flight", async || {
        (gated.store.takes.load(Ordering::SeqCst) > 0).then_some(())
    })
    .await;
    gated.bed.begin_to_stop();
    gated.store.set(Mode::Open);
    gated.bed.until(jobs[0].id, JobStatus::Executing).await;
    gated.bed.stop().await;
    assert_eq!(
        gated.bed.store.next_due().await.unwrap(),
        Some(Duration::ZERO),
        "due at once, for whoever comes"
    );
}

#[tokio::test]
async fn a_poison_message_is_put_aside_once_however_often_the_store_is_away() {
    let gated = Gated::running(Config::default()).await;
    gated.store.set(Mode::Away);
    let named = job(json!({}));
    let poison = json!({ "payload": { "id": named.id }, "nonsense": true }).to_string();
    gated.bed.publish_bytes(poison.as_bytes()).await;
    gated.readiness_says("the store is unplugged").await;
    for _ in 0..3 {
        gated.store.set(Mode::Open);
        gated.store.set(Mode::Away);
    }
    gated.store.set(Mode::Open);
    let failed = gated.bed.until(named.id, JobStatus::Failed).await;
    assert!(
        error(&failed.record).starts_with(reason::INVALID_ENVELOPE),
        "{failed:?}"
    );
    gated.bed.until_no_work().await;
    let told = async |bed: &Bed| {
        let published = bed.published().await;
        let told = published
            .iter()
            .filter(|event| event.event_type == EventType::DeadLettered);
        told.count()
    };
    let mut bed = gated.bed;
    until("the dead letter to be told", async || {
        (told(&bed).await > 0).then_some(())
    })
    .await;
    bed.stop().await;
    assert_eq!(bed.depth(Queue::DeadLetter).await.0, 1);
    assert_eq!(told(&bed).await, 1);
    bed.end().await;
}

/// Its processors were lost once too often: the claim itself ends it, and it counts as failed.
#[tokio::test]
async fn a_job_that_ends_by_being_claimed_is_counted_once() {
    let mut bed = Bed::idle(Config::default()).await;
    let doomed = job(json!({}));
    let by = Producer {
        service: "processor".to_owned(),
        instance_id: "lost".to_owned(),
        version: "0".to_owned(),
    };
    let claim = || Claim {
        token: ClaimToken::fresh(),
        by: by.clone(),
        lease: Duration::ZERO,
    };
    let work = Work {
        digest: doomed.digest(),
        submitted_at: Timestamp::now(),
        submitted_by: by.clone(),
        correlation_id: "c".to_owned(),
        traceparent: None,
        scheduled_for: None,
        mode: WorkMode::Run,
        job: doomed.clone(),
    };
    bed.store.take([work].into(), &claim()).await.unwrap();
    for _ in 0..odd_store::job_store::MAX_LOST_TAKES {
        assert_eq!(bed.store.claim_due(&claim(), 1).await.unwrap().len(), 1);
    }
    bed.start().await;
    let failed = bed.until(doomed.id, JobStatus::Failed).await;
    assert!(error(&failed.record).contains("lost 11 times"), "{failed:?}");
    bed.until_settled(doomed.id).await;
    let metrics = bed.get("/metrics").await;
    let counted = r#"processor_jobs_failed_total{service="processor"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    bed.end().await;
}
